//! Tokens of service accounts: asked for, shown by those who make requests, and reviewed.
//!
//! A token is good as long as what it is bound to is there: the account, and the pod, secret or node
//! it was made for. That is looked up in the cache each time one is shown.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>

use std::borrow::Cow;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use wk_api::{ApiError, Fault, FieldPath, GroupKind, GroupResource, GroupVersion, rfc3339};
use wk_auth::{Binding, Claims, Reference, TokenFault, User};

use crate::body::{self, Expected};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::{Call, not_allowed};
use crate::negotiate::{Format, Shape};
use crate::options::WriteOptions;
use crate::route::Verb;
use crate::server::ApiServer;
use crate::websocket;

/// The shortest and the longest life of a token, in seconds.
const LIFE: std::ops::RangeInclusive<i64> = 600..=4_294_967_296;
const DEFAULT_LIFE: i64 = 3600;
/// What kubelets ask for on behalf of programs that may never read their token again: it lives a
/// year, and says when it should have been replaced.
const PATIENT_LIFE: i64 = 3607;
const EXTENDED_LIFE: i64 = 365 * 24 * 3600;
/// For how long after its deletion what a token is bound to still counts as there, in seconds.
const LEEWAY: i64 = 60;

/// Answers a request for a token of an account.
pub(crate) async fn create(call: &Call, body: Body) -> Answer {
    if call.verb != Verb::Create {
        return Err(not_allowed());
    }
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let bytes = body::read(body).await?;
    let message = wk_schema::kind("authentication.k8s.io", "v1", "TokenRequest");
    let expected =
        Expected { api_version: "authentication.k8s.io/v1", kind: "TokenRequest", message };
    let sent = body::decode_object(&bytes, call.media_type(), expected, options.validation)?;
    let mut request = sent.value;
    let now = Timestamp::now();
    complete(call, &mut request, now)?;
    let claims = claims(call, &request, now.as_second())?;
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(DEFAULT_LIFE);
    let until = Timestamp::from_second(now.as_second() + seconds).unwrap_or(Timestamp::MAX);
    let token = call
        .server
        .tokens
        .sign(&claims)
        .map_err(|failure| ApiError::internal(crate::error::chain(&failure)))?;
    request["status"] = json!({"expirationTimestamp": rfc3339(until), "token": token});
    let format = Format { shape: Shape::Plain, ..call.look.format };
    let look = Look { format, ..call.look };
    let mut response = encode::plain(&request, message, look, StatusCode::CREATED)?;
    encode::warn(&mut response, &sent.warnings);
    Ok(response)
}

fn group_kind() -> GroupKind {
    GroupKind::new("authentication.k8s.io", "TokenRequest")
}

/// Fills in what the request leaves out, and checks the rest.
fn complete(call: &Call, request: &mut Value, now: Timestamp) -> Result<(), ApiError> {
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    crate::write::with_metadata(request)?;
    let root = FieldPath::Root;
    for (field, own, what) in [("name", name, "name"), ("namespace", namespace, "namespace")] {
        let given = request["metadata"][field].as_str().unwrap_or_default().to_owned();
        if !given.is_empty() && given != own {
            let path = root.child("metadata");
            let detail = format!("must match the service account {what} if specified");
            let fault = Fault::invalid(&path.child(field), given, detail);
            return Err(ApiError::invalid(&group_kind(), name, &[fault]));
        }
        request["metadata"][field] = own.into();
    }
    // It has to be there before anything else is looked at.
    call.resource.get(namespace, name)?;
    request["metadata"]["creationTimestamp"] = rfc3339(now).into();
    if !request["spec"].is_object() {
        request["spec"] = json!({});
    }
    let spec = &mut request["spec"];
    if spec["audiences"].as_array().is_none_or(Vec::is_empty) {
        spec["audiences"] = json!([call.server.tokens.issuer()]);
    }
    if spec["expirationSeconds"].is_null() {
        spec["expirationSeconds"] = DEFAULT_LIFE.into();
    }
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_LIFE);
    let detail = if seconds < *LIFE.start() {
        "may not specify a duration less than 10 minutes"
    } else if seconds > *LIFE.end() {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let fault = Fault::invalid(&root.child("spec.expirationSeconds"), seconds, detail);
    Err(ApiError::invalid(&group_kind(), "", &[fault]))
}

