//! How fast a target may follow what its metrics ask for: stabilisation and rates.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#configurable-scaling-behavior>

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior,
};

/// How long a lower number of replicas has to be asked for until it counts, if nobody says.
const DOWNSCALE_WINDOW: i32 = 300;
/// The longest that anything is looked back at.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What was asked for and done lately. It is lost with the process, which only makes it careful.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    asked: Vec<(Timestamp, i32)>,
    ups: Vec<(Timestamp, i32)>,
    downs: Vec<(Timestamp, i32)>,
}

/// What becomes of a number that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paced {
    pub(super) replicas: i32,
    /// Reason and message of `AbleToScale`, which is true.
    pub(super) able: (&'static str, &'static str),
    /// Whether scaling is limited.
    pub(super) is_limited: bool,
    /// Reason and message of `ScalingLimited`.
    pub(super) limited: (&'static str, &'static str),
}

/// Between what replicas are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) current: i32,
    pub(super) min: i32,
    pub(super) max: i32,
}

const READY: (&str, &str) = ("ReadyForNewScale", "recommended size matches current size");
const UP_STABILIZED: (&str, &str) = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const DOWN_STABILIZED: (&str, &str) = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent \
     recommendation",
);
const WITHIN: (&str, &str) =
    ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FAST: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: (&str, &str) = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const TOO_MANY: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");

impl Memory {
    /// Remembers the number of replicas found first, so that it is not given up at once.
    pub(super) fn begin(&mut self, current: i32, now: Timestamp) {
        if self.asked.is_empty() {
            self.asked.push((now, current));
        }
    }

    /// Remembers that the target was scaled; only behaviours look at it.
    pub(super) fn scaled(&mut self, from: i32, to: i32, now: Timestamp) {
        let cutoff = before(now, LONGEST);
        for events in [&mut self.ups, &mut self.downs] {
            events.retain(|(at, _)| *at > cutoff);
        }
        if to > from {
            self.ups.push((now, to - from));
        } else {
            self.downs.push((now, from - to));
        }
    }

    /// Bounds a number that was asked for, and remembers it.
    pub(super) fn pace(
        &mut self,
        behavior: Option<&HorizontalPodAutoscalerBehavior>,
        range: Range,
        asked: i32,
        now: Timestamp,
    ) -> Paced {
        let paced = match behavior {
            Some(behavior) => self.with_behavior(behavior, range, asked, now),
            None => self.without_behavior(range, asked, now),
        };
        let cutoff = before(now, LONGEST);
        self.asked.retain(|(at, _)| *at > cutoff);
        self.asked.push((now, asked));
        paced
    }

    fn without_behavior(&self, range: Range, asked: i32, now: Timestamp) -> Paced {
        let cutoff = before(now, seconds(DOWNSCALE_WINDOW));
        let recent = self.asked.iter().filter(|(at, _)| *at >= cutoff).map(|(_, asked)| *asked);
        let stable = recent.fold(asked, i32::max);
        let able = if stable == asked { READY } else { DOWN_STABILIZED };
        let limit = range.current.saturating_mul(2).max(4);
        let (most, limited) =
            if range.max > limit { (limit, TOO_FAST) } else { (range.max, TOO_MANY) };
        let (replicas, limited) = if stable < range.min {
            (range.min, TOO_FEW)
        } else if stable > most {
            (most, limited)
        } else {
            (stable, WITHIN)
        };
        Paced { replicas, able, is_limited: replicas != stable, limited }
    }

    fn with_behavior(
        &self,
        behavior: &HorizontalPodAutoscalerBehavior,
        range: Range,
        asked: i32,
        now: Timestamp,
    ) -> Paced {
        let up = Rules::up(behavior.scale_up.as_ref());
        let down = Rules::down(behavior.scale_down.as_ref());
        let since = |window: i32| {
            let cutoff = before(now, seconds(window));
            self.asked.iter().filter(move |(at, _)| *at > cutoff).map(|(_, asked)| *asked)
        };
        let lowest = since(up.window).fold(asked, i32::min);
        let highest = since(down.window).fold(asked, i32::max);
        let stable = range.current.max(lowest).min(highest);
        let able = if stable == asked {
            READY
        } else if asked >= range.current {
            UP_STABILIZED
        } else {
            DOWN_STABILIZED
        };
        let (replicas, limited) = match stable.cmp(&range.current) {
            Ordering::Greater => {
                let limit = self.limit_up(range.current, &up, now).max(range.current);
                let (most, limited) =
                    if range.max > limit { (limit, TOO_FAST) } else { (range.max, TOO_MANY) };
                if stable > most { (most, limited) } else { (stable, WITHIN) }
            }
            Ordering::Less => {
                let limit = self.limit_down(range.current, &down, now).min(range.current);
                let (least, limited) =
                    if range.min < limit { (limit, TOO_FAST_DOWN) } else { (range.min, TOO_FEW) };
                if stable < least { (least, limited) } else { (stable, WITHIN) }
            }
            Ordering::Equal => (stable, WITHIN),
        };
        Paced { replicas, able, is_limited: replicas != stable, limited }
    }

