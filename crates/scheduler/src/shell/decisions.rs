//! Deciding for one pod after the other, and what comes of the writes.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use wk_api::names::NamespacedName;
use wk_client::error_chain;

use super::{BATCH, Done, Scheduler, WriteEnd};
use crate::demand::Demand;
use crate::framework::{Change, FilterSet};
use crate::metrics::Outcome;
use crate::plan::{Chance, Chosen, Preemption, Unschedulable, choose_observed};
use crate::writes::{Room, Verdict};

/// Why a pod is tried again whose room somebody else gets.
const PREEMPTED_EVENT: &str = "ForceActivate";

impl Scheduler {
    pub(super) fn choose_some(&mut self) {
        for _ in 0..BATCH {
            if self.in_flight >= self.config.writes {
                return;
            }
            let Some((key, demand)) = self.queue.take(Instant::now()) else { return };
            let Some(lane) = self.lane(&demand) else { continue };
            let chance = Chance { tie: rand::random(), start: self.start };
            let (profile, metrics) = (&lane.profile, &self.metrics);
            let begun = Instant::now();
            let mut watch = lane.metrics.watch(rand::random());
            let (decision, looked_at) =
                choose_observed(profile, &demand, &self.cluster, chance, &mut watch);
            match &decision {
                Ok(_) => metrics.decided(begun.elapsed()),
                Err(refused) => {
                    lane.metrics.attempt(Outcome::Unschedulable, begun.elapsed());
                    if profile.preempts && refused.refused_by != FilterSet::NO_NODES {
                        metrics.preempted(match &refused.preemption {
                            Preemption::Room { victims, .. } => Some(victims.len()),
                            Preemption::Unchanged | Preemption::Hopeless => None,
                        });
                    }
                }
            }
            self.start = (self.start + looked_at) % self.cluster.node_count().max(1);
            match decision {
                Ok(chosen) => self.carry_out(key, demand, chosen),
                Err(refused) => self.refuse(key, demand, refused),
            }
        }
    }

    fn carry_out(&mut self, key: NamespacedName, demand: Arc<Demand>, chosen: Chosen) {
        let Chosen { node, volumes } = chosen;
        debug!(pod = %key, node = &*node, "chosen");
        self.cluster.assume(Arc::clone(&demand), &node);
        self.wake(&Change::PodCame(&demand));
        if volumes.is_empty() {
            self.bind(key, demand, node);
        } else {
            self.ask_for_volumes(key, demand, node, volumes);
        }
    }

    pub(super) fn bind(&mut self, key: NamespacedName, demand: Arc<Demand>, node: Arc<str>) {
        let Some(lane) = self.lane(&demand) else { return };
        let (writes, pod) = (lane.writes.clone(), Arc::clone(&demand));
        let attempt = self.queue.attempt(&key);
        let (metrics, own) = (self.metrics.clone(), Arc::clone(&lane.metrics));
        self.write("bind", key, demand, async move {
            let (begun, _binding) = (Instant::now(), metrics.binding());
            let result = writes.bind(&pod, &node).await;
            let status = if result.is_ok() { "Success" } else { "Error" };
            own.passed("Bind", status, begun.elapsed());
            if let Some(attempt) = attempt.filter(|_| result.is_ok()) {
                own.attempt(Outcome::Scheduled, attempt.began.elapsed());
                metrics.bound(attempt.count, attempt.first.elapsed(), attempt.is_flushed);
            }
            Done::Bound(result)
        });
    }