fn reference(object: &Value) -> Reference {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    Reference { name: text("name"), uid: text("uid") }
}

/// An object of the core group; a 404 without it.
fn find(server: &ApiServer, plural: &str, namespace: &str, name: &str) -> Result<Value, ApiError> {
    let kind = server.catalog.get("", "v1", plural).ok_or_else(ApiError::no_such_resource)?;
    let namespace = if kind.definition.namespaced { namespace } else { "" };
    Ok(kind.get(namespace, name)?.value())
}

/// What the token is to say.
fn claims(call: &Call, request: &Value, now: i64) -> Result<Claims, ApiError> {
    let (server, namespace) = (&*call.server, call.path.namespace.as_str());
    let account = call.resource.get(namespace, &call.path.name)?.value();
    let spec = &request["spec"];
    let audiences = spec["audiences"].as_array().into_iter().flatten();
    let aud: Vec<String> = audiences.filter_map(|a| a.as_str().map(str::to_owned)).collect();
    let mut binding = Binding {
        namespace: namespace.to_owned(),
        node: None,
        pod: None,
        secret: None,
        serviceaccount: reference(&account),
        warnafter: None,
    };
    let bound = &spec["boundObjectRef"];
    if bound.is_object() {
        bind(server, &mut binding, bound)?;
    }
    let mut life = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_LIFE);
    let ours = aud.iter().all(|audience| audience == server.tokens.issuer());
    if life == PATIENT_LIFE && binding.pod.is_some() && ours {
        binding.warnafter = Some(now + life);
        life = EXTENDED_LIFE;
    }
    Ok(Claims {
        aud,
        exp: now + life,
        iat: now,
        iss: server.tokens.issuer().to_owned(),
        jti: Uuid::new_v4().to_string(),
        sub: User::service_account(namespace, &call.path.name).name,
        binding,
        nbf: now,
    })
}

