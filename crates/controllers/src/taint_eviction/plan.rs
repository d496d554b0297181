//! When a pod has to leave a tainted node.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Taint, Toleration};

use crate::taints::tolerates;

/// What becomes of a pod on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// It stays.
    ForGood,
    /// It stays until then.
    Until(Timestamp),
}

/// A pod on a tainted node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lodger<'a> {
    pub(super) tolerations: &'a [Toleration],
    /// Since when it has been there.
    pub(super) since: Timestamp,
    /// Since when taints are known to be there that do not say it themselves.
    pub(super) seen: Timestamp,
}

/// How long a pod stays under these taints, all of which have the effect `NoExecute`.
///
/// Times count from when a taint was added, or from when the pod came, if that was later: so a
/// controller that starts anew gives nobody more time.
/// Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
pub(super) fn plan<'a>(lodger: &Lodger<'_>, taints: impl IntoIterator<Item = &'a Taint>) -> Stay {
    let mut stay = Stay::ForGood;
    for taint in taints {
        let added = taint.time_added.as_ref().map_or(lodger.seen, |added| added.0);
        let from = added.max(lodger.since);
        let Some(used) = lodger.tolerations.iter().find(|one| tolerates(one, taint)) else {
            return Stay::Until(from);
        };
        let Some(seconds) = used.toleration_seconds else { continue };
        let until = from.checked_add(SignedDuration::from_secs(seconds.max(0)));
        let until = until.unwrap_or(Timestamp::MAX);
        stay = match stay {
            Stay::Until(sooner) if sooner <= until => stay,
            Stay::ForGood | Stay::Until(_) => Stay::Until(until),
        };
    }
    stay
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn taint(word: &str) -> Taint {
        let (key, added) = word.split_once('@').unwrap();
        Taint {
            key: key.to_owned(),
            effect: "NoExecute".to_owned(),
            time_added: added
                .parse()
                .ok()
                .map(|seconds| k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(seconds))),
            value: None,
        }
    }

    fn toleration(word: &str) -> Toleration {
        let (key, seconds) = word.split_once('=').unwrap();
        Toleration {
            key: Some(key.to_owned()).filter(|key| key != "*"),
            operator: Some("Exists".to_owned()),
            toleration_seconds: seconds.parse().ok(),
            ..Toleration::default()
        }
    }

    /// Taints as `key@added`, tolerations as `key=seconds`; the pod came at 100, taints without a
    /// time were seen at 150.
    #[track_caller]
    fn check(case: &str, taints: &str, tolerations: &str, expected: Stay) {
        let taints: Vec<_> = taints.split_whitespace().map(taint).collect();
        let tolerations: Vec<_> = tolerations.split_whitespace().map(toleration).collect();
        let lodger = Lodger { tolerations: &tolerations, since: at(100), seen: at(150) };
        assert_eq!(plan(&lodger, &taints), expected, "{case}");
    }

    #[test]
    fn a_pod_stays_as_long_as_it_tolerates_every_taint() {
        let until = |seconds| Stay::Until(at(seconds));
        check("no taints", "", "", Stay::ForGood);
        check("not tolerated", "a@120", "", until(120));
        check("it came later", "a@50", "", until(100));
        check("nobody knows since when", "a@", "", until(150));
        check("tolerated for good", "a@120", "a=", Stay::ForGood);
        check("tolerated for a while", "a@120", "a=300", until(420));
        check("from when it came", "a@50", "a=300", until(400));
        check("not at all", "a@120", "a=0", until(120));
        check("a negative time is none", "a@120", "a=-5", until(120));
        check("the shortest counts", "a@120 b@130", "a=300 b=10", until(140));
        check("the first that fits counts", "a@120", "a=300 a=10", until(420));
        check("one is not tolerated", "a@120 b@500", "a=300", until(500));
        check("everything is tolerated", "a@120 b@130", "*=", Stay::ForGood);
    }
}