    fn refuse(&mut self, key: NamespacedName, demand: Arc<Demand>, refused: Unschedulable) {
        let Unschedulable { message, refused_by, preemption } = refused;
        debug!(pod = %key, reason = message, "no node");
        let Some(lane) = self.lane(&demand) else { return };
        let (writes, pod) = (lane.writes.clone(), Arc::clone(&demand));
        let Preemption::Room { node, victims, displaced } = preemption else {
            let room = match preemption {
                Preemption::Hopeless if demand.nominated.is_some() => Room::NoMore,
                _ => Room::AsBefore,
            };
            if room == Room::NoMore {
                self.cluster.nominate(&demand, None);
            }
            self.queue.park(&key, refused_by, Instant::now());
            self.write("explain", key, demand, async move {
                writes.explain(&pod, &Verdict::unschedulable(&message, room)).await;
                Done::Explained
            });
            return;
        };
        info!(pod = %key, node = &*node, victims = victims.len(), "preempting");
        self.cluster.nominate(&demand, Some(&node));
        self.preempting.insert(key.clone());
        for other in &displaced {
            self.cluster.nominate(other, None);
            self.queue.wake_one(&other.key(), PREEMPTED_EVENT, Instant::now());
        }
        // It stays out of the queue until the others have been told, or it would choose again.
        let metrics = self.metrics.clone();
        self.write("preempt", key, demand, async move {
            let begun = Instant::now();
            let verdict = Verdict::unschedulable(&message, Room::On(&node));
            writes.explain(&pod, &verdict).await;
            let is_done = writes.make_room(&pod, &node, &victims, &displaced).await;
            metrics.made_room(is_done, begun.elapsed());
            Done::Preempted { refused_by, victims, is_done }
        });
    }

    pub(super) fn write_ended(&mut self, end: WriteEnd) {
        self.in_flight -= 1;
        let WriteEnd { key, demand, done } = end;
        match done {
            Done::Explained | Done::Bound(Ok(())) => {}
            Done::Bound(Err(error)) => {
                warn!(pod = %key, error = error_chain(&error), "cannot bind");
                self.give_up(&key, &demand, &format!("binding rejected: {}", error_chain(&error)));
            }
            Done::VolumesAsked(Ok(())) => self.volumes_asked(&key),
            Done::VolumesAsked(Err(error)) => {
                warn!(pod = %key, error = error_chain(&error), "cannot ask for volumes");
                self.volumes_failed(&key, &demand, &error_chain(&error));
            }
            Done::Preempted { refused_by, victims, is_done } => {
                self.preempting.remove(&key);
                let now = Instant::now();
                if is_done {
                    self.queue.park(&key, refused_by, now);
                    // Those that went meanwhile have woken nobody.
                    let is_gone = |one: &Arc<Demand>| !self.cluster.is_placed(&one.key(), &one.uid);
                    if victims.iter().any(is_gone) {
                        self.queue.wake_one(&key, Change::PodWent(&demand).event(), now);
                    }
                } else {
                    self.queue.retry(&key, now);
                }
            }
        }
    }

    /// A decision could not be carried out: the pod is tried again.
    pub(super) fn give_up(&mut self, key: &NamespacedName, demand: &Arc<Demand>, reason: &str) {
        if let (Some(attempt), Some(lane)) = (self.queue.attempt(key), self.lane(demand)) {
            lane.metrics.attempt(Outcome::Error, attempt.began.elapsed());
        }
        // The answer may be what got lost: then the watch shows the pod bound, now or soon.
        let Some(gone) = self.cluster.forget_assumed(key, &demand.uid) else { return };
        self.wake(&Change::PodWent(&gone));
        // What happened to the pod meanwhile was not looked at as long as it had a node.
        let now = self.caches.pods.get(key).filter(|now| now.uid == demand.uid);
        let Some(now) = now.filter(|now| now.node.is_none() && self.is_ours(now)) else {
            self.queue.remove(key);
            return;
        };
        self.queue.put(key, now);
        self.queue.retry(key, Instant::now());
        let Some(lane) = self.lane(demand) else { return };
        let (writes, pod) = (lane.writes.clone(), Arc::clone(demand));
        let reason = reason.to_owned();
        self.write("explain", key.clone(), Arc::clone(demand), async move {
            writes.explain(&pod, &Verdict::error(&reason)).await;
            Done::Explained
        });
    }
}
