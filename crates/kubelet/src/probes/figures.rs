//! How often probes were run and what they came to, for `/metrics/probes`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;
use wk_runtime::PodRef;

use super::Kind;
use crate::actions::Outcome;

/// Upper bounds of the durations that are counted together, in seconds: those of Prometheus.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Probe {
    uid: String,
    namespace: String,
    pod: String,
    container: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    successful: u64,
    failed: u64,
    unknown: u64,
    /// How many took at most as long as the bound of the same place.
    within: [u64; BOUNDS.len()],
    seconds: f64,
}

/// The figures of the probes of all pods of the node.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<BTreeMap<Probe, Counts>>);

impl Figures {
    /// Counts one run.
    pub(super) fn count(
        &self,
        key: &PodRef,
        container: &str,
        kind: Kind,
        outcome: &Outcome,
        took: Duration,
    ) {
        let probe = Probe {
            uid: key.uid.clone(),
            namespace: key.namespace.clone(),
            pod: key.name.clone(),
            container: container.to_owned(),
            kind,
        };
        let mut all = self.0.lock();
        let counts = all.entry(probe).or_default();
        match outcome {
            Outcome::Success | Outcome::Warning(_) => counts.successful += 1,
            Outcome::Failure(_) => counts.failed += 1,
            Outcome::Unknown(_) => counts.unknown += 1,
        }
        let seconds = took.as_secs_f64();
        for (count, bound) in counts.within.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= bound);
        }
        counts.seconds += seconds;
    }

    /// Forgets the probes of a pod that has gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().retain(|probe, _| probe.uid != uid);
    }

    /// In the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        let all = self.0.lock();
        let mut out = String::new();
        let labels = |probe: &Probe| {
            let Probe { namespace, pod, container, kind, .. } = probe;
            let kind = kind.title();
            format!(
                "container=\"{container}\",namespace=\"{namespace}\",pod=\"{pod}\",\
                 probe_type=\"{kind}\""
            )
        };
        let mut put = |line: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{line}");
        };
        put("# HELP prober_probe_duration_seconds Time that probes took, in seconds.".to_owned());
        put("# TYPE prober_probe_duration_seconds histogram".to_owned());
        for (probe, counts) in &*all {
            let labels = labels(probe);
            for (count, bound) in counts.within.iter().zip(BOUNDS) {
                put(format!(
                    "prober_probe_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}"
                ));
            }
            let total = counts.successful + counts.failed + counts.unknown;
            put(format!("prober_probe_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"));
            put(format!("prober_probe_duration_seconds_sum{{{labels}}} {}", counts.seconds));
            put(format!("prober_probe_duration_seconds_count{{{labels}}} {total}"));
        }
        put("# HELP prober_probe_total Probes that were run, by what they came to.".to_owned());
        put("# TYPE prober_probe_total counter".to_owned());
        for (probe, counts) in &*all {
            let (labels, uid) = (labels(probe), &probe.uid);
            let results = [
                ("successful", counts.successful),
                ("failed", counts.failed),
                ("unknown", counts.unknown),
            ];
            for (result, count) in results.into_iter().filter(|(_, count)| *count > 0) {
                put(format!(
                    "prober_probe_total{{{labels},pod_uid=\"{uid}\",result=\"{result}\"}} {count}"
                ));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_until_their_pod_has_gone() {
        let figures = Figures::default();
        let key = PodRef { namespace: "n".into(), name: "p".into(), uid: "u".into() };
        let millis = Duration::from_millis;
        figures.count(&key, "c", Kind::Readiness, &Outcome::Success, millis(4));
        let failed = Outcome::Failure("no".to_owned());
        figures.count(&key, "c", Kind::Readiness, &failed, millis(20_000));
        let text = figures.text();
        let labels = r#"container="c",namespace="n",pod="p",probe_type="Readiness""#;
        for line in [
            format!("prober_probe_duration_seconds_bucket{{{labels},le=\"0.005\"}} 1"),
            format!("prober_probe_duration_seconds_bucket{{{labels},le=\"10\"}} 1"),
            format!("prober_probe_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2"),
            format!("prober_probe_duration_seconds_sum{{{labels}}} 20.004"),
            format!("prober_probe_total{{{labels},pod_uid=\"u\",result=\"successful\"}} 1"),
            format!("prober_probe_total{{{labels},pod_uid=\"u\",result=\"failed\"}} 1"),
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        figures.forget("u");
        assert!(!figures.text().contains("container="));
    }
}
