//! The `scale` subresource: an object of its own that stands for the number of replicas of another.
//!
//! Reads make the `Scale` from the object; writes put its number into the object, under the rules
//! of any other write: the revision it names is the object's, and who set the number owns
//! `spec.replicas` of the object.

use axum::body::Body;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{ApiError, GroupKind};
use wk_patch::apply::{Context, FieldSet};
use wk_resources::{Update, scale};

use crate::body::{self, Expected};
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::{Call, not_allowed};
use crate::negotiate::Shape;
use crate::options::WriteOptions;
use crate::patch::Patch;
use crate::route::Verb;
use crate::table::{self, Include};
use crate::write::{self, Change, Changed, Written};
use crate::{apply, list};

const PART: Update = Update::Subresource("scale");

fn expected() -> Expected<'static> {
    Expected {
        api_version: "autoscaling/v1",
        kind: "Scale",
        message: wk_schema::kind("autoscaling", "v1", "Scale"),
    }
}

/// Answers a request about the scale of an object.
pub(crate) async fn answer(call: &Call, body: Body) -> Answer {
    match call.verb {
        Verb::Get => {
            let object = list::get(call).await?;
            shown(&scale::scale_of(&call.resource.value(&object)), call.look)
        }
        Verb::Update => {
            let options = WriteOptions::read(&call.query, "UpdateOptions")?;
            let bytes = body::read(body).await?;
            let sent =
                body::decode_object(&bytes, call.media_type(), expected(), options.validation)?;
            let scale = named(call, sent.value)?;
            let written = write(call, &options, |_| Ok((scale.clone(), names_revision(&scale))));
            answered(call, written.await?, &sent.warnings)
        }
        Verb::Patch => {
            let options = WriteOptions::read(&call.query, "PatchOptions")?;
            let bytes = body::read(body).await?;
            if call.media_type() == apply::MEDIA_TYPE {
                return applied(call, &bytes, &options).await;
            }
            let patch = Patch::read(call, &bytes, expected().message)?;
            let warnings = parking_lot::Mutex::new(Vec::new());
            let written = write(call, &options, |old| {
                let scale = scale::scale_of(old);
                let (scale, found) = patch.decoded(&scale, expected(), options.validation)?;
                *warnings.lock() = found;
                Ok((named(call, scale)?, patch.names_revision()))
            });
            let written = written.await?;
            answered(call, written, &warnings.into_inner())
        }
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            Err(not_allowed())
        }
    }
}

fn names_revision(scale: &Value) -> bool {
    scale["metadata"]["resourceVersion"].as_str().is_some_and(|revision| !revision.is_empty())
}

/// A `Scale` is about the object in the path.
fn named(call: &Call, mut scale: Value) -> Result<Value, ApiError> {
    write::with_metadata(&mut scale)?;
    write::check_place(call, &mut scale)?;
    Ok(scale)
}

/// Writes the number of the `Scale` that `make` makes of the object into the object.
async fn write(
    call: &Call,
    options: &WriteOptions,
    make: impl Fn(&Value) -> Result<(Value, bool), ApiError>,
) -> Result<Written, ApiError> {
    let change = Change {
        resource: &call.resource,
        namespace: &call.path.namespace,
        name: &call.path.name,
        part: PART,
        dry_run: options.dry_run,
        user: Some(&call.user),
        manager: Some(call.manager(options)),
    };
    write::change(&call.server, &change, |old| {
        let (scale, conditional) = make(old)?;
        Ok(Changed { value: scaled(call, old, &scale)?, conditional })
    })
    .await
}

/// The object with the number of a `Scale`, and with the identity that the `Scale` names.
fn scaled(call: &Call, old: &Value, scale: &Value) -> Result<Value, ApiError> {
    let mut new = old.clone();
    scale::apply(&mut new, scale).map_err(|faults| {
        ApiError::invalid(&GroupKind::new("autoscaling", "Scale"), &call.path.name, &faults)
    })?;
    for field in ["resourceVersion", "uid"] {
        if let Some(value) = scale["metadata"].get(field) {
            new["metadata"][field] = value.clone();
        }
    }
    Ok(new)
}

