//! Decides which node each pod runs on: filter, score, bind.
//!
//! [`plan`] is the judgement: it takes one pod, the rules of its profile and the state of the
//! cluster, and names a node, or says why there is none and which pods should make room. The shell
//! feeds it from watches, assumes that its decisions hold, and writes them several at a time.
//!
//! # Invariants
//! - A node is never given more than it can allocate: what is decided counts at once, before the
//!   server confirms it.
//! - A pod is tried again only after something changed that may help it, or five minutes.
//! - It sends away only pods of lower priority than the one that needs the place, and as few as
//!   will do; it changes no pod's spec other than by binding it.
//! - What is kept of an object is what is read of it, and what pods have in common is kept once.

pub mod budgets;
pub mod cluster;
pub mod config;
pub mod demand;
pub mod framework;
pub mod intern;
pub mod labels;
pub mod offer;
pub mod owners;
pub mod plan;
pub mod plugins;
pub mod profile;
pub mod storage;
pub mod taints;

mod caches;
mod inbox;
mod metrics;
mod queue;
mod shell;
mod writes;

#[cfg(test)]
mod testing;

pub use config::{ConfigError, ProfileConfig, SchedulerConfig};
pub use metrics::Metrics;
pub use shell::Scheduler;
