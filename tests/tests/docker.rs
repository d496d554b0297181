//! Linux pods on the real program with a real engine, as a user has them. Ignored by default for
//! what they need; `.ci/run` installs that and runs them.

use serde_json::{Value, json};
use wk_tests::{Cluster, DockerEngine, eventually};

/// A cluster whose node has an engine, and an image in its registry.
struct Bench {
    // In this order: the engine goes last.
    cluster: Cluster,
    engine: DockerEngine,
    image: String,
}

impl Bench {
    fn start() -> Self {
        Self::with(DockerEngine::start())
    }

    fn with(engine: DockerEngine) -> Self {
        let config = json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "WorkingDir": "/tmp"});
        let (cluster, image) = engine.cluster(&config);
        Self { cluster, engine, image }
    }

    /// Applies a pod of one container that runs `script`, with `more` in the container and `of_pod`
    /// in its specification.
    fn run(&self, name: &str, script: &str, more: &Value, of_pod: &Value) {
        let mut container = json!({
            "name": "main", "image": self.image, "command": ["sh", "-c", script],
        });
        merge(&mut container, more);
        let mut spec = json!({"terminationGracePeriodSeconds": 2, "containers": [container]});
        merge(&mut spec, of_pod);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec,
        });
        self.cluster.apply(&pod.to_string());
    }

    fn main_status(&self, pod: &str) -> Value {
        let pod = self.cluster.object("pod", pod).unwrap_or_default();
        pod["status"]["containerStatuses"][0].clone()
    }

    fn exec(&self, pod: &str, command: &[&str]) -> wk_tests::Answer {
        self.cluster.kubectl(&[&["exec", pod, "--"], command].concat())
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_linux_pod_is_a_pod() {
    let bench = Bench::start();
    let cluster = &bench.cluster;
    bench.run(
        "web",
        "mkdir www && echo page of $NAME > www/index.html && echo started && \
         httpd -p 8081 -h www && exec httpd -f -p 8080 -h www",
        &json!({
            "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1},
            "livenessProbe": {"exec": {"command": ["test", "-d", "/tmp/www"]}},
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
            "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
        }),
        &json!({
            "volumes": [{"name": "shared", "emptyDir": {}}],
            "initContainers": [{
                "name": "first", "image": bench.image,
                "args": ["-c", "echo 5 > /shared/five"], "command": ["/bin/sh"],
                "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
            }],
        }),
    );
    assert_eq!(cluster.page("web", 8080, "/").body, "page of web\n");
    for port in [8080, 8081] {
        let path = format!("/api/v1/namespaces/default/pods/web:{port}/proxy/");
        let page = cluster.kubectl(&["get", "--raw", &path]).ok();
        assert_eq!(page, "page of web\n", "also at a port that is not declared");
    }
    let status = bench.main_status("web");
    let id = status["containerID"].as_str().unwrap();
    assert!(id.starts_with("docker://"), "{id}");
    assert_eq!(cluster.kubectl(&["logs", "web"]).ok(), "started\n");
    assert_eq!(bench.exec("web", &["cat", "/shared/five"]).ok(), "5\n");
    assert_eq!(bench.exec("web", &["hostname"]).ok(), "web\n");
    assert_eq!(bench.exec("web", &["sh", "-c", "exit 9"]).code, 9);
    let missing = bench.exec("web", &["/no/such/program"]).refused();
    assert!(missing.contains("no such file") || missing.contains("not found"), "{missing}");
    let echoed = cluster.kubectl_with(&["exec", "-i", "web", "--", "wc", "-c"], "12345");
    assert_eq!(echoed.ok().trim(), "5");
    let stats = eventually("the pod's memory is known", || {
        let answer = cluster.kubectl(&["top", "pod", "web", "--no-headers"]);
        (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
    });
    assert!(stats.contains("Mi"), "{stats}");
    let version = "jsonpath={.items[0].status.nodeInfo.containerRuntimeVersion}";
    let version = cluster.kubectl(&["get", "nodes", "-o", version]).ok();
    assert!(version.contains(",docker://"), "{version}");

    cluster.kubectl(&["delete", "pod", "web", "--timeout=60s"]).ok();
    eventually("nothing is left in the engine", || {
        bench.engine.ps(&["--quiet"]).is_empty().then_some(())
    });
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn limits_and_probes_tell_the_truth() {
    let bench = Bench::start();
    let cluster = &bench.cluster;
    bench.run(
        "hog",
        "x=$(yes | head -c 200000000); echo $x | wc",
        &json!({"resources": {"limits": {"memory": "16Mi"}}}),
        &json!({}),
    );
    let probe = json!({"tcpSocket": {"port": 7000}, "periodSeconds": 1});
    bench.run(
        "deaf",
        "sleep 1000",
        &json!({"ports": [{"containerPort": 7000}], "readinessProbe": probe}),
        &json!({}),
    );
    bench.run("bomb", "b() { b | b & }; b; sleep 1000", &json!({}), &json!({}));
    let killed = cluster.container_state("hog", "OOMKilled");
    assert_eq!(killed["exitCode"], 137);
    eventually("the container is started again", || {
        bench.main_status("hog")["restartCount"].as_u64().filter(|count| *count > 0)
    });
    let refused = cluster.events("deaf", "Unhealthy");
    assert!(refused.contains("Readiness probe failed"), "{refused}");
    assert_eq!(bench.main_status("deaf")["ready"], false, "nobody listens behind the proxy");
    cluster.pod_in_phase("bomb", "Running");
    cluster.kubectl(&["delete", "pod", "bomb", "hog", "deaf", "--timeout=90s"]).ok();
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn the_security_context_holds() {
    let bench = Bench::start();
    let cluster = &bench.cluster;
    let script = "id -u; id -g; id -G; touch /file 2>&1 && echo written; \
                  grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status || head -c 0 /dev/null; sleep 1000";
    bench.run(
        "bound",
        script,
        &json!({"securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        }}),
        &json!({"securityContext": {
            "runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000, "runAsNonRoot": true,
        }}),
    );
    bench.run("root", "true", &json!({"securityContext": {"runAsNonRoot": true}}), &json!({}));
    cluster.ready_pod("bound");
    let said = eventually("all is said", || {
        let said = cluster.kubectl(&["logs", "bound"]).ok();
        said.contains("Read-only").then_some(said)
    });
    assert!(said.starts_with("1000\n2000\n2000 3000\n"), "{said}");
    assert!(!said.contains("written"), "{said}");
    let status = bench.exec("bound", &["cat", "/proc/1/status"]).ok();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(of("CapEff:"), "0000000000000000");
    assert_eq!(of("NoNewPrivs:"), "1");
    assert_eq!(of("Seccomp:"), "2", "a filter");
    let refused = cluster.container_state("root", "CreateContainerConfigError");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("image will run as root"), "{message}");
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn pods_outlive_a_killed_kubelet() {
    let mut bench = Bench::start();
    let count = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; sleep 0.01; done";
    bench.run("counts", count, &json!({}), &json!({}));
    let never = json!({"restartPolicy": "Never"});
    bench.run("ends", "while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 7", &json!({}), &never);
    bench.run("orphan", "sleep 1000", &json!({}), &json!({}));
    for pod in ["counts", "ends", "orphan"] {
        bench.cluster.ready_pod(pod);
    }
    let before = bench.main_status("counts");
    for round in 0..3 {
        bench.cluster.daemon().kill();
        if round == 1 {
            // It ends while nobody looks.
            let filter = "label=io.kubernetes.pod.name=ends";
            let ends = bench.engine.ps(&[
                "-q",
                "--filter",
                filter,
                "--filter",
                "status=running",
                "--filter",
                "label=io.kubernetes.container.name=main",
            ]);
            bench.engine.docker(&["exec", &ends[0], "touch", "/tmp/end"]).ok();
            bench.engine.docker(&["wait", &ends[0]]).ok();
        }
        bench.cluster.start_again();
        bench.cluster.ready_pod("counts");
        let after = bench.main_status("counts");
        for field in ["containerID", "restartCount", "state"] {
            assert_eq!(after[field], before[field], "in round {round}");
        }
    }
    let ended = bench.cluster.pod_in_phase("ends", "Failed");
    let end = &ended["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&end["exitCode"], &end["reason"]), (&json!(7), &json!("Error")));
    let lines = eventually("the log goes on", || {
        let log = bench.cluster.kubectl(&["logs", "counts"]).ok();
        let lines: Vec<u32> = log.lines().map(|line| line.parse().unwrap()).collect();
        (lines.len() > 300).then_some(lines)
    });
    let expected: Vec<u32> = (1..=u32::try_from(lines.len()).unwrap()).collect();
    assert_eq!(lines, expected, "no line is lost or doubled");
    bench.cluster.kubectl(&["delete", "pod", "--all", "--timeout=90s"]).ok();
    eventually("nothing is left in the engine", || {
        bench.engine.ps(&["--quiet"]).is_empty().then_some(())
    });
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn pods_wait_for_an_engine_that_is_away() {
    let mut bench = Bench::with(DockerEngine::absent());
    bench.run("linux", "echo there; sleep 1000", &json!({}), &json!({}));
    let wasm = bench.cluster.push_example("hello-http");
    bench.cluster.kubectl(&["run", "wasm", "--image", &wasm, "--port=8080"]).ok();
    bench.cluster.ready_pod("wasm");
    let waiting = bench.cluster.events("linux", "FailedCreatePodSandBox");
    assert!(waiting.contains("container engine"), "{waiting}");
    let condition = |cluster: &Cluster| {
        let path = "jsonpath={.items[0].status.conditions[?(@.type=='ContainerEngineUnavailable')].status}";
        cluster.kubectl(&["get", "nodes", "-o", path]).stdout
    };
    eventually("the node says so", || (condition(&bench.cluster) == "True").then_some(()));
    bench.engine.start_again();
    bench.cluster.ready_pod("linux");
    eventually("the node says so", || (condition(&bench.cluster) == "False").then_some(()));
    bench.engine.stop();
    eventually("the node says so again", || (condition(&bench.cluster) == "True").then_some(()));
    bench.cluster.ready_pod("wasm");
    bench.engine.start_again();
    eventually("the container is started again", || {
        bench.main_status("linux")["restartCount"].as_u64().filter(|count| *count > 0)
    });
    bench.cluster.ready_pod("linux");
    bench.cluster.kubectl(&["delete", "pod", "linux", "--timeout=90s"]).ok();
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_cluster_that_is_stopped_leaves_nothing_in_the_engine() {
    let mut bench = Bench::start();
    bench.run(
        "long",
        "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done",
        &json!({}),
        &json!({}),
    );
    bench.cluster.ready_pod("long");
    assert!(bench.cluster.daemon().stop().success());
    assert!(bench.engine.ps(&["--quiet"]).is_empty());
    bench.cluster.start_again();
    eventually("the container is started again", || {
        bench.main_status("long")["restartCount"].as_u64().filter(|count| *count > 0)
    });
    bench.cluster.ready_pod("long");
    let before = bench.cluster.kubectl(&["logs", "long", "--previous"]).ok();
    assert_eq!(before, "bye\n");
    let deleted = bench.cluster.kubectl(&["delete", "pod", "long", "--timeout=60s"]);
    deleted.ok();
}
