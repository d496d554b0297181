//! Who may do what, and what nobody else is to read.

use base64::Engine as _;
use serde_json::Value;

use super::template::{items, time, value};
use super::text::Text;
use super::{head, metadata};
use crate::kinds::text;
use crate::output::jsonpath::plain;

pub(super) fn config_map(out: &mut Text, map: &Value) {
    head(out, map);
    metadata(out, map);
    out.line(0, "\nData\n====");
    for (key, value) in map.get("data").and_then(Value::as_object).into_iter().flatten() {
        out.line(0, format!("{key}:\n----\n{}\n", plain(value)));
    }
    out.line(0, "\nBinaryData\n====");
    for (key, value) in map.get("binaryData").and_then(Value::as_object).into_iter().flatten() {
        out.line(0, format!("{key}: {} bytes", decoded(value).len()));
    }
    out.line(0, "");
}

pub(super) fn secret(out: &mut Text, secret: &Value) {
    head(out, secret);
    metadata(out, secret);
    let kind = text(secret, "/type");
    out.line(0, format!("\nType:\t{kind}"));
    out.line(0, "\nData\n====");
    for (key, value) in secret.get("data").and_then(Value::as_object).into_iter().flatten() {
        let value = decoded(value);
        // Tokens are made to be copied from here.
        let shown = match key.as_str() {
            "token" if kind == "kubernetes.io/service-account-token" => {
                String::from_utf8_lossy(&value).into_owned()
            }
            _ => format!("{} bytes", value.len()),
        };
        out.pair(0, &format!("{key}:"), shown);
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

pub(super) fn service_account(out: &mut Text, account: &Value) {
    head(out, account);
    metadata(out, account);
    let names: Vec<&str> =
        items(account, "/imagePullSecrets").map(|secret| text(secret, "/name")).collect();
    out.list(0, "Image pull secrets:", &names);
}

/// A rule for one resource, or for paths.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    verbs: String,
    group: String,
    resource: String,
    names: String,
    paths: String,
}

/// Texts as Go prints a list of them.
fn bracketed(object: &Value, field: &str) -> String {
    let all: Vec<String> = items(object, field).map(plain).collect();
    format!("[{}]", all.join(" "))
}

pub(super) fn role(out: &mut Text, role: &Value) {
    out.pair(0, "Name:", text(role, "/metadata/name"));
    metadata(out, role);
    out.line(0, "PolicyRule:");
    out.header(1, &["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]);
    for row in rules(items(role, "/rules")) {
        out.row(1, row.iter().map(String::as_str));
    }
}

/// Rules as rows: resource, paths, names, verbs; each resource and each path for itself.
pub(crate) fn rules<'a>(all: impl Iterator<Item = &'a Value>) -> Vec<[String; 4]> {
    let mut rules = Vec::new();
    for rule in all {
        let one = |group: String, resource: String, paths: String| Rule {
            verbs: bracketed(rule, "/verbs"),
            group,
            resource,
            names: bracketed(rule, "/resourceNames"),
            paths,
        };
        for path in items(rule, "/nonResourceURLs") {
            rules.push(one(String::new(), String::new(), format!("[{}]", plain(path))));
        }
        for group in items(rule, "/apiGroups").map(plain) {
            for resource in items(rule, "/resources").map(plain) {
                rules.push(one(group.clone(), resource, "[]".to_owned()));
            }
        }
    }
    // In the order of what Go prints for them, brackets included.
    rules.sort_by_key(|rule| {
        format!("{},[{}],[{}],{},{}", rule.verbs, rule.group, rule.resource, rule.names, rule.paths)
    });
    let row = |rule: Rule| {
        let resource = match (rule.resource.split_once('/'), rule.group.as_str()) {
            (_, "") => rule.resource,
            (Some((resource, part)), group) => format!("{resource}.{group}/{part}"),
            (None, group) => format!("{}.{group}", rule.resource),
        };
        [resource, rule.paths, rule.names, rule.verbs]
    };
    rules.into_iter().map(row).collect()
}

pub(super) fn role_binding(out: &mut Text, binding: &Value) {
    out.pair(0, "Name:", text(binding, "/metadata/name"));
    metadata(out, binding);
    out.line(0, "Role:");
    out.pair(1, "Kind:", text(binding, "/roleRef/kind"));
    out.pair(1, "Name:", text(binding, "/roleRef/name"));
    out.line(0, "Subjects:");
    out.header(1, &["Kind", "Name", "Namespace"]);
    for subject in items(binding, "/subjects") {
        out.row(1, ["/kind", "/name", "/namespace"].map(|field| text(subject, field)));
    }
}

pub(super) fn signing_request(out: &mut Text, request: &Value) {
    out.pair(0, "Name:", text(request, "/metadata/name"));
    metadata(out, request);
    out.pair(0, "CreationTimestamp:", time(request, "/metadata/creationTimestamp"));
    out.pair(0, "Requesting User:", text(request, "/spec/username"));
    out.pair_if(0, "Signer:", text(request, "/spec/signerName"));
    if request.pointer("/spec/expirationSeconds").is_some() {
        let seconds = value(request, "/spec/expirationSeconds").parse().unwrap_or_default();
        out.pair(0, "Requested Duration:", wk_api::time::human_duration(seconds));
    }
    let mut states: Vec<&str> =
        items(request, "/status/conditions").map(|one| text(one, "/type")).collect();
    if states.is_empty() {
        states.push("Pending");
    }
    if !text(request, "/status/certificate").is_empty() {
        states.push("Issued");
    }
    out.pair(0, "Status:", states.join(","));
}
