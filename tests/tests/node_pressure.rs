//! What a node says and does when it runs out of something.

use std::process::Command;

use wk_tests::{Answer, Cluster, Options, eventually, wk_path};

/// Status and reason of one of the node's conditions.
fn condition(cluster: &Cluster, kind: &str) -> Option<(String, String)> {
    let node = cluster.object("node", "node-1")?;
    let conditions = node["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    let text = |field: &str| condition[field].as_str().map(str::to_owned);
    Some((text("status")?, text("reason")?))
}

#[test]
fn a_node_whose_disk_is_full_says_so_and_gets_no_pods() {
    let arguments = vec!["--eviction-hard=nodefs.available<100%".to_owned()];
    let cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    eventually("the node has disk pressure", || {
        let (status, reason) = condition(&cluster, "DiskPressure")?;
        (status == "True" && reason == "KubeletHasDiskPressure").then_some(())
    });
    assert_eq!(condition(&cluster, "MemoryPressure").unwrap().0, "False");
    eventually("the node is tainted", || {
        let node = cluster.object("node", "node-1")?;
        let taints = node["spec"]["taints"].as_array()?.clone();
        taints.iter().find(|taint| taint["key"] == "node.kubernetes.io/disk-pressure").cloned()
    });
    cluster.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: late}\nspec:\n  containers:\n  \
         - {name: main, image: registry.test/any:1}\n",
    );
    let said = cluster.events("late", "FailedScheduling");
    let named = "1 node(s) had untolerated taint(s)";
    assert!(said.contains(named), "{said}");
}

#[test]
fn a_threshold_that_is_none_is_refused_with_the_form_it_has() {
    for (threshold, named) in [
        ("nodefs.available=10%", "SIGNAL<AMOUNT"),
        ("disk.left<10%", "nodefs.available"),
        ("memory.available<much", "`much` is no amount"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(wk_path());
        command.args(["up", "--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0"]);
        command.arg("--eviction-hard").arg(threshold).arg("--data-dir").arg(folder.path());
        let said = Answer::run(command).refused();
        assert!(said.contains(named) && said.contains("--eviction-hard"), "{threshold}: {said}");
    }
}
