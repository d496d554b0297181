//! Changes of all objects: namespace, names, labels, annotations, replicas and images.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::fields::{Place, visit};
use super::file::{Image, Labels, Replica};
use super::item::Item;
use crate::kinds::text;

/// Kinds whose names are their meaning.
const UNTOUCHED: [&str; 3] = ["CustomResourceDefinition", "APIService", "Namespace"];

/// Workloads that have replicas.
const REPLICATED: [&str; 4] = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"];

/// Labels of the pods, claims and jobs that workloads make.
const TEMPLATES: [Place; 9] = [
    Place::made("ReplicationController", "spec/template/metadata/labels"),
    Place::made("Deployment", "spec/template/metadata/labels"),
    Place::made("ReplicaSet", "spec/template/metadata/labels"),
    Place::made("DaemonSet", "spec/template/metadata/labels"),
    Place::made("StatefulSet", "spec/template/metadata/labels").of("apps"),
    Place::made("StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels").of("apps"),
    Place::made("Job", "spec/template/metadata/labels").of("batch"),
    Place::made("CronJob", "spec/jobTemplate/metadata/labels").of("batch"),
    Place::made("CronJob", "spec/jobTemplate/spec/template/metadata/labels").of("batch"),
];

/// Labels by which objects find others.
const SELECTORS: [Place; 12] = [
    Place::made("Service", "spec/selector"),
    Place::made("ReplicationController", "spec/selector"),
    Place::made("Deployment", "spec/selector/matchLabels"),
    Place::made("ReplicaSet", "spec/selector/matchLabels"),
    Place::made("DaemonSet", "spec/selector/matchLabels"),
    Place::made("StatefulSet", "spec/selector/matchLabels").of("apps"),
    Place::found("batch", "Job", "spec/selector/matchLabels"),
    Place::found("batch", "CronJob", "spec/jobTemplate/spec/selector/matchLabels"),
    Place::found("policy", "PodDisruptionBudget", "spec/selector/matchLabels"),
    Place::found("networking.k8s.io", "NetworkPolicy", "spec/podSelector/matchLabels"),
    Place::found("networking.k8s.io", "NetworkPolicy", "spec/ingress/from/podSelector/matchLabels"),
    Place::found("networking.k8s.io", "NetworkPolicy", "spec/egress/to/podSelector/matchLabels"),
];

