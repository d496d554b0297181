//! What is simulated.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Taint;
use wk_api::Quantity;

/// Addresses of a node that no pod gets: the network's, the node's own, and the broadcast.
const RESERVED: u32 = 3;

/// A range of IPv4 addresses that pods and nodes get theirs from, written `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Part {
    first: u32,
    prefix: u8,
}

/// Why simulated nodes cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulationFault {
    /// A text is no range of addresses.
    #[error("`{0}` is not a range of IPv4 addresses like `10.0.0.0/8`")]
    Range(String),
    /// There are more nodes than parts of the range.
    #[error("`{range}` has room for {room} nodes of {pods} pods, and not for {nodes}")]
    TooSmall {
        /// The range.
        range: String,
        /// How many nodes fit.
        room: u64,
        /// How many pods each takes.
        pods: u32,
        /// How many nodes were asked for.
        nodes: u32,
    },
    /// The nodes' names would be refused.
    #[error("`{name}` is no name for a node: {why}")]
    Name {
        /// The first name.
        name: String,
        /// The rule that it breaks.
        why: String,
    },
}

/// Which nodes to act as, and how they behave.
#[derive(Clone, Debug)]
pub struct SimulationConfig {
    /// The nodes are called `PREFIX-0`, `PREFIX-1` and so on.
    pub prefix: String,
    /// How many there are.
    pub nodes: u32,
    /// How many pods each takes.
    pub pods_per_node: u32,
    /// `cpu` of each, capacity and allocatable.
    pub cpu: Quantity,
    /// `memory` of each, capacity and allocatable.
    pub memory: Quantity,
    /// Further labels of each.
    pub labels: BTreeMap<String, String>,
    /// Taints that each registers with.
    pub taints: Vec<Taint>,
    /// How long a pod takes from its binding to running.
    pub start_delay: Duration,
    /// How often each lease is renewed, on average.
    pub lease_period: Duration,
    /// `leaseDurationSeconds`.
    pub lease_seconds: i32,
    /// How often each status is posted although nothing has changed, on average.
    pub status_period: Duration,
    /// Where pods and nodes have their addresses from; each node has an equal part.
    pub range: Ipv4Part,
    /// What the nodes call their kubelets' version.
    pub version: String,
}

impl SimulationConfig {
    /// `nodes` nodes as a kubelet makes them: 110 pods, 4 processors, 8 GiB, a lease every 10 s.
    pub fn new(prefix: impl Into<String>, nodes: u32, version: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            nodes,
            pods_per_node: 110,
            cpu: Quantity::from_milli(4_000),
            memory: Quantity::from_bytes(8 << 30),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            start_delay: Duration::ZERO,
            lease_period: Duration::from_secs(10),
            lease_seconds: 40,
            status_period: Duration::from_mins(5),
            range: Ipv4Part { first: 10 << 24, prefix: 8 },
            version: version.into(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SimulationFault> {
        let name = self.node_name(self.nodes.saturating_sub(1));
        if let Some(why) = wk_api::names::dns1123_subdomain(&name).into_iter().next() {
            return Err(SimulationFault::Name { name, why });
        }
        let mask = self.node_mask();
        let room = if mask < self.range.prefix { 0 } else { 1 << (mask - self.range.prefix) };
        if u64::from(self.nodes) > room {
            return Err(SimulationFault::TooSmall {
                range: self.range.to_string(),
                room,
                pods: self.pods_per_node,
                nodes: self.nodes,
            });
        }
        Ok(())
    }

    /// The name of a node.
    pub(crate) fn node_name(&self, index: u32) -> String {
        format!("{}-{index}", self.prefix)
    }

    /// Which of the nodes has this name.
    pub(crate) fn index_of(&self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let index = digits.parse().ok().filter(|index| *index < self.nodes)?;
        // `007` and `+7` are other names.
        (self.node_name(index) == name).then_some(index)
    }

    fn node_mask(&self) -> u8 {
        let size = self.pods_per_node.saturating_add(RESERVED);
        let bits = u8::try_from(u32::BITS - (size - 1).leading_zeros()).unwrap_or(32);
        32_u8.saturating_sub(bits)
    }

    /// The node's part of the range.
    pub(crate) fn node_range(&self, index: u32) -> Ipv4Part {
        let prefix = self.node_mask();
        Ipv4Part { first: self.range.first + (index << (32 - prefix)), prefix }
    }

    /// The address of a node.
    pub(crate) fn node_address(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.node_range(index).first + 1)
    }
}

impl Ipv4Part {
    /// The address of the pod in a place of the node that has this part; places count from 0.
    pub(crate) fn pod_address(self, place: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 2 + place)
    }

    /// The place that an address belongs to.
    pub(crate) fn place_of(self, address: Ipv4Addr) -> Option<u32> {
        let place = u32::from(address).checked_sub(self.first + 2)?;
        let size = 1_u64 << (32 - self.prefix);
        (u64::from(place) + u64::from(RESERVED) < size).then_some(place)
    }
}

impl FromStr for Ipv4Part {
    type Err = SimulationFault;

    fn from_str(text: &str) -> Result<Self, SimulationFault> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
            let prefix = prefix.parse::<u8>().ok().filter(|prefix| (1..=30).contains(prefix))?;
            (first & (u32::MAX >> prefix) == 0).then_some(Self { first, prefix })
        };
        parse().ok_or_else(|| SimulationFault::Range(text.to_owned()))
    }
}

impl std::fmt::Display for Ipv4Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_part_of_the_range() {
        let config = SimulationConfig::new("sim", 1_000, "v1");
        config.check().unwrap();
        assert_eq!(config.node_range(0).to_string(), "10.0.0.0/25");
        assert_eq!(config.node_range(3).to_string(), "10.0.1.128/25");
        assert_eq!(config.node_address(3).to_string(), "10.0.1.129");
        let part = config.node_range(3);
        assert_eq!(part.pod_address(0).to_string(), "10.0.1.130");
        assert_eq!(part.place_of(part.pod_address(109)), Some(109));
        assert_eq!(part.place_of([10, 0, 1, 255].into()), None, "the broadcast address");
        assert_eq!(part.place_of([10, 0, 1, 129].into()), None, "the node's own");
    }

    #[test]
    fn names_are_those_that_are_given_out() {
        let config = SimulationConfig::new("sim", 12, "v1");
        for (name, expected) in [
            ("sim-0", Some(0)),
            ("sim-11", Some(11)),
            ("sim-12", None),
            ("sim-01", None),
            ("sim-+1", None),
            ("sim", None),
            ("other-1", None),
        ] {
            assert_eq!(config.index_of(name), expected, "{name}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let mut config = SimulationConfig::new("sim", 1_000, "v1");
        config.range = "10.0.0.0/16".parse().unwrap();
        let told = config.check().unwrap_err().to_string();
        assert_eq!(told, "`10.0.0.0/16` has room for 512 nodes of 110 pods, and not for 1000");
        let told = SimulationConfig::new("Sim_", 1, "v1").check().unwrap_err().to_string();
        assert!(told.starts_with("`Sim_-0` is no name for a node: "), "{told}");
        for wrong in ["", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/31", "::/8"] {
            assert!(wrong.parse::<Ipv4Part>().is_err(), "{wrong}");
        }
    }
}
