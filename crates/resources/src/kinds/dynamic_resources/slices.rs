//! Slices of pools of devices, as drivers publish them.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, Quantity, names};

use super::{
    EFFECTS, MANY, binding_conditions, driver, items, label, pool_name, qualified_name, set,
};
use crate::check::{self, Faults};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::affinity;

/// The most devices of one slice, and of one that has taints or counters.
const DEVICES: usize = 128;
const DEVICES_WITH_TAINTS: usize = 64;
/// The most sets of counters of one slice, and those that one device draws on.
const COUNTER_SETS: usize = 8;
const CONSUMPTIONS: usize = 2;
/// The most taints of one device.
const TAINTS: usize = 16;
/// The most bytes of the value of an attribute.
const VALUE_MAX: usize = 64;
/// The most amounts that a share of a device may have.
const VALID_VALUES: usize = 10;

#[derive(Debug)]
pub(super) struct Slices;

impl KindRules for Slices {
    fn validate(&self, slice: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &slice["spec"];
        driver(spec, &path, faults);
        pool(&spec["pool"], &path.child("pool"), faults);
        place(spec, &path, faults);
        if spec.has("sharedCounters") && spec.has("devices") {
            let detail = "only one of `sharedCounters` or `devices` is allowed";
            faults.push(Fault::invalid(&path, "", detail));
        }
        let all = spec.items("devices");
        let special =
            all.iter().any(|device| !device.lacks("taints") || !device.lacks("consumesCounters"));
        let most = if special { DEVICES_WITH_TAINTS } else { DEVICES };
        let each = spec.is("perDeviceNodeSelection");
        let device = |device: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
            self::device(device, each, path, faults);
        };
        let name = |object: &Value| object.text("name").to_owned();
        set(spec, "devices", most, &path, faults, device, name);
        let counters = |set: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
            check::required_text(set, "name", names::dns1123_label, path, faults);
            counters(set, path, faults);
        };
        set(spec, "sharedCounters", COUNTER_SETS, &path, faults, counters, name);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (new, old) = (&new["spec"], &old["spec"]);
        metadata::immutable(&new["pool"], &old["pool"], "name", &path.child("pool"), faults);
        for field in ["driver", "nodeName"] {
            metadata::immutable(new, old, field, &path, faults);
        }
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
    pool_name(pool.text("name"), &path.child("name"), faults);
    let count = pool.int("resourceSliceCount").unwrap_or(0);
    if count <= 0 {
        let path = path.child("resourceSliceCount");
        faults.push(Fault::invalid(&path, count, "must be greater than zero"));
    }
    if let Some(generation) = pool.int("generation").filter(|generation| *generation < 0) {
        let detail = "must be greater than or equal to zero";
        faults.push(Fault::invalid(&path.child("generation"), generation, detail));
    }
}

