//! The vocabulary of the Kubernetes API: names, faults, errors, selectors, quantities, kinds, times.
//!
//! Everything that two crates must agree on about the wire lives here, worded exactly as Kubernetes
//! words it, because clients and people match on those texts.
//!
//! # Invariants
//! - Pure: no clock, no I/O, no randomness, no globals. The current time is an argument.
//! - It knows no kinds: what a Pod must look like is the business of `wk-resources`.

pub mod fault;
pub mod fields;
pub mod gvk;
pub mod labels;
pub mod names;
pub mod quantity;
pub mod status;
pub mod time;
pub mod well_known;

pub use fault::{Fault, FaultKind, FieldPath};
pub use fields::FieldSelector;
pub use gvk::{GroupKind, GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource};
pub use labels::LabelSelector;
pub use names::{NamespacedName, Uid};
pub use quantity::Quantity;
pub use status::{ApiError, Reason};
pub use time::{micro_time, parse_time, rfc3339};
