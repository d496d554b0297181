//! What the pods of a node use together.

use crate::demand::{Demand, HostPort, Resources};

/// What is used of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The sum of the requests.
    pub requested: Resources,
    /// The sum of CPU and memory with assumptions in place of missing requests.
    pub assumed: (i64, i64),
    /// How many pods there are.
    pub pods: i64,
    /// The ports that are taken.
    pub host_ports: Vec<HostPort>,
}

impl Usage {
    /// Counts a pod.
    pub fn add(&mut self, pod: &Demand) {
        let template = &pod.template;
        self.requested.add(&template.requests);
        self.assumed.0 += template.assumed.0;
        self.assumed.1 += template.assumed.1;
        self.pods += 1;
        self.host_ports.extend_from_slice(&template.host_ports);
    }

    /// Counts a pod no more.
    pub fn remove(&mut self, pod: &Demand) {
        let template = &pod.template;
        self.requested.subtract(&template.requests);
        self.assumed.0 -= template.assumed.0;
        self.assumed.1 -= template.assumed.1;
        self.pods -= 1;
        for port in &template.host_ports {
            if let Some(index) = self.host_ports.iter().position(|taken| taken == port) {
                self.host_ports.swap_remove(index);
            }
        }
    }
}
