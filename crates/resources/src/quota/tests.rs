//! Tests of what objects use of a quota.

use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn core(plural: &str) -> GroupResource {
    GroupResource::new("", plural)
}

#[expect(clippy::needless_pass_by_value, reason = "rows read better")]
fn container(name: &str, requests: Value, limits: Value) -> Value {
    json!({"name": name, "resources": {"requests": requests, "limits": limits}})
}

#[track_caller]
fn check(case: &str, kind: &GroupResource, object: &Value, expected: &str) {
    assert_eq!(shown(&usage(kind, object, NOW)), expected, "{case}");
}

#[test]
fn pods_use_what_they_ask_for_while_they_live() {
    let spec = json!({"containers": [
        container("a", json!({"cpu": "100m", "memory": "1Gi"}), json!({"cpu": "1"})),
        container("b", json!({"cpu": "200m", "example.com/gpu": "2"}), json!({})),
    ]});
    let all = "count/pods=1,cpu=300m,limits.cpu=1,memory=1Gi,pods=1,requests.cpu=300m,\
               requests.example.com/gpu=2,requests.memory=1Gi";
    check("containers add up", &core("pods"), &json!({"spec": spec}), all);
    let ended = json!({"spec": spec, "status": {"phase": "Succeeded"}});
    check("an ended pod is only counted", &core("pods"), &ended, "count/pods=1");
    let deleted = |at: &str| {
        json!({"spec": spec, "metadata": {
            "deletionTimestamp": at, "deletionGracePeriodSeconds": 30,
        }})
    };
    check("a pod being deleted counts", &core("pods"), &deleted("1970-01-01T00:00:00Z"), all);
    check(
        "until it should be gone",
        &core("pods"),
        &deleted("1969-12-31T23:00:00Z"),
        "count/pods=1",
    );
}

#[test]
fn init_containers_sidecars_and_overhead_count_as_they_run() {
    let mut sidecar = container("s", json!({"cpu": "100m"}), json!({}));
    sidecar["restartPolicy"] = "Always".into();
    let spec = json!({
        "initContainers": [
            container("early", json!({"cpu": "250m"}), json!({})),
            sidecar,
            container("late", json!({"cpu": "500m"}), json!({})),
        ],
        "containers": [container("main", json!({"cpu": "300m"}), json!({}))],
        "overhead": {"cpu": "50m"},
    });
    let mut pod = json!({"spec": spec});
    assert_eq!(shown(&pod_requests(&pod)), "cpu=650m", "the last init beside the sidecar");
    pod["spec"]["resources"] = json!({"requests": {"cpu": "2"}});
    assert_eq!(shown(&pod_requests(&pod)), "cpu=2050m", "the pod's own word goes first");
}

#[test]
fn other_kinds_use_what_is_peculiar_to_them() {
    let service = |kind: &str| json!({"spec": {"type": kind, "ports": [{}, {}]}});
    check(
        "a plain service",
        &core("services"),
        &service("ClusterIP"),
        "count/services=1,services=1,services.loadbalancers=0,services.nodeports=0",
    );
    check(
        "a balancer",
        &core("services"),
        &service("LoadBalancer"),
        "count/services=1,services=1,services.loadbalancers=1,services.nodeports=2",
    );
    let claim = json!({"spec": {
        "storageClassName": "gold", "resources": {"requests": {"storage": "2Gi"}},
    }});
    check(
        "a claim",
        &core("persistentvolumeclaims"),
        &claim,
        "count/persistentvolumeclaims=1,\
         gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
         gold.storageclass.storage.k8s.io/requests.storage=2Gi,persistentvolumeclaims=1,\
         requests.storage=2Gi",
    );
    check("a config map", &core("configmaps"), &json!({}), "configmaps=1,count/configmaps=1");
    let deployments = GroupResource::new("apps", "deployments");
    check("any other kind", &deployments, &json!({}), "count/deployments.apps=1");
}

