//! The kinds of `resource.k8s.io`: devices, and claims to them.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField, no_metadata_of_status};
use crate::look::{Look, keep};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

const GROUP: &str = "resource.k8s.io";
/// The most selectors, requests, constraints and configurations in one place.
const MANY: usize = 32;
/// The most devices of one slice, and with taints or counters half as many.
const DEVICES: usize = 128;
const DRIVER_MAX: usize = 63;

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let state = Column::text("State", "Whether the claim is allocated or in use.");
    vec![
        define(GROUP, "v1", "DeviceClass")
            .generation()
            .columns(vec![Column::NAME, Column::AGE])
            .rules(Classes),
        define(GROUP, "v1", "ResourceClaim")
            .columns(vec![Column::NAME, state, Column::AGE])
            .rules(Claims)
            .status(),
        define(GROUP, "v1", "ResourceClaimTemplate")
            .columns(vec![Column::NAME, Column::AGE])
            .rules(Templates),
        define(GROUP, "v1", "ResourceSlice")
            .generation()
            .shows([
                Column::text("Node", "The node that the devices belong to."),
                Column::text("Driver", "The driver of the devices."),
                Column::text("Pool", "The pool that the slice is a part of."),
            ])
            .selectable(vec![
                SelectableField::new("spec.driver"),
                SelectableField::new("spec.nodeName"),
            ])
            .rules(Slices),
    ]
}

fn at_most(value: &Value, field: &str, max: usize, path: &FieldPath<'_>, faults: &mut Faults) {
    let found = value.items(field).len();
    if found > max {
        faults.push(Fault::too_many(&path.child(field), found, max));
    }
}

fn driver(value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let name = value.text("driver");
    if name.len() > DRIVER_MAX {
        faults.push(Fault::too_long(&path.child("driver"), DRIVER_MAX));
    }
    check::required_text(value, "driver", names::dns1123_subdomain, path, faults);
}

fn selectors(value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    at_most(value, "selectors", MANY, path, faults);
    let list = path.child("selectors");
    for (index, selector) in value.items("selectors").iter().enumerate() {
        let path = list.index(index);
        let path = path.child("cel");
        if selector["cel"].is_object() {
            check::required(&selector["cel"], "expression", &path, faults);
        } else {
            faults.push(Fault::required(&path, ""));
        }
    }
}

fn opaque(config: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("opaque");
    let opaque = &config["opaque"];
    if !opaque.is_object() {
        faults.push(Fault::required(&path, ""));
        return;
    }
    driver(opaque, &path, faults);
    match &opaque["parameters"] {
        Value::Null => faults.push(Fault::required(&path.child("parameters"), "")),
        Value::Object(_) => {}
        other => {
            let detail = "must be a valid JSON object";
            faults.push(Fault::invalid(&path.child("parameters"), other.clone(), detail));
        }
    }
}

#[derive(Debug)]
struct Classes;

impl KindRules for Classes {
    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &class["spec"];
        selectors(spec, &path, faults);
        at_most(spec, "config", MANY, &path, faults);
        let list = path.child("config");
        for (index, config) in spec.items("config").iter().enumerate() {
            opaque(config, &list.index(index), faults);
        }
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(class), table::age(class, now)]
    }
}

#[derive(Debug)]
struct Claims;

impl KindRules for Claims {
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn default(&self, claim: &mut Value) {
        default_requests(&mut claim["spec"]);
    }

