//! Volumes on a real disk.

use std::fs;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::env::Allocatable;
use crate::objects::{ObjectData, ObjectKind};

fn pod(volumes: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"namespace": "d", "name": "web", "uid": "u", "labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "c"}], "volumes": volumes},
    }))
    .unwrap()
}

fn found(pairs: &[(&str, &str)]) -> Found {
    let values = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
    let data = Some(Arc::new(ObjectData { values: values.collect(), storage: None }));
    Found::from([
        ((ObjectKind::ConfigMap, "cm".to_owned()), data.clone()),
        ((ObjectKind::Secret, "s".to_owned()), data),
    ])
}

fn tasks(volumes: &Value, found: &Found) -> Result<Vec<(String, Task)>, VolumeFault> {
    let pod = pod(volumes);
    let facts = Facts {
        pod: &pod,
        pod_ip: None,
        node_ip: "127.0.0.1".parse().unwrap(),
        allocatable: Allocatable::default(),
    };
    let place = |path: &str| ("v".to_owned(), path.to_owned());
    let given = Given {
        facts,
        found,
        tokens: &Tokens::from([(place("token"), b"secret".to_vec())]),
        node_labels: &BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
        local_path: Path::new("/node/local-path"),
    };
    plan(pod.spec.as_ref().unwrap(), given, Part::All)
}

fn visible(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("..")).collect();
    names.sort();
    names
}

#[test]
fn configuration_becomes_files_and_follows_changes() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = json!([{"name": "v", "configMap": {"name": "cm", "defaultMode": 0o400}}]);
    let first = tasks(&volumes, &found(&[("a", "1"), ("b", "2")])).unwrap();
    carry_out(folder.path(), &first).unwrap();
    let volume = folder.path().join("v");
    assert_eq!(visible(&volume), ["a", "b"]);
    assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "1");
    let before = fs::read_link(volume.join("..data")).unwrap();
    carry_out(folder.path(), &first).unwrap();
    assert_eq!(fs::read_link(volume.join("..data")).unwrap(), before, "nothing changed");
    let second = tasks(&volumes, &found(&[("a", "3"), ("c", "4")])).unwrap();
    carry_out(folder.path(), &second).unwrap();
    assert_eq!(visible(&volume), ["a", "c"]);
    assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "3");
    assert!(!volume.join(before).exists(), "the old folder is gone");
}

#[test]
fn items_and_modes_and_projections() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let volumes = json!([{"name": "v", "projected": {"sources": [
        {"secret": {"name": "s", "items": [{"key": "a", "path": "deep/er/a", "mode": 0o600}]}},
        {"configMap": {"name": "none", "optional": true}},
        {"serviceAccountToken": {"path": "token"}},
        {"downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        ]}},
    ]}}]);
    carry_out(folder.path(), &tasks(&volumes, &found(&[("a", "1")])).unwrap()).unwrap();
    let volume = folder.path().join("v");
    assert_eq!(visible(&volume), ["deep", "labels", "token"]);
    assert_eq!(fs::read_to_string(volume.join("token")).unwrap(), "secret");
    assert_eq!(fs::read_to_string(volume.join("labels")).unwrap(), "app=\"shop\"");
    let mode = fs::metadata(volume.join("deep/er/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_cannot_be_had_is_named() {
    for (volumes, message) in [
        (json!([{"name": "v", "configMap": {"name": "no"}}]), "configmap \"no\" not found"),
        (
            json!([{"name": "v", "secret": {"secretName": "s", "items": [
                {"key": "x", "path": "x"},
            ]}}]),
            "references non-existent secret key: x",
        ),
        (
            json!([{"name": "v", "configMap": {"name": "cm", "items": [
                {"key": "x", "path": "x"},
            ]}}]),
            "configmap references non-existent config key: x",
        ),
        (
            json!([{"name": "v", "nfs": {"server": "s", "path": "/"}}]),
            "volume type `nfs` is not supported on this node; supported are configMap, secret, \
             downwardAPI, projected, emptyDir, hostPath, persistentVolumeClaim and ephemeral",
        ),
    ] {
        let fault = tasks(&volumes, &found(&[])).unwrap_err();
        assert_eq!((fault.volume.as_str(), fault.message.as_str()), ("v", message));
    }
}

#[test]
fn host_paths_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let check = |path: &Path, kind: &str| {
        let volumes = json!([{"name": "v", "hostPath": {"path": path, "type": kind}}]);
        carry_out(folder.path(), &tasks(&volumes, &found(&[])).unwrap())
    };
    check(&file, "File").unwrap();
    check(folder.path(), "Directory").unwrap();
    check(&folder.path().join("new"), "DirectoryOrCreate").unwrap();
    assert!(folder.path().join("new").is_dir());
    check(&folder.path().join("any"), "").unwrap();
    check(&folder.path().join("fresh"), "FileOrCreate").unwrap();
    check(Path::new("/dev/null"), "CharDevice").unwrap();
    assert!(folder.path().join("any").is_dir() && folder.path().join("fresh").is_file());
    for (path, kind, message) in [
        (file.clone(), "Directory", "is not a directory"),
        (folder.path().join("gone"), "File", "is not a file"),
        (folder.path().join("gone"), "Directory", "is not a directory"),
        (file.clone(), "Socket", "is not a socket file"),
        (file.clone(), "CharDevice", "is not a character device"),
        (file.clone(), "BlockDevice", "is not a block device"),
        (folder.path().to_owned(), "FileOrCreate", "is not a file"),
    ] {
        let fault = check(&path, kind).unwrap_err();
        assert!(fault.message.ends_with(message), "{}", fault.message);
    }
}

#[test]
fn a_sub_path_stays_inside_its_volume() {
    let folder = tempfile::tempdir().unwrap();
    let pod = pod(&json!([{"name": "v", "emptyDir": {}}]));
    let spec = pod.spec.as_ref().unwrap();
    fs::create_dir(folder.path().join("v")).unwrap();
    symlink("/etc", folder.path().join("v/out")).unwrap();
    let mount = |mount: Value| {
        let container: Container =
            serde_json::from_value(json!({"name": "c", "volumeMounts": [mount]})).unwrap();
        let env = [("NAME".to_owned(), "web".to_owned())];
        mounts(folder.path(), spec, &container, &env, None)
    };
    let made = mount(json!({"name": "v", "mountPath": "/d", "subPathExpr": "a/$(NAME)"})).unwrap();
    assert!(made[0].host_path.ends_with("v/a/web") && made[0].host_path.is_dir());
    assert!(!made[0].read_only);
    let missing = mount(json!({
        "name": "v", "mountPath": "/d", "subPathExpr": "$(B)/$(NAME)/$(A)/$$(C)",
    }));
    assert_eq!(missing.unwrap_err(), "missing value for A, B");
    for sub_path in ["../x", "/etc", "out"] {
        assert!(mount(json!({"name": "v", "mountPath": "/d", "subPath": sub_path})).is_err());
    }
    assert!(mount(json!({"name": "w", "mountPath": "/d"})).is_err());
}
