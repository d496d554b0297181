//! The messages of `io.k8s.apimachinery.pkg.apis.meta.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup`.
pub(crate) static API_GROUP: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("preferredVersion", 3, Type::Message(&GROUP_VERSION_FOR_DISCOVERY)).omit_empty(),
        Field::new(
            "serverAddressByClientCIDRs",
            4,
            Type::List(&Type::Message(&SERVER_ADDRESS_BY_CLIENT_CIDR)),
        )
        .omit_empty(),
        Field::new("versions", 2, Type::List(&Type::Message(&GROUP_VERSION_FOR_DISCOVERY)))
            .always()
            .required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList`.
pub(crate) static API_GROUP_LIST: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("groups", 1, Type::List(&Type::Message(&API_GROUP))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.APIResource`.
pub(crate) static API_RESOURCE: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.APIResource",
    fields: &[
        Field::new("categories", 7, Type::List(&Type::String)).omit_empty(),
        Field::new("group", 8, Type::String).omit_empty(),
        Field::new("kind", 3, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("namespaced", 2, Type::Bool).always().required(),
        Field::new("shortNames", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("singularName", 6, Type::String).always().required(),
        Field::new("storageVersionHash", 10, Type::String).omit_empty(),
        Field::new("verbs", 4, Type::List(&Type::String)).always().required(),
        Field::new("version", 9, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList`.
pub(crate) static API_RESOURCE_LIST: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("groupVersion", 1, Type::String).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("resources", 2, Type::List(&Type::Message(&API_RESOURCE))).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions`.
pub(crate) static API_VERSIONS: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new(
            "serverAddressByClientCIDRs",
            2,
            Type::List(&Type::Message(&SERVER_ADDRESS_BY_CLIENT_CIDR)),
        )
        .always()
        .required(),
        Field::new("versions", 1, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.Condition`.
pub(crate) static CONDITION: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.Condition",
    fields: &[
        Field::new("lastTransitionTime", 4, Type::Time).always().required(),
        Field::new("message", 6, Type::String).always().required(),
        Field::new("observedGeneration", 3, Type::Int64).omit_empty(),
        Field::new("reason", 5, Type::String).always().required(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions`.
pub(crate) static DELETE_OPTIONS: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("dryRun", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("gracePeriodSeconds", 1, Type::Int64),
        Field::new("ignoreStoreReadErrorWithClusterBreakingPotential", 6, Type::Bool),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("orphanDependents", 3, Type::Bool),
        Field::new("preconditions", 2, Type::Message(&PRECONDITIONS)),
        Field::new("propagationPolicy", 4, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement`.
pub(crate) static FIELD_SELECTOR_REQUIREMENT: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("operator", 2, Type::String).always().required(),
        Field::new("values", 3, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource`.
pub(crate) static GROUP_RESOURCE: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource",
    fields: &[
        Field::new("group", 1, Type::String).always().required(),
        Field::new("resource", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery`.
pub(crate) static GROUP_VERSION_FOR_DISCOVERY: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery",
    fields: &[
        Field::new("groupVersion", 1, Type::String).always().required(),
        Field::new("version", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector`.
pub(crate) static LABEL_SELECTOR: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    fields: &[
        Field::new("matchExpressions", 2, Type::List(&Type::Message(&LABEL_SELECTOR_REQUIREMENT)))
            .omit_empty(),
        Field::new("matchLabels", 1, Type::Map(&Type::String)).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement`.
pub(crate) static LABEL_SELECTOR_REQUIREMENT: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("operator", 2, Type::String).always().required(),
        Field::new("values", 3, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta`.
pub(crate) static LIST_META: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    fields: &[
        Field::new("continue", 3, Type::String).omit_empty(),
        Field::new("remainingItemCount", 4, Type::Int64),
        Field::new("resourceVersion", 2, Type::String).omit_empty(),
        Field::new("selfLink", 1, Type::String).omit_empty(),
        Field::new("shardInfo", 5, Type::Message(&SHARD_INFO)),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry`.
pub(crate) static MANAGED_FIELDS_ENTRY: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
    fields: &[
        Field::new("apiVersion", 3, Type::String).omit_empty(),
        Field::new("fieldsType", 6, Type::String).omit_empty(),
        Field::new("fieldsV1", 7, Type::Any),
        Field::new("manager", 1, Type::String).omit_empty(),
        Field::new("operation", 2, Type::String).omit_empty(),
        Field::new("subresource", 8, Type::String).omit_empty(),
        Field::new("time", 4, Type::Time),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`.
pub(crate) static OBJECT_META: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    fields: &[
        Field::new("annotations", 12, Type::Map(&Type::String)).omit_empty(),
        Field::new("creationTimestamp", 8, Type::Time).omit_empty(),
        Field::new("deletionGracePeriodSeconds", 10, Type::Int64),
        Field::new("deletionTimestamp", 9, Type::Time),
        Field::new("finalizers", 14, Type::List(&Type::String)).omit_empty().merge(&MergeRule {
            patch: PatchStrategy::MergePrimitives,
            list: ListType::Set,
            ..MergeRule::PLAIN
        }),
        Field::new("generateName", 2, Type::String).omit_empty(),
        Field::new("generation", 7, Type::Int64).omit_empty(),
        Field::new("labels", 11, Type::Map(&Type::String)).omit_empty(),
        Field::new("managedFields", 17, Type::List(&Type::Message(&MANAGED_FIELDS_ENTRY)))
            .omit_empty(),
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("namespace", 3, Type::String).omit_empty(),
        Field::new("ownerReferences", 13, Type::List(&Type::Message(&OWNER_REFERENCE)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("uid"),
                list: ListType::Map(&["uid"]),
                ..MergeRule::PLAIN
            }),
        Field::new("resourceVersion", 6, Type::String).omit_empty(),
        Field::new("selfLink", 4, Type::String).omit_empty(),
        Field::new("uid", 5, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference`.
pub(crate) static OWNER_REFERENCE: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
    fields: &[
        Field::new("apiVersion", 5, Type::String).always().required(),
        Field::new("blockOwnerDeletion", 7, Type::Bool),
        Field::new("controller", 6, Type::Bool),
        Field::new("kind", 1, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
        Field::new("uid", 4, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata`.
pub(crate) static PARTIAL_OBJECT_METADATA: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&OBJECT_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList`.
pub(crate) static PARTIAL_OBJECT_METADATA_LIST: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&PARTIAL_OBJECT_METADATA)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions`.
pub(crate) static PRECONDITIONS: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions",
    fields: &[Field::new("resourceVersion", 2, Type::String), Field::new("uid", 1, Type::String)],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR`.
pub(crate) static SERVER_ADDRESS_BY_CLIENT_CIDR: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR",
    fields: &[
        Field::new("clientCIDR", 1, Type::String).always().required(),
        Field::new("serverAddress", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo`.
pub(crate) static SHARD_INFO: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo",
    fields: &[Field::new("selector", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.Status`.
pub(crate) static STATUS: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("code", 6, Type::Int32).omit_empty(),
        Field::new("details", 5, Type::Message(&STATUS_DETAILS)),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("message", 3, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&LIST_META)).omit_empty().required(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause`.
pub(crate) static STATUS_CAUSE: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause",
    fields: &[
        Field::new("field", 3, Type::String).omit_empty(),
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("reason", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails`.
pub(crate) static STATUS_DETAILS: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails",
    fields: &[
        Field::new("causes", 4, Type::List(&Type::Message(&STATUS_CAUSE))).omit_empty(),
        Field::new("group", 2, Type::String).omit_empty(),
        Field::new("kind", 3, Type::String).omit_empty(),
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("retryAfterSeconds", 5, Type::Int32).omit_empty(),
        Field::new("uid", 6, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent`.
pub(crate) static WATCH_EVENT: Message = Message {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
    fields: &[
        Field::new("object", 2, Type::Any).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};
