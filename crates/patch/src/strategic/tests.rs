//! Strategic merge patches: directives case by case, and laws for arbitrary objects.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn message(kind: &str) -> &'static Message {
    let group = if kind == "Deployment" { "apps" } else { "" };
    wk_schema::kind(group, "v1", kind).unwrap()
}

#[track_caller]
fn check(case: &str, kind: &str, object: Value, patch: Value, expected: Value) {
    assert_eq!(apply(object, patch, message(kind)), Ok(expected), "{case}");
}

#[track_caller]
fn refused(case: &str, object: Value, patch: Value, expected: &str) {
    let error = apply(object, patch, message("Pod")).unwrap_err();
    assert_eq!(error.to_string(), expected, "{case}");
}

#[expect(clippy::needless_pass_by_value, reason = "calls read better with a literal")]
fn containers(items: Value) -> Value {
    json!({"spec": {"containers": items}})
}

#[test]
fn lists_merge_by_their_key() {
    check(
        "an item changes, another is added",
        "Pod",
        containers(json!([{"name": "a", "image": "x", "tty": true}, {"name": "b", "image": "y"}])),
        containers(json!([{"name": "a", "image": "z"}, {"name": "c", "image": "n"}])),
        containers(json!([
            {"name": "a", "image": "z", "tty": true},
            {"name": "c", "image": "n"},
            {"name": "b", "image": "y"},
        ])),
    );
    check(
        "nested lists merge by theirs",
        "Deployment",
        json!({"spec": {"template": containers(json!([
            {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        ]))}}),
        json!({"spec": {"template": containers(json!([
            {"name": "a", "env": [{"name": "Y", "value": "3"}]},
        ]))}}),
        json!({"spec": {"template": containers(json!([
            {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}]},
        ]))}}),
    );
    check(
        "atomic lists are replaced",
        "Pod",
        containers(json!([{"name": "a", "args": ["1", "2"]}])),
        containers(json!([{"name": "a", "args": ["3"]}])),
        containers(json!([{"name": "a", "args": ["3"]}])),
    );
    check(
        "sets of primitives grow",
        "Pod",
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"finalizers": ["b", "c"]}}),
        json!({"metadata": {"finalizers": ["a", "b", "c"]}}),
    );
}

#[test]
fn null_deletes() {
    check(
        "fields, also in items and maps",
        "Pod",
        json!({"metadata": {"labels": {"a": "1", "b": "2"}},
               "spec": {"hostname": "h", "containers": [{"name": "a", "image": "x"}]}}),
        json!({"metadata": {"labels": {"a": null}},
               "spec": {"hostname": null, "containers": [{"name": "a", "image": null}]}}),
        json!({"metadata": {"labels": {"b": "2"}}, "spec": {"containers": [{"name": "a"}]}}),
    );
    check(
        "what is not there is no fault, and null is not stored",
        "Pod",
        json!({}),
        json!({"metadata": {"labels": {"a": null}, "name": null}}),
        json!({"metadata": {"labels": {}}}),
    );
}

