//! What only Linux pods can have, and what becomes of them when their sandbox ends. Ignored by default for
//! what they need; `.ci/run` installs that and runs them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wk_tests::{Cluster, DockerEngine, eventually, http_get};

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

    fn container(&self, name: &str, script: &str) -> Value {
        json!({"name": name, "image": self.image, "command": ["sh", "-c", script]})
    }

    fn apply(&self, name: &str, spec: &Value) {
        let mut spec = spec.clone();
        spec["terminationGracePeriodSeconds"] = 1.into();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec,
        });
        self.cluster.apply(&pod.to_string());
    }

    fn exec(&self, pod: &str, command: &[&str]) -> String {
        self.cluster.kubectl(&[&["exec", pod, "--"], command].concat()).ok()
    }
}

const ENDLESS: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_pod_whose_sandbox_ends_begins_again() {
    let bench = Bench::start();
    let mut web = bench.container(
        "web",
        "mkdir /www; echo page > /www/index.html; \
                                          exec httpd -f -p 8080 -h /www",
    );
    web["ports"] = json!([{"containerPort": 8080}]);
    let first = bench.container("first", "echo ran >> /shared/init");
    let side = bench.container("side", ENDLESS);
    let mut spec = json!({
        "containers": [web, side], "initContainers": [first],
        "volumes": [{"name": "shared", "emptyDir": {}}],
    });
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().unwrap() {
            container["volumeMounts"] = json!([{"name": "shared", "mountPath": "/shared"}]);
        }
    }
    bench.apply("web", &spec);
    assert_eq!(bench.cluster.page("web", 8080, "/").body, "page\n");
    let sandboxes = bench.engine.ps(&["--quiet", "--filter", "label=wk.dev/kind=sandbox"]);
    let [sandbox] = &sandboxes[..] else { panic!("one pod has one sandbox: {sandboxes:?}") };
    bench.engine.docker(&["kill", sandbox]).ok();
    let message = bench.cluster.events("web", "SandboxChanged");
    assert_eq!(message.trim(), "Pod sandbox changed, it will be killed and re-created.");
    let pod = eventually("both containers run again", || {
        let pod = bench.cluster.object("pod", "web")?;
        let all = pod["status"]["containerStatuses"].as_array()?.clone();
        let again = |one: &Value| one["restartCount"] == 1 && one["ready"] == true;
        (all.len() == 2 && all.iter().all(again)).then_some(pod)
    });
    let ip = pod["status"]["podIP"].as_str().unwrap().parse().unwrap();
    eventually("it serves again", || {
        let page = http_get(std::net::SocketAddr::new(ip, 8080), "/").ok()?;
        (page.body == "page\n").then_some(())
    });
    let ran = bench.exec("web", &["cat", "/shared/init"]);
    assert_eq!(ran, "ran\nran\n", "init containers too");
    let first = &pod["status"]["initContainerStatuses"][0];
    assert_eq!((&first["restartCount"], &first["ready"]), (&json!(1), &json!(true)));

    // One that is not to be started again ends.
    let once = json!({"restartPolicy": "Never", "containers": [bench.container("main", ENDLESS)]});
    bench.apply("once", &once);
    bench.cluster.ready_pod("once");
    let uid = bench.cluster.object("pod", "once").unwrap()["metadata"]["uid"].clone();
    let label = format!("label=io.kubernetes.pod.uid={}", uid.as_str().unwrap());
    let filters = ["--quiet", "--filter", "label=wk.dev/kind=sandbox", "--filter", &label];
    let sandbox = bench.engine.ps(&filters);
    bench.engine.docker(&["rm", "--force", &sandbox[0]]).ok();
    let ended = eventually("it has ended", || {
        let pod = bench.cluster.object("pod", "once")?;
        let phase = pod["status"]["phase"].as_str()?.to_owned();
        (phase == "Failed" || phase == "Succeeded").then_some(pod)
    });
    assert_eq!(ended["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn linux_pods_look_names_up_and_mount_as_they_say() {
    let bench = Bench::start();
    let dns = json!({
        "dnsPolicy": "None", "containers": [bench.container("main", ENDLESS)],
        "dnsConfig": {
            "nameservers": ["192.0.2.53"], "searches": ["shop.example"],
            "options": [{"name": "ndots", "value": "2"}],
        },
    });
    bench.apply("resolving", &dns);
    bench.cluster.ready_pod("resolving");
    let file = bench.exec("resolving", &["cat", "/etc/resolv.conf"]);
    assert_eq!(file, "search shop.example\nnameserver 192.0.2.53\noptions ndots:2\n");

    let refused = |name: &str, spec: &Value, says: &str| {
        bench.apply(name, spec);
        let state = bench.cluster.container_state(name, "CreateContainerConfigError");
        assert!(state["message"].as_str().unwrap().contains(says), "{state}");
        assert!(bench.cluster.events(name, "Failed").contains(says));
    };
    let users = json!({"hostUsers": false, "containers": [bench.container("main", ENDLESS)]});
    refused("users", &users, "hostUsers: false is not possible");
    let mut mounting = bench.container("main", ENDLESS);
    mounting["volumeMounts"] = json!([{
        "name": "node", "mountPath": "/node", "readOnly": true, "recursiveReadOnly": "Enabled",
    }]);
    let folder = bench.cluster.scratch().join("shared");
    let volumes = json!([{"name": "node", "hostPath": {
        "path": folder, "type": "DirectoryOrCreate",
    }}]);
    let recursive = json!({"containers": [mounting], "volumes": volumes});
    refused("recursive", &recursive, "recursiveReadOnly: Enabled of `/node` is not possible");

    // Debian's engine is too old for the one, and not for the other: what the node mounts is seen.
    let outer = Tmpfs::mount(&folder);
    outer.share();
    let mut seeing = bench.container("main", ENDLESS);
    seeing["volumeMounts"] =
        json!([{"name": "node", "mountPath": "/node", "mountPropagation": "HostToContainer"}]);
    bench.apply("seeing", &json!({"containers": [seeing], "volumes": volumes}));
    bench.cluster.ready_pod("seeing");
    let inner = Tmpfs::mount(&folder.join("later"));
    std::fs::write(folder.join("later/file"), "mounted later").unwrap();
    assert_eq!(bench.exec("seeing", &["cat", "/node/later/file"]), "mounted later");
    drop((inner, outer));
}

/// A file system of its own at a path, for as long as this lives.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        Self::call("mount", &["-t", "tmpfs", "tmpfs"], path);
        Self(path.to_owned())
    }

    /// What is mounted below it is seen where it is mounted, too.
    fn share(&self) {
        Self::call("mount", &["--make-rshared"], &self.0);
    }

    fn call(program: &str, arguments: &[&str], path: &Path) {
        let done = Command::new(program).args(arguments).arg(path).status().unwrap();
        assert!(done.success(), "`{program} {arguments:?}` takes root");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the pod may still have it.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_running_pod_is_looked_into_by_its_processes() {
    let bench = Bench::start();
    bench.apply("web", &json!({"containers": [bench.container("main", "exec sleep 54321")]}));
    bench.cluster.ready_pod("web");
    let image = format!("--image={}", bench.image);
    let debug = [
        "debug",
        "web",
        &image,
        "-c",
        "look",
        "--target=main",
        "--profile=general",
        "--",
        "sh",
        "-c",
        "ps; echo done",
    ];
    bench.cluster.kubectl(&debug).ok();
    let seen = eventually("it has looked", || {
        let log = bench.cluster.kubectl(&["logs", "web", "-c", "look"]);
        log.stdout.contains("done").then_some(log.stdout)
    });
    assert!(seen.contains("sleep 54321"), "{seen}");
}
