//! Every example in `wasm-examples/` runs as its `pod.yaml` says.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use wk_tests::{Cluster, eventually, example};

/// The manifest of an example, pointed at the test's own registry.
fn manifest(cluster: &Cluster, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("wasm-examples");
    let text = fs::read_to_string(folder.join(name).join("pod.yaml")).unwrap();
    text.replace("127.0.0.1:5000", &cluster.registry())
}

fn apply(cluster: &Cluster, name: &str) -> String {
    let reference = format!("{}/examples/{name}:latest", cluster.registry());
    cluster.wkctl(&["push", &example(name).display().to_string(), &reference]).ok();
    let manifest = manifest(cluster, name);
    cluster.apply(&manifest);
    let pod: serde_json::Value = serde_yaml::from_str(&manifest).unwrap();
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn the_http_examples_answer() {
    let cluster = Cluster::start();
    for name in ["hello-http", "hello-http-p3", "hello-c", "hello-js", "hello-python"] {
        let pod = apply(&cluster, name);
        let answer = cluster.page(&pod, 8080, "/");
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        assert!(answer.body.to_lowercase().contains("hello"), "{name}: {}", answer.body);
    }
}

#[test]
fn the_commands_print_and_end() {
    let cluster = Cluster::start();
    for name in ["hello-cli", "hello-cli-p3"] {
        let pod = apply(&cluster, name);
        cluster.pod_in_phase(&pod, "Succeeded");
        let log = cluster.wkctl(&["logs", &pod]).ok();
        assert_eq!(
            log, "Good morning from WebAssembly!\nargument 1: one\nargument 2: two\n",
            "{name}"
        );
    }
}

#[test]
fn ticker_prints_until_it_is_stopped() {
    let cluster = Cluster::start();
    let pod = apply(&cluster, "ticker");
    cluster.ready_pod(&pod);
    eventually("it has ticked twice", || {
        (cluster.wkctl(&["logs", &pod]).stdout.lines().count() >= 2).then_some(())
    });
    cluster.wkctl(&["delete", "pod", &pod]).ok();
}

#[test]
fn echo_tcp_answers_on_the_address_of_its_pod() {
    let cluster = Cluster::start();
    let pod = apply(&cluster, "echo-tcp");
    let ready = cluster.ready_pod(&pod);
    let ip = ready["status"]["podIP"].as_str().unwrap().parse().unwrap();
    let mut stream =
        eventually("it listens", || TcpStream::connect(SocketAddr::new(ip, 8080)).ok());
    stream.write_all(b"over here\n").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"over here\n");
    assert!(
        TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], 8080))).is_err()
            || ip != std::net::IpAddr::from([127, 0, 0, 1]),
        "it listens on its own address only"
    );
}
