//! The generated table, looked at from its public side.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;

#[test]
fn the_table_is_sorted() {
    assert!(messages().is_sorted_by(|a, b| a.name < b.name));
    assert!(
        kinds()
            .is_sorted_by(|a, b| { (a.group, a.version, a.kind) < (b.group, b.version, b.kind) })
    );
    for message in messages() {
        assert!(message.fields.is_sorted_by(|a, b| a.json < b.json), "{}", message.name);
    }
}

#[test]
fn messages_and_kinds_are_found() {
    let container = message("io.k8s.api.core.v1.Container").unwrap();
    assert_eq!(container.go_name(), "v1.Container");
    assert_eq!(container.short_name(), "Container");
    assert_eq!(container.package(), "io.k8s.api.core.v1");
    assert!(message("io.k8s.api.core.v1.container").is_none());
    assert_eq!(kind("apps", "v1", "Deployment").unwrap().short_name(), "Deployment");
    assert_eq!(kind("", "v1", "PodList").unwrap().short_name(), "PodList");
    assert_eq!(kind("apps", "v1", "DeleteOptions").unwrap().short_name(), "DeleteOptions");
    assert!(kind("apps", "v1", "Pod").is_none());
    let pod = kind_of("", "v1", "Pod").unwrap();
    assert_eq!((pod.plural, pod.scope), ("pods", Scope::Namespaced));
}

#[test]
fn list_keys_are_fields_of_the_items() {
    for message in messages() {
        for field in message.fields {
            let keys: Vec<&str> = match (field.merge.list, field.merge.patch) {
                (ListType::Map(keys), _) => keys.to_vec(),
                (_, PatchStrategy::Merge(key)) => vec![key],
                _ => continue,
            };
            let item = field.ty.message().unwrap();
            for key in keys {
                assert!(item.field(key).is_some(), "{}.{} by {key}", message.name, field.json);
            }
        }
    }
}

/// The rules that people rely on most, as the API's documentation has them.
#[test]
fn well_known_merge_rules() {
    let rule = |name: &str, field: &str| {
        merge_rule(message(&format!("io.k8s.api.core.v1.{name}")).unwrap(), field)
    };
    let merges = |name, field, key, keys: &'static [&'static str]| {
        let rule = rule(name, field);
        assert_eq!(rule.patch, PatchStrategy::Merge(key), "{name}.{field}");
        assert_eq!(rule.list, ListType::Map(keys), "{name}.{field}");
    };
    merges("PodSpec", "containers", "name", &["name"]);
    merges("PodSpec", "initContainers", "name", &["name"]);
    merges("PodSpec", "ephemeralContainers", "name", &["name"]);
    merges("PodSpec", "volumes", "name", &["name"]);
    merges("PodSpec", "imagePullSecrets", "name", &["name"]);
    merges("PodSpec", "hostAliases", "ip", &["ip"]);
    merges(
        "PodSpec",
        "topologySpreadConstraints",
        "topologyKey",
        &["topologyKey", "whenUnsatisfiable"],
    );
    merges("Container", "env", "name", &["name"]);
    merges("Container", "volumeMounts", "mountPath", &["mountPath"]);
    merges("Container", "volumeDevices", "devicePath", &["devicePath"]);
    merges("Container", "ports", "containerPort", &["containerPort", "protocol"]);
    merges("ServiceSpec", "ports", "port", &["port", "protocol"]);
    merges("PodStatus", "conditions", "type", &["type"]);
    merges("NodeStatus", "addresses", "type", &["type"]);
    merges("ServiceAccount", "secrets", "name", &["name"]);
    assert!(rule("PodSpec", "volumes").retain_keys);
    assert_eq!(rule("PodSpec", "tolerations"), MergeRule::PLAIN);
    assert_eq!(rule("Container", "args"), MergeRule::PLAIN);
    assert!(rule("PodSpec", "nodeSelector").atomic);
    let meta = message("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").unwrap();
    assert_eq!(merge_rule(meta, "finalizers").patch, PatchStrategy::MergePrimitives);
    assert_eq!(merge_rule(meta, "finalizers").list, ListType::Set);
    assert_eq!(merge_rule(meta, "ownerReferences").patch, PatchStrategy::Merge("uid"));
    let deployment = message("io.k8s.api.apps.v1.DeploymentSpec").unwrap();
    assert!(merge_rule(deployment, "strategy").retain_keys);
    assert_eq!(merge_rule(deployment, "nothing"), MergeRule::PLAIN);
}

