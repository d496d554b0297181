//! Workloads that ask for what cannot be: refused where Kubernetes refuses them, else told in
//! conditions and events, tried again with growing pauses, and never without bound.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::time::Duration;

use serde_json::{Value, json};
use wk_client::connect;
use wk_process::TaskGroup;
use wk_tests::chaos::{Change, History};
use wk_tests::{Answer, Cluster, eventually};

/// Several of the shortest pauses between two attempts, and a fraction of the longest: whoever tries
/// again without pause is seen.
const WINDOW: Duration = Duration::from_secs(3);
/// More states of one object than growing pauses allow for in that time.
const HOT: usize = 25;

fn workload(kind: &str, name: &str, spec: &Value) -> Value {
    let version = if kind.ends_with("Job") { "batch/v1" } else { "apps/v1" };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The specification of a workload whose pods run `image`.
fn spec(app: &str, replicas: i64, image: &str) -> Value {
    json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "template": {
            "metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "c", "image": image}]},
        },
    })
}

fn deployment(name: &str, replicas: i64, image: &str) -> Value {
    workload("Deployment", name, &spec(name, replicas, image))
}

fn job_spec(image: &str, arguments: &[&str]) -> Value {
    json!({
        "backoffLimit": 1,
        "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "c", "image": image, "args": arguments}],
        }},
    })
}

fn create(cluster: &Cluster, object: &Value) -> Answer {
    cluster.kubectl_with(&["create", "-f", "-"], &object.to_string())
}

#[track_caller]
fn refused(cluster: &Cluster, object: &Value, expected: &str) {
    let told = create(cluster, object).refused();
    assert!(told.contains(expected), "expected: {expected}\ntold: {told}");
}

fn condition(object: &Value, kind: &str) -> Option<Value> {
    let all = object["status"]["conditions"].as_array()?;
    all.iter().find(|one| one["type"] == kind).cloned()
}

/// Waits until a condition of an object has a reason, and returns its message.
#[track_caller]
fn told(cluster: &Cluster, object: (&str, &str), condition_type: &str, reason: &str) -> String {
    eventually(&format!("{object:?} shows {condition_type} because of {reason}"), || {
        let seen = condition(&cluster.object(object.0, object.1)?, condition_type)?;
        let message = seen["message"].as_str().unwrap_or_default();
        (seen["reason"] == reason).then(|| message.to_owned())
    })
}

fn pods(cluster: &Cluster, selector: &str) -> usize {
    let pods = cluster.kubectl(&["get", "pods", "-l", selector, "-o", "json"]).json();
    pods["items"].as_array().unwrap().len()
}

