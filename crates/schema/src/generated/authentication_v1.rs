//! The messages of `io.k8s.api.authentication.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.authentication.v1.BoundObjectReference`.
pub(crate) static BOUND_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.authentication.v1.BoundObjectReference",
    fields: &[
        Field::new("apiVersion", 2, Type::String).omit_empty(),
        Field::new("kind", 1, Type::String).omit_empty(),
        Field::new("name", 3, Type::String).omit_empty(),
        Field::new("uid", 4, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.SelfSubjectReview`.
pub(crate) static SELF_SUBJECT_REVIEW: Message = Message {
    name: "io.k8s.api.authentication.v1.SelfSubjectReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("status", 2, Type::Message(&SELF_SUBJECT_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.SelfSubjectReviewStatus`.
pub(crate) static SELF_SUBJECT_REVIEW_STATUS: Message = Message {
    name: "io.k8s.api.authentication.v1.SelfSubjectReviewStatus",
    fields: &[Field::new("userInfo", 1, Type::Message(&USER_INFO)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenRequest`.
pub(crate) static TOKEN_REQUEST: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenRequest",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&TOKEN_REQUEST_SPEC)).always(),
        Field::new("status", 3, Type::Message(&TOKEN_REQUEST_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenRequestSpec`.
pub(crate) static TOKEN_REQUEST_SPEC: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenRequestSpec",
    fields: &[
        Field::new("audiences", 1, Type::List(&Type::String)).always(),
        Field::new("boundObjectRef", 3, Type::Message(&BOUND_OBJECT_REFERENCE)),
        Field::new("expirationSeconds", 4, Type::Int64),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenRequestStatus`.
pub(crate) static TOKEN_REQUEST_STATUS: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenRequestStatus",
    fields: &[
        Field::new("expirationTimestamp", 2, Type::Time).always(),
        Field::new("token", 1, Type::String).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenReview`.
pub(crate) static TOKEN_REVIEW: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&TOKEN_REVIEW_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&TOKEN_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenReviewSpec`.
pub(crate) static TOKEN_REVIEW_SPEC: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenReviewSpec",
    fields: &[
        Field::new("audiences", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("token", 1, Type::String).omit_empty().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.TokenReviewStatus`.
pub(crate) static TOKEN_REVIEW_STATUS: Message = Message {
    name: "io.k8s.api.authentication.v1.TokenReviewStatus",
    fields: &[
        Field::new("audiences", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("authenticated", 1, Type::Bool).omit_empty(),
        Field::new("error", 3, Type::String).omit_empty(),
        Field::new("user", 2, Type::Message(&USER_INFO)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authentication.v1.UserInfo`.
pub(crate) static USER_INFO: Message = Message {
    name: "io.k8s.api.authentication.v1.UserInfo",
    fields: &[
        Field::new("extra", 4, Type::Map(&Type::List(&Type::String))).omit_empty(),
        Field::new("groups", 3, Type::List(&Type::String)).omit_empty(),
        Field::new("uid", 2, Type::String).omit_empty(),
        Field::new("username", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};
