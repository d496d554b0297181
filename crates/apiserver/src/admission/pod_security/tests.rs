//! Tests of the Pod Security Standards.

use serde_json::json;

use super::*;

fn level(text: &str) -> LevelVersion {
    let (level, version) = text.split_once(':').unwrap_or((text, "latest"));
    let labels = json!({
        "pod-security.kubernetes.io/enforce": level,
        "pod-security.kubernetes.io/enforce-version": version,
    });
    Policy::of(&labels).0.enforce
}

#[expect(clippy::needless_pass_by_value, reason = "rows read better")]
#[track_caller]
fn check(case: &str, at: &str, spec: Value, expected: &str) {
    let found = evaluate(level(at), &json!({}), &spec).to_string();
    assert_eq!(found, expected, "{case}");
}

#[expect(clippy::needless_pass_by_value, reason = "rows read better")]
fn one(context: Value) -> Value {
    json!({"containers": [{"name": "a", "securityContext": context}]})
}

/// A pod that violates nothing.
fn good() -> Value {
    json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        }}],
    })
}

#[test]
fn a_plain_pod_violates_the_restricted_level_in_the_usual_words() {
    let plain = json!({"containers": [{"name": "nginx", "image": "nginx"}]});
    check("privileged", "privileged", plain.clone(), "");
    check("baseline", "baseline", plain.clone(), "");
    check(
        "restricted",
        "restricted",
        plain,
        "allowPrivilegeEscalation != false (container \"nginx\" must set \
         securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \
         \"nginx\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true \
         (pod or container \"nginx\" must set securityContext.runAsNonRoot=true), seccompProfile \
         (pod or container \"nginx\" must set securityContext.seccompProfile.type to \
         \"RuntimeDefault\" or \"Localhost\")",
    );
    check("a good one", "restricted", good(), "");
}

#[test]
fn what_the_audited_level_forbids_is_noted_in_the_words_of_a_warning() {
    let root = one(json!({"privileged": true}));
    assert_eq!(
        violations(level("baseline:v1.30"), &json!({}), &root).as_deref(),
        Some(
            "would violate PodSecurity \"baseline:v1.30\": privileged (container \"a\" must not \
             set securityContext.privileged=true)"
        )
    );
    assert_eq!(violations(level("restricted"), &json!({}), &good()), None);
}

#[test]
fn the_baseline_forbids_what_reaches_the_node() {
    let rows = [
        (
            json!({"hostNetwork": true, "hostPID": true}),
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            "hostPath volumes (volume \"v\")",
        ),
        (
            json!({"containers": [
                {"name": "a", "ports": [{"hostPort": 80}]},
                {"name": "b", "ports": [{"hostPort": 8080}, {"containerPort": 1}]},
            ]}),
            "hostPort (containers \"a\", \"b\" use hostPorts 80, 8080)",
        ),
        (
            json!({"containers": [{"name": "a", "livenessProbe": {"httpGet": {"host": "h"}}}]}),
            "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
        ),
        (
            one(json!({"privileged": true})),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            one(json!({"procMount": "Unmasked"})),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            one(json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN", "NET_ADMIN"]}})),
            "non-default capabilities (container \"a\" must not include \"NET_ADMIN\", \
             \"SYS_ADMIN\" in securityContext.capabilities.add)",
        ),
        (
            one(json!({"seLinuxOptions": {"type": "spc_t", "user": "u"}})),
            "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \
             \"spc_t\"; user may not be set)",
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            "seccompProfile (pod must not set securityContext.seccompProfile.type to \
             \"Unconfined\")",
        ),
        (
            json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \
             \"Unconfined\")",
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            one(json!({"windowsOptions": {"hostProcess": true}})),
            "hostProcess (container \"a\" must not set \
             securityContext.windowsOptions.hostProcess=true)",
        ),
    ];
    for (spec, expected) in rows {
        check("baseline", "baseline", spec, expected);
    }
}

#[test]
fn the_restricted_level_forbids_more() {
    let with = |pointer: &str, key: &str, value: Value| {
        let mut spec = good();
        spec.pointer_mut(pointer).unwrap()[key] = value;
        spec
    };
    let context = "/containers/0/securityContext";
    let rows = [
        (
            with("", "volumes", json!([{"name": "n", "nfs": {}}, {"name": "c", "configMap": {}}])),
            "restricted volume types (volume \"n\" uses restricted volume type \"nfs\")",
        ),
        (
            with("", "volumes", json!([{"name": "h", "hostPath": {"path": "/"}}])),
            "restricted volume types (volume \"h\" uses restricted volume type \"hostPath\")",
        ),
        (
            with(context, "runAsNonRoot", json!(false)),
            "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
        ),
        (
            with("/securityContext", "runAsUser", json!(0)),
            "runAsUser=0 (pod must not set runAsUser=0)",
        ),
        (
            with(context, "capabilities", json!({"drop": ["ALL"], "add": ["CHOWN"]})),
            "unrestricted capabilities (container \"a\" must not include \"CHOWN\" in \
             securityContext.capabilities.add)",
        ),
        (with(context, "capabilities", json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})), ""),
    ];
    for (spec, expected) in rows {
        check("restricted", "restricted", spec, expected);
    }
}