#[test]
fn patch_directives() {
    check(
        "replace a map",
        "Pod",
        json!({"metadata": {"labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {"$patch": "replace", "b": "2"}}}),
        json!({"metadata": {"labels": {"b": "2"}}}),
    );
    check(
        "delete a map's content",
        "Pod",
        json!({"metadata": {"labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {"$patch": "delete"}}}),
        json!({"metadata": {"labels": {}}}),
    );
    check(
        "merge is what happens anyway",
        "Pod",
        json!({"metadata": {"labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {"$patch": "merge", "b": "2"}}}),
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
    );
    check(
        "delete an item",
        "Pod",
        containers(json!([{"name": "a"}, {"name": "b"}])),
        containers(
            json!([{"name": "a", "$patch": "delete"}, {"name": "gone", "$patch": "delete"}]),
        ),
        containers(json!([{"name": "b"}])),
    );
    check(
        "replace a list",
        "Pod",
        containers(json!([{"name": "a"}, {"name": "b"}])),
        containers(json!([{"$patch": "replace"}, {"name": "c"}])),
        containers(json!([{"name": "c"}])),
    );
    check(
        "directives do not end up in new objects",
        "Pod",
        json!({}),
        json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}, {"name": "b"}],
               "$setElementOrder/containers": [{"name": "b"}],
               "$retainKeys": ["containers"]},
               "metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}),
        json!({"spec": {"containers": [{"name": "b"}]}, "metadata": {}}),
    );
    refused(
        "an unknown directive",
        json!({}),
        json!({"$patch": "explode"}),
        r#"unknown patch type ["explode"] in map [{}]"#,
    );
}

#[test]
fn retain_keys_drops_the_other_members_of_a_union() {
    check(
        "of a map",
        "Deployment",
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
    );
    check(
        "of an item",
        "Pod",
        json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}),
        json!({"spec": {"volumes": [
            {"name": "v", "hostPath": {"path": "/"}, "$retainKeys": ["name", "hostPath"]},
        ]}}),
        json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}),
    );
    refused(
        "a key that is not retained",
        json!({}),
        json!({"spec": {}, "$retainKeys": ["metadata"]}),
        "invalid patch format of retainKeys",
    );
    refused("no list", json!({}), json!({"$retainKeys": 1}), "invalid patch format of retainKeys");
}

#[test]
fn primitives_are_deleted_from_lists() {
    check(
        "some of them",
        "Pod",
        json!({"metadata": {"finalizers": ["a", "b", "c"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b", "x"]}}),
        json!({"metadata": {"finalizers": ["a", "c"]}}),
    );
    check(
        "from no list",
        "Pod",
        json!({"metadata": {}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}),
        json!({"metadata": {}}),
    );
    refused(
        "without a name",
        json!({"metadata": {}}),
        json!({"metadata": {"$deleteFromPrimitiveList": ["b"]}}),
        "invalid patch format of primitive list",
    );
}

#[test]
fn element_order_is_kept() {
    check(
        "items of the patch in its order, others in between by the old order",
        "Pod",
        containers(json!([{"name": "a"}, {"name": "other"}, {"name": "b"}])),
        json!({"spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "new"}, {"name": "a"}],
            "containers": [{"name": "new"}],
        }}),
        containers(json!([{"name": "other"}, {"name": "b"}, {"name": "new"}, {"name": "a"}])),
    );
    check(
        "of primitives",
        "Pod",
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"$setElementOrder/finalizers": ["b", "a"]}}),
        json!({"metadata": {"finalizers": ["b", "a"]}}),
    );
    refused(
        "an item that the order lacks",
        json!({"spec": {}}),
        json!({"spec": {"$setElementOrder/containers": [], "containers": [{"name": "a"}]}}),
        "invalid patch format of setElementOrder list",
    );
}

#[test]
fn wrong_items_are_refused() {
    refused(
        "no merge key",
        containers(json!([])),
        containers(json!([{"image": "x"}])),
        r#"map: {"image":"x"} does not contain declared merge key: name"#,
    );
    refused(
        "no object",
        containers(json!([])),
        containers(json!(["x"])),
        r#"items of a list that merges by name are objects, and the patch has "x""#,
    );
    assert!(apply(json!({}), json!([]), message("Pod")).is_err());
}

#[test]
fn apply_deletes_what_it_applied_before_and_only_that() {
    let original =
        containers(json!([{"name": "a", "image": "x", "args": ["1"]}, {"name": "gone"}]));
    let current = containers(json!([
        {"name": "a", "image": "x", "args": ["1"], "imagePullPolicy": "Always"},
        {"name": "gone"},
        {"name": "injected"},
    ]));
    let modified = containers(json!([{"name": "a", "image": "y"}]));
    let patch = three_way(Some(&original), &modified, &current, message("Pod")).unwrap();
    assert_eq!(
        patch,
        json!({"spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [
                {"name": "a", "image": "y", "args": null},
                {"name": "gone", "$patch": "delete"},
            ],
        }})
    );
    assert_eq!(
        apply(current, patch, message("Pod")),
        Ok(containers(json!([
            {"name": "a", "image": "y", "imagePullPolicy": "Always"},
            {"name": "injected"},
        ])))
    );
}

