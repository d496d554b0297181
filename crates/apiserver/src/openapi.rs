//! The OpenAPI documents. They are made when asked for; only their hashes are kept.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use wk_api::{ApiError, GroupVersion};
use wk_schema::openapi::{self, KindInfo, SubresourceInfo};

use crate::catalog::Resource;
use crate::discovery;
use crate::encode;
use crate::error::Answer;
use crate::options::Query;
use crate::server::ApiServer;

/// The hashes of the documents, by group version.
#[derive(Debug, Default)]
pub(crate) struct Hashes(Mutex<HashMap<GroupVersion, String>>);

fn info(resource: &Resource) -> Option<KindInfo<'_>> {
    let definition = &resource.definition;
    Some(KindInfo {
        kind: &definition.kind,
        plural: &definition.plural,
        namespaced: definition.namespaced,
        message: definition.message?,
        list: wk_schema::kind(&definition.group, &definition.version, &definition.list_kind)
            .filter(|_| resource.has_verb("list")),
        verbs: definition.verbs.to_vec(),
        subresources: definition
            .subresources
            .iter()
            .map(|sub| SubresourceInfo {
                name: &sub.name,
                kind: (&sub.kind.group, &sub.kind.version, &sub.kind.kind),
                message: wk_schema::kind(&sub.kind.group, &sub.kind.version, &sub.kind.kind),
                verbs: sub.verbs.to_vec(),
            })
            .collect(),
    })
}

fn infos<'a>(resources: &[&'a Arc<Resource>]) -> Vec<KindInfo<'a>> {
    resources.iter().filter_map(|resource| info(resource)).collect()
}

/// The document of a group version, and its hash.
fn document(server: &ApiServer, group: &str, version: &str) -> Option<(Bytes, String)> {
    let groups = server.catalog.groups();
    let (_, resources) = groups.get(group)?.iter().find(|(own, _)| *own == version)?;
    let release = &server.release.git_version;
    let text = openapi::v3_document(group, version, &infos(resources), release);
    let bytes = Bytes::from(text);
    let hash = discovery::hash(&bytes);
    let mut hashes = server.openapi.0.lock();
    hashes.insert(GroupVersion::new(group, version), hash.clone());
    Some((bytes, hash))
}

fn hash(server: &ApiServer, group: &str, version: &str) -> Option<String> {
    let known = server.openapi.0.lock().get(&GroupVersion::new(group, version)).cloned();
    known.or_else(|| document(server, group, version).map(|(_, hash)| hash))
}

/// Answers a path under `/openapi`.
pub(crate) fn answer(server: &ApiServer, path: &str, query: &Query, headers: &HeaderMap) -> Answer {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["openapi", "v3"] => Ok(index(server, headers)),
        ["openapi", "v3", "api", version] => v3(server, "", version, query, headers),
        ["openapi", "v3", "apis", group, version] => v3(server, group, version, query, headers),
        ["openapi", "v2"] => Ok(v2(server, headers)),
        _ => Err(ApiError::no_such_resource()),
    }
}

fn index(server: &ApiServer, headers: &HeaderMap) -> axum::response::Response {
    let groups = server.catalog.groups();
    let mut documents = Vec::new();
    for (group, versions) in &groups {
        for (version, _) in versions {
            if let Some(hash) = hash(server, group, version) {
                documents.push((*group, *version, hash));
            }
        }
    }
    let index = openapi::v3_index(documents.iter().map(|(g, v, h)| (*g, *v, h.as_str())));
    let gzip = encode::takes_gzip(headers);
    encode::whole(index.to_string().into(), discovery::JSON, gzip, StatusCode::OK)
}

fn v3(
    server: &ApiServer,
    group: &str,
    version: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answer {
    let known = hash(server, group, version).ok_or_else(ApiError::no_such_resource)?;
    let asked = query.text("hash");
    if !asked.is_empty() && asked != known {
        let mut response =
            encode::whole(Bytes::new(), discovery::JSON, false, StatusCode::MOVED_PERMANENTLY);
        let path = openapi::v3_path(group, version);
        if let Ok(to) = HeaderValue::from_str(&format!("/openapi/v3/{path}?hash={known}")) {
            response.headers_mut().insert(LOCATION, to);
        }
        return Ok(response);
    }
    let tag = format!("\"{known}\"");
    let fresh = headers.get(IF_NONE_MATCH).is_some_and(|own| own.as_bytes() == tag.as_bytes());
    let mut response = if fresh {
        encode::whole(Bytes::new(), discovery::JSON, false, StatusCode::NOT_MODIFIED)
    } else {
        let (bytes, _) = document(server, group, version).ok_or_else(ApiError::no_such_resource)?;
        encode::whole(bytes, discovery::JSON, encode::takes_gzip(headers), StatusCode::OK)
    };
    let out = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    let cache = if asked.is_empty() { "no-cache, private" } else { "public, immutable" };
    out.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

fn v2(server: &ApiServer, headers: &HeaderMap) -> axum::response::Response {
    let groups = server.catalog.groups();
    let mut all = Vec::new();
    for (group, versions) in &groups {
        for (version, resources) in versions {
            all.push((*group, *version, infos(resources)));
        }
    }
    let bytes = Bytes::from(openapi::v2_document(&all, &server.release.git_version));
    let tag = discovery::etag(&bytes);
    let mut response =
        encode::whole(bytes, discovery::JSON, encode::takes_gzip(headers), StatusCode::OK);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