/// Binds a token to the object that its request names.
fn bind(server: &ApiServer, binding: &mut Binding, bound: &Value) -> Result<(), ApiError> {
    let text = |field: &str| bound[field].as_str().unwrap_or_default();
    let (name, kind) = (text("name"), text("kind"));
    let version =
        GroupVersion::parse(text("apiVersion")).unwrap_or_else(|| GroupVersion::new("", ""));
    let namespace = binding.namespace.clone();
    let found = match (version.group.as_str(), kind) {
        ("", "Pod") => {
            let pod = find(server, "pods", &namespace, name)?;
            let account = binding.serviceaccount.name.as_str();
            if pod["spec"]["serviceAccountName"] != account {
                return Err(ApiError::bad_request(format!(
                    "cannot bind token for serviceaccount {account:?} to pod running with \
                     different serviceaccount name."
                )));
            }
            if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
                // A node that is gone is known by its name alone.
                let gone = Reference { name: node.to_owned(), uid: String::new() };
                let node = find(server, "nodes", "", node);
                binding.node = Some(node.map_or(gone, |node| reference(&node)));
            }
            let pod = reference(&pod);
            binding.pod = Some(pod.clone());
            pod
        }
        ("", "Secret") => {
            let secret = reference(&find(server, "secrets", &namespace, name)?);
            binding.secret = Some(secret.clone());
            secret
        }
        ("", "Node") => {
            let node = reference(&find(server, "nodes", "", name)?);
            binding.node = Some(node.clone());
            node
        }
        (group, kind) => {
            let version = &version.version;
            return Err(ApiError::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let uid = text("uid");
    if !uid.is_empty() && uid != found.uid {
        let resource = GroupResource::new(version.group.as_str(), kind);
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        return Err(ApiError::conflict(&resource, name, &why));
    }
    Ok(())
}

/// What the name of a WebSocket protocol begins with that carries a token: browsers can set no
/// other header.
pub(crate) const PROTOCOL_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// The secret that a request shows, in its `Authorization` header or among the protocols of a
/// WebSocket; `None` if there is none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    if let Some(token) = authorization(headers) {
        return Some(token.into());
    }
    if !websocket::is_wanted(headers) {
        return None;
    }
    let encoded = websocket::protocols(headers)
        .find_map(|protocol| protocol.strip_prefix(PROTOCOL_PREFIX))?;
    let token = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    String::from_utf8(token).ok().map(Cow::Owned)
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The user that a token stands for, and the audiences it is good for of those asked for; without
/// any, of this server's.
pub(crate) fn authenticate(
    server: &ApiServer,
    token: &str,
    audiences: &[String],
) -> Result<(User, Vec<String>), TokenFault> {
    let now = Timestamp::now().as_second();
    let claims = server.tokens.verify(token, now)?;
    let own = [server.tokens.issuer().to_owned()];
    let asked = if audiences.is_empty() { &own[..] } else { audiences };
    let shared: Vec<String> =
        asked.iter().filter(|audience| claims.aud.contains(audience)).cloned().collect();
    if shared.is_empty() {
        return Err(TokenFault::Audience);
    }
    let binding = &claims.binding;
    check(server, "serviceaccounts", binding, Some(&binding.serviceaccount), now)?;
    check(server, "pods", binding, binding.pod.as_ref(), now)?;
    check(server, "secrets", binding, binding.secret.as_ref(), now)?;
    if binding.pod.is_none() {
        // A token of a pod lives with the pod, wherever that is.
        check(server, "nodes", binding, binding.node.as_ref(), now)?;
    }
    Ok((claims.user(), shared))
}

/// Checks that what a token is bound to is there, and is not another one of the same name.
fn check(
    server: &ApiServer,
    plural: &str,
    binding: &Binding,
    bound: Option<&Reference>,
    now: i64,
) -> Result<(), TokenFault> {
    let Some(bound) = bound else { return Ok(()) };
    let found = find(server, plural, &binding.namespace, &bound.name)
        .map_err(|_not_there| TokenFault::Invalidated)?;
    let metadata = &found["metadata"];
    let deleted = metadata["deletionTimestamp"].as_str().and_then(wk_api::parse_time);
    let over = deleted.is_some_and(|deleted| deleted.as_second() + LEEWAY < now);
    if over || metadata["uid"] != bound.uid.as_str() {
        return Err(TokenFault::Invalidated);
    }
    Ok(())
}

/// The status of a review of a token.
pub(crate) fn review(server: &ApiServer, spec: &Value) -> Result<Value, ApiError> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        let message = "token is required for TokenReview in authentication";
        return Err(ApiError::bad_request(message));
    }
    let audiences = spec["audiences"].as_array().into_iter().flatten();
    let audiences: Vec<String> =
        audiences.filter_map(|audience| audience.as_str().map(str::to_owned)).collect();
    Ok(match authenticate(server, token, &audiences) {
        Ok((user, shared)) => json!({
            "authenticated": true,
            "user": {
                "username": user.name,
                "uid": user.uid,
                "groups": user.groups,
                "extra": user.extra,
            },
            "audiences": shared,
        }),
        Err(TokenFault::Foreign) => json!({"user": {}, "error": TokenFault::Foreign.to_string()}),
        Err(fault) => json!({
            "user": {},
            "error": format!("[{}, {fault}]", TokenFault::Foreign),
        }),
    })
}

/// Answers a path that tells others how to check tokens; `None` for other paths.
pub(crate) fn discovery(server: &ApiServer, path: &str) -> Option<Answer> {
    let (value, media_type) = match path {
        "/openid/v1/jwks" => (server.tokens.key_set(), "application/jwk-set+json"),
        "/.well-known/openid-configuration" => {
            let base = server.advertise.map_or_else(
                || server.tokens.issuer().to_owned(),
                |address| format!("https://{address}"),
            );
            let keys_at = format!("{base}/openid/v1/jwks");
            (server.tokens.discovery(&keys_at), "application/json")
        }
        _ => return None,
    };
    let bytes = value.to_string().into();
    let mut response = encode::whole(bytes, "application/json", false, StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Some(Ok(response))
}
