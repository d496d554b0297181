//! Volumes on a running cluster, with the stock client.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wk_tests::{Cluster, Daemon, eventually, wk_path};

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A pod of the guest that does what its arguments say.
fn guest(cluster: &Cluster, name: &str, arguments: &[&str], volumes: &Value) -> Value {
    let image = cluster.push_example("testguest");
    let mounts: Vec<Value> = volumes.as_array().into_iter().flatten().map(mount).collect();
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{
            "name": "main", "image": image, "command": ["testguest"], "args": arguments,
            "volumeMounts": mounts,
        }], "volumes": volumes, "terminationGracePeriodSeconds": 0},
    })
}

/// A volume is mounted in the folder of its name.
fn mount(volume: &Value) -> Value {
    json!({"name": volume["name"], "mountPath": format!("/{}", volume["name"].as_str().unwrap())})
}

/// What the guest prints in a pod.
#[track_caller]
fn run(cluster: &Cluster, pod: &str, arguments: &[&str]) -> String {
    let mut all = vec!["exec", pod, "--", "testguest"];
    all.extend(arguments);
    cluster.kubectl(&all).ok()
}

fn cat(cluster: &Cluster, pod: &str, path: &str) -> String {
    run(cluster, pod, &["cat", path])
}

#[test]
fn every_pod_has_its_account_unless_it_does_not_want_it() {
    let cluster = Cluster::start();
    let forever = ["sleep", "100000"];
    cluster.apply(&guest(&cluster, "web", &forever, &json!([])).to_string());
    let mut without = guest(&cluster, "without", &forever, &json!([]));
    without["spec"]["automountServiceAccountToken"] = false.into();
    without["spec"]["enableServiceLinks"] = false.into();
    cluster.apply(&without.to_string());
    let pod = cluster.ready_pod("web");
    let without = cluster.ready_pod("without");
    assert!(without["spec"]["volumes"].as_array().is_none_or(Vec::is_empty), "{without}");

    let file = |name: &str| cat(&cluster, "web", &format!("{ACCOUNT}/{name}"));
    assert_eq!(file("namespace"), "default");
    assert!(file("ca.crt").starts_with("-----BEGIN CERTIFICATE-----"));
    let review = json!({
        "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "spec": {"token": file("token")},
    });
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let asked = ["create", "--raw", reviews, "-f", "-"];
    let review = cluster.kubectl_with(&asked, &review.to_string());
    let status = review.json()["status"].clone();
    assert_eq!(status["authenticated"], true, "{status}");
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:default");
    let bound = &status["user"]["extra"]["authentication.kubernetes.io/pod-uid"];
    assert_eq!(bound, &json!([pod["metadata"]["uid"]]));

    assert_eq!(run(&cluster, "web", &["env", "KUBERNETES_SERVICE_PORT_HTTPS"]), "443\n");
    let service = cluster.object("service", "kubernetes").unwrap();
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let told = run(&cluster, "without", &["env", "KUBERNETES_SERVICE_HOST"]);
    assert_eq!(told.trim(), address, "the API's service is told of in any case");
}

#[test]
fn configuration_appears_in_a_running_guest_all_at_once() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "configmap", "settings", "--from-literal=mode=one"]).ok();
    let volumes = json!([
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "absent", "secret": {"secretName": "none", "optional": true}},
        {"name": "about", "downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        ]}},
        {"name": "all", "projected": {"sources": [
            {"configMap": {
                "name": "settings", "items": [{"key": "mode", "path": "deep/mode", "mode": 0o400}],
            }},
            {"secret": {"name": "none", "optional": true}},
            {"downwardAPI": {"items": [
                {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
            ]}},
            {"serviceAccountToken": {
                "path": "token", "audience": "vault", "expirationSeconds": 600,
            }},
        ]}},
    ]);
    cluster.apply(&guest(&cluster, "web", &["follow", "/settings/mode"], &volumes).to_string());
    cluster.ready_pod("web");
    assert_eq!(cat(&cluster, "web", "/all/deep/mode"), "one");
    assert_eq!(cat(&cluster, "web", "/all/name"), "web");
    assert_eq!(cat(&cluster, "web", "/all/token").split('.').count(), 3);
    assert_eq!(cat(&cluster, "web", "/about/labels"), "app=\"web\"");
    let refused = cluster.kubectl(&["exec", "web", "--", "testguest", "write", "/all/x", "x"]);
    assert_ne!(refused.code, 0, "what the API holds cannot be changed from inside");

    for mode in ["two", "three"] {
        let change = json!({"data": {"mode": mode}}).to_string();
        cluster.kubectl(&["patch", "configmap", "settings", "-p", &change]).ok();
        eventually("the running guest has seen it", || {
            cluster.kubectl(&["logs", "web"]).ok().ends_with(&format!("{mode}\n")).then_some(())
        });
    }
    // Whatever it read on the way was whole: never nothing, never half of it.
    assert_eq!(cluster.kubectl(&["logs", "web"]).ok(), "one\ntwo\nthree\n");
    assert_eq!(cat(&cluster, "web", "/all/deep/mode"), "three");
    cluster.kubectl(&["label", "pod", "web", "tier=front"]).ok();
    eventually("labels follow", || {
        (cat(&cluster, "web", "/about/labels") == "app=\"web\"\ntier=\"front\"").then_some(())
    });
    cluster.kubectl(&["create", "secret", "generic", "none", "--from-literal=key=value"]).ok();
    eventually("what was missing has come", || {
        let all = ["exec", "web", "--", "testguest", "cat", "/absent/key"];
        (cluster.kubectl(&all).stdout == "value").then_some(())
    });
}

