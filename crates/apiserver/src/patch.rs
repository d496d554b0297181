//! Patches.

mod words;

use serde_json::Value;
use wk_api::{ApiError, Fault, FieldPath, GroupKind, Reason};
use wk_patch::PatchError;
use wk_resources::Update;
use wk_schema::{Message, Warning, decode};

use crate::apply;
use crate::body::Expected;
use crate::handle::Call;
use crate::options::{FieldValidation, WriteOptions};
use crate::write::{self, Change, Changed, Written};

const MEDIA_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    apply::MEDIA_TYPE,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Merge,
    Strategic,
}

/// A patch that is no apply.
#[derive(Debug)]
pub(crate) struct Patch {
    kind: Kind,
    value: Value,
    /// What stands twice in it.
    duplicates: Vec<Warning>,
}

impl Patch {
    /// Reads a patch for an object with these fields.
    ///
    /// # Errors
    /// 400 for what cannot be read, 415 for what is no patch, or none for such an object.
    pub(crate) fn read(
        call: &Call,
        bytes: &[u8],
        message: Option<&'static Message>,
    ) -> Result<Self, ApiError> {
        let kind = match call.media_type() {
            "application/json-patch+json" => Kind::Json,
            "application/merge-patch+json" => Kind::Merge,
            "application/strategic-merge-patch+json" if message.is_some() => Kind::Strategic,
            _ => return Err(ApiError::unsupported_media_type(MEDIA_TYPES)),
        };
        let (value, duplicates) = decode::parse(bytes)
            .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
        Ok(Self { kind, value, duplicates })
    }

    /// What the patch makes of an object with these fields.
    pub(crate) fn applied(
        &self,
        old: &Value,
        message: Option<&'static Message>,
    ) -> Result<Value, ApiError> {
        let (old, patch) = (old.clone(), self.value.clone());
        let patched = match self.kind {
            Kind::Json => wk_patch::json::apply(old, patch),
            Kind::Merge => wk_patch::merge::apply(old, patch),
            Kind::Strategic => {
                let message = message.ok_or_else(ApiError::no_such_resource)?;
                wk_patch::strategic::apply(old, patch, message)
            }
        };
        patched.map_err(|error| refused(&error))
    }

    /// What the patch makes of an object, as an object of its kind; with what the client is to be
    /// warned of.
    pub(crate) fn decoded(
        &self,
        old: &Value,
        expected: Expected<'_>,
        validation: FieldValidation,
    ) -> Result<(Value, Vec<String>), ApiError> {
        let patched = self.applied(old, expected.message)?;
        let Some(message) = expected.message else { return Ok((patched, Vec::new())) };
        let (value, found) = wk_schema::decode_value(patched, message).map_err(|error| {
            let text = error.to_string();
            let text = if self.kind == Kind::Strategic { words::converted(&text) } else { text };
            self.refused(old, expected, &text)
        })?;
        let of_patch = if self.kind == Kind::Json { "json patch " } else { "" };
        let own = self.duplicates.iter().map(|warning| format!("{of_patch}{warning}"));
        let all: Vec<String> = own.chain(found.iter().map(ToString::to_string)).collect();
        match validation {
            FieldValidation::Ignore => Ok((value, Vec::new())),
            FieldValidation::Strict if !all.is_empty() => {
                let why = format!("strict decoding error: {}", all.join(", "));
                Err(self.refused(old, expected, &why))
            }
            FieldValidation::Strict | FieldValidation::Warn => Ok((value, all)),
        }
    }

    /// 422: what comes of the patch is no object of its kind.
    fn refused(&self, old: &Value, expected: Expected<'_>, why: &str) -> ApiError {
        let shown = match self.kind {
            Kind::Strategic => words::as_go(&self.value),
            Kind::Json | Kind::Merge => {
                // Made once more: nobody keeps a copy for the few that are refused.
                let patched = self.applied(old, expected.message);
                patched.map(|patched| patched.to_string()).unwrap_or_default()
            }
        };
        let root = FieldPath::Root;
        let fault = Fault::invalid(&root.child("patch"), shown, why);
        ApiError::invalid(&GroupKind::new("", ""), "", &[fault])
    }

    /// Whether the patch says which revision it is for.
    pub(crate) fn names_revision(&self) -> bool {
        match self.kind {
            Kind::Merge | Kind::Strategic => {
                self.value.pointer("/metadata/resourceVersion").is_some()
            }
            Kind::Json => self.value.as_array().is_some_and(|operations| {
                operations.iter().any(|op| op["path"] == "/metadata/resourceVersion")
            }),
        }
    }
}

/// Patches a part of an object; gives what the client is to be warned of, too.
pub(crate) async fn patch(
    call: &Call,
    bytes: &[u8],
    part: Update,
    options: &WriteOptions,
) -> Result<(Written, Vec<String>), ApiError> {
    if call.media_type() == apply::MEDIA_TYPE {
        return apply::apply(call, bytes, part, options).await;
    }
    let message = call.resource.definition.message;
    let patch = Patch::read(call, bytes, message)?;
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    let change = Change {
        resource: &call.resource,
        namespace,
        name,
        part,
        dry_run: options.dry_run,
        user: Some(&call.user),
        manager: Some(call.manager(options)),
    };
    let warnings = parking_lot::Mutex::new(Vec::new());
    let written = write::change(&call.server, &change, |old| {
        let (value, found) = patch.decoded(old, call.expected(), options.validation)?;
        *warnings.lock() = found;
        check_name(call, &value, old)?;
        Ok(Changed { conditional: patch.names_revision(), value })
    })
    .await?;
    Ok((written, warnings.into_inner()))
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
pub(crate) fn refused(error: &PatchError) -> ApiError {
    match error {
        PatchError::Malformed(_) | PatchError::Directive(_) => {
            ApiError::bad_request(error.to_string())
        }
        PatchError::Operation(_) | PatchError::List(_) => {
            // Clients are told no more than this, and of no object.
            let message = "the server rejected our request due to an error in our request";
            let mut refused = ApiError::new(422, Reason::Invalid, message);
            refused.details = Some(Box::default());
            refused
        }
        PatchError::TooManyOperations { .. } | PatchError::TooLarge(_) => {
            ApiError::too_large(&error.to_string())
        }
    }
}
