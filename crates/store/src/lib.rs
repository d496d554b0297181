//! Revisioned bytes under a key, with watch: what the API server keeps its objects in.
//!
//! [`Store`] is the seam; [`MemoryStore`] is the implementation for tests, and [`conformance`] holds
//! the suite that every implementation runs. [`Feed`] is the part that implementations in this
//! process share: the recent window of events and the watches that read it.
//!
//! # Invariants
//! - Knows nothing of kinds, JSON, HTTP or users: keys are strings, values are bytes.
//! - Every successful write gets a revision of its own, one larger than the last: one total order
//!   for the whole store.
//! - What was acknowledged, read or watched is durable (for as long as the store can be durable).
//! - A watch delivers every event after its revision once, in order, and never half a revision.
//! - Readers and watchers never slow a writer, however slow they are.

pub mod conformance;
mod error;
mod feed;
mod memory;
pub mod snapshot;
mod store;
mod types;

pub use error::{ReadError, StoreError, WatchError, WriteError};
pub use feed::{Feed, History};
pub use memory::MemoryStore;
pub use store::{Replacement, Store, WatchStream};
pub use types::{Batch, Entry, Event, Key, ListOptions, Page, Revision, WatchItem};
