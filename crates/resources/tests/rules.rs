//! What is refused, in which words; which changes are allowed; how long deletions wait.

use serde_json::{Value, json};
use wk_api::{Uid, parse_time};
use wk_resources::{Definition, DeleteRequest, Deletion, RequestContext, Update, definition};

fn kind(group: &str, kind: &str) -> &'static Definition {
    definition(group, "v1", kind).expect("the kind is built in")
}

fn created(definition: &Definition, object: &Value) -> Value {
    let mut object = object.clone();
    definition.default(&mut object);
    if definition.kind == "Pod" {
        admitted(&mut object["spec"]);
    }
    let context = RequestContext {
        now: parse_time("2026-01-02T03:04:05Z").expect("a time"),
        uid: Uid::new("u"),
        namespace: definition.namespaced.then_some("default"),
        user: "somebody",
        requester: wk_resources::Requester::default(),
        name_suffix: "x7b9k",
    };
    definition.prepare_create(&mut object, &context);
    object
}

/// What admission gives every pod.
fn admitted(spec: &mut Value) {
    if spec["serviceAccountName"].is_null() {
        spec["serviceAccountName"] = "default".into();
        spec["serviceAccount"] = "default".into();
    }
    spec["priority"] = 0.into();
    if spec["preemptionPolicy"].is_null() {
        spec["preemptionPolicy"] = "PreemptLowerPriority".into();
    }
    if spec["tolerations"].is_null() {
        spec["tolerations"] = json!([]);
    }
    for taint in ["not-ready", "unreachable"] {
        let key = format!("node.kubernetes.io/{taint}");
        let toleration = json!({
            "effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300,
        });
        if let Some(list) = spec["tolerations"].as_array_mut() {
            list.push(toleration);
        }
    }
}

fn faults(definition: &Definition, object: &Value) -> Vec<String> {
    let object = created(definition, object);
    definition.validate_create(&object).iter().map(ToString::to_string).collect()
}

/// A pod whose specification has `changes` over a plain one.
fn pod(changes: &Value) -> Value {
    let mut spec = json!({"containers": [{"name": "a", "image": "a:1"}]});
    merge(&mut spec, changes);
    json!({"metadata": {"name": "p"}, "spec": spec})
}

fn merge(target: &mut Value, changes: &Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(target.entry(key).or_insert(Value::Null), change);
            }
        }
        (Value::Array(target), Value::Array(changes)) if target.len() == changes.len() => {
            for (target, change) in target.iter_mut().zip(changes) {
                merge(target, change);
            }
        }
        (target, change) => *target = change.clone(),
    }
}

#[track_caller]
fn check_pod(changes: &Value, expected: &[&str]) {
    assert_eq!(faults(kind("", "Pod"), &pod(changes)), expected, "{changes}");
}

#[test]
fn a_plain_pod_is_fine() {
    check_pod(&json!({}), &[]);
}

#[test]
fn pods_are_refused_in_the_words_of_kubernetes() {
    check_pod(&json!({"containers": []}), &["spec.containers: Required value"]);
    check_pod(
        &json!({"containers": [{"name": "", "image": ""}]}),
        &["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"],
    );
    check_pod(
        &json!({"containers": [{"name": "a", "image": "a"}, {"name": "a", "image": "b"}]}),
        &["spec.containers[1].name: Duplicate value: \"a\""],
    );
    check_pod(
        &json!({"containers": [{"image": " a"}]}),
        &["spec.containers[0].image: Invalid value: \" a\": must not have leading or trailing \
           whitespace"],
    );
    check_pod(
        &json!({"containers": [{"ports": [{"containerPort": 70_000}, {"containerPort": 0}]}]}),
        &[
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 \
             and 65535, inclusive",
            "spec.containers[0].ports[1].containerPort: Required value",
        ],
    );
    check_pod(
        &json!({"containers": [{"imagePullPolicy": "Sometimes"}]}),
        &["spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported \
           values: \"Always\", \"IfNotPresent\", \"Never\""],
    );
    check_pod(
        &json!({"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/x"}]}]}),
        &["spec.containers[0].volumeMounts[0].name: Not found: \"x\""],
    );
    check_pod(
        &json!({"containers": [{"resources": {
            "requests": {"cpu": "2", "memory": "-1"}, "limits": {"cpu": "1", "gpu": "1"},
        }}]}),
        &[
            "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard \
             resource type or fully qualified",
            "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard \
             resource for containers",
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or \
             equal to cpu limit of 1",
            "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a \
             standard resource type or fully qualified",
            "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a \
             standard resource for containers",
            "spec.containers[0].resources.requests[memory]: Invalid value: \"-1\": must be greater \
             than or equal to 0",
        ],
    );
    check_pod(
        &json!({"containers": [{"livenessProbe": {"successThreshold": 2}}]}),
        &[
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ],
    );
    check_pod(
        &json!({"containers": [{"env": [
            {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}},
            {"name": "C", "valueFrom": {}},
            {"name": "D=", "value": "x"},
        ]}]}),
        &[
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when \
             `value` is not empty",
            "spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: \
             \"status.phase\": error converting fieldPath: field label not supported: \
             status.phase",
            "spec.containers[0].env[2].valueFrom: Invalid value: \"\": must specify one of: \
             `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            "spec.containers[0].env[3].name: Invalid value: \"D=\": a valid environment variable \
             name must consist only of printable ASCII characters other than '='",
        ],
    );
}

