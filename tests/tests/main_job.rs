//! The main job: a manifest is applied, and a Wasm pod answers.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use wk_tests::{Cluster, eventually};

fn http_pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{app: {name}}}\n\
         spec:\n  containers:\n  - name: web\n    image: {image}\n    ports:\n    - containerPort: 8080\n"
    )
}

fn command_pod(name: &str, image: &str, restart: &str, args: &[&str]) -> String {
    let args = serde_json::to_string(args).unwrap();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: {restart}\n\
         \x20 containers:\n  - name: main\n    image: {image}\n    args: {args}\n    env:\n    - name: GREETING\n      value: hello\n"
    )
}

#[test]
fn an_applied_http_pod_answers_and_leaves_without_a_trace() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let manifest = http_pod("web", &image);
    assert_eq!(cluster.wkctl_with(&["apply", "-f", "-"], &manifest).ok().trim(), "pod/web created");
    cluster.wkctl(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]).ok();
    assert_eq!(cluster.page("web", 8080, "/").status, 200);

    let table = cluster.wkctl(&["get", "pods"]).ok();
    assert!(table.contains("web") && table.contains("1/1") && table.contains("Running"), "{table}");
    assert_eq!(
        cluster.wkctl_with(&["apply", "-f", "-"], &manifest).ok().trim(),
        "pod/web unchanged"
    );
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        cluster.events("web", reason);
    }
    cluster.wkctl(&["delete", "pod", "web"]).ok();
    assert!(cluster.object("pod", "web").is_none());
}

#[test]
fn two_pods_bind_the_same_port() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.apply(&http_pod("one", &image));
    cluster.apply(&http_pod("two", &image));
    assert_eq!(cluster.page("one", 8080, "/").status, 200);
    assert_eq!(cluster.page("two", 8080, "/").status, 200);
    let ip = |name| cluster.ready_pod(name)["status"]["podIP"].clone();
    assert_ne!(ip("one"), ip("two"));
}

#[test]
fn a_command_runs_to_its_end_and_its_output_is_the_log() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&command_pod("hello", &image, "Never", &["env", "GREETING"]));
    cluster.pod_in_phase("hello", "Succeeded");
    assert_eq!(cluster.wkctl(&["logs", "hello"]).ok().trim(), "hello");
    assert_eq!(cluster.kubectl(&["logs", "hello"]).ok().trim(), "hello");
}

#[test]
fn an_exit_code_is_told_and_restarts_follow_the_policy() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&command_pod("never", &image, "Never", &["exit", "3"]));
    cluster.apply(&command_pod("always", &image, "Always", &["exit", "3"]));
    cluster.pod_in_phase("never", "Failed");
    let state = cluster.container_state("never", "Error");
    assert_eq!(state["exitCode"], 3);
    let message = cluster.container_state("always", "CrashLoopBackOff");
    assert!(message["message"].as_str().unwrap().contains("back-off"), "{message}");
    eventually("the pod was restarted", || {
        let pod = cluster.object("pod", "always")?;
        (pod["status"]["containerStatuses"][0]["restartCount"].as_u64()? >= 1).then_some(())
    });
    cluster.events("always", "BackOff");
}

#[test]
fn a_core_module_ends_with_the_exit_code_it_gives() {
    let cluster = Cluster::start();
    let file = cluster.scratch().join("three.wasm");
    let module = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 3))))"#;
    std::fs::write(&file, wat::parse_str(module).unwrap()).unwrap();
    let image = cluster.push(&file, "three");
    cluster.apply(&command_pod("three", &image, "Never", &[]));
    cluster.pod_in_phase("three", "Failed");
    assert_eq!(cluster.container_state("three", "Error")["exitCode"], 3);
}

#[test]
fn a_trap_shows_its_backtrace_in_the_termination_message() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&command_pod("trap", &image, "Never", &["trap"]));
    cluster.pod_in_phase("trap", "Failed");
    let state = cluster.container_state("trap", "Error");
    let message = state["message"].as_str().expect("a message");
    assert!(message.contains("unreachable"), "{message}");
    assert!(message.contains("main"), "the backtrace names functions: {message}");
}

#[test]
fn volumes_and_environment_reach_the_guest() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: s3cret}\n",
    );
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: volumes}}\nspec:\n  restartPolicy: Never\n  \
         volumes:\n  - {{name: settings, configMap: {{name: settings}}}}\n  - {{name: keys, secret: {{secretName: keys}}}}\n  - {{name: scratch, emptyDir: {{}}}}\n  \
         initContainers:\n  - name: write\n    image: {image}\n    args: [write, /scratch/note, written]\n    volumeMounts: [{{name: scratch, mountPath: /scratch}}]\n  \
         containers:\n\
         \x20 - name: colour\n    image: {image}\n    args: [cat, /settings/colour]\n    volumeMounts: [{{name: settings, mountPath: /settings}}]\n\
         \x20 - name: key\n    image: {image}\n    args: [cat, /keys/key]\n    volumeMounts: [{{name: keys, mountPath: /keys}}]\n\
         \x20 - name: note\n    image: {image}\n    args: [cat, /scratch/note]\n    volumeMounts: [{{name: scratch, mountPath: /scratch}}]\n\
         \x20 - name: variable\n    image: {image}\n    args: [env, COLOUR]\n    env: [{{name: COLOUR, valueFrom: {{configMapKeyRef: {{name: settings, key: colour}}}}}}]\n"
    ));
    cluster.pod_in_phase("volumes", "Succeeded");
    for (container, text) in
        [("colour", "blue"), ("key", "s3cret"), ("note", "written"), ("variable", "blue")]
    {
        let log = cluster.kubectl(&["logs", "volumes", "-c", container]).ok();
        assert_eq!(log.trim(), text, "{container}");
    }
}

#[test]
fn a_second_start_finds_the_objects_of_the_first() {
    let mut cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.apply(&http_pod("web", &image));
    cluster.ready_pod("web");
    let stopped = cluster.daemon().stop();
    assert!(stopped.success(), "Ctrl-C is a clean stop: {stopped}");
    cluster.start_again();
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
}
