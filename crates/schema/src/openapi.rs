//! The OpenAPI documents, made from the table on demand.
//!
//! `kubectl apply` reads merge keys from them, `kubectl explain` the documentation, and both look for
//! paths by group, version and kind. A document is text that is made piece by piece and handed out:
//! nothing of it, nor of the documentation that is inflated for it, stays in memory.
//!
//! Spec: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition>

mod docs;
mod enums;
mod message;
mod paths;
mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::table::Message;
use docs::Docs;

/// A kind as it is served: what of it has paths.
#[derive(Debug, Clone)]
pub struct KindInfo<'a> {
    /// The kind: `Pod`.
    pub kind: &'a str,
    /// The name in paths: `pods`.
    pub plural: &'a str,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The kind's fields.
    pub message: &'static Message,
    /// The fields of its list, if it is listed.
    pub list: Option<&'static Message>,
    /// Verbs as in discovery: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`,
    /// `deletecollection`.
    pub verbs: Vec<&'a str>,
    /// What is served below an object.
    pub subresources: Vec<SubresourceInfo<'a>>,
}

/// A subresource as it is served.
#[derive(Debug, Clone)]
pub struct SubresourceInfo<'a> {
    /// The last part of the path: `status`.
    pub name: &'a str,
    /// Group, version and kind of what it takes and gives: `("autoscaling", "v1", "Scale")`.
    pub kind: (&'a str, &'a str, &'a str),
    /// The fields of that; `None` for streams and text.
    pub message: Option<&'static Message>,
    /// Verbs: `get`, `update`, `patch`, `create`.
    pub verbs: Vec<&'a str>,
}

/// Which version of OpenAPI a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    fn reference(self, name: &str) -> Value {
        let folder = match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        };
        json!({ "$ref": format!("{folder}{name}") })
    }
}

/// The path of a group version under `/openapi/v3/`: `api/v1`, `apis/apps/v1`.
pub fn v3_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The answer of `/openapi/v3`: where the document of each group version is. The hash, any text that
/// changes when the document does, lets clients cache for ever.
pub fn v3_index<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Value {
    let paths: Map<String, Value> = documents
        .into_iter()
        .map(|(group, version, hash)| {
            let path = v3_path(group, version);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

/// The OpenAPI v3 document of one group version, as JSON text.
///
/// `release` is the version that the server says it is, such as `v1.36.0`.
pub fn v3_document(group: &str, version: &str, kinds: &[KindInfo<'_>], release: &str) -> String {
    let mut text = format!(
        r#"{{"openapi":"3.0.0","info":{{"title":"Kubernetes","version":{}}},"paths":{{"#,
        Value::from(release)
    );
    put_entries(&mut text, paths::paths(group, version, kinds, Dialect::V3));
    text.push_str(r#"},"components":{"schemas":{"#);
    let mut docs = Docs::default();
    let roots = kinds.iter().flat_map(roots);
    put_entries(&mut text, schemas::schemas(roots, &mut docs, Dialect::V3));
    text.push_str("}}}");
    text
}

/// The OpenAPI v2 document of everything that is served, as JSON text.
pub fn v2_document(groups: &[(&str, &str, Vec<KindInfo<'_>>)], release: &str) -> String {
    let mut text = format!(
        r#"{{"swagger":"2.0","info":{{"title":"Kubernetes","version":{}}},"paths":{{"#,
        Value::from(release)
    );
    put_entries(&mut text, v2_paths(groups));
    text.push_str(r#"},"definitions":{"#);
    let mut docs = Docs::default();
    put_entries(&mut text, schemas::schemas(v2_roots(groups), &mut docs, Dialect::V2));
    text.push_str("}}");
    text
}

/// The same document in the protobuf form that Go clients ask for, as [`V2_PROTOBUF`].
pub fn v2_message(groups: &[(&str, &str, Vec<KindInfo<'_>>)], release: &str) -> Vec<u8> {
    let mut docs = Docs::default();
    let definitions = schemas::schemas(v2_roots(groups), &mut docs, Dialect::V2);
    message::document(release, v2_paths(groups), definitions)
}

fn v2_paths(groups: &[(&str, &str, Vec<KindInfo<'_>>)]) -> BTreeMap<String, Value> {
    groups
        .iter()
        .flat_map(|(group, version, kinds)| paths::paths(group, version, kinds, Dialect::V2))
        .collect()
}

fn v2_roots<'a>(
    groups: &'a [(&str, &str, Vec<KindInfo<'_>>)],
) -> impl Iterator<Item = &'static Message> + 'a {
    groups.iter().flat_map(|(_, _, kinds)| kinds.iter().flat_map(roots))
}

/// The media type of the OpenAPI v2 document in protobuf.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The media type that clients ask for it by: it has a letter that no media type may have, so that
/// an answer never bears it.
pub const V2_PROTOBUF_ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The messages that a kind's paths speak of.
fn roots(info: &KindInfo<'_>) -> impl Iterator<Item = &'static Message> {
    let inner: Vec<&'static Message> =
        info.subresources.iter().filter_map(|subresource| subresource.message).collect();
    let shared = ["DeleteOptions", "Status", "WatchEvent"]
        .map(|name| format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"));
    let shared = shared.into_iter().filter_map(|name| crate::message(&name));
    [Some(info.message), info.list].into_iter().flatten().chain(inner).chain(shared)
}

/// Writes `"key":value,...`.
fn put_entries(text: &mut String, entries: impl IntoIterator<Item = (String, Value)>) {
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(key).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
}

#[cfg(test)]
mod tests;
