//! What a failed pod means, and when some successes are enough.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};

use super::indexes;
use crate::watched::{JobPod, Phase, PodView};

/// What the failure of a pod leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It counts.
    Counts,
    /// It does not count.
    Ignored,
    /// Its index has failed for good.
    FailsIndex,
    /// The Job has failed, with this message.
    FailsJob(String),
}

/// What the Job's pod failure policy says of a failed pod.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy>
pub(super) fn judge(spec: &JobSpec, pod: &PodView) -> Failure {
    let Some(policy) = &spec.pod_failure_policy else { return Failure::Counts };
    // A pod that has not ended for good may still end well.
    let Some(job) = pod.job.as_deref().filter(|_| pod.phase == Phase::Failed) else {
        return Failure::Counts;
    };
    for (number, rule) in policy.rules.iter().enumerate() {
        let Some(why) = matching(rule, pod, job) else { continue };
        return match rule.action.as_str() {
            "Ignore" => Failure::Ignored,
            "FailIndex" if spec.backoff_limit_per_index.is_some() => Failure::FailsIndex,
            "FailJob" => {
                Failure::FailsJob(format!("{why} matching FailJob rule at index {number}"))
            }
            _ => Failure::Counts,
        };
    }
    Failure::Counts
}

fn matching(rule: &PodFailurePolicyRule, pod: &PodView, job: &JobPod) -> Option<String> {
    let who = format!("{}/{}", pod.namespace, pod.name);
    if let Some(codes) = &rule.on_exit_codes {
        let (container, code) =
            job.exits.iter().find(|(name, code)| has_code(codes, name, *code))?;
        return Some(format!("Container {container} for pod {who} failed with exit code {code}"));
    }
    let patterns = rule.on_pod_conditions.iter().flatten();
    let mut kinds = patterns.filter(|pattern| {
        let wanted = pattern.status.as_deref().unwrap_or("True");
        job.conditions.iter().any(|(kind, status)| *kind == pattern.type_ && status == wanted)
    });
    Some(format!("Pod {who} has condition {}", kinds.next()?.type_))
}

fn has_code(codes: &PodFailurePolicyOnExitCodesRequirement, name: &str, code: i32) -> bool {
    if code == 0 || codes.container_name.as_deref().is_some_and(|wanted| wanted != name) {
        return false;
    }
    match codes.operator.as_str() {
        "In" => codes.values.contains(&code),
        "NotIn" => !codes.values.contains(&code),
        _ => false,
    }
}

/// The number of the first rule of the success policy that these indexes fulfil.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy>
pub(super) fn succeeded_by(spec: &JobSpec, succeeded: &BTreeSet<u32>, limit: u32) -> Option<usize> {
    let policy = spec.success_policy.as_ref()?;
    policy.rules.iter().position(|rule| {
        let named = rule.succeeded_indexes.as_ref().map(|text| indexes::parse(text, limit));
        let count = match &named {
            Some(named) => named.intersection(succeeded).count(),
            None => succeeded.len(),
        };
        match (rule.succeeded_count, &named) {
            (Some(wanted), _) => count >= usize::try_from(wanted).unwrap_or(usize::MAX),
            (None, Some(named)) => count == named.len(),
            (None, None) => false,
        }
    })
}