#[test]
fn the_rest_of_a_pod_is_checked_too() {
    check_pod(
        &json!({"restartPolicy": "Maybe", "dnsPolicy": "None"}),
        &[
            "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \
             \"OnFailure\", \"Never\"",
            "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
        ],
    );
    check_pod(
        &json!({"volumes": [
            {"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}},
            {"name": "b", "hostPath": {"path": "/a/../b"}},
            {"name": "c", "secret": {}},
            {"name": "d"}, {"name": "d"},
        ]}),
        &[
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[1].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
            "spec.volumes[2].secret.secretName: Required value",
            "spec.volumes[4].name: Duplicate value: \"d\"",
        ],
    );
    check_pod(
        &json!({"initContainers": [{"name": "a", "image": "i", "lifecycle": {}}]}),
        &[
            "spec.initContainers[0].name: Duplicate value: \"a\"",
            "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers \
             without restartPolicy=Always",
        ],
    );
    check_pod(
        &json!({"tolerations": [{"operator": "Equal"}, {"key": "a", "operator": "Near"}]}),
        &[
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when \
             `key` is empty, which means \"match all values and all keys\"",
            "spec.tolerations[1].operator: Unsupported value: \"Near\": supported values: \
             \"Equal\", \"Exists\"",
        ],
    );
    check_pod(
        &json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": ""}]}),
        &[
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than \
             zero",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
            "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \"\": \
             supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
        ],
    );
    check_pod(
        &json!({"affinity": {"podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{
                "weight": 0,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
                },
            }],
        }}}),
        &[
            "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]\
             .weight: Invalid value: 0: must be in the range 1-100",
            "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]\
             .podAffinityTerm.labelSelector.matchExpressions[0].values: Required value: must be \
             specified when `operator` is 'In' or 'NotIn'",
        ],
    );
    check_pod(
        &json!({"ephemeralContainers": [{"name": "e", "image": "e"}], "hostname": "A"}),
        &[
            "spec.hostname: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower \
             case alphanumeric characters or '-', and must start and end with an alphanumeric \
             character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ],
    );
}

#[test]
fn metadata_is_checked() {
    let config_map = kind("", "ConfigMap");
    let with = |metadata: Value| faults(config_map, &json!({"metadata": metadata}));
    assert_eq!(
        with(json!({})),
        ["metadata.name: Required value: name or generateName is required"]
    );
    assert!(with(json!({"name": "A"}))[0].starts_with(
        "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of"
    ));
    assert_eq!(with(json!({"generateName": "a-"})), Vec::<String>::new());
    assert!(
        with(json!({"name": "a", "labels": {"k": "-"}}))[0]
            .starts_with("metadata.labels[k]: Invalid value: \"-\": a valid label must be")
    );
    assert_eq!(
        with(json!({"name": "a", "annotations": {"k": "x".repeat(256 * 1024)}})),
        ["metadata.annotations: Too long: may not be more than 262144 bytes"]
    );
    assert_eq!(
        with(json!({"name": "a", "finalizers": ["mine"]})),
        ["metadata.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer \
          name nor is it fully qualified"]
    );
    assert_eq!(
        with(json!({"name": "a", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Pod", "name": "p"},
        ]})),
        ["metadata.ownerReferences[0].uid: Invalid value: \"\": must not be empty"]
    );
}

