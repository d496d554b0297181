//! Tables of pods, what they use, and the replicas that follow.

use super::*;
use crate::hpa::pods::{ContainerSeen, Ready};

const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).unwrap()
}

/// Reads pods: each a name, signs, and after a colon what it uses, if that is known. The signs are
/// `!` not ready after it once was, `?` never ready, `*` pending, `~` being deleted, `x` failed,
/// `s` starting: ready since a moment.
fn read(text: &str) -> (Vec<PodSeen>, PodMetrics) {
    let mut metrics = PodMetrics::new();
    let pods = text.split_whitespace().map(|word| {
        let (pod, used) = word.split_once(':').unwrap_or((word, ""));
        let name = pod.trim_end_matches(|c| "!?*~xs".contains(c));
        let has = |sign| pod[name.len()..].contains(sign);
        if let Ok(value) = used.parse() {
            let metric = PodMetric { at: at(0), window: SignedDuration::from_secs(15), value };
            metrics.insert(name.to_owned(), metric);
        }
        let (started, ready, since) = if has('!') {
            (-1000, false, -100)
        } else if has('?') {
            (-1000, false, -990)
        } else if has('s') {
            (-20, true, -5)
        } else {
            (-1000, true, -900)
        };
        let phase = if has('*') {
            "Pending"
        } else if has('x') {
            "Failed"
        } else {
            "Running"
        };
        let status = if ready { "True" } else { "False" };
        PodSeen {
            name: name.to_owned(),
            is_deleted: has('~'),
            phase: phase.to_owned(),
            started: Some(at(started)),
            ready: Some(Ready { status: status.to_owned(), since: at(since) }),
            containers: vec![ContainerSeen {
                name: "main".to_owned(),
                requests: [("cpu".to_owned(), 1000)].into(),
            }],
            ..PodSeen::default()
        }
    });
    (pods.collect(), metrics)
}

const TOLERANCE: Tolerance = Tolerance { down: 0.1, up: 0.1 };

fn ground(current: i32, pods: &[PodSeen]) -> Ground<'_> {
    Ground { current, pods, tolerance: TOLERANCE, now: at(0) }
}

#[track_caller]
fn utilized(case: &str, current: i32, target: i32, pods: &str, expected: Result<(i32, i32), &str>) {
    let (pods, metrics) = read(pods);
    let found = by_utilization(ground(current, &pods), "cpu", None, target, metrics);
    let found = found.map(|asked| (asked.replicas, asked.utilization));
    assert_eq!(found, expected.map_err(str::to_owned), "{case}");
}

#[track_caller]
fn averaged(case: &str, current: i32, target: i64, pods: &str, expected: Result<(i32, i64), &str>) {
    let (pods, metrics) = read(pods);
    let found = by_average(ground(current, &pods), None, target, metrics);
    let found = found.map(|asked| (asked.replicas, asked.value));
    assert_eq!(found, expected.map_err(str::to_owned), "{case}");
}

#[test]
fn utilization_asks_for_as_many_as_bring_it_to_its_aim() {
    utilized("twice too much", 3, 30, "a:600 b:600 c:600", Ok((6, 60)));
    utilized("rounded up", 3, 30, "a:300 b:500 c:700", Ok((5, 50)));
    utilized("too little", 5, 50, "a:100 b:300 c:500 d:250 e:250", Ok((3, 28)));
    utilized("about right", 3, 100, "a:1010 b:1030 c:1020", Ok((3, 102)));
    utilized("at the edge of what is tolerated", 2, 100, "a:1100 b:1100", Ok((2, 110)));
    utilized("strange pods do not count", 1, 50, "a:500", Ok((1, 50)));
    utilized(
        "nobody",
        1,
        50,
        "",
        Err("no pods returned by selector while calculating replica count"),
    );
    utilized(
        "nothing known",
        2,
        50,
        "a* b*",
        Err("did not receive metrics for targeted pods (pods might be unready)"),
    );
}

