//! Table rows, as `kubectl get` shows them.

use serde_json::{Value, json};
use wk_api::parse_time;
use wk_resources::definition;

#[track_caller]
fn check(group: &str, kind: &str, object: &Value, expected: &[&str]) {
    let definition = definition(group, "v1", kind).expect("the kind is built in");
    let now = parse_time("2026-01-02T04:00:00Z").expect("a time");
    let cells: Vec<String> = definition
        .row(object, now)
        .iter()
        .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
        .collect();
    assert_eq!(cells.len(), definition.columns.len());
    assert_eq!(cells[..expected.len()], *expected, "{object}");
}

/// A pod with this status and, if wanted, init containers.
fn pod(init: &Value, status: &Value) -> Value {
    json!({
        "metadata": {"name": "p", "creationTimestamp": "2026-01-02T03:55:00Z"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": init},
        "status": status,
    })
}

#[test]
fn pods_tell_their_state() {
    let none = json!([]);
    let running = json!({"name": "a", "ready": true, "state": {"running": {}}});
    let crashing = json!({
        "name": "b", "ready": false, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"finishedAt": "2026-01-02T03:58:00Z"}},
    });
    let show = |object: &Value, expected: &[&str]| check("", "Pod", object, expected);
    show(&pod(&none, &json!({"phase": "Pending"})), &["p", "0/2", "Pending", "0", "5m"]);
    show(
        &pod(&none, &json!({"phase": "Running", "containerStatuses": [running, crashing]})),
        &["p", "1/2", "CrashLoopBackOff", "3 (2m ago)", "5m", "<none>", "<none>", "<none>"],
    );
    let completed = json!({"name": "b", "state": {"terminated": {"reason": "Completed"}}});
    show(
        &pod(
            &none,
            &json!({
                "phase": "Running", "podIPs": [{"ip": "127.64.0.2"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [running, completed],
            }),
        ),
        &["p", "1/2", "Running", "0", "5m", "127.64.0.2"],
    );
    let failed = json!({"name": "a", "state": {"terminated": {"exitCode": 3}}});
    show(
        &pod(&none, &json!({"phase": "Failed", "containerStatuses": [failed]})),
        &["p", "0/2", "ExitCode:3"],
    );
    show(&pod(&none, &json!({"phase": "Failed", "reason": "Evicted"})), &["p", "0/2", "Evicted"]);
}

#[test]
fn pods_tell_how_far_they_are_set_up() {
    let init = json!([{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]);
    let show = |statuses: Value, expected: &[&str]| {
        let status = json!({"phase": "Pending", "initContainerStatuses": statuses});
        check("", "Pod", &pod(&init, &status), expected);
    };
    show(json!([{"name": "i", "state": {"running": {}}}]), &["p", "0/3", "Init:0/2"]);
    let done = json!({"name": "i", "state": {"terminated": {"exitCode": 0}}});
    show(json!([done, {"name": "s", "state": {"waiting": {}}}]), &["p", "0/3", "Init:1/2"]);
    show(
        json!([{"name": "i", "restartCount": 1, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]),
        &["p", "0/3", "Init:Error", "1"],
    );
    show(
        json!([{"name": "i", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]),
        &["p", "0/3", "Init:ImagePullBackOff"],
    );
    let sidecar = json!({"name": "s", "started": true, "ready": true, "state": {"running": {}}});
    show(json!([done, sidecar]), &["p", "1/3", "Pending"]);
}

#[test]
fn pods_tell_that_they_go() {
    let mut going = pod(&json!([]), &json!({"phase": "Running"}));
    going["metadata"]["deletionTimestamp"] = "2026-01-02T04:00:00Z".into();
    check("", "Pod", &going, &["p", "0/2", "Terminating"]);
    going["status"]["phase"] = "Succeeded".into();
    check("", "Pod", &going, &["p", "0/2", "Succeeded"]);
}

#[test]
fn nodes_and_services_show_what_people_look_for() {
    check(
        "",
        "Node",
        &json!({
            "metadata": {
                "name": "n", "creationTimestamp": "2026-01-02T03:00:00Z",
                "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge"},
            },
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Linux"},
            },
        }),
        &[
            "n",
            "Ready,SchedulingDisabled",
            "control-plane,edge",
            "60m",
            "v1.36.0",
            "127.0.0.1",
            "<none>",
            "Linux",
            "<unknown>",
            "<unknown>",
        ],
    );
    check(
        "",
        "Service",
        &json!({
            "metadata": {"name": "s", "creationTimestamp": "2026-01-02T03:59:30Z"},
            "spec": {
                "type": "NodePort", "clusterIP": "127.32.0.1", "selector": {"a": "b", "c": "d"},
                "ports": [{"port": 80, "nodePort": 30_080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
            },
        }),
        &["s", "NodePort", "127.32.0.1", "<none>", "80:30080/TCP,53/UDP", "30s", "a=b,c=d"],
    );
    check(
        "",
        "Service",
        &json!({"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer"}}),
        &["s", "LoadBalancer", "<none>", "<pending>", "<none>", "<unknown>", "<none>"],
    );
}

#[test]
fn events_show_the_last_of_several() {
    let event = json!({
        "metadata": {"name": "e"},
        "type": "Warning", "reason": "BackOff", "message": " again\n",
        "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"},
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": "2026-01-02T03:50:00Z", "lastTimestamp": "2026-01-02T03:59:50Z", "count": 4,
    });
    check(
        "",
        "Event",
        &event,
        &[
            "10s",
            "Warning",
            "BackOff",
            "pod/p",
            "spec.containers{a}",
            "kubelet, n",
            "again",
            "10m",
            "4",
            "e",
        ],
    );
    let mut view = event.clone();
    definition("events.k8s.io", "v1", "Event").unwrap().from_stored(&mut view);
    assert_eq!(view["regarding"]["name"], "p");
    assert_eq!(view["note"], " again\n");
    check("events.k8s.io", "Event", &view, &["10s", "Warning", "BackOff", "pod/p"]);
}

#[test]
fn workloads_show_their_counts() {
    let template = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}});
    check(
        "apps",
        "Deployment",
        &json!({
            "metadata": {"name": "d", "creationTimestamp": "2026-01-02T03:59:00Z"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template},
            "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
        }),
        &["d", "1/3", "2", "1", "60s", "a,b", "a:1,b:1", "a=b"],
    );
    check(
        "batch",
        "Job",
        &json!({
            "metadata": {"name": "j", "creationTimestamp": "2026-01-02T03:59:00Z"},
            "spec": {"completions": 2, "template": template},
            "status": {
                "succeeded": 2, "startTime": "2026-01-02T03:59:00Z",
                "completionTime": "2026-01-02T03:59:07Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        }),
        &["j", "Complete", "2/2", "7s", "60s"],
    );
}
