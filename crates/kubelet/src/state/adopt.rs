//! What the runtimes know of containers from before this process.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use wk_runtime::{ContainerExit, ContainerId, ContainerState, ContainerStatus};

use super::{Phase, Record, Termination};

/// The containers of all runtimes, as they were found when this process began.
#[derive(Debug, Default)]
pub(crate) struct Found {
    containers: HashMap<ContainerId, (ContainerState, bool)>,
    /// Whether the Wasm runtime did not tell what it has.
    wasm_is_away: bool,
    /// The same of the engine of Linux containers.
    engine_is_away: bool,
}

/// Containers that may run without anybody being able to tell, and whether they are Linux containers.
pub(crate) type Unsure = HashMap<ContainerId, bool>;

impl Found {
    /// Takes note of what one runtime has.
    pub(crate) fn add(&mut self, linux: bool, states: Vec<ContainerState>) {
        let states = states.into_iter().map(|state| (state.id.clone(), (state, linux)));
        self.containers.extend(states);
    }

    /// Takes note that a runtime did not tell.
    pub(crate) fn add_absent(&mut self, linux: bool) {
        let is_away = if linux { &mut self.engine_is_away } else { &mut self.wasm_is_away };
        *is_away = true;
    }

    /// Whether some runtime did not tell.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.wasm_is_away || self.engine_is_away
    }

    /// All of them, and whether they are Linux containers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ContainerState, bool)> {
        self.containers.values().map(|(state, linux)| (state, *linux))
    }

    /// Whether a container runs.
    pub(crate) fn runs(&self, id: &ContainerId) -> bool {
        let state = self.containers.get(id).map(|(state, _)| &state.status);
        state.is_some_and(|status| *status == ContainerStatus::Running)
    }

    /// The containers of a pod that may run without anybody being able to tell.
    pub(crate) fn unsure(&self, pod: &Pod) -> Unsure {
        let Some(status) = pod.status.as_ref().filter(|_| self.is_incomplete()) else {
            return Unsure::new();
        };
        let all = status.container_statuses.iter().flatten();
        let all = all.chain(status.init_container_statuses.iter().flatten());
        let all = all.chain(status.ephemeral_container_statuses.iter().flatten());
        let ids = all.filter_map(|status| {
            status.state.as_ref()?.running.as_ref()?;
            let (scheme, id) = status.container_id.as_deref()?.split_once("://")?;
            let linux = scheme == "docker";
            let is_away = if linux { self.engine_is_away } else { self.wasm_is_away };
            is_away.then(|| (ContainerId::new(id), linux))
        });
        ids.collect()
    }

    /// Brings the records of a pod, made from what the API says, up to what the runtimes say: a run
    /// that was never reported, and how one ended meanwhile.
    pub(crate) fn adopt(&self, uid: &str, records: &mut [Record]) {
        for record in records {
            let mut runs: Vec<_> = self
                .all()
                .filter(|(state, _)| state.pod.uid == uid && *state.name == *record.name)
                .collect();
            runs.sort_by_key(|(state, _)| state.attempt);
            let Some((state, linux)) = runs.pop() else { continue };
            adopt(record, state, linux);
            if let Some((before, linux)) = runs.pop() {
                adopt_before(record, before, linux);
            }
        }
    }
}

fn adopt(record: &mut Record, state: &ContainerState, linux: bool) {
    let scheme = if linux { "docker" } else { "wasm" };
    let container_id = format!("{scheme}://{}", state.id);
    let is_reported = match &record.phase {
        // Without a run, the number is that of the next.
        Phase::NotStarted => false,
        Phase::Running { id, .. } => *id == state.id,
        Phase::Exited(end) if *end.container_id == *container_id => {
            // One that was taken for lost is told better by who ran it.
            end.reason.as_ref() != "Unknown"
        }
        Phase::Exited(_) => state.attempt < record.attempt,
    };
    record.linux |= is_reported && linux;
    if is_reported && matches!(record.phase, Phase::Exited(_)) {
        return;
    }
    let since = Timestamp::try_from(state.started_at).unwrap_or_default();
    if let Phase::Exited(end) = &record.phase
        && *end.container_id != *container_id
    {
        record.last = Some(end.clone());
    }
    record.linux = linux;
    record.attempt = state.attempt;
    if record.image_id.is_empty() {
        record.image_id = state.image_digest.as_str().into();
    }
    match &state.status {
        ContainerStatus::Running => {
            if !is_reported {
                record.phase = Phase::Running { id: state.id.clone(), since };
            }
        }
        ContainerStatus::Exited(exit) => {
            record.ready = false;
            record.started = false;
            record.phase = Phase::Exited(Box::new(termination(container_id, since, exit)));
            record.fresh_exit = true;
        }
    }
}

/// Takes over how the run before the last one ended, of which the API may not have been told.
fn adopt_before(record: &mut Record, state: &ContainerState, linux: bool) {
    record.stale = Some(state.attempt);
    let ContainerStatus::Exited(exit) = &state.status else { return };
    let scheme = if linux { "docker" } else { "wasm" };
    let container_id = format!("{scheme}://{}", state.id);
    let is_known = record.last.as_ref().is_some_and(|last| {
        *last.container_id == *container_id && last.reason.as_ref() != "Unknown"
    });
    if !is_known {
        let since = Timestamp::try_from(state.started_at).unwrap_or_default();
        record.last = Some(Box::new(termination(container_id, since, exit)));
    }
}

