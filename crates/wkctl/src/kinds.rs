//! Which resources there are, and what people call them.
//!
//! Built-in kinds are known here, so that the usual commands ask the server nothing about itself. Only
//! names that are unknown here lead to discovery.

mod discovery;
mod names;

use std::cmp::Reverse;
use std::fmt::Write as _;

use serde_json::Value;
use wk_schema::{Message, Scope};

pub(crate) use discovery::discover;

/// One resource of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The API group, empty for core.
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    /// The plural, as it stands in URLs.
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) verbs: Vec<String>,
    pub(crate) namespaced: bool,
    /// How its objects merge; `None` for kinds that are not built in.
    pub(crate) message: Option<&'static Message>,
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `deployments.apps`.
    pub(crate) fn plural_with_group(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `pod` or `deployment.apps`.
    pub(crate) fn singular_with_group(&self) -> String {
        with_group(&self.singular, &self.group)
    }

    /// `pod/web` or `deployment.apps/web`.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.singular_with_group())
    }

    /// The path of all objects, in a namespace if one is given and the resource has such.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let api_version = self.api_version();
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                format!("{root}/{api_version}/namespaces/{}/{}", encoded(namespace), self.plural)
            }
            None => format!("{root}/{api_version}/{}", self.plural),
        }
    }

    /// The path of one object.
    pub(crate) fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(Some(namespace)), encoded(name))
    }

    fn built_in(kind: &wk_schema::Kind) -> Self {
        Self {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
            singular: kind.kind.to_lowercase(),
            short_names: names::short(kind.group, kind.plural),
            categories: Vec::new(),
            verbs: Vec::new(),
            namespaced: kind.scope == Scope::Namespaced,
            message: Some(kind.message),
        }
    }

    /// Whether people may mean this resource by `word`: `po`, `Pod`, `pods.v1.`, `deploy.apps`.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let (name, rest) = word.split_once('.').unwrap_or((&word, ""));
        let known = name == self.plural
            || name == self.singular
            || self.short_names.iter().any(|short| short == name);
        // Either the group alone, or the version before it.
        let versioned = rest.strip_prefix(&self.version).and_then(|rest| rest.strip_prefix('.'));
        known
            && (rest.is_empty()
                || self.group == rest
                || (!rest.is_empty() && self.group.starts_with(&format!("{rest}.")))
                || versioned.is_some_and(|group| group == self.group))
    }
}

fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// A path segment or query value, with everything unusual percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A query of the pairs that have a value, with `?` before it; empty without any.
pub(crate) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(value))))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn built_ins() -> impl Iterator<Item = &'static wk_schema::Kind> {
    wk_schema::kinds().iter().filter(|kind| kind.scope != Scope::Subresource)
}

/// The built-in resource that `word` means.
pub(crate) fn built_in(word: &str) -> Option<Resource> {
    let found = built_ins().map(Resource::built_in).filter(|resource| resource.is_called(word));
    preferred(found)
}

/// The built-in resource of a kind.
pub(crate) fn built_in_kind(api_version: &str, kind: &str) -> Option<Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let found = wk_schema::kind_of(group, version, kind)?;
    (found.scope != Scope::Subresource).then(|| Resource::built_in(found))
}

/// Of several resources of one name, the one that kubectl means: core before others, stable before
/// beta before alpha, and of those the newest.
fn preferred(found: impl Iterator<Item = Resource>) -> Option<Resource> {
    found.min_by_key(|resource| {
        let stability = match resource.version.as_str() {
            version if version.contains("alpha") => 2,
            version if version.contains("beta") => 1,
            _ => 0,
        };
        let major = resource.version.trim_start_matches('v');
        let major: u32 = major
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        (names::group_rank(&resource.group), stability, Reverse(major))
    })
}

/// The resource among `known` that `word` means.
pub(crate) fn among(known: &[Resource], word: &str) -> Option<Resource> {
    preferred(known.iter().filter(|resource| resource.is_called(word)).cloned())
}

/// A text inside an object; empty if it is not there.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        let found = built_in(word);
        let found = found.map(|found| format!("{} {}", found.api_version(), found.plural));
        assert_eq!(found.as_deref(), expected, "{word}");
    }

    #[test]
    fn people_have_many_words_for_a_resource() {
        for word in ["po", "pod", "pods", "Pod", "PODS", "pods.v1."] {
            check(word, Some("v1 pods"));
        }
        check("deploy", Some("apps/v1 deployments"));
        check("hpa", Some("autoscaling/v2 horizontalpodautoscalers"));
        check("deployments.apps", Some("apps/v1 deployments"));
        check("deployment.v1.apps", Some("apps/v1 deployments"));
        check("ing", Some("networking.k8s.io/v1 ingresses"));
        check("netpol.networking", Some("networking.k8s.io/v1 networkpolicies"));
        check("ev", Some("v1 events"));
        check("events.events.k8s.io", Some("events.k8s.io/v1 events"));
        check("cm", Some("v1 configmaps"));
        check("no", Some("v1 nodes"));
        check("endpoints", Some("v1 endpoints"));
        check("leases", Some("coordination.k8s.io/v1 leases"));
        check("pods.apps", None);
        check("foos", None);
        check("all", None);
        check("status", None);
    }

    #[test]
    fn paths_follow_group_and_scope() {
        let pods = built_in("pods").unwrap();
        assert_eq!(pods.object_path("a", "b"), "/api/v1/namespaces/a/pods/b");
        assert_eq!(pods.path(None), "/api/v1/pods");
        assert_eq!(built_in("node").unwrap().object_path("a", "b c"), "/api/v1/nodes/b%20c");
        let deployments = built_in("deploy").unwrap();
        assert_eq!(deployments.path(Some("x")), "/apis/apps/v1/namespaces/x/deployments");
        assert_eq!(deployments.named("web"), "deployment.apps/web");
    }

    #[test]
    fn queries_leave_out_what_is_not_said() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", Some("x=y,z")), ("b", None), ("c", Some("1"))]),
            "?a=x%3Dy%2Cz&c=1"
        );
    }
}
