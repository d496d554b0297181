//! Pods go where their volumes are.

use serde_json::{Value, json};

use crate::plan::{Chance, choose};
use crate::testing::{World, key, unhelpful};

fn pod(claims: &[&str]) -> Value {
    let volume = |name: &&str| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
    json!({"spec": {"volumes": claims.iter().map(volume).collect::<Vec<_>>()}})
}

fn on(nodes: &[&str]) -> Value {
    json!({"required": {"nodeSelectorTerms": [{"matchExpressions":
        [{"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}]}]}})
}

/// A claim that has the volume `volume`.
fn bound(volume: &str) -> Value {
    json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"volumeName": volume}, "status": {"phase": "Bound"}})
}

fn of_class(class: &str) -> Value {
    json!({"spec": {"storageClassName": class}})
}

#[test]
fn a_claim_that_no_node_can_meet_is_named() {
    let refused = |case: &str, world: &World, pod: &Value, reason: &str| {
        let message = format!("0/3 nodes are available: {reason}. {}", unhelpful(3));
        world.check(case, pod, Err(&message));
    };
    let mut world = World::of_three();
    let data = pod(&["data"]);
    refused("no claim", &world, &data, "persistentvolumeclaim \"data\" not found");
    let ephemeral = json!({"spec": {"volumes": [{"name": "tmp", "ephemeral": {}}]}});
    refused(
        "its own claim is to come",
        &world,
        &ephemeral,
        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"new-tmp\"",
    );
    world.claim("data", &json!({}));
    let unbound = "pod has unbound immediate PersistentVolumeClaims";
    refused("no volume yet", &world, &data, unbound);
    world.class("later", &json!({"volumeBindingMode": "WaitForFirstConsumer"}));
    let mut promised = of_class("later");
    promised["spec"]["volumeName"] = json!("v");
    world.claim("data", &promised);
    refused("promised and not yet bound", &world, &data, unbound);
    let mut going = bound("v");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    world.claim("data", &going);
    refused("it is going", &world, &data, "persistentvolumeclaim \"data\" is being deleted");
    let mut lost = bound("v");
    lost["status"]["phase"] = json!("Lost");
    world.claim("data", &lost);
    refused(
        "its volume is lost",
        &world,
        &data,
        "persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"v\"",
    );
}

#[test]
fn a_pod_goes_where_its_volume_is_reachable() {
    let mut world = World::of_three();
    world.claim("data", &bound("v"));
    let gone = format!(
        "0/3 nodes are available: 3 node(s) unavailable due to one or more pvc(s) bound to \
         non-existent pv(s). {}",
        unhelpful(3)
    );
    world.check("no volume", &pod(&["data"]), Err(&gone));
    world.volume("v", &json!({"spec": {"nodeAffinity": on(&["b"])}}));
    world.check("its machine", &pod(&["data"]), Ok("b"));
    world.volume("v", &json!({"spec": {"nodeAffinity": on(&["z"])}}));
    let nowhere = format!(
        "0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity. {}",
        unhelpful(3)
    );
    world.check("nowhere", &pod(&["data"]), Err(&nowhere));
}

#[test]
fn a_pod_goes_to_the_zone_of_its_volume() {
    let zone = "topology.kubernetes.io/zone";
    let mut world = World::new();
    for (name, own) in [("a", "1"), ("b", "2")] {
        world.node(name, |node| node["metadata"]["labels"][zone] = json!(own));
    }
    world.claim("data", &bound("v"));
    world.volume("v", &json!({"metadata": {"labels": {zone: "2__3"}}}));
    world.check("its zone", &pod(&["data"]), Ok("b"));
    world.volume("v", &json!({"metadata": {"labels": {zone: "4"}}}));
    let nowhere = format!(
        "0/2 nodes are available: 2 node(s) had no available volume zone. {}",
        unhelpful(2)
    );
    world.check("no node is there", &pod(&["data"]), Err(&nowhere));
}

/// The node of a pod, the volumes it gets and the claims for which one is made.
fn planned(world: &World, pod: &Value) -> (String, Vec<String>, Vec<String>) {
    let pod = world.pod("new", pod);
    let (chosen, _) = choose(&world.profile, &pod, &world.cluster, Chance::default());
    let chosen = chosen.unwrap();
    let bind = chosen.volumes.bind.iter().map(|(claim, volume)| format!("{} {volume}", claim.name));
    let provision = chosen.volumes.provision.iter().map(|claim| claim.name.clone());
    (chosen.node.to_string(), bind.collect(), provision.collect())
}

#[test]
fn a_claim_that_waits_gets_the_smallest_volume_that_will_do() {
    let mut world = World::of_three();
    world.class(
        "local",
        &json!({"provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer"}),
    );
    world.claim("data", &of_class("local"));
    let none = format!(
        "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. {}",
        unhelpful(3)
    );
    world.check("no volume", &pod(&["data"]), Err(&none));
    let volume = |size: &str, nodes: &[&str]| {
        json!({"spec": {"storageClassName": "local", "capacity": {"storage": size},
            "nodeAffinity": on(nodes)}})
    };
    world.volume("large", &volume("9Gi", &["b"]));
    world.volume("small", &volume("2Gi", &["b"]));
    world.volume("tiny", &volume("1Mi", &["a"]));
    world.volume("foreign", &json!({"spec": {"nodeAffinity": on(&["b"])}}));
    let one = |claim: &str, volume: &str| {
        ("b".to_owned(), vec![format!("{claim} {volume}")], Vec::<String>::new())
    };
    assert_eq!(planned(&world, &pod(&["data"])), one("data", "small"));
    // A volume that is promised to another pod's claim is no longer there.
    world.claim("more", &of_class("local"));
    let first = world.pod("first", &pod(&["data"]));
    let (chosen, _) = choose(&world.profile, &first, &world.cluster, Chance::default());
    let plan = chosen.unwrap().volumes;
    world.cluster.storage.assume(&plan);
    assert_eq!(planned(&world, &pod(&["more"])), one("more", "large"));
    world.cluster.storage.forget(&plan);
    assert_eq!(planned(&world, &pod(&["more"])), one("more", "small"));
    let both = planned(&world, &pod(&["data", "more"]));
    assert_eq!(both.1, ["data small", "more large"], "each gets its own");
    // A volume that waits for this claim is the one.
    let mut kept = volume("9Gi", &["c"]);
    kept["spec"]["claimRef"] = json!({"namespace": "default", "name": "more"});
    world.volume("kept", &kept);
    world.node("b", |node| node["spec"]["unschedulable"] = json!(true));
    let chosen = planned(&world, &pod(&["more"]));
    assert_eq!(chosen, ("c".to_owned(), vec!["more kept".to_owned()], Vec::new()));
}

#[test]
fn a_volume_can_be_made_where_its_class_allows_it() {
    let mut world = World::of_three();
    world.class(
        "made",
        &json!({"volumeBindingMode": "WaitForFirstConsumer",
        "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["2"]}]}]}),
    );
    world.claim("data", &of_class("made"));
    let made = ("c".to_owned(), Vec::new(), vec!["data".to_owned()]);
    assert_eq!(planned(&world, &pod(&["data"])), made);
    // Once a node was named for it, that node it is.
    let mut selected = of_class("made");
    selected["metadata"] = json!({"annotations": {"volume.kubernetes.io/selected-node": "a"}});
    world.claim("data", &selected);
    let conflict = format!(
        "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. {}",
        unhelpful(3)
    );
    world.check("a node that the class does not allow", &pod(&["data"]), Err(&conflict));
}

#[test]
fn a_volume_for_one_pod_is_for_one_pod() {
    let mut world = World::of_three();
    let mut claim = bound("v");
    claim["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
    world.claim("data", &claim);
    world.volume("v", &json!({}));
    world.check_any("nobody has it", &pod(&["data"]), &["a", "b", "c"]);
    world.place("first", &pod(&["data"]), "a");
    world.check(
        "somebody has it",
        &pod(&["data"]),
        Err("0/3 nodes are available: 3 node has pod using PersistentVolumeClaim with the same \
             name and ReadWriteOncePod access mode. preemption: 0/3 nodes are available: 3 No \
             preemption victims found for incoming pod."),
    );
    world.cluster.remove_pod(&key("first"));
    world.check_any("nobody has it again", &pod(&["data"]), &["a", "b", "c"]);
}

/// A volume that the driver `p` attaches, reachable from everywhere.
fn attached_as(handle: &str) -> Value {
    json!({"spec": {"csi": {"driver": "p", "volumeHandle": handle}}})
}

#[test]
fn a_node_gets_as_many_volumes_as_can_be_attached() {
    let mut world = World::of_three();
    for name in ["one", "same", "two", "other"] {
        world.claim(name, &bound(name));
    }
    world.volume("one", &attached_as("1"));
    world.volume("same", &attached_as("1"));
    world.volume("two", &attached_as("2"));
    world.volume("other", &json!({"spec": {"csi": {"driver": "q", "volumeHandle": "1"}}}));
    world.place("first", &pod(&["one"]), "a");
    for node in ["a", "b", "c"] {
        world.limit(node, 1);
    }
    world.check_any("there is room elsewhere", &pod(&["two"]), &["b", "c"]);
    world.check_any("it is attached there already", &pod(&["same"]), &["a", "b", "c"]);
    world.check_any("another driver", &pod(&["other"]), &["a", "b", "c"]);
    world.check_any("no volume", &json!({}), &["a", "b", "c"]);
    for node in ["b", "c"] {
        world.limit(node, 0);
    }
    world.check(
        "all are full",
        &pod(&["two"]),
        Err("0/3 nodes are available: 3 node(s) exceed max volume count. preemption: 0/3 nodes \
             are available: 3 No preemption victims found for incoming pod."),
    );
    let urgent = crate::testing::both(pod(&["two"]), &json!({"spec": {"priority": 1}}));
    let refused = world.choose(&world.pod("new", &urgent), 0).unwrap_err();
    let crate::plan::Preemption::Room { node, victims, .. } = refused.preemption else {
        panic!("{refused:?}")
    };
    assert_eq!((&*node, victims.len(), &*victims[0].name), ("a", 1, "first"));
    world.cluster.remove_pod(&key("first"));
    world.check("it is detached", &pod(&["two"]), Ok("a"));
}

#[test]
fn volumes_that_are_to_be_made_count_as_attached() {
    let mut world = World::of_three();
    world.class("made", &json!({"volumeBindingMode": "WaitForFirstConsumer"}));
    world.claim("data", &of_class("made"));
    world.claim("more", &of_class("made"));
    for node in ["a", "b"] {
        world.limit(node, 0);
    }
    world.limit("c", 1);
    world.check("one fits", &pod(&["data"]), Ok("c"));
    world.place("first", &pod(&["data"]), "c");
    let full = "0/3 nodes are available: 3 node(s) exceed max volume count. preemption: 0/3 nodes \
                are available: 3 No preemption victims found for incoming pod.";
    world.check("a second one does not", &pod(&["more"]), Err(full));
}

#[test]
fn a_volume_is_made_where_the_driver_has_room_for_it() {
    let mut world = World::of_three();
    world.class("made", &json!({"volumeBindingMode": "WaitForFirstConsumer"}));
    world.claim("data", &of_class("made"));
    world.check_any("the driver does not say", &pod(&["data"]), &["a", "b", "c"]);
    world.telling_driver();
    let full = format!(
        "0/3 nodes are available: 3 node(s) did not have enough free storage. {}",
        unhelpful(3)
    );
    world.check("it says nothing yet", &pod(&["data"]), Err(&full));
    let zone = |zone: &str| json!({"matchLabels": {"zone": zone}});
    world.capacity("elsewhere", "other", &json!({"capacity": "9Gi", "nodeTopology": {}}));
    world.capacity("nowhere", "made", &json!({"capacity": "9Gi"}));
    world.capacity(
        "small",
        "made",
        &json!({"capacity": "9Gi", "maximumVolumeSize": "1Mi",
        "nodeTopology": zone("1")}),
    );
    world.check("another class, no node, too small", &pod(&["data"]), Err(&full));
    world.capacity("large", "made", &json!({"capacity": "1Gi", "nodeTopology": zone("2")}));
    world.check("room in one zone", &pod(&["data"]), Ok("c"));
}
