//! Requests for certificates: what is asked, by whom, and what became of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names, rfc3339};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext, SelectableField};
use crate::look::{Look, keep, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("certificates.k8s.io", "v1", "CertificateSigningRequest")
        .short(&["csr"])
        .columns(vec![
            Column::NAME,
            Column::AGE,
            Column::text("SignerName", "Who is asked to sign."),
            Column::text("Requestor", "Who asks."),
            Column::text("RequestedDuration", "How long the certificate is to be valid."),
            Column::text("Condition", "What became of the request."),
        ])
        .selectable(vec![SelectableField::new("spec.signerName")])
        .rules(SigningRequests)
        .part("approval", &["get", "patch", "update"])
        .status()
}

/// What certificates can be used for.
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// What somebody who approves says; signers do not touch it.
const VERDICTS: [&str; 2] = ["Approved", "Denied"];

#[derive(Debug)]
struct SigningRequests;

impl KindRules for SigningRequests {
    fn name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn prepare_create(&self, request: &mut Value, context: &RequestContext<'_>) {
        let requester = context.requester;
        let spec = map_mut(request, "spec");
        for field in ["extra", "groups", "uid", "username"] {
            spec.remove(field);
        }
        spec.insert("username".to_owned(), context.user.into());
        if !requester.uid.is_empty() {
            spec.insert("uid".to_owned(), requester.uid.into());
        }
        if !requester.groups.is_empty() {
            spec.insert("groups".to_owned(), json!(requester.groups));
        }
        if let Some(extra) = requester.extra.filter(|extra| !extra.is_empty()) {
            spec.insert("extra".to_owned(), json!(extra));
        }
    }

    fn validate(&self, request: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &request["spec"];
        if let Err(detail) = certification_request(spec.text("request")) {
            faults.push(Fault::invalid(&path.child("request"), spec.text("request"), detail));
        }
        usages(spec, &path, faults);
        signer_name(spec.text("signerName"), &path.child("signerName"), faults);
        if let Some(seconds) = spec.int("expirationSeconds").filter(|seconds| *seconds < 600) {
            let detail = "may not specify a duration less than 600 seconds (10 minutes)";
            faults.push(Fault::invalid(&path.child("expirationSeconds"), seconds, detail));
        }
    }

    fn keeps_status(&self, subresource: &str) -> bool {
        subresource != "approval"
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        keep(new, old, "spec");
        match update {
            Update::Subresource("approval") => {
                // An approval is a condition; the certificate comes through the status.
                let conditions = new["status"].get("conditions").cloned();
                keep(new, old, "status");
                set_conditions(new, conditions);
            }
            Update::Status => {
                let verdict = |condition: &Value| VERDICTS.contains(&condition.text("type"));
                let mut conditions: Vec<Value> = old["status"]
                    .items("conditions")
                    .iter()
                    .filter(|condition| verdict(condition))
                    .cloned()
                    .collect();
                let sent = new["status"].items("conditions").iter();
                conditions.extend(sent.filter(|condition| !verdict(condition)).cloned());
                set_conditions(new, Some(conditions.into()));
            }
            Update::Whole | Update::Subresource(_) => {}
        }
    }

    fn stamp(&self, new: &mut Value, old: &Value, now: Timestamp) {
        let before = old["status"].items("conditions");
        let Some(Value::Array(conditions)) =
            new.get_mut("status").and_then(|status| status.get_mut("conditions"))
        else {
            return;
        };
        for condition in conditions {
            let same = before.iter().find(|own| own.text("type") == condition.text("type"));
            let Value::Object(condition) = condition else { continue };
            if condition.lacks("lastUpdateTime") {
                condition.insert("lastUpdateTime".to_owned(), rfc3339(now).into());
            }
            if condition.lacks("lastTransitionTime") {
                let since = same
                    .filter(|own| own.text("status") == condition.text("status"))
                    .map(|own| own["lastTransitionTime"].clone())
                    .filter(|since| !since.is_null());
                let since = since.unwrap_or_else(|| rfc3339(now).into());
                condition.insert("lastTransitionTime".to_owned(), since);
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Whole {
            return;
        }
        conditions(&new["status"], faults);
        let root = FieldPath::Root;
        let path = root.child("status");
        for kind in ["Approved", "Denied", "Failed"] {
            let find = |object: &Value| {
                let conditions = object["status"].items("conditions");
                conditions.iter().find(|condition| condition.text("type") == kind).cloned()
            };
            if find(old).is_some() && find(new).is_none() {
                let detail = format!("updates may not remove a condition of type {kind:?}");
                faults.push(Fault::forbidden(&path.child("conditions"), detail));
            }
        }
        let (certificate, before) = (&new["status"]["certificate"], &old["status"]["certificate"]);
        if !before.is_null() && certificate != before {
            let detail = "updates may not modify existing certificate content";
            faults.push(Fault::forbidden(&path.child("certificate"), detail));
        } else if let Some(text) = certificate.as_str()
            && let Err(detail) = certificates(text)
        {
            let shown = "<certificate data>";
            faults.push(Fault::invalid(&path.child("certificate"), shown, detail));
        }
    }

    fn row(&self, request: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&request["spec"], &request["status"]);
        let has = |kind: &str| status.items("conditions").iter().any(|c| c.text("type") == kind);
        let mut condition = if has("Denied") {
            "Denied".to_owned()
        } else if has("Approved") {
            "Approved".to_owned()
        } else {
            "Pending".to_owned()
        };
        if has("Failed") {
            condition.push_str(",Failed");
        }
        if !status.lacks("certificate") {
            condition.push_str(",Issued");
        }
        let duration = spec.int("expirationSeconds").map(wk_api::time::human_duration);
        vec![
            table::name(request),
            table::age(request, now),
            spec.text("signerName").into(),
            spec.text("username").into(),
            duration.map_or("<none>".into(), Value::from),
            condition.into(),
        ]
    }
}

fn set_conditions(request: &mut Value, conditions: Option<Value>) {
    let status: &mut Map<String, Value> = map_mut(request, "status");
    match conditions.filter(|conditions| !crate::look::is_empty(conditions)) {
        Some(conditions) => status.insert("conditions".to_owned(), conditions),
        None => status.remove("conditions"),
    };
}

/// The blocks of a PEM text in base64: the label and the bytes of each.
fn blocks(base64: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let text = STANDARD.decode(base64).ok()?;
    let blocks = x509_parser::pem::Pem::iter_from_buffer(&text);
    blocks.map(|block| block.ok().map(|block| (block.label, block.contents))).collect()
}

fn certification_request(base64: &str) -> Result<(), String> {
    let form = || "PEM block type must be CERTIFICATE REQUEST".to_owned();
    let blocks = blocks(base64).unwrap_or_default();
    let [(label, der), ..] = blocks.as_slice() else { return Err(form()) };
    if label != "CERTIFICATE REQUEST" {
        return Err(form());
    }
    match X509CertificationRequest::from_der(der) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("asn1: structure error: {error}")),
    }
}

