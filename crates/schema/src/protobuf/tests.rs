//! Protobuf both ways, and malformed input.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::decode::tests::any_json;

fn message(group: &str, kind: &str) -> &'static Message {
    crate::kind(group, "v1", kind).unwrap()
}

/// Writes a value, reads it again and expects the same.
#[track_caller]
fn round_trip(group: &str, kind: &str, value: &Value) {
    let message = message(group, kind);
    let (value, warnings) = crate::decode(value.to_string().as_bytes(), message).unwrap();
    assert_eq!(warnings, vec![]);
    assert_eq!(from_protobuf(&to_protobuf(&value, message), message), Ok(value));
}

#[test]
fn objects_survive_the_round_trip() {
    round_trip(
        "",
        "Pod",
        &json!({
            "metadata": {
                "name": "a", "labels": {"x": "y", "empty": ""}, "finalizers": ["f"],
                "creationTimestamp": "2026-01-02T03:04:05Z", "deletionGracePeriodSeconds": 0,
                "managedFields": [{"fieldsV1": {"f:a": {}}, "manager": "m"}],
            },
            "spec": {
                "containers": [{
                    "name": "c", "image": "i", "args": ["", "b"],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
                    "env": [{"name": "e", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k", "optional": false}}}],
                    "livenessProbe": {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 5},
                    "readinessProbe": {"tcpSocket": {"port": 80}},
                    "securityContext": {"runAsUser": 0, "allowPrivilegeEscalation": false},
                }],
                "volumes": [
                    {"name": "v", "emptyDir": {}},
                    {"name": "w", "configMap": {"name": "x", "defaultMode": 420}},
                    {"name": "p", "projected": {"sources": [{"secret": {"name": "s"}}]}},
                ],
                "tolerations": [{"tolerationSeconds": -1}],
            },
            "status": {"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}},
            }]},
        }),
    );
    round_trip("", "Secret", &json!({"data": {"a": "YWJj", "empty": ""}, "type": "Opaque"}));
    round_trip(
        "coordination.k8s.io",
        "Lease",
        &json!({"spec": {
            "renewTime": "2026-01-02T03:04:05.000006Z", "leaseDurationSeconds": 40,
        }}),
    );
    round_trip(
        "authorization.k8s.io",
        "SubjectAccessReview",
        &json!({
            "spec": {"user": "u", "extra": {"scopes": ["a", "b"], "none": []}},
        }),
    );
    round_trip("apps", "ControllerRevision", &json!({"data": {"spec": [1, null]}, "revision": 0}));
    round_trip(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        &json!({
            "spec": {"matchConstraints": {"resourceRules": [{
                "apiGroups": ["a"], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["pods"], "scope": "*", "resourceNames": ["n"],
            }]}},
        }),
    );
    round_trip(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &json!({"spec": {
            "group": "g", "scope": "Namespaced", "names": {"kind": "K", "plural": "ks"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "maximum": 1.5,
                "default": {"a": null},
                "properties": {
                    "a": {"items": {"type": "string"}, "type": "array"},
                    "b": {"items": [{"type": "string"}]},
                    "c": {"additionalProperties": false},
                    "d": {"additionalProperties": {"type": "integer"}},
                    "e": {"dependencies": {"x": ["y"], "z": {"type": "null"}}},
                },
            }}}],
        }}),
    );
}

#[test]
fn bytes_as_go_writes_them_are_read() {
    // metadata { name: "a", generateName: "", creationTimestamp {}, deletionGracePeriod absent }
    let metadata = [0x0a, 1, b'a', 0x12, 0, 0x42, 0];
    let mut bytes = vec![0x0a, u8::try_from(metadata.len()).unwrap()];
    bytes.extend(metadata);
    // An unknown field of each wire type, then binaryData { "k": 0xff }.
    bytes.extend([0xf8, 0x07, 1, 0xf9, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0x07, 1, 0, 0xfd, 0x07]);
    bytes.extend([0, 0, 0, 0, 0x1a, 6, 0x0a, 1, b'k', 0x12, 1, 0xff]);
    let value = from_protobuf(&bytes, message("", "ConfigMap")).unwrap();
    assert_eq!(value, json!({"metadata": {"name": "a"}, "binaryData": {"k": "/w=="}}));
}