/// How many states each object of these kinds goes through while nobody changes anything.
fn unrest(cluster: &Cluster, kinds: &[&str]) -> Vec<(String, usize)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let history = runtime.block_on(async {
        let client = connect::from_kubeconfig(&cluster.kubeconfig()).await.unwrap();
        let tasks = TaskGroup::new("test");
        let history = History::watch(&client, kinds, &tasks);
        tokio::time::sleep(WINDOW).await;
        history.all()
    });
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for seen in history.iter().filter(|seen| matches!(seen.change, Change::Is(_))) {
        *counts.entry(format!("{} {}", seen.kind, seen.key)).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Nothing of these kinds is written again and again.
#[track_caller]
fn is_calm(cluster: &Cluster, kinds: &[&str]) {
    let hot: Vec<_> =
        unrest(cluster, kinds).into_iter().filter(|(_, count)| *count > HOT).collect();
    assert!(hot.is_empty(), "written without pause: {hot:?}");
}

const OF_DEPLOYMENTS: [&str; 4] =
    ["v1/Pod", "v1/Event", "apps/v1/ReplicaSet", "apps/v1/Deployment"];

#[test]
fn a_selector_that_does_not_match_the_template_is_refused() {
    let cluster = Cluster::start();
    for kind in ["Deployment", "ReplicaSet", "StatefulSet"] {
        let mut wrong = spec("a", 1, "x");
        wrong["template"]["metadata"]["labels"] = json!({"app": "b"});
        let expected = format!(
            "The {kind} \"wrong\" is invalid: spec.template.metadata.labels: Invalid value: \
             {{\"app\":\"b\"}}: `selector` does not match template `labels`"
        );
        refused(&cluster, &workload(kind, "wrong", &wrong), &expected);
        let mut without = spec("a", 1, "x");
        without["selector"] = Value::Null;
        refused(&cluster, &workload(kind, "wrong", &without), "spec.selector: Required value");
        let mut empty = spec("a", 1, "x");
        empty["selector"] = json!({});
        let expected = "spec.selector: Invalid value: {}: empty selector is invalid for";
        refused(&cluster, &workload(kind, "wrong", &empty), expected);
    }
    let mut own = job_spec("x", &[]);
    own["selector"] = json!({"matchLabels": {"app": "a"}});
    let expected = "`selector` does not match template `labels`";
    refused(&cluster, &workload("Job", "wrong", &own), expected);
    let unchangeable = json!({"spec": {"selector": {"matchLabels": {"app": "c"}},
        "template": {"metadata": {"labels": {"app": "c"}}}}});
    create(&cluster, &deployment("web", 0, "x")).ok();
    let patch = unchangeable.to_string();
    let said = cluster.kubectl(&["patch", "deployment", "web", "-p", &patch]).refused();
    assert!(said.contains("field is immutable"), "{said}");
}

#[test]
fn counts_that_are_no_counts_are_refused() {
    let cluster = Cluster::start();
    let negative = "spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    for kind in ["Deployment", "ReplicaSet", "StatefulSet"] {
        refused(&cluster, &workload(kind, "wrong", &spec("a", -1, "x")), negative);
        let too_large = workload(kind, "wrong", &spec("a", 3_000_000_000, "x"));
        refused(&cluster, &too_large, "replicas");
    }
    for field in ["completions", "parallelism", "backoffLimit", "activeDeadlineSeconds"] {
        let mut wrong = job_spec("x", &[]);
        wrong[field] = (-1).into();
        let expected = format!("spec.{field}: Invalid value: -1: must be greater than");
        refused(&cluster, &workload("Job", "wrong", &wrong), &expected);
    }
    let mut wrong = job_spec("x", &[]);
    wrong["template"]["spec"]["restartPolicy"] = "Always".into();
    let expected =
        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"";
    refused(&cluster, &workload("Job", "wrong", &wrong), expected);
    let mut wrong = deployment("wrong", 1, "x");
    wrong["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}});
    let expected = "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when \
                    `maxSurge` is 0";
    refused(&cluster, &wrong, expected);
    create(&cluster, &deployment("web", 0, "x")).ok();
    let said = cluster.kubectl(&["scale", "deployment", "web", "--replicas=-1"]).refused();
    assert!(said.contains("replicas"), "{said}");
    let patch = ["patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p"];
    let said = cluster.kubectl(&[&patch[..], &[r#"{"spec":{"replicas":-1}}"#]].concat()).refused();
    assert!(said.contains("must be greater than or equal to 0"), "{said}");
}

#[test]
fn a_cron_line_that_cannot_be_read_is_refused() {
    let cluster = Cluster::start();
    let cron = |schedule: &str, zone: Option<&str>| {
        let spec = json!({
            "schedule": schedule, "timeZone": zone,
            "jobTemplate": {"spec": job_spec("x", &[])},
        });
        workload("CronJob", "wrong", &spec)
    };
    for (schedule, expected) in [
        ("", "spec.schedule: Required value"),
        ("every day", "spec.schedule: Invalid value: \"every day\": expected exactly 5 fields"),
        ("61 * * * *", "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above"),
        ("* * * * mondays", "spec.schedule: Invalid value: \"* * * * mondays\""),
        ("@sometimes", "spec.schedule: Invalid value: \"@sometimes\""),
    ] {
        refused(&cluster, &cron(schedule, None), expected);
    }
    let expected = "spec.timeZone: Invalid value: \"Mars/Base\": unknown time zone Mars/Base";
    refused(&cluster, &cron("* * * * *", Some("Mars/Base")), expected);
    let mut wrong = cron("* * * * *", None);
    wrong["spec"]["concurrencyPolicy"] = "Sometimes".into();
    let expected = "spec.concurrencyPolicy: Unsupported value: \"Sometimes\": supported values: \
                    \"Allow\", \"Forbid\", \"Replace\"";
    refused(&cluster, &wrong, expected);
}

#[test]
fn workloads_with_one_selector_leave_each_others_pods_alone() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    for (name, replicas) in [("one", 2), ("two", 3)] {
        create(&cluster, &workload("Deployment", name, &spec("shared", replicas, &image))).ok();
        create(&cluster, &workload("ReplicaSet", name, &spec("shared", replicas, &image))).ok();
    }
    for name in ["one", "two"] {
        let deployment = format!("deployment/{name}");
        cluster.kubectl(&["rollout", "status", &deployment, "--timeout=60s"]).ok();
        eventually("the set has its pods", || {
            let set = cluster.object("replicaset", name)?;
            (set["status"]["readyReplicas"] == set["spec"]["replicas"]).then_some(())
        });
    }
    is_calm(&cluster, &OF_DEPLOYMENTS);
    assert_eq!(pods(&cluster, "app=shared"), 10, "each has its own, and no more");
    cluster.kubectl(&["delete", "deployment", "one"]).ok();
    eventually("its pods are gone", || (pods(&cluster, "app=shared") == 8).then_some(()));
    cluster.kubectl(&["delete", "replicaset", "two", "--cascade=orphan"]).ok();
    // Its three pods have no owner for a moment; a set that wants two takes none that it need not.
    eventually("the others keep to their counts", || {
        let set = cluster.object("replicaset", "one")?;
        let all = cluster.kubectl(&["get", "pods", "-l", "app=shared", "-o", "json"]).json();
        let owned = |pod: &&Value| !pod["metadata"]["ownerReferences"].is_null();
        let count = all["items"].as_array()?.iter().filter(owned).count();
        (set["status"]["replicas"] == 2 && count == 5).then_some(())
    });
}

#[test]
fn pods_whose_image_is_missing_stay_as_many_as_they_are_and_the_deployment_says_so() {
    let cluster = Cluster::start();
    let mut wrong = deployment("web", 3, "example.invalid/nobody/nothing:1");
    wrong["spec"]["progressDeadlineSeconds"] = 1.into();
    create(&cluster, &wrong).ok();
    let message = told(&cluster, ("deployment", "web"), "Progressing", "ProgressDeadlineExceeded");
    assert!(
        message.starts_with("ReplicaSet \"web-") && message.ends_with("has timed out progressing."),
        "{message}"
    );
    told(&cluster, ("deployment", "web"), "Available", "MinimumReplicasUnavailable");
    let said = cluster.kubectl(&["rollout", "status", "deployment/web"]).refused();
    assert!(said.contains("deployment \"web\" exceeded its progress deadline"), "{said}");
    is_calm(&cluster, &OF_DEPLOYMENTS);
    assert_eq!(pods(&cluster, "app=web"), 3);
    // A way out is open; the programs are given the time that they need.
    let image = cluster.push_example("hello-http");
    let patience = r#"{"spec":{"progressDeadlineSeconds":600}}"#;
    cluster.kubectl(&["patch", "deployment", "web", "-p", patience]).ok();
    cluster.kubectl(&["set", "image", "deployment/web", &format!("c={image}")]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
}

#[test]
fn an_absurd_count_ends_at_the_quota() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.kubectl(&["create", "quota", "few", "--hard=pods=3"]).ok();
    create(&cluster, &deployment("web", 2_000_000_000, &image)).ok();
    let message = told(&cluster, ("deployment", "web"), "ReplicaFailure", "FailedCreate");
    assert!(
        message.contains("exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3"),
        "{message}"
    );
    eventually("there are as many as may be", || (pods(&cluster, "app=web") == 3).then_some(()));
    is_calm(&cluster, &OF_DEPLOYMENTS);
    assert_eq!(pods(&cluster, "app=web"), 3);
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=2"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    assert_eq!(pods(&cluster, "app=web"), 2);
    eventually("it says so no longer", || {
        condition(&cluster.object("deployment", "web")?, "ReplicaFailure").is_none().then_some(())
    });
}

#[test]
fn what_admission_refuses_is_told_and_tried_again_with_pauses() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.kubectl(&["create", "quota", "none", "--hard=pods=0"]).ok();
    create(&cluster, &deployment("web", 2, &image)).ok();
    let mut set = spec("db", 2, &image);
    set["serviceName"] = "db".into();
    create(&cluster, &workload("StatefulSet", "db", &set)).ok();
    create(&cluster, &workload("Job", "once", &job_spec(&image, &[]))).ok();
    let message = told(&cluster, ("deployment", "web"), "ReplicaFailure", "FailedCreate");
    assert!(message.contains("is forbidden: exceeded quota: none"), "{message}");
    for (object, expected) in [
        (
            "db",
            "create Pod db-0 in StatefulSet db failed error: pods \"db-0\" is forbidden: exceeded quota",
        ),
        ("once", "Error creating: pods \"once-"),
    ] {
        let events = cluster.events(object, "FailedCreate");
        assert!(events.contains(expected), "{events}");
    }
    let kinds = [
        "v1/Pod",
        "v1/Event",
        "apps/v1/ReplicaSet",
        "apps/v1/Deployment",
        "apps/v1/StatefulSet",
        "batch/v1/Job",
    ];
    is_calm(&cluster, &kinds);
    let all = cluster.kubectl(&["get", "pods", "-o", "name"]).ok();
    assert_eq!(all, "", "nothing was made");
    cluster.kubectl(&["delete", "quota", "none"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=100s"]).ok();
    cluster.kubectl(&["rollout", "status", "statefulset/db", "--timeout=100s"]).ok();
}

#[test]
fn pods_below_the_level_of_a_namespace_are_refused_and_the_workload_warned_about() {
    let cluster = Cluster::start();
    let label = "pod-security.kubernetes.io/enforce=restricted";
    let warn = "pod-security.kubernetes.io/warn=restricted";
    cluster.kubectl(&["label", "namespace", "default", label, warn]).ok();
    let answer = create(&cluster, &deployment("web", 1, "x"));
    assert!(
        answer.stderr.contains("Warning: would violate PodSecurity \"restricted:latest\""),
        "{}",
        answer.stderr
    );
    answer.ok();
    let message = told(&cluster, ("deployment", "web"), "ReplicaFailure", "FailedCreate");
    assert!(message.contains("violates PodSecurity \"restricted:latest\""), "{message}");
    let mut lost = deployment("lost", 1, "x");
    lost["spec"]["template"]["spec"]["serviceAccountName"] = "nobody".into();
    create(&cluster, &lost).ok();
    let message = told(&cluster, ("deployment", "lost"), "ReplicaFailure", "FailedCreate");
    let expected =
        "error looking up service account default/nobody: serviceaccount \"nobody\" not found";
    assert!(message.contains(expected), "{message}");
    is_calm(&cluster, &OF_DEPLOYMENTS);
    assert_eq!(cluster.kubectl(&["get", "pods", "-o", "name"]).ok(), "");
}

#[test]
fn a_job_whose_pods_fail_gives_up_at_its_limit() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    let mut spec = job_spec(&image, &["exit", "3"]);
    spec["backoffLimit"] = 1.into();
    spec["parallelism"] = 2.into();
    spec["completions"] = 1_000_000.into();
    create(&cluster, &workload("Job", "bad", &spec)).ok();
    let message = told(&cluster, ("job", "bad"), "Failed", "BackoffLimitExceeded");
    assert_eq!(message, "Job has reached the specified backoff limit");
    is_calm(&cluster, &["v1/Pod", "v1/Event", "batch/v1/Job"]);
    let made = pods(&cluster, "job-name=bad");
    assert!((2..=4).contains(&made), "{made} pods");
}

#[test]
fn a_cron_job_that_may_not_start_jobs_says_so() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "quota", "none", "--hard=count/jobs.batch=0"]).ok();
    let template = json!({"spec": job_spec("x", &[])});
    let spec = json!({"schedule": "@every 1s", "jobTemplate": template});
    create(&cluster, &workload("CronJob", "often", &spec)).ok();
    let events = cluster.events("often", "FailedCreate");
    assert!(events.contains("Error creating job: jobs.batch \"often-"), "{events}");
    assert!(events.contains("exceeded quota: none"), "{events}");
    is_calm(&cluster, &["v1/Event", "batch/v1/Job", "batch/v1/CronJob"]);
    assert_eq!(cluster.kubectl(&["get", "jobs", "-o", "name"]).ok(), "");
}

