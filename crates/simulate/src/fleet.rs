//! The simulated nodes: registered, kept alive, and removed.

mod object;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info};
use wk_api::names::NamespacedName;
use wk_api::well_known::NODE_LEASE_NAMESPACE;
use wk_client::{Backoff, Informer, Outcome, WorkQueue, brief};
use wk_process::TaskGroup;

use crate::SIMULATOR_LABEL;
use crate::config::SimulationConfig;

/// How many nodes, and how many leases, are written at a time.
const WORKERS: usize = 32;

/// What is read of a node.
#[derive(Debug)]
struct SeenNode {
    uid: Option<String>,
    is_ready: bool,
}

/// How a node of ours stands with the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    New,
    /// It has an object, which the cache may not show yet.
    Registered {
        uid: String,
    },
    /// The cache has shown its object.
    Seen {
        uid: String,
    },
    /// Somebody deleted its object.
    Lost,
    /// Its name is another node's.
    Refused,
}

/// All nodes.
pub(crate) struct Fleet {
    config: Arc<SimulationConfig>,
    client: Client,
    nodes: Informer<SeenNode>,
    standings: Mutex<Vec<Standing>>,
    /// When the status of each was last posted.
    posted: Mutex<HashMap<u32, Instant>>,
    /// How many are not new any more.
    settled: watch::Sender<u32>,
    leases: WorkQueue<u32>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("prefix", &self.config.prefix).finish_non_exhaustive()
    }
}

impl Fleet {
    /// Starts to register the nodes and to keep them alive.
    pub(crate) fn start(
        client: Client,
        config: Arc<SimulationConfig>,
        group: &TaskGroup,
    ) -> Arc<Self> {
        let ours = format!("{SIMULATOR_LABEL}={}", config.prefix);
        let nodes = Informer::projected(
            Api::<Node>::all(client.clone()),
            watcher::Config::default().labels(&ours),
            group,
            |node| Some(SeenNode::of(node)),
        );
        let count = usize::try_from(config.nodes).unwrap_or_default();
        // A renewal that fails is due again long before the lease ends.
        let cap = config.lease_period.max(Duration::from_millis(100));
        let retry = Backoff { base: Duration::from_millis(100), cap };
        let fleet = Arc::new(Self {
            client,
            nodes,
            posted: Mutex::default(),
            standings: Mutex::new(vec![Standing::New; count]),
            settled: watch::Sender::new(0),
            leases: WorkQueue::new(retry),
            config,
        });
        let queue = WorkQueue::<u32>::new(retry);
        for index in 0..fleet.config.nodes {
            queue.add(index);
        }
        let (from_node, names) = (queue.clone(), Arc::clone(&fleet.config));
        fleet.nodes.on_change(move |key| {
            if let Some(index) = names.index_of(&key.name) {
                from_node.add(index);
            }
        });
        let keeping = Arc::clone(&fleet);
        queue.run(group, "simulated nodes", WORKERS, move |index| {
            let fleet = Arc::clone(&keeping);
            async move { fleet.reconcile(index).await }
        });
        let renewing = Arc::clone(&fleet);
        fleet.leases.run(group, "simulated leases", WORKERS, move |index| {
            let fleet = Arc::clone(&renewing);
            async move { fleet.renew(index).await }
        });
        fleet
    }

    pub(crate) fn config(&self) -> &Arc<SimulationConfig> {
        &self.config
    }

    /// Whether a node is out of the cluster for good.
    pub(crate) fn is_lost(&self, index: u32) -> bool {
        matches!(self.standing(index), Standing::Lost | Standing::Refused)
    }

    /// Waits until it is known how a node stands with the cluster. Cancel safe.
    pub(crate) async fn node_registered(&self, index: u32) {
        let mut settled = self.settled.subscribe();
        // The sender lives as long as this value.
        let _settled = settled.wait_for(|_| self.standing(index) != Standing::New).await;
    }

    pub(crate) async fn registered(&self) -> Result<(), Vec<String>> {
        let mut settled = self.settled.subscribe();
        // The sender lives as long as this value.
        let _settled = settled.wait_for(|count| *count >= self.config.nodes).await;
        let standings = self.standings.lock();
        let refused = (0..).zip(standings.iter()).filter(|(_, one)| **one == Standing::Refused);
        let names: Vec<String> = refused.map(|(index, _)| self.config.node_name(index)).collect();
        if names.is_empty() { Ok(()) } else { Err(names) }
    }

    fn standing(&self, index: u32) -> Standing {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.standings.lock().get(index).cloned().unwrap_or(Standing::Refused)
    }

    fn settle(&self, index: u32, standing: Standing) {
        let mut standings = self.standings.lock();
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(before) = standings.get_mut(index) else { return };
        let was_new = std::mem::replace(before, standing) == Standing::New;
        drop(standings);
        if was_new {
            self.settled.send_modify(|count| *count += 1);
        }
    }

