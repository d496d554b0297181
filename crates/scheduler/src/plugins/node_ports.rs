//! Ports of the node itself.

use crate::cluster::{Cluster, NodeView};
use crate::demand::{Demand, HostPort};
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};

/// Two pods cannot have the same port of a node.
#[derive(Clone, Copy, Debug)]
pub struct NodePorts;

struct Ports<'a>(&'a [HostPort]);

impl Filter for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        let ports = &pod.template.host_ports;
        Ok(if ports.is_empty() { Prepared::Skip } else { Prepared::Each(Box::new(Ports(ports))) })
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::NodeCame, ChangeKind::PodWent])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        match change {
            Change::NodeCame(_) => true,
            Change::PodWent(other) => {
                let freed = &other.template.host_ports;
                let wanted = &pod.template.host_ports;
                wanted.iter().any(|port| freed.iter().any(|one| one.conflicts_with(port)))
            }
            _ => false,
        }
    }
}

impl NodeFilter for Ports<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        let taken = &node.used.host_ports;
        if self.0.iter().any(|port| taken.iter().any(|one| one.conflicts_with(port))) {
            let reason = "node(s) didn't have free ports for the requested pod ports";
            return Err(Refusal::by_pods(reason));
        }
        Ok(())
    }
}