#[test]
fn pods_that_tell_nothing_keep_the_rest_from_going_too_far() {
    utilized("on the way up they use nothing", 3, 30, "a:600 b:600 c", Ok((4, 60)));
    utilized("on the way down all that they may", 3, 50, "a:100 b:100 c", Ok((3, 10)));
    utilized("down, though they do", 4, 90, "a:100 b:100 c:100 d", Ok((2, 10)));
    utilized("and never turn the direction", 2, 60, "a:700 b", Ok((2, 70)));
    utilized("an aim above all counts in full", 2, 200, "a:100 b", Ok((2, 10)));
    averaged("on the way up they are at nothing", 3, 100, "a:300 b:300 c", Ok((6, 300)));
    averaged("on the way down at the aim", 3, 100, "a:10 b:10 c", Ok((2, 10)));
}

#[test]
fn pods_that_are_not_ready_hold_back_growth_only() {
    utilized("pending pods on the way up", 3, 30, "a:600 b:600 c*", Ok((4, 60)));
    utilized("pending pods on the way down", 3, 50, "a:100 b:100 c*", Ok((1, 10)));
    utilized("what a pod uses that was never ready", 2, 30, "a:600 b?:9000", Ok((2, 60)));
    utilized("what one uses that was ready once", 2, 50, "a:500 b!:1500", Ok((4, 100)));
    utilized("what one uses that has just started", 2, 50, "a:500 bs:9000", Ok((2, 50)));
    averaged("other metrics do not start", 2, 500, "a:500 bs:1500", Ok((4, 1000)));
    utilized("pods that go or failed do not count", 1, 50, "a:500 b~:900 cx:900", Ok((1, 50)));
}

#[test]
fn requests_have_to_be_known() {
    let (mut pods, metrics) = read("a:500 b:500");
    pods[1].containers.push(ContainerSeen { name: "side".to_owned(), ..ContainerSeen::default() });
    let found = by_utilization(ground(2, &pods), "cpu", None, 50, metrics.clone());
    let message = "missing request for cpu in container side of Pod b";
    assert_eq!(found, Err(message.to_owned()));
    let found = by_utilization(ground(2, &pods), "cpu", Some("main"), 50, metrics.clone());
    assert_eq!(found.unwrap().utilization, 50, "one container is measured by its own request");
    pods[1].requests.insert("cpu".to_owned(), 250);
    let found = by_utilization(ground(2, &pods), "cpu", None, 50, metrics);
    assert_eq!(found.unwrap().utilization, 80, "what the pod requests as a whole counts");
}

#[test]
fn each_direction_has_a_tolerance_of_its_own() {
    let (pods, metrics) = read("a:130 b:130");
    let replicas = |down, up| {
        let ground = Ground { tolerance: Tolerance { down, up }, ..ground(2, &pods) };
        by_average(ground, None, 100, metrics.clone()).unwrap().replicas
    };
    assert_eq!((replicas(0.1, 0.1), replicas(0.1, 0.5), replicas(0.5, 0.0)), (3, 2, 3));
}

#[test]
fn values_that_are_not_of_pods_scale_the_ready_ones() {
    let (pods, _) = read("a b c* d");
    let by = |current, value, target| by_value(ground(current, &pods), value, target);
    assert_eq!(by(4, 2000, 1000), Ok(6), "twice as many as are ready");
    assert_eq!(by(4, 1050, 1000), Ok(4), "about right");
    assert_eq!(by(0, 2500, 1000), Ok(3), "from none at all");
    let nobody = "unable to calculate ready pods: no pods returned by selector while calculating \
                  replica count";
    assert_eq!(by_value(ground(2, &[]), 2000, 1000), Err(nobody.to_owned()));
    assert_eq!(by_share(TOLERANCE, 3, 9000, 1000), (9, 3000));
    assert_eq!(by_share(TOLERANCE, 3, 3100, 1000), (3, 1034));
    assert_eq!(by_share(TOLERANCE, 0, 3100, 1000), (4, 0));
}
