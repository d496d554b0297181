//! Where pods go, and what is said of those that go nowhere, on the real programs.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};
use wk_tests::{Cluster, ControlPlane, Daemon, Options, eventually, wk_path};

/// Creates a node that nobody runs, with this many processors for pods.
///
/// Pods of these tests select such nodes, so that none of them goes to the machine's own, and they
/// tolerate the taints of a node that is not ready or does not answer.
fn add_node(cluster: &Cluster, name: &str, cpu: &str) {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "test": "yes"}},
    });
    create(cluster, &node);
    let resources = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
    let status = json!({"status": {"allocatable": resources, "capacity": resources,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "",
            "lastHeartbeatTime": null, "lastTransitionTime": null}]}});
    let patch = status.to_string();
    cluster.kubectl(&["patch", "node", name, "--subresource=status", "-p", &patch]).ok();
}

fn create(cluster: &Cluster, object: &Value) {
    cluster.kubectl_with(&["create", "-f", "-"], &object.to_string()).ok();
}

/// A pod for the nodes of the test that asks for so many processors; `more` is the rest of its spec.
fn pod(name: &str, cpu: &str, more: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name.trim_end_matches(char::is_numeric)}},
        "spec": {
            "nodeSelector": {"test": "yes"},
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists"}],
            "containers": [{"name": "c", "image": "example.test/none:1",
                "resources": {"requests": {"cpu": cpu}}}],
        },
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod
}

/// Waits until a pod has a node, and returns the node's name.
#[track_caller]
fn node_of(cluster: &Cluster, pod: &str) -> String {
    eventually(&format!("pod `{pod}` has a node"), || {
        let pod = cluster.object("pod", pod)?;
        pod["spec"]["nodeName"].as_str().map(str::to_owned)
    })
}

/// Waits until the pod's status says why it has no node, and returns reason and message.
#[track_caller]
fn refusal(cluster: &Cluster, pod: &str, message: &str) {
    let mut last = Value::Null;
    eventually(&format!("pod `{pod}` says `{message}`"), || {
        let pod = cluster.object("pod", pod)?;
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        last = conditions.into_iter().find(|one| one["type"] == "PodScheduled")?;
        let is_it = last["status"] == "False"
            && last["reason"] == "Unschedulable"
            && last["message"] == message;
        is_it.then_some(())
    });
}

#[test]
fn a_pod_that_fits_nowhere_says_how_many_nodes_failed_for_which_reason() {
    let cluster = Cluster::start();
    add_node(&cluster, "small-1", "1");
    add_node(&cluster, "small-2", "1");
    add_node(&cluster, "cordoned", "8");
    cluster.kubectl(&["cordon", "cordoned"]).ok();
    create(&cluster, &pod("big", "4", &json!({})));
    let message = "0/4 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, \
                   1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/4 nodes are \
                   available: 4 Preemption is not helpful for scheduling.";
    refusal(&cluster, "big", message);
    assert_eq!(cluster.events("big", "FailedScheduling").trim_end(), message);
    cluster.kubectl(&["uncordon", "cordoned"]).ok();
    assert_eq!(node_of(&cluster, "big"), "cordoned", "the change wakes it");
}

#[test]
fn a_gated_pod_gets_its_node_once_the_gates_are_gone() {
    let cluster = Cluster::start();
    add_node(&cluster, "n1", "4");
    create(&cluster, &pod("gated", "1", &json!({"schedulingGates": [{"name": "example.com/g"}]})));
    create(&cluster, &pod("free", "1", &json!({})));
    assert_eq!(node_of(&cluster, "free"), "n1");
    let shown = cluster.kubectl(&["get", "pod", "gated", "--no-headers"]).ok();
    assert!(shown.contains("SchedulingGated"), "{shown}");
    let patch = r#"[{"op": "remove", "path": "/spec/schedulingGates/0"}]"#;
    cluster.kubectl(&["patch", "pod", "gated", "--type=json", "-p", patch]).ok();
    assert_eq!(node_of(&cluster, "gated"), "n1");
}

