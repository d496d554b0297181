//! Server-side apply: ownership, conflicts and removal, case by case.

mod properties;

use serde_json::json;

use super::*;

const NOW: &str = "2026-01-02T03:04:05Z";

fn deployment() -> &'static Message {
    wk_schema::kind("apps", "v1", "Deployment").unwrap()
}

fn pod() -> &'static Message {
    wk_schema::kind("", "v1", "Pod").unwrap()
}

fn context<'a>(message: &'static Message, manager: &'a str, ignored: &'a FieldSet) -> Context<'a> {
    let message = Some(message);
    Context { message, manager, api_version: "v1", subresource: "", now: NOW, ignored }
}

fn applied(manager: &str, live: Option<&Value>, config: &Value) -> Value {
    let ignored = FieldSet::default();
    apply(&context(pod(), manager, &ignored), live, config, false).unwrap().object
}

fn updated(manager: &str, live: Option<&Value>, new: Value) -> Value {
    update(&context(pod(), manager, &FieldSet::default()), live, new)
}

/// The set of a manager.
fn owned(object: &Value, manager: &str, operation: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut entries =
        entries.filter(|entry| entry["manager"] == manager && entry["operation"] == operation);
    entries.next().map(|entry| entry["fieldsV1"].clone()).unwrap_or_default()
}

fn bare(object: &Value) -> Value {
    opened(object).0
}

fn containers(items: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p"}, "spec": {"containers": items},
    })
}

#[test]
fn the_first_apply_makes_the_object_and_owns_it() {
    let config = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["f"]},
        "spec": {"containers": [{"name": "c", "image": "i", "args": ["x"],
                                 "ports": [{"containerPort": 80}], "resources": {}}]},
    });
    let object = applied("one", None, &config);
    assert_eq!(bare(&object), config);
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{
            "manager": "one", "operation": "Apply", "apiVersion": "v1", "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"f\"": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:args": {}, "f:resources": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":
                        {".": {}, "f:containerPort": {}}},
                }}},
            },
        }])
    );
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let config = containers(&json!([{"name": "c", "image": "i"}]));
    let ignored = FieldSet::default();
    let object = applied("one", None, &config);
    let later = Context { now: "2027-01-01T00:00:00Z", ..context(pod(), "one", &ignored) };
    let again = apply(&later, Some(&object), &config, false).unwrap();
    assert_eq!(again, Applied { object, changed: false });
}

#[test]
fn what_others_own_is_a_conflict_unless_forced() {
    let object = applied("one", None, &containers(&json!([{"name": "c", "image": "i"}])));
    let config = containers(&json!([{"name": "c", "image": "j"}]));
    let ignored = FieldSet::default();
    let two = context(pod(), "two", &ignored);
    let error = apply(&two, Some(&object), &config, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.containers[name=\"c\"].image"
    );
    let forced = apply(&two, Some(&object), &config, true).unwrap().object;
    assert_eq!(bare(&forced), config);
    assert_eq!(
        owned(&forced, "one", "Apply"),
        json!({"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}}}}})
    );
    assert!(owned(&forced, "two", "Apply").pointer("/f:spec/f:containers").is_some());
}

#[test]
fn conflicts_are_listed_by_manager() {
    let object = applied("one", None, &containers(&json!([{"name": "c", "image": "i"}])));
    let mut new = object.clone();
    new["spec"]["hostname"] = json!("h");
    new["spec"]["nodeName"] = json!("n");
    let object = updated("edit", Some(&object), new);
    let mut config = containers(&json!([{"name": "c", "image": "j"}]));
    config["spec"]["hostname"] = json!("x");
    config["spec"]["nodeName"] = json!("y");
    let ignored = FieldSet::default();
    let error = apply(&context(pod(), "two", &ignored), Some(&object), &config, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 3 conflicts: conflicts with \"edit\" using v1:\n- .spec.hostname\n\
         - .spec.nodeName\nconflicts with \"one\":\n- .spec.containers[name=\"c\"].image"
    );
}

#[test]
fn equal_values_are_shared_and_not_fought_over() {
    let config = containers(&json!([{"name": "c", "image": "i"}]));
    let object = applied("one", None, &config);
    let object = applied("two", Some(&object), &config);
    assert_eq!(owned(&object, "one", "Apply"), owned(&object, "two", "Apply"));
    // One gives the image up; two still has it.
    let object = applied("one", Some(&object), &containers(&json!([{"name": "c"}])));
    assert_eq!(bare(&object), config);
    let object = applied("two", Some(&object), &containers(&json!([{"name": "c"}])));
    assert_eq!(bare(&object), containers(&json!([{"name": "c"}])));
}

#[test]
fn what_is_no_longer_applied_goes() {
    let mut config =
        containers(&json!([{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "1"}]}]));
    config["metadata"]["labels"] = json!({"l": "1"});
    config["spec"]["securityContext"] = json!({"runAsUser": 1});
    let object = applied("one", None, &config);
    let mut new = object.clone();
    new["spec"]["nodeName"] = json!("n");
    new["metadata"]["labels"]["other"] = json!("2");
    let object = updated("other", Some(&object), new);
    let object = applied("one", Some(&object), &containers(&json!([{"name": "b"}])));
    assert_eq!(
        bare(&object),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"other": "2"}},
            "spec": {"containers": [{"name": "b"}], "nodeName": "n"},
        })
    );
}