#[test]
fn empty_values_mean_what_they_mean_in_go() {
    let spec = message("io.k8s.api.core.v1.PodSpec").unwrap();
    let is_absence = |name: &str, value| spec.field(name).unwrap().is_absence(&value);
    assert!(is_absence("hostNetwork", json!(false)));
    assert!(is_absence("hostname", json!("")));
    assert!(is_absence("nodeSelector", json!({})));
    assert!(is_absence("volumes", json!([])));
    assert!(!is_absence("hostUsers", json!(false)));
    assert!(!is_absence("securityContext", json!({})));
    assert!(!is_absence("terminationGracePeriodSeconds", json!(0)));
    assert!(!is_absence("containers", json!([])));
}

/// What a tag of a Go structure says of a field: patch strategies and merge key.
type Tag = (String, String);

/// The tags in a program, by JSON name and protobuf number.
fn tags(program: &[u8]) -> BTreeMap<(String, u32), BTreeSet<Tag>> {
    let mut tags: BTreeMap<_, BTreeSet<Tag>> = BTreeMap::new();
    for at in program.windows(6).enumerate().filter(|(_, w)| w == b"json:\"").map(|(at, _)| at) {
        let Some(text) = tag_at(program, at) else { continue };
        let value = |key: &str| {
            let quoted = text.split(' ').find_map(|word| word.strip_prefix(key))?;
            Some(quoted.strip_prefix(":\"")?.split('"').next()?.to_owned())
        };
        let Some(json) = value("json") else { continue };
        let json = json.split(',').next().unwrap_or_default().to_owned();
        let Some(number) = value("protobuf").and_then(|tag| tag.split(',').nth(1)?.parse().ok())
        else {
            continue;
        };
        let tag = (
            value("patchStrategy").unwrap_or_default(),
            value("patchMergeKey").unwrap_or_default(),
        );
        tags.entry((json, number)).or_default().insert(tag);
    }
    tags
}

/// The tag that begins here; its length stands before it, in one byte or two of seven bits each.
fn tag_at(program: &[u8], at: usize) -> Option<&str> {
    let length = match (program.get(at - 2)?, program.get(at - 1)?) {
        (low @ 0x80.., high @ 1..0x40) => usize::from(low & 0x7f) | usize::from(*high) << 7,
        (_, &length) => usize::from(length),
    };
    let text = std::str::from_utf8(program.get(at..at + length)?).ok()?;
    text.ends_with('"').then_some(text)
}

/// The same of a field of the table.
fn tag(field: &Field) -> Tag {
    let mut strategies = Vec::new();
    let mut key = "";
    match field.merge.patch {
        PatchStrategy::Default => {}
        PatchStrategy::Replace => strategies.push("replace"),
        PatchStrategy::Merge(by) => {
            strategies.push("merge");
            key = by;
        }
        PatchStrategy::MergePrimitives => strategies.push("merge"),
    }
    if field.merge.retain_keys {
        strategies.push("retainKeys");
    }
    (strategies.join(","), key.to_owned())
}

/// `kubectl` is linked with the Go structures of all built-in kinds, whose tags hold JSON name,
/// protobuf number and merge rule of each field. (Which structure a tag belongs to is not compared.)
#[test]
#[ignore = "needs a kubectl binary of 1.32 or later, named by KUBECTL"]
fn numbers_and_merge_rules_are_those_of_kubectl() {
    let path = std::env::var_os("KUBECTL").expect("KUBECTL names a kubectl binary");
    let tags = tags(&std::fs::read(path).unwrap());
    assert!(tags.len() > 1000, "{} tags", tags.len());
    let mut compared = 0;
    let mut unknown = Vec::new();
    for message in messages() {
        // The server's own types are not linked into kubectl.
        if message.name.contains("apiextensions") || message.name.contains("kube-aggregator") {
            continue;
        }
        // New in this release: in older programs the numbers are those of other structures.
        if message.short_name() == "NodeAllocatableResourceClaimStatus" {
            continue;
        }
        for field in message.fields.iter().filter(|field| field.number != 0) {
            match tags.get(&(field.json.to_owned(), field.number)) {
                Some(tags) => {
                    let name = format!("{}.{}", message.name, field.json);
                    assert!(tags.contains(&tag(field)), "{name}: {:?} and {tags:?}", tag(field));
                    compared += 1;
                }
                None => unknown.push(format!("{}.{}", message.name, field.json)),
            }
        }
    }
    // A kubectl of another release lacks a few.
    assert!(compared > 1900 && unknown.len() < compared / 10, "{compared}, but {unknown:?}");
}