#[test]
fn pods_are_spread_over_nodes_and_kept_apart() {
    let cluster = Cluster::start();
    for name in ["n1", "n2", "n3"] {
        add_node(&cluster, name, "16");
    }
    let constraint = json!({"topologySpreadConstraints": [{"maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "spread"}}}]});
    for number in 1..=6 {
        create(&cluster, &pod(&format!("spread{number}"), "100m", &constraint));
    }
    let mut nodes: Vec<String> =
        (1..=6).map(|number| node_of(&cluster, &format!("spread{number}"))).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["n1", "n1", "n2", "n2", "n3", "n3"]);

    let apart = json!({"affinity": {"podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"app": "apart"}}}]}}});
    for number in 1..=3 {
        create(&cluster, &pod(&format!("apart{number}"), "100m", &apart));
    }
    let mut nodes: Vec<String> =
        (1..=3).map(|number| node_of(&cluster, &format!("apart{number}"))).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["n1", "n2", "n3"]);
    create(&cluster, &pod("apart4", "100m", &apart));
    refusal(
        &cluster,
        "apart4",
        "0/4 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 3 node(s) \
         didn't match pod anti-affinity rules. preemption: 0/4 nodes are available: 1 Preemption \
         is not helpful for scheduling, 3 No preemption victims found for incoming pod.",
    );
    cluster.kubectl(&["delete", "pod", "apart2", "--force", "--grace-period=0"]).ok();
    assert!(!node_of(&cluster, "apart4").is_empty(), "the place that is free now");
}

#[test]
fn preemption_honours_disruption_budgets() {
    let cluster = Cluster::start();
    add_node(&cluster, "n1", "4");
    let preempting = "PreemptLowerPriority";
    for (name, value, policy) in [
        ("low", 10, preempting),
        ("middle", 20, preempting),
        ("high", 1000, preempting),
        ("patient", 1000, "Never"),
    ] {
        create(
            &cluster,
            &json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": name}, "value": value, "preemptionPolicy": policy}),
        );
    }
    // The one of lower priority is guarded by a budget, the other one is not.
    create(
        &cluster,
        &json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "budget"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}}),
    );
    create(&cluster, &pod("guarded", "2", &json!({"priorityClassName": "low"})));
    create(&cluster, &pod("free", "2", &json!({"priorityClassName": "middle"})));
    assert_eq!(node_of(&cluster, "guarded"), "n1");
    assert_eq!(node_of(&cluster, "free"), "n1");
    create(&cluster, &pod("patient", "2", &json!({"priorityClassName": "patient"})));
    refusal(
        &cluster,
        "patient",
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node \
         affinity/selector. preemption: not eligible due to preemptionPolicy=Never.",
    );
    cluster.kubectl(&["delete", "pod", "patient"]).ok();

    create(&cluster, &pod("urgent", "2", &json!({"priorityClassName": "high"})));
    let uid = eventually("room is made on n1", || {
        let urgent = cluster.object("pod", "urgent")?;
        (urgent["status"]["nominatedNodeName"] == "n1").then(|| urgent["metadata"]["uid"].clone())
    });
    let told = cluster.events("free", "Preempted");
    assert_eq!(
        told.trim_end(),
        format!("Preempted by pod {} on node n1", uid.as_str().unwrap_or(""))
    );
    // Its node is nobody's, so that it does not end by itself.
    if let Some(free) = cluster.object("pod", "free") {
        assert!(free["metadata"]["deletionTimestamp"].is_string(), "{free}");
        let conditions = free["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let target = conditions.iter().find(|one| one["type"] == "DisruptionTarget");
        assert_eq!(target.map(|one| &one["reason"]), Some(&json!("PreemptionByScheduler")));
        cluster.kubectl(&["delete", "pod", "free", "--force", "--grace-period=0"]);
    }
    assert_eq!(node_of(&cluster, "urgent"), "n1");
    let guarded = cluster.object("pod", "guarded").expect("it is guarded");
    assert!(guarded["metadata"]["deletionTimestamp"].is_null(), "{guarded}");
}

#[test]
fn a_pod_pinned_by_the_name_of_its_node_goes_there() {
    let cluster = Cluster::start();
    add_node(&cluster, "n1", "4");
    add_node(&cluster, "n2", "4");
    let pinned = |cpu: &str, number: usize| {
        let affinity = json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{
                "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}]}}}});
        pod(&format!("pinned{number}"), cpu, &affinity)
    };
    create(&cluster, &pinned("3", 1));
    assert_eq!(node_of(&cluster, "pinned1"), "n2");
    create(&cluster, &pinned("3", 2));
    refusal(
        &cluster,
        "pinned2",
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) \
         [NodeAffinity]. preemption: 0/3 nodes are available: 1 No preemption victims found for \
         incoming pod, 2 Preemption is not helpful for scheduling.",
    );
}

#[test]
fn pods_choose_their_rules_by_the_name_of_a_scheduler() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("scheduler.yaml");
    let profiles = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "profiles": [
            {"schedulerName": "default-scheduler"},
            {"schedulerName": "packing", "pluginConfig": [{"name": "NodeResourcesFit", "args":
                {"scoringStrategy": {"type": "MostAllocated",
                    "resources": [{"name": "cpu", "weight": 1}]}}}]},
        ],
    });
    std::fs::write(&file, profiles.to_string()).expect("the file can be written");
    let arguments = vec!["--scheduler-config".to_owned(), file.display().to_string()];
    let cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    add_node(&cluster, "n1", "8");
    add_node(&cluster, "n2", "8");
    create(&cluster, &pod("first", "2", &json!({})));
    let first = node_of(&cluster, "first");
    create(&cluster, &pod("packed", "1", &json!({"schedulerName": "packing"})));
    assert_eq!(node_of(&cluster, "packed"), first, "where there is less left");
    create(&cluster, &pod("foreign", "1", &json!({"schedulerName": "somebody-else"})));
    create(&cluster, &pod("spread", "1", &json!({})));
    assert_ne!(node_of(&cluster, "spread"), first, "where there is more left");
    let foreign = cluster.object("pod", "foreign").expect("it exists");
    assert!(foreign["spec"]["nodeName"].is_null(), "{foreign}");
    assert!(foreign["status"]["conditions"].is_null(), "{foreign}");
}

