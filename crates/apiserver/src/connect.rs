//! Requests that lead out of the API server: streams into containers, and proxies.
//!
//! They are not about objects but pass bytes on, to kubelets and through them to pods. Whoever asks
//! is authorised like for anything else: by the method of the request and the subresource.

mod proxy;
pub(crate) mod relay;
mod services;
mod streams;

use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method};
use hyper::upgrade::OnUpgrade;
use wk_api::ApiError;
use wk_auth::User;

use crate::authorize;
use crate::error::Answer;
use crate::handle::not_allowed;
use crate::options::Query;
use crate::route::{ResourcePath, Verb};
use crate::server::ApiServer;

/// A request that leads out of the server.
struct Outward {
    server: Arc<ApiServer>,
    path: ResourcePath,
    method: Method,
    headers: HeaderMap,
    /// The path of the request as it was sent.
    raw_path: String,
    raw_query: Option<String>,
    query: Query,
    /// The connection, once it is free of HTTP.
    upgrade: Option<OnUpgrade>,
}

impl Outward {
    /// Whether the client wants to speak something else than HTTP.
    fn wants_upgrade(&self) -> bool {
        let words = self.headers.get_all(http::header::CONNECTION).into_iter();
        let mut words = words.filter_map(|line| line.to_str().ok()).flat_map(|l| l.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
            && self.headers.contains_key(http::header::UPGRADE)
    }
}

/// Whether a path is one of these.
pub(crate) fn is_outward(path: &ResourcePath) -> bool {
    let core = path.group.is_empty() && path.version == "v1" && !path.watch;
    let placed = !path.name.is_empty() && path.namespace.is_empty() == (path.resource == "nodes");
    let known = match path.resource.as_str() {
        "pods" => matches!(path.subresource.as_str(), "exec" | "attach" | "portforward" | "proxy"),
        "services" | "nodes" => path.subresource == "proxy",
        _ => false,
    };
    core && placed && known
}

/// Answers such a request.
pub(crate) async fn answer(
    server: &Arc<ApiServer>,
    mut parts: Parts,
    path: ResourcePath,
    user: &User,
    query: Query,
    body: Body,
) -> Answer {
    let proxy = path.subresource == "proxy";
    let verb = match parts.method {
        // What a resource can do is asked for by whoever may read it.
        Method::OPTIONS if proxy => Verb::Get,
        _ => Verb::of(&parts.method, true, false).ok_or_else(not_allowed)?,
    };
    authorize::resource(server, user, verb, &path).await?;
    if !proxy && !matches!(parts.method, Method::GET | Method::POST) {
        return Err(not_allowed());
    }
    // A request over HTTP/2 has its host in the URI.
    if let Some(host) = parts.uri.authority().and_then(|host| host.as_str().parse().ok()) {
        parts.headers.entry(http::header::HOST).or_insert(host);
    }
    let outward = Outward {
        server: Arc::clone(server),
        path,
        method: parts.method,
        headers: parts.headers,
        raw_path: parts.uri.path().to_owned(),
        raw_query: parts.uri.query().map(str::to_owned),
        query,
        upgrade: parts.extensions.remove::<OnUpgrade>(),
    };
    if proxy {
        return proxy::answer(outward, body).await;
    }
    if !outward.wants_upgrade() {
        return Err(ApiError::bad_request("Upgrade request required"));
    }
    if verb != Verb::Create {
        // WebSockets begin with a GET, but running a program is more than reading.
        authorize::resource(server, user, Verb::Create, &outward.path).await?;
    }
    streams::answer(outward).await
}
