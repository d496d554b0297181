//! What nodes and pods use, and workloads that grow and shrink with it.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use wk_tests::{Cluster, Kubectl, eventually, http_get};

/// A pod that serves and one of its containers that does not.
fn two_containers(cluster: &Cluster) -> String {
    let (web, ticker) = (cluster.push_example("hello-http"), cluster.push_example("ticker"));
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, labels: {{app: web}}}}\nspec:\n  \
         containers:\n  - {{name: ticker, image: \"{ticker}\"}}\n  \
         - {{name: web, image: \"{web}\", ports: [{{containerPort: 8080}}]}}\n"
    )
}

#[test]
fn kubectl_top_shows_what_nodes_pods_and_containers_use() {
    let cluster = Cluster::start();
    let manifest = two_containers(&cluster);
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("apply -f -", &manifest, &[]).ok();
        kubectl.run("wait pod/web --for=condition=Ready --timeout=60s").ok();
        eventually("the pod has run long enough", || {
            (kubectl.run("top pod web").code == 0).then_some(())
        });
        kubectl.prints(&[
            ("top node", "NAME CPU(cores) * MEMORY(bytes) *\nnode-1 * * * *"),
            ("top node node-1 --no-headers", "node-1 * * * *"),
            ("top pod", "NAME CPU(cores) MEMORY(bytes)\nweb * *"),
            (
                "top pod --containers",
                "POD NAME CPU(cores) MEMORY(bytes)\nweb ticker * *\nweb web * *",
            ),
            ("top pod -l app=web --no-headers --sort-by=memory", "web * *"),
            ("top pod --field-selector metadata.name=web --no-headers --sum", "web * *\n..."),
            ("get pods.v1beta1.metrics.k8s.io", "NAME CPU MEMORY WINDOW\nweb * * *"),
            ("get pods", "NAME READY STATUS RESTARTS AGE\nweb 2/2 Running 0 *"),
        ]);
        kubectl.mentions(&[("top pod -A --sort-by=cpu", &["NAMESPACE ...", "{ns} web ..."])]);
        kubectl.refuses(&[
            ("top pod absent", "Error from server (NotFound): pods \"absent\" not found"),
            ("top node absent", "Error from server (NotFound): nodes \"absent\" not found"),
        ]);
        let none = kubectl.run("top pod -l app=none");
        assert!(none.stderr.contains("No resources found"), "{none:?}");
        kubectl.run("delete pod web --now").ok();
    });
}

#[test]
fn a_kubelet_tells_what_it_measures() {
    let cluster = Cluster::start();
    cluster.kubectl_with(&["apply", "-f", "-"], &two_containers(&cluster)).ok();
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
    let raw = |path: &str| {
        cluster.kubectl(&["get", "--raw", &format!("/api/v1/nodes/node-1/proxy/{path}")]).ok()
    };
    let web = "container=\"web\",namespace=\"default\",pod=\"web\"";
    let page = eventually("the request is over", || {
        let page = raw("metrics/resource");
        let over = format!("container_http_requests_in_flight{{{web}}} 0 ");
        page.contains(&over).then_some(page)
    });
    let value = |series: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        let line = line.unwrap_or_else(|| panic!("{series} in {page}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(value("node_cpu_usage_seconds_total") > 0.0);
    assert!(value("node_memory_working_set_bytes") > 0.0);
    assert!(value(&format!("container_cpu_usage_seconds_total{{{web}}}")) > 0.0);
    assert!(value(&format!("container_start_time_seconds{{{web}}}")) > 1e9);
    assert!(page.contains(&format!("\ncontainer_http_requests_total{{{web}}} 1 ")), "{page}");
    let ticker = web.replace("\"web\",n", "\"ticker\",n");
    assert!(value(&format!("container_memory_working_set_bytes{{{ticker}}}")) > 0.0);
    assert!(!page.contains(&format!("container_http_requests_total{{{ticker}}}")), "{page}");
    assert!(value("pod_memory_working_set_bytes{namespace=\"default\",pod=\"web\"}") > 0.0);
    assert!(page.contains("\nresource_scrape_error 0"), "{page}");

    let summary = eventually("rates are known", || {
        let summary: Value = serde_json::from_str(&raw("stats/summary")).unwrap();
        summary["node"]["cpu"]["usageNanoCores"].is_u64().then_some(summary)
    });
    assert_eq!(summary["node"]["nodeName"], "node-1");
    assert!(summary["node"]["fs"]["capacityBytes"].as_u64().unwrap() > 0);
    let pods = summary["pods"].as_array().unwrap();
    let pod = pods.iter().find(|pod| pod["podRef"]["name"] == "web").unwrap();
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 2, "{summary}");
    assert!(containers.iter().all(|one| one["cpu"]["usageCoreNanoSeconds"].is_u64()));
    assert!(containers.iter().any(|one| one["logs"]["usedBytes"].as_u64() > Some(0)));
}

/// Asks a server without a pause, until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn on(cluster: &Cluster, selector: &str) -> Self {
        let address = eventually("a pod is ready", || {
            let pods = cluster.kubectl(&["get", "pods", "-l", selector, "-o", "json"]).json();
            let pod = pods["items"].as_array()?.iter().find(|pod| {
                let all = pod["status"]["conditions"].as_array();
                all.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
            })?;
            Some(SocketAddr::new(pod["status"]["podIP"].as_str()?.parse().ok()?, 8080))
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                assert_eq!(http_get(address, "/").unwrap().status, 200);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "every request was answered");
        }
    }
}

