//! Objects as tables and as metadata alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog::Resource;

/// How much of each object goes with its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Include {
    None,
    #[default]
    Metadata,
    Object,
}

impl Include {
    /// Reads the `includeObject` of a query; anything unknown counts as the default.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "None" => Self::None,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// A table of objects. `columns` says whether it has its headings: later events of a watch do not.
pub(crate) fn table(
    resource: &Resource,
    version: &str,
    metadata: &Value,
    objects: impl IntoIterator<Item = Value>,
    include: Include,
    columns: bool,
) -> Value {
    let now = Timestamp::now();
    let rows: Vec<Value> = objects
        .into_iter()
        .map(|object| {
            let cells = resource.definition.row(&object, now);
            match include {
                Include::None => json!({"cells": cells, "object": null}),
                Include::Metadata => {
                    json!({"cells": cells, "object": partial(object, version)})
                }
                Include::Object => json!({"cells": cells, "object": object}),
            }
        })
        .collect();
    let headings: Vec<Value> = if columns {
        resource
            .definition
            .columns
            .iter()
            .map(|column| {
                json!({
                    "name": column.name,
                    "type": column.kind,
                    "format": column.format,
                    "description": column.description,
                    "priority": column.priority,
                })
            })
            .collect()
    } else {
        Vec::new()
    };
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": metadata,
        "columnDefinitions": headings,
        "rows": rows,
    })
}

/// The metadata of an object as an object of their own.
pub(crate) fn partial(mut object: Value, version: &str) -> Value {
    let metadata = object.get_mut("metadata").map(Value::take).unwrap_or_default();
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": metadata,
    })
}