#[test]
fn what_has_no_owner_left_goes_and_owners_elsewhere_are_told_about() {
    let cluster = Cluster::start();
    let owned = |name: &str, namespace: &str, owners: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": name, "namespace": namespace, "ownerReferences": owners}})
    };
    let map = |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
    create(&cluster, &owned("owner", "default", json!([]))).ok();
    let uid = cluster.object("configmap", "owner").unwrap()["metadata"]["uid"].clone();
    let (there, gone) = (map("owner", uid.as_str().unwrap()), map("nobody", "no-such-uid"));
    create(&cluster, &owned("without", "default", json!([gone]))).ok();
    create(&cluster, &owned("between", "default", json!([there, gone]))).ok();
    eventually("what has no owner is gone", || {
        cluster.object("configmap", "without").is_none().then_some(())
    });
    eventually("the owner that is not there is forgotten", || {
        let owners = cluster.object("configmap", "between")?["metadata"]["ownerReferences"].clone();
        (owners.as_array()?.len() == 1).then_some(())
    });
    cluster.kubectl(&["create", "namespace", "elsewhere"]).ok();
    create(&cluster, &owned("foreign", "elsewhere", json!([there]))).ok();
    eventually("an event tells of the owner in another namespace", || {
        let events = ["-n", "elsewhere", "get", "events", "-o", "jsonpath={.items[*].reason}"];
        cluster.kubectl(&events).stdout.contains("OwnerRefInvalidNamespace").then_some(())
    });
    is_calm(&cluster, &["v1/ConfigMap", "v1/Event"]);
    assert!(cluster.object("configmap", "between").is_some());
}

