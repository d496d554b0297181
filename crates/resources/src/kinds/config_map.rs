//! `ConfigMap`: plain data.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The most bytes of data: 1 MiB.
pub(super) const SIZE_MAX: usize = 1024 * 1024;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "ConfigMap")
        .short(&["cm"])
        .shows([Column::int("Data", "Data contains the configuration data.")])
        .rules(ConfigMaps)
}

#[derive(Debug)]
struct ConfigMaps;

impl KindRules for ConfigMaps {
    fn validate(&self, map: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let mut size = 0;
        for field in ["data", "binaryData"] {
            let path = root.child(field);
            for (key, value) in map.entries(field) {
                let path = path.key(key);
                check::invalid(&path, key.as_str(), names::config_map_key(key), faults);
                if field == "data" && map["binaryData"].has(key) {
                    let detail = "duplicate of key present in binaryData";
                    faults.push(Fault::invalid(&path, key.as_str(), detail));
                }
                let text = value.as_str().unwrap_or_default();
                size += if field == "data" { text.len() } else { decoded_length(text) };
            }
        }
        if size > SIZE_MAX {
            faults.push(Fault::too_long(&root.child(""), SIZE_MAX));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        immutable(new, old, &["data", "binaryData"], faults);
    }

    fn row(&self, map: &Value, now: Timestamp) -> Vec<Value> {
        let count = map.entries("data").count() + map.entries("binaryData").count();
        vec![table::name(map), count.into(), table::age(map, now)]
    }
}

/// How many bytes a base64 text stands for.
pub(super) fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

/// Checks that what was declared immutable stays as it is.
pub(super) fn immutable(new: &Value, old: &Value, fields: &[&str], faults: &mut Faults) {
    if !old.is("immutable") {
        return;
    }
    let root = FieldPath::Root;
    let detail = "field is immutable when `immutable` is set";
    if !new.is("immutable") {
        faults.push(Fault::forbidden(&root.child("immutable"), detail));
    }
    for field in fields {
        if metadata::map(new, field) != metadata::map(old, field) {
            faults.push(Fault::forbidden(&root.child(field), detail));
        }
    }
}