fn stateful_set(cluster: &Cluster, replicas: u32) -> Value {
    let pod = guest(cluster, "db", &["sleep", "100000"], &json!([]));
    let mut template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    let mounts = json!([{"name": "data", "mountPath": "/data"}]);
    template["spec"]["containers"][0]["volumeMounts"] = mounts;
    template["spec"]["volumes"] = Value::Null;
    json!({
        "kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "db"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
            }}],
        },
    })
}

/// The volume of a claim, and the folder that it is.
fn volume_of(cluster: &Cluster, claim: &str) -> (String, PathBuf) {
    let claim = cluster.object("pvc", claim).unwrap();
    assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
    let name = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    let volume = cluster.object("pv", &name).unwrap();
    (name, volume["spec"]["local"]["path"].as_str().unwrap().into())
}

fn is_gone(cluster: &Cluster, volume: &str) {
    eventually("the volume is gone", || cluster.object("pv", volume).is_none().then_some(()));
}

fn content(folder: &Path) -> String {
    fs::read_to_string(folder.join("file")).unwrap()
}

#[test]
fn a_stateful_set_keeps_its_data_and_gives_it_back_as_its_class_says() {
    let mut cluster = Cluster::start();
    cluster.apply(&stateful_set(&cluster, 2).to_string());
    for pod in ["db-0", "db-1"] {
        cluster.ready_pod(pod);
        run(&cluster, pod, &["write", "/data/file", pod]);
    }
    let (first, first_folder) = volume_of(&cluster, "data-db-0");
    let (second, second_folder) = volume_of(&cluster, "data-db-1");
    assert!(first_folder.starts_with(cluster.data_dir().join("node")));
    assert_eq!((content(&first_folder), content(&second_folder)), ("db-0".into(), "db-1".into()));

    let before = cluster.object("pod", "db-0").unwrap()["metadata"]["uid"].clone();
    cluster.kubectl(&["delete", "pod", "db-0"]).ok();
    eventually("the pod is another one", || {
        let pod = cluster.object("pod", "db-0")?;
        (pod["metadata"]["uid"] != before).then_some(())
    });
    cluster.ready_pod("db-0");
    assert_eq!(cat(&cluster, "db-0", "/data/file"), "db-0");
    cluster.crash_and_restart();
    eventually("the pod runs again", || {
        let answer = cluster.kubectl(&["exec", "db-0", "--", "testguest", "cat", "/data/file"]);
        (answer.stdout == "db-0").then_some(())
    });

    let larger = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}).to_string();
    cluster.kubectl(&["patch", "pvc", "data-db-0", "-p", &larger]).ok();
    eventually("the claim has grown", || {
        let claim = cluster.object("pvc", "data-db-0")?;
        (claim["status"]["capacity"]["storage"] == "2Gi").then_some(())
    });

    // One is given back with its claim, the other one is kept.
    let retain = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}).to_string();
    cluster.kubectl(&["patch", "pv", &second, "-p", &retain]).ok();
    cluster.kubectl(&["delete", "statefulset", "db"]).ok();
    cluster.kubectl(&["wait", "--for=delete", "pod", "-l", "app=db", "--timeout=60s"]).ok();
    assert_eq!(content(&first_folder), "db-0", "claims outlive their set");
    cluster.kubectl(&["delete", "pvc", "data-db-0", "data-db-1"]).ok();
    is_gone(&cluster, &first);
    assert!(!first_folder.parent().unwrap().exists());
    eventually("the other volume is released", || {
        (cluster.object("pv", &second)?["status"]["phase"] == "Released").then_some(())
    });
    assert_eq!(content(&second_folder), "db-1");
    cluster.kubectl(&["delete", "pv", &second]).ok();
    is_gone(&cluster, &second);
    assert_eq!(content(&second_folder), "db-1", "what is retained is never removed");
}

