//! Notices nodes that went silent, and turns nodes' conditions into taints.
//!
//! A node that went silent takes no pods at once, and its pods count as not ready; that they have to
//! go is said only as fast as [`NodeEviction`] allows. Who goes when is up to their tolerations.
//!
//! Spec: <https://kubernetes.io/docs/concepts/architecture/nodes/#condition>

mod plan;
mod zones;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, ObjectReference, Pod};
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

use crate::watched::{NodeView, PodView};
use crate::{Shell, conflict_is_later, unless_gone};
use plan::{Eviction, is_unknown, needs_leave, plan_conditions, plan_taints};
pub use zones::NodeEviction;
use zones::{Shift, Zones};

/// How patient the controller is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long a node may be silent.
    pub(crate) grace: Duration,
    /// How long one may be silent that has never said anything.
    pub(crate) startup: Duration,
    pub(crate) eviction: NodeEviction,
}

struct Context {
    client: Client,
    shell: Shell,
    leases: Informer<Option<Timestamp>>,
    events: EventRecorder,
    patience: Patience,
    /// When each node was last heard of, by this machine's clock: nodes' clocks are not trusted.
    heard: Mutex<HashMap<String, Heard>>,
    zones: Mutex<Zones>,
}

#[derive(Clone)]
struct Heard {
    renewed: Option<Timestamp>,
    /// The heartbeat in its status, which it writes less often.
    heartbeat: Option<Timestamp>,
    at: Instant,
    /// The node itself, once it has been seen.
    uid: Option<String>,
}

pub(crate) fn run(client: &Client, patience: Patience, shell: &Shell) {
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
        patience,
        heard: Mutex::default(),
        zones: Mutex::new(Zones::new(patience.eviction)),
    });
    let queue = WorkQueue::<String>::default();
    let (from_node, on_node) = (queue.clone(), Arc::clone(&context));
    shell.watched.nodes.on_change(move |key| on_node.node_changed(&key.name, &from_node));
    let (from_lease, on_lease) = (queue.clone(), Arc::clone(&context));
    leases.on_change(move |key| {
        // A renewal is noted only; a look is needed if it is the first after silence.
        if on_lease.hear(&key.name) > on_lease.patience.grace {
            from_lease.add(key.name.clone());
        }
    });
    shell.run("node-lifecycle", &queue, 8, move |name| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.reconcile(&name).await) }
    });
}

impl Context {
    /// Counts a node in its zone, and asks for a look at it, and at others if it matters to them.
    fn node_changed(&self, name: &str, queue: &WorkQueue<String>) {
        let nodes = &self.shell.watched.nodes;
        let member = nodes.get_cluster(name).and_then(|node| plan::member(&node));
        let (shift, is_outage) = {
            let mut zones = self.zones.lock();
            (zones.put(name, member, Instant::now()), zones.is_outage())
        };
        match shift {
            Shift::None => {}
            Shift::Zone => info!(node = name, "the health of a zone has changed"),
            Shift::Stopped if is_outage => warn!("no node answers: pods stay where they are"),
            Shift::Stopped => info!("no node is ready yet"),
            Shift::Resumed => {
                info!("nodes answer again: those that do not get their time anew");
                let now = Instant::now();
                for heard in self.heard.lock().values_mut() {
                    heard.at = now;
                }
            }
        }
        if shift == Shift::None {
            queue.add(name.to_owned());
        } else {
            for key in nodes.keys() {
                queue.add(key.name);
            }
            queue.add(name.to_owned());
        }
    }

    /// Notes a node's lease and heartbeat as they are now, and returns how long the node was silent before.
    fn hear(&self, node: &str) -> Duration {
        let key = NamespacedName::new(NODE_LEASE_NAMESPACE, node);
        let renewed = self.leases.get(&key).and_then(|renewed| *renewed);
        let seen = self.shell.watched.nodes.get_cluster(node);
        let heartbeat = seen.and_then(|node| plan::heartbeat(&node));
        let now = Instant::now();
        let mut heard = self.heard.lock();
        let fresh = || Heard { renewed, heartbeat, at: now, uid: None };
        let entry = heard.entry(node.to_owned()).or_insert_with(fresh);
        let silence = now.duration_since(entry.at);
        if (entry.renewed, entry.heartbeat) != (renewed, heartbeat) {
            (entry.renewed, entry.heartbeat, entry.at) = (renewed, heartbeat, now);
        }
        silence
    }