    /// The replicas there were at the start of a policy's period.
    fn at_start(&self, current: i32, policy: &HPAScalingPolicy, now: Timestamp) -> i32 {
        let cutoff = before(now, seconds(policy.period_seconds));
        let changed = |events: &[(Timestamp, i32)]| {
            let recent = events.iter().filter(|(at, _)| *at > cutoff);
            recent.fold(0_i32, |sum, (_, change)| sum.saturating_add(*change))
        };
        current.saturating_sub(changed(&self.ups)).saturating_add(changed(&self.downs))
    }

    fn limit_up(&self, current: i32, rules: &Rules, now: Timestamp) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_start(current, policy, now);
            if policy.type_ == "Percent" {
                // Rounded up: a few replicas could otherwise never become more.
                part(start, 1.0 + f64::from(policy.value) / 100.0).1
            } else {
                start.saturating_add(policy.value)
            }
        });
        match rules.select.as_str() {
            "Disabled" => current,
            "Min" => limits.min().unwrap_or(current),
            _ => limits.max().unwrap_or(current),
        }
    }

    fn limit_down(&self, current: i32, rules: &Rules, now: Timestamp) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_start(current, policy, now);
            if policy.type_ == "Percent" {
                part(start, 1.0 - f64::from(policy.value) / 100.0).0
            } else {
                start.saturating_sub(policy.value)
            }
        });
        match rules.select.as_str() {
            "Disabled" => current,
            // The policy that changes least leaves most.
            "Min" => limits.max().unwrap_or(current),
            _ => limits.min().unwrap_or(current),
        }
    }
}

/// The rules of one direction, complete.
struct Rules {
    window: i32,
    select: String,
    policies: Vec<HPAScalingPolicy>,
}

impl Rules {
    fn up(given: Option<&HPAScalingRules>) -> Self {
        Self::of(given, 0, &[("Pods", 4), ("Percent", 100)])
    }

    fn down(given: Option<&HPAScalingRules>) -> Self {
        Self::of(given, DOWNSCALE_WINDOW, &[("Percent", 100)])
    }

    fn of(given: Option<&HPAScalingRules>, window: i32, policies: &[(&str, i32)]) -> Self {
        let own = given.and_then(|rules| rules.policies.clone());
        let usual = || {
            let policies = policies.iter().map(|(kind, value)| HPAScalingPolicy {
                period_seconds: 15,
                type_: (*kind).to_owned(),
                value: *value,
            });
            policies.collect()
        };
        Self {
            window: given.and_then(|rules| rules.stabilization_window_seconds).unwrap_or(window),
            select: given.and_then(|rules| rules.select_policy.clone()).unwrap_or_default(),
            policies: own.filter(|own| !own.is_empty()).unwrap_or_else(usual),
        }
    }
}

fn seconds(seconds: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}

