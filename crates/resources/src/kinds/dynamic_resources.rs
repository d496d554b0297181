//! The kinds of `resource.k8s.io`: devices, and claims to them.

mod claims;
mod slices;
mod status;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use self::claims::{Claims, Templates};
use self::slices::Slices;
use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;
use crate::types::{resources, volume};

const GROUP: &str = "resource.k8s.io";
/// The most selectors, requests, constraints and configurations in one place.
const MANY: usize = 32;
/// The most bytes of an expression, and of what a driver is told in its own words.
const TEXT_MAX: usize = 10 << 10;
/// The most bytes of the name of an attribute or of a capacity, without the domain.
const ID_MAX: usize = 32;

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

/// Checks the items of a list, unless there are too many to look at.
fn items(
    object: &Value,
    field: &str,
    max: usize,
    path: &FieldPath<'_>,
    faults: &mut Faults,
    mut check: impl FnMut(&Value, &FieldPath<'_>, &mut Faults),
) {
    let (all, list) = (object.items(field), path.child(field));
    if all.len() > max {
        faults.push(Fault::too_many(&list, all.len(), max));
        return;
    }
    for (index, item) in all.iter().enumerate() {
        check(item, &list.index(index), faults);
    }
}

/// Checks the items of a list in which no two have the same key; who is there twice is told last.
fn set<'a>(
    object: &'a Value,
    field: &str,
    max: usize,
    path: &FieldPath<'_>,
    faults: &mut Faults,
    check: impl FnMut(&Value, &FieldPath<'_>, &mut Faults),
    key: impl Fn(&'a Value) -> String,
) {
    items(object, field, max, path, faults, check);
    let all = object.items(field);
    if all.len() > max {
        return;
    }
    let list = path.child(field);
    let mut seen = std::collections::BTreeSet::new();
    for (index, item) in all.iter().enumerate() {
        let key = key(item);
        if seen.contains(&key) {
            faults.push(Fault::duplicate(&list.index(index), key));
        } else {
            seen.insert(key);
        }
    }
}

fn driver(value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    volume::outside::driver_name(value.text("driver"), &path.child("driver"), faults);
}

/// A name that has to be a label.
fn label(value: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let name = value.text(field);
    check::invalid(&path.child(field), name, names::dns1123_label(name), faults);
}

/// Checks the name of a pool: subdomains with slashes between.
fn pool_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
        return;
    }
    if name.len() > names::SUBDOMAIN_MAX {
        faults.push(Fault::too_long(path, names::SUBDOMAIN_MAX));
    }
    for part in name.split('/') {
        check::invalid(path, part, names::dns1123_subdomain(part), faults);
    }
}

/// Checks the name of an attribute or capacity: an identifier, behind a domain or not.
fn qualified_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        [id] => identifier(id, path, faults),
        [domain, id] => {
            if domain.is_empty() {
                faults.push(Fault::invalid(path, "", "the domain must not be empty"));
            } else {
                volume::outside::driver_name(domain, path, faults);
            }
            if id.is_empty() {
                faults.push(Fault::invalid(path, "", "the name must not be empty"));
            } else {
                identifier(id, path, faults);
            }
        }
        // More slashes are taken, as in Kubernetes.
        _ => {}
    }
}

/// Checks such a name that must have a domain.
fn full_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    qualified_name(name, path, faults);
    if !name.contains('/') {
        let detail = "a fully qualified name must be a domain and a name separated by a slash";
        faults.push(Fault::invalid(path, name, detail));
    }
}

fn identifier(id: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if id.len() > ID_MAX {
        faults.push(Fault::too_long(path, ID_MAX));
    }
    let valid = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !valid {
        let words = "a valid C identifier must start with alphabetic character or '_', followed \
                     by a string of alphanumeric characters or '_'";
        let examples = ["my_name", "MY_NAME", "MyName"];
        let detail = names::regex(words, "[A-Za-z_][A-Za-z0-9_]*", &examples);
        faults.push(Fault::invalid(path, id, detail));
    }
}

fn selectors(value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    items(value, "selectors", MANY, path, faults, |selector, path, faults| {
        let path = path.child("cel");
        let cel = &selector["cel"];
        if !cel.is_object() {
            faults.push(Fault::required(&path, ""));
        } else if cel.text("expression").len() > TEXT_MAX {
            faults.push(Fault::too_long(&path.child("expression"), TEXT_MAX));
        } else {
            check::required(cel, "expression", &path, faults);
        }
    });
}

/// Checks what a driver is told in its own words.
fn opaque(config: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("opaque");
    let opaque = &config["opaque"];
    if !opaque.is_object() {
        faults.push(Fault::required(&path, ""));
        return;
    }
    driver(opaque, &path, faults);
    raw_object(&opaque["parameters"], &path.child("parameters"), faults);
}

/// Checks an object that only a driver understands.
fn raw_object(value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match value {
        Value::Null => faults.push(Fault::required(path, "")),
        long if long.to_string().len() > TEXT_MAX => {
            faults.push(Fault::too_long(path, TEXT_MAX));
        }
        Value::Object(_) => {}
        _ => {
            let detail = "must be a valid JSON object";
            faults.push(Fault::invalid(path, "<value omitted>", detail));
        }
    }
}

/// Checks the conditions that say when a device is ready for its pod, or never will be.
fn binding_conditions(device: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    const MOST: usize = 4;
    let (good, bad) = ("bindingConditions", "bindingFailureConditions");
    let named = |name: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        let name = name.as_str().unwrap_or_default();
        check::invalid(path, name, names::qualified_name(name), faults);
    };
    items(device, good, MOST, path, faults, named);
    items(device, bad, MOST, path, faults, named);
    for field in [good, bad] {
        let (all, list) = (device.items(field), path.child(field));
        for (index, name) in all.iter().enumerate() {
            if all[..index].contains(name) {
                faults.push(Fault::duplicate(&list.index(index), name.clone()));
            }
            if field == bad && device.items(good).contains(name) {
                let detail = "bindingFailureConditions must not overlap with bindingConditions";
                faults.push(Fault::invalid(&list.index(index), name.clone(), detail));
            }
        }
    }
    for (field, other) in [(good, bad), (bad, good)] {
        if device.lacks(field) && !device.lacks(other) {
            let detail = format!("{field} are required to use {other}");
            faults.push(Fault::invalid(&path.child(field), Value::Array(Vec::new()), detail));
        }
    }
}

/// What a taint of a device does to those who do not bear it.
const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "None"];

#[derive(Debug)]
struct Classes;

impl KindRules for Classes {
    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &class["spec"];
        selectors(spec, &path, faults);
        items(spec, "config", MANY, &path, faults, opaque);
        let name = spec.text("extendedResourceName");
        if spec.has("extendedResourceName") && !resources::is_extended(name) {
            let detail = "must be a valid extended resource name";
            faults.push(Fault::invalid(&path.child("extendedResourceName"), name, detail));
        }
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(class), table::age(class, now)]
    }
}
