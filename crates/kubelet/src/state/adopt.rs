//! What the runtimes know of containers from before this process.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use wk_runtime::{ContainerId, ContainerState, ContainerStatus};

use super::{Phase, Record, Termination};

/// The containers of all runtimes, as they were found when this process began.
#[derive(Debug, Default)]
pub(crate) struct Found {
    containers: HashMap<ContainerId, (ContainerState, bool)>,
    /// Whether the engine of Linux containers did not tell what it has.
    pub(crate) engine_is_away: bool,
}

impl Found {
    /// Takes note of what one runtime has.
    pub(crate) fn add(&mut self, linux: bool, states: Vec<ContainerState>) {
        let states = states.into_iter().map(|state| (state.id.clone(), (state, linux)));
        self.containers.extend(states);
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
    pub(crate) fn unsure(&self, pod: &Pod) -> HashSet<ContainerId> {
        if !self.engine_is_away {
            return HashSet::new();
        }
        let Some(status) = &pod.status else { return HashSet::new() };
        let all = status.container_statuses.iter().flatten();
        let all = all.chain(status.init_container_statuses.iter().flatten());
        let all = all.chain(status.ephemeral_container_statuses.iter().flatten());
        let ids = all.filter_map(|status| {
            status.state.as_ref()?.running.as_ref()?;
            status.container_id.as_deref()?.strip_prefix("docker://").map(ContainerId::new)
        });
        ids.collect()
    }

    /// Brings the records of a pod, made from what the API says, up to what the runtimes say: a run
    /// that was never reported, and how one ended meanwhile.
    pub(crate) fn adopt(&self, uid: &str, records: &mut [Record]) {
        for record in records {
            let of_record =
                self.all().filter(|(state, _)| state.pod.uid == uid && *state.name == *record.name);
            let Some((state, linux)) = of_record.max_by_key(|(state, _)| state.attempt) else {
                continue;
            };
            adopt(record, state, linux);
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
    record.linux = linux;
    record.attempt = state.attempt;
    match &state.status {
        ContainerStatus::Running => {
            if !is_reported {
                record.phase = Phase::Running { id: state.id.clone(), since };
            }
        }
        ContainerStatus::Exited(exit) => {
            record.ready = false;
            record.started = false;
            record.phase = Phase::Exited(Box::new(Termination {
                container_id: container_id.into(),
                exit_code: exit.code,
                reason: exit.reason.as_str().into(),
                message: exit.message.as_str().into(),
                started_at: Some(since),
                finished_at: Timestamp::try_from(exit.finished_at).unwrap_or(since).max(since),
            }));
            record.fresh_exit = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use wk_runtime::{ContainerExit, ExitReason, PodRef};

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
}
