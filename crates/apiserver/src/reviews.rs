//! Questions about who one is and what one may do. They are answered and never stored.

use axum::body::Body;
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{ApiError, Fault, FieldPath, GroupKind, rfc3339};
use wk_auth::{Attributes, Decision, User};

use crate::body::{self, Expected};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::not_allowed;
use crate::negotiate::{self, Format, Shape};
use crate::route::{ResourcePath, Verb};
use crate::server::ApiServer;
use crate::tokens;

/// The kind of review that a path asks for; `None` for other paths.
pub(crate) fn kind(path: &ResourcePath) -> Option<&'static str> {
    match (path.group.as_str(), path.version.as_str(), path.resource.as_str()) {
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => {
            Some("SelfSubjectAccessReview")
        }
        ("authorization.k8s.io", "v1", "subjectaccessreviews") => Some("SubjectAccessReview"),
        ("authorization.k8s.io", "v1", "localsubjectaccessreviews") => {
            Some("LocalSubjectAccessReview")
        }
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => Some("SelfSubjectRulesReview"),
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => Some("SelfSubjectReview"),
        ("authentication.k8s.io", "v1", "tokenreviews") => Some("TokenReview"),
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
    let format = negotiate::format_without_rows(&parts.headers, message.is_some())?;
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
        "TokenReview" => tokens::review(server, &value["spec"])?,
        "SelfSubjectRulesReview" => {
            rules(&server.authorizer.rules(user, checked_namespace(&value)?).await)
        }
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            if kind == "LocalSubjectAccessReview" {
                check_local(path, &value)?;
            }
            let texts = |list: &Value| -> Vec<String> {
                let list = list.as_array().into_iter().flatten();
                list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
            };
            let spec = &value["spec"];
            let extra = spec["extra"].as_object().into_iter().flatten();
            let other = User {
                name: spec["user"].as_str().unwrap_or_default().to_owned(),
                uid: spec["uid"].as_str().unwrap_or_default().to_owned(),
                groups: texts(&spec["groups"]),
                extra: extra.map(|(key, values)| (key.to_lowercase(), texts(values))).collect(),
            };
            decision(server, &other, spec).await
        }
        _ => decision(server, user, &value["spec"]).await,
    };
    let look = Look { format: Format { shape: Shape::Plain, ..format }, ..Look::JSON };
    encode::plain(&value, message, look, StatusCode::CREATED)
}

/// What a review of rules is about.
fn checked_namespace(review: &Value) -> Result<&str, ApiError> {
    let namespace = review["spec"]["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    Ok(namespace)
}

/// A local review is about the namespace in its path.
fn check_local(path: &ResourcePath, review: &Value) -> Result<(), ApiError> {
    let spec = &review["spec"];
    let root = FieldPath::Root;
    let mut faults = Vec::new();
    if spec["nonResourceAttributes"].is_object() {
        let path = root.child("spec.nonResourceAttributes");
        let detail = "disallowed on this kind of request";
        faults.push(Fault::invalid(&path, spec["nonResourceAttributes"].clone(), detail));
    }
    let namespace = spec["resourceAttributes"]["namespace"].as_str().unwrap_or_default();
    if namespace != path.namespace {
        let detail = "must match metadata.namespace";
        let path = root.child("spec.resourceAttributes.namespace");
        faults.push(Fault::invalid(&path, namespace, detail));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let kind = GroupKind::new("authorization.k8s.io", "LocalSubjectAccessReview");
    Err(ApiError::invalid(&kind, "", &faults))
}

/// The status of a review of rules.
fn rules(found: &wk_auth::Rules) -> Value {
    let about_paths = |rule: &&wk_auth::Rule| !rule.paths.is_empty();
    let resources: Vec<Value> = found
        .rules
        .iter()
        .filter(|rule| !about_paths(rule))
        .map(|rule| {
            let mut value = json!({
                "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources,
            });
            if !rule.names.is_empty() {
                value["resourceNames"] = json!(rule.names);
            }
            value
        })
        .collect();
    let paths: Vec<Value> = found
        .rules
        .iter()
        .filter(about_paths)
        .map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.paths}))
        .collect();
    let mut status = json!({
        "resourceRules": resources,
        "nonResourceRules": paths,
        "incomplete": found.incomplete.is_some(),
    });
    if let Some(reason) = &found.incomplete {
        status["evaluationError"] = reason.as_str().into();
    }
    status
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
