//! The OpenAPI documents, as clients read them.

use std::collections::BTreeSet;

use super::*;

fn info(group: &str, kind: &'static str) -> KindInfo<'static> {
    let row = crate::kind_of(group, "v1", kind).unwrap();
    KindInfo {
        kind: row.kind,
        plural: row.plural,
        namespaced: row.scope == crate::Scope::Namespaced,
        message: row.message,
        list: row.list,
        verbs: vec![
            "get",
            "list",
            "watch",
            "create",
            "update",
            "patch",
            "delete",
            "deletecollection",
        ],
        subresources: vec![SubresourceInfo {
            name: "status",
            kind: (row.group, row.version, row.kind),
            message: Some(row.message),
            verbs: vec!["get", "patch", "update"],
        }],
    }
}

fn core() -> Value {
    let text = v3_document("", "v1", &[info("", "Pod"), info("", "Namespace")], "v1.36.0");
    serde_json::from_str(&text).unwrap()
}

/// All references in a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = core();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn kinds_and_merge_keys_are_found() {
    let document = core();
    let schemas = &document["components"]["schemas"];
    let pod = &schemas["io.k8s.api.core.v1.Pod"];
    assert_eq!(
        pod["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "Pod"}])
    );
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-type"], "map");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert!(containers["description"].as_str().unwrap().starts_with("List of containers"));
    let volumes = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"];
    assert_eq!(volumes["x-kubernetes-patch-strategy"], "merge,retainKeys");
    let ports = &schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"];
    assert_eq!(ports["x-kubernetes-patch-merge-key"], "containerPort");
    assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["containerPort", "protocol"]));
    let port = &schemas["io.k8s.api.core.v1.ContainerPort"];
    assert_eq!(port["required"], json!(["containerPort"]));
    assert_eq!(port["properties"]["protocol"]["default"], "TCP");
    assert_eq!(port["properties"]["containerPort"]["format"], "int32");
    let selector = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"];
    assert_eq!(selector["x-kubernetes-map-type"], "atomic");
}

#[test]
fn paths_tell_action_kind_and_parameters() {
    let document = core();
    let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-action"], "patch");
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Pod");
    assert_eq!(patch["operationId"], "patchCoreV1NamespacedPod");
    let parameters: Vec<&str> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    assert_eq!(parameters, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    let list = &document["paths"]["/api/v1/pods"]["get"];
    assert_eq!(list["operationId"], "listCoreV1PodForAllNamespaces");
    assert!(document["paths"]["/api/v1/pods"].get("post").is_none());
    let status = &document["paths"]["/api/v1/namespaces/{name}/status"]["get"];
    assert_eq!(status["operationId"], "readCoreV1NamespaceStatus");
}

#[test]
fn the_second_version_has_everything_in_one() {
    let groups =
        [("", "v1", vec![info("", "Pod")]), ("apps", "v1", vec![info("apps", "Deployment")])];
    let document: Value = serde_json::from_str(&v2_document(&groups, "v1.36.0")).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert!(document["paths"]["/apis/apps/v1/deployments"]["get"].is_object());
}

#[test]
fn the_index_names_every_document() {
    assert_eq!(
        v3_index([("", "v1", "AB"), ("apps", "v1", "CD")]),
        json!({"paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=AB"},
            "apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=CD"},
        }})
    );
}

#[test]
fn every_message_has_its_own_documentation() {
    let mut docs = Docs::default();
    for message in crate::messages() {
        let texts = docs.of(message);
        assert_eq!(texts.len(), message.fields.len() + 1, "{}", message.name);
    }
    let pod = crate::message("io.k8s.api.core.v1.PodSpec").unwrap();
    let at = pod.fields.iter().position(|field| field.json == "hostNetwork").unwrap();
    assert!(docs.of(pod)[at + 1].starts_with("Host networking requested"));
}

/// The fields of a protobuf message: number and bytes, numbers alone for others.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        match tag & 7 {
            0 => {
                varint(&mut bytes);
                found.push((tag >> 3, &bytes[..0]));
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                found.push((tag >> 3, inner));
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn inner(bytes: &[u8], number: u64) -> &[u8] {
    let mut found = fields(bytes).into_iter().filter(|(own, _)| *own == number);
    found.next().unwrap_or_else(|| panic!("no field {number}")).1
}

/// The value of a name in a list of pairs.
fn named<'a>(bytes: &'a [u8], number: u64, name: &str) -> &'a [u8] {
    let mut pairs = fields(bytes).into_iter().filter(|(own, _)| *own == number);
    let found = pairs.find(|(_, pair)| inner(pair, 1) == name.as_bytes());
    inner(found.unwrap_or_else(|| panic!("no {name}")).1, 2)
}

#[test]
fn the_second_version_can_be_had_in_protobuf() {
    let groups = [("apps", "v1", vec![info("apps", "Deployment")])];
    let document = v2_message(&groups, "v1.36.0");
    assert_eq!(inner(&document, 1), b"2.0");
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let patch = inner(named(inner(&document, 8), 2, path), 8);
    assert_eq!(inner(patch, 5), b"patchAppsV1NamespacedDeployment");
    let gvk = named(patch, 13, "x-kubernetes-group-version-kind");
    let gvk: Value = serde_json::from_slice(inner(gvk, 2)).unwrap();
    assert_eq!(gvk["kind"], "Deployment");
    let definitions = inner(&document, 9);
    let container = named(definitions, 1, "io.k8s.api.core.v1.Container");
    let ports = named(inner(container, 25), 1, "ports");
    assert_eq!(inner(named(ports, 31, "x-kubernetes-patch-merge-key"), 2), b"\"containerPort\"");
    let item = inner(inner(ports, 23), 1);
    assert_eq!(inner(item, 1), b"#/definitions/io.k8s.api.core.v1.ContainerPort");
}

#[test]
fn fields_with_few_values_say_which() {
    let document = core();
    let container = &document["components"]["schemas"]["io.k8s.api.core.v1.Container"];
    let policy = &container["properties"]["imagePullPolicy"];
    assert_eq!(policy["enum"], json!(["Always", "IfNotPresent", "Never"]));
    let text = policy["description"].as_str().unwrap();
    assert!(text.ends_with(
        "Possible enum values:\n - `\"Always\"`\n - `\"IfNotPresent\"`\n - `\"Never\"`"
    ));
    let watch = &document["paths"]["/api/v1/watch/namespaces/{namespace}/pods/{name}"]["get"];
    assert_eq!(watch["x-kubernetes-action"], "watch");
    assert_eq!(watch["operationId"], "watchCoreV1NamespacedPod");
    let all = &document["paths"]["/api/v1/watch/pods"]["get"];
    assert_eq!(all["operationId"], "watchCoreV1PodListForAllNamespaces");
}
