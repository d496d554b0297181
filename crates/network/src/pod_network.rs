//! The seam between the kubelet and whatever gives pods their addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use wk_runtime::{PodRef, Sandbox};

use crate::Cidr;

/// What a pod asks of the network.
#[derive(Clone, Debug)]
pub struct SandboxRequest {
    /// The pod.
    pub pod: PodRef,
    /// Its host name.
    pub hostname: String,
    /// Whether it uses the node's own network.
    pub host_network: bool,
    /// Its host aliases: name to addresses.
    pub host_aliases: BTreeMap<String, Vec<IpAddr>>,
    /// The address it had before the node was restarted; taken if it is free.
    pub preferred: Option<IpAddr>,
}

/// Why a pod has no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Every address of the node is taken.
    #[error(
        "no free pod address in `{range}`: all {size} are taken; delete pods or use another node"
    )]
    Exhausted {
        /// The node's range.
        range: Cidr,
        /// How many pods it can hold.
        size: u32,
    },
    /// The node was given a range that this network cannot use.
    #[error("pod range `{range}` cannot be used: it has to be within `{within}`")]
    Range {
        /// The node's range.
        range: Cidr,
        /// Where it has to be.
        within: Cidr,
    },
    /// The system refused.
    #[error("network of pod `{pod}` cannot be set up: {reason}")]
    Setup {
        /// Namespace and name.
        pod: String,
        /// What was tried and what went wrong.
        reason: String,
    },
}

/// Gives pods their addresses and whatever else their containers share of the network.
#[async_trait]
pub trait PodNetwork: Send + Sync + 'static {
    /// Makes the sandbox of a pod; a second call for the same uid returns the same one.
    ///
    /// # Errors
    /// [`NetworkError::Exhausted`], [`NetworkError::Setup`].
    async fn setup(&self, request: &SandboxRequest) -> Result<Sandbox, NetworkError>;

    /// Gives back all that a pod has; an unknown uid is success.
    ///
    /// # Errors
    /// [`NetworkError::Setup`] if the system refused; calling again is safe.
    async fn teardown(&self, pod_uid: &str) -> Result<(), NetworkError>;
}

/// Makes the network of a node once its range is known, which is after the node has registered.
#[async_trait]
pub trait PodNetworkFactory: Send + Sync + 'static {
    /// The network for a node with this range of pod addresses and this own address.
    ///
    /// # Errors
    /// [`NetworkError::Range`].
    async fn open(
        &self,
        pod_cidr: Cidr,
        node_ip: IpAddr,
    ) -> Result<Arc<dyn PodNetwork>, NetworkError>;
}
