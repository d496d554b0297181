//! Pods with containers of both kinds on the real program with a real engine. Ignored by default for
//! what they need; `.ci/run` installs that and runs them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wk_tests::{
    Answer, BusyboxImage, Cluster, DockerEngine, Options, eventually, http_get, wkctl_path,
};

/// A cluster whose node has an engine, and images of both kinds.
struct Bench {
    // In this order: the engine goes last.
    cluster: Cluster,
    engine: DockerEngine,
    linux: String,
    guest: String,
    server: String,
}

impl Bench {
    fn start() -> Self {
        Self::with(Options::default())
    }

    fn with(mut options: Options) -> Self {
        let engine = DockerEngine::start();
        options.arguments.push(engine.argument());
        let cluster = Cluster::start_with(options);
        let linux = busybox().push(&cluster.registry(), "busybox");
        let guest = cluster.push_example("testguest");
        let server = cluster.push_example("testguest-http");
        Self { cluster, engine, linux, guest, server }
    }

    fn apply(&self, name: &str, spec: &Value) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec,
        });
        self.cluster.apply(&pod.to_string());
    }

    /// A container of a Linux shell.
    fn shell(&self, name: &str, script: &str) -> Value {
        json!({
            "name": name, "image": self.linux, "command": ["sh", "-c", script],
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        })
    }

    /// A container of the Wasm guest.
    fn guest(&self, name: &str, arguments: &[&str]) -> Value {
        json!({"name": name, "image": self.guest, "command": ["testguest"], "args": arguments})
    }

    fn exec(&self, pod: &str, container: &str, command: &[&str]) -> Answer {
        self.cluster.kubectl(&[&["exec", pod, "-c", container, "--"], command].concat())
    }

    /// What a command in a container prints, once it succeeds.
    fn answer(&self, pod: &str, container: &str, command: &[&str]) -> String {
        eventually(&format!("`{command:?}` works in `{container}`"), || {
            let answer = self.exec(pod, container, command);
            (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
        })
    }

    fn status(&self, pod: &str, container: &str) -> Value {
        let pod = self.cluster.object("pod", pod).unwrap_or_default();
        let all = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|status| status["name"] == container).unwrap_or_default()
    }

    fn restarts(&self, pod: &str, container: &str) -> u64 {
        self.status(pod, container)["restartCount"].as_u64().unwrap_or_default()
    }
}

fn busybox() -> BusyboxImage {
    BusyboxImage::make(&json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "WorkingDir": "/tmp"}))
}

/// Takes connections, and ends with code 3 as soon as it is told to.
const LINUX: &str = "nc -ll -p 7000 -e echo from linux & \
                     while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 3";

