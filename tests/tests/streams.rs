//! Streams into Wasm pods, and proxies to them, with stock kubectl of every age and with our own.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use wk_tests::{Answer, Cluster, http_get, run_python, tool, wkctl_path};

/// The clients: name, path, whether `WebSocket` is to be used (newer ones can be told not to).
fn clients() -> Vec<(String, std::path::PathBuf, &'static str)> {
    let mut clients = vec![("wkctl".to_owned(), wkctl_path(), "true")];
    for version in ["1.32", "1.37"] {
        let path = tool(&format!("kubernetes-{version}/kubectl"));
        for websockets in ["true", "false"] {
            let name = format!("kubectl {version}, WebSockets {websockets}");
            clients.push((name, path.clone(), websockets));
        }
    }
    clients
}

/// A client that knows the cluster.
fn command(cluster: &Cluster, program: &Path, websockets: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    command.env("HOME", cluster.scratch()).current_dir(cluster.scratch());
    command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
    command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets);
    command
}

/// A program that writes what it reads, until there is nothing more to read; or, given words, ends
/// with their number as its code.
///
/// It is a core module, because these end with any code: `exit` of WASI 0.2, which components made
/// with the usual adapter call, tells success from failure and no more.
const CAT: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local $at i32) (local $end i32)
    (drop (call $args (i32.const 0) (i32.const 4)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1))
      (then (call $exit (i32.sub (i32.load (i32.const 0)) (i32.const 1)))))
    (loop $again
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
      (local.set $at (i32.const 1024))
      (local.set $end (i32.add (i32.const 1024) (i32.load (i32.const 8))))
      (loop $rest
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (i32.sub (local.get $end) (local.get $at)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
        (br_if $rest (i32.lt_u (local.get $at) (local.get $end))))
      (br $again))))"#;

/// Pods `guest` (does what it is told), `cat` (writes what it reads) and `web`, with a service.
fn cluster() -> Cluster {
    let cluster = Cluster::start();
    let guest = cluster.push_example("testguest");
    let file = cluster.scratch().join("cat.wasm");
    std::fs::write(&file, wat::parse_str(CAT).unwrap()).unwrap();
    let cat = cluster.push(&file, "cat");
    let web = cluster.push_example("hello-http");
    let pod = |name: &str, container: serde_json::Value| {
        json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [container], "restartPolicy": "Always"},
        })
    };
    let all = json!({"kind": "List", "apiVersion": "v1", "items": [
        pod("guest", json!({
            "name": "main", "image": guest, "command": ["testguest"], "args": ["sleep", "100000"],
        })),
        pod("cat", json!({
            "name": "main", "image": cat, "command": ["cat"], "stdin": true, "stdinOnce": true,
        })),
        pod("web", json!({
            "name": "main", "image": web, "ports": [{"name": "http", "containerPort": 8080}],
        })),
        {
            "kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"},
            "spec": {
                "selector": {"app": "web"},
                "ports": [{"name": "page", "port": 80, "targetPort": "http"}],
            },
        },
    ]});
    cluster.apply(&all.to_string());
    for pod in ["guest", "cat", "web"] {
        cluster.ready_pod(pod);
    }
    cluster
}

#[test]
fn programs_run_in_wasm_pods_for_every_client() {
    let cluster = cluster();
    for (name, program, websockets) in clients() {
        let run = |line: &str, input: &str| {
            let mut command = command(&cluster, &program, websockets);
            command.args(line.split(' '));
            Answer::of(command, input)
        };
        let answer = run("exec cat -- cat one two three", "");
        assert_eq!(answer.code, 3, "{name}: {}", answer.stderr);
        assert!(
            answer.stderr.contains("command terminated with exit code 3"),
            "{name}: {answer:?}"
        );
        let answer = run("exec guest -- testguest exit 3", "");
        assert_eq!(answer.code, 3, "{name}: {}", answer.stderr);
        let answer = run("exec guest -c main -- testguest print 1000", "");
        assert_eq!((answer.code, answer.stdout.lines().count()), (0, 1000), "{name}: {answer:?}");
        assert_eq!(answer.stderr, "done\n", "{name}");
        let answer = run("exec guest -- nosuch", "");
        assert_eq!(answer.code, 1, "{name}: {answer:?}");
        assert!(answer.stderr.contains("cannot run `nosuch`"), "{name}: {answer:?}");
        let input = "all work and no play\n".repeat(20_000);
        let answer = run("exec -i cat -- cat", &input);
        assert_eq!(answer.code, 0, "{name}: {}", answer.stderr);
        assert!(answer.stdout == input, "{name}: {} bytes came back", answer.stdout.len());
        let answer = run("exec guest -c none -- testguest exit 0", "");
        assert_eq!(answer.code, 1, "{name}: {answer:?}");
        assert!(answer.stderr.contains("none"), "{name}: {answer:?}");
    }
}

