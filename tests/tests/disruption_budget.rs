//! A drain waits for disruption budgets.

use wk_tests::{Cluster, eventually};

#[test]
fn a_drain_goes_as_far_as_the_budget_allows() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.kubectl(&["create", "deployment", "web", "--image", &image, "--replicas=3"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=100s"]).ok();
    let create = ["create", "pdb", "web", "--selector=app=web", "--min-available=70%"];
    cluster.kubectl(&create).ok();
    eventually("the budget is worked out", || {
        let status = cluster.object("pdb", "web")?["status"].clone();
        let condition = &status["conditions"][0];
        let is_right = status["expectedPods"] == 3
            && status["desiredHealthy"] == 3
            && status["currentHealthy"] == 3
            && status["disruptionsAllowed"] == 0
            && condition["reason"] == "InsufficientPods";
        is_right.then_some(())
    });
    let told = cluster.kubectl(&["drain", "node-1", "--force", "--timeout=2s"]).refused();
    assert!(told.contains("Cannot evict pod as it would violate the pod's disruption budget"));
    cluster.kubectl(&["uncordon", "node-1"]).ok();

    let loose = r#"{"spec":{"minAvailable":"50%"}}"#;
    cluster.kubectl(&["patch", "pdb", "web", "--type=merge", "-p", loose]).ok();
    eventually("one may go", || {
        let shown = cluster.kubectl(&["get", "pdb", "web", "--no-headers"]).ok();
        let columns: Vec<&str> = shown.split_whitespace().collect();
        (columns[..4] == ["web", "50%", "N/A", "1"]).then_some(())
    });
    // Without a budget all may go at once.
    cluster.kubectl(&["delete", "pdb", "web"]).ok();
    cluster.kubectl(&["drain", "node-1", "--force", "--timeout=60s"]).ok();
}
