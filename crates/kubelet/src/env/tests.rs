//! Environments of containers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::objects::ObjectData;

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"namespace": "d", "name": "web", "uid": "u", "labels": {"app": "shop"}},
        "spec": {"nodeName": "n1", "serviceAccountName": "default", "containers": []},
    }))
    .unwrap()
}

fn found() -> Found {
    let data = |pairs: &[(&str, &str)]| {
        let values =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        Some(Arc::new(ObjectData { values: values.collect(), storage: None }))
    };
    Found::from([
        ((ObjectKind::ConfigMap, "cm".to_owned()), data(&[("A", "1"), ("not valid =", "x")])),
        ((ObjectKind::Secret, "s".to_owned()), data(&[("pass", "word")])),
        ((ObjectKind::ConfigMap, "none".to_owned()), None),
    ])
}

fn env(container: &Value) -> Result<String, String> {
    let mut container = container.clone();
    container["name"] = json!("c");
    let container: Container = serde_json::from_value(container).unwrap();
    let pod = pod();
    let facts = Facts {
        pod: &pod,
        pod_ip: Some("127.64.0.2".parse().unwrap()),
        node_ip: "127.0.0.1".parse().unwrap(),
        allocatable: Allocatable { cpu_milli: 2000, memory_bytes: 1 << 30, storage_bytes: 1 << 40 },
    };
    let first = [("HOSTNAME".to_owned(), "web".to_owned())];
    let pairs = environment(&container, facts, &found(), &EnvFiles::new(), &first)?;
    let pairs = pairs.iter().skip(1).map(|(name, value)| format!("{name}={value}"));
    Ok(pairs.collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn check(case: &str, container: &Value, expected: &str) {
    assert_eq!(env(container).as_deref(), Ok(expected), "{case}");
}

#[track_caller]
fn refused(container: &Value, expected: &str) {
    assert_eq!(env(container).unwrap_err(), expected);
}

fn from(source: &Value) -> Value {
    json!({"env": [{"name": "X", "valueFrom": source}]})
}

#[test]
fn values_come_from_everywhere() {
    check(
        "literals and expansion",
        &json!({"env": [
            {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)$$(A)"},
            {"name": "C", "value": "$(HOSTNAME)"}, {"name": "A", "value": "2"},
        ]}),
        "A=2 B=1$(C)$(A) C=web",
    );
    check(
        "whole objects",
        &json!({"envFrom": [
            {"prefix": "P_", "configMapRef": {"name": "cm"}}, {"secretRef": {"name": "s"}},
            {"configMapRef": {"name": "none", "optional": true}},
        ]}),
        "P_A=1 pass=word",
    );
    check("a key", &from(&json!({"configMapKeyRef": {"name": "cm", "key": "A"}})), "X=1");
    check("a secret", &from(&json!({"secretKeyRef": {"name": "s", "key": "pass"}})), "X=word");
    let optional = json!({"secretKeyRef": {"name": "s", "key": "no", "optional": true}});
    check("an optional key", &from(&optional), "");
    for (path, value) in [
        ("metadata.name", "web"),
        ("metadata.labels['app']", "shop"),
        ("metadata.annotations['app']", ""),
        ("spec.nodeName", "n1"),
        ("status.podIP", "127.64.0.2"),
        ("status.hostIP", "127.0.0.1"),
    ] {
        check(path, &from(&json!({"fieldRef": {"fieldPath": path}})), &format!("X={value}"));
    }
    let limits = |resource: &str, divisor: &str| {
        let mut container =
            from(&json!({"resourceFieldRef": {"resource": resource, "divisor": divisor}}));
        container["resources"] = json!({"limits": {"cpu": "1500m", "memory": "64Mi"}});
        container
    };
    check("cores, rounded up", &limits("limits.cpu", "0"), "X=2");
    check("thousandths", &limits("limits.cpu", "1m"), "X=1500");
    check("mebibytes", &limits("limits.memory", "1Mi"), "X=64");
    check("requests follow limits", &limits("requests.memory", "1"), "X=67108864");
    check("the node's", &limits("limits.ephemeral-storage", "1Gi"), "X=1024");
}

#[test]
fn what_is_missing_is_named() {
    refused(
        &json!({"envFrom": [{"configMapRef": {"name": "none"}}]}),
        "configmap \"none\" not found",
    );
    refused(
        &from(&json!({"secretKeyRef": {"name": "s", "key": "no"}})),
        "couldn't find key no in Secret d/s",
    );
    refused(&from(&json!({"fieldRef": {"fieldPath": "spec.x"}})), "unsupported fieldPath: spec.x");
}

#[test]
fn expansion_leaves_alone_what_it_does_not_know() {
    let values = HashMap::from([("A".to_owned(), "1".to_owned())]);
    for (text, expected) in [
        ("", ""),
        ("$", "$"),
        ("$A $(A", "$A $(A"),
        ("$(A)$(B)", "1$(B)"),
        ("$$$(A)", "$1"),
        ("$$(A)", "$(A)"),
        ("ä$(A)ö", "ä1ö"),
    ] {
        assert_eq!(expand(text, &values), expected, "{text}");
    }
}
