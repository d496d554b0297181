//! Decides which node each pod runs on: filter, score, bind.
//!
//! [`plan`] is the judgement: it takes one pod and the state of the nodes and names a node, or says
//! why there is none. The shell feeds it from two watches, assumes that its decisions hold, and
//! writes them several at a time.
//!
//! # Invariants
//! - A node is never given more than it can allocate: what is decided counts at once, before the
//!   server confirms it.
//! - A pod is tried again only after something changed that may help it, or five minutes.
//! - It binds and explains; it never evicts, and it never changes a pod's spec otherwise.

pub mod cluster;
pub mod demand;
pub mod plan;
pub mod plugins;
mod queue;
mod shell;
mod writes;

pub use shell::{Scheduler, SchedulerConfig};
