//! Definitions of kinds that are added while the server runs: none, so far.
//!
//! Clients list them to know what there is beside the built-in kinds; `kubectl create` does so for every
//! kind without patches. They get the truth, an empty list, and cannot make any.

use super::define;
use crate::definition::Definition;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
        .short(&["crd", "crds"])
        .verbs(&["get", "list", "watch"])
}
