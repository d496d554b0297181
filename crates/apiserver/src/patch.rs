//! Patches.

use serde_json::Value;
use wk_api::{ApiError, Reason};
use wk_patch::PatchError;
use wk_resources::Update;

use crate::body;
use crate::handle::Call;
use crate::options::WriteOptions;
use crate::write::{self, Change, Changed, Written};

const MEDIA_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Merge,
    Strategic,
}

/// Patches a part of an object; gives what the client is to be warned of, too.
pub(crate) async fn patch(
    call: &Call,
    bytes: &[u8],
    part: Update,
    options: &WriteOptions,
) -> Result<(Written, Vec<String>), ApiError> {
    let message = call.resource.definition.message;
    let (kind, patch) = match call.media_type() {
        "application/json-patch+json" => (Kind::Json, body::parse(bytes)?),
        "application/merge-patch+json" => (Kind::Merge, body::parse(bytes)?),
        "application/strategic-merge-patch+json" if message.is_some() => {
            (Kind::Strategic, body::parse(bytes)?)
        }
        "application/apply-patch+yaml" => {
            return crate::apply::apply(call, bytes, part, options).await;
        }
        _ => return Err(ApiError::unsupported_media_type(MEDIA_TYPES)),
    };
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    let change = Change {
        resource: &call.resource,
        namespace,
        name,
        part,
        dry_run: options.dry_run,
        manager: Some(call.manager(options)),
    };
    let warnings = parking_lot::Mutex::new(Vec::new());
    let written = write::change(&call.server, &change, |old| {
        let patched = match kind {
            Kind::Json => wk_patch::json::apply(old.clone(), patch.clone()),
            Kind::Merge => wk_patch::merge::apply(old.clone(), patch.clone()),
            Kind::Strategic => {
                let message = message.ok_or_else(ApiError::no_such_resource)?;
                wk_patch::strategic::apply(old.clone(), patch.clone(), message)
            }
        };
        let patched = patched.map_err(|error| refused(call, &error))?;
        let (value, found) = body::decode_parsed(patched, call.expected())?;
        *warnings.lock() = body::judge(&found, call.expected(), options.validation)?;
        check_name(call, &value, old)?;
        Ok(Changed { conditional: names_revision(kind, &patch), value })
    })
    .await?;
    Ok((written, warnings.into_inner()))
}

/// Whether a patch says which revision it is for.
fn names_revision(kind: Kind, patch: &Value) -> bool {
    match kind {
        Kind::Merge | Kind::Strategic => patch.pointer("/metadata/resourceVersion").is_some(),
        Kind::Json => patch.as_array().is_some_and(|operations| {
            operations.iter().any(|op| op["path"] == "/metadata/resourceVersion")
        }),
    }
}

/// A patch cannot make another object of an object.
fn check_name(call: &Call, new: &Value, old: &Value) -> Result<(), ApiError> {
    for field in ["apiVersion", "kind"] {
        if new[field] != old[field] {
            return Err(ApiError::bad_request(format!(
                "the {field} of an object cannot be patched"
            )));
        }
    }
    let own = new.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if own != call.path.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({})",
            call.path.name
        )));
    }
    Ok(())
}

/// A patch that was not applied, as an error for the client.
pub(crate) fn refused(call: &Call, error: &PatchError) -> ApiError {
    match error {
        PatchError::Malformed(_) | PatchError::Directive(_) => {
            ApiError::bad_request(error.to_string())
        }
        PatchError::Operation(_) | PatchError::List(_) => {
            let mut refused = ApiError::new(422, Reason::Invalid, error.to_string());
            refused.details = Some(Box::new(wk_api::status::Details {
                name: call.path.name.clone(),
                group: call.resource.gr.group.clone(),
                kind: call.resource.gr.resource.clone(),
                ..Default::default()
            }));
            refused
        }
        PatchError::TooManyOperations { .. } | PatchError::TooLarge(_) => {
            ApiError::too_large(&error.to_string())
        }
    }
}
