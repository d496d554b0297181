//! Decoding: what is kept, what is warned about, what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pod() -> &'static Message {
    crate::kind("", "v1", "Pod").unwrap()
}

#[track_caller]
fn check(case: &str, text: &str, expected: &Value, warnings: &[&str]) {
    let (value, found) = decode(text.as_bytes(), pod()).unwrap();
    assert_eq!(value, *expected, "{case}");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, warnings, "{case}");
}

#[track_caller]
fn refused(case: &str, text: &str, expected: &str) {
    let error = decode(text.as_bytes(), pod()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{case}");
}

#[test]
fn keeps_what_the_message_has() {
    check(
        "a small pod",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}},
            "spec":{"containers":[{"name":"c","ports":[{"containerPort":80}]}]}}"#,
        &json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"x": "y"}},
            "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]},
        }),
        &[],
    );
    check(
        "null is absence",
        r#"{"spec":null,"metadata":{"name":null}}"#,
        &json!({"metadata": {}}),
        &[],
    );
    check(
        "null in lists and maps is the empty value",
        r#"{"metadata":{"labels":{"a":null},"finalizers":[null]}}"#,
        &json!({"metadata": {"labels": {"a": ""}, "finalizers": [""]}}),
        &[],
    );
    check("an empty body", "{}", &json!({}), &[]);
    check("a null body", "null", &json!({}), &[]);
}

#[test]
fn scalars_become_canonical() {
    check(
        "quantities",
        r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1000m","memory":1024}}}]}}"#,
        &json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1024"}}}]}}),
        &[],
    );
    check(
        "times",
        r#"{"metadata":{"creationTimestamp":"2026-01-01T01:00:00.5+01:00"}}"#,
        &json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}),
        &[],
    );
    let secret = crate::kind("", "v1", "Secret").unwrap();
    let (value, _) = decode(b"{\"data\":{\"a\":\"YWJj\\n\"}}", secret).unwrap();
    assert_eq!(value, json!({"data": {"a": "YWJj"}}));
}