#[test]
fn a_union_member_changes_by_apply() {
    let deployment = message("Deployment");
    let original = json!({"spec": {"strategy": {"type": "RollingUpdate"}}});
    let current =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let modified = json!({"spec": {"strategy": {"type": "Recreate"}}});
    let patch = three_way(Some(&original), &modified, &current, deployment).unwrap();
    assert_eq!(patch["spec"]["strategy"], json!({"type": "Recreate", "$retainKeys": ["type"]}));
    assert_eq!(apply(current, patch, deployment), Ok(modified));
}

#[test]
fn two_ports_of_one_number_survive() {
    let service = message("Service");
    let old = json!({"spec": {"ports": [{"port": 53, "protocol": "TCP", "name": "a"}]}});
    let new = json!({"spec": {"ports": [
        {"port": 53, "protocol": "TCP", "name": "a"},
        {"port": 53, "protocol": "UDP", "name": "b"},
    ]}});
    let patch = create(&old, &new, service).unwrap();
    assert_eq!(apply(old, patch, service), Ok(new));
}

/// Objects that look like pods, without nulls. Ports may share their number.
fn pod() -> impl Strategy<Value = Value> {
    pod_with(prop::collection::vec((1..4, "TCP|UDP"), 0..3).boxed())
}

/// As [`pod`], but the merge key tells all ports apart: with several of one key, Kubernetes' rule
/// (merge into the first) gives another object each time.
fn pod_of_distinct_ports() -> impl Strategy<Value = Value> {
    let ports = prop::collection::btree_map(1..4, "TCP|UDP", 0..3);
    pod_with(ports.prop_map(|ports| ports.into_iter().collect()).boxed())
}

fn pod_with(ports: BoxedStrategy<Vec<(i32, String)>>) -> impl Strategy<Value = Value> {
    let name = || "[a-d]";
    let env = prop::collection::btree_map(name(), "[xy]", 0..4).prop_map(|env| {
        let items = env.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
        Value::Array(items.collect())
    });
    let ports = ports.prop_map(|ports| {
        let items = ports.into_iter();
        Value::Array(items.map(|(n, p)| json!({"containerPort": n, "protocol": p})).collect())
    });
    let container = (env, ports, prop::collection::vec("[a-b]", 0..3))
        .prop_map(|(env, ports, args)| json!({"env": env, "ports": ports, "args": args}));
    let containers = prop::collection::hash_map(name(), container, 0..4).prop_map(|items| {
        let items = items.into_iter().map(|(name, mut item)| {
            item["name"] = Value::from(name);
            item
        });
        Value::Array(items.collect())
    });
    let volume = prop_oneof![
        Just(json!({"emptyDir": {}})),
        "[a-b]".prop_map(|path| json!({"hostPath": {"path": path}}))
    ];
    let volumes = prop::collection::hash_map(name(), volume, 0..3).prop_map(|items| {
        let items = items.into_iter().map(|(name, mut item)| {
            item["name"] = Value::from(name);
            item
        });
        Value::Array(items.collect())
    });
    let finalizers = prop::collection::hash_set(name(), 0..4)
        .prop_map(|items| items.into_iter().collect::<Vec<_>>());
    let labels = prop::collection::btree_map(name(), "[xy]", 0..4);
    let spec = (containers, volumes, prop::option::of(name()), any::<bool>());
    (labels, finalizers, spec).prop_map(
        |(labels, finalizers, (containers, volumes, host, bare))| {
            let mut pod = json!({
                "metadata": {"labels": labels, "finalizers": finalizers},
                "spec": {"containers": containers, "volumes": volumes},
            });
            if let Some(host) = host {
                pod["spec"]["hostname"] = Value::from(host);
            }
            if bare && let Some(metadata) = pod["metadata"].as_object_mut() {
                metadata.remove("finalizers");
            }
            pod
        },
    )
}

