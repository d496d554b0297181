//! Claims to devices, and templates of claims.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{EFFECTS, MANY, full_name, items, label, opaque, selectors, set, status};
use crate::check::{self, Faults};
use crate::definition::no_metadata_of_status;
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::claim;

/// The most requests of which the first that can be met is taken.
const CHOICES: usize = 8;

#[derive(Debug)]
pub(super) struct Claims;

impl KindRules for Claims {
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn default(&self, claim: &mut Value) {
        default_requests(&mut claim["spec"]);
    }

    // What is claimed can never change, so that it is looked at but once.
    fn validate_create(&self, claim: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        claim_spec(&claim["spec"], &root.child("spec"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            status::change(new, old, faults);
        } else {
            metadata::immutable(new, old, "spec", &FieldPath::Root, faults);
        }
    }

    fn row(&self, claim: &Value, now: Timestamp) -> Vec<Value> {
        let status = &claim["status"];
        let mut states = Vec::new();
        if status.has("allocation") {
            states.push("allocated");
        }
        if !status.lacks("reservedFor") {
            states.push("reserved");
        }
        if claim["metadata"].has("deletionTimestamp") {
            states.push("deleted");
        }
        if states.is_empty() {
            states.push("pending");
        }
        vec![table::name(claim), states.join(",").into(), table::age(claim, now)]
    }
}

/// A request that does not say how many devices it wants, wants one.
fn default_requests(spec: &mut Value) {
    let requests = spec.get_mut("devices").and_then(|devices| devices.get_mut("requests"));
    let Some(Value::Array(requests)) = requests else { return };
    for request in requests {
        if let Some(exactly) = request.get_mut("exactly") {
            default_count(exactly);
        }
        if let Some(Value::Array(choices)) = request.get_mut("firstAvailable") {
            choices.iter_mut().for_each(default_count);
        }
    }
}

fn default_count(request: &mut Value) {
    let Value::Object(request) = request else { return };
    crate::look::default_to(request, "allocationMode", "ExactCount");
    if request.text("allocationMode") == "ExactCount" && request.int("count").unwrap_or(0) == 0 {
        request.insert("count".to_owned(), 1.into());
    }
}

fn claim_spec(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("devices");
    let devices = &spec["devices"];
    let names = RequestNames::of(devices);
    let name = |request: &Value| request.text("name").to_owned();
    set(devices, "requests", MANY, &path, faults, request, name);
    items(devices, "constraints", MANY, &path, faults, |constraint, path, faults| {
        names.refer(constraint, path, faults);
        for field in ["matchAttribute", "distinctAttribute"] {
            if constraint.has(field) {
                full_name(constraint.text(field), &path.child(field), faults);
                return;
            }
        }
        // It is none of them that is set; the words are those of Kubernetes.
        let detail = "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but \
                      multiple fields are set";
        faults.push(Fault::required(path, detail));
    });
    items(devices, "config", MANY, &path, faults, |config, path, faults| {
        names.refer(config, path, faults);
        opaque(config, path, faults);
    });
}

/// The names of the requests of a claim, each with those of its choices.
pub(super) struct RequestNames<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> RequestNames<'a> {
    /// Those of a claim to devices.
    pub(super) fn of(devices: &'a Value) -> Self {
        let names = devices.items("requests").iter().map(|request| {
            let choices = request.items("firstAvailable").iter();
            (request.text("name"), choices.map(|choice| choice.text("name")).collect())
        });
        Self(names.collect())
    }

    /// Checks the list of requests that a part of a claim is about.
    pub(super) fn refer(&self, value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
        let check = |name: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
            self.check(name.as_str().unwrap_or_default(), path, faults);
        };
        let key = |name: &Value| name.as_str().unwrap_or_default().to_owned();
        set(value, "requests", MANY, path, faults, check, key);
    }

    /// Checks that there is such a request, or such a choice of one.
    pub(super) fn check(&self, name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
        let detail = "must be the name of a request in the claim or the name of a request and a \
                      subrequest separated by '/'";
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 {
            faults.push(Fault::invalid(path, name, detail));
            return;
        }
        for part in &parts {
            check::invalid(path, *part, names::dns1123_label(part), faults);
        }
        let known = self.0.get(parts[0]).is_some_and(|choices| match parts.get(1) {
            Some(choice) => choices.contains(choice),
            None => true,
        });
        if !known {
            faults.push(Fault::invalid(path, name, detail));
        }
    }
}

fn request(request: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    label(request, "name", path, faults);
    match (request["exactly"].is_object(), request.lacks("firstAvailable")) {
        (true, true) => one_request(&request["exactly"], &path.child("exactly"), faults),
        (false, false) => {
            let choice = |choice: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
                label(choice, "name", path, faults);
                one_request(choice, path, faults);
            };
            let name = |choice: &Value| choice.text("name").to_owned();
            set(request, "firstAvailable", CHOICES, path, faults, choice, name);
        }
        (true, false) => {
            let detail = "exactly one of `exactly` or `firstAvailable` is required, but multiple \
                          fields are set";
            faults.push(Fault::invalid(path, Value::Null, detail));
        }
        (false, true) => {
            let detail = "exactly one of `exactly` or `firstAvailable` is required";
            faults.push(Fault::required(path, detail));
        }
    }
}

fn one_request(request: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let class = names::dns1123_subdomain;
    check::required_text(request, "deviceClassName", class, path, faults);
    selectors(request, path, faults);
    let count = request.int("count").unwrap_or(0);
    match request.text("allocationMode") {
        "ExactCount" if count <= 0 => {
            faults.push(Fault::invalid(&path.child("count"), count, "must be greater than zero"));
        }
        "All" if count != 0 => {
            let detail = "must not be specified when allocationMode is 'All'";
            faults.push(Fault::invalid(&path.child("count"), count, detail));
        }
        "ExactCount" | "All" => {}
        other => {
            let path = path.child("allocationMode");
            faults.push(Fault::not_supported(&path, other, &["All", "ExactCount"]));
        }
    }
    let list = path.child("tolerations");
    for (index, own) in request.items("tolerations").iter().enumerate() {
        toleration(own, &list.index(index), faults);
    }
}

fn toleration(toleration: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::text(toleration, "key", names::qualified_name, path, faults);
    let (value, at) = (toleration.text("value"), path.child("value"));
    match toleration.text("operator") {
        "" => faults.push(Fault::required(&path.child("operator"), "")),
        "Exists" if !value.is_empty() => {
            faults.push(Fault::invalid(&at, value, "must be empty for operator `Exists`"));
        }
        "Exists" => {}
        "Equal" => check::invalid(&at, value, names::label_value(value), faults),
        other => {
            let path = path.child("operator");
            faults.push(Fault::not_supported(&path, other, &["Equal", "Exists"]));
        }
    }
    let effect = toleration.text("effect");
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        faults.push(Fault::not_supported(&path.child("effect"), effect, &EFFECTS));
    }
}

#[derive(Debug)]
pub(super) struct Templates;

impl KindRules for Templates {
    fn default(&self, template: &mut Value) {
        if template["spec"].is_object() {
            default_requests(&mut template["spec"]["spec"]);
        }
    }

    fn validate_create(&self, template: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &template["spec"];
        claim::template_metadata(spec, &path, faults);
        claim_spec(&spec["spec"], &path.child("spec"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "spec", &FieldPath::Root, faults);
    }

    fn row(&self, template: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(template), table::age(template, now)]
    }
}
