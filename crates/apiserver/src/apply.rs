//! Server-side apply, and the list of owners that every write keeps.
//!
//! Spec: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use jiff::Timestamp;
use serde_json::Value;
use wk_api::status::Cause;
use wk_api::{ApiError, Fault, FieldPath, GroupKind, rfc3339};
use wk_patch::apply::{ApplyError, Context, FieldSet};
use wk_resources::Update;

use crate::body::{self, Expected};
use crate::catalog::Resource;
use crate::handle::Call;
use crate::options::WriteOptions;
use crate::patch;
use crate::write::{self, Change, Changed, Creation, Written};

/// The media type of a configuration that is to be applied.
pub(crate) const MEDIA_TYPE: &str = "application/apply-patch+yaml";

/// Who applies; that has to be said.
pub(crate) fn manager(options: &WriteOptions) -> Result<&str, ApiError> {
    if options.manager.is_empty() {
        let path = FieldPath::Root;
        let fault = Fault::required(&path.child("fieldManager"), "is required for apply patch");
        let kind = GroupKind::new("meta.k8s.io", "PatchOptions");
        return Err(ApiError::invalid(&kind, "", &[fault]));
    }
    Ok(&options.manager)
}

/// Applies a configuration to an object, which is made if it is not there.
pub(crate) async fn apply(
    call: &Call,
    bytes: &[u8],
    part: Update,
    options: &WriteOptions,
) -> Result<(Written, Vec<String>), ApiError> {
    let manager = manager(options)?;
    let (parsed, mut warnings) = body::parse_apply(bytes, options.validation)?;
    let (mut config, found) = body::decode_parsed(parsed, call.expected())?;
    warnings.extend(body::judge(&found, call.expected(), options.validation)?);
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    check_config(call, call.expected(), &mut config)?;
    let now = rfc3339(Timestamp::now());
    let ignored = ignored(&call.resource, part);
    let context = Context {
        message: call.resource.definition.message,
        manager,
        api_version: &call.resource.api_version,
        subresource: &call.path.subresource,
        now: &now,
        ignored: &ignored,
    };
    if part == Update::Whole
        && call.resource.shelf.get(&call.resource.key(namespace, name)).is_none()
    {
        let applied =
            wk_patch::apply::apply(&context, None, &config, options.force).map_err(refused)?;
        let creation = Creation {
            resource: &call.resource,
            namespace,
            options,
            user: &call.user,
            manager: None,
        };
        let created = write::create(&call.server, &creation, applied.object).await;
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
        user: Some(&call.user),
        manager: None,
    };
    let written = write::change(&call.server, &change, |old| {
        let applied =
            wk_patch::apply::apply(&context, Some(old), &config, options.force).map_err(refused)?;
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

/// Keeps the list of owners for a write that is not an apply.
pub(crate) fn tracked(change: &Change<'_>, manager: &str, old: &Value, new: Value) -> Value {
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

/// Begins the list of owners of a new object: all that it says is its maker's.
pub(crate) fn begun(resource: &Resource, manager: &str, new: &mut Value) {
    let now = rfc3339(Timestamp::now());
    let context = Context {
        message: resource.definition.message,
        manager,
        api_version: &resource.api_version,
        subresource: "",
        now: &now,
        ignored: &ignored(resource, Update::Whole),
    };
    wk_patch::apply::create(&context, new);
}

/// A configuration is about the object in the path.
pub(crate) fn check_config(
    call: &Call,
    expected: Expected<'_>,
    config: &mut Value,
) -> Result<(), ApiError> {
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (version, kind) = (text(config, "/apiVersion"), text(config, "/kind"));
    if version != expected.api_version || kind != expected.kind {
        return Err(ApiError::bad_request(format!("invalid object type: {version}, Kind={kind}")));
    }
    write::with_metadata(config)?;
    write::check_place(call, config)
}

pub(crate) fn refused(error: ApplyError) -> ApiError {
    match error {
        ApplyError::Malformed(message) => ApiError::bad_request(message),
        ApplyError::Limit(error) => patch::refused(&error),
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