    async fn reconcile(&self, index: u32) -> Result<Outcome, kube::Error> {
        let name = self.config.node_name(index);
        let seen = self.nodes.get(&NamespacedName::cluster(&name));
        match (self.standing(index), seen) {
            (Standing::Lost | Standing::Refused, _) => return Ok(Outcome::Done),
            (Standing::New, _) => return self.register(index, &name).await,
            (Standing::Registered { .. }, None) => {}
            (Standing::Seen { .. }, None) => {
                info!(node = name, "node was deleted and stays away");
                self.settle(index, Standing::Lost);
                return Ok(Outcome::Done);
            }
            (Standing::Registered { .. } | Standing::Seen { .. }, Some(node)) => {
                let uid = node.uid.clone().unwrap_or_default();
                self.settle(index, Standing::Seen { uid });
                // Not ready: somebody took it for lost while it was silent.
                let age = self.posted_ago(index);
                if node.is_ready && age < self.config.status_period {
                    return Ok(Outcome::After(self.config.status_period.saturating_sub(age)));
                }
                self.post_status(index, &name, !node.is_ready).await?;
            }
        }
        Ok(Outcome::After(around(self.config.status_period)))
    }

    /// How long ago a node's status was posted.
    fn posted_ago(&self, index: u32) -> Duration {
        self.posted.lock().get(&index).map_or(Duration::MAX, Instant::elapsed)
    }

    async fn register(&self, index: u32, name: &str) -> Result<Outcome, kube::Error> {
        let api = Api::<Node>::all(self.client.clone());
        let wanted = object::node(&self.config, index);
        let node = match api.create(&PostParams::default(), &wanted).await {
            Ok(node) => {
                debug!(node = name, "node registered");
                node
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let Some(node) = api.get_opt(name).await? else {
                    return Ok(Outcome::After(Duration::ZERO));
                };
                let labels = node.metadata.labels.as_ref();
                let simulator = labels.and_then(|labels| labels.get(SIMULATOR_LABEL));
                if simulator != Some(&self.config.prefix) {
                    error!(node = name, "a node of this name exists and is not simulated");
                    self.settle(index, Standing::Refused);
                    return Ok(Outcome::Done);
                }
                node
            }
            Err(error) => return Err(error),
        };
        self.post_status(index, name, true).await?;
        let uid = node.metadata.uid.unwrap_or_default();
        self.settle(index, Standing::Registered { uid });
        self.leases.add(index);
        Ok(Outcome::After(around(self.config.status_period)))
    }

    async fn post_status(
        &self,
        index: u32,
        name: &str,
        is_change: bool,
    ) -> Result<(), kube::Error> {
        let patch = object::status_patch(&self.config, index, is_change, Timestamp::now());
        let api = Api::<Node>::all(self.client.clone());
        match brief::patch_status(api, name, &Patch::Strategic(patch)).await {
            // The watch will say that it is gone.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => drop(other?),
        }
        self.posted.lock().insert(index, Instant::now());
        Ok(())
    }

    async fn renew(&self, index: u32) -> Result<Outcome, kube::Error> {
        let uid = match self.standing(index) {
            Standing::Registered { uid } | Standing::Seen { uid } => uid,
            Standing::New | Standing::Lost | Standing::Refused => return Ok(Outcome::Done),
        };
        let api = Api::<Lease>::namespaced(self.client.clone(), NODE_LEASE_NAMESPACE);
        let name = self.config.node_name(index);
        let now = Timestamp::now();
        let patch = Patch::Merge(object::renewal(&self.config, &name, now));
        match brief::patch(api.clone(), &name, &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let lease = object::lease(&self.config, &name, uid, now);
                api.create(&PostParams::default(), &lease).await?;
            }
            other => drop(other?),
        }
        Ok(Outcome::After(around(self.config.lease_period)))
    }

    /// Deletes the nodes that are left and returns how many those were.
    pub(crate) async fn remove(&self) -> Result<usize, kube::Error> {
        let api = Api::<Node>::all(self.client.clone());
        let present = (0..self.config.nodes).filter_map(|index| match self.standing(index) {
            Standing::Registered { uid } | Standing::Seen { uid } => Some((index, uid)),
            Standing::New | Standing::Lost | Standing::Refused => None,
        });
        let removals = futures::stream::iter(present).map(|(index, uid)| {
            let (api, name) = (api.clone(), self.config.node_name(index));
            // Whatever happens next, this node does nothing any more.
            self.settle(index, Standing::Lost);
            async move {
                let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
                let params = DeleteParams { preconditions, ..DeleteParams::default() };
                match api.delete(&name, &params).await {
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(0),
                    Err(error) => Err(error),
                    Ok(_) => Ok(1),
                }
            }
        });
        let removed: Vec<Result<usize, kube::Error>> =
            removals.buffer_unordered(WORKERS).collect().await;
        removed.into_iter().sum()
    }
}

impl SeenNode {
    fn of(node: Node) -> Self {
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let is_ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        Self { uid: node.metadata.uid, is_ready }
    }
}

/// A time that differs by up to a tenth from `period`, so that what began together spreads out.
fn around(period: Duration) -> Duration {
    period.mul_f64(0.9 + 0.2 * rand::random::<f64>())
}
