//! The Python client, unmodified.

use std::process::Command;

use wk_tests::{Cluster, python_with};

const PROGRAM: &str = r#"
import sys
from kubernetes import client, config, watch

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()
image = sys.argv[2]
pod = client.V1Pod(
    metadata=client.V1ObjectMeta(name="snake", labels={"from": "python"}),
    spec=client.V1PodSpec(containers=[client.V1Container(name="web", image=image)]),
)
created = core.create_namespaced_pod("default", pod)
assert created.metadata.uid
listed = core.list_namespaced_pod("default", label_selector="from=python")
assert [item.metadata.name for item in listed.items] == ["snake"]
seen = []
for event in watch.Watch().stream(
    core.list_namespaced_pod, "default", label_selector="from=python", timeout_seconds=60
):
    seen.append(event["type"])
    conditions = event["object"].status.conditions or []
    if any(c.type == "Ready" and c.status == "True" for c in conditions):
        break
else:
    raise SystemExit(f"never ready: {seen}")
assert seen[0] == "ADDED", seen
core.delete_namespaced_pod("snake", "default")
try:
    core.read_namespaced_pod("absent", "default")
except client.ApiException as error:
    assert error.status == 404 and error.reason == "Not Found", error
else:
    raise SystemExit("an absent pod was found")
print("ok")
"#;

#[test]
#[ignore = "needs Python 3 with venv, and its `kubernetes` package"]
fn the_python_client_lists_watches_and_creates_pods() {
    let python = python_with("python-kubernetes", &["kubernetes==34.1.0"]);
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let output = Command::new(python)
        .args(["-c", PROGRAM])
        .arg(cluster.kubeconfig())
        .arg(&image)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stdout == b"ok\n",
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
