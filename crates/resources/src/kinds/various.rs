//! Kinds that are asked and answered in one request and never stored.

use super::define;
use crate::definition::Definition;

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let kinds = [
        ("authentication.k8s.io", "SelfSubjectReview"),
        ("authentication.k8s.io", "TokenReview"),
        ("authorization.k8s.io", "LocalSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectRulesReview"),
        ("authorization.k8s.io", "SubjectAccessReview"),
    ];
    let asked = kinds.into_iter().map(|(group, kind)| define(group, "v1", kind).verbs(&["create"]));
    asked.collect()
}
