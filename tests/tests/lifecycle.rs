//! The life of a pod on a running cluster: probes, hooks, gates, deadlines, containers that are added.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use wk_tests::{Cluster, Daemon, eventually, http_get};

/// A pod of the guest that does what its arguments say, with more said of its container.
fn guest(cluster: &Cluster, name: &str, arguments: &[&str], container: &Value) -> Value {
    let image = format!("{}/tests/testguest:1", cluster.registry());
    let mut main = json!({
        "name": "main", "image": image, "command": ["testguest"], "args": arguments,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    });
    for (field, value) in container.as_object().into_iter().flatten() {
        main[field] = value.clone();
    }
    json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name},
        "spec": {
            "containers": [main], "volumes": [{"name": "data", "emptyDir": {}}],
            "terminationGracePeriodSeconds": 1,
        },
    })
}

/// A server whose answers follow from the path that is asked for.
fn server(cluster: &Cluster, name: &str, container: &Value) -> Value {
    let mut pod = guest(cluster, name, &[], container);
    let main = &mut pod["spec"]["containers"][0];
    main["image"] = format!("{}/tests/testguest-http:1", cluster.registry()).into();
    main["ports"] = json!([{"name": "web", "containerPort": 8080}]);
    let fields = main.as_object_mut().expect("a container is an object");
    fields.remove("command");
    fields.remove("args");
    pod
}

fn start() -> Cluster {
    let cluster = Cluster::start();
    cluster.push_example("testguest");
    cluster.push_example("testguest-http");
    cluster
}

/// Waits until one of the events of this reason says `text`.
#[track_caller]
fn told(cluster: &Cluster, pod: &str, reason: &str, text: &str) {
    eventually(&format!("an event {reason} of `{pod}` says `{text}`"), || {
        cluster.events(pod, reason).contains(text).then_some(())
    });
}

fn status(cluster: &Cluster, pod: &str) -> Value {
    cluster.object("pod", pod).unwrap_or_default()["status"]["containerStatuses"][0].clone()
}

fn write(cluster: &Cluster, pod: &str, path: &str) {
    cluster.kubectl(&["exec", pod, "--", "testguest", "write", path, "x"]).ok();
}

#[test]
fn a_guest_says_by_a_command_whether_it_is_ready_and_alive() {
    let cluster = start();
    let probe = |path: &str, failures: u32| {
        json!({
            "exec": {"command": ["testguest", "cat", path]},
            "periodSeconds": 1, "failureThreshold": failures,
        })
    };
    let probes = json!({
        "startupProbe": probe("/data/started", 1000),
        "readinessProbe": probe("/data/ready", 1),
        "livenessProbe": probe("/data/started", 1),
    });
    cluster.apply(&guest(&cluster, "web", &["sleep", "100000"], &probes).to_string());
    told(&cluster, "web", "Unhealthy", "Startup probe failed: /data/started: ");
    let waiting = status(&cluster, "web");
    assert_eq!((&waiting["started"], &waiting["ready"]), (&json!(false), &json!(false)));
    write(&cluster, "web", "/data/started");
    told(&cluster, "web", "Unhealthy", "Readiness probe failed: /data/ready: ");
    assert_eq!(status(&cluster, "web")["started"], true);
    write(&cluster, "web", "/data/ready");
    cluster.ready_pod("web");
    assert_eq!(status(&cluster, "web")["restartCount"], 0);
    let probed = ["exec", "web", "--", "testguest", "remove", "/data/started"];
    cluster.kubectl(&probed).ok();
    told(&cluster, "web", "Killing", "Container main failed liveness probe, will be restarted");
    eventually("it was started again", || {
        (status(&cluster, "web")["restartCount"] == 1).then_some(())
    });
}

