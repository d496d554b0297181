//! What the checks share: looking at all containers, and telling of them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::admission::{items, text};

/// All containers of a pod, in the order in which they are told of.
pub(super) fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    lists.into_iter().flat_map(|list| items(spec, list))
}

/// The form of a word that fits a number.
pub(super) fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `"a", "b"`.
pub(super) fn quoted(texts: &[String]) -> String {
    format!("\"{}\"", texts.join("\", \""))
}

/// `container "a"`, or `containers "a", "b"`.
pub(super) fn named(names: &[String]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// Who sets something bad in a security context: `pod`, `container "a"`.
pub(super) fn setters_where(spec: &Value, is_bad: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut setters = Vec::new();
    if is_bad(&spec["securityContext"]) {
        setters.push("pod".to_owned());
    }
    let bad = containers(spec).filter(|container| is_bad(&container["securityContext"]));
    let names: Vec<String> = bad.map(|container| text(container, "name").to_owned()).collect();
    if !names.is_empty() {
        setters.push(named(&names));
    }
    setters
}

/// Who sets what `of` reads of a security context to something that is not allowed, and what to.
pub(super) fn setters(
    spec: &Value,
    of: impl Fn(&Value) -> Option<String>,
    allowed: impl Fn(&str) -> bool,
) -> (Vec<String>, BTreeSet<String>) {
    let forbidden = |context: &Value| of(context).filter(|value| !allowed(value));
    let contexts = containers(spec).map(|container| &container["securityContext"]);
    let contexts = std::iter::once(&spec["securityContext"]).chain(contexts);
    let values = contexts.filter_map(forbidden).collect();
    (setters_where(spec, |context| forbidden(context).is_some()), values)
}
