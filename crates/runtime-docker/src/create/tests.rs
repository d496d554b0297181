//! What specifications become.

use std::net::SocketAddr;

use serde_json::{Value, json};
use wk_runtime::{
    Image, ImageKind, InstancePolicy, Limits, LinuxPod, LinuxSpec, LogLimits, PodRef,
    PublishedPort, Sandbox, Stdio,
};

use super::*;

fn spec(linux: LinuxSpec) -> ContainerSpec {
    ContainerSpec {
        pod: PodRef { namespace: "d".into(), name: "web".into(), uid: "u-1".into() },
        name: "main".into(),
        attempt: 3,
        image: Image {
            reference: "web:1".into(),
            digest: "sha256:aa".into(),
            kind: ImageKind::Linux { layout: "/layout".into() },
            entrypoint: vec![],
            cmd: vec![],
            env: vec![],
            working_dir: None,
        },
        command: vec![],
        args: vec!["serve".into()],
        env: vec![("A".into(), "1".into()), ("A".into(), "2".into())],
        working_dir: None,
        mounts: vec![wk_runtime::Mount {
            host_path: "/node/a:b".into(),
            container_path: "/data".into(),
            read_only: true,
            ..wk_runtime::Mount::default()
        }],
        limits: Limits { memory_bytes: Some(64 << 20), cpu_millis: Some(250) },
        sandbox: Sandbox {
            pod_uid: "u-1".into(),
            namespace: "d".into(),
            hostname: "web".into(),
            ip: [127, 64, 0, 5].into(),
            loopback: [127, 96, 0, 5].into(),
            netns: None,
            host_network: false,
            host_aliases: BTreeMap::from([("db".into(), vec![[10, 0, 0, 1].into()])]),
        },
        ports: vec![80],
        log_path: "/logs/3.log".into(),
        log_limits: LogLimits::default(),
        termination_message_path: "/dev/termination-log".into(),
        annotations: BTreeMap::new(),
        instances: InstancePolicy::PerRequest,
        stdio: Stdio::default(),
        linux,
    }
}

fn facts(may_prefer: bool) -> Facts {
    Facts {
        version: "20.10".to_owned(),
        arch: None,
        is_reachable: true,
        may_prefer,
        maps_users: false,
        mounts_recursively: false,
    }
}

fn made(linux: LinuxSpec) -> Value {
    let id = ContainerId::new("u-1_main_3");
    let body = container("o", &id, "sha256:id".into(), "box", &spec(linux), &facts(true));
    serde_json::to_value(body).unwrap()
}

#[test]
fn a_container_lives_in_its_pods_sandbox_and_within_its_limits() {
    let body = made(LinuxSpec { cpu_request_millis: Some(100), ..LinuxSpec::default() });
    let host = &body["HostConfig"];
    for (field, expected) in [
        ("NetworkMode", json!("container:box")),
        ("IpcMode", json!("container:box")),
        ("PidMode", Value::Null),
        ("Memory", json!(64 << 20)),
        ("MemorySwap", json!(64 << 20)),
        ("CpuPeriod", json!(100_000)),
        ("CpuQuota", json!(25_000)),
        ("CpuShares", json!(102)),
        ("SecurityOpt", json!([])),
        (
            "Mounts",
            json!([{"Type": "bind", "Source": "/node/a:b", "Target": "/data", "ReadOnly": true}]),
        ),
    ] {
        assert_eq!(host[field], expected, "{field}");
    }
    assert_eq!(body["Entrypoint"], Value::Null, "the image's");
    assert_eq!(body["Cmd"], json!(["serve"]));
    assert_eq!(body["Env"], json!(["A=2"]));
}

#[test]
fn the_security_context_is_passed_on() {
    let linux = LinuxSpec {
        user: Some("1000:2000".into()),
        groups: vec![3000],
        no_new_privileges: true,
        read_only_root: true,
        add_capabilities: vec!["NET_ADMIN".into()],
        drop_capabilities: vec!["ALL".into()],
        seccomp: Seccomp::Unconfined,
        apparmor: Some("mine".into()),
        unmasked_proc: true,
        max_pids: Some(64),
        oom_score_adj: 1000,
        pod: LinuxPod { share_processes: true, ..LinuxPod::default() },
        ..LinuxSpec::default()
    };
    let body = made(linux);
    assert_eq!(body["User"], "1000:2000");
    let options = ["no-new-privileges", "seccomp=unconfined", "apparmor=mine"];
    let host = &body["HostConfig"];
    for (field, expected) in [
        ("SecurityOpt", json!(options)),
        ("GroupAdd", json!(["3000"])),
        ("CapAdd", json!(["NET_ADMIN"])),
        ("CapDrop", json!(["ALL"])),
        ("ReadonlyRootfs", json!(true)),
        ("MaskedPaths", json!([])),
        ("PidsLimit", json!(64)),
        ("OomScoreAdj", json!(1000)),
        ("PidMode", json!("container:box")),
    ] {
        assert_eq!(host[field], expected, "{field}");
    }
}

