//! What happens next to a pod.

use std::time::Duration;

use super::{Conditions, Restart, SeenPod, Stage};

/// The pauses before a container is started again: none, then 10 s, doubled up to five minutes.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What to do about a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// Look again after this time.
    Wait(Duration),
    /// Write that the containers run.
    Run {
        restarts: u32,
    },
    /// Write that the containers have exited and wait for their next start.
    BackOff {
        restarts: u32,
        pause: Duration,
    },
    /// Write that the pod has ended, with the exit code of its containers.
    End {
        code: i32,
    },
    /// Remove it from the API.
    Delete,
}

/// Plans the next step of a pod that has been in its stage for `stage_age`.
///
/// `asked_age` is how long ago its deletion was asked for, as far as that is known here;
/// `start_delay` is how long pods take to start.
pub(crate) fn plan(
    pod: &SeenPod,
    stage_age: Duration,
    asked_age: Duration,
    start_delay: Duration,
) -> Step {
    if let Some(ending) = pod.ending {
        let runs = matches!(pod.stage, Stage::Running { .. });
        let takes = if runs { pod.script.stop_after.min(ending.grace) } else { Duration::ZERO };
        return match pod.stage {
            Stage::Finished => Step::Delete,
            _ if asked_age < takes => Step::Wait(takes.saturating_sub(asked_age)),
            // Whoever does not exit in time is killed.
            _ if pod.script.stop_after > ending.grace => Step::End { code: 137 },
            _ => Step::End { code: 0 },
        };
    }
    let after = |time: Duration, step| match time.checked_sub(stage_age) {
        Some(left) if !left.is_zero() => Step::Wait(left),
        _ => step,
    };
    match pod.stage {
        Stage::Finished => Step::Nothing,
        Stage::NotStarted => after(start_delay, Step::Run { restarts: 0 }),
        Stage::BackOff { restarts } => after(pause(restarts), Step::Run { restarts }),
        Stage::Running { restarts } => match pod.script.run_for {
            Some(run_for) if stage_age >= run_for => exited(pod, restarts),
            _ if pod.conditions != holding(pod) => Step::Run { restarts },
            Some(run_for) => Step::Wait(run_for.saturating_sub(stage_age)),
            None => Step::Nothing,
        },
    }
}

fn exited(pod: &SeenPod, restarts: u32) -> Step {
    let code = pod.script.exit_code;
    let again = match pod.restart {
        Restart::Always => true,
        Restart::OnFailure => code != 0,
        Restart::Never => false,
    };
    if !again {
        return Step::End { code };
    }
    let restarts = restarts.saturating_add(1);
    match pause(restarts) {
        Duration::ZERO => Step::Run { restarts },
        pause => Step::BackOff { restarts, pause },
    }
}