    fn validate(&self, claim: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        claim_spec(&claim["spec"], &root.child("spec"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        metadata::immutable(new, old, "spec", &root, faults);
        if update == Update::Status {
            reserved(&new["status"], faults);
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

/// Those who use a claim are each named once, and only of an allocated one.
fn reserved(status: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    at_most(status, "reservedFor", 256, &path, faults);
    let list = path.child("reservedFor");
    let all = status.items("reservedFor");
    if !all.is_empty() && !status.has("allocation") {
        let detail = "may not be specified when `allocated` is not set";
        faults.push(Fault::forbidden(&list, detail));
    }
    for (index, user) in all.iter().enumerate() {
        let path = list.index(index);
        for field in ["resource", "name", "uid"] {
            check::required(user, field, &path, faults);
        }
        if all[..index].iter().any(|other| other.text("uid") == user.text("uid")) {
            faults.push(Fault::duplicate(&path.child("uid"), user.text("uid")));
        }
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
    for field in ["requests", "constraints", "config"] {
        at_most(devices, field, MANY, &path, faults);
    }
    let mut known: Vec<String> = Vec::new();
    let list = path.child("requests");
    for (index, request) in devices.items("requests").iter().enumerate() {
        let path = list.index(index);
        let name = request.text("name");
        check::required_text(request, "name", names::dns1123_label, &path, faults);
        if known.iter().any(|own| own == name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        known.push(name.to_owned());
        let choices = request.items("firstAvailable");
        match (request["exactly"].is_object(), choices.is_empty()) {
            (true, true) => one_request(&request["exactly"], &path.child("exactly"), faults),
            (false, false) => {
                at_most(request, "firstAvailable", 8, &path, faults);
                let list = path.child("firstAvailable");
                for (index, choice) in choices.iter().enumerate() {
                    let path = list.index(index);
                    check::required_text(choice, "name", names::dns1123_label, &path, faults);
                    let inner = format!("{name}/{}", choice.text("name"));
                    if known.contains(&inner) {
                        faults.push(Fault::duplicate(&path.child("name"), choice.text("name")));
                    }
                    known.push(inner);
                    one_request(choice, &path, faults);
                }
            }
            (true, false) => {
                let detail = "exactly one of `exactly` or `firstAvailable` is required, but \
                              multiple fields are set";
                faults.push(Fault::invalid(&path, name, detail));
            }
            (false, true) => {
                let detail = "exactly one of `exactly` or `firstAvailable` is required";
                faults.push(Fault::required(&path, detail));
            }
        }
    }
    let refer = |value: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        let list = path.child("requests");
        for (index, name) in value.items("requests").iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            if !known.iter().any(|own| own == name) {
                let detail = "must be the name of a request in the claim or the name of a request \
                              and a subrequest separated by '/'";
                faults.push(Fault::invalid(&list.index(index), name, detail));
            }
        }
    };
    let list = path.child("constraints");
    for (index, constraint) in devices.items("constraints").iter().enumerate() {
        let path = list.index(index);
        refer(constraint, &path, faults);
        if constraint.lacks("matchAttribute") && constraint.lacks("distinctAttribute") {
            faults.push(Fault::required(&path.child("matchAttribute"), ""));
        }
    }
    let list = path.child("config");
    for (index, config) in devices.items("config").iter().enumerate() {
        let path = list.index(index);
        refer(config, &path, faults);
        opaque(config, &path, faults);
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
}

#[derive(Debug)]
struct Templates;

impl KindRules for Templates {
    fn default(&self, template: &mut Value) {
        if template["spec"].is_object() {
            default_requests(&mut template["spec"]["spec"]);
        }
    }

    fn validate(&self, template: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &template["spec"];
        metadata::labels(&spec["metadata"], "labels", &path.child("metadata"), faults);
        metadata::annotations(&spec["metadata"], &path.child("metadata"), faults);
        claim_spec(&spec["spec"], &path.child("spec"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "spec", &FieldPath::Root, faults);
    }

    fn row(&self, template: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(template), table::age(template, now)]
    }
}

#[derive(Debug)]
struct Slices;

impl KindRules for Slices {
    fn prepare_update(&self, new: &mut Value, old: &Value, _update: Update) {
        keep(new, old, "status");
    }

    fn validate(&self, slice: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &slice["spec"];
        driver(spec, &path, faults);
        pool(&spec["pool"], &path.child("pool"), faults);
        let places = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"];
        let set = places.iter().filter(|field| !spec.lacks(field) && spec[**field] != false);
        match set.count() {
            1 => {}
            0 => {
                let detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, \
                              `perDeviceNodeSelection` is required";
                faults.push(Fault::required(&path, detail));
            }
            _ => {
                let detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, \
                              `perDeviceNodeSelection` is required, but multiple fields are set";
                faults.push(Fault::invalid(&path, spec.text("nodeName"), detail));
            }
        }
        check::text(spec, "nodeName", names::dns1123_subdomain, &path, faults);
        if spec.has("nodeSelector") {
            let path = path.child("nodeSelector");
            crate::types::affinity::node_selector(&spec["nodeSelector"], &path, faults);
        }
        at_most(spec, "devices", DEVICES, &path, faults);
        let list = path.child("devices");
        let all = spec.items("devices");
        for (index, device) in all.iter().enumerate() {
            self::device(device, &list.index(index), faults);
            let name = device.text("name");
            if all[..index].iter().any(|other| other.text("name") == name) {
                let path = list.index(index);
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (new, old) = (&new["spec"], &old["spec"]);
        for field in ["driver", "nodeName"] {
            metadata::immutable(new, old, field, &path, faults);
        }
        metadata::immutable(&new["pool"], &old["pool"], "name", &path.child("pool"), faults);
    }

    fn row(&self, slice: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &slice["spec"];
        let node = match spec.text("nodeName") {
            "" => "<unset>",
            node => node,
        };
        vec![
            table::name(slice),
            node.into(),
            spec.text("driver").into(),
            spec["pool"].text("name").into(),
            table::age(slice, now),
        ]
    }
}

fn pool(pool: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let name = pool.text("name");
    if name.is_empty() {
        faults.push(Fault::required(&path.child("name"), ""));
    } else {
        if name.len() > 253 {
            faults.push(Fault::too_long(&path.child("name"), 253));
        }
        for part in name.split('/') {
            check::invalid(&path.child("name"), part, names::dns1123_subdomain(part), faults);
        }
    }
    let count = pool.int("resourceSliceCount").unwrap_or(0);
    if count <= 0 {
        let path = path.child("resourceSliceCount");
        faults.push(Fault::invalid(&path, count, "must be greater than zero"));
    }
    metadata::non_negative(pool, "generation", path, faults);
}

fn device(device: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_text(device, "name", names::dns1123_label, path, faults);
    let count = device.entries("attributes").count() + device.entries("capacity").count();
    if count > MANY {
        let detail =
            format!("the total number of attributes and capacities must not exceed {MANY}");
        faults.push(Fault::invalid(path, count, detail));
    }
    let list = path.child("attributes");
    for (name, attribute) in device.entries("attributes") {
        let path = list.key(name);
        let set = ["bool", "int", "string", "version"].iter().filter(|f| attribute.has(f));
        if set.count() != 1 {
            let detail = "exactly one value must be specified";
            faults.push(Fault::required(&path, detail));
        }
        for field in ["string", "version"] {
            if attribute.text(field).len() > 64 {
                faults.push(Fault::too_long(&path.child(field), 64));
            }
        }
    }
    at_most(device, "taints", 16, path, faults);
    let list = path.child("taints");
    for (index, taint) in device.items("taints").iter().enumerate() {
        let path = list.index(index);
        check::required_text(taint, "key", names::qualified_name, &path, faults);
        check::text(taint, "value", names::label_value, &path, faults);
        let effects = ["NoExecute", "NoSchedule", "None"];
        check::required_one_of(taint, "effect", &effects, &path, faults);
    }
}
