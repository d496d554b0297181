//! Server-side apply.
//!
//! Who owns which fields is written down from an object's first apply on; until then nobody asks,
//! and the list of owners would be most of a small object.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::status::Cause;
use wk_api::{ApiError, rfc3339};
use wk_patch::apply::{ApplyError, Context, FieldSet};
use wk_resources::Update;

use crate::body;
use crate::catalog::Resource;
use crate::handle::Call;
use crate::options::WriteOptions;
use crate::patch;
use crate::write::{self, Change, Changed, Written};

/// Applies a configuration to an object, which is made if it is not there.
pub(crate) async fn apply(
    call: &Call,
    bytes: &[u8],
    part: Update,
    options: &WriteOptions,
) -> Result<(Written, Vec<String>), ApiError> {
    if options.manager.is_empty() {
        return Err(ApiError::bad_request("fieldManager is required for apply patch"));
    }
    let parsed = body::parse_yaml(bytes)?;
    let (mut config, found) = body::decode_parsed(parsed, call.expected())?;
    let warnings = body::judge(&found, call.expected(), options.validation)?;
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    check_config(call, &mut config)?;
    let now = rfc3339(Timestamp::now());
    let ignored = ignored(&call.resource, part);
    let context = Context {
        message: call.resource.definition.message,
        manager: &options.manager,
        api_version: &call.resource.api_version,
        subresource: &call.path.subresource,
        now: &now,
        ignored: &ignored,
    };
    if part == Update::Whole
        && call.resource.shelf.get(&call.resource.key(namespace, name)).is_none()
    {
        let applied = wk_patch::apply::apply(&context, None, &config, options.force)
            .map_err(|error| refused(call, error))?;
        let server = &call.server;
        let created =
            write::create(server, &call.resource, namespace, applied.object, options, &call.user)
                .await;
        match created {
            // Somebody else made it meanwhile: then it is there to be changed.
            Err(error) if error.reason == wk_api::Reason::AlreadyExists => {}
            other => return Ok((other?, warnings)),
        }
    }
    let change = Change {
        resource: &call.resource,
        namespace,
        name,
        part,
        dry_run: options.dry_run,
        manager: None,
    };
    let written = write::change(&call.server, &change, |old| {
        let applied = wk_patch::apply::apply(&context, Some(old), &config, options.force)
            .map_err(|error| refused(call, error))?;
        let conditional = config.pointer("/metadata/resourceVersion").is_some();
        let value = if applied.changed { applied.object } else { old.clone() };
        Ok(Changed { value, conditional })
    })
    .await?;
    Ok((written, warnings))
}

/// The fields that are not written here, so that nobody comes to own them.
fn ignored(resource: &Resource, part: Update) -> FieldSet {
    match part {
        Update::Whole if resource.definition.has_status() => FieldSet::of_fields(&[&["status"]]),
        Update::Status => FieldSet::of_fields(&[&["spec"]]),
        Update::Whole | Update::Subresource(_) => FieldSet::default(),
    }
}

/// Keeps the list of owners for a write that is not an apply, where there is one.
pub(crate) fn tracked(change: &Change<'_>, manager: &str, old: &Value, new: Value) -> Value {
    let owners = |value: &Value| {
        let owners = value.pointer("/metadata/managedFields").and_then(Value::as_array);
        owners.is_some_and(|owners| !owners.is_empty())
    };
    if !owners(old) && !owners(&new) {
        return new;
    }
    let now = rfc3339(Timestamp::now());
    let context = Context {
        message: change.resource.definition.message,
        manager,
        api_version: &change.resource.api_version,
        subresource: match change.part {
            Update::Whole => "",
            Update::Status => "status",
            Update::Subresource(name) => name,
        },
        now: &now,
        ignored: &ignored(change.resource, change.part),
    };
    wk_patch::apply::update(&context, Some(old), new)
}

/// A configuration is about the object in the path.
fn check_config(call: &Call, config: &mut Value) -> Result<(), ApiError> {
    let expected = call.expected();
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (version, kind) = (text(config, "/apiVersion"), text(config, "/kind"));
    if version != expected.api_version || kind != expected.kind {
        return Err(ApiError::bad_request(format!("invalid object type: {version}, Kind={kind}")));
    }
    if !config["metadata"].is_object() {
        config["metadata"] = Value::Object(serde_json::Map::new());
    }
    let own = text(config, "/metadata/name");
    if own.is_empty() {
        config["metadata"]["name"] = call.path.name.as_str().into();
    } else if own != call.path.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({})",
            call.path.name
        )));
    }
    let own = text(config, "/metadata/namespace");
    if !own.is_empty() && own != call.path.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

fn refused(call: &Call, error: ApplyError) -> ApiError {
    match error {
        ApplyError::Malformed(message) => ApiError::bad_request(message),
        ApplyError::Limit(error) => patch::refused(call, &error),
        ApplyError::Conflicts(conflicts) => {
            let causes = conflicts
                .iter()
                .map(|conflict| Cause {
                    reason: "FieldManagerConflict".to_owned(),
                    message: conflict.message(),
                    field: conflict.field.clone(),
                })
                .collect();
            ApiError::apply_conflict(ApplyError::Conflicts(conflicts).to_string(), causes)
        }
    }
}
