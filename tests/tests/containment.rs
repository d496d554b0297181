//! Programs that want everything: each is contained in its pod, which says why it ended, and neighbours go
//! on answering. What Linux programs can do beside that is in the behaviour suite.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use wk_tests::{Cluster, eventually, http_get};

/// A cluster with a pod that serves, and others that do not behave.
struct Bench {
    cluster: Cluster,
    neighbour: SocketAddr,
}

impl Bench {
    fn start() -> Self {
        let cluster = Cluster::start();
        let image = cluster.push_example("hello-http");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "neighbour"},
            "spec": {"containers": [{"name": "web", "image": image}]},
        });
        cluster.apply(&pod.to_string());
        let pod = cluster.ready_pod("neighbour");
        let ip = pod["status"]["podIP"].as_str().unwrap().parse().unwrap();
        Self { cluster, neighbour: SocketAddr::new(ip, 8080) }
    }

    /// Pushes a core module and runs it, with a volume at `/data`.
    fn module(&self, name: &str, text: &str, limits: &Value) {
        let file = self.cluster.scratch().join(format!("{name}.wasm"));
        std::fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        let image = self.cluster.push(&file, name);
        self.run(name, &json!({"name": "main", "image": image}), limits);
    }

    fn guest(&self, name: &str, arguments: &[&str], limits: &Value) {
        let image = self.cluster.push_example("testguest");
        let main = json!({
            "name": "main", "image": image, "command": ["testguest"], "args": arguments,
        });
        self.run(name, &main, limits);
    }

    fn run(&self, name: &str, container: &Value, limits: &Value) {
        let mut container = container.clone();
        container["resources"] = json!({"limits": limits});
        container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never", "containers": [container],
                "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "8Mi"}}],
            },
        });
        self.cluster.apply(&pod.to_string());
    }

    /// The neighbour takes new connections and answers every one of them.
    #[track_caller]
    fn neighbour_answers(&self) {
        for _ in 0..50 {
            let page = http_get(self.neighbour, "/").expect("the neighbour takes connections");
            assert_eq!(page.status, 200);
        }
        let pod = self.cluster.object("pod", "neighbour").unwrap();
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    }

    /// Sees that the neighbour answers until the pod has ended, and returns that.
    #[track_caller]
    fn ended(&self, name: &str) -> Value {
        let pod = eventually(&format!("`{name}` has ended"), || {
            self.neighbour_answers();
            let pod = self.cluster.object("pod", name)?;
            (pod["status"]["phase"] == "Failed").then_some(pod)
        });
        self.neighbour_answers();
        pod
    }
}

#[test]
fn tables_and_memories_without_end_are_bounded() {
    let bench = Bench::start();
    // One that is refused more gives up by itself.
    let tables = r#"(module (table $t 1 externref) (memory (export "memory") 1)
        (func (export "_start")
            (loop $on
                (if (i32.eq (table.grow $t (ref.null extern) (i32.const 256)) (i32.const -1))
                    (then unreachable))
                (br $on))))"#;
    let memories = r#"(module (memory (export "memory") 1)
        (func (export "_start")
            (loop $on
                (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
                (br $on))))"#;
    let limits = json!({"memory": "16Mi", "cpu": "500m"});
    bench.module("tables", tables, &limits);
    bench.module("memories", memories, &limits);
    let reason = |name: &str| {
        let state = bench.ended(name)["status"]["containerStatuses"][0]["state"].clone();
        state["terminated"]["reason"].as_str().unwrap().to_owned()
    };
    assert!(["OOMKilled", "Error"].contains(&&*reason("tables")));
    assert_eq!(reason("memories"), "OOMKilled");
}

/// A core module that opens its volume again and again, until it is refused.
const OPENS: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open" (func $open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) ".")
    (func (export "_start")
        (local $folder i32)
        ;; The folders that the module was given begin behind its three streams.
        (local.set $folder (i32.const 3))
        (loop $again
            (br_if $again (i32.eqz (call $open
                (local.get $folder) (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 2)
                (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 32))))
            (unreachable))))"#;

#[test]
fn files_without_end_are_bounded() {
    let mut bench = Bench::start();
    let process = bench.cluster.daemon().id();
    let open = || std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let before = open();
    bench.module("files", OPENS, &json!({"memory": "16Mi", "cpu": "500m"}));
    let mut most = 0;
    let pod = eventually("`files` has ended", || {
        most = most.max(open());
        let pod = bench.cluster.object("pod", "files")?;
        (pod["status"]["phase"] == "Failed").then_some(pod)
    });
    bench.neighbour_answers();
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["reason"], "Error", "{pod}");
    let message = ended["message"].as_str().unwrap_or_default();
    assert!(message.contains("resource table"), "{message}");
    assert!(most < before + 2_000, "{most} files were open");
}

#[test]
fn a_recursion_without_end_is_a_trap() {
    let bench = Bench::start();
    let text = r#"(module (memory (export "memory") 1)
        (func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
        (func (export "_start") (drop (call $deeper (i32.const 0)))))"#;
    bench.module("deep", text, &json!({"memory": "32Mi"}));
    let ended =
        bench.ended("deep")["status"]["containerStatuses"][0]["state"]["terminated"].clone();
    assert_eq!(ended["reason"], "Error");
    assert!(ended["message"].as_str().unwrap().contains("call stack exhausted"), "{ended}");
}

/// Writes to a file for ever.
const FILL: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "file")
    (data (i32.const 32) "\00\00\01\00\00\00\01\00")
    (func (export "_start")
        (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
            (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 64)))
        (loop $on
            (drop (call $write (i32.load (i32.const 64)) (i32.const 32) (i32.const 1)
                (i32.const 72)))
            (br $on))))"#;

#[test]
fn a_volume_that_is_filled_ends_its_own_pod() {
    let bench = Bench::start();
    bench.module("filler", FILL, &json!({"memory": "32Mi", "cpu": "100m"}));
    let pod = bench.ended("filler");
    assert_eq!(pod["status"]["reason"], "Evicted");
    let message = "Usage of EmptyDir volume \"data\" exceeds the limit \"8Mi\". ";
    assert_eq!(pod["status"]["message"], message);
}

#[test]
fn a_log_without_lines_at_full_speed_stays_within_its_bounds() {
    let bench = Bench::start();
    bench.guest("flood", &["flood"], &json!({"cpu": "500m", "ephemeral-storage": "4Mi"}));
    let pod = bench.ended("flood");
    assert_eq!(pod["status"]["reason"], "Evicted");
    let message = pod["status"]["message"].as_str().unwrap();
    assert!(message.contains("exceeds the total limit of containers 4Mi"), "{message}");
}
