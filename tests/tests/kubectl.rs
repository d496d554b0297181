//! The stock client, unmodified.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use wk_tests::{Cluster, eventually};

#[test]
fn kubectl_tells_versions_and_resources() {
    let cluster = Cluster::start();
    let version = cluster.kubectl(&["version"]).ok();
    assert!(version.contains("Server Version: v1.36"), "{version}");
    let resources = cluster.kubectl(&["api-resources"]).ok();
    for kind in ["configmaps", "namespaces", "nodes", "pods", "secrets", "services", "leases"] {
        assert!(resources.contains(kind), "{kind} in {resources}");
    }
    assert!(cluster.kubectl(&["api-versions"]).ok().contains("coordination.k8s.io/v1"));
    assert!(cluster.kubectl(&["get", "nodes"]).ok().contains("node-1"));
    assert!(cluster.kubectl(&["get", "namespaces"]).ok().contains("kube-system"));
}

#[test]
fn kubectl_works_on_config_maps() {
    let cluster = Cluster::start();
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n";
    let apply = |text: &str| cluster.kubectl_with(&["apply", "-f", "-"], text).ok();
    assert_eq!(apply(manifest).trim(), "configmap/settings created");
    assert_eq!(apply(manifest).trim(), "configmap/settings unchanged");
    let changed = manifest.replace("{a: '1'}", "{b: '2'}");
    assert_eq!(apply(&changed).trim(), "configmap/settings configured");
    let object = cluster.object("configmap", "settings").unwrap();
    assert_eq!(object["data"], serde_json::json!({"b": "2"}), "what left the manifest is gone");

    cluster.kubectl(&["label", "configmap", "settings", "tier=web"]).ok();
    cluster.kubectl(&["annotate", "configmap", "settings", "note=yes"]).ok();
    cluster.kubectl(&["patch", "configmap", "settings", "-p", r#"{"data":{"c":"3"}}"#]).ok();
    cluster
        .kubectl(&[
            "patch",
            "configmap",
            "settings",
            "--type=merge",
            "-p",
            r#"{"data":{"b":null}}"#,
        ])
        .ok();
    cluster
        .kubectl(&[
            "patch",
            "configmap",
            "settings",
            "--type=json",
            "-p",
            r#"[{"op":"add","path":"/data/d","value":"4"}]"#,
        ])
        .ok();
    let object = cluster.object("configmap", "settings").unwrap();
    assert_eq!(object["data"], serde_json::json!({"c": "3", "d": "4"}));
    assert_eq!(object["metadata"]["labels"]["tier"], "web");
    assert_eq!(object["metadata"]["annotations"]["note"], "yes");

    let yaml = cluster.kubectl(&["get", "configmap", "settings", "-o", "yaml"]).ok();
    assert!(yaml.contains("c: \"3\""), "{yaml}");
    let selected = cluster.kubectl(&["get", "configmaps", "-l", "tier=web", "-o", "name"]).ok();
    assert_eq!(selected.trim(), "configmap/settings");
    cluster.kubectl(&["describe", "configmap", "settings"]).ok();
    cluster.kubectl(&["delete", "configmap", "settings"]).ok();
    let message = cluster.kubectl(&["get", "configmap", "settings"]).refused();
    assert!(message.contains("Error from server (NotFound): configmaps \"settings\" not found"));
}

#[test]
fn kubectl_edit_runs_a_scripted_editor() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "configmap", "edited", "--from-literal=a=old"]).ok();
    let editor = cluster.scratch().join("editor");
    fs::write(&editor, "#!/bin/sh\nsed -i 's/a: old/a: new/' \"$1\"\n").unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new("env");
    command.arg(format!("KUBE_EDITOR={}", editor.display())).arg(wk_tests::kubectl_path());
    command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(["edit", "configmap", "edited"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(cluster.object("configmap", "edited").unwrap()["data"]["a"], "new");
}

#[test]
fn kubectl_works_on_namespaces() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "namespace", "team"]).ok();
    eventually("the namespace has its service account and CA", || {
        let account = cluster.kubectl(&["get", "serviceaccount", "default", "-n", "team"]);
        let ca = cluster.kubectl(&["get", "configmap", "kube-root-ca.crt", "-n", "team"]);
        (account.code == 0 && ca.code == 0).then_some(())
    });
    cluster.kubectl(&["create", "configmap", "inside", "-n", "team"]).ok();
    cluster.kubectl(&["describe", "namespace", "team"]).ok();
    cluster.kubectl(&["delete", "namespace", "team", "--timeout=60s"]).ok();
    assert!(cluster.object("namespace", "team").is_none());
    let message = cluster.kubectl(&["create", "configmap", "late", "-n", "team"]).refused();
    assert!(message.contains("namespaces \"team\" not found"), "{message}");
}

#[test]
fn kubectl_works_on_pods() {
    let cluster = Cluster::start();
    let image = cluster.push_example("ticker");
    cluster.kubectl(&["run", "tick", "--image", &image, "--restart=Never"]).ok();
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/tick", "--timeout=60s"]).ok();
    let wide = cluster.kubectl(&["get", "pods", "-o", "wide"]).ok();
    assert!(wide.contains("node-1") && wide.contains("Running"), "{wide}");
    let described = cluster.kubectl(&["describe", "pod", "tick"]).ok();
    assert!(described.contains("Successfully assigned default/tick to node-1"), "{described}");
    let events = cluster.kubectl(&["events", "--for", "pod/tick"]).ok();
    assert!(events.contains("Started"), "{events}");
    eventually("it has printed", || {
        let log = cluster.kubectl(&["logs", "tick", "--tail=1"]);
        (log.code == 0 && !log.stdout.is_empty()).then_some(())
    });
    cluster.kubectl(&["label", "pod", "tick", "seen=yes"]).ok();
    cluster.kubectl(&["delete", "pod", "tick", "--timeout=60s"]).ok();
    assert!(cluster.object("pod", "tick").is_none());
}

#[test]
fn kubectl_follows_logs_and_watches() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster
        .kubectl(&["run", "talk", "--image", &image, "--restart=Never", "--", "print", "5"])
        .ok();
    cluster.pod_in_phase("talk", "Succeeded");
    let followed = cluster.kubectl(&["logs", "-f", "talk"]).ok();
    assert!(followed.contains("line 1\n") && followed.contains("line 5\n"), "{followed}");
    let watched = cluster.kubectl(&["get", "pods", "-w", "--request-timeout=2s", "-o", "name"]);
    assert!(watched.stdout.contains("pod/talk"), "{}", watched.stdout);
}