#[test]
fn other_kinds_are_checked() {
    let check = |group: &str, name: &str, object: Value, expected: &[&str]| {
        assert_eq!(faults(kind(group, name), &object), expected, "{object}");
    };
    check(
        "",
        "ConfigMap",
        json!({"metadata": {"name": "a"}, "data": {"..": "x"}}),
        &["data[..]: Invalid value: \"..\": must not be '..'"],
    );
    check(
        "",
        "Secret",
        json!({"metadata": {"name": "a"}, "type": "kubernetes.io/tls"}),
        &["data[tls.crt]: Required value", "data[tls.key]: Required value"],
    );
    check(
        "",
        "Service",
        json!({"metadata": {"name": "a"}, "spec": {}}),
        &["spec.ports: Required value"],
    );
    check(
        "",
        "Service",
        json!({"metadata": {"name": "a"}, "spec": {
            "ports": [{"port": 80}, {"port": 80, "name": "b", "nodePort": 30_000}],
        }}),
        &[
            "spec.ports[0].name: Required value",
            "spec.ports[1].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            "spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}",
        ],
    );
    check(
        "apps",
        "Deployment",
        json!({"metadata": {"name": "a"}, "spec": {
            "replicas": -1,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"spec": {"containers": [{"name": "c", "image": ""}]}},
        }}),
        &[
            "spec.template.spec.containers[0].image: Required value",
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.template.metadata.labels: Invalid value: \"null\": `selector` does not match \
             template `labels`",
        ],
    );
    check(
        "batch",
        "Job",
        json!({"metadata": {"name": "a"}, "spec": {
            "template": {"spec": {"containers": [{"name": "c", "image": "c"}]}},
        }}),
        &[
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
        ],
    );
    check(
        "rbac.authorization.k8s.io",
        "Role",
        json!({"metadata": {"name": "a:b"}, "rules": [{"verbs": ["get"], "resources": ["pods"]}]}),
        &["rules[0].apiGroups: Required value: resource rules must supply at least one api group"],
    );
}

#[test]
fn stateful_sets_mount_the_claims_of_their_templates() {
    let mounted = |name: &str| {
        let mount = json!({"name": name, "mountPath": "/data"});
        let set = json!({
            "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db",
                "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                    {"name": "a", "image": "a:1", "volumeMounts": [mount]},
                ]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                }}],
            },
        });
        faults(kind("apps", "StatefulSet"), &set)
    };
    assert_eq!(mounted("data"), Vec::<String>::new());
    let missing = "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"other\"";
    assert_eq!(mounted("other"), [missing]);
}

fn updated(
    definition: &Definition,
    old: &Value,
    update: Update,
    change: &Value,
) -> (Value, Vec<String>) {
    let mut new = old.clone();
    merge(&mut new, change);
    definition.default(&mut new);
    definition.prepare_update(&mut new, old, update);
    let faults = definition.validate_update(&new, old, update);
    (new, faults.iter().map(ToString::to_string).collect())
}

#[test]
fn few_fields_of_a_pod_may_change() {
    let pods = kind("", "Pod");
    let old = created(pods, &pod(&json!({})));
    let spec = |change: Value| updated(pods, &old, Update::Whole, &json!({"spec": change}));
    let (new, faults) = spec(json!({"containers": [{"image": "a:2"}]}));
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(new["metadata"]["generation"], 2);
    assert_eq!(spec(json!({"activeDeadlineSeconds": 5})).1, Vec::<String>::new());
    let (_, faults) = spec(json!({"restartPolicy": "Never"}));
    assert_eq!(
        faults,
        ["spec: Forbidden: pod updates may not change fields other than \
          `spec.containers[*].image`,`spec.initContainers[*].image`,\
          `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
          tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
          previously negative)\n- spec.restartPolicy: \"Always\"\n+ spec.restartPolicy: \
          \"Never\"\n"]
    );
    let (_, faults) = spec(json!({"tolerations": []}));
    assert_eq!(
        faults,
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its \
          tolerationSeconds"]
    );
    let (_, faults) = spec(json!({"schedulingGates": [{"name": "x/y"}]}));
    assert_eq!(
        faults[0],
        "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new \
         scheduling gate 'x/y'"
    );
    let (_, faults) = spec(json!({"containers": []}));
    assert!(faults.contains(
        &"spec.containers: Forbidden: pod updates may not add or remove containers".to_owned()
    ));
}

