//! The Pod Security Standards, as the labels of a namespace ask for them.
//!
//! `enforce` refuses pods; `warn` tells the client, also of workloads whose pods would be refused
//! later; `audit` notes on the request what Kubernetes notes in its audit events.
//!
//! Spec: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>

mod checks;
mod level;
mod policy;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use wk_api::{ApiError, GroupKind};
use wk_resources::Update;

use self::level::{Level, LevelVersion, Policy};
use self::policy::evaluate;
use super::{Attributes, Place, Plugin, items, text};
use crate::{audit, warnings};

const PODS: Place = ("", "v1", "pods");
/// The most pods that are looked at when the level of a namespace is raised, as in Kubernetes.
const CHECKED_PODS: usize = 3000;

/// Under what is noted by which level a pod was judged, and what it violates of the audited one.
const ENFORCED: &str = "pod-security.kubernetes.io/enforce-policy";
const AUDITED: &str = "pod-security.kubernetes.io/audit-violations";

/// Annotations of pods that mean security in old policies.
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

#[derive(Debug)]
pub(super) struct PodSecurity;

/// Where the template of a workload is.
fn template(attributes: &Attributes<'_>) -> Option<&'static str> {
    let definition = &attributes.resource.definition;
    match (definition.group.as_ref(), definition.plural.as_ref()) {
        ("", "podtemplates") => Some("/template"),
        ("", "replicationcontrollers")
        | ("apps", "daemonsets" | "deployments" | "replicasets" | "statefulsets")
        | ("batch", "jobs") => Some("/spec/template"),
        ("batch", "cronjobs") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

fn labels_of(attributes: &Attributes<'_>) -> Value {
    let namespace = attributes.namespace_object().unwrap_or_default();
    namespace["metadata"]["labels"].clone()
}

#[async_trait]
impl Plugin for PodSecurity {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.is("", "namespaces")
            || attributes.is("", "pods")
            || attributes.is_kind("", "pods")
                && attributes.part == Update::Subresource("ephemeralcontainers")
            || attributes.part == Update::Whole && template(attributes).is_some()
    }

    async fn validate(&self, attributes: &Attributes<'_>, object: &Value) -> Result<(), ApiError> {
        if attributes.is_kind("", "namespaces") {
            return namespace(attributes, object);
        }
        let (policy, _faults) = Policy::of(&labels_of(attributes));
        let is_pod = template(attributes).is_none();
        if policy.is_privileged() {
            if is_pod {
                audit::detail(ENFORCED, policy.enforce.to_string());
            }
            return Ok(());
        }
        if let Some(path) = template(attributes) {
            let template = object.pointer(path).unwrap_or(&Value::Null);
            if template["spec"].is_object() {
                let (metadata, spec) = (&template["metadata"], &template["spec"]);
                note(violations(policy.audit, metadata, spec));
                warn(policy.warn, metadata, spec, None);
            }
            return Ok(());
        }
        if attributes.old.is_some_and(|old| !matters(object, old)) {
            return Ok(());
        }
        let (metadata, spec) = (&object["metadata"], &object["spec"]);
        audit::detail(ENFORCED, policy.enforce.to_string());
        note(violations(policy.audit, metadata, spec));
        let enforced = evaluate(policy.enforce, metadata, spec);
        if !enforced.is_empty() {
            let why = format!("violates PodSecurity \"{}\": {enforced}", policy.enforce);
            return Err(attributes.forbidden(object, &why));
        }
        warn(policy.warn, metadata, spec, Some(policy.enforce));
        Ok(())
    }
}

/// What a level forbids, in words.
fn violations(level: LevelVersion, metadata: &Value, spec: &Value) -> Option<String> {
    let found = evaluate(level, metadata, spec);
    (!found.is_empty()).then(|| format!("would violate PodSecurity \"{level}\": {found}"))
}

fn note(violations: Option<String>) {
    if let Some(violations) = violations {
        audit::violation(AUDITED, violations);
    }
}

/// Warns of what a level forbids, unless another level was satisfied that is the same.
fn warn(level: LevelVersion, metadata: &Value, spec: &Value, satisfied: Option<LevelVersion>) {
    if satisfied == Some(level) {
        return;
    }
    if let Some(violations) = violations(level, metadata, spec) {
        warnings::add(violations);
    }
}

/// Whether a change of a pod can make it violate what it did not before.
fn matters(new: &Value, old: &Value) -> bool {
    let annotation = |pod: &Value, key: &str| pod["metadata"]["annotations"][key].clone();
    let container_changed = |new_one: &Value, old_one: &Value| {
        let key = format!("{SECCOMP_CONTAINER}{}", text(new_one, "name"));
        new_one["image"] != old_one["image"] || annotation(new, &key) != annotation(old, &key)
    };
    if annotation(new, SECCOMP_POD) != annotation(old, SECCOMP_POD) {
        return true;
    }
    for list in ["containers", "initContainers"] {
        let (new, old) = (items(&new["spec"], list), items(&old["spec"], list));
        if new.len() != old.len() || new.iter().zip(old).any(|(n, o)| container_changed(n, o)) {
            return true;
        }
    }
    let before = items(&old["spec"], "ephemeralContainers");
    items(&new["spec"], "ephemeralContainers").iter().any(|container| {
        let own = before.iter().find(|own| own["name"] == container["name"]);
        own.is_none_or(|own| container_changed(container, own))
    })
}

/// The labels of a namespace make sense; what a stricter level finds among its pods is told.
fn namespace(attributes: &Attributes<'_>, object: &Value) -> Result<(), ApiError> {
    let (policy, faults) = Policy::of(&object["metadata"]["labels"]);
    let name = text(&object["metadata"], "name");
    let Some(old) = attributes.old else {
        return if faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(&GroupKind::new("", "Namespace"), name, &faults))
        };
    };
    let (old_policy, old_faults) = Policy::of(&old["metadata"]["labels"]);
    if !faults.is_empty() && old_faults.is_empty() {
        return Err(ApiError::invalid(&GroupKind::new("", "Namespace"), name, &faults));
    }
    let (level, before) = (policy.enforce, old_policy.enforce);
    let stricter = level.level > before.level
        || level.level == before.level && level.version != before.version;
    if level.level == Level::Privileged || !stricter {
        return Ok(());
    }
    let pods = attributes.list(PODS, name);
    for warning in existing(name, level, &pods) {
        warnings::add(warning);
    }
    Ok(())
}

/// What the pods of a namespace violate, pods that violate the same on one line.
fn existing(namespace: &str, level: LevelVersion, pods: &[Value]) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in pods.iter().take(CHECKED_PODS) {
        let violations = evaluate(level, &pod["metadata"], &pod["spec"]);
        if !violations.is_empty() {
            found.entry(violations.reasons()).or_default().push(text(&pod["metadata"], "name"));
        }
    }
    let mut warnings = Vec::new();
    if pods.len() > CHECKED_PODS {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {CHECKED_PODS} of {} \
             existing pods",
            pods.len()
        ));
    }
    if found.is_empty() {
        return warnings;
    }
    warnings.push(format!(
        "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \
         \"{level}\""
    ));
    let mut lines: Vec<String> = found
        .into_iter()
        .map(|(reasons, pods)| {
            let first = pods.iter().min().copied().unwrap_or_default();
            match pods.len() {
                1 => format!("{first}: {reasons}"),
                2 => format!("{first} (and 1 other pod): {reasons}"),
                more => format!("{first} (and {} other pods): {reasons}", more - 1),
            }
        })
        .collect();
    lines.sort();
    warnings.append(&mut lines);
    warnings
}

#[cfg(test)]
mod tests;