#[test]
fn lists_merge_by_their_keys_and_keep_their_order() {
    let live =
        applied("one", None, &containers(&json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])));
    let object = applied(
        "two",
        Some(&live),
        &containers(&json!([{"name": "c"}, {"name": "n"}, {"name": "a"}])),
    );
    let names: Vec<&str> = object["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    assert_eq!(names, ["b", "c", "n", "a"]);
    let service = wk_schema::kind("", "v1", "Service").unwrap();
    let ignored = FieldSet::default();
    let ports = |ports: Value| json!({"metadata": {"name": "s"}, "spec": {"ports": ports}});
    let config = ports(json!([{"port": 53, "protocol": "UDP"}, {"port": 53}]));
    let object = apply(&context(service, "one", &ignored), None, &config, false).unwrap().object;
    let config = ports(json!([{"port": 53, "protocol": "TCP", "name": "t"}]));
    let object = apply(&context(service, "two", &ignored), Some(&object), &config, false).unwrap();
    assert_eq!(
        bare(&object.object)["spec"]["ports"],
        json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP", "name": "t"}])
    );
}

#[test]
fn a_configuration_must_have_its_keys_once() {
    let ignored = FieldSet::default();
    let error = |config: Value| {
        apply(&context(pod(), "one", &ignored), None, &config, false).unwrap_err().to_string()
    };
    assert_eq!(
        error(containers(&json!([{"image": "i"}]))),
        "failed to create typed patch object (/p; /v1, Kind=Pod): .spec.containers: element 0: \
         associative list with keys has an element that omits key field \"name\" (and doesn't have default value)"
    );
    assert_eq!(
        error(containers(&json!([{"name": "a"}, {"name": "a"}]))),
        "failed to create typed patch object (/p; /v1, Kind=Pod): .spec.containers: duplicate \
         entries for key [name=\"a\"]"
    );
    assert_eq!(
        error(json!({"metadata": {"managedFields": []}})),
        "metadata.managedFields must be nil"
    );
}

#[test]
fn atomic_values_have_one_owner() {
    let ignored = FieldSet::default();
    let one = context(deployment(), "one", &ignored);
    let config = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}});
    let object = apply(&one, None, &config, false).unwrap().object;
    assert_eq!(owned(&object, "one", "Apply"), json!({"f:spec": {"f:selector": {}}}));
    let two = context(deployment(), "two", &ignored);
    let config = json!({"spec": {"selector": {"matchLabels": {"b": "1"}}}});
    let error = apply(&two, Some(&object), &config, false).unwrap_err();
    assert!(error.to_string().ends_with("conflict with \"one\": .spec.selector"), "{error}");
}

