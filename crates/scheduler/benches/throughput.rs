//! How many pods a second are decided for, without the server and its disk.
//!
//! `cargo bench -p wk-scheduler` places 10,000 pods on 1,000 nodes in three zones, one after the
//! other, and prints for each kind of pod the median and the 99th percentile of one decision, and how
//! many there are in a second. The last kind fits nowhere and would have to send others away.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use serde_json::{Value, json};
use wk_api::names::NamespacedName;
use wk_scheduler::ProfileConfig;
use wk_scheduler::cluster::Cluster;
use wk_scheduler::demand::{Demand, Shared};
use wk_scheduler::offer::Offer;
use wk_scheduler::owners::of_service;
use wk_scheduler::plan::{Chance, choose};
use wk_scheduler::profile::Profile;

const NODES: usize = 1_000;
const PODS: usize = 10_000;
/// Deployments that the pods belong to.
const APPS: usize = 100;
/// Attempts for pods that fit nowhere.
const HOPELESS: usize = 200;

fn main() {
    measure("with requests only", PODS, &json!({}), false);
    measure("of a Service, spread by default", PODS, &json!({}), true);
    measure(
        "spread over zones",
        PODS,
        &json!({"topologySpreadConstraints": [{"maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"tier": "web"}}}]}),
        false,
    );
    measure(
        "one of an app a machine",
        PODS,
        &json!({"affinity": {"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "topologyKey": "kubernetes.io/hostname", "matchLabelKeys": ["app"],
                "labelSelector": {"matchLabels": {"tier": "web"}}}]}}}),
        false,
    );
    measure("that fit nowhere", HOPELESS, &json!({"priority": 5}), false);
}

/// Decides for pods with this in their specs, and prints how long that takes.
fn measure(kind: &str, decisions: usize, spec: &Value, has_services: bool) {
    let (mut cluster, shared) = (Cluster::default(), Shared::default());
    for number in 0..NODES {
        cluster.put_node(&node(number));
    }
    if has_services {
        for app in 0..APPS {
            let name = format!("app-{app}");
            let service = json!({"metadata": {"name": name}, "spec": {"selector": {"app": name}}});
            let service: Service = serde_json::from_value(service).expect("it is a Service");
            let key = NamespacedName::new("default", name);
            cluster.owners.put_service(&key, of_service(service).map(Arc::new));
        }
    }
    let is_hopeless = decisions == HOPELESS;
    if is_hopeless {
        for number in 0..PODS {
            let resident = Arc::new(pod(&shared, number, "350m", &json!({})));
            cluster.put_bound(resident, &format!("node-{}", number % NODES));
        }
    }
    let profile = Profile::new(&ProfileConfig::new("default-scheduler"));
    let (mut start, mut times) = (0, Vec::with_capacity(decisions));
    let cpu = if is_hopeless { "4" } else { "100m" };
    for number in 0..decisions {
        let pod = Arc::new(pod(&shared, PODS + number, cpu, spec));
        let tie = u64::try_from(number).unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let before = SystemTime::now();
        let (decision, looked_at) = choose(&profile, &pod, &cluster, Chance { tie, start });
        let is_refused = decision.is_err();
        if let Ok(chosen) = decision {
            cluster.assume(pod, &chosen.node);
        }
        times.push(before.elapsed().unwrap_or_default());
        assert_eq!(is_refused, is_hopeless, "{kind}");
        start = (start + looked_at) % NODES;
    }
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let median = times[times.len() / 2].as_micros();
    let late = times[times.len() * 99 / 100].as_micros();
    let rate = u128::try_from(times.len()).unwrap_or(0) * 1_000_000 / total.as_micros().max(1);
    println!("pods {kind}: median {median} us, 99th percentile {late} us, {rate} a second");
}

fn node(number: usize) -> Arc<Offer> {
    let name = format!("node-{number}");
    let node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": format!("zone-{}", number % 3)}},
        "status": {"allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"}},
    });
    let node: Node = serde_json::from_value(node).expect("it is a Node");
    Arc::new(Offer::of(node))
}

fn pod(shared: &Shared, number: usize, cpu: &str, spec: &Value) -> Demand {
    let mut pod = json!({
        "metadata": {"name": format!("pod-{number}"), "namespace": "default",
            "uid": format!("uid-{number}"),
            "labels": {"app": format!("app-{}", number % APPS), "tier": "web"}},
        "spec": {
            "containers": [{"name": "c", "image": "web",
                "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    let pod: Pod = serde_json::from_value(pod).expect("it is a Pod");
    Demand::of(pod, shared).expect("it has not ended")
}
