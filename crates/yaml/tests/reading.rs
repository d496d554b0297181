//! What texts come to; `tests/wkctl_yaml.rs` of the whole compares with stock kubectl.

use std::fmt::Write as _;

use serde_json::{Value, json};
use wk_yaml::{Dialect, documents, first, text};

#[track_caller]
fn check(input: &str, expected: &Value) {
    let document = first(input.as_bytes());
    assert_eq!(document.map(|document| document.value).as_ref(), Ok(expected), "{input}");
}

#[track_caller]
fn refused(input: &str, expected: &str) {
    let document = first(input.as_bytes());
    assert_eq!(document.map_err(|error| error.to_string()), Err(expected.to_owned()), "{input}");
}

#[test]
fn scalars_have_the_types_of_yaml_1_1() {
    check(
        "[0644, 1_000, yes, Off, 0x1F, 0b11, 1e3, .5, ~, 2001-01-01, 1:30, 'yes', \"0644\", 08]",
        &json!([
            420,
            1000,
            true,
            false,
            31,
            3,
            1000,
            0.5,
            null,
            "2001-01-01",
            "1:30",
            "yes",
            "0644",
            8
        ]),
    );
    check(
        "[!!str 123, !!int '5', !!float 5, !!bool yes, !!binary aGVsbG8=, !own 5, ! 5, !!str ~]",
        &json!(["123", 5, 5, true, "hello", "5", "5", "~"]),
    );
    check("{1: a, 1.5: b, yes: c, 1e6: d, .inf: e, 2001-01-01: f}", &{
        json!({"1": "a", "1.5": "b", "true": "c", "1e+06": "d", ".inf": "e", "2001-01-01": "f"})
    });
    refused("v: !!int foo", "yaml: cannot decode !!str `foo` as a !!int");
    refused("v: -.inf", "json: unsupported value: -Inf");
    refused("~: 1", "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1");
    refused("? [a]\n: 1", "yaml: invalid map key: []interface {}{\"a\"}");
}

#[test]
fn merges_come_in_the_order_of_the_text() {
    check("{a: 1, <<: {a: 2, b: 3}}", &json!({"a": 2, "b": 3}));
    check("{<<: {a: 2, b: 3}, a: 1}", &json!({"a": 1, "b": 3}));
    check("{<<: [{a: 1}, {a: 2, b: 3}]}", &json!({"a": 1, "b": 3}));
    check("x: &x {a: 1}\nw: {<<: *x, b: 2}", &json!({"x": {"a": 1}, "w": {"a": 1, "b": 2}}));
    check("{'<<': 1}", &json!({"<<": 1}));
    let no_map = "yaml: map merge requires map or sequence of maps as the value";
    refused("<<: 1", no_map);
    refused("x: &x 1\nw: {<<: *x}", no_map);
}

#[test]
fn of_fields_given_twice_the_last_one_counts() {
    let document = first(b"a: 1\nb: {c: x,\n  c: z}\na: 2\n1: x\n1: z\n").unwrap();
    assert_eq!(document.value, json!({"a": 2, "b": {"c": "z"}, "1": "z"}));
    let told: Vec<String> = document.duplicates.iter().map(ToString::to_string).collect();
    let expected = ["line 3: key \"c\"", "line 4: key \"a\"", "line 6: key 1"];
    assert_eq!(told, expected.map(|each| format!("{each} already set in map")));
}

#[test]
fn lines_in_quotes_need_no_indentation() {
    let input = "a:\n  b: '{\n\"x\": 1\n}'\n  c: \"y\n\tz\"\n  d: 'it''s\nso'\n";
    check(input, &json!({"a": {"b": "{ \"x\": 1 }", "c": "y z", "d": "it's so"}}));
}

