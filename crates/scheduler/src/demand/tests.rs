//! What is kept of a pod.

use serde_json::{Value, json};

use super::*;

fn demand(spec: &Value) -> Demand {
    let pod = json!({"metadata": {}, "spec": spec});
    Demand::of(serde_json::from_value(pod).unwrap(), &Shared::default()).unwrap()
}

fn container(cpu: &str) -> Value {
    json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
}

#[test]
fn requests_follow_the_life_of_a_pod() {
    let sidecar = json!({"name": "s", "restartPolicy": "Always",
        "resources": {"requests": {"cpu": "1"}}});
    for (case, init, containers, expected) in [
        ("containers add up", json!([]), json!([container("1"), container("500m")]), 1500),
        ("a small init container hides", json!([container("1")]), json!([container("2")]), 2000),
        ("a large one counts", json!([container("3")]), json!([container("2")]), 3000),
        (
            "init containers run one by one",
            json!([container("3"), container("3")]),
            json!([container("2")]),
            3000,
        ),
        ("a sidecar runs beside all", json!([sidecar]), json!([container("2")]), 3000),
        (
            "a sidecar runs beside later init containers",
            json!([sidecar, container("3")]),
            json!([container("2")]),
            4000,
        ),
        (
            "but not beside earlier ones",
            json!([container("3"), sidecar]),
            json!([container("1")]),
            3000,
        ),
    ] {
        let spec = json!({"initContainers": init, "containers": containers});
        assert_eq!(demand(&spec).template.requests.milli_cpu, expected, "{case}");
    }
}

#[test]
fn overhead_comes_on_top_of_the_whole_pods_requests() {
    let spec = json!({"containers": [container("3")], "overhead": {"cpu": "250m"},
        "resources": {"requests": {"cpu": "2"}}});
    assert_eq!(demand(&spec).template.requests.milli_cpu, 2250);
}

#[test]
fn a_container_without_requests_still_weighs() {
    let spec = json!({"containers": [{"name": "c"}, container("1")]});
    assert_eq!(demand(&spec).template.assumed, (1100, 400 << 20));
    assert_eq!(demand(&spec).template.requests.milli_cpu, 1000);
    let zero = json!({"containers": [container("0")]});
    assert_eq!(demand(&zero).template.assumed, (0, 200 << 20), "zero is a request");
}

#[test]
fn while_a_container_is_resized_the_larger_amount_counts() {
    let cpu = |wanted: &str, has: &str, conditions: Value| {
        let pod = json!({"metadata": {}, "spec": {"containers": [container(wanted)]},
            "status": {"conditions": conditions, "containerStatuses": [{"name": "c", "image": "i",
                "imageID": "i", "ready": true, "restartCount": 0,
                "resources": {"requests": {"cpu": has}}}]}});
        let demand = Demand::of(serde_json::from_value(pod).unwrap(), &Shared::default()).unwrap();
        demand.template.requests.milli_cpu
    };
    assert_eq!(cpu("1", "2", json!([])), 2000, "smaller");
    assert_eq!(cpu("3", "2", json!([])), 3000, "larger");
    let infeasible = json!([{"type": "PodResizePending", "status": "True",
        "reason": "Infeasible"}]);
    assert_eq!(cpu("9", "2", infeasible), 2000, "larger than can ever be");
}

#[test]
fn a_finished_pod_uses_nothing() {
    let pod = json!({"spec": {"containers": []}, "status": {"phase": "Succeeded"}});
    assert_eq!(Demand::of(serde_json::from_value(pod).unwrap(), &Shared::default()), None);
}

#[test]
fn pods_of_one_template_share_what_they_have_in_common() {
    let shared = Shared::default();
    let pod = |name: &str| {
        let pod = json!({"metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [container("1")]}});
        Demand::of(serde_json::from_value(pod).unwrap(), &shared).unwrap()
    };
    let (a, b) = (pod("a"), pod("b"));
    assert!(Arc::ptr_eq(&a.template, &b.template) && Arc::ptr_eq(&a.kin, &b.kin));
    assert!(!a.differs_from(&b));
}

#[test]
fn host_ports_conflict_by_address() {
    let port = |ip: &str| HostPort { ip: ip.into(), protocol: "TCP".into(), port: 80 };
    assert!(port("0.0.0.0").conflicts_with(&port("10.0.0.1")));
    assert!(port("10.0.0.1").conflicts_with(&port("10.0.0.1")));
    assert!(!port("10.0.0.2").conflicts_with(&port("10.0.0.1")));
}

#[test]
fn images_get_the_tag_that_nodes_report() {
    for (image, expected) in [
        ("web", "web:latest"),
        ("127.0.0.1:5000/web", "127.0.0.1:5000/web:latest"),
        ("127.0.0.1:5000/web:1", "127.0.0.1:5000/web:1"),
        ("web@sha256:ab", "web@sha256:ab"),
    ] {
        assert_eq!(&*with_tag(image), expected);
    }
}
