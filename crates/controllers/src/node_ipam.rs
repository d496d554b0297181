//! Gives every node a range of pod addresses, and no two the same.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, ObjectReference};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use tracing::{error, info};
use wk_client::{EventRecorder, EventType, Outcome, WorkQueue};

use crate::watched::NodeView;
use crate::{Shell, unless_gone};
pub use plan::{Ipv4Range, RangeError};
use plan::{Ranges, Seen, Step};

struct Context {
    client: Client,
    shell: Shell,
    events: EventRecorder,
    /// `None` until every range that nodes have already is known.
    ranges: Mutex<Option<Ranges>>,
    empty: Ranges,
}

pub(crate) fn run(client: Client, range: Ipv4Range, mask: u8, shell: &Shell) {
    let queue = WorkQueue::<String>::default();
    let from_node = queue.clone();
    shell.watched.nodes.on_change(move |key| from_node.add(key.name.clone()));
    let events = EventRecorder::start(client.clone(), "cidrAllocator", None, &shell.group);
    let context = Arc::new(Context {
        client,
        shell: shell.clone(),
        events,
        ranges: Mutex::new(None),
        empty: Ranges::new(range, mask),
    });
    shell.run("node-ipam", &queue, 4, move |name| {
        let context = Arc::clone(&context);
        async move { context.reconcile(&name).await }
    });
}

impl Context {
    async fn reconcile(&self, name: &str) -> Result<Outcome, kube::Error> {
        let node = self.shell.watched.nodes.get_cluster(name);
        let step = {
            let mut ranges = self.ranges.lock();
            let ranges = ranges.get_or_insert_with(|| self.known());
            ranges.plan(name, node.as_deref().map_or(Seen::Gone, seen))
        };
        match (step, node) {
            (Step::Assign(cidr), Some(_)) => {
                let patch = json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}});
                let api = Api::<Node>::all(self.client.clone());
                let params = PatchParams::default();
                unless_gone(api.patch(name, &params, &Patch::Strategic(patch)).await)?;
                info!(node = name, cidr, "pod range assigned");
            }
            (Step::Full, Some(node)) => self.complain(&node),
            (Step::Clash(other), Some(_)) => {
                error!(node = name, other, "two nodes have the same pod range; delete one of them");
            }
            (Step::Assign(_) | Step::Full | Step::Clash(_) | Step::Nothing, _) => {}
        }
        Ok(Outcome::Done)
    }

    /// What the nodes have from before: a new start must not give it away.
    fn known(&self) -> Ranges {
        let mut ranges = self.empty.clone();
        for node in self.shell.watched.nodes.list() {
            if node.pod_cidr.is_some() {
                ranges.plan(&node.name, seen(&node));
            }
        }
        ranges
    }

    fn complain(&self, node: &NodeView) {
        let object = ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(node.name.clone()),
            uid: node.uid.clone(),
            ..ObjectReference::default()
        };
        let message = format!("Node {} has no range for its pods: all are given away", node.name);
        self.events.publish(object, EventType::Normal, "CIDRNotAvailable", message);
    }
}

fn seen(node: &NodeView) -> Seen<'_> {
    node.pod_cidr.as_deref().map_or(Seen::WithoutRange, Seen::With)
}
