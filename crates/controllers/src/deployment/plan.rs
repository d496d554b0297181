//! What a Deployment does next.

mod progress;
mod scaling;
mod sets;

use std::collections::HashSet;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet};
use wk_api::well_known::DEPLOYMENT_REVISION_ANNOTATION;

use progress::{PROGRESSING, condition};
use scaling::Scaler;
pub(super) use sets::{KIND, is_same_template};
use sets::{Slack, actual, annotation, available, desired, is_recreate, name, replicas, revision};

/// One thing to do, in its place in the order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Make this set.
    Create(ReplicaSet),
    /// Write this set as it is here.
    Update { set: ReplicaSet, event: Option<String> },
    /// Delete an old set.
    Delete(ReplicaSet),
    /// Note the newest revision in the Deployment.
    Annotate(i64),
}

/// What a Deployment does next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What its status is then.
    pub(super) status: DeploymentStatus,
    /// The seconds after which to look again, though nothing happened.
    pub(super) again: Option<u64>,
}

/// The world as it is after the steps so far.
struct Rollout<'a> {
    deployment: &'a Deployment,
    spec: DeploymentSpec,
    status: DeploymentStatus,
    /// The set of the Deployment's own template.
    new: Option<ReplicaSet>,
    /// All others, the oldest first.
    old: Vec<ReplicaSet>,
    scaler: Scaler,
    now: Timestamp,
}

/// Plans what `deployment` does about its sets.
///
/// `live_owners` are the uids of the sets that have pods which have not ended: with the strategy
/// `Recreate`, new pods wait for the end of old ones.
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>
pub(super) fn plan(
    deployment: &Deployment,
    sets: Vec<ReplicaSet>,
    live_owners: &HashSet<String>,
    now: Timestamp,
) -> Plan {
    let spec = deployment.spec.clone().unwrap_or_default();
    let mut status = deployment.status.clone().unwrap_or_default();
    let is_terminating = deployment.metadata.deletion_timestamp.is_some();
    if !is_terminating {
        progress::note_pause(&spec, &mut status, now);
    }
    let (new, old) = split(&spec, sets);
    let scaler = Scaler::default();
    let mut rollout = Rollout { deployment, spec, status, new, old, scaler, now };
    if is_terminating {
        return rollout.finished(false);
    }
    rollout.adopt_new();
    let is_paused = rollout.spec.paused == Some(true);
    if is_paused || rollout.is_scaled_by_hand() {
        rollout.scale();
        if is_paused {
            rollout.clean_up();
        }
        return rollout.finished(false);
    }
    if is_recreate(&rollout.spec) {
        rollout.recreate(live_owners);
    } else {
        rollout.roll();
    }
    rollout.finished(true)
}

/// Notes that the new set could not be made.
pub(super) fn note_failure(
    deployment: &Deployment,
    status: &mut DeploymentStatus,
    reason: &str,
    text: String,
    now: Timestamp,
) {
    if deployment.spec.as_ref().and_then(progress::deadline).is_some() {
        progress::set(status, condition(PROGRESSING, "False", reason, text, now));
    }
}

/// The set of the template, and the others.
fn split(
    spec: &DeploymentSpec,
    mut sets: Vec<ReplicaSet>,
) -> (Option<ReplicaSet>, Vec<ReplicaSet>) {
    // Of several alike, the oldest is it: all replicas of a controller choose the same.
    sets.sort_by(age_order);
    let is_new = |set: &ReplicaSet| {
        let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
        template.is_some_and(|template| is_same_template(template, &spec.template))
    };
    let place = sets.iter().position(is_new);
    let new = place.map(|place| sets.remove(place));
    (new, sets)
}

fn age_order(a: &ReplicaSet, b: &ReplicaSet) -> std::cmp::Ordering {
    let created = |set: &ReplicaSet| set.metadata.creation_timestamp.as_ref().map(|time| time.0);
    created(a).cmp(&created(b)).then_with(|| name(a).cmp(name(b)))
}

