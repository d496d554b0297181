//! The messages of `io.k8s.api.authorization.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.authorization.v1.FieldSelectorAttributes`.
pub(crate) static FIELD_SELECTOR_ATTRIBUTES: Message = Message {
    name: "io.k8s.api.authorization.v1.FieldSelectorAttributes",
    fields: &[
        Field::new("rawSelector", 1, Type::String).omit_empty(),
        Field::new(
            "requirements",
            2,
            Type::List(&Type::Message(&super::meta_v1::FIELD_SELECTOR_REQUIREMENT)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.LabelSelectorAttributes`.
pub(crate) static LABEL_SELECTOR_ATTRIBUTES: Message = Message {
    name: "io.k8s.api.authorization.v1.LabelSelectorAttributes",
    fields: &[
        Field::new("rawSelector", 1, Type::String).omit_empty(),
        Field::new(
            "requirements",
            2,
            Type::List(&Type::Message(&super::meta_v1::LABEL_SELECTOR_REQUIREMENT)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.LocalSubjectAccessReview`.
pub(crate) static LOCAL_SUBJECT_ACCESS_REVIEW: Message = Message {
    name: "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SUBJECT_ACCESS_REVIEW_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&SUBJECT_ACCESS_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.NonResourceAttributes`.
pub(crate) static NON_RESOURCE_ATTRIBUTES: Message = Message {
    name: "io.k8s.api.authorization.v1.NonResourceAttributes",
    fields: &[
        Field::new("path", 1, Type::String).omit_empty(),
        Field::new("verb", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.NonResourceRule`.
pub(crate) static NON_RESOURCE_RULE: Message = Message {
    name: "io.k8s.api.authorization.v1.NonResourceRule",
    fields: &[
        Field::new("nonResourceURLs", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("verbs", 1, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.ResourceAttributes`.
pub(crate) static RESOURCE_ATTRIBUTES: Message = Message {
    name: "io.k8s.api.authorization.v1.ResourceAttributes",
    fields: &[
        Field::new("fieldSelector", 8, Type::Message(&FIELD_SELECTOR_ATTRIBUTES)),
        Field::new("group", 3, Type::String).omit_empty(),
        Field::new("labelSelector", 9, Type::Message(&LABEL_SELECTOR_ATTRIBUTES)),
        Field::new("name", 7, Type::String).omit_empty(),
        Field::new("namespace", 1, Type::String).omit_empty(),
        Field::new("resource", 5, Type::String).omit_empty(),
        Field::new("subresource", 6, Type::String).omit_empty(),
        Field::new("verb", 2, Type::String).omit_empty(),
        Field::new("version", 4, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.ResourceRule`.
pub(crate) static RESOURCE_RULE: Message = Message {
    name: "io.k8s.api.authorization.v1.ResourceRule",
    fields: &[
        Field::new("apiGroups", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("resourceNames", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("resources", 3, Type::List(&Type::String)).omit_empty(),
        Field::new("verbs", 1, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SelfSubjectAccessReview`.
pub(crate) static SELF_SUBJECT_ACCESS_REVIEW: Message = Message {
    name: "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SELF_SUBJECT_ACCESS_REVIEW_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&SUBJECT_ACCESS_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec`.
pub(crate) static SELF_SUBJECT_ACCESS_REVIEW_SPEC: Message = Message {
    name: "io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec",
    fields: &[
        Field::new("nonResourceAttributes", 2, Type::Message(&NON_RESOURCE_ATTRIBUTES)),
        Field::new("resourceAttributes", 1, Type::Message(&RESOURCE_ATTRIBUTES)),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SelfSubjectRulesReview`.
pub(crate) static SELF_SUBJECT_RULES_REVIEW: Message = Message {
    name: "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SELF_SUBJECT_RULES_REVIEW_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&SUBJECT_RULES_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec`.
pub(crate) static SELF_SUBJECT_RULES_REVIEW_SPEC: Message = Message {
    name: "io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec",
    fields: &[Field::new("namespace", 1, Type::String).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SubjectAccessReview`.
pub(crate) static SUBJECT_ACCESS_REVIEW: Message = Message {
    name: "io.k8s.api.authorization.v1.SubjectAccessReview",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SUBJECT_ACCESS_REVIEW_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&SUBJECT_ACCESS_REVIEW_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SubjectAccessReviewSpec`.
pub(crate) static SUBJECT_ACCESS_REVIEW_SPEC: Message = Message {
    name: "io.k8s.api.authorization.v1.SubjectAccessReviewSpec",
    fields: &[
        Field::new("extra", 5, Type::Map(&Type::List(&Type::String))).omit_empty(),
        Field::new("groups", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("nonResourceAttributes", 2, Type::Message(&NON_RESOURCE_ATTRIBUTES)),
        Field::new("resourceAttributes", 1, Type::Message(&RESOURCE_ATTRIBUTES)),
        Field::new("uid", 6, Type::String).omit_empty(),
        Field::new("user", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SubjectAccessReviewStatus`.
pub(crate) static SUBJECT_ACCESS_REVIEW_STATUS: Message = Message {
    name: "io.k8s.api.authorization.v1.SubjectAccessReviewStatus",
    fields: &[
        Field::new("allowed", 1, Type::Bool).always().required(),
        Field::new("denied", 4, Type::Bool).omit_empty(),
        Field::new("evaluationError", 3, Type::String).omit_empty(),
        Field::new("reason", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.authorization.v1.SubjectRulesReviewStatus`.
pub(crate) static SUBJECT_RULES_REVIEW_STATUS: Message = Message {
    name: "io.k8s.api.authorization.v1.SubjectRulesReviewStatus",
    fields: &[
        Field::new("evaluationError", 4, Type::String).omit_empty(),
        Field::new("incomplete", 3, Type::Bool).always().required(),
        Field::new("nonResourceRules", 2, Type::List(&Type::Message(&NON_RESOURCE_RULE)))
            .always()
            .required(),
        Field::new("resourceRules", 1, Type::List(&Type::Message(&RESOURCE_RULE)))
            .always()
            .required(),
    ],
    atomic: false,
};