#[test]
fn status_and_specification_are_written_apart() {
    let pods = kind("", "Pod");
    let old = created(pods, &pod(&json!({})));
    let change = json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"nodeName": "n"},
        "status": {"phase": "Running"},
    });
    let (new, faults) = updated(pods, &old, Update::Status, &change);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(new["spec"], old["spec"]);
    assert_eq!(new["status"], json!({"phase": "Running", "qosClass": "BestEffort"}));
    assert_eq!(new["metadata"]["generation"], 1);
    let change = json!({"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}});
    let (new, faults) = updated(pods, &old, Update::Whole, &change);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(new["status"]["phase"], "Pending");
    assert_eq!(new["metadata"]["labels"]["a"], "b");
    assert_eq!(new["metadata"]["generation"], 1);
}

#[test]
fn metadata_keeps_its_identity() {
    let config_map = kind("", "ConfigMap");
    let old = created(config_map, &json!({"metadata": {"name": "a"}, "immutable": true}));
    let change = |change: Value| updated(config_map, &old, Update::Whole, &change).1;
    assert_eq!(
        change(json!({"metadata": {"uid": "v"}})),
        ["metadata.uid: Invalid value: \"v\": field is immutable"]
    );
    assert_eq!(
        change(json!({"data": {"k": "v"}})),
        ["data: Forbidden: field is immutable when `immutable` is set"]
    );
    let mut deleted = old.clone();
    merge(&mut deleted, &json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}));
    let adding = json!({"metadata": {"finalizers": ["a/b"]}});
    assert_eq!(
        updated(config_map, &deleted, Update::Whole, &adding).1,
        ["metadata.finalizers: Forbidden: no new finalizers can be added if the object is being \
          deleted, found new finalizers []string{\"a/b\"}"]
    );
}

#[test]
fn services_keep_what_was_allocated() {
    let services = kind("", "Service");
    let plain = json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}});
    let mut old = created(services, &plain);
    merge(&mut old, &json!({"spec": {"clusterIP": "127.32.0.5", "clusterIPs": ["127.32.0.5"]}}));
    // A client that replaces the service does not know the address.
    let mut new = plain.clone();
    services.default(&mut new);
    services.prepare_update(&mut new, &old, Update::Whole);
    assert_eq!(new["spec"], old["spec"]);
    assert_eq!(services.validate_update(&new, &old, Update::Whole), []);
    let change = json!({"spec": {"clusterIP": "127.32.0.6", "clusterIPs": ["127.32.0.6"]}});
    assert_eq!(
        updated(services, &old, Update::Whole, &change).1,
        ["spec.clusterIPs[0]: Invalid value: [\"127.32.0.6\"]: may not change once set"]
    );
}

#[test]
fn deployments_count_changes_of_what_is_wanted() {
    let deployments = kind("apps", "Deployment");
    let old = created(
        deployments,
        &json!({"metadata": {"name": "a"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "c"}]},
            },
        }}),
    );
    let change = |change: Value| updated(deployments, &old, Update::Whole, &change);
    assert_eq!(change(json!({"spec": {"replicas": 2}})).0["metadata"]["generation"], 2);
    assert_eq!(change(json!({"metadata": {"labels": {"x": "y"}}})).0["metadata"]["generation"], 1);
    let (_, faults) = change(json!({
        "spec": {"selector": {"matchLabels": {"a": "c"}}, "template": {"metadata": {"labels": {"a": "c"}}}},
    }));
    assert_eq!(
        faults,
        ["spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable"]
    );
}

