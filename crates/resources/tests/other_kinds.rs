//! What is refused of the kinds that nothing in the cluster acts on by itself.

use serde_json::{Value, json};
use wk_api::{Uid, parse_time};
use wk_resources::{Definition, RequestContext, Requester, Update, definition};

const REQUEST: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K";

fn kind(group: &str, version: &str, kind: &str) -> &'static Definition {
    definition(group, version, kind).expect("the kind is built in")
}

fn created(definition: &Definition, object: &Value) -> Value {
    let mut object = object.clone();
    if object["metadata"].is_null() {
        object["metadata"] = json!({"name": "a"});
    }
    definition.default(&mut object);
    let groups = ["one".to_owned()];
    let context = RequestContext {
        now: parse_time("2026-01-02T03:04:05Z").expect("a time"),
        uid: Uid::new("u"),
        namespace: definition.namespaced.then_some("default"),
        user: "somebody",
        requester: Requester { uid: "7", groups: &groups, extra: None },
        name_suffix: "x7b9k",
    };
    definition.prepare_create(&mut object, &context);
    object
}

#[track_caller]
fn check(group: &str, version: &str, name: &str, object: &Value, expected: &[&str]) {
    let definition = kind(group, version, name);
    let object = created(definition, object);
    let faults = definition.validate_create(&object);
    let found: Vec<String> = faults.iter().map(|fault| fault.field.clone()).collect();
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{name}: {shown:?}");
}

/// Checks that a change of an object is refused, and for which fields.
#[track_caller]
fn check_change(
    group: &str,
    name: &str,
    object: &Value,
    at: &str,
    value: Value,
    expected: &[&str],
) {
    let definition = kind(group, "v1", name);
    let old = created(definition, object);
    assert!(definition.validate_create(&old).is_empty(), "{:?}", definition.validate_create(&old));
    let mut new = old.clone();
    *new.pointer_mut(at).expect("the field is there") = value;
    definition.default(&mut new);
    definition.prepare_update(&mut new, &old, Update::Whole);
    let faults = definition.validate_update(&new, &old, Update::Whole);
    let found: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(found, expected, "{name} {at}");
}

