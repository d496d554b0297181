//! The messages of `io.k8s.api.discovery.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, Type};

/// `io.k8s.api.discovery.v1.Endpoint`.
pub(crate) static ENDPOINT: Message = Message {
    name: "io.k8s.api.discovery.v1.Endpoint",
    fields: &[
        Field::new("addresses", 1, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("conditions", 2, Type::Message(&ENDPOINT_CONDITIONS)).omit_empty(),
        Field::new("deprecatedTopology", 5, Type::Map(&Type::String)).omit_empty(),
        Field::new("hints", 8, Type::Message(&ENDPOINT_HINTS)),
        Field::new("hostname", 3, Type::String),
        Field::new("nodeName", 6, Type::String),
        Field::new("targetRef", 4, Type::Message(&super::core_v1::OBJECT_REFERENCE)),
        Field::new("zone", 7, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.EndpointConditions`.
pub(crate) static ENDPOINT_CONDITIONS: Message = Message {
    name: "io.k8s.api.discovery.v1.EndpointConditions",
    fields: &[
        Field::new("ready", 1, Type::Bool),
        Field::new("serving", 2, Type::Bool),
        Field::new("terminating", 3, Type::Bool),
    ],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.EndpointHints`.
pub(crate) static ENDPOINT_HINTS: Message = Message {
    name: "io.k8s.api.discovery.v1.EndpointHints",
    fields: &[
        Field::new("forNodes", 2, Type::List(&Type::Message(&FOR_NODE))).omit_empty(),
        Field::new("forZones", 1, Type::List(&Type::Message(&FOR_ZONE))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.EndpointPort`.
pub(crate) static ENDPOINT_PORT: Message = Message {
    name: "io.k8s.api.discovery.v1.EndpointPort",
    fields: &[
        Field::new("appProtocol", 4, Type::String),
        Field::new("name", 1, Type::String),
        Field::new("port", 3, Type::Int32),
        Field::new("protocol", 2, Type::String),
    ],
    atomic: true,
};

/// `io.k8s.api.discovery.v1.EndpointSlice`.
pub(crate) static ENDPOINT_SLICE: Message = Message {
    name: "io.k8s.api.discovery.v1.EndpointSlice",
    fields: &[
        Field::new("addressType", 4, Type::String).always().required(),
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("endpoints", 2, Type::List(&Type::Message(&ENDPOINT))).always(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("ports", 3, Type::List(&Type::Message(&ENDPOINT_PORT))).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.EndpointSliceList`.
pub(crate) static ENDPOINT_SLICE_LIST: Message = Message {
    name: "io.k8s.api.discovery.v1.EndpointSliceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&ENDPOINT_SLICE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.ForNode`.
pub(crate) static FOR_NODE: Message = Message {
    name: "io.k8s.api.discovery.v1.ForNode",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.discovery.v1.ForZone`.
pub(crate) static FOR_ZONE: Message = Message {
    name: "io.k8s.api.discovery.v1.ForZone",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};
