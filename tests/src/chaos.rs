//! A cluster of many processes that are killed and started again, and what is expected of it.
//!
//! [`Parts`] runs one process a component. [`History`] watches the API beside them and keeps every
//! state that it was told, from which [`faults`] judges afterwards, in the order of the server's own
//! count of changes.

mod faults;
mod history;
mod parts;
pub mod wishes;
pub mod workloads;

pub use faults::faults;
pub use history::{Change, Gap, History, Seen};
pub use parts::{Part, Parts};
