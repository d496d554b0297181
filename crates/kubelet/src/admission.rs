//! Whether this node takes a pod that was bound to it.
//!
//! A pod is asked about once, when it is new. What a node has taken it keeps: neither a restart of
//! the kubelet nor a label that changes ends a pod.

mod asks;
mod fit;
mod preempt;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tracing::info;
use wk_api::well_known::{ARCH_LABEL, HOSTNAME_LABEL, OS_LABEL};
use wk_client::EventType;

pub(crate) use self::asks::Asks;
use self::fit::{Refusal, Room};
use self::preempt::Candidate;
use crate::eviction::rank::is_critical;
use crate::eviction::{self, EVICTED};
use crate::report;
use crate::shared::Shared;
use crate::state::{Failure, Inner, Phase, PodEntry, Record};

/// The reason of what is told of pods that make room.
pub(crate) const PREEMPTING: &str = "Preempting";

/// Takes a pod, or has it fail.
pub(crate) fn admit(shared: &Arc<Shared>, entry: &Arc<PodEntry>, pod: &Pod) {
    // One at a time: two that fit alone may not fit together.
    let _alone = shared.admitting.lock();
    if !is_new(&entry.lock(), pod) {
        return;
    }
    let is_critical = is_critical(pod, entry.is_static);
    let pressures = *shared.pressures.borrow();
    if let Some(message) = eviction::run::refusal(pod, is_critical, pressures) {
        return reject(shared, entry, EVICTED.into(), message);
    }
    let others = counted(shared, entry);
    let refusals = refusals(shared, entry, pod, &others);
    if refusals.is_empty() || (is_critical && make_room(shared, pod, &refusals, &others)) {
        return;
    }
    reject(shared, entry, refusals[0].reason(), refusals[0].message());
}

/// Whether nobody has taken the pod yet: whoever does writes when.
fn is_new(inner: &Inner, pod: &Pod) -> bool {
    let began = |record: &Record| !matches!(record.phase, Phase::NotStarted);
    let taken = pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
    !taken && !inner.is_stopping(pod) && !inner.records.iter().any(began)
}

/// The pods beside this one that have what they ask for, until they have ended.
fn counted(shared: &Shared, entry: &Arc<PodEntry>) -> Vec<(Arc<PodEntry>, Asks)> {
    let others = shared.entries().into_iter().filter(|other| !Arc::ptr_eq(other, entry));
    let counted = others.filter_map(|other| {
        let asks = {
            let inner = other.lock();
            let began = |record: &Record| !matches!(record.phase, Phase::NotStarted);
            let is_rejected = inner.failure.is_some() && !inner.records.iter().any(began);
            (!inner.released && !is_rejected).then(|| inner.asks.clone())
        };
        asks.map(|asks| (other, asks))
    });
    counted.collect()
}

fn refusals(
    shared: &Shared,
    entry: &PodEntry,
    pod: &Pod,
    others: &[(Arc<PodEntry>, Asks)],
) -> Vec<Refusal> {
    let facts = shared.node.borrow().clone();
    let own;
    let (labels, taints) = if let Some(facts) = &facts {
        (&facts.labels, &facts.taints[..])
    } else {
        // Without the API, the node is what it would say of itself.
        own = BTreeMap::from([
            (HOSTNAME_LABEL.to_owned(), shared.config.hostname.clone()),
            (OS_LABEL.to_owned(), "linux".to_owned()),
            (ARCH_LABEL.to_owned(), crate::node::arch().to_owned()),
        ]);
        (&own, &[][..])
    };
    let room = Room {
        allocatable: shared.allocatable,
        max_pods: shared.max_pods,
        name: &shared.config.node_name,
        labels,
        taints,
    };
    let asks = entry.lock().asks.clone();
    let others: Vec<Asks> = others.iter().map(|(_, asks)| asks.clone()).collect();
    fit::refusals(pod, &asks, &others, room, entry.is_static)
}

/// Has lesser pods go for one that the node cannot do without; false if that does not help.
fn make_room(
    shared: &Arc<Shared>,
    pod: &Pod,
    refusals: &[Refusal],
    others: &[(Arc<PodEntry>, Asks)],
) -> bool {
    let missing = refusals.iter().map(|refusal| {
        let (resource, amount) = refusal.missing()?;
        Some((resource.into(), amount))
    });
    let Some(missing) = missing.collect::<Option<Vec<_>>>() else { return false };
    let may_go = others.iter().filter(|(other, asks)| {
        let critical = is_critical(&other.pod(), other.is_static);
        other.lock().slim();
        let own = pod.spec.as_ref().and_then(|spec| spec.priority);
        !critical || own.zip(asks.priority).is_some_and(|(own, other)| own > other)
    });
    let candidates: Vec<Candidate> = may_go
        .map(|(other, asks)| Candidate { uid: other.key.uid.clone(), asks: asks.clone() })
        .collect();
    let Some(victims) = preempt::victims(&candidates, &missing) else { return false };
    for victim in victims.iter().filter_map(|uid| shared.entry(uid)) {
        let message = "Preempted in order to admit critical pod";
        info!(pod = %victim.key.name, namespace = %victim.key.namespace, message);
        shared.event(&victim.key, None, EventType::Warning, PREEMPTING, message);
        fail(shared, &victim, PREEMPTING.into(), message.to_owned(), true);
    }
    true
}

/// Has a pod end that makes room, or never begin.
fn fail(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    reason: Cow<'static, str>,
    message: String,
    disrupted: bool,
) {
    {
        let mut inner = entry.lock();
        if inner.failure.is_some() || inner.released {
            return;
        }
        let grace: Option<Duration> = None;
        inner.failure = Some(Failure { reason, message: message.into(), grace, disrupted });
    }
    report::ask(shared, entry);
    entry.interrupt.notify_one();
    shared.wake(entry);
}

/// The node does not take a pod that was bound to it: it fails.
fn reject(shared: &Arc<Shared>, entry: &Arc<PodEntry>, reason: Cow<'static, str>, message: String) {
    let told = format!("Pod was rejected: {message}");
    info!(pod = %entry.key.name, namespace = %entry.key.namespace, %reason, message, "rejected");
    shared.event(&entry.key, None, EventType::Warning, &reason, message);
    fail(shared, entry, reason, told, false);
}
