//! The scheduler's loop: watch, choose, assume, write.

mod changes;
mod decisions;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::Client;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{Backoff, EventRecorder};
use wk_process::TaskGroup;

use crate::caches::Caches;
use crate::cluster::Cluster;
use crate::config::SchedulerConfig;
use crate::demand::Demand;
use crate::framework::FilterSet;
use crate::metrics::{LaneMetrics, Metrics, Pending};
use crate::profile::Profile;
use crate::queue::Queue;
use crate::writes::{VolumeError, Writes};
use waiting::Waiting;

/// How many pods are chosen for in a row before changes are looked at again.
const BATCH: usize = 16;

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    caches: Caches,
    /// The rules for the pods of each scheduler name, and who writes in that name.
    lanes: HashMap<Box<str>, Lane>,
    group: TaskGroup,
    cluster: Cluster,
    queue: Queue,
    /// Pods with a node that wait for their volumes.
    waiting: HashMap<NamespacedName, Waiting>,
    /// Our pods without a node that gates hold back, with the names of their schedulers.
    gated: HashMap<NamespacedName, Box<str>>,
    /// Pods for which others are being sent away.
    preempting: HashSet<NamespacedName>,
    /// Where in the list of nodes the next search begins.
    start: usize,
    /// Writes under way.
    in_flight: usize,
    results: mpsc::Sender<WriteEnd>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Lane {
    profile: Profile,
    writes: Writes,
    metrics: Arc<LaneMetrics>,
}

/// A write that ended.
#[derive(Debug)]
struct WriteEnd {
    key: NamespacedName,
    demand: Arc<Demand>,
    done: Done,
}

#[derive(Debug)]
enum Done {
    Bound(Result<(), kube::Error>),
    Explained,
    VolumesAsked(Result<(), VolumeError>),
    /// Others were told to go.
    Preempted {
        refused_by: FilterSet,
        victims: Vec<Arc<Demand>>,
        is_done: bool,
    },
}

impl Scheduler {
    /// Starts to schedule, in tasks of `group`; returns what is measured, at once.
    ///
    /// A replica that is not the leader watches and waits, so that it can take over at once. The
    /// task fails, and with it the group, if `config` has [faults](SchedulerConfig::faults).
    pub fn run(client: Client, config: SchedulerConfig, group: &TaskGroup) -> Metrics {
        let (metrics, faults) = (Metrics::default(), config.faults());
        if !faults.is_empty() {
            group.spawn("scheduler", async move { Err(faults.join("; ").into()) });
            return metrics;
        }
        let (results, ended) = mpsc::channel(config.writes);
        let lanes = config.profiles.iter().map(|profile| {
            let name = profile.scheduler_name.as_str();
            let events = EventRecorder::start(client.clone(), name, None, group);
            let writes = Writes::new(client.clone(), events);
            let metrics = Arc::new(LaneMetrics::new(metrics.clone(), name));
            (name.into(), Lane { profile: Profile::new(profile), writes, metrics })
        });
        let backoff = Backoff { base: config.initial_backoff, cap: config.max_backoff };
        let scheduler = Self {
            lanes: lanes.collect(),
            caches: Caches::start(client, group),
            group: group.clone(),
            cluster: Cluster::default(),
            queue: Queue::new(backoff, config.patience, metrics.clone()),
            waiting: HashMap::new(),
            gated: HashMap::new(),
            preempting: HashSet::new(),
            start: 0,
            in_flight: 0,
            results,
            metrics: metrics.clone(),
            config,
        };
        group.spawn("scheduler", async move {
            scheduler.work(ended).await;
            Ok(())
        });
        metrics
    }

    async fn work(mut self, mut ended: mpsc::Receiver<WriteEnd>) {
        let token = self.group.token();
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            // Without all nodes and all bound pods there is no saying what fits where.
            () = self.caches.ready() => {}
        }
        let inbox = self.caches.inbox();
        let mut leadership = self.config.leadership.clone();
        info!(nodes = self.caches.nodes.len(), pods = self.caches.pods.len(), "scheduler is ready");
        loop {
            let due = self.queue.next_due().into_iter().chain(self.next_timeout()).min();
            let can_choose = self.queue.has_active()
                && self.in_flight < self.config.writes
                && leadership.is_held();
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                // What has changed counts before anything is decided.
                changed = inbox.next() => self.take_over(changed),
                Some(end) = ended.recv() => self.write_ended(end),
                () = tokio::task::yield_now(), if can_choose => self.choose_some(),
                () = leadership.changed() => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)),
                    if due.is_some() => {
                        let now = Instant::now();
                        self.queue.advance(now);
                        self.give_up_overdue(now);
                    }
            }
            self.count();
        }
    }

    /// Counts what waits and what there is.
    fn count(&self) {
        self.metrics.pending(Pending { gated: self.gated.len(), ..self.queue.pending() });
        let (pods, assumed) = self.cluster.pod_counts();
        self.metrics.sizes(assumed, self.cluster.node_count(), pods);
    }

    /// Writes in a task of its own, so that writes overlap and use all cores.
    fn write(
        &mut self,
        name: &'static str,
        key: NamespacedName,
        demand: Arc<Demand>,
        write: impl Future<Output = Done> + Send + 'static,
    ) {
        self.in_flight += 1;
        let (token, results) = (self.group.token(), self.results.clone());
        self.group.spawn_quiet(name, async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                done = write => {
                    // Nobody counts any more when the scheduler has ended.
                    let _ended = results.send(WriteEnd { key, demand, done }).await;
                }
            }
        });
    }

    /// The rules and the writer for a pod; `None` if it is not ours.
    fn lane(&self, demand: &Demand) -> Option<&Lane> {
        self.lanes.get(&demand.template.scheduler)
    }
}
