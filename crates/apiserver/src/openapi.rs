//! The OpenAPI documents. They are made when first asked for, on a thread for such work, and kept
//! compressed with their hashes: all of them take less memory than one of them in full.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use wk_api::{ApiError, GroupVersion};
use wk_schema::openapi::{self, KindInfo, SubresourceInfo};

use crate::catalog::Resource;
use crate::discovery;
use crate::encode;
use crate::error::Answer;
use crate::negotiate;
use crate::options::Query;
use crate::server::ApiServer;

/// Which document is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Which {
    V3(GroupVersion),
    V2,
    /// Version 2 in protobuf.
    V2Protobuf,
}

#[derive(Debug)]
struct Document {
    hash: String,
    gzip: Bytes,
}

/// The documents made so far; each is made once, however many ask.
#[derive(Debug, Default)]
pub(crate) struct Documents(Mutex<HashMap<Which, Arc<OnceCell<Document>>>>);

impl Documents {
    /// Forgets the documents that a change of the kinds of a group version changes.
    pub(crate) fn forget(&self, place: &GroupVersion) {
        self.0.lock().retain(|which, _| match which {
            Which::V3(own) => own != place,
            Which::V2 | Which::V2Protobuf => false,
        });
    }
}

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

/// Makes the bytes of a document; `None` for a group version that is not served.
fn text(server: &ApiServer, which: &Which) -> Option<Vec<u8>> {
    let kinds = server.catalog.kinds();
    let groups = kinds.groups();
    let release = &server.release.git_version;
    match which {
        Which::V3(GroupVersion { group, version }) => {
            let versions = groups.get(group.as_str())?;
            let (_, resources) = versions.iter().find(|(own, _)| *own == version.as_str())?;
            let text = openapi::v3_document(group, version, &infos(resources), release);
            Some(text.into_bytes())
        }
        Which::V2 | Which::V2Protobuf => {
            let mut all = Vec::new();
            for (group, versions) in &groups {
                for (version, resources) in versions {
                    all.push((*group, *version, infos(resources)));
                }
            }
            Some(match which {
                Which::V2Protobuf => openapi::v2_message(&all, release),
                _ => openapi::v2_document(&all, release).into_bytes(),
            })
        }
    }
}

fn made(server: &ApiServer, which: &Which) -> Option<Document> {
    let bytes = text(server, which)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes).ok()?;
    let gzip = encoder.finish().ok()?;
    Some(Document { hash: discovery::hash(&bytes), gzip: gzip.into() })
}

/// Runs what takes long where it holds up nobody.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::internal(error.to_string()))
}

/// A document: the hash, and the bytes compressed.
async fn document(server: &Arc<ApiServer>, which: Which) -> Result<(String, Bytes), ApiError> {
    let cell = Arc::clone(server.openapi.0.lock().entry(which.clone()).or_default());
    let make = || async {
        let server = Arc::clone(server);
        let made = aside(move || made(&server, &which)).await?;
        made.ok_or_else(ApiError::no_such_resource)
    };
    let document = cell.get_or_try_init(make).await?;
    Ok((document.hash.clone(), document.gzip.clone()))
}

/// An answer with a compressed document, or with nothing if the client has it.
async fn sent(gzip: Bytes, hash: &str, media_type: &'static str, headers: &HeaderMap) -> Answer {
    let tag = format!("\"{hash}\"");
    let known = headers.get(IF_NONE_MATCH).is_some_and(|own| own.as_bytes() == tag.as_bytes());
    let compressed = encode::takes_gzip(headers) && !known;
    let (bytes, status) = if known {
        (Bytes::new(), StatusCode::NOT_MODIFIED)
    } else if compressed {
        (gzip, StatusCode::OK)
    } else {
        let plain = aside(move || {
            let mut bytes = Vec::new();
            GzDecoder::new(&gzip[..]).read_to_end(&mut bytes).map(|_| bytes)
        });
        let plain = plain.await?.map_err(|error| ApiError::internal(error.to_string()))?;
        (plain.into(), StatusCode::OK)
    };
    let mut response = encode::whole(bytes, media_type, false, status);
    let out = response.headers_mut();
    if compressed {
        out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    out.insert(VARY, HeaderValue::from_static("Accept-Encoding, Accept"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    Ok(response)
}

/// Answers a path under `/openapi`.
pub(crate) async fn answer(
    server: &Arc<ApiServer>,
    path: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answer {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["openapi", "v3"] => index(server, headers).await,
        ["openapi", "v3", "api", version] => v3(server, "", version, query, headers).await,
        ["openapi", "v3", "apis", group, version] => {
            v3(server, group, version, query, headers).await
        }
        ["openapi", "v2"] => v2(server, headers).await,
        _ => Err(ApiError::no_such_resource()),
    }
}

async fn index(server: &Arc<ApiServer>, headers: &HeaderMap) -> Answer {
    let mut served = Vec::new();
    for (group, versions) in &server.catalog.kinds().groups() {
        served.extend(versions.iter().map(|(version, _)| GroupVersion::new(*group, *version)));
    }
    let mut documents = Vec::new();
    for place in served {
        let (hash, _) = document(server, Which::V3(place.clone())).await?;
        documents.push((place, hash));
    }
    let rows = documents.iter();
    let rows = rows.map(|(place, hash)| (&*place.group, &*place.version, hash.as_str()));
    let index = openapi::v3_index(rows);
    let gzip = encode::takes_gzip(headers);
    Ok(encode::whole(index.to_string().into(), discovery::JSON, gzip, StatusCode::OK))
}

async fn v3(
    server: &Arc<ApiServer>,
    group: &str,
    version: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answer {
    let (hash, gzip) = document(server, Which::V3(GroupVersion::new(group, version))).await?;
    let asked = query.text("hash");
    if !asked.is_empty() && asked != hash {
        let mut response =
            encode::whole(Bytes::new(), discovery::JSON, false, StatusCode::MOVED_PERMANENTLY);
        let path = openapi::v3_path(group, version);
        if let Ok(to) = HeaderValue::from_str(&format!("/openapi/v3/{path}?hash={hash}")) {
            response.headers_mut().insert(LOCATION, to);
        }
        return Ok(response);
    }
    let mut response = sent(gzip, &hash, discovery::JSON, headers).await?;
    let cache = if asked.is_empty() { "no-cache, private" } else { "public, immutable" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

async fn v2(server: &Arc<ApiServer>, headers: &HeaderMap) -> Answer {
    let text = negotiate::accept_text(headers);
    let protobuf = negotiate::accepted(&text)
        .iter()
        .find_map(|media| match media.name {
            openapi::V2_PROTOBUF | openapi::V2_PROTOBUF_ASKED => Some(true),
            "" | discovery::JSON | "application/*" | "*/*" => Some(false),
            _ => None,
        })
        .ok_or_else(|| ApiError::not_acceptable(&[discovery::JSON, openapi::V2_PROTOBUF]))?;
    let (which, media_type) = if protobuf {
        (Which::V2Protobuf, openapi::V2_PROTOBUF)
    } else {
        (Which::V2, discovery::JSON)
    };
    let (hash, gzip) = document(server, which).await?;
    sent(gzip, &hash, media_type, headers).await
}
