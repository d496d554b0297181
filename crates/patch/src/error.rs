//! Why a patch was not applied.

use serde_json::Value;

/// Why a patch was not applied. `Display` is Kubernetes' wording where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is no patch of its kind; a `BadRequest`.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// A directive of a strategic merge patch is not formed as it must be; a `BadRequest`.
    #[error("{0}")]
    Directive(DirectiveFault),
    /// An operation of a JSON patch does not apply to this object, or its test failed; an `Invalid`
    /// (422).
    #[error("{0}")]
    Operation(String),
    /// Items of a list that merges by key have no key, or are no objects; an `Invalid` (422).
    #[error("{0}")]
    List(String),
    /// The patch has more operations than are allowed; a `RequestEntityTooLarge` (413).
    #[error("The allowed maximum operations in a JSON patch is {allowed}, got {found}")]
    TooManyOperations {
        /// How many are allowed.
        allowed: usize,
        /// How many there are.
        found: usize,
    },
    /// The result would be deeper or larger than an object may be; a `RequestEntityTooLarge` (413).
    #[error("{0}")]
    TooLarge(&'static str),
}

/// What is wrong with a directive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveFault {
    /// `$patch` with a value that is not known.
    #[error("unknown patch type [{0}] in map [{1}]")]
    UnknownPatchType(Value, Value),
    /// `$deleteFromPrimitiveList` that is not a list of primitives under `/field`.
    #[error("invalid patch format of primitive list")]
    DeleteFromPrimitiveList,
    /// `$retainKeys` that is not a list, or lacks a key that the patch sets.
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    /// `$setElementOrder` that is not a list, or lacks an item that the patch has.
    #[error("invalid patch format of setElementOrder list")]
    SetElementOrder,
}