fn deployment(cluster: &Cluster, name: &str, image: &str, requests: &str) {
    let manifest = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
         metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      \
         - name: web\n        image: \"{image}\"\n        \
         ports: [{{containerPort: 8080}}]\n        resources: {{{requests}}}\n"
    );
    cluster.kubectl_with(&["apply", "-f", "-"], &manifest).ok();
    let rollout = format!("deployment/{name}");
    cluster.kubectl(&["rollout", "status", &rollout, "--timeout=60s"]).ok();
}

/// Waits until an autoscaler's status is as wanted, and returns it.
#[track_caller]
fn status(cluster: &Cluster, name: &str, awaited: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("the autoscaler `{name}` {awaited}"), || {
        let status = cluster.object("hpa", name)?["status"].clone();
        wanted(&status).then_some(status)
    })
}

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.into_iter().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

const QUICK: &str = r#"{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}"#;

#[test]
fn deployments_grow_with_their_load_and_shrink_again() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    deployment(&cluster, "busy", &image, "requests: {cpu: 5m}");
    deployment(&cluster, "asked", &image, "");
    cluster.kubectl(&["autoscale", "deployment", "busy", "--min=1", "--max=3"]).ok();
    cluster.kubectl(&["patch", "hpa", "busy", "--type=merge", "-p", QUICK]).ok();
    let by_requests = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "asked"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "asked"},
            "maxReplicas": 2,
            "metrics": [{"type": "Pods", "pods": {
                "metric": {"name": "http_requests_per_second"},
                "target": {"type": "AverageValue", "averageValue": "2"},
            }}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    });
    cluster.kubectl_with(&["apply", "-f", "-"], &by_requests.to_string()).ok();
    let load = [Load::on(&cluster, "app=busy"), Load::on(&cluster, "app=asked")];
    let busy = status(&cluster, "busy", "has scaled up", |status| {
        status["desiredReplicas"] == 3 && status["currentMetrics"][0]["resource"].is_object()
    });
    assert_eq!(condition(&busy, "ScalingActive")["reason"], "ValidMetricFound");
    let current = &busy["currentMetrics"][0]["resource"];
    assert_eq!(current["name"], "cpu");
    assert!(current["current"]["averageUtilization"].is_u64(), "{busy}");
    let told = cluster.events("busy", "SuccessfulRescale");
    let reason = "reason: cpu resource utilization (percentage of request) above target";
    assert!(told.contains(reason), "{told}");
    let asked = status(&cluster, "asked", "has scaled up", |status| {
        status["desiredReplicas"] == 2 && status["currentMetrics"][0]["pods"].is_object()
    });
    assert!(asked["currentMetrics"][0]["pods"]["current"]["averageValue"].is_string(), "{asked}");
    for (name, replicas) in [("busy", "3"), ("asked", "2")] {
        eventually("the replicas are there", || {
            let path = "jsonpath={.status.readyReplicas}";
            let answer = cluster.kubectl(&["get", "deployment", name, "-o", path]);
            (answer.stdout == replicas).then_some(())
        });
    }
    let path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/";
    for metric in ["http_requests_per_second", "http_requests_in_flight"] {
        let all = cluster.kubectl(&["get", "--raw", &format!("{path}{metric}")]).json();
        assert_eq!(all["kind"], "MetricValueList", "{all}");
        assert_eq!(all["items"][0]["metric"]["name"], metric, "{all}");
    }
    drop(load);
    for name in ["busy", "asked"] {
        status(&cluster, name, "has scaled down", |status| status["desiredReplicas"] == 1);
    }
    let described = cluster.kubectl(&["describe", "hpa", "busy"]).ok();
    assert!(described.contains("All metrics below target"), "{described}");
}

