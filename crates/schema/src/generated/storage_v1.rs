//! The messages of `io.k8s.api.storage.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.storage.v1.CSIDriver`.
pub(crate) static CSI_DRIVER: Message = Message {
    name: "io.k8s.api.storage.v1.CSIDriver",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&CSI_DRIVER_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSIDriverList`.
pub(crate) static CSI_DRIVER_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.CSIDriverList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CSI_DRIVER))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSIDriverSpec`.
pub(crate) static CSI_DRIVER_SPEC: Message = Message {
    name: "io.k8s.api.storage.v1.CSIDriverSpec",
    fields: &[
        Field::new("attachRequired", 1, Type::Bool),
        Field::new("fsGroupPolicy", 5, Type::String),
        Field::new("nodeAllocatableUpdatePeriodSeconds", 9, Type::Int64),
        Field::new("podInfoOnMount", 2, Type::Bool),
        Field::new("preventPodSchedulingIfMissing", 11, Type::Bool),
        Field::new("requiresRepublish", 7, Type::Bool),
        Field::new("seLinuxMount", 8, Type::Bool),
        Field::new("serviceAccountTokenInSecrets", 10, Type::Bool),
        Field::new("storageCapacity", 4, Type::Bool),
        Field::new("tokenRequests", 6, Type::List(&Type::Message(&TOKEN_REQUEST))).omit_empty(),
        Field::new("volumeLifecycleModes", 3, Type::List(&Type::String))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSINode`.
pub(crate) static CSI_NODE: Message = Message {
    name: "io.k8s.api.storage.v1.CSINode",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&CSI_NODE_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSINodeDriver`.
pub(crate) static CSI_NODE_DRIVER: Message = Message {
    name: "io.k8s.api.storage.v1.CSINodeDriver",
    fields: &[
        Field::new("allocatable", 4, Type::Message(&VOLUME_NODE_RESOURCES)),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("nodeID", 2, Type::String).always().required(),
        Field::new("topologyKeys", 3, Type::List(&Type::String)).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSINodeList`.
pub(crate) static CSI_NODE_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.CSINodeList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CSI_NODE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSINodeSpec`.
pub(crate) static CSI_NODE_SPEC: Message = Message {
    name: "io.k8s.api.storage.v1.CSINodeSpec",
    fields: &[Field::new("drivers", 1, Type::List(&Type::Message(&CSI_NODE_DRIVER)))
        .always()
        .required()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("name"),
            list: ListType::Map(&["name"]),
            ..MergeRule::PLAIN
        })],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSIStorageCapacity`.
pub(crate) static CSI_STORAGE_CAPACITY: Message = Message {
    name: "io.k8s.api.storage.v1.CSIStorageCapacity",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("capacity", 4, Type::Quantity),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("maximumVolumeSize", 5, Type::Quantity),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("nodeTopology", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("storageClassName", 3, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.CSIStorageCapacityList`.
pub(crate) static CSI_STORAGE_CAPACITY_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.CSIStorageCapacityList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CSI_STORAGE_CAPACITY)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.StorageClass`.
pub(crate) static STORAGE_CLASS: Message = Message {
    name: "io.k8s.api.storage.v1.StorageClass",
    fields: &[
        Field::new("allowVolumeExpansion", 6, Type::Bool),
        Field::new(
            "allowedTopologies",
            8,
            Type::List(&Type::Message(&super::core_v1::TOPOLOGY_SELECTOR_TERM)),
        )
        .omit_empty(),
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("mountOptions", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("parameters", 3, Type::Map(&Type::String)).omit_empty(),
        Field::new("provisioner", 2, Type::String).always().required(),
        Field::new("reclaimPolicy", 4, Type::String),
        Field::new("volumeBindingMode", 7, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.StorageClassList`.
pub(crate) static STORAGE_CLASS_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.StorageClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&STORAGE_CLASS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.TokenRequest`.
pub(crate) static TOKEN_REQUEST: Message = Message {
    name: "io.k8s.api.storage.v1.TokenRequest",
    fields: &[
        Field::new("audience", 1, Type::String).always().required(),
        Field::new("expirationSeconds", 2, Type::Int64),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttachment`.
pub(crate) static VOLUME_ATTACHMENT: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttachment",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&VOLUME_ATTACHMENT_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&VOLUME_ATTACHMENT_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttachmentList`.
pub(crate) static VOLUME_ATTACHMENT_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttachmentList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&VOLUME_ATTACHMENT))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttachmentSource`.
pub(crate) static VOLUME_ATTACHMENT_SOURCE: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttachmentSource",
    fields: &[
        Field::new("inlineVolumeSpec", 2, Type::Message(&super::core_v1::PERSISTENT_VOLUME_SPEC)),
        Field::new("persistentVolumeName", 1, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttachmentSpec`.
pub(crate) static VOLUME_ATTACHMENT_SPEC: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttachmentSpec",
    fields: &[
        Field::new("attacher", 1, Type::String).always().required(),
        Field::new("nodeName", 3, Type::String).always().required(),
        Field::new("source", 2, Type::Message(&VOLUME_ATTACHMENT_SOURCE)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttachmentStatus`.
pub(crate) static VOLUME_ATTACHMENT_STATUS: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttachmentStatus",
    fields: &[
        Field::new("attachError", 3, Type::Message(&VOLUME_ERROR)),
        Field::new("attached", 1, Type::Bool).always().required(),
        Field::new("attachmentMetadata", 2, Type::Map(&Type::String)).omit_empty(),
        Field::new("detachError", 4, Type::Message(&VOLUME_ERROR)),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttributesClass`.
pub(crate) static VOLUME_ATTRIBUTES_CLASS: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttributesClass",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("driverName", 2, Type::String).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("parameters", 3, Type::Map(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeAttributesClassList`.
pub(crate) static VOLUME_ATTRIBUTES_CLASS_LIST: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeAttributesClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&VOLUME_ATTRIBUTES_CLASS)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeError`.
pub(crate) static VOLUME_ERROR: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeError",
    fields: &[
        Field::new("errorCode", 3, Type::Int32),
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("time", 1, Type::Time).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.storage.v1.VolumeNodeResources`.
pub(crate) static VOLUME_NODE_RESOURCES: Message = Message {
    name: "io.k8s.api.storage.v1.VolumeNodeResources",
    fields: &[Field::new("count", 1, Type::Int32)],
    atomic: false,
};