    async fn reconcile(&self, name: &str) -> Result<Outcome, kube::Error> {
        self.leases.ready().await;
        let Some(node) = self.shell.watched.nodes.get_cluster(name) else {
            let gone = self.heard.lock().remove(name);
            if let Some(uid) = gone.and_then(|heard| heard.uid) {
                let text = format!("Node {name} event: Removing Node {name} from Controller");
                self.say(name, Some(uid), "RemovingNode", text);
            }
            return Ok(Outcome::Done);
        };
        self.hear(name);
        let silence = self.silence(&node);
        let Patience { grace, startup, .. } = self.patience;
        let grace = if plan::has_reported(&node) { grace } else { startup };
        let now = Timestamp::now();
        let conditions = plan_conditions(&node, silence >= grace, now);
        if !conditions.is_empty() {
            warn!(node = name, ?silence, "node does not answer");
            let text = format!("Node {name} status is now: NodeNotReady");
            self.say(name, node.uid.clone(), "NodeNotReady", text);
            let patch = json!({
                "metadata": {"resourceVersion": node.resource_version},
                "status": {"conditions": conditions},
            });
            let api = Api::<Node>::all(self.client.clone());
            let params = PatchParams::default();
            unless_gone(api.patch_status(name, &params, &Patch::Strategic(patch)).await)?;
            // Its change comes back through the watch, and the taints follow then.
            return Ok(Outcome::After(grace));
        }
        let again = self.taint(&node, now).await?;
        if is_unknown(&node) {
            for pod in self.shell.watched.pods_on(name) {
                self.mark_not_ready(&pod, now).await?;
            }
        }
        let left = grace.saturating_sub(silence);
        let left = if left.is_zero() { grace } else { left };
        Ok(Outcome::After(again.map_or(left, |again| again.min(left))))
    }

    /// How long a node has been silent; one that is new is welcomed.
    fn silence(&self, node: &NodeView) -> Duration {
        let mut heard = self.heard.lock();
        let Some(entry) = heard.get_mut(&node.name) else { return Duration::ZERO };
        let silence = entry.at.elapsed();
        if entry.uid != node.uid {
            entry.uid.clone_from(&node.uid);
            drop(heard);
            let name = &node.name;
            let text = format!("Node {name} event: Registered Node {name} in Controller");
            self.say(name, node.uid.clone(), "RegisteredNode", text);
        }
        silence
    }

    /// Makes a node's taints follow its conditions; returns when to try again to give it up.
    async fn taint(
        &self,
        node: &NodeView,
        now: Timestamp,
    ) -> Result<Option<Duration>, kube::Error> {
        let mut again = None;
        let eviction = {
            let mut zones = self.zones.lock();
            if zones.is_stopped() {
                Eviction::Never
            } else if !needs_leave(node) {
                Eviction::Later
            } else if let Err(wait) = zones.admit(&node.name, Instant::now()) {
                again = wait;
                Eviction::Later
            } else {
                Eviction::Now
            }
        };
        if let Some(taints) = plan_taints(node, eviction, now) {
            let patch = json!({
                "metadata": {"resourceVersion": node.resource_version},
                "spec": {"taints": taints},
            });
            let api = Api::<Node>::all(self.client.clone());
            let params = PatchParams::default();
            unless_gone(api.patch(&node.name, &params, &Patch::Merge(patch)).await)?;
            let taints = taints.len();
            info!(node = node.name, taints, ?eviction, "taints follow the node's conditions");
        }
        Ok(again)
    }

    /// Says of a pod that it is not ready: nobody would notice if it were not.
    async fn mark_not_ready(&self, seen: &PodView, now: Timestamp) -> Result<(), kube::Error> {
        if !seen.is_ready() {
            return Ok(());
        }
        let api = Api::<Pod>::namespaced(self.client.clone(), &seen.namespace);
        // As it is now: its node may be back and have said something newer than the cache knows.
        let Some(pod) = api.get_opt(&seen.name).await? else { return Ok(()) };
        let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
        let is_ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        let is_same = pod.metadata.uid.as_deref() == Some(seen.uid().as_str());
        if !is_ready || !is_same {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"resourceVersion": pod.metadata.resource_version},
            "status": {"conditions": [{
                "type": "Ready",
                "status": "False",
                "lastTransitionTime": wk_api::time::rfc3339(now),
            }]},
        });
        let params = PatchParams::default();
        unless_gone(api.patch_status(&seen.name, &params, &Patch::Strategic(patch)).await)?;
        let object = seen.reference();
        self.events.publish(object, EventType::Warning, "NodeNotReady", "Node is not ready");
        Ok(())
    }

    fn say(&self, name: &str, uid: Option<String>, reason: &str, message: String) {
        let object = ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(name.to_owned()),
            uid,
            ..ObjectReference::default()
        };
        self.events.publish(object, EventType::Normal, reason, message);
    }
}