#[test]
fn faults_are_told_as_by_go() {
    for (input, expected) in [
        ("v: a: b", "yaml: mapping values are not allowed in this context"),
        ("x:\nv: a: b", "yaml: line 2: mapping values are not allowed in this context"),
        ("a:\n  b: c\n d: e", "yaml: line 2: did not find expected key"),
        ("a: [b\nc: d", "yaml: line 1: did not find expected ',' or ']'"),
        ("a: {b: c\nd", "yaml: line 1: did not find expected ',' or '}'"),
        ("a:\n\tb: c", "yaml: line 2: found character that cannot start any token"),
        ("a: 'b\n", "yaml: line 2: found unexpected end of stream"),
        ("a: b\nc\n", "yaml: line 3: could not find expected ':'"),
        ("a: \"\\q\"", "yaml: found unknown escape character"),
        ("a: *b", "yaml: unknown anchor 'b' referenced"),
        ("a: &a [*a]", "yaml: anchor 'a' value contains itself"),
        ("a: b\u{7}", "yaml: control characters are not allowed"),
    ] {
        refused(input, expected);
    }
    let error = first(b"a: \xff").unwrap_err().to_string();
    assert_eq!(error, "yaml: invalid leading UTF-8 octet");
}

#[test]
fn documents_that_grow_or_nest_without_bound_are_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (last, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        writeln!(bomb, "{next}: &{next} [{}]", vec![format!("*{last}"); 10].join(",")).unwrap();
    }
    refused(&bomb, "yaml: document contains excessive aliasing");
    let deep = "yaml: exceeded max depth of 128";
    refused(&format!("a: {}", "[".repeat(5000)), deep);
    refused(&"- ".repeat(5000), deep);
    let mut chain = format!("a: &a {}1{}\n", "[".repeat(100), "]".repeat(100));
    for (last, next) in [("a", "b"), ("b", "c")] {
        let (open, close) = ("[".repeat(100), "]".repeat(100));
        writeln!(chain, "{next}: &{next} {open}*{last}{close}").unwrap();
    }
    refused(&chain, deep);
    let flat = format!("a: [{}]", vec!["x"; 100_000].join(","));
    assert!(first(flat.as_bytes()).is_ok());
}

#[test]
fn documents_are_parted_by_dashes() {
    let all = documents("# c\n---\na: 1\n--- # more\nb: yes\n---\n\n", Dialect::Kubernetes);
    assert_eq!(all, Ok(vec![json!({"a": 1}), json!({"b": true})]));
    let error = documents("a: 1\n--- b\n", Dialect::Kubernetes).unwrap_err();
    assert_eq!(error.to_string(), "invalid Yaml document separator: b");
    let error = documents("a: 1\n---\nb: [\n", Dialect::Kubernetes).unwrap_err().to_string();
    let expected =
        "error converting YAML to JSON: yaml: line 1: did not find expected node content";
    assert_eq!(error, expected);
}

#[test]
fn kustomize_reads_in_its_own_way() {
    let read =
        |input: &str| documents(input, Dialect::Kustomize).map_err(|error| error.to_string());
    assert_eq!(
        read("a: [yes, 0644, 2001-01-01, ! 5]\n0x10: b\nc: {d: 1, <<: {d: 2, e: 3}}"),
        Ok(vec![json!({
            "a": ["yes", 420, "2001-01-01T00:00:00Z", 5], "0x10": "b", "c": {"d": 1, "e": 3}
        })])
    );
    for (input, expected) in [
        (
            "a: {b: 1, b: 2}\nc: {d: 1,\n  d: 2}",
            "yaml: unmarshal errors:\n  line 1: mapping key \"b\" already defined at line 1\n  \
             line 3: mapping key \"d\" already defined at line 2",
        ),
        ("a: {1: b}", "json: unsupported type: map[interface {}]interface {}"),
        ("a: !!bool yes", "yaml: cannot decode !!str `yes` as a !!bool"),
    ] {
        assert_eq!(read(input), Err(format!("error converting YAML to JSON: {expected}")));
    }
}

#[test]
fn what_is_written_is_read_again() {
    for value in [
        json!({"a": ["yes", "0644", "1e3", "~", "2001-01-01", "1:30", "<<", "", " x", "a\n b\n"]}),
        json!([1, 1.5, -3, null, true, "null", "0b1", "1_000", ".inf", "=", "#", "a: b", "it's"]),
        json!("a\tb\u{1}\u{85}\u{feff}\u{2028}"),
    ] {
        check(&text(&value), &value);
    }
}
