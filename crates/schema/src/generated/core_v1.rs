//! The messages of `io.k8s.api.core.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource`.
pub(crate) static AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("partition", 3, Type::Int32).omit_empty(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("volumeID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Affinity`.
pub(crate) static AFFINITY: Message = Message {
    name: "io.k8s.api.core.v1.Affinity",
    fields: &[
        Field::new("nodeAffinity", 1, Type::Message(&NODE_AFFINITY)),
        Field::new("podAffinity", 2, Type::Message(&POD_AFFINITY)),
        Field::new("podAntiAffinity", 3, Type::Message(&POD_ANTI_AFFINITY)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.AppArmorProfile`.
pub(crate) static APP_ARMOR_PROFILE: Message = Message {
    name: "io.k8s.api.core.v1.AppArmorProfile",
    fields: &[
        Field::new("localhostProfile", 2, Type::String),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.AttachedVolume`.
pub(crate) static ATTACHED_VOLUME: Message = Message {
    name: "io.k8s.api.core.v1.AttachedVolume",
    fields: &[
        Field::new("devicePath", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.AzureDiskVolumeSource`.
pub(crate) static AZURE_DISK_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.AzureDiskVolumeSource",
    fields: &[
        Field::new("cachingMode", 3, Type::String),
        Field::new("diskName", 1, Type::String).always().required(),
        Field::new("diskURI", 2, Type::String).always().required(),
        Field::new("fsType", 4, Type::String).default("\"ext4\""),
        Field::new("kind", 6, Type::String),
        Field::new("readOnly", 5, Type::Bool).default("false"),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.AzureFilePersistentVolumeSource`.
pub(crate) static AZURE_FILE_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.AzureFilePersistentVolumeSource",
    fields: &[
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("secretName", 1, Type::String).always().required(),
        Field::new("secretNamespace", 4, Type::String),
        Field::new("shareName", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.AzureFileVolumeSource`.
pub(crate) static AZURE_FILE_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.AzureFileVolumeSource",
    fields: &[
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("secretName", 1, Type::String).always().required(),
        Field::new("shareName", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Binding`.
pub(crate) static BINDING: Message = Message {
    name: "io.k8s.api.core.v1.Binding",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("target", 2, Type::Message(&OBJECT_REFERENCE)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CSIPersistentVolumeSource`.
pub(crate) static CSI_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CSIPersistentVolumeSource",
    fields: &[
        Field::new("controllerExpandSecretRef", 9, Type::Message(&SECRET_REFERENCE)),
        Field::new("controllerPublishSecretRef", 6, Type::Message(&SECRET_REFERENCE)),
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("fsType", 4, Type::String).omit_empty(),
        Field::new("nodeExpandSecretRef", 10, Type::Message(&SECRET_REFERENCE)),
        Field::new("nodePublishSecretRef", 8, Type::Message(&SECRET_REFERENCE)),
        Field::new("nodeStageSecretRef", 7, Type::Message(&SECRET_REFERENCE)),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("volumeAttributes", 5, Type::Map(&Type::String)).omit_empty(),
        Field::new("volumeHandle", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CSIVolumeSource`.
pub(crate) static CSI_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CSIVolumeSource",
    fields: &[
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("fsType", 3, Type::String),
        Field::new("nodePublishSecretRef", 5, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("readOnly", 2, Type::Bool),
        Field::new("volumeAttributes", 4, Type::Map(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Capabilities`.
pub(crate) static CAPABILITIES: Message = Message {
    name: "io.k8s.api.core.v1.Capabilities",
    fields: &[
        Field::new("add", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("drop", 2, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CephFSPersistentVolumeSource`.
pub(crate) static CEPH_FS_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CephFSPersistentVolumeSource",
    fields: &[
        Field::new("monitors", 1, Type::List(&Type::String)).always().required(),
        Field::new("path", 2, Type::String).omit_empty(),
        Field::new("readOnly", 6, Type::Bool).omit_empty(),
        Field::new("secretFile", 4, Type::String).omit_empty(),
        Field::new("secretRef", 5, Type::Message(&SECRET_REFERENCE)),
        Field::new("user", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CephFSVolumeSource`.
pub(crate) static CEPH_FS_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CephFSVolumeSource",
    fields: &[
        Field::new("monitors", 1, Type::List(&Type::String)).always().required(),
        Field::new("path", 2, Type::String).omit_empty(),
        Field::new("readOnly", 6, Type::Bool).omit_empty(),
        Field::new("secretFile", 4, Type::String).omit_empty(),
        Field::new("secretRef", 5, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("user", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CinderPersistentVolumeSource`.
pub(crate) static CINDER_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CinderPersistentVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("secretRef", 4, Type::Message(&SECRET_REFERENCE)),
        Field::new("volumeID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.CinderVolumeSource`.
pub(crate) static CINDER_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.CinderVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("secretRef", 4, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("volumeID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ClientIPConfig`.
pub(crate) static CLIENT_IP_CONFIG: Message = Message {
    name: "io.k8s.api.core.v1.ClientIPConfig",
    fields: &[Field::new("timeoutSeconds", 1, Type::Int32)],
    atomic: false,
};

/// `io.k8s.api.core.v1.ClusterTrustBundleProjection`.
pub(crate) static CLUSTER_TRUST_BUNDLE_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.ClusterTrustBundleProjection",
    fields: &[
        Field::new("labelSelector", 3, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("name", 1, Type::String),
        Field::new("optional", 5, Type::Bool),
        Field::new("path", 4, Type::String).always().required(),
        Field::new("signerName", 2, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ComponentCondition`.
pub(crate) static COMPONENT_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.ComponentCondition",
    fields: &[
        Field::new("error", 4, Type::String).omit_empty(),
        Field::new("message", 3, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ComponentStatus`.
pub(crate) static COMPONENT_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ComponentStatus",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("conditions", 2, Type::List(&Type::Message(&COMPONENT_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ComponentStatusList`.
pub(crate) static COMPONENT_STATUS_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ComponentStatusList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&COMPONENT_STATUS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMap`.
pub(crate) static CONFIG_MAP: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMap",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("binaryData", 3, Type::Map(&Type::Bytes)).omit_empty(),
        Field::new("data", 2, Type::Map(&Type::String)).omit_empty(),
        Field::new("immutable", 4, Type::Bool),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMapEnvSource`.
pub(crate) static CONFIG_MAP_ENV_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapEnvSource",
    fields: &[
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 2, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMapKeySelector`.
pub(crate) static CONFIG_MAP_KEY_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapKeySelector",
    fields: &[
        Field::new("key", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 3, Type::Bool),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.ConfigMapList`.
pub(crate) static CONFIG_MAP_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CONFIG_MAP))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMapNodeConfigSource`.
pub(crate) static CONFIG_MAP_NODE_CONFIG_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapNodeConfigSource",
    fields: &[
        Field::new("kubeletConfigKey", 5, Type::String).always().required(),
        Field::new("name", 2, Type::String).always().required(),
        Field::new("namespace", 1, Type::String).always().required(),
        Field::new("resourceVersion", 4, Type::String).omit_empty(),
        Field::new("uid", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMapProjection`.
pub(crate) static CONFIG_MAP_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapProjection",
    fields: &[
        Field::new("items", 2, Type::List(&Type::Message(&KEY_TO_PATH))).omit_empty(),
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 4, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ConfigMapVolumeSource`.
pub(crate) static CONFIG_MAP_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ConfigMapVolumeSource",
    fields: &[
        Field::new("defaultMode", 3, Type::Int32),
        Field::new("items", 2, Type::List(&Type::Message(&KEY_TO_PATH))).omit_empty(),
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 4, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Container`.
pub(crate) static CONTAINER: Message = Message {
    name: "io.k8s.api.core.v1.Container",
    fields: &[
        Field::new("args", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("command", 3, Type::List(&Type::String)).omit_empty(),
        Field::new("env", 7, Type::List(&Type::Message(&ENV_VAR))).omit_empty().merge(&MergeRule {
            patch: PatchStrategy::Merge("name"),
            list: ListType::Map(&["name"]),
            ..MergeRule::PLAIN
        }),
        Field::new("envFrom", 19, Type::List(&Type::Message(&ENV_FROM_SOURCE))).omit_empty(),
        Field::new("image", 2, Type::String).omit_empty(),
        Field::new("imagePullPolicy", 14, Type::String).omit_empty(),
        Field::new("lifecycle", 12, Type::Message(&LIFECYCLE)),
        Field::new("livenessProbe", 10, Type::Message(&PROBE)),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("ports", 6, Type::List(&Type::Message(&CONTAINER_PORT))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("containerPort"),
                list: ListType::Map(&["containerPort", "protocol"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("readinessProbe", 11, Type::Message(&PROBE)),
        Field::new("resizePolicy", 23, Type::List(&Type::Message(&CONTAINER_RESIZE_POLICY)))
            .omit_empty(),
        Field::new("resources", 8, Type::Message(&RESOURCE_REQUIREMENTS)).omit_empty(),
        Field::new("restartPolicy", 24, Type::String),
        Field::new("restartPolicyRules", 25, Type::List(&Type::Message(&CONTAINER_RESTART_RULE)))
            .omit_empty(),
        Field::new("securityContext", 15, Type::Message(&SECURITY_CONTEXT)),
        Field::new("startupProbe", 22, Type::Message(&PROBE)),
        Field::new("stdin", 16, Type::Bool).omit_empty(),
        Field::new("stdinOnce", 17, Type::Bool).omit_empty(),
        Field::new("terminationMessagePath", 13, Type::String).omit_empty(),
        Field::new("terminationMessagePolicy", 20, Type::String).omit_empty(),
        Field::new("tty", 18, Type::Bool).omit_empty(),
        Field::new("volumeDevices", 21, Type::List(&Type::Message(&VOLUME_DEVICE)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("devicePath"),
                list: ListType::Map(&["devicePath"]),
                ..MergeRule::PLAIN
            }),
        Field::new("volumeMounts", 9, Type::List(&Type::Message(&VOLUME_MOUNT)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("mountPath"),
                list: ListType::Map(&["mountPath"]),
                ..MergeRule::PLAIN
            }),
        Field::new("workingDir", 5, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerExtendedResourceRequest`.
pub(crate) static CONTAINER_EXTENDED_RESOURCE_REQUEST: Message = Message {
    name: "io.k8s.api.core.v1.ContainerExtendedResourceRequest",
    fields: &[
        Field::new("containerName", 1, Type::String).always().required(),
        Field::new("requestName", 3, Type::String).always().required(),
        Field::new("resourceName", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerImage`.
pub(crate) static CONTAINER_IMAGE: Message = Message {
    name: "io.k8s.api.core.v1.ContainerImage",
    fields: &[
        Field::new("names", 1, Type::List(&Type::String)).always(),
        Field::new("sizeBytes", 2, Type::Int64).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerPort`.
pub(crate) static CONTAINER_PORT: Message = Message {
    name: "io.k8s.api.core.v1.ContainerPort",
    fields: &[
        Field::new("containerPort", 3, Type::Int32).always().required(),
        Field::new("hostIP", 5, Type::String).omit_empty(),
        Field::new("hostPort", 2, Type::Int32).omit_empty(),
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("protocol", 4, Type::String).omit_empty().default("\"TCP\""),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerResizePolicy`.
pub(crate) static CONTAINER_RESIZE_POLICY: Message = Message {
    name: "io.k8s.api.core.v1.ContainerResizePolicy",
    fields: &[
        Field::new("resourceName", 1, Type::String).always().required(),
        Field::new("restartPolicy", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerRestartRule`.
pub(crate) static CONTAINER_RESTART_RULE: Message = Message {
    name: "io.k8s.api.core.v1.ContainerRestartRule",
    fields: &[
        Field::new("action", 1, Type::String).omit_empty().required(),
        Field::new("exitCodes", 2, Type::Message(&CONTAINER_RESTART_RULE_ON_EXIT_CODES)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes`.
pub(crate) static CONTAINER_RESTART_RULE_ON_EXIT_CODES: Message = Message {
    name: "io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes",
    fields: &[
        Field::new("operator", 1, Type::String).omit_empty().required(),
        Field::new("values", 2, Type::List(&Type::Int32))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerState`.
pub(crate) static CONTAINER_STATE: Message = Message {
    name: "io.k8s.api.core.v1.ContainerState",
    fields: &[
        Field::new("running", 2, Type::Message(&CONTAINER_STATE_RUNNING)),
        Field::new("terminated", 3, Type::Message(&CONTAINER_STATE_TERMINATED)),
        Field::new("waiting", 1, Type::Message(&CONTAINER_STATE_WAITING)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerStateRunning`.
pub(crate) static CONTAINER_STATE_RUNNING: Message = Message {
    name: "io.k8s.api.core.v1.ContainerStateRunning",
    fields: &[Field::new("startedAt", 1, Type::Time).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerStateTerminated`.
pub(crate) static CONTAINER_STATE_TERMINATED: Message = Message {
    name: "io.k8s.api.core.v1.ContainerStateTerminated",
    fields: &[
        Field::new("containerID", 7, Type::String).omit_empty(),
        Field::new("exitCode", 1, Type::Int32).always().required(),
        Field::new("finishedAt", 6, Type::Time).omit_empty(),
        Field::new("message", 4, Type::String).omit_empty(),
        Field::new("reason", 3, Type::String).omit_empty(),
        Field::new("signal", 2, Type::Int32).omit_empty(),
        Field::new("startedAt", 5, Type::Time).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerStateWaiting`.
pub(crate) static CONTAINER_STATE_WAITING: Message = Message {
    name: "io.k8s.api.core.v1.ContainerStateWaiting",
    fields: &[
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("reason", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerStatus`.
pub(crate) static CONTAINER_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ContainerStatus",
    fields: &[
        Field::new("allocatedResources", 10, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("allocatedResourcesStatus", 14, Type::List(&Type::Message(&RESOURCE_STATUS)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("containerID", 8, Type::String).omit_empty(),
        Field::new("image", 6, Type::String).always().required(),
        Field::new("imageID", 7, Type::String).always().required(),
        Field::new("lastState", 3, Type::Message(&CONTAINER_STATE)).omit_empty(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("ready", 4, Type::Bool).always().required(),
        Field::new("resources", 11, Type::Message(&RESOURCE_REQUIREMENTS)),
        Field::new("restartCount", 5, Type::Int32).always().required(),
        Field::new("started", 9, Type::Bool),
        Field::new("state", 2, Type::Message(&CONTAINER_STATE)).omit_empty(),
        Field::new("stopSignal", 15, Type::String),
        Field::new("user", 13, Type::Message(&CONTAINER_USER)),
        Field::new("volumeMounts", 12, Type::List(&Type::Message(&VOLUME_MOUNT_STATUS)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("mountPath"),
                list: ListType::Map(&["mountPath"]),
                ..MergeRule::PLAIN
            }),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ContainerUser`.
pub(crate) static CONTAINER_USER: Message = Message {
    name: "io.k8s.api.core.v1.ContainerUser",
    fields: &[Field::new("linux", 1, Type::Message(&LINUX_CONTAINER_USER))],
    atomic: false,
};

/// `io.k8s.api.core.v1.DaemonEndpoint`.
pub(crate) static DAEMON_ENDPOINT: Message = Message {
    name: "io.k8s.api.core.v1.DaemonEndpoint",
    fields: &[Field::new("Port", 1, Type::Int32).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.DownwardAPIProjection`.
pub(crate) static DOWNWARD_API_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.DownwardAPIProjection",
    fields: &[
        Field::new("items", 1, Type::List(&Type::Message(&DOWNWARD_API_VOLUME_FILE))).omit_empty()
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.DownwardAPIVolumeFile`.
pub(crate) static DOWNWARD_API_VOLUME_FILE: Message = Message {
    name: "io.k8s.api.core.v1.DownwardAPIVolumeFile",
    fields: &[
        Field::new("fieldRef", 2, Type::Message(&OBJECT_FIELD_SELECTOR)),
        Field::new("mode", 4, Type::Int32),
        Field::new("path", 1, Type::String).always().required(),
        Field::new("resourceFieldRef", 3, Type::Message(&RESOURCE_FIELD_SELECTOR)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.DownwardAPIVolumeSource`.
pub(crate) static DOWNWARD_API_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.DownwardAPIVolumeSource",
    fields: &[
        Field::new("defaultMode", 2, Type::Int32),
        Field::new("items", 1, Type::List(&Type::Message(&DOWNWARD_API_VOLUME_FILE))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EmptyDirVolumeSource`.
pub(crate) static EMPTY_DIR_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.EmptyDirVolumeSource",
    fields: &[
        Field::new("medium", 1, Type::String).omit_empty(),
        Field::new("sizeLimit", 2, Type::Quantity),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EndpointAddress`.
pub(crate) static ENDPOINT_ADDRESS: Message = Message {
    name: "io.k8s.api.core.v1.EndpointAddress",
    fields: &[
        Field::new("hostname", 3, Type::String).omit_empty(),
        Field::new("ip", 1, Type::String).always().required(),
        Field::new("nodeName", 4, Type::String),
        Field::new("targetRef", 2, Type::Message(&OBJECT_REFERENCE)),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.EndpointPort`.
pub(crate) static ENDPOINT_PORT: Message = Message {
    name: "io.k8s.api.core.v1.EndpointPort",
    fields: &[
        Field::new("appProtocol", 4, Type::String),
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("port", 2, Type::Int32).always().required(),
        Field::new("protocol", 3, Type::String).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.EndpointSubset`.
pub(crate) static ENDPOINT_SUBSET: Message = Message {
    name: "io.k8s.api.core.v1.EndpointSubset",
    fields: &[
        Field::new("addresses", 1, Type::List(&Type::Message(&ENDPOINT_ADDRESS))).omit_empty(),
        Field::new("notReadyAddresses", 2, Type::List(&Type::Message(&ENDPOINT_ADDRESS)))
            .omit_empty(),
        Field::new("ports", 3, Type::List(&Type::Message(&ENDPOINT_PORT))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Endpoints`.
pub(crate) static ENDPOINTS: Message = Message {
    name: "io.k8s.api.core.v1.Endpoints",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("subsets", 2, Type::List(&Type::Message(&ENDPOINT_SUBSET))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EndpointsList`.
pub(crate) static ENDPOINTS_LIST: Message = Message {
    name: "io.k8s.api.core.v1.EndpointsList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&ENDPOINTS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EnvFromSource`.
pub(crate) static ENV_FROM_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.EnvFromSource",
    fields: &[
        Field::new("configMapRef", 2, Type::Message(&CONFIG_MAP_ENV_SOURCE)),
        Field::new("prefix", 1, Type::String).omit_empty(),
        Field::new("secretRef", 3, Type::Message(&SECRET_ENV_SOURCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EnvVar`.
pub(crate) static ENV_VAR: Message = Message {
    name: "io.k8s.api.core.v1.EnvVar",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("value", 2, Type::String).omit_empty(),
        Field::new("valueFrom", 3, Type::Message(&ENV_VAR_SOURCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EnvVarSource`.
pub(crate) static ENV_VAR_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.EnvVarSource",
    fields: &[
        Field::new("configMapKeyRef", 3, Type::Message(&CONFIG_MAP_KEY_SELECTOR)),
        Field::new("fieldRef", 1, Type::Message(&OBJECT_FIELD_SELECTOR)),
        Field::new("fileKeyRef", 5, Type::Message(&FILE_KEY_SELECTOR)),
        Field::new("resourceFieldRef", 2, Type::Message(&RESOURCE_FIELD_SELECTOR)),
        Field::new("secretKeyRef", 4, Type::Message(&SECRET_KEY_SELECTOR)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EphemeralContainer`.
pub(crate) static EPHEMERAL_CONTAINER: Message = Message {
    name: "io.k8s.api.core.v1.EphemeralContainer",
    fields: &[
        Field::new("args", 4, Type::List(&Type::String)).via(&[1]).omit_empty(),
        Field::new("command", 3, Type::List(&Type::String)).via(&[1]).omit_empty(),
        Field::new("env", 7, Type::List(&Type::Message(&ENV_VAR))).via(&[1]).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("envFrom", 19, Type::List(&Type::Message(&ENV_FROM_SOURCE)))
            .via(&[1])
            .omit_empty(),
        Field::new("image", 2, Type::String).via(&[1]).omit_empty(),
        Field::new("imagePullPolicy", 14, Type::String).via(&[1]).omit_empty(),
        Field::new("lifecycle", 12, Type::Message(&LIFECYCLE)).via(&[1]),
        Field::new("livenessProbe", 10, Type::Message(&PROBE)).via(&[1]),
        Field::new("name", 1, Type::String).via(&[1]).always().required(),
        Field::new("ports", 6, Type::List(&Type::Message(&CONTAINER_PORT)))
            .via(&[1])
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("containerPort"),
                list: ListType::Map(&["containerPort", "protocol"]),
                ..MergeRule::PLAIN
            }),
        Field::new("readinessProbe", 11, Type::Message(&PROBE)).via(&[1]),
        Field::new("resizePolicy", 23, Type::List(&Type::Message(&CONTAINER_RESIZE_POLICY)))
            .via(&[1])
            .omit_empty(),
        Field::new("resources", 8, Type::Message(&RESOURCE_REQUIREMENTS)).via(&[1]).omit_empty(),
        Field::new("restartPolicy", 24, Type::String).via(&[1]),
        Field::new("restartPolicyRules", 25, Type::List(&Type::Message(&CONTAINER_RESTART_RULE)))
            .via(&[1])
            .omit_empty(),
        Field::new("securityContext", 15, Type::Message(&SECURITY_CONTEXT)).via(&[1]),
        Field::new("startupProbe", 22, Type::Message(&PROBE)).via(&[1]),
        Field::new("stdin", 16, Type::Bool).via(&[1]).omit_empty(),
        Field::new("stdinOnce", 17, Type::Bool).via(&[1]).omit_empty(),
        Field::new("targetContainerName", 2, Type::String).omit_empty(),
        Field::new("terminationMessagePath", 13, Type::String).via(&[1]).omit_empty(),
        Field::new("terminationMessagePolicy", 20, Type::String).via(&[1]).omit_empty(),
        Field::new("tty", 18, Type::Bool).via(&[1]).omit_empty(),
        Field::new("volumeDevices", 21, Type::List(&Type::Message(&VOLUME_DEVICE)))
            .via(&[1])
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("devicePath"),
                list: ListType::Map(&["devicePath"]),
                ..MergeRule::PLAIN
            }),
        Field::new("volumeMounts", 9, Type::List(&Type::Message(&VOLUME_MOUNT)))
            .via(&[1])
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("mountPath"),
                list: ListType::Map(&["mountPath"]),
                ..MergeRule::PLAIN
            }),
        Field::new("workingDir", 5, Type::String).via(&[1]).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EphemeralVolumeSource`.
pub(crate) static EPHEMERAL_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.EphemeralVolumeSource",
    fields: &[Field::new(
        "volumeClaimTemplate",
        1,
        Type::Message(&PERSISTENT_VOLUME_CLAIM_TEMPLATE),
    )],
    atomic: false,
};

/// `io.k8s.api.core.v1.Event`.
pub(crate) static EVENT: Message = Message {
    name: "io.k8s.api.core.v1.Event",
    fields: &[
        Field::new("action", 12, Type::String).omit_empty(),
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("count", 8, Type::Int32).omit_empty(),
        Field::new("eventTime", 10, Type::MicroTime).omit_empty(),
        Field::new("firstTimestamp", 6, Type::Time).omit_empty(),
        Field::new("involvedObject", 2, Type::Message(&OBJECT_REFERENCE)).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("lastTimestamp", 7, Type::Time).omit_empty(),
        Field::new("message", 4, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).always().required(),
        Field::new("reason", 3, Type::String).omit_empty(),
        Field::new("related", 13, Type::Message(&OBJECT_REFERENCE)),
        Field::new("reportingComponent", 14, Type::String).always(),
        Field::new("reportingInstance", 15, Type::String).always(),
        Field::new("series", 11, Type::Message(&EVENT_SERIES)),
        Field::new("source", 5, Type::Message(&EVENT_SOURCE)).omit_empty(),
        Field::new("type", 9, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EventList`.
pub(crate) static EVENT_LIST: Message = Message {
    name: "io.k8s.api.core.v1.EventList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&EVENT))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EventSeries`.
pub(crate) static EVENT_SERIES: Message = Message {
    name: "io.k8s.api.core.v1.EventSeries",
    fields: &[
        Field::new("count", 1, Type::Int32).omit_empty(),
        Field::new("lastObservedTime", 2, Type::MicroTime).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.EventSource`.
pub(crate) static EVENT_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.EventSource",
    fields: &[
        Field::new("component", 1, Type::String).omit_empty(),
        Field::new("host", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ExecAction`.
pub(crate) static EXEC_ACTION: Message = Message {
    name: "io.k8s.api.core.v1.ExecAction",
    fields: &[Field::new("command", 1, Type::List(&Type::String)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.core.v1.FCVolumeSource`.
pub(crate) static FC_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.FCVolumeSource",
    fields: &[
        Field::new("fsType", 3, Type::String).omit_empty(),
        Field::new("lun", 2, Type::Int32),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("targetWWNs", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("wwids", 5, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.FileKeySelector`.
pub(crate) static FILE_KEY_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.FileKeySelector",
    fields: &[
        Field::new("key", 3, Type::String).always().required(),
        Field::new("optional", 4, Type::Bool).default("false"),
        Field::new("path", 2, Type::String).always().required(),
        Field::new("volumeName", 1, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.FlexPersistentVolumeSource`.
pub(crate) static FLEX_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.FlexPersistentVolumeSource",
    fields: &[
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("options", 5, Type::Map(&Type::String)).omit_empty(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("secretRef", 3, Type::Message(&SECRET_REFERENCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.FlexVolumeSource`.
pub(crate) static FLEX_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.FlexVolumeSource",
    fields: &[
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("options", 5, Type::Map(&Type::String)).omit_empty(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("secretRef", 3, Type::Message(&LOCAL_OBJECT_REFERENCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.FlockerVolumeSource`.
pub(crate) static FLOCKER_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.FlockerVolumeSource",
    fields: &[
        Field::new("datasetName", 1, Type::String).omit_empty(),
        Field::new("datasetUUID", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.GCEPersistentDiskVolumeSource`.
pub(crate) static GCE_PERSISTENT_DISK_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.GCEPersistentDiskVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("partition", 3, Type::Int32).omit_empty(),
        Field::new("pdName", 1, Type::String).always().required(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.GRPCAction`.
pub(crate) static GRPC_ACTION: Message = Message {
    name: "io.k8s.api.core.v1.GRPCAction",
    fields: &[
        Field::new("port", 1, Type::Int32).always().required(),
        Field::new("service", 2, Type::String).default("\"\""),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.GitRepoVolumeSource`.
pub(crate) static GIT_REPO_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.GitRepoVolumeSource",
    fields: &[
        Field::new("directory", 3, Type::String).omit_empty(),
        Field::new("repository", 1, Type::String).always().required(),
        Field::new("revision", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.GlusterfsPersistentVolumeSource`.
pub(crate) static GLUSTERFS_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.GlusterfsPersistentVolumeSource",
    fields: &[
        Field::new("endpoints", 1, Type::String).always().required(),
        Field::new("endpointsNamespace", 4, Type::String),
        Field::new("path", 2, Type::String).always().required(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.GlusterfsVolumeSource`.
pub(crate) static GLUSTERFS_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.GlusterfsVolumeSource",
    fields: &[
        Field::new("endpoints", 1, Type::String).always().required(),
        Field::new("path", 2, Type::String).always().required(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.HTTPGetAction`.
pub(crate) static HTTP_GET_ACTION: Message = Message {
    name: "io.k8s.api.core.v1.HTTPGetAction",
    fields: &[
        Field::new("host", 3, Type::String).omit_empty(),
        Field::new("httpHeaders", 5, Type::List(&Type::Message(&HTTP_HEADER))).omit_empty(),
        Field::new("path", 1, Type::String).omit_empty(),
        Field::new("port", 2, Type::IntOrString).always().required(),
        Field::new("scheme", 4, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.HTTPHeader`.
pub(crate) static HTTP_HEADER: Message = Message {
    name: "io.k8s.api.core.v1.HTTPHeader",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("value", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.HostAlias`.
pub(crate) static HOST_ALIAS: Message = Message {
    name: "io.k8s.api.core.v1.HostAlias",
    fields: &[
        Field::new("hostnames", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("ip", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.HostIP`.
pub(crate) static HOST_IP: Message = Message {
    name: "io.k8s.api.core.v1.HostIP",
    fields: &[Field::new("ip", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.HostPathVolumeSource`.
pub(crate) static HOST_PATH_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.HostPathVolumeSource",
    fields: &[
        Field::new("path", 1, Type::String).always().required(),
        Field::new("type", 2, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ISCSIPersistentVolumeSource`.
pub(crate) static ISCSI_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ISCSIPersistentVolumeSource",
    fields: &[
        Field::new("chapAuthDiscovery", 8, Type::Bool).omit_empty(),
        Field::new("chapAuthSession", 11, Type::Bool).omit_empty(),
        Field::new("fsType", 5, Type::String).omit_empty(),
        Field::new("initiatorName", 12, Type::String),
        Field::new("iqn", 2, Type::String).always().required(),
        Field::new("iscsiInterface", 4, Type::String).omit_empty().default("\"default\""),
        Field::new("lun", 3, Type::Int32).always().required(),
        Field::new("portals", 7, Type::List(&Type::String)).omit_empty(),
        Field::new("readOnly", 6, Type::Bool).omit_empty(),
        Field::new("secretRef", 10, Type::Message(&SECRET_REFERENCE)),
        Field::new("targetPortal", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ISCSIVolumeSource`.
pub(crate) static ISCSI_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ISCSIVolumeSource",
    fields: &[
        Field::new("chapAuthDiscovery", 8, Type::Bool).omit_empty(),
        Field::new("chapAuthSession", 11, Type::Bool).omit_empty(),
        Field::new("fsType", 5, Type::String).omit_empty(),
        Field::new("initiatorName", 12, Type::String),
        Field::new("iqn", 2, Type::String).always().required(),
        Field::new("iscsiInterface", 4, Type::String).omit_empty().default("\"default\""),
        Field::new("lun", 3, Type::Int32).always().required(),
        Field::new("portals", 7, Type::List(&Type::String)).omit_empty(),
        Field::new("readOnly", 6, Type::Bool).omit_empty(),
        Field::new("secretRef", 10, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("targetPortal", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ImageVolumeSource`.
pub(crate) static IMAGE_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ImageVolumeSource",
    fields: &[
        Field::new("pullPolicy", 2, Type::String).omit_empty(),
        Field::new("reference", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ImageVolumeStatus`.
pub(crate) static IMAGE_VOLUME_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ImageVolumeStatus",
    fields: &[Field::new("imageRef", 1, Type::String).omit_empty().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.KeyToPath`.
pub(crate) static KEY_TO_PATH: Message = Message {
    name: "io.k8s.api.core.v1.KeyToPath",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("mode", 3, Type::Int32),
        Field::new("path", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Lifecycle`.
pub(crate) static LIFECYCLE: Message = Message {
    name: "io.k8s.api.core.v1.Lifecycle",
    fields: &[
        Field::new("postStart", 1, Type::Message(&LIFECYCLE_HANDLER)),
        Field::new("preStop", 2, Type::Message(&LIFECYCLE_HANDLER)),
        Field::new("stopSignal", 3, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LifecycleHandler`.
pub(crate) static LIFECYCLE_HANDLER: Message = Message {
    name: "io.k8s.api.core.v1.LifecycleHandler",
    fields: &[
        Field::new("exec", 1, Type::Message(&EXEC_ACTION)),
        Field::new("httpGet", 2, Type::Message(&HTTP_GET_ACTION)),
        Field::new("sleep", 4, Type::Message(&SLEEP_ACTION)),
        Field::new("tcpSocket", 3, Type::Message(&TCP_SOCKET_ACTION)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LimitRange`.
pub(crate) static LIMIT_RANGE: Message = Message {
    name: "io.k8s.api.core.v1.LimitRange",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&LIMIT_RANGE_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LimitRangeItem`.
pub(crate) static LIMIT_RANGE_ITEM: Message = Message {
    name: "io.k8s.api.core.v1.LimitRangeItem",
    fields: &[
        Field::new("default", 4, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("defaultRequest", 5, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("max", 2, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("maxLimitRequestRatio", 6, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("min", 3, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LimitRangeList`.
pub(crate) static LIMIT_RANGE_LIST: Message = Message {
    name: "io.k8s.api.core.v1.LimitRangeList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&LIMIT_RANGE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LimitRangeSpec`.
pub(crate) static LIMIT_RANGE_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.LimitRangeSpec",
    fields: &[Field::new("limits", 1, Type::List(&Type::Message(&LIMIT_RANGE_ITEM)))
        .always()
        .required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.LinuxContainerUser`.
pub(crate) static LINUX_CONTAINER_USER: Message = Message {
    name: "io.k8s.api.core.v1.LinuxContainerUser",
    fields: &[
        Field::new("gid", 2, Type::Int64).always().required(),
        Field::new("supplementalGroups", 3, Type::List(&Type::Int64)).omit_empty(),
        Field::new("uid", 1, Type::Int64).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LoadBalancerIngress`.
pub(crate) static LOAD_BALANCER_INGRESS: Message = Message {
    name: "io.k8s.api.core.v1.LoadBalancerIngress",
    fields: &[
        Field::new("hostname", 2, Type::String).omit_empty(),
        Field::new("ip", 1, Type::String).omit_empty(),
        Field::new("ipMode", 3, Type::String),
        Field::new("ports", 4, Type::List(&Type::Message(&PORT_STATUS))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LoadBalancerStatus`.
pub(crate) static LOAD_BALANCER_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.LoadBalancerStatus",
    fields: &[
        Field::new("ingress", 1, Type::List(&Type::Message(&LOAD_BALANCER_INGRESS))).omit_empty()
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.LocalObjectReference`.
pub(crate) static LOCAL_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.core.v1.LocalObjectReference",
    fields: &[Field::new("name", 1, Type::String).omit_empty().required().default("\"\"")],
    atomic: true,
};

/// `io.k8s.api.core.v1.LocalVolumeSource`.
pub(crate) static LOCAL_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.LocalVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String),
        Field::new("path", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ModifyVolumeStatus`.
pub(crate) static MODIFY_VOLUME_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ModifyVolumeStatus",
    fields: &[
        Field::new("status", 2, Type::String).always().required(),
        Field::new("targetVolumeAttributesClassName", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NFSVolumeSource`.
pub(crate) static NFS_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.NFSVolumeSource",
    fields: &[
        Field::new("path", 2, Type::String).always().required(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("server", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Namespace`.
pub(crate) static NAMESPACE: Message = Message {
    name: "io.k8s.api.core.v1.Namespace",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&NAMESPACE_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&NAMESPACE_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NamespaceCondition`.
pub(crate) static NAMESPACE_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.NamespaceCondition",
    fields: &[
        Field::new("lastTransitionTime", 4, Type::Time).omit_empty(),
        Field::new("message", 6, Type::String).omit_empty(),
        Field::new("reason", 5, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NamespaceList`.
pub(crate) static NAMESPACE_LIST: Message = Message {
    name: "io.k8s.api.core.v1.NamespaceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&NAMESPACE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NamespaceSpec`.
pub(crate) static NAMESPACE_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.NamespaceSpec",
    fields: &[Field::new("finalizers", 1, Type::List(&Type::String)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.core.v1.NamespaceStatus`.
pub(crate) static NAMESPACE_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.NamespaceStatus",
    fields: &[
        Field::new("conditions", 2, Type::List(&Type::Message(&NAMESPACE_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("phase", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Node`.
pub(crate) static NODE: Message = Message {
    name: "io.k8s.api.core.v1.Node",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&NODE_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&NODE_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeAddress`.
pub(crate) static NODE_ADDRESS: Message = Message {
    name: "io.k8s.api.core.v1.NodeAddress",
    fields: &[
        Field::new("address", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeAffinity`.
pub(crate) static NODE_AFFINITY: Message = Message {
    name: "io.k8s.api.core.v1.NodeAffinity",
    fields: &[
        Field::new(
            "preferredDuringSchedulingIgnoredDuringExecution",
            2,
            Type::List(&Type::Message(&PREFERRED_SCHEDULING_TERM)),
        )
        .omit_empty(),
        Field::new(
            "requiredDuringSchedulingIgnoredDuringExecution",
            1,
            Type::Message(&NODE_SELECTOR),
        ),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus`.
pub(crate) static NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus",
    fields: &[
        Field::new("containers", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("resourceClaimName", 1, Type::String).always().required(),
        Field::new("resources", 3, Type::Map(&Type::Quantity)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeCondition`.
pub(crate) static NODE_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.NodeCondition",
    fields: &[
        Field::new("lastHeartbeatTime", 3, Type::Time).omit_empty(),
        Field::new("lastTransitionTime", 4, Type::Time).omit_empty(),
        Field::new("message", 6, Type::String).omit_empty(),
        Field::new("reason", 5, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeConfigSource`.
pub(crate) static NODE_CONFIG_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.NodeConfigSource",
    fields: &[Field::new("configMap", 2, Type::Message(&CONFIG_MAP_NODE_CONFIG_SOURCE))],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeConfigStatus`.
pub(crate) static NODE_CONFIG_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.NodeConfigStatus",
    fields: &[
        Field::new("active", 2, Type::Message(&NODE_CONFIG_SOURCE)),
        Field::new("assigned", 1, Type::Message(&NODE_CONFIG_SOURCE)),
        Field::new("error", 4, Type::String).omit_empty(),
        Field::new("lastKnownGood", 3, Type::Message(&NODE_CONFIG_SOURCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeDaemonEndpoints`.
pub(crate) static NODE_DAEMON_ENDPOINTS: Message = Message {
    name: "io.k8s.api.core.v1.NodeDaemonEndpoints",
    fields: &[Field::new("kubeletEndpoint", 1, Type::Message(&DAEMON_ENDPOINT)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeFeatures`.
pub(crate) static NODE_FEATURES: Message = Message {
    name: "io.k8s.api.core.v1.NodeFeatures",
    fields: &[Field::new("supplementalGroupsPolicy", 1, Type::Bool)],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeList`.
pub(crate) static NODE_LIST: Message = Message {
    name: "io.k8s.api.core.v1.NodeList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&NODE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeRuntimeHandler`.
pub(crate) static NODE_RUNTIME_HANDLER: Message = Message {
    name: "io.k8s.api.core.v1.NodeRuntimeHandler",
    fields: &[
        Field::new("features", 2, Type::Message(&NODE_RUNTIME_HANDLER_FEATURES)),
        Field::new("name", 1, Type::String).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeRuntimeHandlerFeatures`.
pub(crate) static NODE_RUNTIME_HANDLER_FEATURES: Message = Message {
    name: "io.k8s.api.core.v1.NodeRuntimeHandlerFeatures",
    fields: &[
        Field::new("recursiveReadOnlyMounts", 1, Type::Bool),
        Field::new("userNamespaces", 2, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeSelector`.
pub(crate) static NODE_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.NodeSelector",
    fields: &[Field::new("nodeSelectorTerms", 1, Type::List(&Type::Message(&NODE_SELECTOR_TERM)))
        .always()
        .required()],
    atomic: true,
};

/// `io.k8s.api.core.v1.NodeSelectorRequirement`.
pub(crate) static NODE_SELECTOR_REQUIREMENT: Message = Message {
    name: "io.k8s.api.core.v1.NodeSelectorRequirement",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("operator", 2, Type::String).always().required(),
        Field::new("values", 3, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeSelectorTerm`.
pub(crate) static NODE_SELECTOR_TERM: Message = Message {
    name: "io.k8s.api.core.v1.NodeSelectorTerm",
    fields: &[
        Field::new("matchExpressions", 1, Type::List(&Type::Message(&NODE_SELECTOR_REQUIREMENT)))
            .omit_empty(),
        Field::new("matchFields", 2, Type::List(&Type::Message(&NODE_SELECTOR_REQUIREMENT)))
            .omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.NodeSpec`.
pub(crate) static NODE_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.NodeSpec",
    fields: &[
        Field::new("configSource", 6, Type::Message(&NODE_CONFIG_SOURCE)),
        Field::new("externalID", 2, Type::String).omit_empty(),
        Field::new("podCIDR", 1, Type::String).omit_empty(),
        Field::new("podCIDRs", 7, Type::List(&Type::String)).omit_empty().merge(&MergeRule {
            patch: PatchStrategy::MergePrimitives,
            list: ListType::Set,
            ..MergeRule::PLAIN
        }),
        Field::new("providerID", 3, Type::String).omit_empty(),
        Field::new("taints", 5, Type::List(&Type::Message(&TAINT))).omit_empty(),
        Field::new("unschedulable", 4, Type::Bool).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeStatus`.
pub(crate) static NODE_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.NodeStatus",
    fields: &[
        Field::new("addresses", 5, Type::List(&Type::Message(&NODE_ADDRESS))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("allocatable", 2, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("capacity", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("conditions", 4, Type::List(&Type::Message(&NODE_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("config", 11, Type::Message(&NODE_CONFIG_STATUS)),
        Field::new("daemonEndpoints", 6, Type::Message(&NODE_DAEMON_ENDPOINTS)).omit_empty(),
        Field::new("declaredFeatures", 14, Type::List(&Type::String)).omit_empty(),
        Field::new("features", 13, Type::Message(&NODE_FEATURES)),
        Field::new("images", 8, Type::List(&Type::Message(&CONTAINER_IMAGE))).omit_empty(),
        Field::new("nodeInfo", 7, Type::Message(&NODE_SYSTEM_INFO)).omit_empty(),
        Field::new("phase", 3, Type::String).omit_empty(),
        Field::new("runtimeHandlers", 12, Type::List(&Type::Message(&NODE_RUNTIME_HANDLER)))
            .omit_empty(),
        Field::new("volumesAttached", 10, Type::List(&Type::Message(&ATTACHED_VOLUME)))
            .omit_empty(),
        Field::new("volumesInUse", 9, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeSwapStatus`.
pub(crate) static NODE_SWAP_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.NodeSwapStatus",
    fields: &[Field::new("capacity", 1, Type::Int64)],
    atomic: false,
};

/// `io.k8s.api.core.v1.NodeSystemInfo`.
pub(crate) static NODE_SYSTEM_INFO: Message = Message {
    name: "io.k8s.api.core.v1.NodeSystemInfo",
    fields: &[
        Field::new("architecture", 10, Type::String).always().required(),
        Field::new("bootID", 3, Type::String).always().required(),
        Field::new("containerRuntimeVersion", 6, Type::String).always().required(),
        Field::new("kernelVersion", 4, Type::String).always().required(),
        Field::new("kubeProxyVersion", 8, Type::String).always().required(),
        Field::new("kubeletVersion", 7, Type::String).always().required(),
        Field::new("machineID", 1, Type::String).always().required(),
        Field::new("operatingSystem", 9, Type::String).always().required(),
        Field::new("osImage", 5, Type::String).always().required(),
        Field::new("swap", 11, Type::Message(&NODE_SWAP_STATUS)),
        Field::new("systemUUID", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ObjectFieldSelector`.
pub(crate) static OBJECT_FIELD_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.ObjectFieldSelector",
    fields: &[
        Field::new("apiVersion", 1, Type::String).omit_empty(),
        Field::new("fieldPath", 2, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.ObjectReference`.
pub(crate) static OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.core.v1.ObjectReference",
    fields: &[
        Field::new("apiVersion", 5, Type::String).omit_empty(),
        Field::new("fieldPath", 7, Type::String).omit_empty(),
        Field::new("kind", 1, Type::String).omit_empty(),
        Field::new("name", 3, Type::String).omit_empty(),
        Field::new("namespace", 2, Type::String).omit_empty(),
        Field::new("resourceVersion", 6, Type::String).omit_empty(),
        Field::new("uid", 4, Type::String).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.PersistentVolume`.
pub(crate) static PERSISTENT_VOLUME: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolume",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&PERSISTENT_VOLUME_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&PERSISTENT_VOLUME_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaim`.
pub(crate) static PERSISTENT_VOLUME_CLAIM: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaim",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&PERSISTENT_VOLUME_CLAIM_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&PERSISTENT_VOLUME_CLAIM_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimCondition`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimCondition",
    fields: &[
        Field::new("lastProbeTime", 3, Type::Time).omit_empty(),
        Field::new("lastTransitionTime", 4, Type::Time).omit_empty(),
        Field::new("message", 6, Type::String).omit_empty(),
        Field::new("reason", 5, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimList`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_LIST: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&PERSISTENT_VOLUME_CLAIM)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimSpec`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
    fields: &[
        Field::new("accessModes", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("dataSource", 7, Type::Message(&TYPED_LOCAL_OBJECT_REFERENCE)),
        Field::new("dataSourceRef", 8, Type::Message(&TYPED_OBJECT_REFERENCE)),
        Field::new("resources", 2, Type::Message(&VOLUME_RESOURCE_REQUIREMENTS)).omit_empty(),
        Field::new("selector", 4, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("storageClassName", 5, Type::String),
        Field::new("volumeAttributesClassName", 9, Type::String),
        Field::new("volumeMode", 6, Type::String),
        Field::new("volumeName", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimStatus`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimStatus",
    fields: &[
        Field::new("accessModes", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("allocatedResourceStatuses", 7, Type::Map(&Type::String)).omit_empty(),
        Field::new("allocatedResources", 5, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("capacity", 3, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("conditions", 4, Type::List(&Type::Message(&PERSISTENT_VOLUME_CLAIM_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("currentVolumeAttributesClassName", 8, Type::String),
        Field::new("modifyVolumeStatus", 9, Type::Message(&MODIFY_VOLUME_STATUS)),
        Field::new("phase", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimTemplate`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_TEMPLATE: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimTemplate",
    fields: &[
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&PERSISTENT_VOLUME_CLAIM_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource`.
pub(crate) static PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource",
    fields: &[
        Field::new("claimName", 1, Type::String).always().required(),
        Field::new("readOnly", 2, Type::Bool).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeList`.
pub(crate) static PERSISTENT_VOLUME_LIST: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&PERSISTENT_VOLUME))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeSpec`.
pub(crate) static PERSISTENT_VOLUME_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeSpec",
    fields: &[
        Field::new("accessModes", 3, Type::List(&Type::String)).omit_empty(),
        Field::new(
            "awsElasticBlockStore",
            2,
            Type::Message(&AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE),
        )
        .via(&[2]),
        Field::new("azureDisk", 16, Type::Message(&AZURE_DISK_VOLUME_SOURCE)).via(&[2]),
        Field::new("azureFile", 13, Type::Message(&AZURE_FILE_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("capacity", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("cephfs", 9, Type::Message(&CEPH_FS_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("cinder", 8, Type::Message(&CINDER_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("claimRef", 4, Type::Message(&OBJECT_REFERENCE)),
        Field::new("csi", 22, Type::Message(&CSI_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("fc", 10, Type::Message(&FC_VOLUME_SOURCE)).via(&[2]),
        Field::new("flexVolume", 12, Type::Message(&FLEX_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("flocker", 11, Type::Message(&FLOCKER_VOLUME_SOURCE)).via(&[2]),
        Field::new("gcePersistentDisk", 1, Type::Message(&GCE_PERSISTENT_DISK_VOLUME_SOURCE))
            .via(&[2]),
        Field::new("glusterfs", 4, Type::Message(&GLUSTERFS_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("hostPath", 3, Type::Message(&HOST_PATH_VOLUME_SOURCE)).via(&[2]),
        Field::new("iscsi", 7, Type::Message(&ISCSI_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("local", 20, Type::Message(&LOCAL_VOLUME_SOURCE)).via(&[2]),
        Field::new("mountOptions", 7, Type::List(&Type::String)).omit_empty(),
        Field::new("nfs", 5, Type::Message(&NFS_VOLUME_SOURCE)).via(&[2]),
        Field::new("nodeAffinity", 9, Type::Message(&VOLUME_NODE_AFFINITY)),
        Field::new("persistentVolumeReclaimPolicy", 5, Type::String).omit_empty(),
        Field::new(
            "photonPersistentDisk",
            17,
            Type::Message(&PHOTON_PERSISTENT_DISK_VOLUME_SOURCE),
        )
        .via(&[2]),
        Field::new("portworxVolume", 18, Type::Message(&PORTWORX_VOLUME_SOURCE)).via(&[2]),
        Field::new("quobyte", 15, Type::Message(&QUOBYTE_VOLUME_SOURCE)).via(&[2]),
        Field::new("rbd", 6, Type::Message(&RBD_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("scaleIO", 19, Type::Message(&SCALE_IO_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("storageClassName", 6, Type::String).omit_empty(),
        Field::new("storageos", 21, Type::Message(&STORAGE_OS_PERSISTENT_VOLUME_SOURCE)).via(&[2]),
        Field::new("volumeAttributesClassName", 10, Type::String),
        Field::new("volumeMode", 8, Type::String),
        Field::new("vsphereVolume", 14, Type::Message(&VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE))
            .via(&[2]),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PersistentVolumeStatus`.
pub(crate) static PERSISTENT_VOLUME_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PersistentVolumeStatus",
    fields: &[
        Field::new("lastPhaseTransitionTime", 4, Type::Time),
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("phase", 1, Type::String).omit_empty(),
        Field::new("reason", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource`.
pub(crate) static PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("pdID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Pod`.
pub(crate) static POD: Message = Message {
    name: "io.k8s.api.core.v1.Pod",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&POD_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&POD_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodAffinity`.
pub(crate) static POD_AFFINITY: Message = Message {
    name: "io.k8s.api.core.v1.PodAffinity",
    fields: &[
        Field::new(
            "preferredDuringSchedulingIgnoredDuringExecution",
            2,
            Type::List(&Type::Message(&WEIGHTED_POD_AFFINITY_TERM)),
        )
        .omit_empty(),
        Field::new(
            "requiredDuringSchedulingIgnoredDuringExecution",
            1,
            Type::List(&Type::Message(&POD_AFFINITY_TERM)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodAffinityTerm`.
pub(crate) static POD_AFFINITY_TERM: Message = Message {
    name: "io.k8s.api.core.v1.PodAffinityTerm",
    fields: &[
        Field::new("labelSelector", 1, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("matchLabelKeys", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("mismatchLabelKeys", 6, Type::List(&Type::String)).omit_empty(),
        Field::new("namespaceSelector", 4, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("namespaces", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("topologyKey", 3, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodAntiAffinity`.
pub(crate) static POD_ANTI_AFFINITY: Message = Message {
    name: "io.k8s.api.core.v1.PodAntiAffinity",
    fields: &[
        Field::new(
            "preferredDuringSchedulingIgnoredDuringExecution",
            2,
            Type::List(&Type::Message(&WEIGHTED_POD_AFFINITY_TERM)),
        )
        .omit_empty(),
        Field::new(
            "requiredDuringSchedulingIgnoredDuringExecution",
            1,
            Type::List(&Type::Message(&POD_AFFINITY_TERM)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodCertificateProjection`.
pub(crate) static POD_CERTIFICATE_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.PodCertificateProjection",
    fields: &[
        Field::new("certificateChainPath", 6, Type::String).omit_empty(),
        Field::new("credentialBundlePath", 4, Type::String).omit_empty(),
        Field::new("keyPath", 5, Type::String).omit_empty(),
        Field::new("keyType", 2, Type::String).omit_empty().required(),
        Field::new("maxExpirationSeconds", 3, Type::Int32),
        Field::new("signerName", 1, Type::String).omit_empty().required(),
        Field::new("userAnnotations", 7, Type::Map(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodCondition`.
pub(crate) static POD_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.PodCondition",
    fields: &[
        Field::new("lastProbeTime", 3, Type::Time).omit_empty(),
        Field::new("lastTransitionTime", 4, Type::Time).omit_empty(),
        Field::new("message", 6, Type::String).omit_empty(),
        Field::new("observedGeneration", 7, Type::Int64).omit_empty(),
        Field::new("reason", 5, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodDNSConfig`.
pub(crate) static POD_DNS_CONFIG: Message = Message {
    name: "io.k8s.api.core.v1.PodDNSConfig",
    fields: &[
        Field::new("nameservers", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("options", 3, Type::List(&Type::Message(&POD_DNS_CONFIG_OPTION))).omit_empty(),
        Field::new("searches", 2, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodDNSConfigOption`.
pub(crate) static POD_DNS_CONFIG_OPTION: Message = Message {
    name: "io.k8s.api.core.v1.PodDNSConfigOption",
    fields: &[
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("value", 2, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodExtendedResourceClaimStatus`.
pub(crate) static POD_EXTENDED_RESOURCE_CLAIM_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PodExtendedResourceClaimStatus",
    fields: &[
        Field::new(
            "requestMappings",
            1,
            Type::List(&Type::Message(&CONTAINER_EXTENDED_RESOURCE_REQUEST)),
        )
        .always()
        .required(),
        Field::new("resourceClaimName", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodIP`.
pub(crate) static POD_IP: Message = Message {
    name: "io.k8s.api.core.v1.PodIP",
    fields: &[Field::new("ip", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodList`.
pub(crate) static POD_LIST: Message = Message {
    name: "io.k8s.api.core.v1.PodList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&POD))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodOS`.
pub(crate) static POD_OS: Message = Message {
    name: "io.k8s.api.core.v1.PodOS",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodReadinessGate`.
pub(crate) static POD_READINESS_GATE: Message = Message {
    name: "io.k8s.api.core.v1.PodReadinessGate",
    fields: &[Field::new("conditionType", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodResourceClaim`.
pub(crate) static POD_RESOURCE_CLAIM: Message = Message {
    name: "io.k8s.api.core.v1.PodResourceClaim",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("resourceClaimName", 3, Type::String),
        Field::new("resourceClaimTemplateName", 4, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodResourceClaimStatus`.
pub(crate) static POD_RESOURCE_CLAIM_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PodResourceClaimStatus",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("resourceClaimName", 2, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodSchedulingGate`.
pub(crate) static POD_SCHEDULING_GATE: Message = Message {
    name: "io.k8s.api.core.v1.PodSchedulingGate",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodSchedulingGroup`.
pub(crate) static POD_SCHEDULING_GROUP: Message = Message {
    name: "io.k8s.api.core.v1.PodSchedulingGroup",
    fields: &[Field::new("podGroupName", 1, Type::String)],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodSecurityContext`.
pub(crate) static POD_SECURITY_CONTEXT: Message = Message {
    name: "io.k8s.api.core.v1.PodSecurityContext",
    fields: &[
        Field::new("appArmorProfile", 11, Type::Message(&APP_ARMOR_PROFILE)),
        Field::new("fsGroup", 5, Type::Int64),
        Field::new("fsGroupChangePolicy", 9, Type::String),
        Field::new("runAsGroup", 6, Type::Int64),
        Field::new("runAsNonRoot", 3, Type::Bool),
        Field::new("runAsUser", 2, Type::Int64),
        Field::new("seLinuxChangePolicy", 13, Type::String),
        Field::new("seLinuxOptions", 1, Type::Message(&SE_LINUX_OPTIONS)),
        Field::new("seccompProfile", 10, Type::Message(&SECCOMP_PROFILE)),
        Field::new("supplementalGroups", 4, Type::List(&Type::Int64)).omit_empty(),
        Field::new("supplementalGroupsPolicy", 12, Type::String),
        Field::new("sysctls", 7, Type::List(&Type::Message(&SYSCTL))).omit_empty(),
        Field::new("windowsOptions", 8, Type::Message(&WINDOWS_SECURITY_CONTEXT_OPTIONS)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodSpec`.
pub(crate) static POD_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.PodSpec",
    fields: &[
        Field::new("activeDeadlineSeconds", 5, Type::Int64),
        Field::new("affinity", 18, Type::Message(&AFFINITY)),
        Field::new("automountServiceAccountToken", 21, Type::Bool),
        Field::new("containers", 2, Type::List(&Type::Message(&CONTAINER)))
            .always()
            .required()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("dnsConfig", 26, Type::Message(&POD_DNS_CONFIG)),
        Field::new("dnsPolicy", 6, Type::String).omit_empty(),
        Field::new("enableServiceLinks", 30, Type::Bool),
        Field::new("ephemeralContainers", 34, Type::List(&Type::Message(&EPHEMERAL_CONTAINER)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("hostAliases", 23, Type::List(&Type::Message(&HOST_ALIAS))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("ip"),
                list: ListType::Map(&["ip"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("hostIPC", 13, Type::Bool).omit_empty(),
        Field::new("hostNetwork", 11, Type::Bool).omit_empty(),
        Field::new("hostPID", 12, Type::Bool).omit_empty(),
        Field::new("hostUsers", 37, Type::Bool),
        Field::new("hostname", 16, Type::String).omit_empty(),
        Field::new("hostnameOverride", 41, Type::String),
        Field::new("imagePullSecrets", 15, Type::List(&Type::Message(&LOCAL_OBJECT_REFERENCE)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("initContainers", 20, Type::List(&Type::Message(&CONTAINER)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("nodeName", 10, Type::String).omit_empty(),
        Field::new("nodeSelector", 7, Type::Map(&Type::String))
            .omit_empty()
            .merge(&MergeRule { atomic: true, ..MergeRule::PLAIN }),
        Field::new("os", 36, Type::Message(&POD_OS)),
        Field::new("overhead", 32, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("preemptionPolicy", 31, Type::String),
        Field::new("priority", 25, Type::Int32),
        Field::new("priorityClassName", 24, Type::String).omit_empty(),
        Field::new("readinessGates", 28, Type::List(&Type::Message(&POD_READINESS_GATE)))
            .omit_empty(),
        Field::new("resourceClaims", 39, Type::List(&Type::Message(&POD_RESOURCE_CLAIM)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                retain_keys: true,
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("resources", 40, Type::Message(&RESOURCE_REQUIREMENTS)),
        Field::new("restartPolicy", 3, Type::String).omit_empty(),
        Field::new("runtimeClassName", 29, Type::String),
        Field::new("schedulerName", 19, Type::String).omit_empty(),
        Field::new("schedulingGates", 38, Type::List(&Type::Message(&POD_SCHEDULING_GATE)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("schedulingGroup", 43, Type::Message(&POD_SCHEDULING_GROUP)),
        Field::new("securityContext", 14, Type::Message(&POD_SECURITY_CONTEXT)),
        Field::new("serviceAccount", 9, Type::String).omit_empty(),
        Field::new("serviceAccountName", 8, Type::String).omit_empty(),
        Field::new("setHostnameAsFQDN", 35, Type::Bool),
        Field::new("shareProcessNamespace", 27, Type::Bool),
        Field::new("subdomain", 17, Type::String).omit_empty(),
        Field::new("terminationGracePeriodSeconds", 4, Type::Int64),
        Field::new("tolerations", 22, Type::List(&Type::Message(&TOLERATION))).omit_empty(),
        Field::new(
            "topologySpreadConstraints",
            33,
            Type::List(&Type::Message(&TOPOLOGY_SPREAD_CONSTRAINT)),
        )
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("topologyKey"),
            list: ListType::Map(&["topologyKey", "whenUnsatisfiable"]),
            ..MergeRule::PLAIN
        }),
        Field::new("volumes", 1, Type::List(&Type::Message(&VOLUME))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("name"),
                retain_keys: true,
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            },
        ),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodStatus`.
pub(crate) static POD_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PodStatus",
    fields: &[
        Field::new("allocatedResources", 19, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("conditions", 2, Type::List(&Type::Message(&POD_CONDITION))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("containerStatuses", 8, Type::List(&Type::Message(&CONTAINER_STATUS)))
            .omit_empty(),
        Field::new("ephemeralContainerStatuses", 13, Type::List(&Type::Message(&CONTAINER_STATUS)))
            .omit_empty(),
        Field::new(
            "extendedResourceClaimStatus",
            18,
            Type::Message(&POD_EXTENDED_RESOURCE_CLAIM_STATUS),
        ),
        Field::new("hostIP", 5, Type::String).omit_empty(),
        Field::new("hostIPs", 16, Type::List(&Type::Message(&HOST_IP)))
            .omit_empty()
            .merge(&MergeRule { patch: PatchStrategy::Merge("ip"), ..MergeRule::PLAIN }),
        Field::new("initContainerStatuses", 10, Type::List(&Type::Message(&CONTAINER_STATUS)))
            .omit_empty(),
        Field::new("message", 3, Type::String).omit_empty(),
        Field::new(
            "nodeAllocatableResourceClaimStatuses",
            21,
            Type::List(&Type::Message(&NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS)),
        )
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("resourceClaimName"),
            list: ListType::Map(&["resourceClaimName"]),
            ..MergeRule::PLAIN
        }),
        Field::new("nominatedNodeName", 11, Type::String).omit_empty(),
        Field::new("observedGeneration", 17, Type::Int64).omit_empty(),
        Field::new("phase", 1, Type::String).omit_empty(),
        Field::new("podIP", 6, Type::String).omit_empty(),
        Field::new("podIPs", 12, Type::List(&Type::Message(&POD_IP))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("ip"),
                list: ListType::Map(&["ip"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("qosClass", 9, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("resize", 14, Type::String).omit_empty(),
        Field::new(
            "resourceClaimStatuses",
            15,
            Type::List(&Type::Message(&POD_RESOURCE_CLAIM_STATUS)),
        )
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("name"),
            retain_keys: true,
            list: ListType::Map(&["name"]),
            ..MergeRule::PLAIN
        }),
        Field::new("resources", 20, Type::Message(&RESOURCE_REQUIREMENTS)),
        Field::new("startTime", 7, Type::Time),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodTemplate`.
pub(crate) static POD_TEMPLATE: Message = Message {
    name: "io.k8s.api.core.v1.PodTemplate",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("template", 2, Type::Message(&POD_TEMPLATE_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodTemplateList`.
pub(crate) static POD_TEMPLATE_LIST: Message = Message {
    name: "io.k8s.api.core.v1.PodTemplateList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&POD_TEMPLATE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PodTemplateSpec`.
pub(crate) static POD_TEMPLATE_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.PodTemplateSpec",
    fields: &[
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&POD_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PortStatus`.
pub(crate) static PORT_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.PortStatus",
    fields: &[
        Field::new("error", 3, Type::String),
        Field::new("port", 1, Type::Int32).always().required(),
        Field::new("protocol", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PortworxVolumeSource`.
pub(crate) static PORTWORX_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.PortworxVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("volumeID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.PreferredSchedulingTerm`.
pub(crate) static PREFERRED_SCHEDULING_TERM: Message = Message {
    name: "io.k8s.api.core.v1.PreferredSchedulingTerm",
    fields: &[
        Field::new("preference", 2, Type::Message(&NODE_SELECTOR_TERM)).always().required(),
        Field::new("weight", 1, Type::Int32).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Probe`.
pub(crate) static PROBE: Message = Message {
    name: "io.k8s.api.core.v1.Probe",
    fields: &[
        Field::new("exec", 1, Type::Message(&EXEC_ACTION)).via(&[1]),
        Field::new("failureThreshold", 6, Type::Int32).omit_empty(),
        Field::new("grpc", 4, Type::Message(&GRPC_ACTION)).via(&[1]),
        Field::new("httpGet", 2, Type::Message(&HTTP_GET_ACTION)).via(&[1]),
        Field::new("initialDelaySeconds", 2, Type::Int32).omit_empty(),
        Field::new("periodSeconds", 4, Type::Int32).omit_empty(),
        Field::new("successThreshold", 5, Type::Int32).omit_empty(),
        Field::new("tcpSocket", 3, Type::Message(&TCP_SOCKET_ACTION)).via(&[1]),
        Field::new("terminationGracePeriodSeconds", 7, Type::Int64),
        Field::new("timeoutSeconds", 3, Type::Int32).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ProjectedVolumeSource`.
pub(crate) static PROJECTED_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ProjectedVolumeSource",
    fields: &[
        Field::new("defaultMode", 2, Type::Int32),
        Field::new("sources", 1, Type::List(&Type::Message(&VOLUME_PROJECTION))).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.QuobyteVolumeSource`.
pub(crate) static QUOBYTE_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.QuobyteVolumeSource",
    fields: &[
        Field::new("group", 5, Type::String).omit_empty(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("registry", 1, Type::String).always().required(),
        Field::new("tenant", 6, Type::String).omit_empty(),
        Field::new("user", 4, Type::String).omit_empty(),
        Field::new("volume", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.RBDPersistentVolumeSource`.
pub(crate) static RBD_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.RBDPersistentVolumeSource",
    fields: &[
        Field::new("fsType", 3, Type::String).omit_empty(),
        Field::new("image", 2, Type::String).always().required(),
        Field::new("keyring", 6, Type::String).omit_empty().default("\"/etc/ceph/keyring\""),
        Field::new("monitors", 1, Type::List(&Type::String)).always().required(),
        Field::new("pool", 4, Type::String).omit_empty().default("\"rbd\""),
        Field::new("readOnly", 8, Type::Bool).omit_empty(),
        Field::new("secretRef", 7, Type::Message(&SECRET_REFERENCE)),
        Field::new("user", 5, Type::String).omit_empty().default("\"admin\""),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.RBDVolumeSource`.
pub(crate) static RBD_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.RBDVolumeSource",
    fields: &[
        Field::new("fsType", 3, Type::String).omit_empty(),
        Field::new("image", 2, Type::String).always().required(),
        Field::new("keyring", 6, Type::String).omit_empty().default("\"/etc/ceph/keyring\""),
        Field::new("monitors", 1, Type::List(&Type::String)).always().required(),
        Field::new("pool", 4, Type::String).omit_empty().default("\"rbd\""),
        Field::new("readOnly", 8, Type::Bool).omit_empty(),
        Field::new("secretRef", 7, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("user", 5, Type::String).omit_empty().default("\"admin\""),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ReplicationController`.
pub(crate) static REPLICATION_CONTROLLER: Message = Message {
    name: "io.k8s.api.core.v1.ReplicationController",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&REPLICATION_CONTROLLER_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&REPLICATION_CONTROLLER_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ReplicationControllerCondition`.
pub(crate) static REPLICATION_CONTROLLER_CONDITION: Message = Message {
    name: "io.k8s.api.core.v1.ReplicationControllerCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ReplicationControllerList`.
pub(crate) static REPLICATION_CONTROLLER_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ReplicationControllerList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&REPLICATION_CONTROLLER)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ReplicationControllerSpec`.
pub(crate) static REPLICATION_CONTROLLER_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.ReplicationControllerSpec",
    fields: &[
        Field::new("minReadySeconds", 4, Type::Int32).omit_empty().default("0"),
        Field::new("replicas", 1, Type::Int32).default("1"),
        Field::new("selector", 2, Type::Map(&Type::String))
            .omit_empty()
            .merge(&MergeRule { atomic: true, ..MergeRule::PLAIN }),
        Field::new("template", 3, Type::Message(&POD_TEMPLATE_SPEC)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ReplicationControllerStatus`.
pub(crate) static REPLICATION_CONTROLLER_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ReplicationControllerStatus",
    fields: &[
        Field::new("availableReplicas", 5, Type::Int32).omit_empty(),
        Field::new("conditions", 6, Type::List(&Type::Message(&REPLICATION_CONTROLLER_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("fullyLabeledReplicas", 2, Type::Int32).omit_empty(),
        Field::new("observedGeneration", 3, Type::Int64).omit_empty(),
        Field::new("readyReplicas", 4, Type::Int32).omit_empty(),
        Field::new("replicas", 1, Type::Int32).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceClaim`.
pub(crate) static RESOURCE_CLAIM: Message = Message {
    name: "io.k8s.api.core.v1.ResourceClaim",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("request", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceFieldSelector`.
pub(crate) static RESOURCE_FIELD_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.ResourceFieldSelector",
    fields: &[
        Field::new("containerName", 1, Type::String).omit_empty(),
        Field::new("divisor", 3, Type::Quantity).omit_empty(),
        Field::new("resource", 2, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.ResourceHealth`.
pub(crate) static RESOURCE_HEALTH: Message = Message {
    name: "io.k8s.api.core.v1.ResourceHealth",
    fields: &[
        Field::new("health", 2, Type::String).omit_empty(),
        Field::new("message", 6, Type::String),
        Field::new("resourceID", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceQuota`.
pub(crate) static RESOURCE_QUOTA: Message = Message {
    name: "io.k8s.api.core.v1.ResourceQuota",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&RESOURCE_QUOTA_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&RESOURCE_QUOTA_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceQuotaList`.
pub(crate) static RESOURCE_QUOTA_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ResourceQuotaList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&RESOURCE_QUOTA))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceQuotaSpec`.
pub(crate) static RESOURCE_QUOTA_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.ResourceQuotaSpec",
    fields: &[
        Field::new("hard", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("scopeSelector", 3, Type::Message(&SCOPE_SELECTOR)),
        Field::new("scopes", 2, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceQuotaStatus`.
pub(crate) static RESOURCE_QUOTA_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ResourceQuotaStatus",
    fields: &[
        Field::new("hard", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("used", 2, Type::Map(&Type::Quantity)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceRequirements`.
pub(crate) static RESOURCE_REQUIREMENTS: Message = Message {
    name: "io.k8s.api.core.v1.ResourceRequirements",
    fields: &[
        Field::new("claims", 3, Type::List(&Type::Message(&RESOURCE_CLAIM)))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Map(&["name"]), ..MergeRule::PLAIN }),
        Field::new("limits", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("requests", 2, Type::Map(&Type::Quantity)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ResourceStatus`.
pub(crate) static RESOURCE_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ResourceStatus",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("resources", 2, Type::List(&Type::Message(&RESOURCE_HEALTH)))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Map(&["resourceID"]), ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SELinuxOptions`.
pub(crate) static SE_LINUX_OPTIONS: Message = Message {
    name: "io.k8s.api.core.v1.SELinuxOptions",
    fields: &[
        Field::new("level", 4, Type::String).omit_empty(),
        Field::new("role", 2, Type::String).omit_empty(),
        Field::new("type", 3, Type::String).omit_empty(),
        Field::new("user", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ScaleIOPersistentVolumeSource`.
pub(crate) static SCALE_IO_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ScaleIOPersistentVolumeSource",
    fields: &[
        Field::new("fsType", 9, Type::String).omit_empty().default("\"xfs\""),
        Field::new("gateway", 1, Type::String).always().required(),
        Field::new("protectionDomain", 5, Type::String).omit_empty(),
        Field::new("readOnly", 10, Type::Bool).omit_empty(),
        Field::new("secretRef", 3, Type::Message(&SECRET_REFERENCE)).required(),
        Field::new("sslEnabled", 4, Type::Bool).omit_empty(),
        Field::new("storageMode", 7, Type::String).omit_empty().default("\"ThinProvisioned\""),
        Field::new("storagePool", 6, Type::String).omit_empty(),
        Field::new("system", 2, Type::String).always().required(),
        Field::new("volumeName", 8, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ScaleIOVolumeSource`.
pub(crate) static SCALE_IO_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.ScaleIOVolumeSource",
    fields: &[
        Field::new("fsType", 9, Type::String).omit_empty().default("\"xfs\""),
        Field::new("gateway", 1, Type::String).always().required(),
        Field::new("protectionDomain", 5, Type::String).omit_empty(),
        Field::new("readOnly", 10, Type::Bool).omit_empty(),
        Field::new("secretRef", 3, Type::Message(&LOCAL_OBJECT_REFERENCE)).required(),
        Field::new("sslEnabled", 4, Type::Bool).omit_empty(),
        Field::new("storageMode", 7, Type::String).omit_empty().default("\"ThinProvisioned\""),
        Field::new("storagePool", 6, Type::String).omit_empty(),
        Field::new("system", 2, Type::String).always().required(),
        Field::new("volumeName", 8, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ScopeSelector`.
pub(crate) static SCOPE_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.ScopeSelector",
    fields: &[Field::new(
        "matchExpressions",
        1,
        Type::List(&Type::Message(&SCOPED_RESOURCE_SELECTOR_REQUIREMENT)),
    )
    .omit_empty()],
    atomic: true,
};

/// `io.k8s.api.core.v1.ScopedResourceSelectorRequirement`.
pub(crate) static SCOPED_RESOURCE_SELECTOR_REQUIREMENT: Message = Message {
    name: "io.k8s.api.core.v1.ScopedResourceSelectorRequirement",
    fields: &[
        Field::new("operator", 2, Type::String).always().required(),
        Field::new("scopeName", 1, Type::String).always().required(),
        Field::new("values", 3, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SeccompProfile`.
pub(crate) static SECCOMP_PROFILE: Message = Message {
    name: "io.k8s.api.core.v1.SeccompProfile",
    fields: &[
        Field::new("localhostProfile", 2, Type::String),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Secret`.
pub(crate) static SECRET: Message = Message {
    name: "io.k8s.api.core.v1.Secret",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("data", 2, Type::Map(&Type::Bytes)).omit_empty(),
        Field::new("immutable", 5, Type::Bool),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("stringData", 4, Type::Map(&Type::String)).omit_empty(),
        Field::new("type", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SecretEnvSource`.
pub(crate) static SECRET_ENV_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.SecretEnvSource",
    fields: &[
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 2, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SecretKeySelector`.
pub(crate) static SECRET_KEY_SELECTOR: Message = Message {
    name: "io.k8s.api.core.v1.SecretKeySelector",
    fields: &[
        Field::new("key", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 3, Type::Bool),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.SecretList`.
pub(crate) static SECRET_LIST: Message = Message {
    name: "io.k8s.api.core.v1.SecretList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&SECRET))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SecretProjection`.
pub(crate) static SECRET_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.SecretProjection",
    fields: &[
        Field::new("items", 2, Type::List(&Type::Message(&KEY_TO_PATH))).omit_empty(),
        Field::new("name", 1, Type::String).via(&[1]).omit_empty().required().default("\"\""),
        Field::new("optional", 4, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SecretReference`.
pub(crate) static SECRET_REFERENCE: Message = Message {
    name: "io.k8s.api.core.v1.SecretReference",
    fields: &[
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("namespace", 2, Type::String).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.SecretVolumeSource`.
pub(crate) static SECRET_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.SecretVolumeSource",
    fields: &[
        Field::new("defaultMode", 3, Type::Int32),
        Field::new("items", 2, Type::List(&Type::Message(&KEY_TO_PATH))).omit_empty(),
        Field::new("optional", 4, Type::Bool),
        Field::new("secretName", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SecurityContext`.
pub(crate) static SECURITY_CONTEXT: Message = Message {
    name: "io.k8s.api.core.v1.SecurityContext",
    fields: &[
        Field::new("allowPrivilegeEscalation", 7, Type::Bool),
        Field::new("appArmorProfile", 12, Type::Message(&APP_ARMOR_PROFILE)),
        Field::new("capabilities", 1, Type::Message(&CAPABILITIES)),
        Field::new("privileged", 2, Type::Bool),
        Field::new("procMount", 9, Type::String),
        Field::new("readOnlyRootFilesystem", 6, Type::Bool),
        Field::new("runAsGroup", 8, Type::Int64),
        Field::new("runAsNonRoot", 5, Type::Bool),
        Field::new("runAsUser", 4, Type::Int64),
        Field::new("seLinuxOptions", 3, Type::Message(&SE_LINUX_OPTIONS)),
        Field::new("seccompProfile", 11, Type::Message(&SECCOMP_PROFILE)),
        Field::new("windowsOptions", 10, Type::Message(&WINDOWS_SECURITY_CONTEXT_OPTIONS)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Service`.
pub(crate) static SERVICE: Message = Message {
    name: "io.k8s.api.core.v1.Service",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SERVICE_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&SERVICE_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceAccount`.
pub(crate) static SERVICE_ACCOUNT: Message = Message {
    name: "io.k8s.api.core.v1.ServiceAccount",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("automountServiceAccountToken", 4, Type::Bool),
        Field::new("imagePullSecrets", 3, Type::List(&Type::Message(&LOCAL_OBJECT_REFERENCE)))
            .omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("secrets", 2, Type::List(&Type::Message(&OBJECT_REFERENCE))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            },
        ),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceAccountList`.
pub(crate) static SERVICE_ACCOUNT_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ServiceAccountList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&SERVICE_ACCOUNT))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceAccountTokenProjection`.
pub(crate) static SERVICE_ACCOUNT_TOKEN_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.ServiceAccountTokenProjection",
    fields: &[
        Field::new("audience", 1, Type::String).omit_empty(),
        Field::new("expirationSeconds", 2, Type::Int64),
        Field::new("path", 3, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceList`.
pub(crate) static SERVICE_LIST: Message = Message {
    name: "io.k8s.api.core.v1.ServiceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&SERVICE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServicePort`.
pub(crate) static SERVICE_PORT: Message = Message {
    name: "io.k8s.api.core.v1.ServicePort",
    fields: &[
        Field::new("appProtocol", 6, Type::String),
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("nodePort", 5, Type::Int32).omit_empty(),
        Field::new("port", 3, Type::Int32).always().required(),
        Field::new("protocol", 2, Type::String).omit_empty().default("\"TCP\""),
        Field::new("targetPort", 4, Type::IntOrString).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceSpec`.
pub(crate) static SERVICE_SPEC: Message = Message {
    name: "io.k8s.api.core.v1.ServiceSpec",
    fields: &[
        Field::new("allocateLoadBalancerNodePorts", 20, Type::Bool),
        Field::new("clusterIP", 3, Type::String).omit_empty(),
        Field::new("clusterIPs", 18, Type::List(&Type::String)).omit_empty(),
        Field::new("externalIPs", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("externalName", 10, Type::String).omit_empty(),
        Field::new("externalTrafficPolicy", 11, Type::String).omit_empty(),
        Field::new("healthCheckNodePort", 12, Type::Int32).omit_empty(),
        Field::new("internalTrafficPolicy", 22, Type::String),
        Field::new("ipFamilies", 19, Type::List(&Type::String)).omit_empty(),
        Field::new("ipFamilyPolicy", 17, Type::String),
        Field::new("loadBalancerClass", 21, Type::String),
        Field::new("loadBalancerIP", 8, Type::String).omit_empty(),
        Field::new("loadBalancerSourceRanges", 9, Type::List(&Type::String)).omit_empty(),
        Field::new("ports", 1, Type::List(&Type::Message(&SERVICE_PORT))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("port"),
                list: ListType::Map(&["port", "protocol"]),
                ..MergeRule::PLAIN
            },
        ),
        Field::new("publishNotReadyAddresses", 13, Type::Bool).omit_empty(),
        Field::new("selector", 2, Type::Map(&Type::String))
            .omit_empty()
            .merge(&MergeRule { atomic: true, ..MergeRule::PLAIN }),
        Field::new("sessionAffinity", 7, Type::String).omit_empty(),
        Field::new("sessionAffinityConfig", 14, Type::Message(&SESSION_AFFINITY_CONFIG)),
        Field::new("trafficDistribution", 23, Type::String),
        Field::new("type", 4, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.ServiceStatus`.
pub(crate) static SERVICE_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.ServiceStatus",
    fields: &[
        Field::new("conditions", 2, Type::List(&Type::Message(&super::meta_v1::CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("loadBalancer", 1, Type::Message(&LOAD_BALANCER_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.SessionAffinityConfig`.
pub(crate) static SESSION_AFFINITY_CONFIG: Message = Message {
    name: "io.k8s.api.core.v1.SessionAffinityConfig",
    fields: &[Field::new("clientIP", 1, Type::Message(&CLIENT_IP_CONFIG))],
    atomic: false,
};

/// `io.k8s.api.core.v1.SleepAction`.
pub(crate) static SLEEP_ACTION: Message = Message {
    name: "io.k8s.api.core.v1.SleepAction",
    fields: &[Field::new("seconds", 1, Type::Int64).always().required()],
    atomic: false,
};

/// `io.k8s.api.core.v1.StorageOSPersistentVolumeSource`.
pub(crate) static STORAGE_OS_PERSISTENT_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.StorageOSPersistentVolumeSource",
    fields: &[
        Field::new("fsType", 3, Type::String).omit_empty(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("secretRef", 5, Type::Message(&OBJECT_REFERENCE)),
        Field::new("volumeName", 1, Type::String).omit_empty(),
        Field::new("volumeNamespace", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.StorageOSVolumeSource`.
pub(crate) static STORAGE_OS_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.StorageOSVolumeSource",
    fields: &[
        Field::new("fsType", 3, Type::String).omit_empty(),
        Field::new("readOnly", 4, Type::Bool).omit_empty(),
        Field::new("secretRef", 5, Type::Message(&LOCAL_OBJECT_REFERENCE)),
        Field::new("volumeName", 1, Type::String).omit_empty(),
        Field::new("volumeNamespace", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Sysctl`.
pub(crate) static SYSCTL: Message = Message {
    name: "io.k8s.api.core.v1.Sysctl",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("value", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.TCPSocketAction`.
pub(crate) static TCP_SOCKET_ACTION: Message = Message {
    name: "io.k8s.api.core.v1.TCPSocketAction",
    fields: &[
        Field::new("host", 2, Type::String).omit_empty(),
        Field::new("port", 1, Type::IntOrString).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Taint`.
pub(crate) static TAINT: Message = Message {
    name: "io.k8s.api.core.v1.Taint",
    fields: &[
        Field::new("effect", 3, Type::String).always().required(),
        Field::new("key", 1, Type::String).always().required(),
        Field::new("timeAdded", 4, Type::Time),
        Field::new("value", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Toleration`.
pub(crate) static TOLERATION: Message = Message {
    name: "io.k8s.api.core.v1.Toleration",
    fields: &[
        Field::new("effect", 4, Type::String).omit_empty(),
        Field::new("key", 1, Type::String).omit_empty(),
        Field::new("operator", 2, Type::String).omit_empty(),
        Field::new("tolerationSeconds", 5, Type::Int64),
        Field::new("value", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.TopologySelectorLabelRequirement`.
pub(crate) static TOPOLOGY_SELECTOR_LABEL_REQUIREMENT: Message = Message {
    name: "io.k8s.api.core.v1.TopologySelectorLabelRequirement",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("values", 2, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.TopologySelectorTerm`.
pub(crate) static TOPOLOGY_SELECTOR_TERM: Message = Message {
    name: "io.k8s.api.core.v1.TopologySelectorTerm",
    fields: &[Field::new(
        "matchLabelExpressions",
        1,
        Type::List(&Type::Message(&TOPOLOGY_SELECTOR_LABEL_REQUIREMENT)),
    )
    .omit_empty()],
    atomic: true,
};

/// `io.k8s.api.core.v1.TopologySpreadConstraint`.
pub(crate) static TOPOLOGY_SPREAD_CONSTRAINT: Message = Message {
    name: "io.k8s.api.core.v1.TopologySpreadConstraint",
    fields: &[
        Field::new("labelSelector", 4, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("matchLabelKeys", 8, Type::List(&Type::String)).omit_empty(),
        Field::new("maxSkew", 1, Type::Int32).always().required(),
        Field::new("minDomains", 5, Type::Int32),
        Field::new("nodeAffinityPolicy", 6, Type::String),
        Field::new("nodeTaintsPolicy", 7, Type::String),
        Field::new("topologyKey", 2, Type::String).always().required(),
        Field::new("whenUnsatisfiable", 3, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.TypedLocalObjectReference`.
pub(crate) static TYPED_LOCAL_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.core.v1.TypedLocalObjectReference",
    fields: &[
        Field::new("apiGroup", 1, Type::String),
        Field::new("kind", 2, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.core.v1.TypedObjectReference`.
pub(crate) static TYPED_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.core.v1.TypedObjectReference",
    fields: &[
        Field::new("apiGroup", 1, Type::String),
        Field::new("kind", 2, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
        Field::new("namespace", 4, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.Volume`.
pub(crate) static VOLUME: Message = Message {
    name: "io.k8s.api.core.v1.Volume",
    fields: &[
        Field::new(
            "awsElasticBlockStore",
            4,
            Type::Message(&AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE),
        )
        .via(&[2]),
        Field::new("azureDisk", 22, Type::Message(&AZURE_DISK_VOLUME_SOURCE)).via(&[2]),
        Field::new("azureFile", 18, Type::Message(&AZURE_FILE_VOLUME_SOURCE)).via(&[2]),
        Field::new("cephfs", 14, Type::Message(&CEPH_FS_VOLUME_SOURCE)).via(&[2]),
        Field::new("cinder", 13, Type::Message(&CINDER_VOLUME_SOURCE)).via(&[2]),
        Field::new("configMap", 19, Type::Message(&CONFIG_MAP_VOLUME_SOURCE)).via(&[2]),
        Field::new("csi", 28, Type::Message(&CSI_VOLUME_SOURCE)).via(&[2]),
        Field::new("downwardAPI", 16, Type::Message(&DOWNWARD_API_VOLUME_SOURCE)).via(&[2]),
        Field::new("emptyDir", 2, Type::Message(&EMPTY_DIR_VOLUME_SOURCE)).via(&[2]),
        Field::new("ephemeral", 29, Type::Message(&EPHEMERAL_VOLUME_SOURCE)).via(&[2]),
        Field::new("fc", 17, Type::Message(&FC_VOLUME_SOURCE)).via(&[2]),
        Field::new("flexVolume", 12, Type::Message(&FLEX_VOLUME_SOURCE)).via(&[2]),
        Field::new("flocker", 15, Type::Message(&FLOCKER_VOLUME_SOURCE)).via(&[2]),
        Field::new("gcePersistentDisk", 3, Type::Message(&GCE_PERSISTENT_DISK_VOLUME_SOURCE))
            .via(&[2]),
        Field::new("gitRepo", 5, Type::Message(&GIT_REPO_VOLUME_SOURCE)).via(&[2]),
        Field::new("glusterfs", 9, Type::Message(&GLUSTERFS_VOLUME_SOURCE)).via(&[2]),
        Field::new("hostPath", 1, Type::Message(&HOST_PATH_VOLUME_SOURCE)).via(&[2]),
        Field::new("image", 30, Type::Message(&IMAGE_VOLUME_SOURCE)).via(&[2]),
        Field::new("iscsi", 8, Type::Message(&ISCSI_VOLUME_SOURCE)).via(&[2]),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("nfs", 7, Type::Message(&NFS_VOLUME_SOURCE)).via(&[2]),
        Field::new(
            "persistentVolumeClaim",
            10,
            Type::Message(&PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE),
        )
        .via(&[2]),
        Field::new(
            "photonPersistentDisk",
            23,
            Type::Message(&PHOTON_PERSISTENT_DISK_VOLUME_SOURCE),
        )
        .via(&[2]),
        Field::new("portworxVolume", 24, Type::Message(&PORTWORX_VOLUME_SOURCE)).via(&[2]),
        Field::new("projected", 26, Type::Message(&PROJECTED_VOLUME_SOURCE)).via(&[2]),
        Field::new("quobyte", 21, Type::Message(&QUOBYTE_VOLUME_SOURCE)).via(&[2]),
        Field::new("rbd", 11, Type::Message(&RBD_VOLUME_SOURCE)).via(&[2]),
        Field::new("scaleIO", 25, Type::Message(&SCALE_IO_VOLUME_SOURCE)).via(&[2]),
        Field::new("secret", 6, Type::Message(&SECRET_VOLUME_SOURCE)).via(&[2]),
        Field::new("storageos", 27, Type::Message(&STORAGE_OS_VOLUME_SOURCE)).via(&[2]),
        Field::new("vsphereVolume", 20, Type::Message(&VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE))
            .via(&[2]),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeDevice`.
pub(crate) static VOLUME_DEVICE: Message = Message {
    name: "io.k8s.api.core.v1.VolumeDevice",
    fields: &[
        Field::new("devicePath", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeMount`.
pub(crate) static VOLUME_MOUNT: Message = Message {
    name: "io.k8s.api.core.v1.VolumeMount",
    fields: &[
        Field::new("mountPath", 3, Type::String).always().required(),
        Field::new("mountPropagation", 5, Type::String),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("readOnly", 2, Type::Bool).omit_empty(),
        Field::new("recursiveReadOnly", 7, Type::String),
        Field::new("subPath", 4, Type::String).omit_empty(),
        Field::new("subPathExpr", 6, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeMountStatus`.
pub(crate) static VOLUME_MOUNT_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.VolumeMountStatus",
    fields: &[
        Field::new("mountPath", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("readOnly", 3, Type::Bool).omit_empty(),
        Field::new("recursiveReadOnly", 4, Type::String),
        Field::new("volumeStatus", 5, Type::Message(&VOLUME_STATUS)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeNodeAffinity`.
pub(crate) static VOLUME_NODE_AFFINITY: Message = Message {
    name: "io.k8s.api.core.v1.VolumeNodeAffinity",
    fields: &[Field::new("required", 1, Type::Message(&NODE_SELECTOR))],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeProjection`.
pub(crate) static VOLUME_PROJECTION: Message = Message {
    name: "io.k8s.api.core.v1.VolumeProjection",
    fields: &[
        Field::new("clusterTrustBundle", 5, Type::Message(&CLUSTER_TRUST_BUNDLE_PROJECTION)),
        Field::new("configMap", 3, Type::Message(&CONFIG_MAP_PROJECTION)),
        Field::new("downwardAPI", 2, Type::Message(&DOWNWARD_API_PROJECTION)),
        Field::new("podCertificate", 6, Type::Message(&POD_CERTIFICATE_PROJECTION)),
        Field::new("secret", 1, Type::Message(&SECRET_PROJECTION)),
        Field::new("serviceAccountToken", 4, Type::Message(&SERVICE_ACCOUNT_TOKEN_PROJECTION)),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeResourceRequirements`.
pub(crate) static VOLUME_RESOURCE_REQUIREMENTS: Message = Message {
    name: "io.k8s.api.core.v1.VolumeResourceRequirements",
    fields: &[
        Field::new("limits", 1, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("requests", 2, Type::Map(&Type::Quantity)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.VolumeStatus`.
pub(crate) static VOLUME_STATUS: Message = Message {
    name: "io.k8s.api.core.v1.VolumeStatus",
    fields: &[Field::new("image", 1, Type::Message(&IMAGE_VOLUME_STATUS))],
    atomic: false,
};

/// `io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource`.
pub(crate) static VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: Message = Message {
    name: "io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource",
    fields: &[
        Field::new("fsType", 2, Type::String).omit_empty(),
        Field::new("storagePolicyID", 4, Type::String).omit_empty(),
        Field::new("storagePolicyName", 3, Type::String).omit_empty(),
        Field::new("volumePath", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.WeightedPodAffinityTerm`.
pub(crate) static WEIGHTED_POD_AFFINITY_TERM: Message = Message {
    name: "io.k8s.api.core.v1.WeightedPodAffinityTerm",
    fields: &[
        Field::new("podAffinityTerm", 2, Type::Message(&POD_AFFINITY_TERM)).always().required(),
        Field::new("weight", 1, Type::Int32).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.core.v1.WindowsSecurityContextOptions`.
pub(crate) static WINDOWS_SECURITY_CONTEXT_OPTIONS: Message = Message {
    name: "io.k8s.api.core.v1.WindowsSecurityContextOptions",
    fields: &[
        Field::new("gmsaCredentialSpec", 2, Type::String),
        Field::new("gmsaCredentialSpecName", 1, Type::String),
        Field::new("hostProcess", 4, Type::Bool),
        Field::new("runAsUserName", 3, Type::String),
    ],
    atomic: false,
};