#[test]
fn a_claim_that_cannot_be_had_is_named() {
    let cluster = Cluster::start();
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "none"}}]);
    let mut pod = guest(&cluster, "web", &["sleep", "100000"], &volumes);
    pod["spec"]["nodeName"] =
        cluster.kubectl(&["get", "nodes", "-o", "json"]).json()["items"][0]["metadata"]["name"]
            .clone();
    cluster.apply(&pod.to_string());
    eventually("it is told", || {
        let told = cluster.events("web", "FailedMount");
        let why = "error processing PVC default/none: failed to fetch PVC from API server: \
                   persistentvolumeclaims \"none\" not found";
        told.contains(why).then_some(())
    });
}

/// Starts a second node, or the same one again.
fn agent(cluster: &Cluster) -> Daemon {
    let config: Value =
        serde_yaml::from_str(&fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let mut command = Command::new(wk_path());
    command.args(["agent", "--server", server, "--node-name", "node-2", "--address", "127.0.0.1"]);
    command.arg(wk_tests::NO_PRESSURE);
    command.arg("--token-file").arg(cluster.data_dir().join("token"));
    command.arg("--data-dir").arg(cluster.scratch().join("node-2"));
    Daemon::start(command, &cluster.scratch().join("node-2.log"))
}

#[test]
fn a_volume_is_given_back_by_its_node_when_that_is_there_again() {
    let cluster = Cluster::start();
    let mut away = agent(&cluster);
    let claim = json!({
        "kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    cluster.apply(&claim.to_string());
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let mut pod = guest(&cluster, "there", &["write", "/data/file", "kept"], &volumes);
    pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-2"});
    pod["spec"]["restartPolicy"] = "Never".into();
    cluster.apply(&pod.to_string());
    cluster.pod_in_phase("there", "Succeeded");
    let (volume, folder) = volume_of(&cluster, "data");
    assert!(folder.starts_with(cluster.scratch().join("node-2")), "{}", folder.display());
    assert_eq!(content(&folder), "kept");

    // Wherever it is asked to run, a pod with this claim runs where the volume is.
    let mut reader = guest(&cluster, "reader", &["cat", "/data/file"], &volumes);
    reader["spec"]["restartPolicy"] = "Never".into();
    cluster.apply(&reader.to_string());
    let reader = cluster.pod_in_phase("reader", "Succeeded");
    assert_eq!(reader["spec"]["nodeName"], "node-2");
    assert_eq!(cluster.kubectl(&["logs", "reader"]).ok(), "kept\n");

    cluster.kubectl(&["delete", "pod", "there", "reader"]).ok();
    away.kill();
    cluster.kubectl(&["delete", "pvc", "data"]).ok();
    eventually("the volume waits for its node", || {
        let volume = cluster.object("pv", &volume)?;
        let waits = volume["metadata"]["finalizers"] == json!(["wk.dev/local-path"]);
        (waits && volume["metadata"]["deletionTimestamp"].is_string()).then_some(())
    });
    assert_eq!(content(&folder), "kept");
    let _back = agent(&cluster);
    is_gone(&cluster, &volume);
    assert!(!folder.exists());
}

#[test]
fn a_pod_that_takes_too_much_of_the_disk_is_evicted() {
    let cluster = Cluster::start();
    let forever = ["sleep", "100000"];
    let volumes = json!([{"name": "cache", "emptyDir": {"sizeLimit": "2Mi"}}]);
    cluster.apply(&guest(&cluster, "hoarder", &forever, &volumes).to_string());
    let plenty = json!([{"name": "cache", "emptyDir": {}}]);
    let mut limited = guest(&cluster, "limited", &forever, &plenty);
    limited["spec"]["containers"][0]["resources"] = json!({"limits": {"ephemeral-storage": "2Mi"}});
    cluster.apply(&limited.to_string());
    let memory = json!([{"name": "cache", "emptyDir": {"medium": "Memory", "sizeLimit": "2Mi"}}]);
    cluster.apply(&guest(&cluster, "memory", &forever, &memory).to_string());
    cluster.apply(&guest(&cluster, "modest", &forever, &volumes).to_string());
    for pod in ["hoarder", "limited", "modest", "memory"] {
        cluster.ready_pod(pod);
        run(&cluster, pod, &["fill", "/cache/file", "1"]);
    }
    for pod in ["hoarder", "limited"] {
        run(&cluster, pod, &["fill", "/cache/more", "2"]);
    }
    for (pod, message) in [
        ("hoarder", "Usage of EmptyDir volume \"cache\" exceeds the limit \"2Mi\". "),
        (
            "limited",
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
        ),
    ] {
        let status = cluster.pod_in_phase(pod, "Failed")["status"].clone();
        assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
        assert!(cluster.events(pod, "Evicted").contains(message.trim_end()));
        let ended = &status["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(143), &json!("Error")));
    }
    assert_eq!(cluster.object("pod", "modest").unwrap()["status"]["phase"], "Running");

    let uid = cluster.object("pod", "memory").unwrap()["metadata"]["uid"].clone();
    let folder = cluster.data_dir().join("node/pods").join(uid.as_str().unwrap());
    let cache = folder.join("volumes/cache");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let in_memory = mounts.contains(&format!("{} ", cache.display()))
        || fs::read_link(&cache).is_ok_and(|target| target.starts_with("/dev/shm"));
    assert!(in_memory, "{}", cache.display());
    // A file system of its own is full at its limit, and what is in shared memory is watched.
    let more = cluster.kubectl(&["exec", "memory", "--", "testguest", "fill", "/cache/more", "2"]);
    if more.code == 0 {
        let status = cluster.pod_in_phase("memory", "Failed")["status"].clone();
        assert_eq!(status["reason"], "Evicted");
    }
    cluster.kubectl(&["delete", "pod", "memory"]).ok();
    eventually("its memory is given back", || (!folder.exists()).then_some(()));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&folder.display().to_string()));
}

#[test]
fn a_path_of_the_node_is_what_the_pod_thinks_it_is() {
    let cluster = Cluster::start();
    let file = cluster.scratch().join("file");
    fs::write(&file, "of the node").unwrap();
    let forever = ["sleep", "100000"];
    let of = |path: &Path, kind: &str| json!([{"name": "host", "hostPath": {"path": path, "type": kind}}]);
    let fresh = cluster.scratch().join("fresh");
    cluster.apply(&guest(&cluster, "made", &forever, &of(&fresh, "DirectoryOrCreate")).to_string());
    cluster.ready_pod("made");
    run(&cluster, "made", &["write", "/host/file", "x"]);
    assert_eq!(content(&fresh), "x");
    for (pod, kind, what) in [
        ("folder", "Directory", "a directory"),
        ("socket", "Socket", "a socket file"),
        ("chars", "CharDevice", "a character device"),
        ("blocks", "BlockDevice", "a block device"),
    ] {
        cluster.apply(&guest(&cluster, pod, &forever, &of(&file, kind)).to_string());
        let text = format!(
            "MountVolume.SetUp failed for volume \"host\" : hostPath type check failed: {} is not \
             {what}",
            file.display()
        );
        eventually("it is told", || {
            cluster.events(pod, "FailedMount").contains(&text).then_some(())
        });
    }
}

#[test]
fn parts_of_volumes_are_mounted_by_name() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "configmap", "settings", "--from-literal=mode=one"]).ok();
    let volumes = json!([
        {"name": "data", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings", "defaultMode": 0o400}},
    ]);
    let mut pod = guest(&cluster, "web", &["sleep", "100000"], &volumes);
    let container = &mut pod["spec"]["containers"][0];
    container["env"] = json!([
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {
            "resource": "limits.memory", "divisor": "1Mi",
        }}},
    ]);
    container["resources"] = json!({"limits": {"memory": "65Mi"}});
    container["volumeMounts"] = json!([
        {"name": "data", "mountPath": "/data"},
        {"name": "data", "mountPath": "/own", "subPathExpr": "pods/$(NAME)"},
        {"name": "settings", "mountPath": "/etc/app/mode", "subPath": "mode"},
    ]);
    cluster.apply(&pod.to_string());
    cluster.ready_pod("web");
    run(&cluster, "web", &["write", "/own/file", "x"]);
    assert_eq!(cat(&cluster, "web", "/data/pods/web/file"), "x");
    assert_eq!(cat(&cluster, "web", "/etc/app/mode"), "one");
    assert_eq!(run(&cluster, "web", &["env", "LIMIT"]), "65\n");
    let change = json!({"data": {"mode": "two"}}).to_string();
    cluster.kubectl(&["patch", "configmap", "settings", "-p", &change]).ok();
    assert_eq!(cat(&cluster, "web", "/etc/app/mode"), "one", "a part stays what it was");

    let mut missing = guest(&cluster, "missing", &["sleep", "100000"], &volumes);
    missing["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/own", "subPathExpr": "$(NOWHERE)"}]);
    cluster.apply(&missing.to_string());
    let state = cluster.container_state("missing", "CreateContainerConfigError");
    assert_eq!(state["message"], "missing value for NOWHERE");
}
