//! The agent of one node: takes the pods that are bound to it and keeps them running.
//!
//! A watch tells of pods. For each change one worker asks the pure [`plan`](plan::plan) what to do,
//! carries the steps out through a [`Runtime`](wk_runtime::Runtime), and ends when nothing is left
//! but to wait: an idle pod has no task and no timer. Statuses are written beside that, many at a
//! time, and never hold a start up.
//!
//! # Invariants
//! - A client like any other: sees only the API, never the store.
//! - Knows no runtime, network or registry by name; they are [`Parts`].
//! - Nothing that a pod asks for is ignored in silence: what this node cannot do is an event and a
//!   waiting reason that says so.
//! - What the API says is observed again after a restart; logs, volumes and what is needed to start
//!   pods without the API are on disk.

mod actions;
mod admission;
mod adoption;
mod config;
mod env;
mod eviction;
mod garbage;
mod http;
mod images;
mod kubelet;
mod linux;
mod logs;
mod machine;
mod namespace;
mod node;
mod objects;
mod orphans;
pub mod plan;
mod pods;
mod probes;
mod report;
mod resolv;
mod runtime_classes;
mod sandboxes;
mod saved;
mod services;
mod shared;
mod state;
mod static_pods;
mod status;
mod support;
mod termination;
mod timers;
mod tree;
mod usage;
mod volumes;
mod worker;

pub use config::{DEFAULT_MAX_PODS, ImageGarbage, KubeletConfig, LinuxDefaults, Parts, Runtimes};
pub use eviction::{
    EvictionSettings, GracePeriods, Reclaims, Signal, Threshold, ThresholdError, Thresholds,
};
pub use http::ServeError;
pub use images::Images;
pub use kubelet::{Kubelet, StartError};
pub use static_pods::PodManifests;
