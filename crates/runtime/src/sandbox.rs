//! What the containers of one pod share.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::NetworkNamespace;

/// The network side of a pod, made once and handed to every runtime with a container in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// UID of the pod.
    pub pod_uid: String,
    /// Namespace of the pod, for name look-ups and policy.
    pub namespace: String,
    /// The pod's host name.
    pub hostname: String,
    /// The pod's address; the node's for pods of the host's network.
    pub ip: IpAddr,
    /// Where the pod's `localhost` really is; equal to the loopback for pods of the host's
    /// network and inside a network namespace.
    pub loopback: IpAddr,
    /// The network namespace that the container's sockets are to be made in, if the pod has one that
    /// its runtime does not see to by itself.
    pub netns: Option<NetworkNamespace>,
    /// Whether the pod uses the node's own network.
    pub host_network: bool,
    /// Host aliases of the pod: name to addresses.
    pub host_aliases: BTreeMap<String, Vec<IpAddr>>,
}