#[test]
fn versions_decide_which_checks_there_are() {
    let plain = || json!({"containers": [{"name": "a"}]});
    let old = "allowPrivilegeEscalation != false (container \"a\" must set \
               securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or \
               container \"a\" must set securityContext.runAsNonRoot=true)";
    check("before capabilities and seccomp", "restricted:v1.18", plain(), old);
    let probes =
        || json!({"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"host": "h"}}}]});
    check("before probes", "baseline:v1.33", probes(), "");
    assert!(!evaluate(level("baseline:v1.34"), &json!({}), &probes()).is_empty());
    assert!(!evaluate(level("baseline:v1.99"), &json!({}), &probes()).is_empty());
    let sysctl = |name: &str| json!({"securityContext": {"sysctls": [{"name": name}]}});
    check("an allowed setting", "baseline:v1.29", sysctl("net.ipv4.tcp_keepalive_time"), "");
    let early = "forbidden sysctls (net.ipv4.tcp_keepalive_time)";
    check("not allowed yet", "baseline:v1.28", sysctl("net.ipv4.tcp_keepalive_time"), early);
    let unmasked = |own: bool| {
        let mut spec = one(json!({"procMount": "Unmasked"}));
        spec["hostUsers"] = (!own).into();
        spec
    };
    check("users of its own", "baseline", unmasked(true), "");
    assert!(!evaluate(level("baseline:v1.34"), &json!({}), &unmasked(true)).is_empty());
    assert!(!evaluate(level("baseline"), &json!({}), &unmasked(false)).is_empty());
    let restricted = evaluate(level("restricted"), &json!({}), &unmasked(true)).to_string();
    assert!(restricted.contains("procMount"), "{restricted}");
    let windows = json!({"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true},
        "containers": [{"name": "a"}]});
    check("windows is asked less", "restricted", windows, "");
}

#[test]
fn labels_are_read_with_what_is_wrong_with_them() {
    let policy = |labels: Value| Policy::of(&labels);
    let (none, faults) = policy(json!({}));
    assert!(none.is_privileged() && faults.is_empty());
    let (asked, _) = policy(json!({
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "v1.30",
    }));
    assert_eq!(asked.warn.to_string(), "baseline:v1.30", "warnings follow what is enforced");
    let (asked, _) = policy(json!({
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "privileged",
    }));
    assert_eq!(asked.warn.to_string(), "privileged:latest");
    let (asked, faults) = policy(json!({
        "pod-security.kubernetes.io/enforce": "strict",
        "pod-security.kubernetes.io/warn-version": "v2.0",
    }));
    assert_eq!(asked.enforce.to_string(), "restricted:latest");
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be \
         one of privileged, baseline, restricted",
            "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v2.0\": must \
         be \"latest\" or \"v1.x\"",
        ]
    );
}

#[test]
fn existing_pods_are_told_of_by_what_they_violate() {
    let pod = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let host = json!({"hostNetwork": true});
    let pods = [
        pod("c", host.clone()),
        pod("b", host.clone()),
        pod("d", host),
        pod("a", one(json!({"privileged": true}))),
        pod("fine", one(json!({}))),
    ];
    assert_eq!(
        existing("ns", level("baseline"), &pods),
        [
            "existing pods in namespace \"ns\" violate the new PodSecurity enforce level \
         \"baseline:latest\"",
            "a: privileged",
            "b (and 2 other pods): host namespaces",
        ]
    );
    assert!(existing("ns", level("baseline"), &pods[4..]).is_empty());
}

#[test]
fn only_changes_that_matter_are_looked_at() {
    let pod = |image: &str, extra: Value| {
        let mut pod =
            json!({"metadata": {}, "spec": {"containers": [{"name": "a", "image": image}]}});
        pod["spec"]["ephemeralContainers"] = extra;
        pod
    };
    let none = || json!([]);
    assert!(!matters(&pod("x", none()), &pod("x", none())));
    assert!(matters(&pod("y", none()), &pod("x", none())));
    assert!(matters(&pod("x", json!([{"name": "d", "image": "z"}])), &pod("x", none())));
    let mut labelled = pod("x", none());
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert!(!matters(&labelled, &pod("x", none())));
}