/// Checks where the devices of a slice are.
fn place(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let mut given = Vec::new();
    if spec.has("nodeName") {
        let (name, path) = (spec.text("nodeName"), path.child("nodeName"));
        if name.is_empty() {
            let detail = "must be either unset or set to a non-empty string";
            faults.push(Fault::invalid(&path, name, detail));
        } else {
            given.push("`nodeName`");
            check::invalid(&path, name, names::dns1123_subdomain(name), faults);
        }
    }
    if spec.has("nodeSelector") {
        given.push("`nodeSelector`");
        let (selector, path) = (&spec["nodeSelector"], path.child("nodeSelector"));
        affinity::node_selector(selector, &path, faults);
        if selector.items("nodeSelectorTerms").len() != 1 {
            let value = selector.get("nodeSelectorTerms").cloned().unwrap_or_default();
            let detail = "must have exactly one node selector term";
            faults.push(Fault::invalid(&path.child("nodeSelectorTerms"), value, detail));
        }
    }
    for (field, shown) in
        [("allNodes", "`allNodes`"), ("perDeviceNodeSelection", "`perDeviceNodeSelection`")]
    {
        match spec.flag(field) {
            Some(true) => given.push(shown),
            Some(false) => {
                let detail = "must be either unset or set to true";
                faults.push(Fault::invalid(&path.child(field), false, detail));
            }
            None => {}
        }
    }
    let detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` \
                  is required";
    match given.len() {
        1 => {}
        0 => faults.push(Fault::required(path, detail)),
        _ => {
            let shown = format!("{{{}}}", given.join(", "));
            let detail = format!("{detail}, but multiple fields are set");
            faults.push(Fault::invalid(path, shown, detail));
        }
    }
}

fn counters(set: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("counters");
    let count = set.entries("counters").count();
    if count == 0 {
        faults.push(Fault::required(&list, ""));
    } else if count > MANY {
        faults.push(Fault::too_many(&list, count, MANY));
    } else {
        for (name, _) in set.entries("counters") {
            check::invalid(&list.key(name), name.as_str(), names::dns1123_label(name), faults);
        }
    }
}

fn device(device: &Value, placed: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    label(device, "name", path, faults);
    let count = device.entries("attributes").count() + device.entries("capacity").count();
    if count > MANY {
        let detail =
            format!("the total number of attributes and capacities must not exceed {MANY}");
        faults.push(Fault::invalid(path, count, detail));
    }
    let list = path.child("attributes");
    for (name, own) in device.entries("attributes") {
        qualified_name(name, &list.key(name), faults);
        attribute(own, &list.key(name), faults);
    }
    let list = path.child("capacity");
    for (name, own) in device.entries("capacity") {
        qualified_name(name, &list.key(name), faults);
        capacity(own, device.is("allowMultipleAllocations"), &list.key(name), faults);
    }
    items(device, "taints", TAINTS, path, faults, |taint, path, faults| {
        let key = taint.text("key");
        check::invalid(&path.child("key"), key, names::qualified_name(key), faults);
        check::text(taint, "value", names::label_value, path, faults);
        check::required_one_of(taint, "effect", &EFFECTS, path, faults);
    });
    let consumption = |own: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        check::required_text(own, "counterSet", names::dns1123_label, path, faults);
        counters(own, path, faults);
    };
    let key = |own: &Value| own.text("counterSet").to_owned();
    set(device, "consumesCounters", CONSUMPTIONS, path, faults, consumption, key);
    device_place(device, placed, path, faults);
    binding_conditions(device, path, faults);
}

fn device_place(device: &Value, placed: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let fields = ["nodeName", "nodeSelector", "allNodes"];
    if !placed {
        if fields.iter().any(|field| device.has(field)) {
            let detail = "`nodeName`, `nodeSelector` and `allNodes` can only be set if \
                          `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
            faults.push(Fault::invalid(path, Value::Null, detail));
        }
        return;
    }
    let mut given = Vec::new();
    if device.has("nodeName") {
        let (name, path) = (device.text("nodeName"), path.child("nodeName"));
        if name.is_empty() {
            faults.push(Fault::invalid(&path, name, "must not be empty"));
        } else {
            given.push("`nodeName`");
            check::invalid(&path, name, names::dns1123_subdomain(name), faults);
        }
    }
    if device.has("nodeSelector") {
        given.push("`nodeSelector`");
        affinity::node_selector(&device["nodeSelector"], &path.child("nodeSelector"), faults);
    }
    match device.flag("allNodes") {
        Some(true) => given.push("`allNodes`"),
        Some(false) => {
            let detail = "must be either unset or set to true";
            faults.push(Fault::invalid(&path.child("allNodes"), false, detail));
        }
        None => {}
    }
    let detail = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when \
                  `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
    match given.len() {
        1 => {}
        0 => faults.push(Fault::required(path, detail)),
        _ => {
            let shown = format!("{{{}}}", given.join(", "));
            faults.push(Fault::invalid(path, shown, detail));
        }
    }
}

fn attribute(attribute: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if attribute.text("string").len() > VALUE_MAX {
        faults.push(Fault::too_long(&path.child("string"), VALUE_MAX));
    }
    if attribute.has("version") {
        let (version, path) = (attribute.text("version"), path.child("version"));
        if !is_semantic(version) {
            let detail = "must be a string compatible with semver.org spec 2.0.0";
            faults.push(Fault::invalid(&path, version, detail));
        }
        if version.len() > VALUE_MAX {
            faults.push(Fault::too_long(&path, VALUE_MAX));
        }
    }
    let given = ["bool", "int", "string", "version"].iter().filter(|field| attribute.has(field));
    match given.count() {
        1 => {}
        0 => faults.push(Fault::invalid(path, "", "exactly one value must be specified")),
        _ => {
            let detail = "exactly one value must be specified";
            faults.push(Fault::invalid(path, attribute.clone(), detail));
        }
    }
}

/// Whether a text is a version as semver.org has them.
fn is_semantic(version: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |text: &str| digits(text) && (text == "0" || !text.starts_with('0'));
    let (version, build) = match version.split_once('+') {
        Some((version, build)) => (version, Some(build)),
        None => (version, None),
    };
    let (core, before) = match version.split_once('-') {
        Some((core, before)) => (core, Some(before)),
        None => (version, None),
    };
    core.split('.').count() == 3
        && core.split('.').all(number)
        && before.is_none_or(|text| {
            text.split('.').all(|part| word(part) && (!digits(part) || number(part)))
        })
        && build.is_none_or(|text| text.split('.').all(word))
}

/// Checks how much of a device there is, and in which shares it is given.
fn capacity(capacity: &Value, shared: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let (policy, path) = (&capacity["requestPolicy"], path.child("requestPolicy"));
    if !policy.is_object() {
        return;
    }
    if !shared {
        faults.push(Fault::forbidden(&path, "allowMultipleAllocations must be true"));
        return;
    }
    let whole = check::quantity(capacity, "value").unwrap_or_default();
    let default = check::quantity(policy, "default");
    let (values, range) = (!policy.lacks("validValues"), policy["validRange"].is_object());
    let field = match (values, range) {
        (true, true) => {
            let detail = "exactly one policy can be specified, cannot specify \"validValues\" and \
                          \"validRange\" at the same time";
            faults.push(Fault::forbidden(&path, detail));
            return;
        }
        (true, false) => "validValues",
        (false, true) => "validRange",
        (false, false) => return,
    };
    let Some(default) = default else {
        let detail = format!("required when {field} is defined");
        faults.push(Fault::required(&path.child("default"), detail));
        return;
    };
    if values {
        valid_values(policy, default, whole, &path, faults);
    } else {
        let range = Range {
            min: check::quantity(&policy[field], "min"),
            max: check::quantity(&policy[field], "max"),
            step: check::quantity(&policy[field], "step"),
        };
        range.check(default, whole, &path.child(field), faults);
    }
}

fn valid_values(
    policy: &Value,
    default: Quantity,
    whole: Quantity,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let list = path.child("validValues");
    let all: Vec<Quantity> =
        policy.items("validValues").iter().filter_map(check::quantity_of).collect();
    for (index, pair) in all.windows(2).enumerate() {
        if pair[0] > pair[1] {
            let detail = "values must be sorted in ascending order";
            faults.push(Fault::invalid(&list.index(index + 1), pair[1].to_string(), detail));
        }
    }
    let option = |value: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        let amount = check::quantity_of(value).unwrap_or_default();
        if amount > whole {
            let detail = format!("option is larger than capacity value: {whole}");
            faults.push(Fault::invalid(path, amount.to_string(), detail));
        }
    };
    let key = |value: &Value| check::quantity_of(value).unwrap_or_default().value().to_string();
    set(policy, "validValues", VALID_VALUES, path, faults, option, key);
    if !all.contains(&default) {
        let detail = "default value is not valid according to the requestPolicy";
        faults.push(Fault::invalid(&list, default.to_string(), detail));
    }
}

/// The amounts that a share of a device may have.
struct Range {
    min: Option<Quantity>,
    max: Option<Quantity>,
    step: Option<Quantity>,
}

impl Range {
    fn check(&self, default: Quantity, whole: Quantity, path: &FieldPath<'_>, faults: &mut Faults) {
        let at = path.child("min");
        let Some(min) = self.min else {
            faults.push(Fault::required(&at, "required when validRange is defined"));
            return;
        };
        let mut fault = |at: &FieldPath<'_>, shown: Quantity, detail: String| {
            faults.push(Fault::invalid(at, shown.to_string(), detail));
        };
        if min > whole {
            fault(&at, min, format!("min is larger than capacity value: {whole}"));
        }
        if default < min {
            fault(&at, default, format!("default is less than min: {min}"));
        }
        let at = path.child("max");
        if let Some(max) = self.max {
            if min > max {
                fault(&at, min, format!("min is larger than max: {max}"));
            }
            if max > whole {
                fault(&at, max, format!("max is larger than capacity value: {whole}"));
            }
            if default > max {
                fault(&at, default, format!("default is more than max: {max}"));
            }
        }
        let at = path.child("step");
        let Some(step) = self.step else { return };
        let first = min + step;
        if first > whole {
            fault(&at, step, format!("one step {first} is larger than capacity value: {whole}"));
        }
        for amount in [Some(default), self.max].into_iter().flatten() {
            let beyond = i128::from(amount.value()) - i128::from(min.value());
            // A step of nothing leads nowhere.
            if step.value() == 0 || beyond % i128::from(step.value()) != 0 {
                let detail =
                    format!("value is not a multiple of a given step ({step}) from ({min})");
                fault(&at, amount, detail);
            }
        }
    }
}