/// How to see whether the two reach each other.
const FROM_LINUX: [&str; 5] = ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/"];
const FROM_WASM: [&str; 4] = ["testguest", "tcp-get", "localhost", "7000"];

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn containers_of_both_kinds_are_one_pod() {
    let bench = Bench::start();
    let cluster = &bench.cluster;
    let with_shared = |mut container: Value| {
        container["volumeMounts"] = json!([{"name": "shared", "mountPath": "/shared"}]);
        container
    };
    let host_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let spec = json!({
        "terminationGracePeriodSeconds": 2,
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [
            with_shared(bench.guest("first", &["write", "/shared/wasm", "from wasm"])),
            with_shared(bench.shell("second", "cat /shared/wasm > /shared/linux")),
        ],
        "containers": [
            {
                "name": "web", "image": bench.server,
                "ports": [{"containerPort": 8080, "hostPort": host_port}],
                "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1},
                "livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            },
            with_shared(bench.guest("tcp", &["tcp-serve", "9000", "from wasm"])),
            with_shared(bench.shell("shell", LINUX)),
            bench.guest("brief", &["sleep", "3"]),
        ],
    });
    bench.apply("mixed", &spec);
    let pod = cluster.pod_in_phase("mixed", "Running");
    let ip = pod["status"]["podIP"].as_str().unwrap();

    // One localhost, one address, one volume.
    let at_ip = format!("wget -q -O - http://$POD_IP:8080/; nc {ip} 9000 < /dev/null");
    assert_eq!(bench.answer("mixed", "shell", &FROM_LINUX), "ok");
    assert_eq!(bench.answer("mixed", "shell", &["sh", "-c", &at_ip]), "okfrom wasm\n");
    let spoken = bench.answer("mixed", "shell", &["sh", "-c", "nc 127.0.0.1 9000 < /dev/null"]);
    assert_eq!(spoken, "from wasm\n");
    assert_eq!(bench.answer("mixed", "tcp", &FROM_WASM), "from linux\n");
    let by_ip = bench.answer("mixed", "tcp", &["testguest", "tcp-get", ip, "7000"]);
    assert_eq!(by_ip, "from linux\n");
    assert_eq!(bench.answer("mixed", "tcp", &["testguest", "cat", "/shared/linux"]), "from wasm");
    let write = ["testguest", "write", "/shared/later", "later"];
    assert_eq!(bench.exec("mixed", "tcp", &write).code, 0);
    assert_eq!(bench.answer("mixed", "shell", &["cat", "/shared/later"]), "later");

    // From outside, too.
    let page = |address: SocketAddr| http_get(address, "/").map(|answer| answer.body);
    let pod_address = SocketAddr::new(ip.parse().unwrap(), 8080);
    let node_address = SocketAddr::from(([127, 0, 0, 1], host_port));
    for page in [page(pod_address).unwrap(), page(node_address).unwrap()] {
        assert!(page.contains("ok"), "{page}");
    }
    let page_of_localhost = forwarded(cluster, "mixed", 8080);
    assert!(page_of_localhost.contains("ok"), "{page_of_localhost}");

    // Each is seen for itself.
    for (container, scheme) in [("web", "wasm://"), ("shell", "docker://")] {
        let status = bench.status("mixed", container);
        assert!(status["containerID"].as_str().unwrap().starts_with(scheme), "{status}");
    }
    let summary = cluster.kubectl(&["get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary"]);
    let summary: Value = serde_json::from_str(&summary.ok()).unwrap();
    let pods = summary["pods"].as_array().unwrap();
    let of_pod = pods.iter().find(|pod| pod["podRef"]["name"] == "mixed").unwrap();
    for container in ["shell", "tcp"] {
        let all = of_pod["containers"].as_array().unwrap();
        let own = all.iter().find(|one| one["name"] == container).unwrap();
        assert!(own["memory"]["usageBytes"].as_u64().is_some(), "{container}: {of_pod}");
    }
    let said = eventually("the log is there", || {
        let answer = cluster.kubectl(&["logs", "mixed", "-c", "tcp"]);
        (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
    });
    assert_eq!(said, "listening on port 9000\n");

    // The end of one is not that of the other.
    eventually("a Wasm container is started again", || {
        (bench.restarts("mixed", "brief") > 0).then_some(())
    });
    assert_eq!(bench.restarts("mixed", "shell"), 0);
    let web = bench.status("mixed", "web");
    bench.exec("mixed", "shell", &["touch", "/tmp/end"]).ok();
    eventually("the Linux container is started again", || {
        (bench.restarts("mixed", "shell") > 0).then_some(())
    });
    assert_eq!(bench.answer("mixed", "shell", &FROM_LINUX), "ok");
    assert_eq!(bench.answer("mixed", "tcp", &FROM_WASM), "from linux\n");
    assert_eq!(bench.status("mixed", "web")["containerID"], web["containerID"]);

    cluster.kubectl(&["delete", "pod", "mixed", "--timeout=60s"]).ok();
    eventually("nothing is left in the engine", || {
        bench.engine.ps(&["--quiet"]).is_empty().then_some(())
    });
    assert!(page(pod_address).is_err(), "nor of the other kind");
}

/// The page at a port of a pod's localhost.
fn forwarded(cluster: &Cluster, pod: &str, port: u16) -> String {
    let mut command = Command::new(wkctl_path());
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    command.args(["port-forward", pod, &format!(":{port}")]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    // Open until the end: it has more to say.
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Forwarding from ").unwrap();
    let address: SocketAddr = address.split_once(" -> ").unwrap().0.parse().unwrap();
    let page = http_get(address, "/");
    child.kill().unwrap();
    child.wait().unwrap();
    page.unwrap().body
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_pod_follows_its_network() {
    // In a process of their own the Wasm programs outlive the kubelet, as the others do.
    let arguments = vec!["--wasm-host=process".to_owned()];
    let mut bench = Bench::with(Options { arguments, ..Options::default() });
    let two = |linux: Value| {
        let wasm = json!({"name": "web", "image": bench.server});
        json!({
            "terminationGracePeriodSeconds": 2,
            "containers": [wasm, bench.guest("guest", &["sleep", "100000"]), linux],
        })
    };
    // What an image is that is not there yet cannot be told.
    let mut late = bench.shell("shell", LINUX);
    late["image"] = format!("{}/tests/late:1", bench.cluster.registry()).into();
    bench.apply("late", &two(late));
    bench.apply("mixed", &two(bench.shell("shell", LINUX)));
    eventually("the Wasm container runs meanwhile", || {
        bench.status("late", "web")["ready"].as_bool().filter(|ready| *ready)
    });
    busybox().push(&bench.cluster.registry(), "late");
    for pod in ["late", "mixed"] {
        bench.cluster.ready_pod(pod);
        assert_eq!(bench.answer(pod, "shell", &FROM_LINUX), "ok");
        assert_eq!(bench.answer(pod, "guest", &FROM_WASM), "from linux\n");
    }
    bench.cluster.events("late", "SandboxChanged");
    assert_eq!((bench.restarts("late", "web"), bench.restarts("mixed", "web")), (1, 0));

    bench.engine.stop();
    bench.engine.start_again();
    for (pod, restarts) in [("late", 2), ("mixed", 1)] {
        eventually("the Wasm container is in the new network", || {
            // Once more where it ended before the engine was back.
            (bench.restarts(pod, "web") >= restarts).then_some(())
        });
        bench.cluster.ready_pod(pod);
        assert_eq!(bench.answer(pod, "shell", &FROM_LINUX), "ok");
        assert_eq!(bench.answer(pod, "guest", &FROM_WASM), "from linux\n");
    }
    let ids = |bench: &Bench| {
        let containers = ["web", "guest", "shell"];
        let id = |pod: &str, container: &str| bench.status(pod, container)["containerID"].clone();
        ["late", "mixed"].map(|pod| containers.map(|container| id(pod, container)))
    };
    let before = ids(&bench);
    bench.cluster.crash_and_restart();
    for pod in ["late", "mixed"] {
        assert_eq!(bench.answer(pod, "shell", &FROM_LINUX), "ok");
        assert_eq!(bench.answer(pod, "guest", &FROM_WASM), "from linux\n");
        assert_eq!(bench.restarts(pod, "shell"), 1);
    }
    assert_eq!(ids(&bench), before, "all of them went on");
    bench.cluster.kubectl(&["delete", "pod", "late", "mixed", "--timeout=60s"]).ok();
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn one_looks_into_a_pod_with_the_other_kind() {
    let bench = Bench::start();
    bench.apply("linux", &json!({"containers": [bench.shell("shell", LINUX)]}));
    bench.apply("wasm", &json!({"containers": [bench.guest("guest", &["sleep", "100000"])]}));
    let debug = |pod: &str, image: &str, command: &[&str]| {
        bench.cluster.ready_pod(pod);
        let image = format!("--image={image}");
        let debug = ["debug", pod, "-c", "look", &image, "--attach=false", "--"];
        bench.cluster.kubectl(&[&debug, command].concat()).ok();
    };
    debug("linux", &bench.guest, &FROM_WASM);
    debug("wasm", &bench.linux, &["sh"]);
    let said = eventually("it has looked", || {
        let answer = bench.cluster.kubectl(&["logs", "linux", "-c", "look"]);
        (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
    });
    assert_eq!(said, "from linux\n");
    let refused = eventually("it is refused", || {
        let pod = bench.cluster.object("pod", "wasm")?;
        let waiting = &pod["status"]["ephemeralContainerStatuses"][0]["state"]["waiting"];
        waiting["message"].as_str().map(str::to_owned)
    });
    assert!(refused.contains("--copy-to"), "{refused}");
    assert_eq!(bench.restarts("wasm", "guest"), 0);
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn a_sidecar_of_the_other_kind_ends_with_its_pod() {
    let bench = Bench::start();
    let beside = |mut sidecar: Value, port: u16| {
        sidecar["restartPolicy"] = "Always".into();
        sidecar["startupProbe"] = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
        sidecar
    };
    let pod = |sidecar: Value, main: Value| {
        json!({
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 2,
            "initContainers": [sidecar], "containers": [main],
        })
    };
    let linux = beside(bench.shell("side", LINUX), 7000);
    bench.apply("linux", &pod(linux, bench.guest("main", &["tcp-get", "localhost", "7000"])));
    let wasm = beside(bench.guest("side", &["tcp-serve", "9000", "from wasm"]), 9000);
    bench.apply("wasm", &pod(wasm, bench.shell("main", "nc localhost 9000 < /dev/null")));
    for kind in ["linux", "wasm"] {
        let pod = bench.cluster.pod_in_phase(kind, "Succeeded");
        let side = &pod["status"]["initContainerStatuses"][0]["state"]["terminated"];
        assert!(side["finishedAt"].is_string(), "{pod}");
        let said = bench.cluster.kubectl(&["logs", kind, "-c", "main"]).ok();
        assert_eq!(said, format!("from {kind}\n"));
    }
    bench.cluster.kubectl(&["delete", "pod", "--all", "--timeout=60s"]).ok();
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn without_root_a_pod_is_of_one_kind() {
    let launcher = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    let launcher = launcher.map(str::to_owned).to_vec();
    let bench = Bench::with(Options { launcher, ..Options::default() });
    let wasm = bench.guest("guest", &["sleep", "100000"]);
    let linux = bench.shell("shell", LINUX);
    bench.apply("mixed", &json!({"containers": [wasm, linux]}));
    bench.apply("init", &json!({"initContainers": [linux], "containers": [wasm]}));
    for pod in ["mixed", "init"] {
        let refused = bench.cluster.events(pod, "FailedCreatePodSandBox");
        assert!(refused.contains("run `wk` as root, or use two pods"), "{refused}");
    }
    bench.apply("linux", &json!({"containers": [linux]}));
    bench.apply("wasm", &json!({"containers": [wasm]}));
    bench.apply(
        "host",
        &json!({"hostNetwork": true, "containers": [
            wasm, bench.shell("shell", "sleep 1000"),
        ]}),
    );
    for pod in ["linux", "wasm", "host"] {
        bench.cluster.ready_pod(pod);
    }
    for pod in ["mixed", "init"] {
        let pod = bench.cluster.object("pod", pod).unwrap();
        assert_eq!(pod["status"]["phase"], "Pending");
        assert!(!pod.to_string().contains("startedAt"), "nothing of it was started: {pod}");
    }
    bench.cluster.kubectl(&["delete", "pod", "--all", "--timeout=60s"]).ok();
}

/// Pushes one image of both kinds and returns the reference for pods.
fn push_both(cluster: &Cluster) -> String {
    let linux = busybox();
    let folder = linux.layout();
    let put = |bytes: &[u8]| {
        let mut command = Command::new("sha256sum");
        let file = folder.join("blob");
        std::fs::write(&file, bytes).unwrap();
        command.arg(&file);
        let hex = Answer::run(command).ok().split_whitespace().next().unwrap().to_owned();
        std::fs::rename(file, folder.join("blobs/sha256").join(&hex)).unwrap();
        json!({"digest": format!("sha256:{hex}"), "size": bytes.len()})
    };
    let typed = |mut blob: Value, media_type: &str| {
        blob["mediaType"] = media_type.into();
        blob
    };
    let of_manifest = "application/vnd.oci.image.manifest.v1+json";
    let of_index = "application/vnd.oci.image.index.v1+json";
    let module = std::fs::read(wk_tests::example("testguest")).unwrap();
    let config = put(br#"{"architecture":"wasm","os":"wasip2"}"#);
    let wasm = json!({
        "schemaVersion": 2, "mediaType": of_manifest,
        "config": typed(config, "application/vnd.wasm.config.v0+json"),
        "layers": [typed(put(&module), "application/wasm")],
    });
    let mut wasm = typed(put(wasm.to_string().as_bytes()), of_manifest);
    wasm["platform"] = json!({"os": "wasip2", "architecture": "wasm"});
    let blob = folder.join("blobs/sha256").join(linux.digest().strip_prefix("sha256:").unwrap());
    let size = std::fs::metadata(blob).unwrap().len();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let linux_entry = json!({
        "mediaType": of_manifest, "digest": linux.digest(), "size": size,
        "platform": {"os": "linux", "architecture": arch},
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": of_index, "manifests": [linux_entry, wasm],
    });
    let mut index = typed(put(index.to_string().as_bytes()), of_index);
    index["annotations"] = json!({"org.opencontainers.image.ref.name": "both"});
    let whole = json!({"schemaVersion": 2, "manifests": [index]});
    std::fs::write(folder.join("index.json"), whole.to_string()).unwrap();
    let reference = format!("{}/tests/both:1", cluster.registry());
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "copy", "--all", "--preserve-digests"]);
    command.arg("--dest-tls-verify=false");
    command.arg(format!("oci:{}:both", folder.display())).arg(format!("docker://{reference}"));
    Answer::run(command).ok();
    reference
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn the_class_or_the_image_chooses_the_runtime() {
    let bench = Bench::start();
    let cluster = &bench.cluster;
    let node = cluster.object("node", "node-1").unwrap();
    let handlers = node["status"]["runtimeHandlers"].as_array().unwrap();
    let mut names: Vec<&str> = handlers.iter().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["", "docker", "wasm"]);
    assert_eq!(node["metadata"]["labels"]["wk.dev/runtime.docker"], "true");

    let class = |name: &str, handler: &str| {
        let class = json!({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name},
            "handler": handler, "overhead": {"podFixed": {"memory": "8Mi"}},
            "scheduling": {"nodeSelector": {"wk.dev/runtime.docker": "true"}},
        });
        cluster.apply(&class.to_string());
    };
    class("heavy", "docker");
    class("odd", "kata");
    let image = push_both(cluster);
    for (pod, class) in [
        ("image", None),
        ("wasm", Some("wasm")),
        ("docker", Some("docker")),
        ("heavy", Some("heavy")),
        ("odd", Some("odd")),
    ] {
        let mut spec = json!({
            "containers": [{"name": "main", "image": image, "command": ["sleep"], "args": ["1000"]}],
        });
        if class == Some("wasm") || class.is_none() {
            spec["containers"][0]["args"] = json!(["sleep", "1000"]);
        }
        spec["runtimeClassName"] = class.map_or(Value::Null, Value::from);
        bench.apply(pod, &spec);
    }
    for (pod, scheme) in
        [("image", "wasm://"), ("wasm", "wasm://"), ("docker", "docker://"), ("heavy", "docker://")]
    {
        let pod = cluster.ready_pod(pod);
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str().unwrap();
        assert!(id.starts_with(scheme), "{id}");
    }
    let heavy = cluster.object("pod", "heavy").unwrap();
    assert_eq!(heavy["spec"]["overhead"], json!({"memory": "8Mi"}));
    assert_eq!(heavy["spec"]["nodeSelector"], json!({"wk.dev/runtime.docker": "true"}));
    let refused = cluster.events("odd", "FailedCreatePodSandBox");
    assert!(refused.contains("no runtime for \"kata\" is configured"), "{refused}");

    let mut wrong = json!({"containers": [bench.shell("main", "sleep 1")]});
    wrong["runtimeClassName"] = "wasm".into();
    bench.apply("wrong", &wrong);
    let refused = cluster.container_state("wrong", "CreateContainerError");
    assert!(refused["message"].as_str().unwrap().contains("WebAssembly"), "{refused}");
    cluster.kubectl(&["delete", "pod", "--all", "--timeout=60s"]).ok();
}