#[test]
fn unknown_and_duplicate_fields_are_warnings() {
    check(
        "unknown",
        r#"{"foo":1,"spec":{"containers":[{"name":"a"},{"bar":{"x":[]},"name":"b"}],"Containers":[]}}"#,
        &json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
        &[
            r#"unknown field "foo""#,
            r#"unknown field "spec.containers[1].bar""#,
            r#"unknown field "spec.Containers""#,
        ],
    );
    check(
        "duplicate",
        r#"{"metadata":{"name":"a","name":"b","labels":{"x":"1","x":"2"}}}"#,
        &json!({"metadata": {"name": "b", "labels": {"x": "2"}}}),
        &[r#"duplicate field "metadata.name""#, r#"duplicate field "metadata.labels.x""#],
    );
    let many: Vec<String> = (0..500).map(|index| format!("\"u{index}\":1")).collect();
    let (_, warnings) = decode(format!("{{{}}}", many.join(",")).as_bytes(), pod()).unwrap();
    assert_eq!(warnings.len(), MAX_WARNINGS);
    assert_eq!(
        strict_error(&warnings[..2]),
        r#"strict decoding error: unknown field "u0", unknown field "u1""#
    );
}

#[test]
fn wrong_types_are_worded_as_in_go() {
    refused(
        "a string for a number",
        r#"{"spec":{"containers":[{"ports":[{"containerPort":"80"}]}]}}"#,
        "json: cannot unmarshal string into Go struct field \
         ContainerPort.spec.containers.ports.containerPort of type int32",
    );
    refused(
        "a number for a string",
        r#"{"spec":{"containers":[{"env":[{"name":"a","value":1}]}]}}"#,
        "json: cannot unmarshal number into Go struct field \
         EnvVar.spec.containers.env.value of type string",
    );
    refused(
        "an object for a list",
        r#"{"spec":{"containers":{}}}"#,
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    );
    refused(
        "a string for an item",
        r#"{"spec":{"containers":["a"]}}"#,
        "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
    );
    refused(
        "a number in a map of strings",
        r#"{"metadata":{"labels":{"a":1}}}"#,
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    );
    refused(
        "a number beyond its type",
        r#"{"spec":{"priority":3000000000}}"#,
        "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
    );
    refused(
        "a fraction for a whole number",
        r#"{"spec":{"priority":1.5}}"#,
        "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    );
    refused("not an object", "[]", "json: cannot unmarshal array into Go value of type v1.Pod");
    refused(
        "a bad quantity",
        r#"{"spec":{"overhead":{"cpu":"x"}}}"#,
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    refused(
        "a bad time",
        r#"{"metadata":{"creationTimestamp":"today"}}"#,
        "parsing time \"today\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"today\" as \"2006\"",
    );
    let error = decode(br#"{"spec":{"priority":true}}"#, pod()).unwrap_err();
    assert_eq!(
        error.for_kind("v1", "Pod"),
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal bool into Go \
         struct field PodSpec.spec.priority of type int32"
    );
}

#[test]
fn broken_text_is_refused() {
    refused("nothing", "", "unexpected end of JSON input");
    refused("cut off", r#"{"spec":"#, "unexpected end of JSON input");
    refused("not JSON", "hello", "invalid character 'h' looking for beginning of value");
    refused("two bodies", "{} {}", "invalid character '{' after top-level value");
    refused("no colon", r#"{"a" 1}"#, "invalid character '1' after object key");
    refused(
        "an absurd number",
        r#"{"spec":{"priority":1e999}}"#,
        "number out of range at line 1 column 25",
    );
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let raw = crate::kind("apps", "v1", "ControllerRevision").unwrap();
    let error = decode(format!(r#"{{"data":{deep}}}"#).as_bytes(), raw).unwrap_err();
    assert_eq!(error.to_string(), "exceeded max depth");
    let (_, warnings) = decode(format!(r#"{{"foo":{deep}}}"#).as_bytes(), raw).unwrap();
    assert_eq!(warnings.len(), 1, "what is skipped may be as deep as it likes");
    assert!(decode(b"{\"metadata\":{\"name\":\"\xff\"}}", pod()).is_err());
    assert!(decode(br#"{"metadata":{"name":"\ud800"}}"#, pod()).is_err());
}

#[test]
fn parsed_values_are_read_alike() {
    let value = json!({"spec": {"x": 1, "hostname": null, "priority": 3}});
    let (value, warnings) = decode_value(value, pod()).unwrap();
    assert_eq!(value, json!({"spec": {"priority": 3}}));
    assert_eq!(warnings[0].path, "spec.x");
    let mut deep = json!({});
    for _ in 0..1000 {
        deep = json!({ "x": deep });
    }
    let raw = crate::kind("apps", "v1", "ControllerRevision").unwrap();
    let error = decode_value(json!({ "data": deep }), raw).unwrap_err();
    assert_eq!(error.to_string(), "exceeded max depth");
}

#[test]
fn the_type_of_a_body_is_found() {
    let found = type_meta(br#"{"kind":"Pod","apiVersion":"v1","spec":[]}"#).unwrap();
    assert_eq!(found, ("v1".to_owned(), "Pod".to_owned()));
    assert_eq!(type_meta(b"{}").unwrap(), (String::new(), String::new()));
    let error = type_meta(b"{").unwrap_err().to_string();
    assert_eq!(error, "couldn't get version/kind; json parse error: unexpected end of JSON input");
}

#[test]
fn raw_values_keep_their_nulls() {
    let revision = crate::kind("apps", "v1", "ControllerRevision").unwrap();
    let (value, _) = decode(br#"{"data":{"a":null,"b":[null]}}"#, revision).unwrap();
    assert_eq!(value, json!({"data": {"a": null, "b": [null]}}));
}

/// Any JSON value, not deep.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9.:-]{0,6}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("metadata".to_owned()),
        Just("spec".to_owned()),
        Just("containers".to_owned()),
        Just("ports".to_owned()),
        Just("resources".to_owned()),
        Just("limits".to_owned()),
        Just("labels".to_owned()),
        Just("volumes".to_owned()),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&text, pod());
    }

    #[test]
    fn what_was_decoded_decodes_to_itself(value in any_json()) {
        if let Ok((first, _)) = decode(value.to_string().as_bytes(), pod()) {
            let (second, warnings) = decode(first.to_string().as_bytes(), pod()).unwrap();
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(warnings, vec![]);
            let (third, _) = decode_value(first.clone(), pod()).unwrap();
            prop_assert_eq!(first, third);
        }
    }
}
