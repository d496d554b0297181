//! Tables of what is refused, which changes are refused, and what is warned of, kind by kind.
//!
//! The tables are YAML files beside this one. `spec` stands for an object with that specification and
//! nothing else; `pod` for the specification of a pod, `job` for that of a job and `deployment` for
//! that of a deployment, each with what they cannot do without.

use serde_json::{Value, json};
use wk_api::{Uid, parse_time};
use wk_resources::{Definition, RequestContext, Requester, Update, builtin};

/// A table, and the cases in it.
fn cases(table: &str) -> Vec<Value> {
    let path = format!("{}/tests/tables/{table}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the table is there");
    serde_yaml::from_str(&text).expect("the table is a list of cases")
}

/// The definition of a kind, by its group if it has one of the same name elsewhere.
fn definition(group: Option<&str>, kind: &str) -> &'static Definition {
    let fits = |own: &Definition| match group {
        Some(group) => own.group == group,
        None => own.stored_as.is_none(),
    };
    builtin().iter().find(|own| own.kind == kind && fits(own)).expect("a kind")
}

fn merge(target: &mut Value, change: &Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (key, change) in change {
                if change.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), change);
                }
            }
        }
        (target, change) => *target = change.clone(),
    }
}

/// The kind of a case and its object, as a client would send it.
fn object(case: &Value) -> (&'static Definition, Value) {
    let container = json!([{"name": "a", "image": "a:1"}]);
    let labels = json!({"labels": {"app": "a"}});
    let plain = [
        ("pod", "Pod", json!({"containers": container})),
        (
            "job",
            "Job",
            json!({"template": {"spec": {
                "containers": container, "restartPolicy": "Never",
            }}}),
        ),
        (
            "deployment",
            "Deployment",
            json!({
                "selector": {"matchLabels": {"app": "a"}},
                "template": {"metadata": labels, "spec": {"containers": container}},
            }),
        ),
        ("spec", case["kind"].as_str().unwrap_or_default(), json!({})),
    ];
    let short = plain.into_iter().find(|(key, ..)| case.get(*key).is_some());
    let (kind, mut object) = match short {
        Some((key, kind, mut spec)) => {
            merge(&mut spec, &case[key]);
            (kind, json!({"spec": spec}))
        }
        None => (case["kind"].as_str().expect("a kind"), json!({})),
    };
    if let Some(more) = case.get("object") {
        merge(&mut object, more);
    }
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = "a".into();
    }
    (definition(case["group"].as_str(), kind), object)
}

