//! A thousand pods on one node.

use std::fmt::Write as _;

use wk_tests::{Cluster, eventually};

const PODS: usize = 1_000;

#[test]
fn a_thousand_pods_run_on_one_node() {
    let mut cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let mut manifest = String::new();
    for number in 0..PODS {
        write!(
            manifest,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web-{number}}}\nspec:\n  containers:\n  \
             - {{name: web, image: \"{image}\", ports: [{{containerPort: 8080}}]}}\n"
        )
        .unwrap();
    }
    cluster.apply(&manifest);
    eventually("all pods are ready", || {
        let path = "jsonpath={.items[*].status.containerStatuses[0].ready}";
        let ready = cluster.kubectl(&["get", "pods", "-o", path, "--chunk-size=0"]).stdout;
        (ready.split_whitespace().filter(|word| *word == "true").count() == PODS).then_some(())
    });
    for name in ["web-0", "web-499", "web-999"] {
        assert_eq!(cluster.page(name, 8080, "/").status, 200, "{name}");
    }
    let resident = cluster.daemon().resident_kib();
    assert!(resident < 400 * 1024, "a thousand idle pods take {resident} KiB");
    cluster.kubectl(&["delete", "pods", "--all", "--wait=false"]).ok();
    eventually("all pods are gone", || {
        let left = cluster.kubectl(&["get", "pods", "-o", "name"]).ok();
        left.trim().is_empty().then_some(())
    });
}