#[test]
fn deletions_wait_for_running_pods() {
    let pods = kind("", "Pod");
    let now = parse_time("2026-01-02T03:04:05Z").unwrap();
    let request = |grace_seconds| DeleteRequest { now, grace_seconds };
    let check = |case: &str, change: Value, grace, expected: Deletion, seconds: Option<i64>| {
        let mut pod = created(pods, &pod(&json!({})));
        merge(&mut pod, &change);
        assert_eq!(pods.delete(&mut pod, &request(grace)), expected, "{case}");
        let marked = pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
        assert_eq!(marked, seconds, "{case}");
    };
    let bound = json!({"spec": {"nodeName": "n"}});
    check("nobody runs an unscheduled pod", json!({}), None, Deletion::Now, None);
    check("a running pod gets its time", bound.clone(), None, Deletion::Marked, Some(30));
    check("the client may choose", bound.clone(), Some(5), Deletion::Marked, Some(5));
    check("zero is force", bound.clone(), Some(0), Deletion::Now, None);
    let finished = json!({"spec": {"nodeName": "n"}, "status": {"phase": "Failed"}});
    check("a finished pod goes at once", finished, None, Deletion::Now, None);
    let going = json!({"spec": {"nodeName": "n"}, "metadata": {
        "deletionTimestamp": "2026-01-02T03:04:35Z", "deletionGracePeriodSeconds": 30,
    }});
    check("a second delete changes nothing", going.clone(), None, Deletion::Pending, Some(30));
    check("it cannot be slowed", going.clone(), Some(60), Deletion::Pending, Some(30));
    check("it can be hastened", going.clone(), Some(1), Deletion::Marked, Some(1));
    check("and forced", going, Some(0), Deletion::Now, Some(30));
}

#[test]
fn namespaces_end_when_they_are_empty() {
    let namespaces = kind("", "Namespace");
    let now = parse_time("2026-01-02T03:04:05Z").unwrap();
    let request = DeleteRequest { now, grace_seconds: None };
    let mut namespace = created(namespaces, &json!({"metadata": {"name": "a"}}));
    assert_eq!(namespaces.delete(&mut namespace, &request), Deletion::Marked);
    assert_eq!(namespace["status"]["phase"], "Terminating");
    assert_eq!(namespaces.delete(&mut namespace, &request), Deletion::Pending);
    let mut emptied = namespace.clone();
    emptied["spec"]["finalizers"] = json!([]);
    let finalize = Update::Subresource("finalize");
    namespaces.default(&mut emptied);
    namespaces.prepare_update(&mut emptied, &namespace, finalize);
    assert_eq!(namespaces.validate_update(&emptied, &namespace, finalize), []);
    assert_eq!(namespaces.delete(&mut emptied, &request), Deletion::Now);
}

#[test]
fn fields_can_be_selected() {
    let pods = kind("", "Pod");
    let pod = created(pods, &pod(&json!({"nodeName": "n"})));
    assert_eq!(pods.field(&pod, "spec.nodeName").as_deref(), Some("n"));
    assert_eq!(pods.field(&pod, "status.phase").as_deref(), Some("Pending"));
    assert_eq!(pods.field(&pod, "spec.hostNetwork").as_deref(), Some("false"));
    assert_eq!(pods.field(&pod, "metadata.name").as_deref(), Some("p"));
    assert_eq!(pods.check_field("spec.nodeName"), Ok(()));
    assert_eq!(pods.check_field("spec.x"), Err("field label not supported: spec.x".to_owned()));
    assert_eq!(
        kind("", "ConfigMap").check_field("data"),
        Err("\"data\" is not a known field selector: only \"metadata.name\", \
             \"metadata.namespace\""
            .to_owned())
    );
}

#[test]
fn quality_of_service_follows_from_resources() {
    let class = |resources: Value| {
        let pod = pod(&json!({"containers": [{"resources": resources}]}));
        created(kind("", "Pod"), &pod)["status"]["qosClass"].clone()
    };
    assert_eq!(class(json!({})), "BestEffort");
    assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
    assert_eq!(class(json!({"limits": {"cpu": "1"}})), "Burstable");
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    let unequal = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}});
    assert_eq!(class(unequal), "Burstable");
}
