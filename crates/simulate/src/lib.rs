//! Nodes that run nothing: many of them in one process, to see how a cluster behaves at scale.
//!
//! To the API a simulated node is a node: it registers, renews its Lease, posts its status, and moves
//! the pods that are bound to it through their lives, from `Pending` to their deletion. No program
//! is started and no image is pulled. What a pod's program would do is said in annotations:
//!
//! | annotation | meaning |
//! |---|---|
//! | `simulate.wk/run-for` | the containers exit after this time (`5s`); without it they run for ever |
//! | `simulate.wk/exit-code` | the code that they exit with; 0 if absent |
//! | `simulate.wk/stop-after` | how long they take to exit once asked to; 0s if absent, and never longer than the grace period |
//!
//! A Node object that somebody deletes is a machine that is lost: it stays away until the next start.
//!
//! # Invariants
//! - All nodes together have one watch of pods, one of nodes, and two queues whose timers renew leases
//!   and statuses; a node has no task, no timer and no connection of its own.
//! - What happens next to a pod is decided from its object alone, so that a restart loses nothing.
//! - A node that was not simulated before is never touched.

mod config;
mod fleet;
mod ledger;
mod pod;
mod pods;

use std::sync::Arc;

use kube::Client;
use wk_process::TaskGroup;

pub use config::{Ipv4Part, SimulationConfig, SimulationFault};
use fleet::Fleet;

/// The annotation of a pod whose containers exit after some time.
pub const RUN_FOR_ANNOTATION: &str = "simulate.wk/run-for";
/// The annotation of a pod whose containers exit with a code other than 0.
pub const EXIT_CODE_ANNOTATION: &str = "simulate.wk/exit-code";
/// The annotation of a pod whose containers take their time when asked to exit.
pub const STOP_AFTER_ANNOTATION: &str = "simulate.wk/stop-after";
/// The label of simulated nodes, which holds the prefix of their names.
pub const SIMULATOR_LABEL: &str = "wk.dev/simulator";

/// Simulated nodes of one process.
#[derive(Clone, Debug)]
pub struct Simulation {
    fleet: Arc<Fleet>,
}

impl Simulation {
    /// Starts to act as the nodes of `config`, in tasks of `group`; returns at once.
    ///
    /// # Errors
    /// Everything that is wrong with `config`.
    pub fn start(
        client: &Client,
        config: SimulationConfig,
        group: &TaskGroup,
    ) -> Result<Self, SimulationFault> {
        config.check()?;
        let fleet = Fleet::start(client.clone(), Arc::new(config), group);
        pods::run(client, Arc::clone(&fleet), group);
        Ok(Self { fleet })
    }

    /// Waits until each node is registered. Cancel safe.
    ///
    /// # Errors
    /// The names of nodes that others have, which are left alone.
    pub async fn registered(&self) -> Result<(), Vec<String>> {
        self.fleet.registered().await
    }

    /// Deletes the nodes, and returns how many there were; their leases and pods follow as those of
    /// any lost node.
    ///
    /// # Errors
    /// The first refusal of the API server, after all were tried.
    pub async fn remove(&self) -> Result<usize, kube::Error> {
        self.fleet.remove().await
    }
}
