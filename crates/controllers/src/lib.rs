//! The controllers: each brings one aspect of the cluster closer to what is wanted.
//!
//! One module a controller: `plan.rs` decides, the shell beside it observes and carries out. They
//! share one watch for each kind, and each acts under its own name.
//!
//! # Invariants
//! - They know only the API, also in the API server's own process.
//! - Every reconcile works from what is; running it twice does nothing the second time.
//! - Nothing is done before the caches are full, or by a replica that does not lead.

mod amount;
mod certificates;
mod claims;
mod cluster_role;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoints;
mod ephemeral_volume;
mod expectations;
mod garbage;
mod hash;
mod history;
mod hpa;
mod job;
mod meta;
mod namespace;
mod node_ipam;
mod node_lifecycle;
mod node_ttl;
mod pod_control;
mod pod_gc;
mod replica_set;
mod resource_quota;
mod rest;
mod revisions;
mod root_ca;
mod service_account;
mod service_account_token;
mod stateful_set;
mod storage_protection;
mod taint_eviction;
mod taints;
mod volume_binder;
mod wake;
mod watched;

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::Client;
use wk_client::{Leadership, Outcome, WorkQueue};
use wk_process::TaskGroup;

pub use certificates::Signer;
pub use node_ipam::{Ipv4Range, RangeError};
pub use node_lifecycle::NodeEviction;
use watched::{Watched, selecting, selector};

/// How the controllers work.
#[derive(Clone, Debug)]
pub struct ControllersConfig {
    /// The cluster's CA, PEM, which every namespace gets to know.
    pub ca_pem: String,
    /// The range that the nodes' pod ranges are cut from; `None` leaves pod ranges to others.
    pub cluster_cidr: Option<Ipv4Range>,
    /// The prefix length of a node's pod range; at least the cluster range's, at most 30.
    pub node_mask: u8,
    /// How long a node may be silent before it counts as unreachable.
    pub node_grace_period: Duration,
    /// How long a new node may take until it says something.
    pub node_startup_grace_period: Duration,
    /// How fast pods are sent away from nodes that do not answer.
    pub node_eviction: NodeEviction,
    /// How many finished pods are kept.
    pub finished_pods: usize,
    /// What signs certificates; `None` leaves approved requests to others.
    pub signer: Option<Signer>,
    /// Whether this replica is the one that acts.
    pub leadership: Leadership,
}

impl ControllersConfig {
    /// The rootless defaults: a /20 of 127.64.0.0/11 for each node, and Kubernetes' own figures
    /// (50 s of silence, 12,500 finished pods), for a replica without others.
    pub fn rootless(ca_pem: String) -> Self {
        Self {
            ca_pem,
            cluster_cidr: Some(Ipv4Range::ROOTLESS_PODS),
            node_mask: 20,
            node_grace_period: Duration::from_secs(50),
            node_startup_grace_period: Duration::from_mins(1),
            node_eviction: NodeEviction::default(),
            finished_pods: 12_500,
            signer: None,
            leadership: Leadership::alone(),
        }
    }
}

/// All controllers of this crate.
#[derive(Debug)]
pub struct Controllers;

