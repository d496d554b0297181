//! Which kinds there are, in the forms that clients ask for.
//!
//! Spec: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::header::{ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wk_api::{ApiError, GroupVersion};
use wk_resources::Definition;

use crate::catalog::{Kinds, Resource};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::negotiate::{self, Encoding, Format, Shape};
use crate::server::ApiServer;

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2_BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// Answers a path of discovery.
pub(crate) fn answer(server: &ApiServer, path: &str, headers: &HeaderMap) -> Answer {
    let kinds = &*server.catalog.kinds();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let plain = match parts.as_slice() {
        ["api" | "apis"] => {
            let core = parts == ["api"];
            if let Some(version) = aggregated(headers) {
                return Ok(aggregate(kinds, core, version, headers));
            }
            if core { api_versions(server.advertise) } else { group_list(kinds) }
        }
        ["api", version] => resource_list(kinds, "", version)?,
        ["apis", group] => {
            let groups = kinds.groups();
            let versions = groups.get(group).filter(|_| !group.is_empty());
            let mut value = api_group(group, versions.ok_or_else(ApiError::no_such_resource)?);
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
            value
        }
        ["apis", group, version] if !group.is_empty() => resource_list(kinds, group, version)?,
        [] => json!({"paths": paths(kinds)}),
        _ => return Err(ApiError::no_such_resource()),
    };
    let kind = plain["kind"].as_str().unwrap_or_default().to_owned();
    let message = encode::meta_message(&kind);
    let format = negotiate::format(headers, message.is_some())?;
    let format = Format { shape: Shape::Plain, ..format };
    let look = Look { format, gzip: encode::takes_gzip(headers), ..Look::JSON };
    let mut response = encode::plain(&plain, message, look, StatusCode::OK)?;
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// The version of aggregated discovery that the client wants more than anything else.
fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let text = negotiate::accept_text(headers);
    for media in negotiate::accepted(&text) {
        let wanted = media.param("g") == "apidiscovery.k8s.io"
            && media.param("as") == "APIGroupDiscoveryList";
        match media.name {
            "application/json" | "*/*" | "application/*" if wanted => match media.param("v") {
                "v2" => return Some("v2"),
                "v2beta1" => return Some("v2beta1"),
                _ => {}
            },
            "application/json" | "*/*" | "application/*" if media.param("as").is_empty() => {
                return None;
            }
            _ => {}
        }
    }
    None
}

fn aggregate(kinds: &Kinds, core: bool, version: &'static str, headers: &HeaderMap) -> Response {
    let items: Vec<Value> = kinds
        .groups()
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, resources)| {
                    let resources: Vec<Value> =
                        resources.iter().map(|resource| aggregated_resource(resource)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let mut item = json!({"metadata": {}, "versions": versions});
            if !core {
                item["metadata"]["name"] = (*group).into();
            }
            item
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let bytes = Bytes::from(list.to_string());
    let tag = etag(&bytes);
    let known = headers.get(IF_NONE_MATCH).is_some_and(|own| own.as_bytes() == tag.as_bytes());
    let (bytes, status) =
        if known { (Bytes::new(), StatusCode::NOT_MODIFIED) } else { (bytes, StatusCode::OK) };
    let media_type = if version == "v2" { V2 } else { V2_BETA };
    let mut response = encode::whole(bytes, media_type, encode::takes_gzip(headers), status);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// A tag that changes when the bytes do.
pub(crate) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hash(bytes))
}

/// A hash of bytes, in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn aggregated_resource(resource: &Arc<Resource>) -> Value {
    let definition = &resource.definition;
    let kind = |kind: &wk_api::GroupVersionKind| json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let subresources: Vec<Value> = definition
        .subresources
        .iter()
        .map(|sub| {
            json!({
                "subresource": sub.name,
                "responseKind": kind(&sub.kind),
                "verbs": sub.verbs,
            })
        })
        .collect();
    // What has subresources but is nothing itself has a kind without a name, as in Kubernetes.
    let own = if definition.verbs.is_empty() {
        wk_api::GroupVersionKind::new("", "", "")
    } else {
        definition.gvk()
    };
    let mut value = json!({
        "resource": definition.plural,
        "responseKind": kind(&own),
        "scope": if definition.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": definition.singular,
        "verbs": definition.verbs,
    });
    if !definition.short_names.is_empty() {
        value["shortNames"] = json!(definition.short_names);
    }
    if !definition.categories.is_empty() {
        value["categories"] = json!(definition.categories);
    }
    if !subresources.is_empty() {
        value["subresources"] = subresources.into();
    }
    value
}

fn api_versions(advertise: Option<SocketAddr>) -> Value {
    let addresses = advertise
        .map(|address| json!({"clientCIDR": "0.0.0.0/0", "serverAddress": address.to_string()}));
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": addresses.into_iter().collect::<Vec<_>>(),
    })
}

fn api_group(group: &str, versions: &[(&str, Vec<&Arc<Resource>>)]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, _)| {
            let name = GroupVersion::new(group, *version).to_string();
            json!({"groupVersion": name, "version": version})
        })
        .collect();
    json!({
        "name": group,
        "versions": versions,
        "preferredVersion": versions.first(),
    })
}

fn group_list(kinds: &Kinds) -> Value {
    let groups: Vec<Value> = kinds
        .groups()
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| api_group(group, versions))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resource_list(kinds: &Kinds, group: &str, version: &str) -> Result<Value, ApiError> {
    let groups = kinds.groups();
    let versions = groups.get(group).ok_or_else(ApiError::no_such_resource)?;
    let (_, found) =
        versions.iter().find(|(own, _)| *own == version).ok_or_else(ApiError::no_such_resource)?;
    let resources: Vec<Value> =
        found.iter().flat_map(|resource| listed(&resource.definition)).collect();
    Ok(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GroupVersion::new(group, version).to_string(),
        "resources": resources,
    }))
}

fn listed(definition: &Definition) -> Vec<Value> {
    let mut own = json!({
        "name": definition.plural,
        "singularName": definition.singular,
        "namespaced": definition.namespaced,
        "kind": definition.kind,
        "verbs": definition.verbs,
    });
    if !definition.short_names.is_empty() {
        own["shortNames"] = json!(definition.short_names);
    }
    if !definition.categories.is_empty() {
        own["categories"] = json!(definition.categories);
    }
    let mut list = if definition.verbs.is_empty() { Vec::new() } else { vec![own] };
    for sub in &*definition.subresources {
        let mut value = json!({
            "name": format!("{}/{}", definition.plural, sub.name),
            "singularName": "",
            "namespaced": definition.namespaced,
            "kind": sub.kind.kind,
            "verbs": sub.verbs,
        });
        if sub.kind.group != definition.group || sub.kind.version != definition.version {
            value["group"] = sub.kind.group.as_str().into();
            value["version"] = sub.kind.version.as_str().into();
        }
        list.push(value);
    }
    list
}

fn paths(kinds: &Kinds) -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in kinds.groups() {
        if group.is_empty() {
            continue;
        }
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|(version, _)| format!("/apis/{group}/{version}")));
    }
    let others = [
        "/.well-known/openid-configuration",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ];
    paths.extend(others.map(str::to_owned));
    paths
}

/// The media type of plain JSON, for those who need it as a constant.
pub(crate) const JSON: &str = Encoding::Json.media_type();
