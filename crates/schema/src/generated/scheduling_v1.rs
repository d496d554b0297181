//! The messages of `io.k8s.api.scheduling.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.scheduling.v1.PriorityClass`.
pub(crate) static PRIORITY_CLASS: Message = Message {
    name: "io.k8s.api.scheduling.v1.PriorityClass",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("description", 4, Type::String).omit_empty(),
        Field::new("globalDefault", 3, Type::Bool).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("preemptionPolicy", 5, Type::String),
        Field::new("value", 2, Type::Int32).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.scheduling.v1.PriorityClassList`.
pub(crate) static PRIORITY_CLASS_LIST: Message = Message {
    name: "io.k8s.api.scheduling.v1.PriorityClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&PRIORITY_CLASS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};
