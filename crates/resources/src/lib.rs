//! The kinds of the Kubernetes API as definitions over JSON values.
//!
//! A [`Definition`] tells what the API server must know of a kind: names, subresources, table
//! columns, selectable fields, and functions that default, check and prepare its objects. Rules of
//! *parts* of objects (a container, a probe, a label selector) belong to the message types of
//! `wk-schema` and apply wherever such a part occurs, so that a pod template is treated as a pod is.
//!
//! A create goes: decode (`wk-schema`) → [`Definition::default`] → admission (the server's) →
//! [`Definition::prepare_create`] → [`Definition::validate_create`] → store. An update goes: decode
//! or patch → [`Definition::default`] → [`Definition::prepare_update`] →
//! [`Definition::validate_update`] → store.
//!
//! # Invariants
//! - Pure: time, identities and random suffixes come in as arguments.
//! - No value makes a rule panic, also not one that the decoder would have refused.
//! - Defaulting twice is defaulting once.
//! - Nothing here allocates addresses or ports, looks at other objects, or checks who may do what.

mod check;
mod definition;
mod kinds;
mod look;
pub mod metadata;
pub mod quota;
mod rules;
pub mod scale;
mod table;
mod types;
mod walk;

pub use definition::{Column, Definition, RequestContext, Requester, SelectableField, Subresource};
pub use kinds::certificates::requested_groups;
pub use kinds::measured::{POD_METRICS, measured};
pub use kinds::pod::{BindError, bind, qos_class};
pub use kinds::{builtin, definition};
pub use rules::{DeleteRequest, Deletion, KindRules, Plain, Update};