#[test]
fn flow_control_kinds_are_checked() {
    let group = "flowcontrol.apiserver.k8s.io";
    let user = json!({"kind": "User", "user": {"name": "u"}});
    let good = json!({"spec": {
        "priorityLevelConfiguration": {"name": "p"},
        "rules": [{"subjects": [user], "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}],
    }});
    check(group, "v1", "FlowSchema", &good, &[]);
    let bad = json!({"spec": {
        "matchingPrecedence": 1,
        "distinguisherMethod": {"type": "X"},
        "priorityLevelConfiguration": {"name": ""},
        "rules": [
            {"subjects": [], "resourceRules": []},
            {"subjects": [{"kind": "Group", "user": {"name": "u"}}],
             "resourceRules": [{"verbs": ["*", "get"], "apiGroups": [], "resources": ["pods"]}],
             "nonResourceRules": [{"verbs": ["fly"], "nonResourceURLs": ["x"]}]},
        ],
    }});
    check(
        group,
        "v1",
        "FlowSchema",
        &bad,
        &[
            "spec.matchingPrecedence",
            "spec.distinguisherMethod.type",
            "spec.priorityLevelConfiguration.name",
            "spec.rules[0].subjects",
            "spec.rules[0]",
            "spec.rules[1].subjects[0].group",
            "spec.rules[1].subjects[0].user",
            "spec.rules[1].resourceRules[0].verbs",
            "spec.rules[1].resourceRules[0].apiGroups",
            "spec.rules[1].resourceRules[0].namespaces",
            "spec.rules[1].nonResourceRules[0].verbs",
            "spec.rules[1].nonResourceRules[0].nonResourceURLs[0]",
        ],
    );
    let level = |response: Value| json!({"spec": {"type": "Limited", "limited": {"limitResponse": response}}});
    let name = "PriorityLevelConfiguration";
    check(group, "v1", name, &level(json!({"type": "Reject"})), &[]);
    let queuing =
        json!({"type": "Queue", "queuing": {"queues": 4, "handSize": 8, "queueLengthLimit": 1}});
    let path = "spec.limited.limitResponse.queuing";
    check(group, "v1", name, &level(queuing), &[&format!("{path}.handSize")]);
    let queuing =
        json!({"type": "Queue", "queuing": {"queues": 512, "handSize": 8, "queueLengthLimit": 1}});
    check(group, "v1", name, &level(queuing), &[&format!("{path}.handSize")]);
    check(group, "v1", name, &json!({"spec": {"type": "Exempt"}}), &["spec.type"]);
    check(group, "v1", name, &json!({"spec": {"type": "X"}}), &["spec.type"]);
    check(group, "v1", name, &json!({"spec": {"type": "Limited"}}), &["spec.limited"]);
}

#[test]
fn webhooks_and_policies_are_checked() {
    let group = "admissionregistration.k8s.io";
    let good = json!({
        "name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": "https://hook.test/x"},
        "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    });
    check(group, "v1", "ValidatingWebhookConfiguration", &json!({"webhooks": [good]}), &[]);
    let bad = json!({
        "name": "a.b", "admissionReviewVersions": ["v2"], "sideEffects": "Some",
        "clientConfig": {"url": "http://u@hook.test/x?y#z", "service": {"name": "s", "port": 0}},
        "failurePolicy": "x", "matchPolicy": "x", "timeoutSeconds": 31, "reinvocationPolicy": "x",
        "rules": [{"operations": ["*", "GET"], "apiGroups": [], "apiVersions": [""], "resources": ["*", "pods"], "scope": "x"}],
        "matchConditions": [{"name": "", "expression": ""}],
    });
    check(
        group,
        "v1",
        "MutatingWebhookConfiguration",
        &json!({"webhooks": [bad]}),
        &[
            "webhooks[0].name",
            "webhooks[0].rules[0].operations",
            "webhooks[0].rules[0].operations[1]",
            "webhooks[0].rules[0].apiGroups",
            "webhooks[0].rules[0].apiVersions[0]",
            "webhooks[0].rules[0].resources",
            "webhooks[0].rules[0].scope",
            "webhooks[0].failurePolicy",
            "webhooks[0].matchPolicy",
            "webhooks[0].sideEffects",
            "webhooks[0].timeoutSeconds",
            "webhooks[0].reinvocationPolicy",
            "webhooks[0].clientConfig",
            "webhooks[0].matchConditions[0].expression",
            "webhooks[0].matchConditions[0].name",
            "webhooks[0].admissionReviewVersions",
        ],
    );
    let rule = json!({"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
    let policy = json!({"spec": {
        "matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}],
    }});
    check(group, "v1", "ValidatingAdmissionPolicy", &policy, &[]);
    let policy = json!({"spec": {"paramKind": {"kind": ""}, "validations": []}});
    check(
        group,
        "v1",
        "ValidatingAdmissionPolicy",
        &policy,
        &[
            "spec.paramKind.apiVersion",
            "spec.paramKind.kind",
            "spec.matchConstraints",
            "spec.validations",
            "spec.auditAnnotations",
        ],
    );
    let binding = json!({"spec": {"policyName": "p", "validationActions": ["Deny", "Warn", "Deny"], "paramRef": {}}});
    check(
        group,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        &binding,
        &[
            "spec.paramRef",
            "spec.paramRef.parameterNotFoundAction",
            "spec.validationActions[2]",
            "spec.validationActions",
        ],
    );
}

#[test]
fn devices_and_claims_are_checked() {
    let group = "resource.k8s.io";
    let good = json!({"spec": {"devices": {"requests": [
        {"name": "a", "exactly": {"deviceClassName": "gpu"}},
        {"name": "b", "firstAvailable": [{"name": "x", "deviceClassName": "gpu"}]},
    ]}}});
    check(group, "v1", "ResourceClaim", &good, &[]);
    let made = created(kind(group, "v1", "ResourceClaim"), &good);
    let request = &made["spec"]["devices"]["requests"][0]["exactly"];
    assert_eq!((&request["allocationMode"], &request["count"]), (&json!("ExactCount"), &json!(1)));
    let less =
        json!({"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "x"}}]}});
    check_change(group, "ResourceClaim", &good, "/spec", less, &["spec"]);
    let bad = json!({"spec": {"devices": {
        "requests": [
            {"name": "a"}, {"name": "a", "exactly": {"allocationMode": "x"}},
            {"name": "c", "exactly": {"deviceClassName": "g"}, "firstAvailable": [{}]},
        ],
        "constraints": [{"requests": ["none"]}],
        "config": [{"opaque": {"driver": "d", "parameters": 1}}],
    }}});
    check(
        group,
        "v1",
        "ResourceClaim",
        &bad,
        &[
            "spec.devices.requests[0]",
            "spec.devices.requests[1].exactly.deviceClassName",
            "spec.devices.requests[1].exactly.allocationMode",
            "spec.devices.requests[2]",
            "spec.devices.requests[1]",
            "spec.devices.constraints[0].requests[0]",
            "spec.devices.constraints[0]",
            "spec.devices.config[0].opaque.parameters",
        ],
    );
    let slice = json!({"spec": {
        "driver": "d.test", "nodeName": "n", "pool": {"name": "p", "resourceSliceCount": 1},
        "devices": [{"name": "a", "attributes": {"x": {"int": 1}}}],
    }});
    check(group, "v1", "ResourceSlice", &slice, &[]);
    check_change(group, "ResourceSlice", &slice, "/spec/nodeName", json!("m"), &["spec.nodeName"]);
    let slice = json!({"spec": {
        "driver": "", "nodeName": "n", "allNodes": true, "pool": {"name": "", "resourceSliceCount": 0},
        "devices": [{"name": "a"}, {"name": "a", "attributes": {"x": {}}}],
    }});
    check(
        group,
        "v1",
        "ResourceSlice",
        &slice,
        &[
            "spec.driver",
            "spec.driver",
            "spec.pool.name",
            "spec.pool.resourceSliceCount",
            "spec",
            "spec.devices[1].attributes[x]",
            "spec.devices[1]",
        ],
    );
}

#[test]
fn storage_kinds_are_checked() {
    let group = "storage.k8s.io";
    let good = json!({"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}});
    check(group, "v1", "VolumeAttachment", &good, &[]);
    check_change(group, "VolumeAttachment", &good, "/spec/nodeName", json!("m"), &["spec"]);
    let bad = json!({"spec": {"attacher": "", "nodeName": "", "source": {}}});
    let attacher = "spec.attacher";
    let fields = [attacher, "spec.source", "spec.nodeName", attacher, attacher];
    check(group, "v1", "VolumeAttachment", &bad, &fields);
    let driver = json!({"spec": {"fsGroupPolicy": "x", "volumeLifecycleModes": ["x"],
        "tokenRequests": [{"audience": "a"}, {"audience": "a", "expirationSeconds": 1}]}});
    check(
        group,
        "v1",
        "CSIDriver",
        &driver,
        &["spec.fsGroupPolicy", "spec.tokenRequests[1].audience", "spec.volumeLifecycleModes"],
    );
    check_change(
        group,
        "CSIDriver",
        &json!({"spec": {}}),
        "/spec/attachRequired",
        json!(false),
        &["spec.attachedRequired"],
    );
    let node = json!({"spec": {"drivers": [{"name": "d", "nodeID": "1"}, {"name": "d", "nodeID": "", "allocatable": {"count": -1}}]}});
    check(
        group,
        "v1",
        "CSINode",
        &node,
        &["spec.drivers[1].nodeID", "spec.drivers[1].allocatable.count", "spec.drivers[1].name"],
    );
    check(
        group,
        "v1",
        "CSIStorageCapacity",
        &json!({"capacity": "-1"}),
        &["storageClassName", "capacity"],
    );
    let class = json!({"driverName": "d", "parameters": {"a": "b"}});
    check(group, "v1", "VolumeAttributesClass", &class, &[]);
    check_change(
        group,
        "VolumeAttributesClass",
        &class,
        "/driverName",
        json!("e"),
        &["driverName"],
    );
    check(group, "v1", "VolumeAttributesClass", &json!({}), &["driverName", "parameters"]);
}

#[test]
fn smaller_networking_kinds_are_checked() {
    let group = "networking.k8s.io";
    let parent = json!({"resource": "services", "name": "a", "namespace": "default"});
    let address = |name: &str, parent: &Value| json!({"metadata": {"name": name}, "spec": {"parentRef": parent}});
    check(group, "v1", "IPAddress", &address("10.0.0.1", &parent), &[]);
    check(group, "v1", "IPAddress", &address("010.0.0.1", &parent), &["metadata.name"]);
    check(
        group,
        "v1",
        "IPAddress",
        &address("::1", &json!({})),
        &["spec.parentRef.resource", "spec.parentRef.name"],
    );
    let class = json!({"spec": {"controller": "test.io/c"}});
    check(group, "v1", "IngressClass", &class, &[]);
    check_change(
        group,
        "IngressClass",
        &class,
        "/spec/controller",
        json!("test.io/d"),
        &["spec.controller"],
    );
    let class = json!({"spec": {"controller": "c", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}});
    check(group, "v1", "IngressClass", &class, &["spec.controller", "spec.parameters.namespace"]);
    let range = json!({"spec": {"cidrs": ["10.0.0.0/24"]}});
    check(group, "v1", "ServiceCIDR", &range, &[]);
    check_change(
        group,
        "ServiceCIDR",
        &range,
        "/spec/cidrs",
        json!(["10.1.0.0/24"]),
        &["spec.cidrs"],
    );
    let range = json!({"spec": {"cidrs": ["10.0.0.0/24", "10.1.0.0/24"]}});
    check(group, "v1", "ServiceCIDR", &range, &["spec.cidrs"]);
    check(group, "v1", "ServiceCIDR", &json!({"spec": {}}), &["spec.cidrs"]);
}

#[test]
fn autoscalers_are_checked_alike_in_both_versions() {
    let reference = json!({"kind": "Deployment", "name": "web"});
    let good = json!({"spec": {"scaleTargetRef": reference, "maxReplicas": 3}});
    for version in ["v1", "v2"] {
        check("autoscaling", version, "HorizontalPodAutoscaler", &good, &[]);
        let bad = json!({"spec": {"scaleTargetRef": {}, "minReplicas": 0, "maxReplicas": -1}});
        check(
            "autoscaling",
            version,
            "HorizontalPodAutoscaler",
            &bad,
            &[
                "spec.minReplicas",
                "spec.maxReplicas",
                "spec.maxReplicas",
                "spec.scaleTargetRef.kind",
                "spec.scaleTargetRef.name",
            ],
        );
    }
    let metrics = json!([
        {"type": "Resource"},
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}},
        {"type": "Pods", "pods": {"metric": {"name": ""}, "target": {"type": "x", "averageValue": "-1"}}},
        {"type": "External", "pods": {}, "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1", "averageValue": "1"}}},
        {"type": "x"},
    ]);
    let behavior = json!({"scaleUp": {"stabilizationWindowSeconds": 3601, "selectPolicy": "x",
        "policies": [{"type": "x", "value": 0, "periodSeconds": 1801}]}});
    let bad = json!({"spec": {"scaleTargetRef": reference, "maxReplicas": 3, "metrics": metrics, "behavior": behavior}});
    check(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        &bad,
        &[
            "spec.metrics[0].resource",
            "spec.metrics[1].resource.target.averageUtilization",
            "spec.metrics[2].pods.metric.name",
            "spec.metrics[2].pods.target.type",
            "spec.metrics[2].pods.target.averageValue",
            "spec.metrics[3].pods",
            "spec.metrics[3].external.target.value",
            "spec.metrics[4].type",
            "spec.behavior.scaleUp.stabilizationWindowSeconds",
            "spec.behavior.scaleUp.selectPolicy",
            "spec.behavior.scaleUp.policies[0].type",
            "spec.behavior.scaleUp.policies[0].value",
            "spec.behavior.scaleUp.policies[0].periodSeconds",
        ],
    );
}

#[test]
fn a_request_for_a_certificate_says_who_asks_and_for_what() {
    let group = "certificates.k8s.io";
    let bad = json!({"spec": {"request": REQUEST, "signerName": "here", "usages": ["fly", "client auth", "client auth"],
        "expirationSeconds": 1, "username": "root", "groups": ["system:masters"]}});
    check(
        group,
        "v1",
        "CertificateSigningRequest",
        &bad,
        &[
            "spec.request",
            "spec.usages[0]",
            "spec.usages[2]",
            "spec.signerName",
            "spec.expirationSeconds",
        ],
    );
    let made = created(kind(group, "v1", "CertificateSigningRequest"), &bad);
    assert_eq!(
        (&made["spec"]["username"], &made["spec"]["uid"]),
        (&json!("somebody"), &json!("7"))
    );
    assert_eq!(made["spec"]["groups"], json!(["one"]));
}

#[test]
fn a_revision_keeps_its_data() {
    let revision = json!({"data": {"a": 1}, "revision": 1});
    check("apps", "v1", "ControllerRevision", &revision, &[]);
    check_change("apps", "ControllerRevision", &revision, "/data", json!({"a": 2}), &["data"]);
    check("apps", "v1", "ControllerRevision", &json!({"revision": -1}), &["data", "revision"]);
}