impl Rollout<'_> {
    fn sets(&self) -> Vec<&ReplicaSet> {
        self.old.iter().chain(&self.new).collect()
    }

    fn wanted(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(revision).max().unwrap_or(0) + 1
    }

    /// Makes the set of the template the newest revision, if there is one.
    fn adopt_new(&mut self) {
        let number = self.next_revision();
        let Some(set) = &mut self.new else {
            return;
        };
        let before = set.clone();
        sets::copy_annotations(set, self.deployment, number);
        if let Some(spec) = &mut set.spec {
            spec.min_ready_seconds = self.spec.min_ready_seconds;
        }
        if *set != before {
            self.scaler.steps.push(Step::Update { set: set.clone(), event: None });
        }
        let (number, name) = (revision(set), name(set).to_owned());
        self.note_revision(number);
        if progress::deadline(&self.spec).is_some()
            && progress::find(&self.status, PROGRESSING).is_none()
        {
            let text = format!("Found new replica set \"{name}\"");
            let found = condition(PROGRESSING, "True", "FoundNewReplicaSet", text, self.now);
            progress::set(&mut self.status, found);
        }
    }

    fn note_revision(&mut self, number: i64) {
        let noted = annotation(&self.deployment.metadata, DEPLOYMENT_REVISION_ANNOTATION);
        if noted != Some(number.to_string().as_str()) {
            self.scaler.steps.push(Step::Annotate(number));
        }
    }

    /// Makes a set of the template, if there is none; how many replicas it starts with follows from
    /// the strategy.
    fn make_new(&mut self) {
        if self.new.is_some() {
            return;
        }
        let number = self.next_revision();
        let replicas = self.room_for_new(0);
        let set = sets::new_set(self.deployment, replicas, number);
        self.scaler.steps.push(Step::Create(set.clone()));
        self.note_revision(number);
        if progress::deadline(&self.spec).is_some() {
            let text = format!("Created new replica set \"{}\"", name(&set));
            let made = condition(PROGRESSING, "True", "NewReplicaSetCreated", text, self.now);
            progress::set(&mut self.status, made);
        }
        self.new = Some(set);
    }

    /// How many replicas the new set, which has `now`, may have.
    fn room_for_new(&self, now: i32) -> i32 {
        if is_recreate(&self.spec) {
            return self.wanted();
        }
        let there: i32 = self.sets().into_iter().map(replicas).sum();
        let most = self.wanted().saturating_add(Slack::of(&self.spec).surge);
        if there >= most { now } else { now + (most - there).min(self.wanted() - now) }
    }

    /// Whether the Deployment wants another number than when its sets were scaled.
    fn is_scaled_by_hand(&self) -> bool {
        let is_active = |set: &&ReplicaSet| replicas(set) > 0;
        let mut active = self.sets().into_iter().filter(is_active);
        active.any(|set| desired(set).is_some_and(|desired| desired != self.wanted()))
    }

    fn roll(&mut self) {
        self.make_new();
        if self.grow_new() || self.shrink_old() {
            return;
        }
        if self.is_complete() {
            self.clean_up();
        }
    }

    /// Scales the new set as far as there is room, and down if it is too large.
    fn grow_new(&mut self) -> bool {
        let Some(set) = &self.new else { return false };
        let (now, wanted) = (replicas(set), self.wanted());
        if now == wanted {
            return false;
        }
        let size = if now > wanted { wanted } else { self.room_for_new(now) };
        match &mut self.new {
            Some(set) => self.scaler.scale(set, size, &self.spec),
            None => false,
        }
    }

    /// Scales old sets down as far as enough pods stay available: broken pods first.
    fn shrink_old(&mut self) -> bool {
        let in_old: i32 = self.old.iter().map(replicas).sum();
        if in_old == 0 {
            return false;
        }
        let in_new = self.new.as_ref().map_or(0, replicas);
        let new_available = self.new.as_ref().map_or(0, available);
        let least = self.wanted() - Slack::of(&self.spec).unavailable;
        // A new set that does not come up must not cost one old pod more.
        let most = in_old + in_new - least - (in_new - new_available);
        if most <= 0 {
            return false;
        }
        let mut is_changed = false;
        let mut left = most;
        for set in &mut self.old {
            let broken = (replicas(set) - available(set)).clamp(0, left.max(0));
            if broken > 0 {
                let size = replicas(set) - broken;
                is_changed |= self.scaler.scale(set, size, &self.spec);
                left -= broken;
            }
        }
        let there: i32 = self.sets().into_iter().map(available).sum();
        let mut left = there - least;
        for set in &mut self.old {
            let surplus = replicas(set).min(left);
            if surplus > 0 {
                let size = replicas(set) - surplus;
                is_changed |= self.scaler.scale(set, size, &self.spec);
                left -= surplus;
            }
        }
        is_changed
    }

    /// Ends all old pods before it makes new ones.
    fn recreate(&mut self, live_owners: &HashSet<String>) {
        let mut is_changed = false;
        for set in &mut self.old {
            if replicas(set) > 0 {
                is_changed |= self.scaler.scale(set, 0, &self.spec);
            }
        }
        let new = self.new.as_ref().and_then(|set| set.metadata.uid.as_ref());
        let is_running = self.old.iter().any(|set| actual(set) > 0)
            || live_owners.iter().any(|uid| Some(uid) != new);
        if is_changed || is_running {
            return;
        }
        self.make_new();
        let wanted = self.wanted();
        if let Some(set) = &mut self.new {
            self.scaler.scale(set, wanted, &self.spec);
        }
        if self.is_complete() {
            self.clean_up();
        }
    }

    fn is_complete(&self) -> bool {
        let counted = self.counted();
        progress::is_complete(self.deployment, &counted)
    }

    fn counted(&self) -> DeploymentStatus {
        let new = self.new.as_ref();
        progress::counted(self.deployment, &self.status, &self.sets(), new, self.now)
    }

    /// Deletes the oldest of the sets that nothing but history keeps.
    fn clean_up(&mut self) {
        let Some(limit) = self.spec.revision_history_limit.filter(|limit| *limit != i32::MAX)
        else {
            return;
        };
        let is_there = |set: &&ReplicaSet| set.metadata.deletion_timestamp.is_none();
        let mut kept: Vec<&ReplicaSet> = self.old.iter().filter(is_there).collect();
        let surplus = kept.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        kept.sort_by_key(|set| revision(set));
        let is_settled = |set: &&ReplicaSet| {
            let observed = set.status.as_ref().and_then(|status| status.observed_generation);
            actual(set) == 0 && replicas(set) == 0 && set.metadata.generation <= observed
        };
        let surplus = kept.into_iter().take(surplus).filter(is_settled).cloned();
        self.scaler.steps.extend(surplus.map(Step::Delete));
    }

    fn finished(self, is_rollout: bool) -> Plan {
        let status = if is_rollout {
            let (sets, new) = (self.sets(), self.new.as_ref());
            progress::rollout(self.deployment, &self.status, &sets, new, self.now)
        } else {
            self.counted()
        };
        let again = progress::until_late(self.deployment, &status, self.now);
        Plan { steps: self.scaler.steps, status, again }
    }
}

#[cfg(test)]
mod tests;
