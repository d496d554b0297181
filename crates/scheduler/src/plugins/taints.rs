//! Taints keep pods away that do not tolerate them.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

use k8s_openapi::api::core::v1::{Taint, Toleration};

use crate::cluster::{Cluster, NodeState, Offer};
use crate::demand::Demand;
use crate::plan::{Filter, Reasons, Score};

pub(super) struct TaintToleration;

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn check(&self, pod: &Demand, offer: &Offer, _: &NodeState) -> Result<(), Reasons> {
        let keeps_away =
            |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
        match offer.taints.iter().filter(keeps_away).find(|taint| !is_tolerated(pod, taint)) {
            Some(taint) => {
                let value = taint.value.as_deref().unwrap_or_default();
                let reason = format!("node(s) had untolerated taint {{{}: {value}}}", taint.key);
                Err(vec![reason.into()])
            }
            None => Ok(()),
        }
    }
}

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn weight(&self) -> i64 {
        3
    }

    /// How many taints deter the pod; fewer are better, which [`Score::normalize`] turns round.
    fn score(&self, pod: &Demand, offer: &Offer, _: &NodeState, _: &Cluster) -> i64 {
        let deters =
            |taint: &&Taint| taint.effect == "PreferNoSchedule" && !is_tolerated(pod, taint);
        i64::try_from(offer.taints.iter().filter(deters).count()).unwrap_or(i64::MAX)
    }

    fn normalize(&self, scores: &mut [i64]) {
        super::normalize(scores);
        for score in scores {
            *score = 100 - *score;
        }
    }
}

fn is_tolerated(pod: &Demand, taint: &Taint) -> bool {
    let value = taint.value.as_deref().unwrap_or_default();
    let mut tolerations = pod.needs.iter().flat_map(|needs| &needs.tolerations);
    tolerations.any(|toleration| tolerates(toleration, &taint.key, value, &taint.effect))
}

/// Whether `toleration` is for a taint of this key, value and effect.
pub(super) fn tolerates(toleration: &Toleration, key: &str, value: &str, effect: &str) -> bool {
    let text = |part: &'_ Option<String>| part.clone().unwrap_or_default();
    let (own_effect, own_key) = (text(&toleration.effect), text(&toleration.key));
    if !own_effect.is_empty() && own_effect != effect || !own_key.is_empty() && own_key != key {
        return false;
    }
    let own_value = toleration.value.as_deref().unwrap_or_default();
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => own_value == value && !own_key.is_empty(),
        Some(_) => false,
    }
}