#[test]
fn resources_tell_the_kind_that_uses_them() {
    for (resource, kind) in [
        ("pods", "pods"),
        ("requests.example.com/gpu", "pods"),
        ("hugepages-2Mi", "pods"),
        ("limits.memory", "pods"),
        ("requests.storage", "persistentvolumeclaims"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "persistentvolumeclaims"),
        ("services.nodeports", "services"),
        ("secrets", "secrets"),
        ("count/jobs.batch", "jobs.batch"),
        ("count/widgets.example.com", "widgets.example.com"),
    ] {
        let found = counted_kind(resource).map(|kind| kind.to_string());
        assert_eq!(found.as_deref(), Some(kind), "{resource}");
    }
    assert_eq!(counted_kind("storage"), None);
    assert_eq!(counted_kind("limits.example.com/gpu"), None);
}

#[test]
fn scopes_narrow_which_pods_count() {
    let quota = |spec: Value| {
        let mut spec = spec;
        spec["hard"] = json!({"pods": "1"});
        json!({"spec": spec})
    };
    let scoped = |scope: &str| quota(json!({"scopes": [scope]}));
    let plain = json!({"spec": {"containers": [{"name": "a"}]}});
    let mut deadline = plain.clone();
    deadline["spec"]["activeDeadlineSeconds"] = 5.into();
    let mut classy = plain.clone();
    classy["spec"]["priorityClassName"] = "high".into();
    let asks = json!({"spec": {"containers": [container("a", json!({"cpu": "1"}), json!({}))]}});
    let affine = json!({"spec": {"affinity": {"podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"namespaceSelector": {}}],
    }}}});
    let select = |operator: &str, values: Value| {
        quota(json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": operator, "values": values},
        ]}}))
    };
    for (case, quota, pod, expected) in [
        ("no scopes", quota(json!({})), &plain, true),
        ("terminating", scoped("Terminating"), &deadline, true),
        ("not terminating", scoped("Terminating"), &plain, false),
        ("best effort", scoped("BestEffort"), &plain, true),
        ("not best effort", scoped("NotBestEffort"), &asks, true),
        ("asks for something", scoped("BestEffort"), &asks, false),
        ("cross-namespace", scoped("CrossNamespacePodAffinity"), &affine, true),
        ("within its namespace", scoped("CrossNamespacePodAffinity"), &plain, false),
        ("any class", select("Exists", json!([])), &classy, true),
        ("no class", select("DoesNotExist", json!([])), &plain, true),
        ("this class", select("In", json!(["high"])), &classy, true),
        ("another class", select("In", json!(["low"])), &classy, false),
        ("not that class", select("NotIn", json!(["low"])), &classy, true),
    ] {
        assert_eq!(matches(&quota, &core("pods"), pod), expected, "{case}");
    }
    let services = scoped("BestEffort");
    assert!(!matches(&services, &core("services"), &json!({})), "services have no scopes");
}

#[test]
fn limited_resources_must_be_asked_for_by_every_container() {
    let pod = json!({"spec": {
        "containers": [
            container("a", json!({"cpu": "1"}), json!({})),
            container("b", json!({}), json!({})),
        ],
        "initContainers": [container("i", json!({"memory": "1Gi"}), json!({}))],
    }});
    let limited = |names: &[&str]| -> Amounts {
        names.iter().map(|name| ((*name).to_owned(), Quantity::from_value(1))).collect()
    };
    let missing = |names: &[&str]| missing_requests(&core("pods"), &pod, &limited(names));
    assert_eq!(missing(&["cpu"]).as_deref(), Some("must specify cpu for: b,i"));
    assert_eq!(
        missing(&["requests.cpu", "limits.memory"]).as_deref(),
        Some("must specify limits.memory for: a,b,i; requests.cpu for: b,i")
    );
    assert_eq!(missing(&["ephemeral-storage", "pods"]), None);
}

#[test]
fn a_count_has_an_amount_for_every_resource_that_is_counted() {
    let quota = json!({"spec": {"hard": {"pods": "2", "requests.memory": "4Gi", "odd": "1"}}});
    let pod =
        json!({"spec": {"containers": [container("a", json!({"memory": "1Gi"}), json!({}))]}});
    let pods = core("pods");
    assert_eq!(shown(&total(&quota, [], NOW)), "pods=0,requests.memory=0");
    let counted = total(&quota, [(&pods, &pod), (&pods, &pod)], NOW);
    assert_eq!(shown(&counted), "pods=2,requests.memory=2Gi");
    assert_eq!(counted_kinds(&quota), [pods]);
}
