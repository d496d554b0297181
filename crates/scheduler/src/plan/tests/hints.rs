//! Which changes may help a pod that was refused.

use serde_json::{Value, json};

use crate::framework::{Change, DriverWord, Turn};
use crate::testing::{World, asking, both, key};

/// Checks whether a change helps a pod that the world refuses, by the filters that refused it.
#[track_caller]
fn check(case: &str, world: &World, pod: &Value, change: &Change<'_>, expected: bool) {
    let pod = world.pod("new", pod);
    let refused_by = world.choose(&pod, 0).unwrap_err().refused_by;
    let profile = &world.profile;
    let minds = profile.minding(change.kind()).meets(refused_by);
    let is_helped = minds && profile.is_helped(&pod, refused_by, change, &world.cluster);
    assert_eq!(is_helped, expected, "{case}");
}

fn labelled(name: &str) -> Value {
    json!({"metadata": {"labels": {"app": name}}})
}

fn term(app: &str) -> Value {
    json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone"})
}

#[test]
fn the_first_node_helps_everybody() {
    let mut other = World::new();
    let node = other.node("a", |_| {});
    let world = World::new();
    check("a node", &world, &json!({}), &Change::NodeCame(&node), true);
    let pod = world.pod("x", &json!({}));
    check("a pod", &world, &json!({}), &Change::PodCame(&pod), false);
}

#[test]
fn a_node_helps_once_it_is_what_the_pod_lacks() {
    let mut world = World::new();
    let taint = json!([{"key": "k", "effect": "NoSchedule"}]);
    let before = world.node("a", |node| node["spec"]["taints"] = taint);
    let mut other = World::new();
    let open = other.node("a", |_| {});
    let labelled = other.node("a", |node| node["metadata"]["labels"]["disk"] = json!("ssd"));
    let opened = Change::NodeChanged(&before, &open);
    check("the taint is gone", &world, &json!({}), &opened, true);
    let same = Change::NodeChanged(&before, &before);
    check("it is not", &world, &json!({}), &same, false);
    let pod = world.pod("x", &json!({}));
    check("another pod went", &world, &json!({}), &Change::PodWent(&pod), false);
    let choosy = json!({"spec": {"nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}]}});
    check("its label came", &world, &choosy, &Change::NodeChanged(&before, &labelled), true);
    check("another change", &world, &choosy, &opened, false);
    check("a node without it", &world, &choosy, &Change::NodeCame(&open), false);
}

#[test]
fn pods_help_those_that_want_them_near_or_far() {
    let with = |kind: &str| {
        json!({"spec": {"affinity": {
            kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term("db")]}}}})
    };
    let (near, far) = (with("podAffinity"), with("podAntiAffinity"));
    let mut world = World::of_three();
    let (db, web) = (world.pod("db", &labelled("db")), world.pod("web", &labelled("web")));
    check("the wanted one came", &world, &near, &Change::PodCame(&db), true);
    check("another one came", &world, &near, &Change::PodCame(&web), false);
    check("it is the wanted one now", &world, &near, &Change::PodChanged(&web, &db), true);
    let (a, c) = (world.place("d1", &labelled("db"), "a"), world.place("d2", &labelled("db"), "c"));
    check("the unwanted one went", &world, &far, &Change::PodWent(&a), true);
    check("another one came", &world, &far, &Change::PodCame(&c), false);
    check("another one went", &world, &far, &Change::PodWent(&web), false);
    let mut world = World::of_three();
    for (name, node) in [("s1", "a"), ("s2", "c")] {
        world.place(name, &far, node);
    }
    let shy = world.pod("shy", &far);
    check("the averse one went", &world, &labelled("db"), &Change::PodWent(&shy), true);
    check("another one went", &world, &labelled("db"), &Change::PodWent(&web), false);
}

#[test]
fn spreading_is_helped_by_pods_like_it_and_by_places() {
    let spread = both(
        labelled("web"),
        &json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}}]}}),
    );
    let mut world = World::of_three();
    let cordoned = world.node("c", |node| {
        node["metadata"]["labels"]["zone"] = json!("2");
        node["spec"]["unschedulable"] = json!(true);
    });
    let web = world.place("w1", &labelled("web"), "a");
    let db = world.place("db", &labelled("db"), "a");
    check("one like it went", &world, &spread, &Change::PodWent(&web), true);
    check("one like it came elsewhere", &world, &spread, &Change::PodCame(&web), true);
    check("another one went", &world, &spread, &Change::PodWent(&db), false);
    check("a place is gone", &world, &spread, &Change::NodeWent(&cordoned), true);
    let bare = World::new().node("d", |_| {});
    check("a node that is in no place went", &world, &spread, &Change::NodeWent(&bare), false);
}

#[test]
fn amounts_are_helped_by_pods_that_go_or_shrink() {
    let mut world = World::new();
    world.node("a", |_| {});
    let large = world.place("x", &asking("4", "1Gi"), "a");
    let small = world.pod("x", &asking("1", "1Gi"));
    check("it went", &world, &asking("1", "1Gi"), &Change::PodWent(&large), true);
    check("it shrank", &world, &asking("1", "1Gi"), &Change::PodChanged(&large, &small), true);
    check(
        "it is the same",
        &world,
        &asking("1", "1Gi"),
        &Change::PodChanged(&large, &large),
        false,
    );
}

#[test]
fn volumes_are_helped_by_their_own_claims() {
    let mut world = World::of_three();
    world.claim("data", &json!({}));
    let pod = json!({"spec": {"volumes":
        [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}});
    check("its claim", &world, &pod, &Change::Claim(&key("data"), Turn::Updated), true);
    check("another claim", &world, &pod, &Change::Claim(&key("other"), Turn::Updated), false);
    check("a volume", &world, &pod, &Change::Volume(Turn::Added), true);
    check("a driver", &world, &pod, &Change::Driver(DriverWord::Capacity, Turn::Added), true);
    let other = world.pod("x", &json!({}));
    check("a pod", &world, &pod, &Change::PodWent(&other), false);
}
