//! The messages of `io.k8s.api.node.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, MergeRule, Message, Type};

/// `io.k8s.api.node.v1.Overhead`.
pub(crate) static OVERHEAD: Message = Message {
    name: "io.k8s.api.node.v1.Overhead",
    fields: &[Field::new("podFixed", 1, Type::Map(&Type::Quantity)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.node.v1.RuntimeClass`.
pub(crate) static RUNTIME_CLASS: Message = Message {
    name: "io.k8s.api.node.v1.RuntimeClass",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("handler", 2, Type::String).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("overhead", 3, Type::Message(&OVERHEAD)),
        Field::new("scheduling", 4, Type::Message(&SCHEDULING)),
    ],
    atomic: false,
};

/// `io.k8s.api.node.v1.RuntimeClassList`.
pub(crate) static RUNTIME_CLASS_LIST: Message = Message {
    name: "io.k8s.api.node.v1.RuntimeClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&RUNTIME_CLASS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.node.v1.Scheduling`.
pub(crate) static SCHEDULING: Message = Message {
    name: "io.k8s.api.node.v1.Scheduling",
    fields: &[
        Field::new("nodeSelector", 1, Type::Map(&Type::String))
            .omit_empty()
            .merge(&MergeRule { atomic: true, ..MergeRule::PLAIN }),
        Field::new("tolerations", 2, Type::List(&Type::Message(&super::core_v1::TOLERATION)))
            .omit_empty(),
    ],
    atomic: false,
};
