//! The Node object: what it says, and keeping it true.

mod object;

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wk_client::watching::watch_object;
use wk_network::Cidr;
use wk_process::BoxError;

use crate::config::KubeletConfig;
use crate::machine::{Machine, Pressures};

pub(crate) use self::object::{Described, NodeFacts, arch};

/// How often the lease is renewed.
const LEASE_PERIOD: Duration = Duration::from_secs(10);
const LEASE_SECONDS: i32 = 40;
/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// The pause before others are contradicted.
const RETORT: Duration = Duration::from_secs(1);
/// How often the status is written although nothing has changed.
const REFRESH: Duration = Duration::from_mins(5);

/// What the loops of a node work on.
#[derive(Clone)]
pub(crate) struct NodeKeeper {
    pub(crate) client: Client,
    pub(crate) config: KubeletConfig,
    pub(crate) described: Arc<Described>,
    /// What the node has too little of.
    pub(crate) pressures: watch::Receiver<Pressures>,
    /// Whether pods have a network, and so the node takes any.
    pub(crate) ready: watch::Receiver<bool>,
    /// What the API says of the node.
    pub(crate) facts: Arc<watch::Sender<Option<Arc<NodeFacts>>>>,
}

impl NodeKeeper {
    fn api(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    /// Makes the Node or adopts the one that is there, and returns it.
    ///
    /// # Errors
    /// If the API server refuses.
    pub(crate) async fn register(&self) -> Result<Node, kube::Error> {
        let wanted = Described::node(&self.config, &self.described.runtimes);
        let name = &self.config.node_name;
        let api = self.api();
        let node = match api.create(&PostParams::default(), &wanted).await {
            Ok(node) => {
                info!(node = %name, "node registered");
                node
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let ours = serde_json::json!({"metadata": {
                    "labels": Described::labels_patch(&wanted),
                    "annotations": wanted.metadata.annotations,
                }});
                api.patch(name, &PatchParams::default(), &Patch::Merge(ours)).await?
            }
            Err(error) => return Err(error),
        };
        seen(&self.facts, &node);
        self.write_status(&node, &Machine::read(&self.config.data_dir)).await?;
        Ok(node)
    }

    /// Waits until the node has its range of pod addresses.
    ///
    /// # Errors
    /// If the range is not one.
    pub(crate) async fn pod_cidr(&self, node: Node) -> Result<Cidr, BoxError> {
        let range = |node: &Node| node.spec.as_ref().and_then(|spec| spec.pod_cidr.clone());
        if let Some(range) = range(&node) {
            return Ok(range.parse()?);
        }
        info!(node = %self.config.node_name, "waiting for spec.podCIDR");
        let events = watch_object(self.api(), &self.config.node_name);
        let mut events = std::pin::pin!(events.default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(Some(node)) => {
                    if let Some(range) = range(&node) {
                        return Ok(range.parse()?);
                    }
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "node cannot be watched"),
            }
        }
        Err("the watch of the node ended".into())
    }

