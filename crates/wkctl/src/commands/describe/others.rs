//! The smaller kinds, and whatever has no description of its own.

use base64::Engine as _;
use serde_json::Value;

use super::pod::items;
use super::text::Text;
use super::{head, metadata};
use crate::kinds::text;
use crate::output::jsonpath::plain;

pub(super) fn namespace(out: &mut Text, namespace: &Value) {
    out.pair(0, "Name:", text(namespace, "/metadata/name"));
    metadata(out, namespace);
    out.pair(0, "Status:", text(namespace, "/status/phase"));
    for condition in items(namespace, "/status/conditions") {
        let title = format!("{}:", text(condition, "/type"));
        out.pair(1, &title, text(condition, "/message"));
    }
}

pub(super) fn config_map(out: &mut Text, map: &Value) {
    head(out, map);
    metadata(out, map);
    out.line(0, "\nData\n====");
    for (key, value) in map.get("data").and_then(Value::as_object).into_iter().flatten() {
        out.line(0, format!("{key}:\n----\n{}\n", plain(value)));
    }
    out.line(0, "\nBinaryData\n====");
    for (key, value) in map.get("binaryData").and_then(Value::as_object).into_iter().flatten() {
        out.line(0, format!("{key}: {} bytes", decoded_length(value)));
    }
    out.line(0, "");
}

pub(super) fn secret(out: &mut Text, secret: &Value) {
    head(out, secret);
    metadata(out, secret);
    out.line(0, "");
    out.pair(0, "Type:", text(secret, "/type"));
    out.line(0, "\nData\n====");
    for (key, value) in secret.get("data").and_then(Value::as_object).into_iter().flatten() {
        out.pair(0, &format!("{key}:"), format!("{} bytes", decoded_length(value)));
    }
}

/// How many bytes a base64 text stands for; values themselves are nobody's business.
fn decoded_length(value: &Value) -> usize {
    let decoded =
        base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default());
    decoded.map_or(0, |bytes| bytes.len())
}

pub(super) fn service(out: &mut Text, service: &Value) {
    head(out, service);
    metadata(out, service);
    out.map(0, "Selector:", service.pointer("/spec/selector"), "=");
    out.pair(0, "Type:", text(service, "/spec/type"));
    out.pair(0, "IP:", text(service, "/spec/clusterIP"));
    let addresses: Vec<String> = items(service, "/spec/clusterIPs").map(plain).collect();
    out.pair(0, "IPs:", addresses.join(","));
    out.pair_if(0, "External Name:", text(service, "/spec/externalName"));
    for port in items(service, "/spec/ports") {
        let name = match text(port, "/name") {
            "" => "<unset>",
            name => name,
        };
        let protocol = text(port, "/protocol");
        let number = |field: &str| port.get(field).map_or(String::new(), plain);
        out.pair(0, "Port:", format!("{name}  {}/{protocol}", number("port")));
        out.pair(0, "TargetPort:", format!("{}/{protocol}", number("targetPort")));
        if port.get("nodePort").is_some() {
            out.pair(0, "NodePort:", format!("{name}  {}/{protocol}", number("nodePort")));
        }
    }
    out.pair(0, "Session Affinity:", text(service, "/spec/sessionAffinity"));
}

pub(super) fn service_account(out: &mut Text, account: &Value) {
    head(out, account);
    metadata(out, account);
    let names: Vec<&str> =
        items(account, "/imagePullSecrets").map(|secret| text(secret, "/name")).collect();
    let names = names.join("\n");
    out.pair(0, "Image pull secrets:", if names.is_empty() { "<none>" } else { &names });
}

/// Every field, with its name in words.
pub(super) fn anything(out: &mut Text, object: &Value) {
    head(out, object);
    metadata(out, object);
    out.pair(0, "API Version:", text(object, "/apiVersion"));
    out.pair(0, "Kind:", text(object, "/kind"));
    out.line(0, "Metadata:");
    for (title, field) in [
        ("Creation Timestamp:", "creationTimestamp"),
        ("Generation:", "generation"),
        ("Resource Version:", "resourceVersion"),
        ("UID:", "uid"),
    ] {
        if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
            out.pair(1, title, plain(value));
        }
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
            field(out, 0, name, value);
        }
    }
}

fn field(out: &mut Text, level: usize, name: &str, value: &Value) {
    let title = format!("{}:", in_words(name));
    match value {
        Value::Object(fields) => {
            out.line(level, title);
            fields.iter().for_each(|(name, value)| field(out, level + 1, name, value));
        }
        Value::Array(items) => {
            out.line(level, title);
            for item in items {
                match item {
                    Value::Object(fields) => {
                        fields.iter().for_each(|(name, value)| field(out, level + 1, name, value));
                    }
                    other => out.line(level + 1, plain(other)),
                }
            }
        }
        other => out.pair(level, &title, plain(other)),
    }
}

/// `podCIDRRange` as `Pod CIDR Range`.
fn in_words(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(index + 1);
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if starts_word {
            words.push(' ');
        }
        if index == 0 {
            words.extend(character.to_uppercase());
        } else {
            words.push(*character);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_object_can_be_described() {
        let object = json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "a", "uid": "1"},
            "spec": {"podCIDRRange": "x", "items": ["b", {"deepName": 1}]}});
        let mut out = Text::default();
        anything(&mut out, &object);
        let expected = "\
Name:         a
Labels:       <none>
Annotations:  <none>
API Version:  example.com/v1
Kind:         Widget
Metadata:
  UID:  1
Spec:
  Items:
    b
    Deep Name:     1
  Pod CIDR Range:  x
";
        assert_eq!(out.finish(), expected);
    }

    #[test]
    fn secrets_keep_their_values() {
        let secret =
            json!({"metadata": {"name": "s"}, "type": "Opaque", "data": {"k": "c2VjcmV0"}});
        let mut out = Text::default();
        super::secret(&mut out, &secret);
        let text = out.finish();
        assert!(text.contains("k:  6 bytes") && !text.contains("c2VjcmV0"), "{text}");
    }
}
