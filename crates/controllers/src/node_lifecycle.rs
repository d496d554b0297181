//! Notices nodes that went silent, and turns nodes' conditions into taints.
//!
//! Spec: <https://kubernetes.io/docs/concepts/architecture/nodes/#condition>

mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, ObjectReference};
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};
use wk_api::names::NamespacedName;
use wk_api::well_known::NODE_LEASE_NAMESPACE;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::watched::NodeView;
use crate::{Shell, unless_gone};
use plan::{plan_conditions, plan_taints};

struct Context {
    client: Client,
    shell: Shell,
    leases: Informer<Option<Timestamp>>,
    events: EventRecorder,
    grace_period: Duration,
    /// When each node was last heard of, by this machine's clock: nodes' clocks are not trusted.
    heard: Mutex<HashMap<String, Heard>>,
}

#[derive(Clone, Copy)]
struct Heard {
    renewed: Option<Timestamp>,
    at: Instant,
}

pub(crate) fn run(client: &Client, grace_period: Duration, shell: &Shell) {
    let leases = Informer::projected(
        Api::<Lease>::namespaced(client.clone(), NODE_LEASE_NAMESPACE),
        watcher::Config::default(),
        &shell.group,
        |lease| Some(lease.spec.and_then(|spec| spec.renew_time).map(|time| time.0)),
    );
    let context = Arc::new(Context {
        client: client.clone(),
        shell: shell.clone(),
        leases: leases.clone(),
        events: EventRecorder::start(client.clone(), "node-controller", None, &shell.group),
        grace_period,
        heard: Mutex::default(),
    });
    let queue = WorkQueue::<String>::default();
    let (from_node, from_lease) = (queue.clone(), queue.clone());
    shell.watched.nodes.on_change(move |key| from_node.add(key.name.clone()));
    let on_lease = Arc::clone(&context);
    leases.on_change(move |key| {
        // A renewal is noted only; a look is needed if it is the first after silence.
        if on_lease.hear(&key.name) > on_lease.grace_period {
            from_lease.add(key.name.clone());
        }
    });
    shell.run("node-lifecycle", &queue, 8, move |name| {
        let context = Arc::clone(&context);
        async move { context.reconcile(&name).await }
    });
}

impl Context {
    /// Notes a node's lease as it is now, and returns how long the node was silent before.
    fn hear(&self, node: &str) -> Duration {
        let key = NamespacedName::new(NODE_LEASE_NAMESPACE, node);
        let renewed = self.leases.get(&key).and_then(|renewed| *renewed);
        let now = Instant::now();
        let mut heard = self.heard.lock();
        let entry = heard.entry(node.to_owned()).or_insert(Heard { renewed, at: now });
        let silence = now.duration_since(entry.at);
        if entry.renewed != renewed {
            *entry = Heard { renewed, at: now };
        }
        silence
    }

    async fn reconcile(&self, name: &str) -> Result<Outcome, kube::Error> {
        self.leases.ready().await;
        let Some(node) = self.shell.watched.nodes.get_cluster(name) else {
            self.heard.lock().remove(name);
            return Ok(Outcome::Done);
        };
        self.hear(name);
        let heard_at = self.heard.lock().get(name).map_or_else(Instant::now, |heard| heard.at);
        let silence = heard_at.elapsed();
        let now = Timestamp::now();
        let conditions = plan_conditions(&node, silence >= self.grace_period, now);
        if !conditions.is_empty() {
            warn!(node = name, ?silence, "node does not answer");
            self.say(&node, "NodeNotReady", format!("Node {name} status is now: NodeNotReady"));
            let patch = json!({"status": {"conditions": conditions}});
            self.patch_status(name, patch).await?;
            // Its change comes back through the watch, and the taints follow then.
            return Ok(Outcome::After(self.grace_period));
        }
        if let Some(taints) = plan_taints(&node, now) {
            let patch = json!({
                "metadata": {"resourceVersion": node.resource_version},
                "spec": {"taints": taints},
            });
            let api = Api::<Node>::all(self.client.clone());
            let params = PatchParams::default();
            unless_gone(api.patch(name, &params, &Patch::Merge(patch)).await)?;
            info!(node = name, taints = taints.len(), "taints follow the node's conditions");
        }
        let left = self.grace_period.saturating_sub(silence);
        Ok(Outcome::After(if left.is_zero() { self.grace_period } else { left }))
    }

    async fn patch_status(&self, name: &str, patch: serde_json::Value) -> Result<(), kube::Error> {
        let api = Api::<Node>::all(self.client.clone());
        let params = PatchParams::default();
        unless_gone(api.patch_status(name, &params, &Patch::Strategic(patch)).await)
    }

    fn say(&self, node: &NodeView, reason: &str, message: String) {
        let object = ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(node.name.clone()),
            uid: node.uid.clone(),
            ..ObjectReference::default()
        };
        self.events.publish(object, EventType::Normal, reason, message);
    }
}
