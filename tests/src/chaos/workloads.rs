//! The workloads of the cluster under test.

use serde_json::{Value, json};

/// A Deployment of pods on simulated nodes.
pub fn simulated(name: &str, replicas: usize) -> Value {
    deployment(name, replicas, "simulated", "Exists")
}

/// A Deployment of pods that prefer some simulated nodes.
pub fn settled_on(name: &str, replicas: usize, nodes: &[String]) -> Value {
    let mut object = simulated(name, replicas);
    let hosts = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": nodes});
    let preference = json!({"weight": 100, "preference": {"matchExpressions": [hosts]}});
    object["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
        json!([preference]);
    object
}

/// A Deployment of pods with a real program, which run where programs run.
pub fn real(name: &str, replicas: usize, image: &str) -> Value {
    deployment(name, replicas, image, "DoesNotExist")
}

fn deployment(name: &str, replicas: usize, image: &str, simulator: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "c", "image": image}],
                    "affinity": only_where("wk.dev/simulator", simulator),
                },
            },
        },
    })
}

fn only_where(label: &str, operator: &str) -> Value {
    let expression = json!({"key": label, "operator": operator});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [expression]}],
    }}})
}

/// A set whose pods take a while to end.
pub fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "replicas": 3,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {
                    "labels": {"app": "db"},
                    "annotations": {"simulate.wk/stop-after": "300ms"},
                },
                "spec": {
                    "affinity": only_where("wk.dev/simulator", "Exists"),
                    "containers": [{"name": "c", "image": "simulated"}],
                },
            },
        },
    })
}

/// A Job whose pods end by themselves.
pub fn job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {
            "completions": 4,
            "parallelism": 2,
            "backoffLimit": 100,
            "template": {
                "metadata": {"annotations": {"simulate.wk/run-for": "300ms"}},
                "spec": {
                    "restartPolicy": "Never",
                    "affinity": only_where("wk.dev/simulator", "Exists"),
                    "containers": [{"name": "c", "image": "simulated"}],
                },
            },
        },
    })
}
