//! Tables: a pod in a few letters, and the steps that follow.

use super::*;

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// `role:state`, where the role is `i`, `s` or `m` and the state `-` (not started), `r` (running),
/// `r?` (running, not started up), `r!` (unhealthy), `0` or `1` (exit code, 5 s ago); then `/N` is a
/// back-off of N seconds and `@N` a hold until N seconds from now.
fn pod(restart: RestartRule, text: &str) -> PodView {
    let containers = text.split_whitespace().map(|word| {
        let (role, state) = word.split_once(':').unwrap();
        let (state, held) =
            state.split_once('@').map_or((state, None), |(state, held)| (state, Some(held)));
        let (state, backoff) =
            state.split_once('/').map_or((state, None), |(state, delay)| (state, Some(delay)));
        let role = match role {
            "i" => Role::Init,
            "s" => Role::Sidecar,
            _ => Role::Main,
        };
        let restart = match (role, restart) {
            (Role::Sidecar, _) => RestartRule::Always,
            (Role::Init, RestartRule::Always) => RestartRule::OnFailure,
            (_, rule) => rule,
        };
        let observed = match state {
            "-" => Observed::NotStarted,
            "r" | "r!" => Observed::Running { started: true },
            "r?" => Observed::Running { started: false },
            code => Observed::Exited { success: code == "0", finished_at: at(-5) },
        };
        ContainerView {
            role,
            restart,
            observed,
            held_until: held.map(|seconds| at(seconds.parse().unwrap())),
            backoff: backoff.map(|seconds| Duration::from_secs(seconds.parse().unwrap())),
            unhealthy: state == "r!",
            outdated: false,
        }
    });
    PodView {
        containers: containers.collect(),
        stopping: false,
        deadline: None,
        sandbox_lost: false,
    }
}