impl Controllers {
    /// Starts them in tasks of `group`; returns at once.
    ///
    /// `client_for` gives the client that acts as a user: `system:kube-controller-manager` for the
    /// watches and `system:serviceaccount:kube-system:NAME-controller` for each controller. It may
    /// give the same client for all.
    pub fn run(client_for: impl Fn(&str) -> Client, config: ControllersConfig, group: &TaskGroup) {
        let watching = client_for("system:kube-controller-manager");
        let watched = Watched::start(&watching, config.leadership.clone(), group);
        let shell = Shell { group: group.clone(), leadership: config.leadership.clone(), watched };
        let client = |name: &str| {
            client_for(&format!("system:serviceaccount:kube-system:{name}-controller"))
        };
        namespace::run(&client("namespace"), &shell);
        garbage::run(&watching, client("generic-garbage-collector"), &shell);
        let scaled = disruption::Scaled {
            stateful_sets: stateful_set::watch(&watching, &shell),
            replication_controllers: replica_set::watch_older(&watching, &shell),
        };
        let older = (client("replication"), &scaled.replication_controllers);
        replica_set::run(client("replicaset"), older, &shell);
        deployment::run(client("deployment"), &shell);
        let jobs = selecting(&watching, group, |job: &Job| {
            selector(job.spec.as_ref().and_then(|spec| spec.selector.as_ref()))
        });
        job::run(client("job"), &jobs, &shell);
        cron_job::run(&watching, client("cronjob"), jobs, &shell);
        let revisions = stateful_set::watch_revisions(&watching, &shell);
        let sets = scaled.stateful_sets.clone();
        stateful_set::run(&watching, client("statefulset"), sets, revisions.clone(), &shell);
        daemon_set::run(&watching, client("daemon-set"), revisions, &shell);
        disruption::run(&watching, client("disruption"), scaled, &shell);
        let (slices, older) = (client("endpointslice"), client("endpoint"));
        endpoints::run(&watching, slices, older, client("endpointslicemirroring"), &shell);
        let accounts = service_account::watch(&watching, &shell);
        let ca = config.ca_pem.clone();
        service_account_token::run(watching.clone(), ca, accounts.clone(), &shell);
        service_account::run(client("service-account"), accounts, &shell);
        cluster_role::run(client("clusterrole-aggregation"), &shell);
        root_ca::run(client("root-ca-certificate-publisher"), config.ca_pem, &shell);
        if let Some(range) = config.cluster_cidr {
            node_ipam::run(client("node-ipam"), range, config.node_mask, &shell);
        }
        pod_gc::run(client("pod-garbage-collector"), config.finished_pods, &shell);
        let patience = node_lifecycle::Patience {
            grace: config.node_grace_period,
            startup: config.node_startup_grace_period,
            eviction: config.node_eviction,
        };
        node_lifecycle::run(&client("node"), patience, &shell);
        taint_eviction::run(client("node"), &shell);
        node_ttl::run(client("ttl"), &shell);
        certificates::run(client("certificate"), config.signer, &shell);
        resource_quota::run(&watching, client("resourcequota"), &shell);
        let autoscaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
        hpa::run(client_for(autoscaler), &shell);
        storage_protection::run(client("pvc-protection"), client("pv-protection"), &shell);
        ephemeral_volume::run(client("ephemeral-volume"), &shell);
        let binder = "system:serviceaccount:kube-system:persistent-volume-binder";
        volume_binder::run(&watching, client_for(binder), &shell);
    }
}

/// How long a key waits after a conflict, if nothing wakes it before.
const CONFLICT_DELAY: Duration = Duration::from_millis(200);

/// What all shells share.
#[derive(Clone)]
struct Shell {
    group: TaskGroup,
    leadership: Leadership,
    watched: Arc<Watched>,
}

impl Shell {
    /// Works on the keys of `queue` once the caches are full and while this replica leads.
    fn run<K, F, Fut>(&self, name: &str, queue: &WorkQueue<K>, workers: usize, reconcile: F)
    where
        K: Clone + Eq + Hash + std::fmt::Display + Send + Sync + 'static,
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, kube::Error>> + Send + 'static,
    {
        let (leadership, watched) = (self.leadership.clone(), Arc::clone(&self.watched));
        let token = self.group.token();
        queue.run(&self.group, format!("{name} controller"), workers, move |key| {
            let (mut leadership, watched) = (leadership.clone(), Arc::clone(&watched));
            let (work, token) = (reconcile(key), token.clone());
            async move {
                let turn = async {
                    watched.ready().await;
                    leadership.act().await
                };
                let Some(_acting) = token.run_until_cancelled(turn).await else {
                    return Ok(Outcome::Done);
                };
                tokio::select! {
                    biased;
                    // Another replica may act by now: what is left to do is its.
                    () = leadership.lost() => Ok(Outcome::After(Duration::ZERO)),
                    outcome = work => outcome,
                }
            }
        });
    }
}

/// Whether a write failed because what it is about, or its namespace, is gone or going.
fn is_gone(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 404
        || status.code == 403 && causes.into_iter().any(|one| one.reason == "NamespaceTerminating")
}

/// Makes "it is gone already" a success.
fn unless_gone<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(error) if !is_gone(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes "somebody else was faster" a reason to look again: what they wrote is on its way to the
/// caches, and brings the key back by itself.
fn conflict_is_later(result: Result<Outcome, kube::Error>) -> Result<Outcome, kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.reason == "Conflict" => {
            tracing::debug!(status.message, "written by somebody else meanwhile");
            Ok(Outcome::After(CONFLICT_DELAY))
        }
        other => other,
    }
}