fn before(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// A share of some replicas, rounded down and up.
#[expect(clippy::cast_possible_truncation, reason = "it is cut off where numbers end")]
fn part(replicas: i32, share: f64) -> (i32, i32) {
    let exact = f64::from(replicas) * share;
    (exact as i32, exact.ceil() as i32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    /// Asks for numbers at seconds, each time of what was made of the time before.
    #[track_caller]
    fn check(
        case: &str,
        behavior: Option<&serde_json::Value>,
        (min, max, start): (i32, i32, i32),
        asked: &[(i64, i32)],
        expected: &[(i32, &str, &str)],
    ) {
        let behavior: Option<HorizontalPodAutoscalerBehavior> =
            behavior.map(|behavior| serde_json::from_value(behavior.clone()).unwrap());
        let mut memory = Memory::default();
        memory.begin(start, at(-100_000));
        let mut current = start;
        let mut found = Vec::new();
        for (second, asked) in asked {
            let range = Range { current, min, max };
            let paced = memory.pace(behavior.as_ref(), range, *asked, at(*second));
            if paced.replicas != current && behavior.is_some() {
                memory.scaled(current, paced.replicas, at(*second));
            }
            current = paced.replicas;
            assert_eq!(paced.is_limited, paced.limited.0 != "DesiredWithinRange", "{case}");
            found.push((current, paced.able.0, paced.limited.0));
        }
        assert_eq!(found, expected, "{case}");
    }

    const READY: &str = "ReadyForNewScale";
    const STEADY: &str = "ScaleDownStabilized";
    const WITHIN: &str = "DesiredWithinRange";

    #[test]
    fn without_behavior_it_grows_by_doubling_and_shrinks_after_five_minutes() {
        check(
            "doubling, four at least, up to the most",
            None,
            (1, 20, 1),
            &[(0, 30), (15, 30), (30, 30), (45, 30)],
            &[
                (4, READY, "ScaleUpLimit"),
                (8, READY, "ScaleUpLimit"),
                (16, READY, "ScaleUpLimit"),
                (20, READY, "TooManyReplicas"),
            ],
        );
        check(
            "what was asked for in the last five minutes is kept",
            None,
            (2, 10, 8),
            &[(0, 8), (100, 3), (299, 3), (301, 3), (700, 1)],
            &[
                (8, READY, WITHIN),
                (8, STEADY, WITHIN),
                (8, STEADY, WITHIN),
                (3, READY, WITHIN),
                (2, READY, "TooFewReplicas"),
            ],
        );
    }

    #[test]
    fn who_begins_anew_takes_nothing_away_at_once() {
        for behavior in [None, Some(HorizontalPodAutoscalerBehavior::default())] {
            let mut memory = Memory::default();
            memory.begin(8, at(0));
            memory.begin(1, at(0));
            let range = Range { current: 8, min: 1, max: 10 };
            let mut paced = |second| memory.pace(behavior.as_ref(), range, 2, at(second)).replicas;
            assert_eq!((paced(0), paced(299), paced(301)), (8, 8, 2));
        }
    }

    #[test]
    fn behaviors_bound_the_rate() {
        let pods = json!({"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}});
        check(
            "two pods a minute",
            Some(&pods),
            (1, 10, 1),
            &[(0, 9), (15, 9), (61, 9), (62, 4)],
            &[
                (3, READY, "ScaleUpLimit"),
                (3, READY, "ScaleUpLimit"),
                (5, READY, "ScaleUpLimit"),
                // The higher numbers of the last five minutes hold it up.
                (5, STEADY, WITHIN),
            ],
        );
        let policies = json!([{"type": "Pods", "value": 4, "periodSeconds": 60},
            {"type": "Percent", "value": 50, "periodSeconds": 60}]);
        let both = |select: &str| {
            json!({"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": select,
                "policies": policies},
                "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": select,
                "policies": policies}})
        };
        let ends = [(0, 100), (100, 1), (200, 1)];
        check(
            "the policy that changes most",
            Some(&both("Max")),
            (1, 100, 20),
            &ends,
            &[
                (30, READY, "ScaleUpLimit"),
                (15, READY, "ScaleDownLimit"),
                (7, READY, "ScaleDownLimit"),
            ],
        );
        check(
            "the policy that changes least",
            Some(&both("Min")),
            (1, 100, 20),
            &ends,
            &[
                (24, READY, "ScaleUpLimit"),
                (20, READY, "ScaleDownLimit"),
                (16, READY, "ScaleDownLimit"),
            ],
        );
        check(
            "never",
            Some(&both("Disabled")),
            (1, 100, 20),
            &ends[..2],
            &[(20, READY, "ScaleUpLimit"), (20, READY, "ScaleDownLimit")],
        );
        check(
            "a share of little is one at least",
            Some(&json!({"scaleUp": {"policies":
                [{"type": "Percent", "value": 10, "periodSeconds": 60}]}})),
            (1, 100, 3),
            &[(0, 100)],
            &[(4, READY, "ScaleUpLimit")],
        );
    }

    #[test]
    fn behaviors_wait_for_a_number_to_last() {
        let slow = json!({"scaleUp": {"stabilizationWindowSeconds": 60},
            "scaleDown": {"stabilizationWindowSeconds": 30}});
        check(
            "the lowest of the last minute on the way up, the highest of half a one down",
            Some(&slow),
            (1, 10, 2),
            &[(0, 2), (15, 4), (30, 3), (61, 5), (80, 1), (92, 1), (111, 1)],
            &[
                (2, READY, WITHIN),
                (2, "ScaleUpStabilized", WITHIN),
                (2, "ScaleUpStabilized", WITHIN),
                (3, "ScaleUpStabilized", WITHIN),
                (3, STEADY, WITHIN),
                (1, READY, WITHIN),
                (1, READY, WITHIN),
            ],
        );
    }
}