#[test]
fn ordinary_writes_are_recorded() {
    let object = updated("create", None, containers(&json!([{"name": "c", "image": "i"}])));
    assert_eq!(
        owned(&object, "create", "Update"),
        json!({"f:spec": {"f:containers": {"k:{\"name\":\"c\"}":
            {".": {}, "f:name": {}, "f:image": {}}}}})
    );
    let mut new = object.clone();
    new["spec"]["containers"][0]["image"] = json!("j");
    new["metadata"]["labels"] = json!({"l": "1"});
    let object = updated("edit", Some(&object), new);
    assert_eq!(
        owned(&object, "edit", "Update"),
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {"f:image": {}}}},
        })
    );
    let mut new = object.clone();
    new["metadata"].as_object_mut().unwrap().remove("labels");
    new["spec"]["containers"][0].as_object_mut().unwrap().remove("image");
    let object = updated("third", Some(&object), new);
    assert_eq!(owned(&object, "edit", "Update"), Value::Null);
    assert_eq!(owned(&object, "third", "Update"), Value::Null);
    assert_eq!(
        owned(&object, "create", "Update"),
        json!({"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}}}}})
    );
}

#[test]
fn a_write_that_changes_nothing_leaves_the_book() {
    let object = updated("create", None, containers(&json!([{"name": "c"}])));
    let ignored = FieldSet::default();
    let later = Context { now: "2027-01-01T00:00:00Z", ..context(pod(), "create", &ignored) };
    assert_eq!(update(&later, Some(&object), object.clone()), object);
    // A client that does not know of managed fields deletes none.
    assert_eq!(update(&later, Some(&object), bare(&object)), object);
}

#[test]
fn a_manager_is_as_young_as_its_last_change() {
    let object = updated("create", None, containers(&json!([{"name": "c", "image": "i"}])));
    let ignored = FieldSet::default();
    let later = "2027-01-01T00:00:00Z";
    let later = Context { now: later, ..context(pod(), "create", &ignored) };
    let mut new = object.clone();
    new["spec"]["containers"][0].as_object_mut().unwrap().remove("image");
    let less = update(&later, Some(&object), new);
    assert_eq!(less["metadata"]["managedFields"][0]["time"], NOW);
    let mut new = object.clone();
    new["spec"]["containers"][0]["image"] = json!("j");
    let changed = update(&later, Some(&object), new);
    let entry = &changed["metadata"]["managedFields"][0];
    assert_eq!(entry["time"], later.now);
    assert_eq!(entry["fieldsV1"], object["metadata"]["managedFields"][0]["fieldsV1"]);
}

#[test]
fn owners_can_be_forgotten() {
    let object = updated("create", None, containers(&json!([{"name": "c"}])));
    let mut new = object.clone();
    new["metadata"]["managedFields"] = json!([{}]);
    let object = updated("edit", Some(&object), new);
    assert!(object["metadata"].get("managedFields").is_none());
    // Nobody keeps the book until somebody applies; then all that was there has an owner.
    let mut new = object.clone();
    new["spec"]["hostname"] = json!("h");
    let object = updated("edit", Some(&object), new);
    assert!(object["metadata"].get("managedFields").is_none());
    let object = applied("one", Some(&object), &containers(&json!([{"name": "c", "image": "i"}])));
    assert_eq!(owned(&object, "before-first-apply", "Update")["f:spec"]["f:hostname"], json!({}));
}

#[test]
fn a_subresource_writes_as_a_manager_of_its_own() {
    let object = updated("kubelet", None, containers(&json!([{"name": "c"}])));
    let mut new = object.clone();
    new["status"] = json!({"phase": "Running"});
    new["spec"]["hostname"] = json!("never");
    let ignored = FieldSet::of_fields(&[&["spec"], &["metadata"]]);
    let status = Context { subresource: "status", ..context(pod(), "kubelet", &ignored) };
    let object = update(&status, Some(&object), new);
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries[1]["subresource"], "status");
    assert_eq!(entries[1]["fieldsV1"], json!({"f:status": {".": {}, "f:phase": {}}}));
}