/// Any patch-like value: directives, wrong types and all.
fn wild() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "a|b|replace|delete|merge".prop_map(Value::from),
    ];
    let key = "spec|metadata|containers|ports|containerPort|finalizers|volumes|name|env|labels\
               |\\$patch|\\$retainKeys|\\$setElementOrder/(containers|finalizers)\
               |\\$deleteFromPrimitiveList/finalizers";
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_created_patch_gives_the_modified_object(a in pod(), b in pod()) {
        let patch = create(&a, &b, message("Pod")).unwrap();
        prop_assert_eq!(apply(a, patch, message("Pod")), Ok(b));
    }

    #[test]
    fn an_equal_object_needs_no_patch(a in pod()) {
        prop_assert_eq!(create(&a, &a, message("Pod")), Ok(json!({})));
        prop_assert_eq!(three_way(Some(&a), &a, &a, message("Pod")), Ok(json!({})));
    }

    #[test]
    fn applying_twice_changes_nothing(
        a in pod_of_distinct_ports(), b in pod_of_distinct_ports(), c in pod_of_distinct_ports()
    ) {
        let patch = create(&a, &b, message("Pod")).unwrap();
        let once = apply(c, patch.clone(), message("Pod")).unwrap();
        prop_assert_eq!(apply(once.clone(), patch, message("Pod")), Ok(once));
    }

    #[test]
    fn after_apply_from_the_same_original_the_object_is_the_modified_one(a in pod(), b in pod()) {
        let patch = three_way(Some(&a), &b, &a, message("Pod")).unwrap();
        prop_assert_eq!(apply(a, patch, message("Pod")), Ok(b));
    }

    #[test]
    fn after_apply_nothing_is_left_to_apply(
        o in pod_of_distinct_ports(), m in pod_of_distinct_ports(), c in pod_of_distinct_ports()
    ) {
        let patch = three_way(Some(&o), &m, &c, message("Pod")).unwrap();
        let after = apply(c, patch, message("Pod")).unwrap();
        let again = three_way(Some(&m), &m, &after, message("Pod")).unwrap();
        prop_assert_eq!(apply(after.clone(), again, message("Pod")), Ok(after));
    }

    #[test]
    fn arbitrary_patches_never_panic(a in wild(), b in wild(), c in wild()) {
        let _ = apply(a.clone(), b.clone(), message("Pod"));
        let _ = create(&a, &b, message("Pod"));
        let _ = three_way(Some(&a), &b, &c, message("Pod"));
        let _ = crate::merge::apply(a.clone(), b.clone());
        let _ = crate::json::apply(a, b);
    }
}

#[test]
fn applying_what_is_there_already_is_an_empty_patch() {
    let configuration = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"annotations": {}, "labels": {"app": "web"}, "name": "web", "namespace": "default"},
        "spec": {"containers": [
            {"image": "web:1", "name": "web", "ports": [{"containerPort": 8080}]},
        ]},
    });
    let mut modified = configuration.clone();
    modified["metadata"]["annotations"] = json!({"last-applied": configuration.to_string()});
    let mut current = modified.clone();
    current["metadata"]["uid"] = json!("1");
    current["spec"]["containers"][0]["imagePullPolicy"] = json!("IfNotPresent");
    current["spec"]["containers"][0]["ports"][0]["protocol"] = json!("TCP");
    current["spec"]["nodeName"] = json!("node-1");
    current["status"] = json!({"phase": "Running"});
    let pod = wk_schema::message("io.k8s.api.core.v1.Pod").unwrap();
    let patch = three_way(Some(&configuration), &modified, &current, pod).unwrap();
    assert_eq!(patch, json!({}));
}
