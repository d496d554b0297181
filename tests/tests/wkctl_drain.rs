//! `wkctl drain` sends pods away, and stops where something would be lost.

use wk_tests::{Cluster, SideBySide, eventually, matches};

const PODS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: IMAGE}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: IMAGE}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: data}
spec:
  replicas: 1
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: d, emptyDir: {}}]
      containers: [{name: web, image: IMAGE}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
";

#[test]
fn a_drain_heeds_budgets_and_what_would_be_lost() {
    let cluster = Cluster::start();
    let image = format!("{}/hello:1", cluster.registry());
    let guest = wk_tests::example("hello-http");
    cluster.wkctl(&["push", guest.to_str().expect("a path in UTF-8"), &image]).ok();
    cluster.wkctl_with(&["apply", "-f", "-"], &PODS.replace("IMAGE", &image)).ok();
    cluster.wkctl(&["wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s"]).ok();
    cluster.wkctl(&["rollout", "status", "deploy/web", "--timeout=60s"]).ok();
    eventually("the budget has counted its pods", || {
        let path = "jsonpath={.status.currentHealthy}";
        (cluster.kubectl(&["get", "pdb", "web", "-o", path]).stdout == "2").then_some(())
    });

    let refused = cluster.wkctl(&["drain", "node-1"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, "node/node-1 cordoned\n"));
    let bare = "cannot delete Pods that declare no controller (use --force to override): \
                default/bare";
    let said = refused.stderr.lines().next().unwrap_or_default();
    assert!(said.contains(bare) && said.contains("use --delete-emptydir-data"), "{said}");

    let forced = ["drain", "node-1", "--force", "--delete-emptydir-data", "--timeout=7s"];
    let stopped = cluster.wkctl(&forced);
    assert_eq!(stopped.code, 1, "{stopped:?}");
    for line in ["pod/bare evicted", "node/node-1 already cordoned"] {
        assert!(stopped.stdout.lines().any(|known| known == line), "{line}: {stopped:?}");
    }
    for part in [
        "Warning: deleting Pods that declare no controller: default/bare",
        "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.",
        "-n \"default\": global timeout reached: 7s",
        "There are pending nodes to be drained:\n node-1\n",
    ] {
        assert!(stopped.stderr.contains(part), "{part}: {}", stopped.stderr);
    }

    cluster.wkctl(&["delete", "pdb", "web"]).ok();
    let drained = cluster.wkctl(&["drain", "node-1", "--delete-emptydir-data"]).ok();
    let all = "node/node-1 already cordoned\n...\nnode/node-1 drained";
    assert!(matches(all, &drained), "{drained}");
    assert_eq!(drained.matches(" evicted\n").count(), 2, "{drained}");

    let both = SideBySide::of(&cluster);
    both.agree(&["drain node-1", "drain node-1 --disable-eviction --pod-selector=a=b"]);
    assert_eq!(both.ours("uncordon node-1"), "node/node-1 uncordoned\n");
    both.ours("rollout status deploy/web --timeout=60s");

    let gone = cluster.wkctl(&[
        "drain",
        "node-1",
        "--disable-eviction",
        "--grace-period=0",
        "--pod-selector=app=web",
    ]);
    assert_eq!(gone.ok().matches(" deleted\n").count(), 2);
}
