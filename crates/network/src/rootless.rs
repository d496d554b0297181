//! Networking without privileges: every pod has an address of its own on the loopback device.

mod guest;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use wk_runtime::Sandbox;

pub use self::guest::RootlessGuestNetwork;
use crate::addresses::{Cidr, POD_RANGE, loopback_of};
use crate::{NetworkError, PodNetwork, PodNetworkFactory, SandboxRequest};

/// Makes [`RootlessPodNetwork`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct RootlessFactory;

#[async_trait]
impl PodNetworkFactory for RootlessFactory {
    async fn open(
        &self,
        pod_cidr: Cidr,
        node_ip: IpAddr,
    ) -> Result<Arc<dyn PodNetwork>, NetworkError> {
        Ok(Arc::new(RootlessPodNetwork::new(pod_cidr, node_ip)?))
    }
}

/// Addresses from the node's part of 127.64.0.0/11; nothing has to be set up for them.
#[derive(Debug)]
pub struct RootlessPodNetwork {
    range: Cidr,
    node_ip: IpAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sandboxes: HashMap<String, Sandbox>,
    taken: HashSet<Ipv4Addr>,
    /// Where the search for a free address goes on, so that one just given back rests a while.
    next: u32,
}

impl RootlessPodNetwork {
    /// A network without pods.
    ///
    /// # Errors
    /// [`NetworkError::Range`] if the range is not within [`POD_RANGE`] or has no room for a pod.
    pub fn new(range: Cidr, node_ip: IpAddr) -> Result<Self, NetworkError> {
        if !POD_RANGE.covers(range) || range.len() < 4 {
            return Err(NetworkError::Range { range, within: POD_RANGE });
        }
        Ok(Self { range, node_ip, state: Mutex::new(State { next: 1, ..State::default() }) })
    }

    /// First and last address of a range are left out, as people expect of networks.
    fn usable(&self) -> u32 {
        self.range.len() - 2
    }

    fn allocate(&self, state: &mut State, preferred: Option<IpAddr>) -> Option<Ipv4Addr> {
        let usable = self.usable();
        if let Some(IpAddr::V4(ip)) = preferred
            && self.range.index_of(ip).is_some_and(|index| (1..=usable).contains(&index))
            && state.taken.insert(ip)
        {
            return Some(ip);
        }
        for step in 0..usable {
            let index = 1 + (state.next - 1 + step) % usable;
            let ip = self.range.nth(index)?;
            if state.taken.insert(ip) {
                state.next = 1 + index % usable;
                return Some(ip);
            }
        }
        None
    }
}

#[async_trait]
impl PodNetwork for RootlessPodNetwork {
    async fn setup(&self, request: &SandboxRequest) -> Result<Sandbox, NetworkError> {
        let mut state = self.state.lock();
        if let Some(sandbox) = state.sandboxes.get(&request.pod.uid) {
            return Ok(sandbox.clone());
        }
        let (ip, loopback) = if request.host_network {
            (self.node_ip, IpAddr::V4(Ipv4Addr::LOCALHOST))
        } else {
            let ip = self
                .allocate(&mut state, request.preferred)
                .ok_or(NetworkError::Exhausted { range: self.range, size: self.usable() })?;
            (IpAddr::V4(ip), IpAddr::V4(loopback_of(ip)))
        };
        let sandbox = Sandbox {
            pod_uid: request.pod.uid.clone(),
            namespace: request.pod.namespace.clone(),
            hostname: request.hostname.clone(),
            ip,
            loopback,
            netns: None,
            host_network: request.host_network,
            host_aliases: request.host_aliases.clone(),
        };
        state.sandboxes.insert(request.pod.uid.clone(), sandbox.clone());
        Ok(sandbox)
    }

    async fn teardown(&self, pod_uid: &str) -> Result<(), NetworkError> {
        let mut state = self.state.lock();
        if let Some(sandbox) = state.sandboxes.remove(pod_uid)
            && let IpAddr::V4(ip) = sandbox.ip
            && !sandbox.host_network
        {
            state.taken.remove(&ip);
        }
        Ok(())
    }
}
