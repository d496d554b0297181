//! The messages of `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService`.
pub(crate) static API_SERVICE: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).always().required(),
        Field::new("spec", 2, Type::Message(&API_SERVICE_SPEC)),
        Field::new("status", 3, Type::Message(&API_SERVICE_STATUS)),
    ],
    atomic: false,
};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceCondition`.
pub(crate) static API_SERVICE_CONDITION: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceList`.
pub(crate) static API_SERVICE_LIST: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&API_SERVICE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).always(),
    ],
    atomic: false,
};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec`.
pub(crate) static API_SERVICE_SPEC: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec",
    fields: &[
        Field::new("caBundle", 5, Type::Bytes).omit_empty(),
        Field::new("group", 2, Type::String).omit_empty(),
        Field::new("groupPriorityMinimum", 7, Type::Int32).always().required(),
        Field::new("insecureSkipTLSVerify", 4, Type::Bool).omit_empty(),
        Field::new("service", 1, Type::Message(&SERVICE_REFERENCE)),
        Field::new("version", 3, Type::String).omit_empty(),
        Field::new("versionPriority", 8, Type::Int32).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus`.
pub(crate) static API_SERVICE_STATUS: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus",
    fields: &[Field::new("conditions", 1, Type::List(&Type::Message(&API_SERVICE_CONDITION)))
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("type"),
            list: ListType::Map(&["type"]),
            ..MergeRule::PLAIN
        })],
    atomic: false,
};

/// `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference`.
pub(crate) static SERVICE_REFERENCE: Message = Message {
    name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference",
    fields: &[
        Field::new("name", 2, Type::String).omit_empty(),
        Field::new("namespace", 1, Type::String).omit_empty(),
        Field::new("port", 3, Type::Int32),
    ],
    atomic: false,
};
