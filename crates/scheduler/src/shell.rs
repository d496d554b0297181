//! The scheduler's loop: watch, choose, assume, write.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use wk_api::names::{NamespacedName, Uid};
use wk_api::well_known::DEFAULT_SCHEDULER;
use wk_client::{EventRecorder, Informer, Leadership, error_chain};
use wk_process::TaskGroup;

use crate::cluster::{Cluster, Offer};
use crate::demand::Demand;
use crate::plan::choose;
use crate::queue::{Queue, Wake};
use crate::writes::Writes;

/// How many pods are chosen for in a row before changes are looked at again.
const BATCH: usize = 64;

/// How a scheduler works.
#[derive(Clone, Debug)]
pub struct SchedulerConfig {
    /// It takes care of pods whose `spec.schedulerName` is this.
    pub name: String,
    /// How many writes may be under way at once; they wait for the disk, so many share one sync.
    pub writes: usize,
    /// Whether this replica is the one that acts.
    pub leadership: Leadership,
}

impl SchedulerConfig {
    /// The `default-scheduler`, alone in its cluster.
    pub fn alone() -> Self {
        Self { name: DEFAULT_SCHEDULER.to_owned(), writes: 128, leadership: Leadership::alone() }
    }
}

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    pods: Informer<Demand>,
    nodes: Informer<Offer>,
    writes: Writes,
    group: TaskGroup,
    cluster: Cluster,
    queue: Queue,
    /// Writes under way.
    in_flight: usize,
    results: mpsc::Sender<WriteEnd>,
}

/// A write that ended.
#[derive(Debug)]
struct WriteEnd {
    key: NamespacedName,
    uid: Uid,
    /// Whether the pod needs another attempt.
    failed_bind: bool,
}

impl Scheduler {
    /// Starts to schedule, in tasks of `group`; returns at once.
    ///
    /// A replica that is not the leader watches and waits, so that it can take over at once.
    pub fn run(client: Client, config: SchedulerConfig, group: &TaskGroup) {
        let watch = watcher::Config::default();
        let pods =
            Informer::projected(Api::<Pod>::all(client.clone()), watch.clone(), group, Demand::of);
        let nodes = Informer::projected(Api::<Node>::all(client.clone()), watch, group, |node| {
            Some(Offer::of(node))
        });
        let events = EventRecorder::start(client.clone(), config.name.clone(), None, group);
        let (results, ended) = mpsc::channel(config.writes.max(1));
        let scheduler = Self {
            pods,
            nodes,
            writes: Writes::new(client, events),
            group: group.clone(),
            cluster: Cluster::default(),
            queue: Queue::default(),
            in_flight: 0,
            results,
            config,
        };
        group.spawn("scheduler", async move {
            scheduler.work(ended).await;
            Ok(())
        });
    }

    async fn work(mut self, mut ended: mpsc::Receiver<WriteEnd>) {
        let token = self.group.token();
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            // Without all nodes and all bound pods there is no saying what fits where.
            () = async { tokio::join!(self.nodes.ready(), self.pods.ready()); } => {}
        }
        let (mut nodes, mut pods) = (self.nodes.subscribe(), self.pods.subscribe());
        let mut leadership = self.config.leadership.clone();
        info!(nodes = self.nodes.len(), pods = self.pods.len(), "scheduler is ready");
        loop {
            let due = self.queue.next_due();
            let can_choose = self.queue.has_active()
                && self.in_flight < self.config.writes.max(1)
                && leadership.is_held();
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                // What has changed counts before anything is decided; nodes first, so that pods
                // that are bound find theirs.
                keys = nodes.next() => self.nodes_changed(keys),
                keys = pods.next() => self.pods_changed(keys),
                Some(end) = ended.recv() => self.write_ended(&end),
                () = std::future::ready(()), if can_choose => self.choose_some(),
                () = leadership.changed() => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)),
                    if due.is_some() => self.queue.advance(Instant::now()),
            }
        }
    }

    fn nodes_changed(&mut self, keys: BTreeSet<NamespacedName>) {
        let mut helps = false;
        for key in keys {
            match self.nodes.get(&key) {
                Some(offer) => helps |= self.cluster.put_node(&offer),
                None => self.cluster.remove_node(&key.name),
            }
        }
        if helps {
            self.queue.wake(Wake::Node, Instant::now());
        }
    }

    fn pods_changed(&mut self, keys: BTreeSet<NamespacedName>) {
        let mut freed = false;
        for key in keys {
            let Some(demand) = self.pods.get(&key) else {
                self.queue.remove(&key);
                freed |= self.cluster.remove_pod(&key);
                continue;
            };
            if let Some(node) = demand.node.clone() {
                self.queue.remove(&key);
                self.cluster.put_bound(key, demand, node);
            } else if self.cluster.is_assumed(&key, &demand.uid) {
                // Its binding is under way, and this is an earlier state of it.
            } else {
                freed |= self.cluster.remove_pod(&key);
                if self.is_ours(&demand) {
                    self.queue.put(&key, demand);
                } else {
                    self.queue.remove(&key);
                }
            }
        }
        if freed {
            self.queue.wake(Wake::PodGone, Instant::now());
        }
    }

    fn is_ours(&self, demand: &Demand) -> bool {
        let is_ours =
            |needs: &crate::demand::Needs| needs.scheduler == self.config.name && !needs.is_gated;
        !demand.is_terminating && demand.needs.as_deref().is_some_and(is_ours)
    }

    fn choose_some(&mut self) {
        for _ in 0..BATCH {
            if self.in_flight >= self.config.writes.max(1) {
                return;
            }
            let now = Instant::now();
            let Some((key, demand)) = self.queue.take(now) else { return };
            self.in_flight += 1;
            let (writes, results) = (self.writes.clone(), self.results.clone());
            match choose(&demand, &self.cluster, rand::random()) {
                Ok(node) => {
                    debug!(pod = %key, node, "chosen");
                    self.cluster.assume(key.clone(), Arc::clone(&demand), node.clone());
                    self.write("bind", async move {
                        let bound = writes.bind(&key, &demand, &node).await;
                        if let Err(error) = &bound {
                            warn!(pod = %key, node, error = error_chain(error), "cannot bind");
                        }
                        let uid = demand.uid.clone();
                        let end = WriteEnd { key, uid, failed_bind: bound.is_err() };
                        // Nobody counts any more when the scheduler has ended.
                        let _ended = results.send(end).await;
                    });
                }
                Err(refused) => {
                    debug!(pod = %key, reason = refused.message, "no node");
                    self.queue.park(&key, refused.minds_other_pods, now);
                    self.write("explain", async move {
                        writes.explain(&key, &demand, &refused.message).await;
                        let uid = demand.uid.clone();
                        let _ended = results.send(WriteEnd { key, uid, failed_bind: false }).await;
                    });
                }
            }
        }
    }

    /// Writes in a task of its own, so that writes overlap and use all cores.
    fn write(&self, name: &'static str, write: impl Future<Output = ()> + Send + 'static) {
        let token = self.group.token();
        self.group.spawn_quiet(name, async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                () = write => {}
            }
        });
    }

    fn write_ended(&mut self, end: &WriteEnd) {
        self.in_flight -= 1;
        if end.failed_bind && self.cluster.is_assumed(&end.key, &end.uid) {
            self.cluster.forget_assumed(&end.key, &end.uid);
            // The answer may be what got lost: then the watch shows the pod bound and takes it out.
            self.queue.retry(&end.key, Instant::now());
            self.queue.wake(Wake::PodGone, Instant::now());
        }
    }
}
