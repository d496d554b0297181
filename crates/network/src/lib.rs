//! Pod addresses, and what a pod sees of the network.
//!
//! [`PodNetwork`] gives each pod its [`Sandbox`](wk_runtime::Sandbox); [`RootlessGuestNetwork`]
//! answers for the sockets and look-ups of its guests. Both need no privileges: every pod has an
//! address in 127.0.0.0/8, of which Linux routes all to the loopback device.
//!
//! # Invariants
//! - Knows nothing of pods' specifications beyond what a [`SandboxRequest`] holds.
//! - Two pods never hold one address at a time.
//! - The arithmetic of addresses is pure and in one place, `addresses.rs`.

mod addresses;
pub mod conformance;
mod names;
mod pod_network;
mod rootless;

pub use addresses::{
    Cidr, CidrError, LOOPBACK_OFFSET, POD_RANGE, SERVICE_RANGE, loopback_of, pod_of_loopback,
};
pub use names::NameTable;
pub use pod_network::{NetworkError, PodNetwork, PodNetworkFactory, SandboxRequest};
pub use rootless::{RootlessFactory, RootlessGuestNetwork, RootlessPodNetwork};
