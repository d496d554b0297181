//! What Linux containers have on disk, on the real program with a real engine: parts of volumes, and
//! what they write elsewhere. Ignored by default for what it needs; `.ci/run` installs that and runs it.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

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
        let engine = DockerEngine::start();
        let (cluster, image) = engine.cluster(&json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}));
        Self { cluster, engine, image }
    }

    fn apply(&self, name: &str, script: &str, more: &Value, volumes: &Value) {
        let mut container = json!({
            "name": "main", "image": self.image, "command": ["sh", "-c", script],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            container[key] = value.clone();
        }
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
                "terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes,
            },
        });
        self.cluster.apply(&pod.to_string());
    }

    fn exec(&self, pod: &str, script: &str) -> wk_tests::Answer {
        self.cluster.kubectl(&["exec", pod, "--", "sh", "-c", script])
    }

    /// What is mounted for parts of volumes.
    fn mounts(&self) -> Vec<String> {
        let root = self.cluster.data_dir().display().to_string();
        let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own =
            all.lines().filter(|line| line.contains(&root) && line.contains("volume-subpaths"));
        own.map(str::to_owned).collect()
    }
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_part_of_a_volume_stays_that_part() {
    let mut bench = Bench::start();
    let host = bench.cluster.scratch().join("host");
    fs::create_dir_all(host.join("kept")).unwrap();
    fs::write(host.join("kept/file"), "kept").unwrap();
    fs::write(bench.cluster.scratch().join("secret"), "secret").unwrap();
    let volumes = json!([
        {"name": "empty", "emptyDir": {}},
        {"name": "host", "hostPath": {"path": host}},
        {"name": "config", "configMap": {"name": "settings"}},
    ]);
    bench.cluster.kubectl(&["create", "configmap", "settings", "--from-literal=one=1"]).ok();
    let mounts = json!({
        "securityContext": {"runAsUser": 1000},
        "volumeMounts": [
            {"name": "empty", "mountPath": "/empty", "subPath": "made/here"},
            {"name": "host", "mountPath": "/host", "subPath": "kept"},
            {"name": "config", "mountPath": "/etc/one", "subPath": "one"},
        ],
    });
    bench.apply("parts", "while [ ! -e /tmp/end ]; do sleep 0.05; done", &mounts, &volumes);
    bench.cluster.ready_pod("parts");
    let read = bench.exec("parts", "echo x > /empty/file && cat /empty/file /host/file /etc/one");
    assert_eq!(read.ok(), "x\nkept1");
    let pods = bench.cluster.data_dir().join("node/pods");
    let pod = fs::read_dir(pods).unwrap().next().unwrap().unwrap().path();
    for made in ["made", "made/here"] {
        let found = fs::metadata(pod.join("volumes/empty").join(made)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, 0o777, "as the volume: {made}");
    }
    assert_eq!(bench.mounts().len(), 3);

    // They are the same after a crash, and made anew with each run.
    bench.cluster.crash_and_restart();
    bench.exec("parts", "touch /tmp/end").ok();
    eventually("it runs again", || {
        let read = bench.exec("parts", "cat /empty/file /host/file");
        (read.stdout == "x\nkept").then_some(())
    });
    assert_eq!(bench.mounts().len(), 3);

    // What became a link that leads outside is refused.
    fs::rename(host.join("kept"), host.join("moved")).unwrap();
    std::os::unix::fs::symlink("..", host.join("kept")).unwrap();
    bench.exec("parts", "touch /tmp/end").ok();
    let refused = eventually("it is refused", || {
        let pod = bench.cluster.object("pod", "parts")?;
        let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        let message = waiting["message"].as_str()?;
        message.contains("leads outside").then(|| waiting["reason"].clone())
    });
    assert_eq!(refused, "CreateContainerConfigError");
    bench.cluster.kubectl(&["delete", "pod", "parts", "--timeout=60s"]).ok();
    eventually("nothing is mounted any more", || bench.mounts().is_empty().then_some(()));
    assert_eq!(fs::read_to_string(host.join("moved/file")).unwrap(), "kept");

    // Nor when the cluster is stopped.
    let part = json!({"volumeMounts": [{"name": "empty", "mountPath": "/d", "subPath": "part"}]});
    bench.apply("left", "sleep 1000", &part, &json!([{"name": "empty", "emptyDir": {}}]));
    bench.cluster.ready_pod("left");
    assert_eq!(bench.mounts().len(), 1);
    assert!(bench.cluster.daemon().stop().success());
    assert!(bench.mounts().is_empty(), "{:?}", bench.mounts());
    assert!(bench.engine.ps(&["--quiet"]).is_empty());
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn what_a_container_writes_counts() {
    let bench = Bench::start();
    let limits = json!({"resources": {"limits": {"ephemeral-storage": "10Mi"}}});
    let write = |mib: u32| format!("dd if=/dev/zero of=/tmp/file bs=1M count={mib}; sleep 1000");
    bench.apply("modest", &write(3), &limits, &json!([]));
    bench.apply("greedy", &write(30), &limits, &json!([]));
    let evicted = bench.cluster.pod_in_phase("greedy", "Failed");
    assert_eq!(evicted["status"]["reason"], "Evicted");
    let message = evicted["status"]["message"].as_str().unwrap();
    assert!(message.contains("ephemeral"), "{message}");
    bench.cluster.ready_pod("modest");
    eventually("what it has written is told", || {
        let path = "/api/v1/nodes/node-1/proxy/stats/summary";
        let summary = bench.cluster.kubectl(&["get", "--raw", path]);
        let summary: Value = serde_json::from_str(&summary.ok()).unwrap();
        let pods = summary["pods"].as_array().unwrap();
        let own = pods.iter().find(|pod| pod["podRef"]["name"] == "modest")?;
        let written = own["containers"][0]["rootfs"]["usedBytes"].as_u64()?;
        let in_all = own["ephemeral-storage"]["usedBytes"].as_u64()?;
        (written >= 3 << 20 && in_all >= written).then_some(())
    });
    assert_eq!(bench.cluster.object("pod", "modest").unwrap()["status"]["phase"], "Running");
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_command_that_closes_its_output_is_waited_for() {
    let bench = Bench::start();
    bench.apply("main", "sleep 1000", &json!({}), &json!([]));
    bench.cluster.ready_pod("main");
    let silent = bench.exec("main", "exec >&- 2>&-; sleep 7; exit 5");
    assert_eq!(silent.code, 5, "{}", silent.stderr);
}