/// Labels by which the pods of deployments and stateful sets find others, in the pod's `spec`.
const NEIGHBOURS: [&str; 5] = [
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/\
     labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/\
     labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/\
     matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

/// Annotations of the pods and jobs that workloads make.
const ANNOTATED: [Place; 8] = [
    Place::made("ReplicationController", "spec/template/metadata/annotations"),
    Place::made("Deployment", "spec/template/metadata/annotations"),
    Place::made("ReplicaSet", "spec/template/metadata/annotations"),
    Place::made("DaemonSet", "spec/template/metadata/annotations"),
    Place::made("StatefulSet", "spec/template/metadata/annotations"),
    Place::made("Job", "spec/template/metadata/annotations").of("batch"),
    Place::made("CronJob", "spec/jobTemplate/metadata/annotations").of("batch"),
    Place::made("CronJob", "spec/jobTemplate/spec/template/metadata/annotations").of("batch"),
];

/// Moves all objects that live in namespaces into one.
pub(super) fn namespace(namespace: &str, items: &mut [Item]) -> anyhow::Result<()> {
    if namespace.is_empty() {
        return Ok(());
    }
    for item in items.iter_mut() {
        let id = item.id();
        if id.kind == "Namespace" && id.group.is_empty() {
            item.rename(namespace);
        } else if !id.is_of_cluster() {
            item.move_to(namespace);
        }
        if id.kind == "APIService" && id.group == "apiregistration.k8s.io" {
            let path = "spec/service/namespace";
            visit(&mut item.object, path, true, &mut |value| *value = json!(namespace));
        }
        if id.kind == "CustomResourceDefinition" {
            let path = "spec/conversion/webhook/clientConfig/service/namespace";
            visit(&mut item.object, path, false, &mut |value| *value = json!(namespace));
        }
        if ["RoleBinding", "ClusterRoleBinding"].contains(&id.kind.as_str()) {
            // Other accounts are moved with the objects that they are, see `references`.
            let subjects = item.object.get_mut("subjects").and_then(Value::as_array_mut);
            for subject in subjects.into_iter().flatten() {
                if text(subject, "/kind") == "ServiceAccount" && text(subject, "/name") == "default"
                {
                    subject["namespace"] = json!(namespace);
                }
            }
        }
    }
    for (at, item) in items.iter().enumerate() {
        let id = item.id();
        if items[..at].iter().any(|other| other.id().is_same(&id)) {
            bail!("namespace transformation produces ID conflict: {id}");
        }
    }
    Ok(())
}

/// Puts texts before and behind the names of all objects.
pub(super) fn names(prefix: &str, suffix: &str, items: &mut [Item]) {
    for item in items.iter_mut().filter(|item| !UNTOUCHED.contains(&item.kind())) {
        if !prefix.is_empty() {
            item.prefixes.push(prefix.to_owned());
            item.rename(&format!("{prefix}{}", item.name()));
        }
        if !suffix.is_empty() {
            item.suffixes.push(suffix.to_owned());
            item.rename(&format!("{}{suffix}", item.name()));
        }
    }
}

/// Sets labels, in templates and selectors too where that is asked for.
pub(super) fn labels(labels: &Labels, items: &mut [Item]) {
    for item in items {
        set(&labels.pairs, &Place::made("", "metadata/labels"), item);
        if labels.include_selectors || labels.include_templates {
            for place in &TEMPLATES {
                set(&labels.pairs, place, item);
            }
        }
        if labels.include_selectors {
            for place in &SELECTORS {
                set(&labels.pairs, place, item);
            }
            let id = item.id();
            if id.group == "apps" && ["Deployment", "StatefulSet"].contains(&id.kind.as_str()) {
                for path in NEIGHBOURS {
                    let path = format!("spec/template/spec/{path}");
                    visit(&mut item.object, &path, false, &mut |value| put(&labels.pairs, value));
                }
            }
        }
    }
}

/// Sets labels wherever labels are.
pub(super) fn common_labels(pairs: &BTreeMap<String, String>, items: &mut [Item]) {
    let pairs = pairs.clone();
    labels(&Labels { pairs, include_selectors: true, include_templates: true }, items);
}

/// Sets annotations, also of what workloads make.
pub(super) fn annotations(pairs: &BTreeMap<String, String>, items: &mut [Item]) {
    for item in items {
        set(pairs, &Place::made("", "metadata/annotations"), item);
        for place in &ANNOTATED {
            set(pairs, place, item);
        }
    }
}

fn set(pairs: &BTreeMap<String, String>, place: &Place, item: &mut Item) {
    if !pairs.is_empty() {
        place.visit(item, &mut |value| put(pairs, value));
    }
}

fn put(pairs: &BTreeMap<String, String>, value: &mut Value) {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    if let Some(fields) = value.as_object_mut() {
        fields.extend(pairs.iter().map(|(key, value)| (key.clone(), json!(value))));
    }
}

/// Sets how many pods the workloads of a name have.
pub(super) fn replicas(replica: &Replica, items: &mut [Item]) -> anyhow::Result<()> {
    let mut found = false;
    for item in items.iter_mut().filter(|item| REPLICATED.contains(&item.kind())) {
        if item.ids().any(|id| id.name == replica.name) {
            found = true;
            visit(&mut item.object, "spec/replicas", true, &mut |value| {
                *value = json!(replica.count);
            });
        }
    }
    if !found {
        bail!(
            "resource with name {} does not match a config with the following GVK [{}]",
            replica.name,
            REPLICATED.map(|kind| format!("{kind}.[noVer].[noGrp]")).join(" ")
        );
    }
    Ok(())
}

/// Changes an image wherever containers are.
pub(super) fn image(image: &Image, items: &mut [Item]) {
    for item in items.iter_mut().filter(|item| item.kind() != "CustomResourceDefinition") {
        in_containers(image, &mut item.object);
        for spec in ["spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec"] {
            let path = format!("{spec}/volumes/image/reference");
            visit(&mut item.object, &path, false, &mut |value| replace(image, value));
        }
    }
}

fn in_containers(image: &Image, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| in_containers(image, item)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if ["containers", "initContainers"].contains(&key.as_str()) {
                    for container in value.as_array_mut().into_iter().flatten() {
                        if let Some(value) = container.get_mut("image") {
                            replace(image, value);
                        }
                    }
                }
                in_containers(image, value);
            }
        }
        _ => {}
    }
}

fn replace(image: &Image, value: &mut Value) {
    let Some(changed) = value.as_str().and_then(|written| changed(image, written)) else { return };
    *value = json!(changed);
}

/// What an image becomes, if it is the one that is meant.
fn changed(image: &Image, written: &str) -> Option<String> {
    let rest = written.strip_prefix(&image.name)?;
    let (tag, digest) = match rest.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (rest, None),
    };
    let tag = match tag {
        "" => None,
        tag => Some(tag.strip_prefix(':').filter(|tag| !tag.contains(['/', ':']))?),
    };
    let name = if image.new_name.is_empty() { &image.name } else { &image.new_name };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let (tag, digest) = match (given(&image.new_tag), given(&image.digest)) {
        (None, None) if !image.tag_suffix.is_empty() => {
            (Some(format!("{}{}", tag.unwrap_or_default(), image.tag_suffix)), None)
        }
        (None, None) => (tag.map(str::to_owned), digest.map(str::to_owned)),
        (tag, digest) => (tag, digest),
    };
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    Some(format!("{name}{tag}{digest}"))
}
