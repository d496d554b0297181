//! How many replicas a metric asks for.
//!
//! Pods that tell nothing, are not ready or are going are counted so that nobody scales further
//! than the rest justifies.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details>

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::pods::PodSeen;

/// How long after its start a pod may be busy with starting: what it uses then counts only while it
/// is ready.
const CPU_INITIALIZATION: SignedDuration = SignedDuration::from_mins(5);
/// A pod that is not ready and last changed in that within this time of its start never was ready.
const INITIAL_READINESS: SignedDuration = SignedDuration::from_secs(30);

/// What one pod is measured at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodMetric {
    /// The end of the time measured.
    pub(super) at: Timestamp,
    /// The time measured.
    pub(super) window: SignedDuration,
    /// In thousandths.
    pub(super) value: i64,
}

/// By name of the pod.
pub(super) type PodMetrics = BTreeMap<String, PodMetric>;

/// How far from its aim a metric may be without anything being done, in each direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tolerance {
    pub(super) down: f64,
    pub(super) up: f64,
}

impl Tolerance {
    fn covers(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// What a metric asks for, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) replicas: i32,
    /// The mean of the pods in percent of what they request; 0 where that is not asked.
    pub(super) utilization: i32,
    /// The mean of the pods in thousandths.
    pub(super) value: i64,
}

/// What is the same for all metrics of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    /// Replicas as they are wanted now.
    pub(super) current: i32,
    pub(super) pods: &'a [PodSeen],
    pub(super) tolerance: Tolerance,
    pub(super) now: Timestamp,
}

/// Aims at `target` percent of what the pods, or one container of each, request of a resource.
pub(super) fn by_utilization(
    ground: Ground<'_>,
    resource: &str,
    container: Option<&str>,
    target: i32,
    metrics: PodMetrics,
) -> Result<Asked, String> {
    let groups = ground.groups(&metrics, Some(resource))?;
    let mut known = groups.without_ignored(metrics);
    if known.is_empty() {
        return Err(NO_METRICS.to_owned());
    }
    let requests = requests(ground.pods, container, resource)?;
    let (ratio, utilization, value) = utilization(&known, &requests, target)?;
    let asked = |replicas| Asked { replicas, utilization, value };
    if !groups.counts_unready(ratio) && groups.missing.is_empty() {
        let stays = ground.tolerance.covers(ratio);
        return Ok(asked(if stays { ground.current } else { ceil(ratio, groups.ready) }));
    }
    // On the way down a pod that tells nothing counts as using all that it may, on the way up as
    // using nothing.
    let fallback = i64::from(target.max(100));
    for pod in &groups.missing {
        let full = requests.get(pod).copied().unwrap_or(0).saturating_mul(fallback) / 100;
        if ratio < 1.0 {
            known.insert(pod.clone(), counted(full));
        } else if ratio > 1.0 {
            known.insert(pod.clone(), counted(0));
        }
    }
    groups.fill_unready(ratio, &mut known);
    let (again, _, _) = self::utilization(&known, &requests, target)?;
    Ok(asked(ground.settled(ratio, again, known.len())))
}

/// Aims at a mean of `target` thousandths over the pods; `resource` is set where the metric is one.
pub(super) fn by_average(
    ground: Ground<'_>,
    resource: Option<&str>,
    target: i64,
    metrics: PodMetrics,
) -> Result<Asked, String> {
    let groups = ground.groups(&metrics, resource)?;
    let mut known = groups.without_ignored(metrics);
    if known.is_empty() {
        return Err(NO_METRICS.to_owned());
    }
    let (ratio, value) = average(&known, target);
    let asked = |replicas| Asked { replicas, utilization: 0, value };
    if !groups.counts_unready(ratio) && groups.missing.is_empty() {
        let stays = ground.tolerance.covers(ratio);
        return Ok(asked(if stays { ground.current } else { ceil(ratio, groups.ready) }));
    }
    for pod in &groups.missing {
        known.insert(pod.clone(), counted(if ratio < 1.0 { target } else { 0 }));
    }
    groups.fill_unready(ratio, &mut known);
    let (again, _) = average(&known, target);
    Ok(asked(ground.settled(ratio, again, known.len())))
}

/// Aims at `target` of a value that is not of pods.
pub(super) fn by_value(ground: Ground<'_>, value: i64, target: i64) -> Result<i32, String> {
    let ratio = float(value) / float(target);
    if ground.current == 0 {
        return Ok(ceil(ratio, 1));
    }
    if ground.tolerance.covers(ratio) {
        return Ok(ground.current);
    }
    if ground.pods.is_empty() {
        return Err(format!("unable to calculate ready pods: {NO_PODS}"));
    }
    let ready = ground.pods.iter().filter(|pod| pod.is_running() && pod.is_ready()).count();
    Ok(ceil(ratio, ready))
}

/// Aims at `target` of a value for each of `replicas`; returns what it asks for and the mean.
pub(super) fn by_share(tolerance: Tolerance, replicas: i32, value: i64, target: i64) -> (i32, i64) {
    let ratio = float(value) / (float(target) * f64::from(replicas));
    let wanted =
        if tolerance.covers(ratio) { replicas } else { ceil(float(value) / float(target), 1) };
    let mean = if replicas > 0 { (float(value) / f64::from(replicas)).ceil() } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "it is at most a 64-bit number")]
    let mean = mean as i64;
    (wanted, mean)
}

