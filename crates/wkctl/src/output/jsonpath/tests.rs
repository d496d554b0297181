//! The examples of kubectl's documentation, and what else people write.

use serde_json::json;

use super::*;

fn input() -> Value {
    json!({
        "kind": "List",
        "items": [
            {"kind": "None", "metadata": {"name": "127.0.0.1", "labels": {"a.b/c": "d", "x": "y"}},
             "status": {"capacity": {"cpu": "4"}, "addresses": [
                {"type": "LegacyHostIP", "address": "127.0.0.1"}]}},
            {"kind": "None", "metadata": {"name": "127.0.0.2"},
             "status": {"capacity": {"cpu": "8"}, "ready": true, "addresses": [
                {"type": "LegacyHostIP", "address": "127.0.0.2"},
                {"type": "another", "address": "127.0.0.3"}]}}],
        "users": [
            {"name": "myself", "user": {}, "age": 5},
            {"name": "e2e", "user": {"username": "admin", "password": "secret"}, "age": 20}]
    })
}

#[track_caller]
fn check(template: &str, expected: &str) {
    let parsed = Template::parse(template).unwrap();
    assert_eq!(parsed.text(&input()), expected, "{template}");
}

#[test]
fn the_documented_examples_work() {
    check("kind is {.kind}", "kind is List");
    check("{['kind']}", "List");
    check("{..name}", "127.0.0.1 127.0.0.2 myself e2e");
    check("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2");
    check("{.users[0].name}", "myself");
    check("{.items[*]['metadata.name', 'status.capacity']}", "");
    check("{.items[*].status['capacity','ready']}", r#"{"cpu":"4"} {"cpu":"8"} true"#);
    check(r#"{.users[?(@.name=="e2e")].user.password}"#, "secret");
    check(
        "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}",
        r#"[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] "#,
    );
    check(r#"{range .items[*]}{.metadata.name}{"\t"}{end}"#, "127.0.0.1\t127.0.0.2\t");
    check(r"{.items[*].metadata.labels.a\.b/c}", "d");
    check(r#"{.items[*].status.addresses[?(@.type=="another")].address}"#, "127.0.0.3");
}

#[test]
fn slices_indexes_and_roots_work() {
    check("{.users[-1].name}", "e2e");
    check("{.users[0:1].name}", "myself");
    check("{.users[-1:].name}", "e2e");
    check("{.users[:].name}", "myself e2e");
    check("{.users[::2].name}", "myself");
    check("{.users[0,1].name}", "myself e2e");
    check("{.users[5].name}", "");
    check("{.users[-5].name}", "");
    check("{$.kind}{range .users[*]} {$.kind}-{@.name}{end}", "List List-myself List-e2e");
    check("{.users[*].age} {.items[1].status.ready}", "5 20 true");
    check(
        "{range .items[*]}{range .status.addresses[*]}{.type},{end};{end}",
        "LegacyHostIP,;LegacyHostIP,another,;",
    );
}

#[test]
fn filters_compare() {
    for (filter, expected) in [
        ("@.age>5", "e2e"),
        ("@.age>=5", "myself e2e"),
        ("@.age<20", "myself"),
        ("@.age<=20.0", "myself e2e"),
        ("@.age != 5", "e2e"),
        ("@.user.username", "e2e"),
        (r"@.name == 'myself'", "myself"),
        ("@.nothing==1", ""),
    ] {
        check(&format!("{{.users[?({filter})].name}}"), expected);
    }
}

#[test]
fn relaxed_paths_need_no_braces() {
    for path in ["kind", ".kind", "{.kind}", "{kind}", "['kind']"] {
        let template = Template::parse_relaxed(path).unwrap();
        assert_eq!(template.text(&input()), "List", "{path}");
    }
}

#[test]
fn malformed_templates_are_refused() {
    for template in [
        "{.a",
        "{range .a}",
        "{end}",
        "{.a[}",
        "{.a[]}",
        "{.a[?(@.b==)]}",
        "{..}",
        "{.a[0:1:0]}",
        "{'a}",
        "{.a[x]}",
        "{)}",
    ] {
        assert!(Template::parse(template).is_err(), "{template}");
    }
}
