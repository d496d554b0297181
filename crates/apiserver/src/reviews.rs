//! Questions about who one is and what one may do. They are answered and never stored.

use axum::body::Body;
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{ApiError, rfc3339};
use wk_auth::{Attributes, Decision, User};

use crate::body::{self, Expected};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::not_allowed;
use crate::negotiate::{self, Format, Shape};
use crate::route::{ResourcePath, Verb};
use crate::server::ApiServer;

/// The kind of review that a path asks for; `None` for other paths.
pub(crate) fn kind(path: &ResourcePath) -> Option<&'static str> {
    match (path.group.as_str(), path.version.as_str(), path.resource.as_str()) {
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => {
            Some("SelfSubjectAccessReview")
        }
        ("authorization.k8s.io", "v1", "subjectaccessreviews") => Some("SubjectAccessReview"),
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => Some("SelfSubjectReview"),
        _ => None,
    }
}

/// Answers a review.
pub(crate) async fn answer(
    server: &ApiServer,
    parts: &Parts,
    path: &ResourcePath,
    kind: &str,
    verb: Verb,
    user: &User,
    body: Body,
) -> Answer {
    if verb != Verb::Create || !path.name.is_empty() {
        return Err(not_allowed());
    }
    review(server, parts, path, kind, user, body).await
}

async fn review(
    server: &ApiServer,
    parts: &Parts,
    path: &ResourcePath,
    kind: &str,
    user: &User,
    body: Body,
) -> Answer {
    let api_version = format!("{}/{}", path.group, path.version);
    let message = wk_schema::kind(&path.group, &path.version, kind);
    let format = negotiate::format(&parts.headers, message.is_some())?;
    let bytes = body::read(body).await?;
    let expected = Expected { api_version: &api_version, kind, message };
    let sent = body::decode_plain(&bytes, body::media_type(&parts.headers), expected)?;
    let mut value = sent.unwrap_or_else(|| json!({}));
    if !value.is_object() {
        return Err(ApiError::bad_request("the body is not an object"));
    }
    value["apiVersion"] = api_version.as_str().into();
    value["kind"] = kind.into();
    value["metadata"] = json!({"creationTimestamp": rfc3339(Timestamp::now())});
    value["status"] = match kind {
        "SelfSubjectReview" => json!({"userInfo": {
            "username": user.name,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
        }}),
        "SubjectAccessReview" => {
            let texts = |list: &Value| -> Vec<String> {
                let list = list.as_array().into_iter().flatten();
                list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
            };
            let spec = &value["spec"];
            let other = User {
                name: spec["user"].as_str().unwrap_or_default().to_owned(),
                groups: texts(&spec["groups"]),
                ..User::default()
            };
            decision(server, &other, spec).await
        }
        _ => decision(server, user, &value["spec"]).await,
    };
    let look = Look { format: Format { shape: Shape::Plain, ..format }, ..Look::JSON };
    encode::plain(&value, message, look, StatusCode::CREATED)
}

async fn decision(server: &ApiServer, user: &User, spec: &Value) -> Value {
    let resource = &spec["resourceAttributes"];
    let other = &spec["nonResourceAttributes"];
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let (verb, path) = if resource.is_object() {
        (text(&resource["verb"]), String::new())
    } else {
        (text(&other["verb"]), text(&other["path"]))
    };
    let parts = ["group", "version", "resource", "subresource", "namespace", "name"]
        .map(|field| text(&resource[field]));
    let [group, version, plural, subresource, namespace, name] = &parts;
    let attributes = Attributes {
        user,
        verb: &verb,
        group,
        version,
        resource: plural,
        subresource,
        namespace,
        name,
        path: &path,
    };
    match server.authorizer.authorize(&attributes).await {
        Decision::Allow => json!({"allowed": true}),
        Decision::Deny(reason) if reason.is_empty() => json!({"allowed": false}),
        Decision::Deny(reason) => json!({"allowed": false, "reason": reason}),
    }
}
