//! The messages of `io.k8s.api.events.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.events.v1.Event`.
pub(crate) static EVENT: Message = Message {
    name: "io.k8s.api.events.v1.Event",
    fields: &[
        Field::new("action", 6, Type::String).omit_empty(),
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("deprecatedCount", 15, Type::Int32).omit_empty(),
        Field::new("deprecatedFirstTimestamp", 13, Type::Time).omit_empty(),
        Field::new("deprecatedLastTimestamp", 14, Type::Time).omit_empty(),
        Field::new("deprecatedSource", 12, Type::Message(&super::core_v1::EVENT_SOURCE))
            .omit_empty(),
        Field::new("eventTime", 2, Type::MicroTime).always(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).always().required(),
        Field::new("note", 10, Type::String).omit_empty(),
        Field::new("reason", 7, Type::String).omit_empty(),
        Field::new("regarding", 8, Type::Message(&super::core_v1::OBJECT_REFERENCE)).omit_empty(),
        Field::new("related", 9, Type::Message(&super::core_v1::OBJECT_REFERENCE)),
        Field::new("reportingController", 4, Type::String).omit_empty(),
        Field::new("reportingInstance", 5, Type::String).omit_empty(),
        Field::new("series", 3, Type::Message(&EVENT_SERIES)),
        Field::new("type", 11, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.events.v1.EventList`.
pub(crate) static EVENT_LIST: Message = Message {
    name: "io.k8s.api.events.v1.EventList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&EVENT))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.events.v1.EventSeries`.
pub(crate) static EVENT_SERIES: Message = Message {
    name: "io.k8s.api.events.v1.EventSeries",
    fields: &[
        Field::new("count", 1, Type::Int32).omit_empty().required(),
        Field::new("lastObservedTime", 2, Type::MicroTime).omit_empty().required(),
    ],
    atomic: false,
};