#[test]
fn the_scheduler_tells_what_it_measures_under_the_names_of_kubernetes() {
    let cluster = Cluster::start();
    add_node(&cluster, "small", "1");
    create(&cluster, &pod("fits", "500m", &json!({})));
    create(&cluster, &pod("big", "4", &json!({})));
    create(
        &cluster,
        &pod("gated", "1m", &json!({"schedulingGates": [{"name": "example.com/wait"}]})),
    );
    assert_eq!(node_of(&cluster, "fits"), "small");
    let mut text = String::new();
    eventually("everything is counted", || {
        text = cluster.kubectl(&["get", "--raw", "/metrics"]).ok();
        let has = |line: &str| text.lines().any(|own| own == line);
        let all = has("scheduler_pending_pods{queue=\"unschedulable\"} 1")
            && has("scheduler_pending_pods{queue=\"gated\"} 1")
            && has("scheduler_pending_pods{queue=\"active\"} 0")
            && has("scheduler_schedule_attempts_total{profile=\"default-scheduler\",\
                    result=\"scheduled\"} 1")
            && has("scheduler_pod_scheduling_attempts_count 1");
        all.then_some(())
    });
    for name in [
        "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"unschedulable\"}",
        "scheduler_scheduling_attempt_duration_seconds_bucket",
        "scheduler_framework_extension_point_duration_seconds_count{extension_point=\"Bind\",\
         profile=\"default-scheduler\",status=\"Success\"} 1",
        "scheduler_preemption_attempts_total",
        "scheduler_queue_incoming_pods_total{event=\"UnschedulablePodAdd\",queue=\"active\"} 2",
        "scheduler_unschedulable_pods{plugin=\"NodeResourcesFit\",profile=\"default-scheduler\"} 1",
        "scheduler_unschedulable_pods{plugin=\"SchedulingGates\",profile=\"default-scheduler\"} 1",
        "scheduler_plugin_evaluation_total{extension_point=\"Filter\",plugin=\"NodeResourcesFit\",\
         profile=\"default-scheduler\"}",
        "scheduler_event_handling_duration_seconds_count{event=\"NodeAdd\"}",
        "scheduler_goroutines{operation=\"binding\"} 0",
        "scheduler_cache_size{type=\"nodes\"} 2",
        "# HELP scheduler_pending_pods [STABLE] ",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
}

/// The answer to a request over plain HTTP.
#[track_caller]
fn fetched(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_scheduler_alone_tells_how_it_is_and_what_it_measures() {
    let plane = ControlPlane::start("server");
    let config = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let server = config.split("server: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let mut command = Command::new(wk_path());
    command.args(["scheduler", "--listen", "127.0.0.1:0", "--server", server.unwrap()]);
    command.arg("--token-file").arg(plane.data_dir().join("token"));
    command.arg("--data-dir").arg(plane.scratch("scheduler"));
    let scheduler = Daemon::start(command, &plane.scratch("scheduler.log"));
    let address = eventually("it listens", || {
        let output = scheduler.output();
        let told = output.split("scheduler listens on ").nth(1)?;
        told.split_whitespace().next().map(str::to_owned)
    });
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = fetched(&address, path);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    let metrics = fetched(&address, "/metrics");
    assert!(metrics.contains("content-type: application/openmetrics-text"), "{metrics}");
    assert!(metrics.contains("scheduler_pending_pods{queue=\"active\"} 0"), "{metrics}");
    assert!(metrics.trim_end().ends_with("# EOF"), "{metrics}");
}
