//! Pods near and far from each other.

use serde_json::{Value, json};

use crate::testing::{World, both, unhelpful};

fn app(name: &str) -> Value {
    json!({"metadata": {"labels": {"app": name}}})
}

fn term(app: &str, key: &str) -> Value {
    json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key})
}

/// A pod with terms of this kind (`podAffinity` or `podAntiAffinity`).
fn with(kind: &str, terms: &[Value]) -> Value {
    json!({"spec": {"affinity": {
        kind: {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}})
}

fn preferring(kind: &str, term: &Value) -> Value {
    json!({"spec": {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution":
        [{"weight": 50, "podAffinityTerm": term}]}}}})
}

#[test]
fn a_pod_goes_near_those_that_it_needs() {
    let mut world = World::of_three();
    let near = with("podAffinity", &[term("db", "zone")]);
    let nobody = format!(
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. {}",
        unhelpful(3)
    );
    world.check("nobody is there", &near, Err(&nobody));
    world.place("db", &app("db"), "a");
    world.check_any("the same zone", &near, &["a", "b"]);
    let both_terms = with("podAffinity", &[term("db", "zone"), term("db", "rack")]);
    world.check("a label that no node has", &both_terms, Err(&nobody));
}

#[test]
fn terms_together_are_about_one_pod() {
    let mut world = World::of_three();
    world.place("db", &app("db"), "a");
    world.place("cache", &app("cache"), "a");
    let either = [term("db", "zone"), term("cache", "zone")];
    let nobody = format!(
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. {}",
        unhelpful(3)
    );
    world.check("no pod is both", &with("podAffinity", &either), Err(&nobody));
}

#[test]
fn the_first_of_a_group_may_go_anywhere() {
    let mut world = World::of_three();
    let own = both(app("db"), &with("podAffinity", &[term("db", "zone")]));
    world.check_any("nobody is there yet", &own, &["a", "b", "c"]);
    world.place("first", &own, "c");
    world.check("the second follows", &own, Ok("c"));
}

#[test]
fn a_pod_stays_away_from_those_that_it_dislikes_and_that_dislike_it() {
    let mut world = World::of_three();
    world.place("db", &app("db"), "a");
    let far = with("podAntiAffinity", &[term("db", "zone")]);
    world.check("the other zone", &far, Ok("c"));
    let everywhere = both(app("x"), &with("podAntiAffinity", &[term("db", "kubernetes.io/os")]));
    world.check_any("a label that no node has separates nothing", &everywhere, &["a", "b", "c"]);
    world.place("shy", &with("podAntiAffinity", &[term("web", "kubernetes.io/hostname")]), "c");
    world.check_any("the aversion of others", &app("web"), &["a", "b"]);
    world.check(
        "both",
        &both(app("web"), &far),
        Err(
            "0/3 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules, \
         2 node(s) didn't match pod anti-affinity rules. preemption: 0/3 nodes are available: \
         3 No preemption victims found for incoming pod.",
        ),
    );
}

#[test]
fn one_replica_a_machine() {
    let mut world = World::of_three();
    let web = both(app("web"), &with("podAntiAffinity", &[term("web", "kubernetes.io/hostname")]));
    for (name, node) in [("w1", "a"), ("w2", "b")] {
        world.place(name, &web, node);
    }
    world.check("the last machine", &web, Ok("c"));
    world.place("w3", &web, "c");
    world.check(
        "no machine",
        &web,
        Err(
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. preemption: \
         0/3 nodes are available: 3 No preemption victims found for incoming pod.",
        ),
    );
}

#[test]
fn terms_are_about_namespaces() {
    let mut world = World::of_three();
    world.namespace("other", json!({"team": "red"}));
    world.place("db", &both(app("db"), &json!({"metadata": {"namespace": "other"}})), "c");
    let with_more =
        |more: &Value| with("podAffinity", &[both(term("db", "kubernetes.io/hostname"), more)]);
    let nobody = format!(
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. {}",
        unhelpful(3)
    );
    for (case, more, expected) in [
        ("its own", json!({}), Err(nobody.as_str())),
        ("by name", json!({"namespaces": ["other"]}), Ok("c")),
        ("all", json!({"namespaceSelector": {}}), Ok("c")),
        ("by label", json!({"namespaceSelector": {"matchLabels": {"team": "red"}}}), Ok("c")),
        ("another", json!({"namespaceSelector": {"matchLabels": {"team": "blue"}}}), Err(&*nobody)),
    ] {
        world.check(case, &with_more(&more), expected);
    }
}

#[test]
fn terms_may_be_about_the_same_version_only() {
    let mut world = World::of_three();
    let version = |version: &str| {
        let mut term = term("web", "kubernetes.io/hostname");
        term["matchLabelKeys"] = json!(["version"]);
        let labels = json!({"metadata": {"labels": {"app": "web", "version": version}}});
        both(labels, &with("podAntiAffinity", &[term]))
    };
    world.place("w1", &version("1"), "a");
    world.place("w2", &version("1"), "b");
    world.check("the same version", &version("1"), Ok("c"));
    world.check_any("another version", &version("2"), &["a", "b", "c"]);
}

#[test]
fn preferences_of_both_sides_count() {
    let mut world = World::of_three();
    world.place("db", &app("db"), "a");
    let host = "kubernetes.io/hostname";
    world.check("likes", &preferring("podAffinity", &term("db", host)), Ok("a"));
    world.check("dislikes", &preferring("podAntiAffinity", &term("db", "zone")), Ok("c"));
    let mut world = World::of_three();
    world.place("fan", &preferring("podAffinity", &term("web", host)), "b");
    world.check("is liked", &app("web"), Ok("b"));
    let mut world = World::of_three();
    world.place("needy", &with("podAffinity", &[term("web", host)]), "b");
    world.check("is needed", &app("web"), Ok("b"));
}
