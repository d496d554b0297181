//! `wkctl rollout`, `scale` and `set` on a deployment of real pods.

use wk_tests::{Cluster, SideBySide, eventually};

fn cluster() -> (Cluster, String) {
    let cluster = Cluster::start();
    let registry = cluster.registry();
    let guest = wk_tests::example("hello-http");
    let guest = guest.to_str().expect("a path in UTF-8");
    for tag in ["1", "2"] {
        cluster.wkctl(&["push", guest, &format!("{registry}/hello:{tag}")]).ok();
    }
    (cluster, registry)
}

#[test]
fn a_deployment_rolls_out_back_and_anew() {
    let (cluster, registry) = cluster();
    let both = SideBySide::of(&cluster);
    let image = |tag: &str| format!("hello={registry}/hello:{tag}");
    let first = format!("--image={registry}/hello:1");
    cluster.wkctl(&["create", "deployment", "web", &first, "--replicas=2"]).ok();
    let done = "deployment \"web\" successfully rolled out\n";
    let told = both.ours("rollout status deploy/web --timeout=60s");
    assert!(told.ends_with(done), "{told}");

    let set = cluster.wkctl(&["set", "image", "deploy/web", &image("2")]).ok();
    assert_eq!(set, "deployment.apps/web image updated\n");
    assert!(both.ours("rollout status deploy/web --timeout=60s").ends_with(done));
    eventually("the second revision is recorded", || {
        both.ours("rollout history deploy/web").contains("\n2 ").then_some(())
    });
    both.agree(&[
        "rollout status deploy/web",
        "rollout status deploy/web --watch=false",
        "rollout status deploy/web --revision=1",
        "rollout history deploy/web",
        "rollout history deploy/web --revision=2",
        "rollout history deploy/web --revision=1 -o name",
        "rollout undo deploy/web --dry-run=client",
        "rollout undo deploy/web --dry-run=server",
        "rollout undo deploy/web --to-revision=2",
        "rollout undo deploy/web --to-revision=9",
        "rollout undo deploy/web --to-revision=-1",
        "describe deploy/web --show-events=false",
        "describe rs --show-events=false",
        "describe pods --show-events=false",
        "describe svc/kubernetes",
    ]);

    assert_eq!(both.ours("rollout undo deploy/web"), "deployment.apps/web rolled back\n");
    both.ours("rollout status deploy/web --timeout=60s");
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let now = cluster.kubectl(&["get", "deploy", "web", "-o", path]).ok();
    assert_eq!(now, format!("{registry}/hello:1"));

    assert_eq!(both.ours("rollout pause deploy/web"), "deployment.apps/web paused\n");
    both.agree(&[
        "rollout pause deploy/web",
        "rollout undo deploy/web",
        "rollout restart deploy/web",
    ]);
    assert_eq!(both.ours("rollout resume deploy/web"), "deployment.apps/web resumed\n");
    let before = both.ours("get pods -o name");
    assert_eq!(both.ours("rollout restart deploy/web"), "deployment.apps/web restarted\n");
    both.ours("rollout status deploy/web --timeout=60s");
    eventually("all pods are new", || {
        let now = both.ours("get pods -o name");
        let kept = now.lines().any(|name| before.contains(name));
        (!kept && now.lines().count() == 2).then_some(())
    });
    let history = both.ours("rollout history deploy/web");
    let revisions: Vec<&str> =
        history.lines().skip(2).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(revisions[..revisions.len() - 1], ["2", "3", "4"], "{history}");
}

#[test]
fn replicas_follow_and_logs_wait_for_a_pod() {
    let (cluster, registry) = cluster();
    let both = SideBySide::of(&cluster);
    let image = format!("--image={registry}/hello:1");
    cluster.wkctl(&["create", "deployment", "web", &image, "--replicas=0"]).ok();
    let none = cluster.wkctl(&["logs", "deploy/web", "--pod-running-timeout=1s"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("timed out waiting for the condition"), "{none:?}");

    let scaled = both.ours("scale deploy/web --replicas=3 --timeout=60s");
    assert_eq!(scaled, "deployment.apps/web scaled\n");
    both.ours("rollout status deploy/web --timeout=60s");
    assert_eq!(both.ours("get pods -o name").lines().count(), 3);
    both.agree(&[
        "scale deploy/web --replicas=3 --current-replicas=3",
        "scale deploy/web --replicas=1 --current-replicas=9",
        "scale deploy/web --replicas=1 --resource-version=1",
        "wait --for=condition=Available deploy/web",
        "describe deploy/web --show-events=false",
    ]);
    let gone = both.ours("delete deploy web --cascade=foreground --timeout=60s");
    assert_eq!(gone, "deployment.apps \"web\" deleted from default namespace\n");
}