    /// Writes the status when it has changed, when others say something else, and every now and
    /// then, until cancelled.
    pub(crate) async fn keep_status(mut self, token: CancellationToken) {
        let mut last = None;
        let keep = async {
            let events = watch_object(self.api(), &self.config.node_name);
            let mut events = Box::pin(events.default_backoff());
            loop {
                let machine = Machine::read(&self.config.data_dir);
                let essence = object::essence(&machine, *self.pressures.borrow_and_update());
                let faults = (self.described.engine(), self.described.runtimes.wasm.fault());
                let essence = (essence, faults);
                let due = last.as_ref().is_none_or(|(at, old): &(tokio::time::Instant, _)| {
                    *old != essence || at.elapsed() >= REFRESH
                });
                if due {
                    match self.refresh(&machine).await {
                        Ok(()) => last = Some((tokio::time::Instant::now(), essence)),
                        Err(error) => warn!(%error, "node status could not be written"),
                    }
                }
                let is_ready = *self.ready.borrow();
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    Ok(()) = self.pressures.changed() => {}
                    Ok(()) = self.ready.changed() => last = None,
                    // Until then it does not say so itself.
                    () = doubted(&mut events, &self.facts), if is_ready => {
                        info!(node = %self.config.node_name, "others doubt that the node is ready");
                        last = None;
                        // Whoever insists is not argued with all the time.
                        tokio::time::sleep(RETORT).await;
                    }
                }
            }
        };
        let _ended: Option<std::convert::Infallible> =
            token.run_until_cancelled(Box::pin(keep)).await;
    }

    async fn refresh(&self, machine: &Machine) -> Result<(), kube::Error> {
        match self.api().get_opt(&self.config.node_name).await? {
            Some(node) => self.write_status(&node, machine).await,
            // Somebody deleted it: a node that runs is there.
            None => self
                .api()
                .create(
                    &PostParams::default(),
                    &Described::node(&self.config, &self.described.runtimes),
                )
                .await
                .map(|_node| ()),
        }
    }

    async fn write_status(&self, node: &Node, machine: &Machine) -> Result<(), kube::Error> {
        let patch = {
            let told = *self.pressures.borrow();
            let now = (machine, told, *self.ready.borrow());
            self.described.status_patch(&self.config, node, now, Timestamp::now())
        };
        let name = &self.config.node_name;
        self.api().patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        Ok(())
    }

    /// Renews the node's lease until cancelled.
    pub(crate) async fn keep_lease(self, node_uid: String, token: CancellationToken) {
        let keep = async {
            loop {
                if let Err(error) = self.renew(&node_uid).await {
                    warn!(%error, "node lease could not be renewed");
                }
                tokio::time::sleep(LEASE_PERIOD).await;
            }
        };
        let _ended: Option<std::convert::Infallible> = token.run_until_cancelled(keep).await;
    }

    async fn renew(&self, node_uid: &str) -> Result<(), kube::Error> {
        let namespace = wk_api::well_known::NODE_LEASE_NAMESPACE;
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let name = &self.config.node_name;
        let now = MicroTime(Timestamp::now());
        let patch = serde_json::json!({"spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now,
        }});
        match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
        debug!(node = %name, "making the node's lease");
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.to_owned()),
                owner_references: Some(vec![OwnerReference {
                    api_version: "v1".to_owned(),
                    kind: "Node".to_owned(),
                    name: name.clone(),
                    uid: node_uid.to_owned(),
                    ..OwnerReference::default()
                }]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(name.clone()),
                lease_duration_seconds: Some(LEASE_SECONDS),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        api.create(&PostParams::default(), &lease).await.map(|_lease| ())
    }
}

/// Notes what the API says of the node.
fn seen(told: &watch::Sender<Option<Arc<NodeFacts>>>, node: &Node) {
    let facts = NodeFacts::of(node);
    told.send_if_modified(|known| {
        let changed = known.as_deref() != Some(&facts);
        if changed {
            *known = Some(Arc::new(facts));
        }
        changed
    });
}

/// Waits until the Node is gone or is not said to be ready: the control plane had not heard of it
/// for a while.
async fn doubted(
    events: &mut (impl Stream<Item = Result<Option<Node>, watcher::Error>> + Unpin),
    facts: &watch::Sender<Option<Arc<NodeFacts>>>,
) {
    while let Some(event) = events.next().await {
        match event {
            Ok(Some(node)) => {
                seen(facts, &node);
                let status = node.status.unwrap_or_default();
                let mut conditions = status.conditions.iter().flatten();
                let ready = conditions.find(|one| one.type_ == "Ready");
                if ready.is_none_or(|ready| ready.status != "True") {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => warn!(%error, "node cannot be watched"),
        }
    }
    // It ends only with the program.
    std::future::pending::<()>().await;
}

/// The watch of all pods that are bound to this node.
pub(crate) fn pods_of_node(node_name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("spec.nodeName={node_name}"))
}
