//! The one table of Kubernetes types, and everything that can be derived from it.
//!
//! Objects travel through the API server as [`serde_json::Value`], not as Rust structs: one generic
//! path serves every kind. What a struct would have known is in this crate's table instead: which
//! fields a message has, their types, protobuf numbers, merge rules and documentation. From it
//! follow
//!
//! - [`decode()`]: JSON text to a value that holds known fields of the right types only,
//! - [`protobuf`]: both directions between that value and the protobuf encoding,
//! - [`openapi`]: the documents that `kubectl apply` and `kubectl explain` read.
//!
//! The table is written by `crates/codegen` into `src/generated/`, and never by hand; only the few
//! messages that no release of Kubernetes has (`measured`) are written here.
//!
//! # Invariants
//! - Pure: no clock, no I/O, no state between calls.
//! - Nothing here knows defaults, validation or routes: those belong to `wk-resources`.
//! - No input, however malformed, panics or recurses without bound.

pub mod decode;
mod generated;
mod measured;
pub mod openapi;
pub mod protobuf;
mod scalar;
mod table;

pub use decode::{DecodeError, FieldFault, Warning, decode, decode_from, decode_value, type_meta};
pub use table::{
    Field, Kind, ListType, MergeRule, Message, PatchStrategy, Presence, SchemaChoice, Scope, Type,
    kind, kind_of, kinds, merge_rule, message, messages,
};