#[test]
fn who_attaches_talks_to_the_main_program() {
    let cluster = cluster();
    for (name, program, websockets) in clients() {
        cluster.ready_pod("cat");
        let mut command = command(&cluster, &program, websockets);
        command.args(["attach", "-i", "-q", "cat"]);
        // Its input may end once, and with it the program: the next one attaches to the next run.
        let answer = Answer::of(command, "hello\n");
        assert_eq!(answer.code, 0, "{name}: {answer:?}");
        assert_eq!(answer.stdout, "hello\n", "{name}: {answer:?}");
        cluster.wkctl(&["delete", "pod", "cat", "--now"]).ok();
        let file = cluster.scratch().join("cat.wasm");
        let image = cluster.push(&file, "cat");
        let pod = json!({
            "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "cat"},
            "spec": {"containers": [{
                "name": "main", "image": image, "command": ["cat"], "stdin": true, "stdinOnce": true,
            }]},
        });
        cluster.apply(&pod.to_string());
    }
}

/// A client that forwards ports; ended with the test.
struct Forwarding(Child);

impl Drop for Forwarding {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn ports_are_forwarded_for_every_client() {
    let cluster = cluster();
    for (name, program, websockets) in clients() {
        for target in ["pod/web :8080", "service/web :80"] {
            let mut command = command(&cluster, &program, websockets);
            command.args(["port-forward", "--address", "127.0.0.1"]).args(target.split(' '));
            let child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut child = Forwarding(child);
            let mut line = String::new();
            let mut output = BufReader::new(child.0.stdout.take().unwrap());
            output.read_line(&mut line).unwrap();
            let port = line.strip_prefix("Forwarding from 127.0.0.1:");
            let port = port.and_then(|rest| rest.strip_suffix(" -> 8080\n"));
            let port: u16 = port.and_then(|port| port.parse().ok()).expect(&line);
            for _ in 0..3 {
                let answer = http_get(SocketAddr::from(([127, 0, 0, 1], port)), "/").unwrap();
                assert_eq!(answer.status, 200, "{name}");
                assert!(answer.body.contains("Hello"), "{name}: {}", answer.body);
            }
            line.clear();
            output.read_line(&mut line).unwrap();
            assert_eq!(line, format!("Handling connection for {port}\n"), "{name}");
        }
    }
}

#[test]
fn pods_services_and_nodes_are_proxied() {
    let cluster = cluster();
    let get = |path: &str| cluster.kubectl(&["get", "--raw", path]);
    let namespace = "/api/v1/namespaces/default";
    for path in [
        "pods/web/proxy/",
        "pods/web:8080/proxy/",
        "services/web:page/proxy/",
        "services/web:80/proxy/",
        "services/http:web:page/proxy/",
    ] {
        let page = get(&format!("{namespace}/{path}")).ok();
        assert!(page.contains("Hello"), "{path}: {page}");
    }
    assert_eq!(get("/api/v1/nodes/node-1/proxy/healthz").ok(), "ok");
    for (path, expected) in [
        ("services/web:81/proxy/", "no service port 81 found for service \"web\""),
        ("services/none:80/proxy/", "services \"none\" not found"),
        ("pods/web:1/proxy/", "error trying to reach service: dial tcp"),
        ("pods/ftp:web:1/proxy/", "invalid pod request"),
    ] {
        let refused = get(&format!("{namespace}/{path}")).refused();
        assert!(refused.contains(expected), "{path}: {refused}");
    }
}

#[test]
fn the_python_client_streams() {
    let cluster = cluster();
    let kubeconfig = cluster.kubeconfig();
    assert_eq!(run_python("kubernetes_stream.py", &[kubeconfig.as_path()]).ok(), "ok\n");
}