/// Answers a server-side apply: of the object's number of replicas, in the object's own terms, so
/// that conflicts with those who set it otherwise are found.
async fn applied(call: &Call, bytes: &[u8], options: &WriteOptions) -> Answer {
    let manager = apply::manager(options)?;
    let (parsed, mut warnings) = body::parse_apply(bytes, options.validation)?;
    let (mut config, found) = body::decode_parsed(parsed, expected())?;
    warnings.extend(body::judge(&found, expected(), options.validation)?);
    apply::check_config(call, expected(), &mut config)?;
    let now = wk_api::rfc3339(Timestamp::now());
    let ignored = FieldSet::default();
    let context = Context {
        message: call.resource.definition.message,
        manager,
        api_version: &call.resource.api_version,
        subresource: "scale",
        now: &now,
        ignored: &ignored,
    };
    let change = Change {
        resource: &call.resource,
        namespace: &call.path.namespace,
        name: &call.path.name,
        part: PART,
        dry_run: options.dry_run,
        user: Some(&call.user),
        manager: None,
    };
    let own = json!({
        "apiVersion": call.resource.api_version,
        "kind": call.resource.definition.kind,
        "metadata": {"name": call.path.name},
        "spec": config["spec"],
    });
    let written = write::change(&call.server, &change, |old| {
        let mut scale = scale::scale_of(old);
        scale["spec"] = config["spec"].clone();
        if let Some(revision) = config["metadata"].get("resourceVersion") {
            scale["metadata"]["resourceVersion"] = revision.clone();
        }
        // The faults of the number first: what is applied below is not a `Scale` any more.
        scaled(call, old, &scale)?;
        let applied = wk_patch::apply::apply(&context, Some(old), &own, options.force)
            .map_err(apply::refused)?;
        let mut value = if applied.changed { applied.object } else { old.clone() };
        if value["spec"]["replicas"].is_null() {
            // Nobody says how many any more: none, as the absent number of a `Scale` means.
            value["spec"]["replicas"] = 0.into();
        }
        value["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
        Ok(Changed { value, conditional: names_revision(&config) })
    })
    .await?;
    answered(call, written, &warnings)
}

/// The answer about a written object: its scale.
fn answered(call: &Call, written: Written, warnings: &[String]) -> Answer {
    let value = match written {
        Written::Created(object) | Written::Updated(object) => call.resource.value(&object),
        Written::Dry { value, .. } => value,
    };
    let mut response = shown(&scale::scale_of(&value), call.look)?;
    encode::warn(&mut response, warnings);
    Ok(response)
}

/// A `Scale` in the form that was asked for.
fn shown(scale: &Value, look: Look) -> Answer {
    match look.format.shape {
        Shape::Plain => encode::plain(scale, expected().message, look, StatusCode::OK),
        Shape::Metadata(version) => {
            let partial = table::partial(scale.clone(), version);
            let message = encode::meta_message("PartialObjectMetadata");
            encode::plain(&partial, message, look, StatusCode::OK)
        }
        Shape::Table(version) => {
            encode::plain(&as_table(scale, version, look.include), None, look, StatusCode::OK)
        }
    }
}

fn as_table(scale: &Value, version: &str, include: Include) -> Value {
    let metadata = &scale["metadata"];
    let age = wk_api::time::age(metadata["creationTimestamp"].as_str(), Timestamp::now());
    let count = |value: &Value| value["replicas"].as_i64().unwrap_or(0);
    let cells = json!([metadata["name"], count(&scale["spec"]), count(&scale["status"]), age]);
    let object = match include {
        Include::None => Value::Null,
        Include::Metadata => table::partial(scale.clone(), version),
        Include::Object => scale.clone(),
    };
    let column = |name: &str, kind: &str, format: &str, description: &str| {
        json!({
            "name": name, "type": kind, "format": format, "description": description, "priority": 0,
        })
    };
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "columnDefinitions": [
            column("Name", "string", "name", "The name of the scaled object."),
            column("Desired", "integer", "", "The number of replicas wanted."),
            column("Available", "integer", "", "The number of replicas there are."),
            column("Age", "string", "", "How long the scaled object exists."),
        ],
        "rows": [{"cells": cells, "object": object}],
    })
}
