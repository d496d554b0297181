//! How replicas are shared among the sets of a Deployment.

use k8s_openapi::api::apps::v1::{DeploymentSpec, ReplicaSet};

use super::sets::{
    Slack, annotate_replicas, available, desired, is_recreate, most, name, replicas,
};
use super::{Rollout, Step, age_order};

/// Collects what is to be done.
#[derive(Debug, Default)]
pub(super) struct Scaler {
    pub(super) steps: Vec<Step>,
}

impl Scaler {
    /// Gives a set this many replicas; whether that is another number than before.
    pub(super) fn scale(&mut self, set: &mut ReplicaSet, size: i32, spec: &DeploymentSpec) -> bool {
        let (before, notes) = (replicas(set), set.metadata.annotations.clone());
        annotate_replicas(set, spec);
        let is_resized = before != size;
        if !is_resized && set.metadata.annotations == notes {
            return false;
        }
        set.spec.get_or_insert_default().replicas = Some(size);
        // A set that is yet to be made is made with this size.
        if set.metadata.uid.is_none() {
            for step in &mut self.steps {
                if let Step::Create(made) = step {
                    made.clone_from(set);
                }
            }
            return is_resized;
        }
        let way = if size > before { "up" } else { "down" };
        let event = is_resized
            .then(|| format!("Scaled {way} replica set {} from {before} to {size}", name(set)));
        self.steps.push(Step::Update { set: set.clone(), event });
        is_resized
    }
}

impl Rollout<'_> {
    /// Follows a change of the number of replicas, also in the middle of a rollout: then all sets
    /// grow or shrink in proportion, which lessens the risk that a bad new version gets it all.
    pub(super) fn scale(&mut self) {
        let wanted = self.wanted();
        let active = self.sets().into_iter().filter(|set| replicas(set) > 0).count();
        if active <= 1 {
            if let Some(set) = only_or_newest(&mut self.new, &mut self.old)
                && (replicas(set) != wanted || desired(set).is_some_and(|one| one != wanted))
            {
                self.scaler.scale(set, wanted, &self.spec);
            }
            return;
        }
        let is_saturated = self.new.as_ref().is_some_and(|set| {
            replicas(set) == wanted && desired(set) == Some(wanted) && available(set) == wanted
        });
        if is_saturated {
            for set in self.old.iter_mut().filter(|set| replicas(set) > 0) {
                self.scaler.scale(set, 0, &self.spec);
            }
        } else if !is_recreate(&self.spec) {
            self.scale_in_proportion();
        }
    }

    fn scale_in_proportion(&mut self) {
        let all: i32 = self.sets().into_iter().map(replicas).sum();
        let wanted = self.wanted();
        let allowed =
            if wanted > 0 { wanted.saturating_add(Slack::of(&self.spec).surge) } else { 0 };
        let to_add = allowed - all;
        let before = self.deployment.status.as_ref().and_then(|one| one.replicas).unwrap_or(0);
        let sets = self.old.iter_mut().chain(&mut self.new);
        let mut active: Vec<&mut ReplicaSet> = sets.filter(|set| replicas(set) > 0).collect();
        // The largest first; of those alike, the newest when there are more to be, else the oldest.
        active.sort_by(|a, b| {
            let by_age = if to_add > 0 { age_order(b, a) } else { age_order(a, b) };
            replicas(b).cmp(&replicas(a)).then(by_age)
        });
        let mut sizes = Vec::with_capacity(active.len());
        let mut added = 0;
        for set in &active {
            let part = proportion(set, allowed, wanted, before, to_add - added);
            sizes.push(replicas(set) + part);
            added += part;
        }
        if let Some(first) = sizes.first_mut() {
            // What rounding left.
            *first = (*first + to_add - added).max(0);
        }
        for (set, size) in active.into_iter().zip(sizes) {
            self.scaler.scale(set, size, &self.spec);
        }
    }
}

/// The part of `left` further replicas (fewer, below zero) that a set gets.
fn proportion(set: &ReplicaSet, allowed: i32, wanted: i32, before: i32, left: i32) -> i32 {
    if left == 0 {
        return 0;
    }
    let now = replicas(set);
    let fraction = if wanted == 0 {
        -now
    } else {
        // The size relative to what the whole could be when it was last scaled.
        let whole = most(set).filter(|most| *most > 0).unwrap_or(before);
        if whole == 0 { 0 } else { rounded(i64::from(now) * i64::from(allowed), whole) - now }
    };
    if left > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// A quotient rounded to the nearest, halves up; both are not below zero.
fn rounded(dividend: i64, divisor: i32) -> i32 {
    let divisor = i64::from(divisor);
    i32::try_from((2 * dividend + divisor) / (2 * divisor)).unwrap_or(i32::MAX)
}

/// The set with replicas if there is just one, else the newest of all.
fn only_or_newest<'a>(
    new: &'a mut Option<ReplicaSet>,
    old: &'a mut [ReplicaSet],
) -> Option<&'a mut ReplicaSet> {
    if let Some(place) = old.iter().position(|set| replicas(set) > 0) {
        return old.get_mut(place);
    }
    if new.is_some() {
        return new.as_mut();
    }
    let newest = old.iter().enumerate().max_by(|(_, a), (_, b)| age_order(a, b));
    let place = newest.map(|(place, _)| place)?;
    old.get_mut(place)
}