#[test]
fn a_server_is_judged_by_what_it_answers() {
    let cluster = start();
    let get = |path: &str, more: &Value| {
        let mut get = json!({"path": path, "port": "web"});
        for (field, value) in more.as_object().into_iter().flatten() {
            get[field] = value.clone();
        }
        json!({"readinessProbe": {"httpGet": get, "periodSeconds": 1}})
    };
    for (name, probe) in [
        ("fine", get("/", &Value::Null)),
        ("failing", get("/status?code=500", &Value::Null)),
        ("plain", get("/", &json!({"scheme": "HTTPS"}))),
        ("grpc", json!({"readinessProbe": {"grpc": {"port": 9}, "periodSeconds": 1}})),
        ("tcp", json!({"readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}})),
        ("nameless", json!({"readinessProbe": {"tcpSocket": {"port": "api"}}})),
    ] {
        cluster.apply(&server(&cluster, name, &probe).to_string());
    }
    cluster.ready_pod("fine");
    let code = "Readiness probe failed: HTTP probe failed with statuscode: 500";
    told(&cluster, "failing", "Unhealthy", code);
    told(&cluster, "plain", "Unhealthy", "http: server gave HTTP response to HTTPS client");
    told(&cluster, "grpc", "Unhealthy", "error: failed to connect service at");
    told(&cluster, "tcp", "Unhealthy", "Readiness probe failed: dial tcp 127.");
    let unknown = "Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing \
                   \"api\": invalid syntax";
    told(&cluster, "nameless", "Unhealthy", unknown);
}

#[test]
fn hooks_run_after_the_start_and_before_the_end() {
    let cluster = start();
    let folder = cluster.scratch().join("notes");
    let exec = |words: &[&str]| json!({"exec": {"command": words}});
    let lifecycle = json!({"lifecycle": {
        "postStart": exec(&["testguest", "write", "/data/begun", "hello"]),
        "preStop": exec(&["testguest", "write", "/data/ended", "bye"]),
    }});
    let mut pod = guest(&cluster, "web", &["sleep", "100000"], &lifecycle);
    pod["spec"]["volumes"] =
        json!([{"name": "data", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}]);
    pod["spec"]["terminationGracePeriodSeconds"] = 30.into();
    cluster.apply(&pod.to_string());
    cluster.ready_pod("web");
    let note = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    assert_eq!(note("begun").as_deref(), Some("hello"));
    assert_eq!(note("ended"), None);
    cluster.kubectl(&["delete", "pod", "web", "--grace-period=5"]).ok();
    assert_eq!(note("ended").as_deref(), Some("bye"));

    let failing = json!({"lifecycle": {"postStart": exec(&["testguest", "exit", "1"])}});
    cluster.apply(&guest(&cluster, "failing", &["sleep", "100000"], &failing).to_string());
    told(&cluster, "failing", "FailedPostStartHook", "PostStartHook failed");
    told(&cluster, "failing", "Killing", "FailedPostStartHook");
    let state = cluster.container_state("failing", "PostStartHookError");
    let message = state["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("command 'testguest exit 1' exited with 1"), "{message}");

    // One that never ends has no more time than its pod.
    let hanging = json!({"lifecycle": {"preStop": exec(&["testguest", "sleep", "100000"])}});
    cluster.apply(&guest(&cluster, "hanging", &["sleep", "100000"], &hanging).to_string());
    cluster.ready_pod("hanging");
    cluster.kubectl(&["delete", "pod", "hanging"]).ok();
    let missing = json!({"lifecycle": {"preStop": {"httpGet": {"port": 9}}}});
    cluster.apply(&guest(&cluster, "missing", &["sleep", "100000"], &missing).to_string());
    cluster.ready_pod("missing");
    cluster.kubectl(&["delete", "pod", "missing"]).ok();
    told(&cluster, "missing", "FailedPreStopHook", "PreStopHook failed");
}

#[test]
fn a_pod_is_ready_when_others_say_so_and_ends_at_its_deadline() {
    let cluster = start();
    let mut pod = guest(&cluster, "gated", &["sleep", "100000"], &Value::Null);
    pod["spec"]["readinessGates"] = json!([{"conditionType": "example.org/gate"}]);
    cluster.apply(&pod.to_string());
    let reason = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}";
    eventually("only the gate is missing", || {
        let told = cluster.kubectl(&["get", "pod", "gated", "-o", reason]).stdout;
        (told == "ReadinessGatesNotReady").then_some(())
    });
    let conditions = json!([{"type": "example.org/gate", "status": "True"}]);
    let patch = json!({"status": {"conditions": conditions}}).to_string();
    cluster.kubectl(&["patch", "pod", "gated", "--subresource=status", "-p", &patch]).ok();
    cluster.ready_pod("gated");

    let mut pod = guest(&cluster, "late", &["sleep", "100000"], &Value::Null);
    pod["spec"]["activeDeadlineSeconds"] = 1.into();
    cluster.apply(&pod.to_string());
    let pod = cluster.pod_in_phase("late", "Failed");
    assert_eq!(pod["status"]["reason"], "DeadlineExceeded");
    let message = "Pod was active on the node longer than the specified deadline";
    assert_eq!(pod["status"]["message"], message);
}

#[test]
fn a_running_pod_is_looked_into_with_a_container_of_its_own() {
    let cluster = start();
    cluster.apply(&guest(&cluster, "web", &["sleep", "100000"], &Value::Null).to_string());
    cluster.ready_pod("web");
    let image = format!("--image={}/tests/testguest:1", cluster.registry());
    let debug = ["debug", "web", &image, "-c", "look", "--", "testguest", "print", "2"];
    cluster.kubectl(&debug).ok();
    let ended = eventually("it has ended", || {
        let pod = cluster.object("pod", "web")?;
        let state = &pod["status"]["ephemeralContainerStatuses"][0]["state"]["terminated"];
        state.is_object().then(|| state.clone())
    });
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(0), &json!("Completed")));
    assert_eq!(cluster.kubectl(&["logs", "web", "-c", "look"]).ok(), "line 1\nline 2\ndone\n");
    told(&cluster, "web", "Started", "Started container look");
    let pod = cluster.ready_pod("web");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    cluster.kubectl(&["delete", "pod", "web"]).ok();
}

#[test]
fn a_file_of_one_container_is_the_environment_of_the_next() {
    let cluster = start();
    let variable = |name: &str, key: &str, optional: bool| {
        json!({"name": name, "valueFrom": {"fileKeyRef": {
            "volumeName": "data", "path": "env", "key": key, "optional": optional,
        }}})
    };
    let env = json!([
        variable("TOLD", "WORD", false),
        variable("NOT_TOLD", "OTHER", true),
        {"name": "TWICE", "value": "$(TOLD) $(TOLD) $$(TOLD)"},
    ]);
    let arguments = ["env", "TWICE"];
    let mut pod = guest(&cluster, "web", &arguments, &json!({"env": env, "volumeMounts": []}));
    let mut first = guest(&cluster, "x", &["write", "/data/env", "WORD='hello'"], &Value::Null);
    pod["spec"]["initContainers"] = json!([first["spec"]["containers"][0].take()]);
    pod["spec"]["initContainers"][0]["name"] = "first".into();
    pod["spec"]["restartPolicy"] = "Never".into();
    cluster.apply(&pod.to_string());
    cluster.pod_in_phase("web", "Succeeded");
    assert_eq!(cluster.kubectl(&["logs", "web"]).ok(), "hello hello $(TOLD)\n");
}

#[test]
fn a_kubelet_tells_what_it_was_told_and_what_it_found() {
    let cluster = start();
    let probe = json!({"readinessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 1}});
    cluster.apply(&server(&cluster, "web", &probe).to_string());
    cluster.ready_pod("web");
    let nodes = cluster.kubectl(&["get", "nodes", "-o", "name"]).ok();
    let node = nodes.trim().trim_start_matches("node/").to_owned();
    let get = |path: &str| {
        let path = format!("/api/v1/nodes/{node}/proxy/{path}");
        cluster.kubectl(&["get", "--raw", &path])
    };
    let config = get("configz").json()["kubeletconfig"].clone();
    assert_eq!(config["kind"], "KubeletConfiguration");
    assert_eq!(config["imageGCHighThresholdPercent"], 85);
    assert_eq!(config["evictionPressureTransitionPeriod"], "5m0s");
    let probes = get("metrics/probes").ok();
    let line = "prober_probe_total{container=\"main\",namespace=\"default\",pod=\"web\",\
                probe_type=\"Readiness\"";
    assert!(probes.contains(line) && probes.contains("result=\"successful\""), "{probes}");
    let usage = get("metrics/cadvisor").ok();
    let line = "container_memory_working_set_bytes{container=\"main\",id=\"/kubepods/pod";
    assert!(usage.contains(line) && usage.contains("machine_memory_bytes "), "{usage}");
}

/// A second node of a cluster.
fn agent(cluster: &Cluster) -> Command {
    let text = std::fs::read_to_string(cluster.kubeconfig()).expect("the kubeconfig can be read");
    let config: Value = serde_yaml::from_str(&text).expect("the kubeconfig is YAML");
    let server = config["clusters"][0]["cluster"]["server"].as_str().expect("it has a server");
    let mut command = Command::new(wk_tests::wk_path());
    command.args(["agent", "--server", server, "--node-name", "node-2", "--address", "127.0.0.1"]);
    command.arg(wk_tests::NO_PRESSURE);
    command.arg("--token-file").arg(cluster.data_dir().join("token"));
    command.arg("--data-dir").arg(cluster.scratch().join("node-2"));
    command
}

#[test]
fn a_node_brings_its_pods_back_while_its_control_plane_is_away() {
    let mut cluster = start();
    let log = cluster.scratch().join("node-2.log");
    let mut node = Daemon::start(agent(&cluster), &log);
    cluster.wait_for_node("node-2", "True");
    cluster.kubectl(&["create", "configmap", "settings", "--from-literal=MODE=one"]).ok();
    let from = json!({"envFrom": [{"configMapRef": {"name": "settings"}}]});
    let mut pod = server(&cluster, "web", &from);
    pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-2"});
    cluster.apply(&pod.to_string());
    let pod = cluster.ready_pod("web");
    let ip = pod["status"]["podIP"].as_str().expect("a ready pod has an address");
    let address = SocketAddr::new(ip.parse().expect("an address"), 8080);
    let serves = || http_get(address, "/env?name=MODE").is_ok_and(|page| page.body.contains("one"));
    assert!(serves());

    let again = agent(&cluster);
    cluster.daemon().kill();
    node.kill_with_programs();
    assert!(!serves(), "its program has gone with it");
    let _node = Daemon::start(again, &log);
    eventually("the pod serves again", || serves().then_some(()));
}