fn created(definition: &Definition, mut object: Value) -> Value {
    definition.default(&mut object);
    if definition.kind == "Pod" && object["spec"]["serviceAccountName"].is_null() {
        object["spec"]["serviceAccountName"] = "default".into();
        object["spec"]["serviceAccount"] = "default".into();
    }
    let context = RequestContext {
        now: parse_time("2026-01-02T03:04:05Z").expect("a time"),
        uid: Uid::new("u"),
        namespace: definition.namespaced.then_some("default"),
        user: "somebody",
        requester: Requester::default(),
        name_suffix: "x7b9k",
    };
    definition.prepare_create(&mut object, &context);
    object
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Compares what every case of a table comes to with what it says, and tells all differences at once.
fn check(table: &str, found: impl Fn(&Value) -> Vec<String>) {
    let mut wrong = Vec::new();
    for case in cases(table) {
        let name = case["case"].as_str().expect("every case has a name").to_owned();
        let (expected, found) = (texts(&case["expect"]), found(&case));
        if expected != found {
            wrong.push(format!("{name}:\n  expect: {}", json!(found)));
        }
    }
    assert!(wrong.is_empty(), "{table}:\n{}\n", wrong.join("\n"));
}

#[test]
fn wrong_objects_are_refused_with_every_fault() {
    for table in ["refused", "groups"] {
        check(table, |case| {
            let (definition, object) = object(case);
            let object = created(definition, object);
            definition.validate_create(&object).iter().map(ToString::to_string).collect()
        });
    }
}

#[test]
fn changes_that_are_not_allowed_are_refused() {
    check("changes", |case| {
        let (definition, object) = object(case);
        let mut old = created(definition, object);
        if let Some(status) = case.get("status") {
            merge(&mut old["status"], status);
        }
        let mut new = old.clone();
        merge(&mut new, &case["change"]);
        let part = match case["part"].as_str() {
            None => Update::Whole,
            Some("status") => Update::Status,
            Some("resize") => Update::Subresource("resize"),
            Some("ephemeralcontainers") => Update::Subresource("ephemeralcontainers"),
            Some(other) => panic!("no part {other}"),
        };
        definition.default(&mut new);
        definition.prepare_update(&mut new, &old, part);
        definition.validate_update(&new, &old, part).iter().map(ToString::to_string).collect()
    });
}

#[test]
fn objects_that_are_taken_may_be_warned_of() {
    check("warned", |case| {
        let (definition, object) = object(case);
        let object = created(definition, object);
        let faults = definition.validate_create(&object);
        assert!(faults.is_empty(), "{}: {faults:?}", case["case"]);
        definition.warnings(&object, None)
    });
}

#[test]
fn amounts_are_no_finer_than_thousandths() {
    let pod = definition(None, "Pod");
    let case = json!({"pod": {"containers": [{"name": "a", "image": "a:1", "resources": {
        "limits": {"cpu": "100500u", "memory": "1Gi"},
    }}]}});
    let pod = created(pod, object(&case).1);
    let limits = &pod["spec"]["containers"][0]["resources"]["limits"];
    assert_eq!(limits, &json!({"cpu": "101m", "memory": "1Gi"}));
}

#[test]
fn a_template_that_does_not_change_is_not_warned_of_again() {
    let deployment = definition(None, "Deployment");
    let case = json!({"deployment": {"template": {"spec": {
        "nodeSelector": {"beta.kubernetes.io/os": "linux"},
    }}}});
    let old = created(deployment, object(&case).1);
    assert_eq!(deployment.warnings(&old, None).len(), 1);
    assert_eq!(deployment.warnings(&old, Some(&old)), Vec::<String>::new());
    let mut new = old.clone();
    new["metadata"]["generation"] = 2.into();
    assert_eq!(deployment.warnings(&new, Some(&old)).len(), 1);
}

#[test]
fn features_that_are_not_switched_on_are_dropped() {
    let case = json!({"pod": {
        "schedulingGroup": {"podGroupName": "g"},
        "os": {"name": "linux"},
        "containers": [{
            "name": "a", "image": "a:1",
            "lifecycle": {"stopSignal": "SIGUSR1", "preStop": {"sleep": {"seconds": 1}}},
        }],
    }});
    let pod = created(definition(None, "Pod"), object(&case).1);
    let lifecycle = json!({"preStop": {"sleep": {"seconds": 1}}});
    assert_eq!(pod["spec"]["containers"][0]["lifecycle"], lifecycle);
    assert_eq!(pod["spec"].get("schedulingGroup"), None);
}

#[test]
fn a_claim_says_what_it_is_filled_from_in_both_fields_or_in_none() {
    let claim = |sources: Value| {
        let case = json!({"kind": "PersistentVolumeClaim", "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        }});
        let (definition, mut object) = object(&case);
        merge(&mut object["spec"], &sources);
        let claim = created(definition, object);
        (definition, claim)
    };
    let found = |sources: Value| {
        let (_, claim) = claim(sources);
        ["dataSource", "dataSourceRef"].map(|field| claim["spec"][field].clone())
    };
    let volume = json!({"kind": "PersistentVolumeClaim", "name": "a"});
    let snapshot =
        json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "a"});
    let other = json!({"apiGroup": "example.com", "kind": "Thing", "name": "a"});
    let far = json!({"apiGroup": "example.com", "kind": "Thing", "name": "a", "namespace": "b"});
    let both = |source: &Value| [source.clone(), source.clone()];
    let none = [Value::Null, Value::Null];
    assert_eq!(found(json!({"dataSource": volume})), both(&volume));
    assert_eq!(found(json!({"dataSource": snapshot})), both(&snapshot));
    assert_eq!(found(json!({"dataSource": other})), none);
    assert_eq!(found(json!({"dataSourceRef": other})), both(&other));
    assert_eq!(found(json!({"dataSourceRef": far})), none);
    assert_eq!(found(json!({"dataSource": volume, "dataSourceRef": far})), both(&volume));
    // What cannot be a source is dropped from a change, too, and is no change then.
    let (definition, old) = claim(json!({}));
    let mut new = old.clone();
    new["spec"]["dataSource"] = other;
    definition.default(&mut new);
    definition.prepare_update(&mut new, &old, Update::Whole);
    assert_eq!(definition.validate_update(&new, &old, Update::Whole), []);
}