/// The organisations in the subject of a request for a certificate: the groups of its holder. None for
/// what is no request.
pub fn requested_groups(base64: &str) -> Vec<String> {
    let blocks = blocks(base64).unwrap_or_default();
    let Some((_, der)) = blocks.first() else { return Vec::new() };
    let Ok((_, request)) = X509CertificationRequest::from_der(der) else { return Vec::new() };
    let groups = request.certification_request_info.subject.iter_organization();
    groups.filter_map(|group| group.as_str().ok().map(str::to_owned)).collect()
}

fn certificates(base64: &str) -> Result<(), String> {
    let blocks = blocks(base64).unwrap_or_default();
    if blocks.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    for (label, der) in blocks {
        if label != "CERTIFICATE" {
            return Err("only CERTIFICATE PEM blocks are allowed, found ".to_owned()
                + &wk_api::fault::quote(&label));
        }
        if x509_parser::parse_x509_certificate(&der).is_err() {
            return Err("found a CERTIFICATE PEM block that is no certificate".to_owned());
        }
    }
    Ok(())
}

fn usages(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("usages");
    if spec.lacks("usages") {
        faults.push(Fault::required(&list, "usages must be provided"));
    }
    let all = spec.items("usages");
    for (index, usage) in all.iter().enumerate() {
        let text = usage.as_str().unwrap_or_default();
        if !USAGES.contains(&text) {
            faults.push(Fault::not_supported(&list.index(index), text, USAGES));
        }
        if all[..index].contains(usage) {
            faults.push(Fault::duplicate(&list.index(index), text));
        }
    }
}

/// Checks the name of a signer: a domain and a path.
pub(crate) fn signer_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, "signerName must be provided"));
        return;
    }
    if name == "kubernetes.io/legacy-unknown" {
        let detail = "the legacy signerName is not allowed via this API version";
        faults.push(Fault::invalid(path, name, detail));
        return;
    }
    let form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    let Some((domain, rest)) = name.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        faults.push(Fault::invalid(path, name, form));
        return;
    };
    if domain.len() > names::SUBDOMAIN_MAX {
        faults.push(Fault::too_long(path, names::SUBDOMAIN_MAX));
    }
    labels(domain, names::dns1123_label, path, faults);
    if !domain.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        faults.push(Fault::invalid(path, domain, detail));
    }
    labels(rest, names::dns1123_subdomain, path, faults);
    if name.len() > SIGNER_MAX {
        faults.push(Fault::too_long(path, SIGNER_MAX));
    }
}

/// The most bytes of the name of a signer: a domain, a slash, a namespace, a dot and a name.
const SIGNER_MAX: usize = names::SUBDOMAIN_MAX * 2 + names::LABEL_MAX + 2;

/// Checks the parts between dots; the first that is wrong stands for all.
fn labels(text: &str, rule: fn(&str) -> Vec<String>, path: &FieldPath<'_>, faults: &mut Faults) {
    let mut wrong = text.split('.').map(|label| (label, rule(label)));
    let Some((label, messages)) = wrong.find(|(_, messages)| !messages.is_empty()) else { return };
    for message in messages {
        let detail = format!("validating label {}: {message}", wk_api::fault::quote(label));
        faults.push(Fault::invalid(path, text, detail));
    }
}

fn conditions(status: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let list = root.child("status.conditions");
    let all = status.items("conditions");
    for (index, condition) in all.iter().enumerate() {
        let path = list.index(index);
        let kind = condition.text("type");
        check::required(condition, "type", &path, faults);
        // Verdicts are given or not; they cannot be false.
        let statuses: &[&str] = match kind {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        check::required_one_of(condition, "status", statuses, &path, faults);
        let before = |kind: &str| all[..index].iter().any(|other| other.text("type") == kind);
        let other = match kind {
            "Approved" => "Denied",
            _ => "Approved",
        };
        if VERDICTS.contains(&kind) && before(other) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            faults.push(Fault::invalid(&path.child("type"), kind, detail));
        }
        if before(kind) {
            faults.push(Fault::duplicate(&path.child("type"), kind));
        }
    }
}