const NO_PODS: &str = "no pods returned by selector while calculating replica count";
const NO_METRICS: &str = "did not receive metrics for targeted pods (pods might be unready)";

/// The pods by how they count.
#[derive(Debug, Default)]
struct Groups {
    ready: usize,
    unready: BTreeSet<String>,
    missing: BTreeSet<String>,
    ignored: BTreeSet<String>,
}

impl Groups {
    fn without_ignored(&self, mut metrics: PodMetrics) -> PodMetrics {
        metrics.retain(|pod, _| !self.ignored.contains(pod) && !self.unready.contains(pod));
        metrics
    }

    fn counts_unready(&self, ratio: f64) -> bool {
        !self.unready.is_empty() && ratio > 1.0
    }

    /// On the way up pods that are not ready count as using nothing.
    fn fill_unready(&self, ratio: f64, known: &mut PodMetrics) {
        if self.counts_unready(ratio) {
            known.extend(self.unready.iter().map(|pod| (pod.clone(), counted(0))));
        }
    }
}

impl Ground<'_> {
    fn groups(&self, metrics: &PodMetrics, resource: Option<&str>) -> Result<Groups, String> {
        if self.pods.is_empty() {
            return Err(NO_PODS.to_owned());
        }
        let mut groups = Groups::default();
        for pod in self.pods {
            let name = pod.name.clone();
            if pod.is_deleted || pod.phase == "Failed" {
                groups.ignored.insert(name);
            } else if pod.phase == "Pending" {
                groups.unready.insert(name);
            } else if let Some(metric) = metrics.get(&name) {
                if resource == Some("cpu") && is_starting(pod, metric, self.now) {
                    groups.unready.insert(name);
                } else {
                    groups.ready += 1;
                }
            } else {
                groups.missing.insert(name);
            }
        }
        Ok(groups)
    }

    /// The replicas for a ratio that was completed by guesses: these never turn the direction.
    fn settled(&self, first: f64, ratio: f64, pods: usize) -> i32 {
        let turned = first < 1.0 && ratio > 1.0 || first > 1.0 && ratio < 1.0;
        if self.tolerance.covers(ratio) || turned {
            return self.current;
        }
        let wanted = ceil(ratio, pods);
        if ratio < 1.0 && wanted > self.current || ratio > 1.0 && wanted < self.current {
            return self.current;
        }
        wanted
    }
}

/// Whether the processor time of a pod says only that it starts.
fn is_starting(pod: &PodSeen, metric: &PodMetric, now: Timestamp) -> bool {
    let (Some(ready), Some(started)) = (&pod.ready, pod.started) else { return true };
    let unready = ready.status == "False";
    if later(started, CPU_INITIALIZATION) > now {
        return unready || metric.at < later(ready.since, metric.window);
    }
    unready && later(started, INITIAL_READINESS) > ready.since
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}

/// What each pod requests, in thousandths.
fn requests(
    pods: &[PodSeen],
    container: Option<&str>,
    resource: &str,
) -> Result<BTreeMap<String, i64>, String> {
    let of = |pod: &PodSeen| {
        if container.is_none()
            && let Some(own) = pod.requests.get(resource)
        {
            return Ok((pod.name.clone(), *own));
        }
        let mut sum = 0_i64;
        for one in pod.containers.iter().filter(|one| container.is_none_or(|c| c == one.name)) {
            let own = one.requests.get(resource).ok_or_else(|| {
                format!(
                    "missing request for {resource} in container {} of Pod {}",
                    one.name, pod.name
                )
            })?;
            sum = sum.saturating_add(*own);
        }
        Ok((pod.name.clone(), sum))
    };
    pods.iter().map(of).collect()
}

/// How the pods stand to the target, the percentage of their requests, and their mean.
fn utilization(
    metrics: &PodMetrics,
    requests: &BTreeMap<String, i64>,
    target: i32,
) -> Result<(f64, i32, i64), String> {
    let (mut used, mut requested, mut count) = (0_i64, 0_i64, 0_i64);
    for (pod, metric) in metrics {
        // Requests that are missing were noticed before: this is no pod of ours.
        let Some(request) = requests.get(pod) else { continue };
        used = used.saturating_add(metric.value);
        requested = requested.saturating_add(*request);
        count += 1;
    }
    if requested == 0 {
        return Err("no metrics returned matched known pods".to_owned());
    }
    let percent = i32::try_from(used.saturating_mul(100) / requested).unwrap_or(i32::MAX);
    Ok((f64::from(percent) / f64::from(target), percent, used / count))
}

fn average(metrics: &PodMetrics, target: i64) -> (f64, i64) {
    let sum = metrics.values().fold(0_i64, |sum, metric| sum.saturating_add(metric.value));
    let count = i64::try_from(metrics.len()).unwrap_or(i64::MAX).max(1);
    let mean = sum / count;
    (float(mean) / float(target), mean)
}

/// A guess instead of a measurement.
fn counted(value: i64) -> PodMetric {
    PodMetric { at: Timestamp::UNIX_EPOCH, window: SignedDuration::ZERO, value }
}

#[expect(clippy::cast_precision_loss, reason = "ratios need no exactness")]
fn float(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "numbers of pods are small, and a ratio beyond them all is cut off"
)]
fn ceil(ratio: f64, pods: usize) -> i32 {
    (ratio * pods as f64).ceil() as i32
}
