//! How components talk to the API server: transports, caches, queues, events and leases.
//!
//! Everything is built over `kube`. A component in the API server's own process speaks to the
//! router directly ([`connect::in_process`]); elsewhere it speaks TLS with a certificate that it
//! got by [`join`](mod@join).
//!
//! # Invariants
//! - Knows no component: nothing here decides what a cluster should look like.
//! - Nothing here blocks a caller: caches answer from memory, events and keys are queued.
//! - Every queue is bounded: by the number of objects (keys coalesce) or by a constant.

pub mod backoff;
pub mod brief;
pub mod connect;
pub mod events;
pub mod informer;
pub mod join;
pub mod lease;
pub mod queue;
pub mod watching;

mod chain;

pub use backoff::Backoff;
pub use chain::error_chain;
pub use events::{EventRecorder, EventType};
pub use informer::{Changes, Informer, Mark};
pub use lease::{LeaderElector, Leadership, LeaseSettings};
pub use queue::{Outcome, WorkQueue};
pub use watching::Decode;
