//! The messages of `io.k8s.api.certificates.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, Type};

/// `io.k8s.api.certificates.v1.CertificateSigningRequest`.
pub(crate) static CERTIFICATE_SIGNING_REQUEST: Message = Message {
    name: "io.k8s.api.certificates.v1.CertificateSigningRequest",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&CERTIFICATE_SIGNING_REQUEST_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&CERTIFICATE_SIGNING_REQUEST_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.certificates.v1.CertificateSigningRequestCondition`.
pub(crate) static CERTIFICATE_SIGNING_REQUEST_CONDITION: Message = Message {
    name: "io.k8s.api.certificates.v1.CertificateSigningRequestCondition",
    fields: &[
        Field::new("lastTransitionTime", 5, Type::Time).omit_empty(),
        Field::new("lastUpdateTime", 4, Type::Time).omit_empty(),
        Field::new("message", 3, Type::String).omit_empty(),
        Field::new("reason", 2, Type::String).omit_empty(),
        Field::new("status", 6, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.certificates.v1.CertificateSigningRequestList`.
pub(crate) static CERTIFICATE_SIGNING_REQUEST_LIST: Message = Message {
    name: "io.k8s.api.certificates.v1.CertificateSigningRequestList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CERTIFICATE_SIGNING_REQUEST)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.certificates.v1.CertificateSigningRequestSpec`.
pub(crate) static CERTIFICATE_SIGNING_REQUEST_SPEC: Message = Message {
    name: "io.k8s.api.certificates.v1.CertificateSigningRequestSpec",
    fields: &[
        Field::new("expirationSeconds", 8, Type::Int32),
        Field::new("extra", 6, Type::Map(&Type::List(&Type::String))).omit_empty(),
        Field::new("groups", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("request", 1, Type::Bytes).always().required(),
        Field::new("signerName", 7, Type::String).always().required(),
        Field::new("uid", 3, Type::String).omit_empty(),
        Field::new("usages", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("username", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.certificates.v1.CertificateSigningRequestStatus`.
pub(crate) static CERTIFICATE_SIGNING_REQUEST_STATUS: Message = Message {
    name: "io.k8s.api.certificates.v1.CertificateSigningRequestStatus",
    fields: &[
        Field::new("certificate", 2, Type::Bytes).omit_empty(),
        Field::new(
            "conditions",
            1,
            Type::List(&Type::Message(&CERTIFICATE_SIGNING_REQUEST_CONDITION)),
        )
        .omit_empty()
        .merge(&MergeRule { list: ListType::Map(&["type"]), ..MergeRule::PLAIN }),
    ],
    atomic: false,
};