fn termination(container_id: String, since: Timestamp, exit: &ContainerExit) -> Termination {
    Termination {
        container_id: container_id.into(),
        exit_code: exit.code,
        reason: exit.reason.as_str().into(),
        message: exit.message.as_str().into(),
        started_at: Some(since),
        finished_at: Timestamp::try_from(exit.finished_at).unwrap_or(since).max(since),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use wk_runtime::{ExitReason, PodRef};

    use super::*;
    use crate::state::container_id;

    fn state(attempt: u32, exit: Option<i32>) -> ContainerState {
        let status = exit.map_or(ContainerStatus::Running, |code| {
            ContainerStatus::Exited(ContainerExit {
                code,
                reason: ExitReason::Error,
                message: String::new(),
                finished_at: SystemTime::UNIX_EPOCH + Duration::from_mins(1),
            })
        });
        ContainerState {
            id: container_id("u", "main", attempt),
            pod: PodRef { namespace: "d".into(), name: "web".into(), uid: "u".into() },
            name: "main".into(),
            attempt,
            image_digest: "sha256:1".into(),
            started_at: SystemTime::UNIX_EPOCH + Duration::from_secs(30),
            status,
        }
    }

    fn ended(attempt: u32, code: i32, reason: &str) -> Phase {
        Phase::Exited(Box::new(Termination {
            container_id: format!("docker://{}", container_id("u", "main", attempt)).into(),
            exit_code: code,
            reason: reason.into(),
            message: Box::default(),
            started_at: None,
            finished_at: Timestamp::UNIX_EPOCH,
        }))
    }

    #[track_caller]
    fn check(case: &str, before: (u32, Phase), found: ContainerState, expected: (u32, &str)) {
        let mut record = Record::new("main");
        (record.attempt, record.phase) = before;
        let mut all = Found::default();
        all.add(true, vec![found]);
        all.adopt("u", std::slice::from_mut(&mut record));
        let phase = match &record.phase {
            Phase::NotStarted => "not started".to_owned(),
            Phase::Running { id, .. } => format!("runs {id}"),
            Phase::Exited(end) => format!("ended {}", end.exit_code),
        };
        assert_eq!((record.attempt, phase.as_str()), expected, "{case}");
        assert!(record.linux, "{case}");
    }

    #[test]
    fn runs_are_found_again() {
        let running = |attempt| Phase::Running {
            id: container_id("u", "main", attempt),
            since: Timestamp::UNIX_EPOCH,
        };
        let not = || Phase::NotStarted;
        check("never reported", (1, not()), state(0, None), (0, "runs u_main_0"));
        check("ended before a report", (1, not()), state(0, Some(3)), (0, "ended 3"));
        check("still runs", (2, running(2)), state(2, None), (2, "runs u_main_2"));
        check("ended meanwhile", (2, ended(2, 255, "Unknown")), state(2, Some(7)), (2, "ended 7"));
        check("as reported", (2, ended(2, 1, "Error")), state(2, Some(1)), (2, "ended 1"));
        check("restarted", (3, ended(2, 1, "Error")), state(3, None), (3, "runs u_main_3"));
    }

    #[test]
    fn how_the_run_before_ended_is_not_lost() {
        let told = |before: Phase, found: Vec<ContainerState>| {
            let mut record = Record::new("main");
            (record.attempt, record.phase) = (2, before);
            let mut all = Found::default();
            all.add(true, found);
            all.adopt("u", std::slice::from_mut(&mut record));
            let last = record.last.map(|last| (last.exit_code, last.container_id.to_string()));
            (record.attempt, last, record.stale)
        };
        let of_run_2 = |code| Some((code, "docker://u_main_2".to_owned()));
        let both = || vec![state(3, None), state(2, Some(7))];
        assert_eq!(told(ended(2, 255, "Unknown"), both()), (3, of_run_2(7), Some(2)));
        assert_eq!(told(ended(1, 1, "Error"), both()), (3, of_run_2(7), Some(2)), "never told");
        assert_eq!(told(ended(2, 1, "Error"), both()), (3, of_run_2(1), Some(2)), "told already");
        let one = vec![state(3, None)];
        assert_eq!(told(ended(2, 1, "Error"), one), (3, of_run_2(1), None));
    }

    #[test]
    fn what_may_run_in_a_runtime_that_is_away_is_not_taken_for_lost() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "spec": {"containers": []},
            "status": {"containerStatuses": (["docker://l", "wasm://w"].map(|id| serde_json::json!({
                "name": "c", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
                "containerID": id, "state": {"running": {}},
            })))},
        }))
        .unwrap();
        for (away, expected) in
            [(vec![], vec![]), (vec![true], vec!["l"]), (vec![false], vec!["w"])]
        {
            let mut found = Found::default();
            for linux in away {
                found.add_absent(linux);
            }
            let unsure = found.unsure(&pod);
            let ids: Vec<_> = unsure.keys().map(ContainerId::as_str).collect();
            assert_eq!(ids, expected);
        }
    }
}