#[test]
fn a_daemon_set_that_cannot_be_is_refused_and_one_whose_pods_cannot_be_says_so() {
    let cluster = Cluster::start();
    let daemon = |change: &dyn Fn(&mut Value)| {
        let mut all = spec("log", 1, "x");
        all.as_object_mut().unwrap().remove("replicas");
        change(&mut all);
        workload("DaemonSet", "log", &all)
    };
    let other = daemon(&|spec| spec["template"]["metadata"]["labels"] = json!({"app": "b"}));
    refused(&cluster, &other, "`selector` does not match template `labels`");
    let both = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}});
    let both = daemon(&|spec| spec["updateStrategy"] = both.clone());
    let expected = "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when \
                    maxUnavailable is non-zero";
    refused(&cluster, &both, expected);
    let short = daemon(&|spec| spec["minReadySeconds"] = (-1).into());
    refused(&cluster, &short, "spec.minReadySeconds: Invalid value: -1");
    cluster.kubectl(&["create", "quota", "none", "--hard=pods=0"]).ok();
    create(&cluster, &daemon(&|_| {})).ok();
    let events = cluster.events("log", "FailedCreate");
    assert!(events.contains("Error creating: pods \"log-"), "{events}");
    assert!(events.contains("is forbidden: exceeded quota: none"), "{events}");
    is_calm(&cluster, &["v1/Pod", "v1/Event", "apps/v1/DaemonSet"]);
    let status = cluster.object("daemonset", "log").unwrap()["status"].clone();
    assert_eq!((&status["desiredNumberScheduled"], &status["numberReady"]), (&json!(1), &json!(0)));
    cluster.kubectl(&["delete", "quota", "none"]).ok();
    eventually("it is tried again", || (pods(&cluster, "app=log") == 1).then_some(()));
}