#[test]
fn envelopes_carry_the_type() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}});
    let sealed = write_object(&object, message("", "ConfigMap"));
    assert_eq!(&sealed[..4], b"k8s\0");
    let unknown = open(&sealed).unwrap();
    assert_eq!((unknown.api_version, unknown.kind, unknown.content_type), ("v1", "ConfigMap", ""));
    assert_eq!(read_object(&unknown, message("", "ConfigMap")), Ok(object.clone()));
    assert_eq!(open(b"{}"), Err(ProtobufError::NoEnvelope));
    assert_eq!(open(b"k8s\0\x0a\x05a"), Err(ProtobufError::Truncated));

    let event = watch_event("ADDED", &sealed);
    let event_type = crate::message("io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent").unwrap();
    assert_eq!(from_protobuf(&event, event_type), Ok(json!({"type": "ADDED", "object": object})));
    assert_eq!(&frame(b"abc"), b"\0\0\0\x03abc");
}

#[test]
fn broken_bytes_are_refused() {
    let pod = message("", "Pod");
    let error = |bytes: &[u8]| from_protobuf(bytes, pod).unwrap_err();
    assert_eq!(error(&[0x0a]), ProtobufError::Truncated);
    assert_eq!(error(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), ProtobufError::Truncated);
    assert_eq!(error(&[0x00, 0x00]), ProtobufError::IllegalTag(0));
    assert_eq!(error(&[0x0b]), ProtobufError::IllegalTag(0x0b));
    assert_eq!(error(&[0x80; 11]), ProtobufError::Overflow);
    assert_eq!(error(&[0x08, 1]), ProtobufError::WireType { wire: 0, field: "metadata" });
    assert_eq!(error(&[0x0a, 3, 0x0a, 1, 0xff]), ProtobufError::Utf8("name"));
    let schema = message("apiextensions.k8s.io", "CustomResourceDefinition");
    // not { not { ... } } in a schema, deeper than allowed.
    let mut deep = Vec::new();
    for _ in 0..500 {
        let mut outer = vec![];
        wire::put_bytes(&mut outer, 28, &deep);
        deep = outer;
    }
    for number in [1, 4, 7, 2] {
        let mut outer = vec![];
        wire::put_bytes(&mut outer, number, &deep);
        deep = outer;
    }
    let result = from_protobuf(&deep, schema);
    assert!(result.is_ok() || result == Err(ProtobufError::TooDeep), "{result:?}");
    let props =
        crate::message("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
    let mut deep = Vec::new();
    for _ in 0..500 {
        let mut outer = vec![];
        wire::put_bytes(&mut outer, 28, &deep);
        deep = outer;
    }
    assert_eq!(from_protobuf(&deep, props.unwrap()), Err(ProtobufError::TooDeep));
}

#[test]
fn every_field_has_a_number_of_its_own() {
    for message in crate::messages() {
        let mut seen = std::collections::BTreeSet::new();
        for field in message.fields.iter().filter(|field| field.number != 0) {
            assert!(seen.insert((field.via, field.number)), "{} {}", message.name, field.json);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in ["Pod", "Service", "Node"] {
            let _ = from_protobuf(&bytes, message("", kind));
        }
        let _ = open(&bytes);
        let _ = from_protobuf(&bytes, message("apiextensions.k8s.io", "CustomResourceDefinition"));
    }

    #[test]
    fn changed_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let pod = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-02T03:04:05Z"},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}],
                     "volumes": [{"name": "v", "configMap": {"name": "x"}}]}});
        let mut bytes = to_protobuf(&pod, message("", "Pod"));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = from_protobuf(&bytes, message("", "Pod"));
    }

    #[test]
    fn what_was_read_reads_the_same_again(value in any_json()) {
        let pod = message("", "Pod");
        if let Ok((value, _)) = crate::decode(value.to_string().as_bytes(), pod) {
            let once = from_protobuf(&to_protobuf(&value, pod), pod).unwrap();
            let twice = from_protobuf(&to_protobuf(&once, pod), pod).unwrap();
            prop_assert_eq!(once, twice);
        }
    }
}