#[test]
fn a_sandbox_publishes_the_pods_ports() {
    let published = PublishedPort {
        node: SocketAddr::from(([127, 64, 0, 5], 80)),
        port: 80,
        protocol: PortProtocol::Tcp,
    };
    let pod = LinuxPod { published: vec![published], ..LinuxPod::default() };
    let mut spec = spec(LinuxSpec { pod, ..LinuxSpec::default() });
    let body = serde_json::to_value(sandbox(
        "o",
        "pause".into(),
        (&spec.pod, &spec.sandbox, &spec.linux.pod),
        &facts(true),
    ))
    .unwrap();
    let bindings = json!({"80/tcp": [{"HostIp": "127.64.0.5", "HostPort": "80"}]});
    assert_eq!(body["HostConfig"]["PortBindings"], bindings);
    assert_eq!(body["HostConfig"]["ExtraHosts"], json!(["db:10.0.0.1"]));
    assert_eq!(body["Hostname"], "web");
    spec.sandbox.host_network = true;
    let body = serde_json::to_value(sandbox(
        "o",
        "pause".into(),
        (&spec.pod, &spec.sandbox, &spec.linux.pod),
        &facts(false),
    ))
    .unwrap();
    assert_eq!(body["HostConfig"]["NetworkMode"], "host");
    assert_eq!(body["Hostname"], Value::Null);
    assert_eq!(body["HostConfig"]["OomScoreAdj"], Value::Null, "only root may");
}

#[test]
fn labels_tell_all_that_is_needed_later() {
    let spec = spec(LinuxSpec::default());
    let id = ContainerId::new("u-1_main_3");
    let labels = labels::of_container("o", &id, &spec);
    let read = labels::read(&labels).unwrap();
    assert_eq!((read.id, read.attempt, read.log_path), (id, 3, spec.log_path.clone()));
    assert_eq!((read.pod, read.log_limits), (spec.pod.clone(), spec.log_limits));
    assert_eq!(labels::read(&labels::of_sandbox("o", &spec.pod)), None);
}

#[test]
fn mounts_are_shared_and_read_only_as_asked() {
    let bind = |mounts_recursively: bool, read_only, recursive_read_only, propagation| {
        let asked = wk_runtime::Mount {
            host_path: "/a".into(),
            container_path: "/b".into(),
            read_only,
            recursive_read_only,
            propagation,
        };
        let mut spec = spec(LinuxSpec::default());
        spec.mounts = vec![asked.clone()];
        let facts = Facts { mounts_recursively, ..facts(true) };
        let options = serde_json::to_value(mount(&asked, &facts)).unwrap()["BindOptions"].clone();
        (options, check(&spec, &facts).is_ok())
    };
    let none = Propagation::None;
    assert_eq!(bind(false, true, Recursive::IfPossible, none), (Value::Null, true));
    assert!(!bind(false, true, Recursive::Yes, none).1);
    let (options, _) = bind(true, true, Recursive::No, none);
    assert_eq!(options, json!({"ReadOnlyNonRecursive": true}));
    let (options, _) = bind(true, true, Recursive::Yes, none);
    assert_eq!(options, json!({"ReadOnlyForceRecursive": true}));
    let (options, _) = bind(false, false, Recursive::No, Propagation::HostToContainer);
    assert_eq!(options, json!({"Propagation": "rslave"}));
    let (options, _) = bind(false, false, Recursive::No, Propagation::Bidirectional);
    assert_eq!(options, json!({"Propagation": "rshared"}));
}

#[test]
fn processes_and_users_are_shared_as_asked() {
    let target = Some(ContainerId::new("u-1_other_0"));
    let body = made(LinuxSpec { target: target.clone(), ..LinuxSpec::default() });
    assert_eq!(body["HostConfig"]["PidMode"], "container:wk-o-u-1_other_0");
    let pod = LinuxPod { share_processes: true, ..LinuxPod::default() };
    let body = made(LinuxSpec { target, pod, ..LinuxSpec::default() });
    assert_eq!(body["HostConfig"]["PidMode"], "container:box");
    let pod = LinuxPod { own_users: true, ..LinuxPod::default() };
    let asked = spec(LinuxSpec { pod, ..LinuxSpec::default() });
    let refused = check(&asked, &facts(true)).unwrap_err();
    assert!(refused.starts_with("hostUsers: false is not possible"), "{refused}");
    let remapped = Facts { maps_users: true, ..facts(true) };
    assert_eq!(check(&asked, &remapped), Ok(()));
}