#[test]
fn a_budget_that_cannot_be_is_refused_and_one_that_cannot_be_kept_says_so() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let budget = |name: &str, change: Value| {
        let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
               "metadata": {"name": name}, "spec": spec})
    };
    for (change, expected) in [
        (json!({"minAvailable": 1, "maxUnavailable": 1}), "cannot be both set"),
        (json!({"minAvailable": -1}), "spec.minAvailable: Invalid value: -1"),
        (json!({"maxUnavailable": "101%"}), "spec.maxUnavailable: Invalid value: \"101%\""),
        (json!({"minAvailable": "many"}), "spec.minAvailable: Invalid value: \"many\""),
    ] {
        refused(&cluster, &budget("wrong", change), expected);
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
                     "metadata": {"name": "alone", "labels": {"app": "web"}},
                     "spec": {"containers": [{"name": "c", "image": image}]}});
    create(&cluster, &pod).ok();
    cluster.ready_pod("alone");
    // How many there should be, of which some may be away, nobody says of a pod that nobody manages.
    create(&cluster, &budget("web", json!({"maxUnavailable": 1}))).ok();
    let events = cluster.events("web", "UnmanagedPods");
    assert!(events.contains("were found to be unmanaged"), "{events}");
    // More than there are: nothing may ever go.
    create(&cluster, &budget("more", json!({"minAvailable": 5}))).ok();
    told(&cluster, ("pdb", "more"), "DisruptionAllowed", "InsufficientPods");
    is_calm(&cluster, &["v1/Pod", "v1/Event", "policy/v1/PodDisruptionBudget"]);
    // Of two budgets nobody can keep both.
    let said = cluster.kubectl(&["drain", "node-1", "--force", "--timeout=2s"]).refused();
    let expected = "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                    does not support.";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_pod_name_that_is_taken_is_told_and_tried_again_with_pauses() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0"},
                     "spec": {"containers": [{"name": "c", "image": image}]}});
    create(&cluster, &pod).ok();
    cluster.ready_pod("db-0");
    let mut set = spec("db", 1, &image);
    set["serviceName"] = "db".into();
    create(&cluster, &workload("StatefulSet", "db", &set)).ok();
    let events = cluster.events("db", "FailedCreate");
    let expected = "create Pod db-0 in StatefulSet db failed error: pods \"db-0\" already exists";
    assert!(events.contains(expected), "{events}");
    is_calm(&cluster, &["v1/Pod", "v1/Event", "apps/v1/StatefulSet"]);
    cluster.kubectl(&["delete", "pod", "db-0"]).ok();
    cluster.kubectl(&["rollout", "status", "statefulset/db", "--timeout=100s"]).ok();
}
