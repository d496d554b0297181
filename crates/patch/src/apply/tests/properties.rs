//! Server-side apply: what holds for all objects and writes.

use proptest::prelude::*;

use super::*;

/// Configurations that look like pods.
fn config() -> impl Strategy<Value = Value> {
    let map = || prop::collection::btree_map("[ab]", "[xy]", 0..3);
    let container = (prop::option::of("[ij]"), map(), prop::collection::vec("[ab]", 0..2))
        .prop_map(|(image, env, args)| {
            let env = env.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
            let mut container = json!({"env": env.collect::<Vec<_>>(), "args": args});
            if let Some(image) = image {
                container["image"] = json!(image);
            }
            container
        });
    let containers = prop::collection::hash_map("[abc]", container, 0..3).prop_map(|items| {
        let items = items.into_iter().map(|(name, mut item)| {
            item["name"] = json!(name);
            item
        });
        items.collect::<Vec<_>>()
    });
    let finalizers = prop::collection::btree_set("[ab]", 0..3);
    (map(), finalizers, containers).prop_map(|(labels, finalizers, containers)| {
        json!({
            "metadata": {"name": "p", "labels": labels, "finalizers": finalizers},
            "spec": {"containers": containers},
        })
    })
}

/// A write by somebody.
fn step() -> impl Strategy<Value = (String, bool, Value)> {
    ("[mno]", any::<bool>(), config())
}

proptest! {
    #[test]
    fn whatever_happened_before_an_apply_holds_and_can_be_repeated(
        steps in prop::collection::vec(step(), 0..6), last in config()
    ) {
        let ignored = FieldSet::default();
        let mut live: Option<Value> = None;
        for (manager, applies, value) in steps {
            let context = context(pod(), &manager, &ignored);
            live = Some(if applies {
                apply(&context, live.as_ref(), &value, true).unwrap().object
            } else {
                update(&context, live.as_ref(), value)
            });
        }
        let context = context(pod(), "last", &ignored);
        let first = apply(&context, live.as_ref(), &last, true).unwrap();
        // Everything that was asked for is there, as it was asked for.
        let node = Node::of(Some(pod()));
        let object = bare(&first.object);
        prop_assert_eq!(&typed::merged(node, &object, &last), &object);
        // Repeating it is no conflict, and changes nothing.
        let again = apply(&context, Some(&first.object), &last, false).unwrap();
        prop_assert_eq!(&again.object, &first.object);
        prop_assert!(!again.changed);
        // Nobody owns what is not there; what is there may be empty.
        let there = typed::compare(node, &json!({}), &object).added;
        for (_, owned) in opened(&first.object).1.0 {
            let gone = owned.set.difference(&there);
            prop_assert!(gone.is_empty(), "{:?}", gone.paths());
        }
    }

    #[test]
    fn the_maker_of_an_object_owns_what_a_comparison_with_nothing_finds(
        labels in config(), odd in wk_values::any_json()
    ) {
        for ignored in [FieldSet::default(), FieldSet::of_fields(&[&["status"]])] {
            for message in [Some(pod()), Some(deployment()), None] {
                let context = Context { message, ..context(pod(), "m", &ignored) };
                let mut odd = odd.clone();
                if odd.is_object() {
                    odd["status"] = json!({"phase": "Running"});
                    odd["metadata"] = labels["metadata"].clone();
                }
                for object in [labels.clone(), odd] {
                    let mut made = object.clone();
                    create(&context, &mut made);
                    prop_assert_eq!(made, update(&context, None, object));
                }
            }
        }
    }

    #[test]
    fn a_comparison_tells_what_changed(a in config(), b in config()) {
        let node = Node::of(Some(pod()));
        let comparison = typed::compare(node, &a, &b);
        let back = typed::compare(node, &b, &a);
        let merged = typed::merged(node, &a, &b);
        prop_assert!(typed::compare(node, &a, &merged).removed.is_empty());
        let rest = typed::compare(node, &merged, &b);
        prop_assert_eq!(&rest.removed, &comparison.removed);
        prop_assert!(rest.added.is_empty());
        prop_assert_eq!(comparison.added, back.removed);
        prop_assert_eq!(comparison.modified, back.modified);
    }

    #[test]
    fn sets_follow_the_laws(a in config(), b in config()) {
        let node = Node::of(Some(pod()));
        let (a, b) = (typed::field_set(node, &a), typed::field_set(node, &b));
        prop_assert_eq!(FieldSet::parse(&a.to_value()).unwrap(), a.clone());
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
    }

    #[test]
    fn arbitrary_values_never_panic(
        a in wk_values::any_json(), b in wk_values::any_json(), fields in wk_values::any_json()
    ) {
        let ignored = FieldSet::default();
        let context = context(pod(), "m", &ignored);
        let mut live = json!({"metadata": {"managedFields": [
            {"manager": "x", "operation": "Apply", "fieldsV1": fields},
        ]}});
        live["spec"] = a["spec"].clone();
        let _ = apply(&context, Some(&live), &b, true);
        let _ = apply(&context, Some(&a), &b, false);
        let _ = update(&context, Some(&a), b.clone());
        let _ = update(&context, Some(&live), b);
    }
}

/// Values of any shape under names that mean something.
mod wk_values {
    use super::*;

    pub(super) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[a-c]".prop_map(Value::from),
        ];
        let key = "spec|metadata|containers|ports|containerPort|finalizers|labels|name|env\
                   |managedFields|f:spec|f:a|v:1|i:2|\\.|k:\\{\"name\":\"a\"\\}";
        leaf.prop_recursive(6, 64, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }
}