#[test]
fn an_autoscaler_that_cannot_know_says_so_and_leaves_everything_alone() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    deployment(&cluster, "web", &image, "");
    let autoscaler = |name: &str, target: &str, metric: Value| {
        let object = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
                "maxReplicas": 4, "metrics": [metric],
            },
        });
        cluster.kubectl_with(&["apply", "-f", "-"], &object.to_string()).ok();
        let failed = |status: &Value, kind| condition(status, kind)["status"] == "False";
        let status = status(&cluster, name, "says what is wrong", |status| {
            failed(status, "ScalingActive") || failed(status, "AbleToScale")
        });
        // Kubernetes always tells this list, and one that is not there as `null`.
        let told = status.as_object().unwrap().get("currentMetrics");
        assert!(told.is_some_and(|list| list.is_null() || list.is_array()), "{status}");
        cluster.kubectl(&["delete", "hpa", name]).ok();
        let kinds = ["ScalingActive", "AbleToScale"].map(|kind| condition(&status, kind).clone());
        kinds.into_iter().find(|one| one["status"] == "False").unwrap()
    };
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50}}});
    let nobody = autoscaler("nobody", "absent", cpu.clone());
    assert_eq!(nobody["reason"], "FailedGetScale");
    assert!(nobody["message"].as_str().unwrap().contains("\"absent\" not found"), "{nobody}");
    let queue = json!({"type": "External", "external": {"metric": {"name": "queue"},
        "target": {"type": "AverageValue", "averageValue": "1"}}});
    let external = autoscaler("external", "web", queue);
    assert_eq!(external["reason"], "FailedGetExternalMetric");
    let message = "unable to get external metric default/queue/nil: unable to fetch metrics from \
                   external metrics API: the server could not find the requested resource (get \
                   queue.external.metrics.k8s.io)";
    assert!(external["message"].as_str().unwrap().ends_with(message), "{external}");
    let hits = json!({"type": "Object", "object": {"metric": {"name": "hits"},
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
        "target": {"type": "Value", "value": "1"}}});
    let object = autoscaler("object", "web", hits);
    assert_eq!(object["reason"], "FailedGetObjectMetric");
    let message = "unable to get metric hits: Service on default web/unable to fetch metrics from \
                   custom metrics API: ";
    assert!(object["message"].as_str().unwrap().contains(message), "{object}");
    let part = json!({"type": "ContainerResource", "containerResource": {"name": "cpu",
        "container": "absent", "target": {"type": "Utilization", "averageUtilization": 50}}});
    assert_eq!(autoscaler("part", "web", part)["reason"], "FailedGetContainerResourceMetric");
    let love = json!({"type": "Pods", "pods": {"metric": {"name": "love"},
        "target": {"type": "AverageValue", "averageValue": "1"}}});
    let pods = autoscaler("pods", "web", love);
    assert_eq!(pods["reason"], "FailedGetPodsMetric");
    let message = "the server could not find the metric love for pods";
    assert!(pods["message"].as_str().unwrap().ends_with(message), "{pods}");
    let resource = autoscaler("resource", "web", cpu);
    assert_eq!(resource["reason"], "FailedGetResourceMetric");
    let told = cluster.events("resource", "FailedComputeMetricsReplicas");
    assert!(told.starts_with("invalid metrics (1 invalid out of 1), first error is: "), "{told}");
    for name in ["one", "two"] {
        let name = format!("--name={name}");
        cluster.kubectl(&["autoscale", "deployment", "web", "--min=1", "--max=3", &name]).ok();
    }
    let rivals = status(&cluster, "two", "knows of its rival", |status| {
        condition(status, "ScalingActive")["reason"] == "AmbiguousSelector"
    });
    let message = "pods by selector app=web are controlled by multiple HPAs: \
                   [{one default} {two default}]";
    assert_eq!(condition(&rivals, "ScalingActive")["message"], message, "{rivals}");
    assert_eq!(cluster.object("deployment", "web").unwrap()["spec"]["replicas"], 1);
}