#[test]
fn old_updaters_become_one() {
    let mut object = updated("m00", None, containers(&json!([{"name": "c"}])));
    let ignored = FieldSet::default();
    for index in 1..20 {
        let manager = format!("m{index:02}");
        let now = format!("2026-02-01T00:00:{index:02}Z");
        let mut new = object.clone();
        new["metadata"]["annotations"][&manager] = json!("x");
        let context = Context { now: &now, ..context(pod(), &manager, &ignored) };
        object = update(&context, Some(&object), new);
    }
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), MAX_UPDATE_MANAGERS);
    let ancient = owned(&object, "ancient-changes", "Update");
    assert!(ancient["f:metadata"]["f:annotations"]["f:m05"].is_object());
    assert!(ancient["f:spec"]["f:containers"].is_object());
}

#[test]
fn kinds_without_a_table_merge_maps_and_replace_lists() {
    let ignored = FieldSet::default();
    let context = |manager| Context { message: None, ..context(pod(), manager, &ignored) };
    let one = json!({"metadata": {}, "spec": {"a": {"x": 1}, "list": [{"name": "a"}]}});
    let object = apply(&context("one"), None, &one, false).unwrap().object;
    let two = json!({"spec": {"a": {"y": 2}}});
    let object = apply(&context("two"), Some(&object), &two, false).unwrap().object;
    assert_eq!(
        bare(&object),
        json!({"metadata": {}, "spec": {"a": {"x": 1, "y": 2}, "list": [{"name": "a"}]}})
    );
    let error = apply(&context("two"), Some(&object), &json!({"spec": {"list": []}}), false);
    assert!(matches!(error, Err(ApplyError::Conflicts(_))));
}

#[test]
fn field_sets_survive_their_text() {
    let fields = json!({
        "f:a": {".": {}, "f:b": {}, "k:{\"y\":1,\"x\":\"2\"}": {"f:c": {}}},
        "v:\"s\"": {}, "i:3": {},
    });
    let set = FieldSet::parse(&fields).unwrap();
    assert_eq!(
        set.to_value(),
        json!({
            "f:a": {".": {}, "f:b": {}, "k:{\"x\":\"2\",\"y\":1}": {"f:c": {}}},
            "v:\"s\"": {}, "i:3": {},
        })
    );
    assert_eq!(set.paths(), [".a", ".a.b", ".a[x=\"2\",y=1].c", "[3]", "[=\"s\"]"]);
    assert!(FieldSet::parse(&json!({"x": {}})).is_err());
    assert!(FieldSet::parse(&json!({"k:[": {}})).is_err());
}

#[test]
fn who_updates_owns_also_empty_lists_and_what_holds_them() {
    let config = |items: Value| {
        let mut config = containers(&items);
        config["metadata"]["labels"] = json!({});
        config
    };
    let one = applied("m", None, &config(json!([{"name": "a"}])));
    // With the last of its items goes the list, and with that what held it.
    let emptied = applied("m", Some(&one), &config(json!([])));
    assert!(emptied.get("spec").is_none());
    let mut again = emptied.clone();
    again["spec"] = json!({"containers": []});
    let again = updated("m", Some(&emptied), again);
    let added = json!({"f:spec": {".": {}, "f:containers": {}}});
    assert_eq!(owned(&again, "m", "Update"), added);
    // Applying an empty list claims none of its items, and takes nothing away.
    let last = applied("last", Some(&again), &config(json!([])));
    assert_eq!(last["spec"], json!({"containers": []}));
    assert_eq!(owned(&last, "m", "Update"), added);
    assert_eq!(owned(&last, "last", "Apply"), json!({"f:metadata": {"f:labels": {}}}));
}
