//! Security contexts, and what they mean.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn sandbox() -> Sandbox {
    Sandbox {
        pod_uid: "u".into(),
        namespace: "d".into(),
        hostname: "web".into(),
        ip: [127, 64, 0, 2].into(),
        loopback: [127, 96, 0, 2].into(),
        netns: None,
        host_network: false,
        host_aliases: BTreeMap::new(),
    }
}

fn linux_spec(pod: &Value, image_user: Option<&str>) -> Result<LinuxSpec, String> {
    let meta = json!({"name": "web", "namespace": "d", "uid": "u"});
    let whole = json!({"metadata": meta, "spec": pod, "status": {"qosClass": pod["qos"]}});
    let pod: Pod = serde_json::from_value(whole).unwrap();
    let of_pod = pod.spec.as_ref().unwrap();
    let given = Given {
        pod: &pod,
        sandbox: &sandbox(),
        image_user,
        defaults: &LinuxDefaults { max_pids: Some(99), ..LinuxDefaults::default() },
        node_memory: 1000 << 20,
        target: None,
        seccomp_profile: &|name| Ok(format!("profile {name}")),
    };
    spec(of_pod, &of_pod.containers[0], given)
}

fn with_context(own: &Value, of_pod: &Value) -> Value {
    let container = json!({"name": "main", "securityContext": own});
    json!({"containers": [container], "securityContext": of_pod})
}

#[test]
fn the_containers_own_context_wins() {
    let own = json!({
        "runAsUser": 1, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"add": ["CAP_NET_ADMIN"], "drop": ["ALL"]},
        "seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"},
    });
    let of_pod = json!({
        "runAsUser": 2, "runAsGroup": 3, "fsGroup": 4, "supplementalGroups": [5],
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}],
    });
    let found = linux_spec(&with_context(&own, &of_pod), None).unwrap();
    assert_eq!(found.user.as_deref(), Some("1:3"));
    assert_eq!(found.groups, [5, 4]);
    assert!(found.no_new_privileges && found.read_only_root && !found.privileged);
    assert_eq!(found.add_capabilities, ["NET_ADMIN"]);
    assert_eq!(found.drop_capabilities, ["ALL"]);
    assert_eq!(found.seccomp, Seccomp::Profile("profile p.json".to_owned()));
    assert_eq!(found.max_pids, Some(99));
    assert_eq!(found.pod.sysctls["net.ipv4.tcp_syncookies"], "0");
    let nothing = linux_spec(&with_context(&json!({}), &json!({})), Some("app")).unwrap();
    assert_eq!((nothing.user, nothing.seccomp), (None, Seccomp::Unconfined));
    let group = linux_spec(&with_context(&json!({}), &json!({"runAsGroup": 7})), Some("app:app"));
    assert_eq!(group.unwrap().user.as_deref(), Some("app:7"));
}

#[test]
fn root_is_refused_where_it_is_not_wanted() {
    let place = "(pod: \"web_d(u)\", container: main)";
    for (own, image_user, expected) in [
        (json!({"runAsUser": 5}), None, None),
        (json!({"runAsUser": 0}), Some("5"), Some("container's runAsUser breaks non-root policy")),
        (json!({}), Some("5:0"), None),
        (
            json!({}),
            Some("app"),
            Some(
                "container has runAsNonRoot and image has non-numeric user (app), cannot verify \
                 user is non-root",
            ),
        ),
        (json!({}), None, Some("container has runAsNonRoot and image will run as root")),
        (json!({}), Some("0"), Some("container has runAsNonRoot and image will run as root")),
        (json!({"runAsNonRoot": false}), None, None),
    ] {
        let pod = with_context(&own, &json!({"runAsNonRoot": true}));
        let refused = linux_spec(&pod, image_user).err();
        let expected = expected.map(|reason| format!("{reason} {place}"));
        assert_eq!(refused, expected, "{own} {image_user:?}");
    }
}

#[test]
fn the_least_important_ends_first() {
    for (qos, request, expected) in [
        ("BestEffort", "0", 1000),
        ("Guaranteed", "1Mi", -997),
        ("Burstable", "250Mi", 750),
        ("Burstable", "0", 999),
        ("Burstable", "2000Mi", 3),
    ] {
        let resources = json!({"requests": {"memory": request, "cpu": "250m"}});
        let pod = json!({"containers": [{"name": "main", "resources": resources}], "qos": qos});
        let found = linux_spec(&pod, None).unwrap();
        assert_eq!(found.oom_score_adj, expected, "{qos} {request}");
        assert_eq!(found.cpu_request_millis, Some(250));
    }
}

#[test]
fn declared_ports_are_published_at_the_pods_address() {
    let pod = json!({
        "containers": [{"name": "main", "ports": [
            {"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "protocol": "UDP"},
        ]}],
        "initContainers": [{"name": "side", "ports": [{"containerPort": 80}]}],
    });
    let published = linux_spec(&pod, None).unwrap().pod.published;
    let shown: Vec<String> = published
        .iter()
        .map(|one| format!("{} {} {:?}", one.node, one.port, one.protocol))
        .collect();
    assert_eq!(shown, ["0.0.0.0:8080 80 Tcp", "127.64.0.2:53 53 Udp", "127.64.0.2:80 80 Tcp"]);
}

#[test]
fn a_wasm_program_is_refused_what_it_cannot_have() {
    let check = |pod: Value| {
        let spec: PodSpec = serde_json::from_value(pod).unwrap();
        check_wasm(&spec, &spec.containers[0])
    };
    let restricted = json!({
        "runAsNonRoot": true, "runAsUser": 1000, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "seccompProfile": {"type": "RuntimeDefault"}, "readOnlyRootFilesystem": true,
    });
    check(with_context(&restricted, &json!({"fsGroup": 5}))).unwrap();
    for own in [json!({"privileged": true}), json!({"capabilities": {"add": ["SYS_ADMIN"]}})] {
        assert!(check(with_context(&own, &json!({}))).is_err(), "{own}");
    }
    for field in ["hostPID", "hostIPC", "shareProcessNamespace"] {
        let refused = check(json!({"containers": [{"name": "main"}], field: true})).unwrap_err();
        assert!(refused.starts_with(field), "{refused}");
    }
}
