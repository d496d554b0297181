//! Events are told, counted, and forgotten.

use wk_tests::{Cluster, Options, eventually};

#[test]
fn events_are_forgotten_after_their_time() {
    let arguments = vec!["--event-ttl=3s".to_owned()];
    let cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    let image = cluster.push_example("hello-cli");
    cluster.kubectl(&["run", "once", "--image", &image, "--restart=Never"]).ok();
    cluster.events("once", "Scheduled");
    cluster.pod_in_phase("once", "Succeeded");
    eventually("nothing is told any more", || {
        let told = cluster.kubectl(&["get", "events", "-A", "-o", "name"]);
        (told.code == 0 && told.stdout.is_empty()).then_some(())
    });
}

#[test]
fn what_is_said_of_many_pods_becomes_one_event() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.kubectl(&["create", "deployment", "web", "--image", &image, "--replicas=30"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=100s"]).ok();
    let path = "jsonpath={range .items[*]}{.count}{' '}{.message}{'\\n'}{end}";
    let selector = "reason=SuccessfulCreate,involvedObject.kind=ReplicaSet";
    eventually("nine are told of one by one and the others together", || {
        let told = cluster.kubectl(&["get", "events", "--field-selector", selector, "-o", path]);
        let told = told.ok();
        let combined = told.lines().find(|line| line.contains("(combined from similar events): "));
        let count: usize = combined?.split_whitespace().next()?.parse().ok()?;
        // Not more of one object than a burst is written at once.
        (told.lines().count() == 10 && (2..=21).contains(&count)).then_some(())
    });
}
