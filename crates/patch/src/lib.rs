//! Patches: JSON patch, merge patch, strategic merge patch, what `kubectl apply` computes, and
//! server-side apply.
//!
//! Everything here goes from values to values. How lists of a built-in kind merge comes from the
//! table in `wk-schema`; kinds without a table take JSON and merge patches only.
//!
//! | media type | function |
//! |---|---|
//! | `application/json-patch+json` | [`json::apply`] |
//! | `application/merge-patch+json` | [`merge::apply`] |
//! | `application/strategic-merge-patch+json` | [`strategic::apply`] |
//! | `application/apply-patch+yaml` | [`apply::apply`] |
//!
//! # Invariants
//! - Pure, and total: no input panics or recurses deeper than [`MAX_DEPTH`] levels.
//! - The result is not checked against the schema: the caller decodes it again.

pub mod apply;
mod error;
pub mod json;
mod limits;
pub mod merge;
pub mod strategic;

pub use error::{DirectiveFault, PatchError};
pub use limits::MAX_DEPTH;
