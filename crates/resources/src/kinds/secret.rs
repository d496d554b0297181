//! Secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names, well_known};

use super::{config_map, define};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::{Look, default_to, map_mut};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "Secret")
        .shows([
            Column::text("Type", "Used to facilitate programmatic handling of secret data."),
            Column::int("Data", "Data contains the secret data."),
        ])
        .selectable(vec![SelectableField::new("type")])
        .rules(Secrets)
}

#[derive(Debug)]
struct Secrets;

impl KindRules for Secrets {
    fn default(&self, secret: &mut Value) {
        let Value::Object(map) = secret else { return };
        default_to(map, "type", "Opaque");
        // Plain texts are a convenience for writers: they are stored, and read back, as data.
        if let Some(Value::Object(texts)) = map.remove("stringData") {
            let data = map_mut(secret, "data");
            for (key, text) in texts {
                let encoded = STANDARD.encode(text.as_str().unwrap_or_default());
                data.insert(key, encoded.into());
            }
        }
    }

    fn validate(&self, secret: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("data");
        let mut size = 0;
        for (key, value) in secret.entries("data") {
            check::invalid(&path.key(key), key.as_str(), names::config_map_key(key), faults);
            size += config_map::decoded_length(value.as_str().unwrap_or_default());
        }
        if size > config_map::SIZE_MAX {
            faults.push(Fault::too_long(&path, config_map::SIZE_MAX));
        }
        contents(secret, &path, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "type", &FieldPath::Root, faults);
        config_map::immutable(new, old, &["data"], faults);
    }

    fn row(&self, secret: &Value, now: Timestamp) -> Vec<Value> {
        let count = secret.entries("data").count();
        let kind = secret.text("type");
        vec![table::name(secret), kind.into(), count.into(), table::age(secret, now)]
    }
}

/// Checks what the type of a secret asks of its data.
fn contents(secret: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let data = &secret["data"];
    let json = |key: &str, faults: &mut Faults| {
        if !data.has(key) {
            faults.push(Fault::required(&path.key(key), ""));
            return;
        }
        let bytes = STANDARD.decode(data.text(key)).unwrap_or_default();
        if let Err(error) = serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes) {
            let value = "<secret contents redacted>";
            faults.push(Fault::invalid(&path.key(key), value, error.to_string()));
        }
    };
    let required = |keys: &[&str], faults: &mut Faults| {
        for key in keys.iter().filter(|key| !data.has(key)) {
            faults.push(Fault::required(&path.key(key), ""));
        }
    };
    match secret.text("type") {
        "kubernetes.io/service-account-token" => {
            let key = well_known::SERVICE_ACCOUNT_NAME_ANNOTATION;
            if secret["metadata"]["annotations"].lacks(key) {
                let root = FieldPath::Root;
                let annotations = root.child("metadata.annotations");
                faults.push(Fault::required(&annotations.key(key), ""));
            }
        }
        "kubernetes.io/dockercfg" => json(".dockercfg", faults),
        "kubernetes.io/dockerconfigjson" => json(".dockerconfigjson", faults),
        "kubernetes.io/basic-auth" if !data.has("username") && !data.has("password") => {
            required(&["username", "password"], faults);
        }
        "kubernetes.io/ssh-auth" if data.lacks("ssh-privatekey") => {
            faults.push(Fault::required(&path.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => required(&["tls.crt", "tls.key"], faults),
        _ => {}
    }
}
