//! Pods that files of a node describe, on the real program.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wk_tests::{Cluster, Daemon, NO_PRESSURE, Options, eventually, http_get, wk_path};

/// Puts a file there, whole or not at all.
fn put(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(".new"), text).unwrap();
    fs::rename(folder.join(".new"), folder.join(name)).unwrap();
}

fn server(cluster: &Cluster, name: &str) -> String {
    let image = format!("{}/tests/hello-http:1", cluster.registry());
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "web", "image": image, "ports": [{"containerPort": 8080}]}],
        },
    })
    .to_string()
}

#[test]
fn a_file_is_a_pod_for_as_long_as_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    let arguments = vec![
        format!("--pod-manifest-path={}", manifests.display()),
        "--file-check-frequency=1s".to_owned(),
    ];
    let mut cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    cluster.push_example("hello-http");
    put(&manifests, "web.json", &server(&cluster, "web"));
    put(&manifests, "bad.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {}\n");
    assert_eq!(cluster.page("web-node-1", 8080, "/").status, 200);
    let told = cluster.events("node-1", "InvalidStaticPod");
    assert!(told.contains("bad.yaml") && told.contains("spec.containers: Required"), "{told}");
    let mirror = cluster.ready_pod("web-node-1");
    let annotations = &mirror["metadata"]["annotations"];
    assert_eq!(annotations["kubernetes.io/config.source"], "file");
    let hash = annotations["kubernetes.io/config.hash"].clone();
    assert_eq!(annotations["kubernetes.io/config.mirror"], hash);
    assert_eq!(mirror["metadata"]["ownerReferences"][0]["kind"], "Node");
    let described = cluster.kubectl(&["describe", "pod", "web-node-1"]).ok();
    assert!(described.contains("Started container web"), "{described}");
    let drained = cluster.kubectl(&["drain", "node-1", "--ignore-daemonsets"]);
    assert!(drained.code == 0 && !drained.stdout.contains("evicting"), "{}", drained.stdout);

    // Who deletes it deletes what the API shows.
    cluster.kubectl(&["delete", "pod", "web-node-1", "--wait=false"]).ok();
    let uid = mirror["metadata"]["uid"].clone();
    eventually("it is shown again", || {
        let pod = cluster.object("pod", "web-node-1")?;
        (pod["metadata"]["uid"] != uid).then_some(())
    });
    let again = cluster.ready_pod("web-node-1");
    assert_eq!(again["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(again["metadata"]["annotations"]["kubernetes.io/config.hash"], hash);

    // A crash of the node changes nothing.
    cluster.crash_and_restart();
    let uid = again["metadata"]["uid"].clone();
    cluster.push_example("hello-http");
    assert_eq!(cluster.page("web-node-1", 8080, "/").status, 200);
    assert_eq!(cluster.ready_pod("web-node-1")["metadata"]["uid"], uid);

    put(&manifests, "web.json", &server(&cluster, "other"));
    assert_eq!(cluster.page("other-node-1", 8080, "/").status, 200);
    eventually("the first has gone", || {
        cluster.object("pod", "web-node-1").is_none().then_some(())
    });
    fs::remove_file(manifests.join("web.json")).unwrap();
    eventually("the other has gone, too", || {
        cluster.object("pod", "other-node-1").is_none().then_some(())
    });
    let left = fs::read_dir(cluster.data_dir().join("node/pods")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_node_runs_its_own_pods_while_its_control_plane_is_away() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let (manifests, log) = (folder.path().join("manifests"), folder.path().join("log"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    cluster.push_example("hello-http");
    let mut pod: Value = serde_json::from_str(&server(&cluster, "edge")).unwrap();
    pod["spec"]["hostNetwork"] = true.into();
    pod["spec"]["containers"][0]["ports"][0]["containerPort"] = port.into();
    put(&manifests, "edge.yaml", &serde_yaml::to_string(&pod).unwrap());
    let join = |server: &str| {
        let mut command = Command::new(wk_path());
        command.args(["agent", "--server", server, "--node-name", "node-2", "--address"]);
        command.arg("127.0.0.1").arg(NO_PRESSURE);
        command.arg("--token-file").arg(cluster.data_dir().join("token"));
        command.arg("--data-dir").arg(folder.path().join("node-2"));
        command.arg("--pod-manifest-path").arg(&manifests);
        command
    };
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let config: Value = serde_yaml::from_str(&text).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    // It joins once, which takes the server, and finds no pod.
    let mut agent = Daemon::start(join(server), &log);
    cluster.wait_for_node("node-2", "True");
    let pod = cluster.ready_pod("edge-node-2");
    assert_eq!(pod["spec"]["nodeName"], "node-2");
    agent.kill();
    // From then on it needs nobody.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("https://{}", nobody.local_addr().unwrap());
    let _agent = Daemon::start(join(&away), &log);
    eventually("the pod serves", || {
        let page = http_get(SocketAddr::from(([127, 0, 0, 1], port)), "/").ok()?;
        (page.status == 200).then_some(())
    });
}