fn words(steps: &[Step]) -> String {
    let words = steps.iter().map(|step| match step {
        Step::Start { index } => format!("start {index}"),
        Step::Stop { index, reason } => format!("stop {index} {reason:?}"),
        Step::Hold { index, until, delay } => {
            format!("hold {index} +{} of {}", until.as_second() - NOW, delay.as_secs())
        }
        Step::FailByDeadline => "deadline".to_owned(),
        Step::RenewSandbox => "renew".to_owned(),
        Step::WakeAt(time) => format!("wake +{}", time.as_second() - NOW),
        Step::Finish => "finish".to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(case: &str, restart: RestartRule, text: &str, expected: &str) {
    assert_eq!(words(&plan(&pod(restart, text), at(0))), expected, "{case}");
}

#[test]
fn containers_start_in_order() {
    let rule = RestartRule::Always;
    check("a new pod starts its container", rule, "m:-", "start 0");
    check("one start at a time", rule, "m:- m:-", "start 0");
    check("then the next", rule, "m:r m:-", "start 1");
    check("an idle pod needs nothing", rule, "m:r m:r", "");
    check("init first", rule, "i:- i:- m:-", "start 0");
    check("init is awaited", rule, "i:r i:- m:-", "");
    check("init goes on", rule, "i:0 i:- m:-", "start 1");
    check("then the pod", rule, "i:0 i:0 m:-", "start 2");
    check("a failed init runs again", rule, "i:1 m:-", "start 0");
    check("init is not repeated", rule, "i:- m:r", "");
}

#[test]
fn sidecars_start_in_their_turn_and_end_last() {
    let rule = RestartRule::Never;
    check("a sidecar starts", rule, "s:- m:-", "start 0");
    check("its startup probe is awaited", rule, "s:r? m:-", "");
    check("then the pod", rule, "s:r m:-", "start 1");
    check("it starts again", rule, "s:1 m:r", "start 0");
    check("it ends after the pod", rule, "s:r s:r m:0", "stop 1 Done");
    check("in reverse", rule, "s:r s:0 m:0", "stop 0 Done");
    check("and the pod is done", rule, "s:0 s:0 m:0", "finish");
}

#[test]
fn restart_policies_hold() {
    check("always, after success", RestartRule::Always, "m:0", "start 0");
    check("on failure, after success", RestartRule::OnFailure, "m:0", "finish");
    check("on failure, after failure", RestartRule::OnFailure, "m:1", "start 0");
    check("never", RestartRule::Never, "m:1", "finish");
    check("never, beside a running one", RestartRule::Never, "m:1 m:r", "");
    check("a failed init ends the pod", RestartRule::Never, "i:1 m:-", "finish");
    check("sidecars too", RestartRule::Never, "s:r i:1 m:-", "stop 0 PodEnds");
}

#[test]
fn crashes_are_held_back() {
    let rule = RestartRule::Always;
    check("within the delay", rule, "m:1/10", "hold 0 +5 of 10");
    check("held", rule, "m:1/10@5", "wake +5");
    check("another hold is over, the delay is not", rule, "m:1/10@0", "hold 0 +5 of 10");
    check("both are over", rule, "m:1/5@0", "start 0");
    check("the delay is over", rule, "m:1/4", "start 0");
    check("others go on", rule, "m:1/10@5 m:-", "wake +5, start 1");
    check("an image that is not there", rule, "m:-@7", "wake +7");
    let mut delay = None;
    let mut delays = Vec::new();
    for _ in 0..7 {
        delay = Some(next_backoff(delay, Duration::from_secs(1)));
        delays.extend(delay.map(|delay| delay.as_secs()));
    }
    assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300]);
    assert_eq!(next_backoff(delay, Duration::ZERO), LAST_BACKOFF);
    assert_eq!(next_backoff(delay, BACKOFF_RESET), Duration::ZERO);
}

#[test]
fn probes_end_containers() {
    check("it is ended", RestartRule::Always, "m:r! m:r", "stop 0 Unhealthy");
}

#[test]
fn a_pod_that_ends_stops_everything_once() {
    let mut ending = pod(RestartRule::Always, "i:0 s:r m:r m:1/10@5");
    ending.stopping = true;
    assert_eq!(words(&plan(&ending, at(0))), "stop 2 PodEnds");
    ending.containers[2].observed = Observed::Exited { success: true, finished_at: at(0) };
    assert_eq!(words(&plan(&ending, at(0))), "stop 1 PodEnds");
    ending.containers[1].observed = Observed::Exited { success: true, finished_at: at(0) };
    assert_eq!(words(&plan(&ending, at(0))), "finish");
}

#[test]
fn a_pod_begins_again_in_another_sandbox() {
    let check = |case: &str, restart, text: &str, expected: &str| {
        let mut lost = pod(restart, text);
        lost.sandbox_lost = true;
        assert_eq!(words(&plan(&lost, at(0))), expected, "{case}");
        for container in &mut lost.containers {
            container.outdated = matches!(container.observed, Observed::Exited { .. });
        }
        lost.sandbox_lost = false;
        words(&plan(&lost, at(0)))
    };
    let always = RestartRule::Always;
    check("everything ends", always, "i:0 s:r m:r m:1/10@5", "stop 2 Sandbox");
    check("sidecars last", always, "i:0 s:r m:1", "stop 1 Sandbox");
    let again = check("then it is made anew", always, "i:0 s:1 m:1/10", "renew");
    assert_eq!(again, "start 0", "from the first container on");
    let failed = RestartRule::OnFailure;
    let again = check("one has succeeded", failed, "i:0 m:0 m:1", "renew");
    assert_eq!(again, "start 0", "for the sake of the other");
    check("all have succeeded", failed, "i:0 m:0 m:0", "finish");
    check("nothing starts again", RestartRule::Never, "m:1", "finish");
    check("after what still runs", RestartRule::Never, "m:1 m:r", "stop 1 Sandbox");
}

#[test]
fn a_deadline_fails_the_pod() {
    let mut late = pod(RestartRule::Always, "m:r");
    late.deadline = Some(at(3));
    assert_eq!(words(&plan(&late, at(0))), "wake +3");
    assert_eq!(words(&plan(&late, at(3))), "deadline");
}

#[test]
fn the_plan_is_pure() {
    let source = include_str!("../plan.rs");
    for word in ["async", "tracing", "kube::", "Timestamp::now", "Instant", "rand"] {
        assert!(!source.contains(word), "plan.rs uses `{word}`");
    }
}