/// How long the containers wait before the start of this number.
fn pause(restarts: u32) -> Duration {
    match restarts.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

/// The conditions of a pod that runs.
pub(crate) fn holding(pod: &SeenPod) -> Conditions {
    Conditions {
        can_start: Some(true),
        initialized: Some(true),
        ready: Some(pod.unmet_gate.is_none()),
        containers_ready: Some(true),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    use super::super::{Ending, Script};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pod(stage: Stage, restart: &str) -> SeenPod {
        let object = json!({"metadata": {"name": "a", "uid": "u"}, "spec": {
            "restartPolicy": restart, "containers": [{"name": "c", "image": "i"}],
        }});
        let pod: Pod = serde_json::from_value(object).unwrap();
        let mut pod = SeenPod::of(pod, 0);
        pod.stage = stage;
        pod.conditions = holding(&pod);
        pod
    }

    const RUNNING: Stage = Stage::Running { restarts: 0 };

    #[test]
    fn a_pod_runs_once_its_start_is_due() {
        let pod = pod(Stage::NotStarted, "Always");
        let step = |age| plan(&pod, age, Duration::ZERO, 2 * SECOND);
        assert_eq!(step(SECOND), Step::Wait(SECOND));
        assert_eq!(step(2 * SECOND), Step::Run { restarts: 0 });
    }

    #[test]
    fn a_pod_without_a_script_is_left_alone_while_its_status_is_true() {
        let mut pod = pod(RUNNING, "Always");
        let step = |pod: &SeenPod| plan(pod, SECOND, Duration::ZERO, Duration::ZERO);
        assert_eq!(step(&pod), Step::Nothing);
        // Its node was silent for a while.
        pod.conditions.ready = Some(false);
        assert_eq!(step(&pod), Step::Run { restarts: 0 });
        pod.unmet_gate = Some("closed".into());
        assert_eq!(step(&pod), Step::Nothing);
    }

    #[test]
    fn containers_that_exit_start_again_as_the_policy_says() {
        let check = |restart, code, restarts, expected| {
            let mut pod = pod(Stage::Running { restarts }, restart);
            pod.script = Script { run_for: Some(SECOND), exit_code: code, ..Script::default() };
            assert_eq!(
                plan(&pod, Duration::ZERO, Duration::ZERO, Duration::ZERO),
                Step::Wait(SECOND)
            );
            let step = plan(&pod, SECOND, Duration::ZERO, Duration::ZERO);
            assert_eq!(step, expected, "{restart} {code} {restarts}");
        };
        check("Never", 0, 0, Step::End { code: 0 });
        check("Never", 3, 0, Step::End { code: 3 });
        check("OnFailure", 0, 5, Step::End { code: 0 });
        check("OnFailure", 1, 0, Step::Run { restarts: 1 });
        check("Always", 0, 0, Step::Run { restarts: 1 });
        check("Always", 0, 1, Step::BackOff { restarts: 2, pause: 10 * SECOND });
        check("Always", 0, 3, Step::BackOff { restarts: 4, pause: 40 * SECOND });
        check("Always", 0, 99, Step::BackOff { restarts: 100, pause: 300 * SECOND });
        let waiting = pod(Stage::BackOff { restarts: 2 }, "Always");
        let step = |age| plan(&waiting, age, Duration::ZERO, Duration::ZERO);
        assert_eq!(step(9 * SECOND), Step::Wait(SECOND));
        assert_eq!(step(10 * SECOND), Step::Run { restarts: 2 });
    }

    #[test]
    fn a_deleted_pod_ends_in_its_time_and_never_later_than_its_grace() {
        let check = |stage, stop_after: u64, grace: u64, asked: u64, expected| {
            let mut pod = pod(stage, "Always");
            pod.ending =
                Some(Ending { deadline: Timestamp::UNIX_EPOCH, grace: Duration::from_secs(grace) });
            pod.script.stop_after = Duration::from_secs(stop_after);
            let step = plan(&pod, SECOND, Duration::from_secs(asked), Duration::ZERO);
            assert_eq!(step, expected, "{stage:?} {stop_after} {grace} {asked}");
        };
        check(RUNNING, 0, 30, 0, Step::End { code: 0 });
        check(RUNNING, 5, 30, 3, Step::Wait(2 * SECOND));
        check(RUNNING, 5, 30, 5, Step::End { code: 0 });
        check(RUNNING, 50, 30, 29, Step::Wait(SECOND));
        check(RUNNING, 50, 30, 30, Step::End { code: 137 });
        check(Stage::NotStarted, 5, 30, 0, Step::End { code: 0 });
        check(Stage::Finished, 5, 30, 0, Step::Delete);
    }

    #[test]
    fn the_stage_is_read_from_the_status() {
        let check = |status: Value, expected| {
            let pod: Pod = serde_json::from_value(json!({"status": status})).unwrap();
            assert_eq!(SeenPod::of(pod, 0).stage, expected);
        };
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let one = |state: &Value, restarts: u32| {
            json!({"name": "c", "image": "", "imageID": "", "ready": true,
                   "restartCount": restarts, "state": state})
        };
        check(json!({"phase": "Pending"}), Stage::NotStarted);
        check(
            json!({"phase": "Running", "containerStatuses": [one(&running, 2)]}),
            Stage::Running { restarts: 2 },
        );
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        check(
            json!({"phase": "Running", "containerStatuses": [one(&waiting, 2)]}),
            Stage::BackOff { restarts: 2 },
        );
        check(json!({"phase": "Failed"}), Stage::Finished);
    }
}
