//! What is served below an object: its status and other parts, and a few actions on pods.

use axum::body::Body;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{ApiError, Fault, FieldPath, GroupKind, rfc3339};
use wk_resources::Update;

use crate::body::{self, Expected};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::{Call, not_allowed};
use crate::logs;
use crate::negotiate::{Format, Shape};
use crate::options::WriteOptions;
use crate::route::Verb;
use crate::storage::Unwritten;
use crate::{eviction, list, patch, scale, tokens, write};

/// Answers a request about a subresource.
pub(crate) async fn answer(call: &Call, body: Body) -> Answer {
    let definition = &call.resource.definition;
    let name = call.path.subresource.as_str();
    let sub = definition.subresource(name).ok_or_else(ApiError::no_such_resource)?;
    if !sub.verbs.contains(&call.verb.as_str()) {
        return Err(not_allowed());
    }
    if name == "scale" && sub.kind.kind == "Scale" {
        return scale::answer(call, body).await;
    }
    if name == "token" && sub.kind.kind == "TokenRequest" {
        return tokens::create(call, body).await;
    }
    let pod = definition.group.is_empty() && definition.kind == "Pod";
    if sub.kind == definition.gvk() && !(pod && name == "log") {
        return part(call, part_of(name)?, body).await;
    }
    match (pod, name) {
        (true, "log") => logs::answer(call).await,
        (true, "binding") => bind(call, &call.path.name, &binding(call, body).await?).await,
        (true, "eviction") => eviction::evict(call, body).await,
        _ => Err(ApiError::no_such_resource()),
    }
}

/// The part that a subresource writes.
fn part_of(name: &str) -> Result<Update, ApiError> {
    Ok(match name {
        "status" => Update::Status,
        "finalize" => Update::Subresource("finalize"),
        "ephemeralcontainers" => Update::Subresource("ephemeralcontainers"),
        "resize" => Update::Subresource("resize"),
        "approval" => Update::Subresource("approval"),
        _ => return Err(ApiError::no_such_resource()),
    })
}

/// Reads or writes a part of an object.
async fn part(call: &Call, part: Update, body: Body) -> Answer {
    match call.verb {
        Verb::Get => {
            let object = list::get(call).await?;
            encode::object(&call.resource, &object, call.look, StatusCode::OK)
        }
        Verb::Update => {
            let options = WriteOptions::read(&call.query, "UpdateOptions")?;
            let bytes = body::read(body).await?;
            let sent = body::decode_object(
                &bytes,
                call.media_type(),
                call.expected(),
                options.validation,
            )?;
            let written = write::replace_part(call, sent.value, part, &options).await?;
            call.written(written, &sent.warnings)
        }
        Verb::Patch => {
            let options = WriteOptions::read(&call.query, "PatchOptions")?;
            let bytes = body::read(body).await?;
            let (written, warnings) = patch::patch(call, &bytes, part, &options).await?;
            call.written(written, &warnings)
        }
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            Err(not_allowed())
        }
    }
}

/// Answers a binding that is posted to the collection.
pub(crate) async fn create_binding(call: &Call, body: Body) -> Answer {
    let binding = binding(call, body).await?;
    let name = binding["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    bind(call, &name, &binding).await
}

async fn binding(call: &Call, body: Body) -> Result<Value, ApiError> {
    let bytes = body::read(body).await?;
    let expected = Expected {
        api_version: "v1",
        kind: "Binding",
        message: wk_schema::kind("", "v1", "Binding"),
    };
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let sent = body::decode_object(&bytes, call.media_type(), expected, options.validation)?;
    Ok(sent.value)
}

/// Puts a pod on a node: its `nodeName` and the condition that says so, in one write.
async fn bind(call: &Call, name: &str, binding: &Value) -> Answer {
    let server = &call.server;
    let pods = server.catalog.get("", "v1", "pods").ok_or_else(ApiError::no_such_resource)?;
    let dry_run = WriteOptions::read(&call.query, "CreateOptions")?.dry_run;
    let root = FieldPath::Root;
    let target = &binding["target"];
    let node = target["name"].as_str().unwrap_or_default();
    let mut faults = Vec::new();
    if node.is_empty() {
        faults.push(Fault::required(&root.child("target.name"), ""));
    }
    let kind = target["kind"].as_str().unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        let path = root.child("target.kind");
        faults.push(Fault::not_supported(&path, kind, &["Node", "<empty>"]));
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(&GroupKind::new("", "Binding"), name, &faults));
    }
    loop {
        let current = pods.get(&call.path.namespace, name)?;
        let mut pod = current.value();
        let refuse = |why: String| Err(ApiError::conflict(&pods.gr, name, &why));
        let own = pod["metadata"]["uid"].as_str().unwrap_or_default();
        if let Some(uid) = binding["metadata"]["uid"].as_str()
            && uid != own
        {
            return refuse(format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
            ));
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        if let Some(other) = pod["spec"]["nodeName"].as_str().filter(|own| !own.is_empty()) {
            return refuse(format!("pod {name} is already assigned to node {other:?}"));
        }
        if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
            return refuse(format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        pod["spec"]["nodeName"] = node.into();
        if let Some(annotations) = binding["metadata"]["annotations"].as_object() {
            for (key, value) in annotations {
                pod["metadata"]["annotations"][key] = value.clone();
            }
        }
        mark_scheduled(&mut pod, Timestamp::now());
        let change = write::Change {
            resource: &pods,
            namespace: &call.path.namespace,
            name,
            part: Update::Whole,
            dry_run,
            user: Some(&call.user),
            manager: None,
        };
        match write::store(server, &change, &current, pod).await {
            Ok(_) => break,
            Err(Unwritten::Failed(error)) => return Err(error),
            Err(Unwritten::Conflict) => {}
        }
    }
    success(call, StatusCode::CREATED)
}

/// The condition that tells that a pod has its node.
fn mark_scheduled(pod: &mut Value, now: Timestamp) {
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": rfc3339(now),
    });
    if !pod["status"].is_object() {
        pod["status"] = json!({});
    }
    let status = &mut pod["status"];
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|own| own["type"] != "PodScheduled");
        conditions.push(condition);
    }
}

/// The answer to an action that was done.
pub(crate) fn success(call: &Call, code: StatusCode) -> Answer {
    let mut status = wk_api::status::success(None);
    status["code"] = code.as_u16().into();
    let format = Format { shape: Shape::Plain, ..call.look.format };
    let look = Look { format, ..call.look };
    encode::plain(&status, encode::meta_message("Status"), look, code)
}
