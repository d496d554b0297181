//! The messages of `io.k8s.api.coordination.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.coordination.v1.Lease`.
pub(crate) static LEASE: Message = Message {
    name: "io.k8s.api.coordination.v1.Lease",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&LEASE_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.coordination.v1.LeaseList`.
pub(crate) static LEASE_LIST: Message = Message {
    name: "io.k8s.api.coordination.v1.LeaseList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&LEASE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.coordination.v1.LeaseSpec`.
pub(crate) static LEASE_SPEC: Message = Message {
    name: "io.k8s.api.coordination.v1.LeaseSpec",
    fields: &[
        Field::new("acquireTime", 3, Type::MicroTime),
        Field::new("holderIdentity", 1, Type::String),
        Field::new("leaseDurationSeconds", 2, Type::Int32),
        Field::new("leaseTransitions", 5, Type::Int32),
        Field::new("preferredHolder", 7, Type::String),
        Field::new("renewTime", 4, Type::MicroTime),
        Field::new("strategy", 6, Type::String),
    ],
    atomic: false,
};
