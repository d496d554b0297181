//! What became of a claim: which devices it got, who uses them, and what their drivers say.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::claims::RequestNames;
use super::{MANY, binding_conditions, driver, items, label, opaque, pool_name, raw_object, set};
use crate::check::{self, Faults};
use crate::look::Look;
use crate::types::affinity;

/// The most users of one claim.
const USERS: usize = 256;
/// The most conditions that a driver gives of one device.
const CONDITIONS: usize = 8;

/// Checks a change of the status.
pub(super) fn change(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let (status, before) = (&new["status"], &old["status"]);
    let uid = |user: &Value| user.text("uid").to_owned();
    set(status, "reservedFor", USERS, &path, faults, user, uid);
    let results = status["allocation"]["devices"].items("results");
    let allocated: BTreeSet<String> = results.iter().map(device_id).collect();
    let device = |device: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        if !allocated.contains(&device_id(device)) {
            let detail = "must be an allocated device in the claim";
            faults.push(Fault::invalid(path, device_id(device), detail));
        }
        self::device(device, path, faults);
    };
    set(status, "devices", usize::MAX, &path, faults, device, device_id);
    let at = path.child("reservedFor");
    if !status.lacks("reservedFor") && !status.has("allocation") {
        let detail = "may not be specified when `allocated` is not set";
        faults.push(Fault::forbidden(&at, detail));
    } else if new["metadata"].has("deletionTimestamp") {
        let known = before.items("reservedFor");
        if status.items("reservedFor").iter().any(|user| !known.contains(user)) {
            let detail = "new entries may not be added while `deallocationRequested` or \
                          `deletionTimestamp` are set";
            faults.push(Fault::forbidden(&at, detail));
        }
    }
    let path = path.child("allocation");
    if status.has("allocation") && before.has("allocation") {
        if status["allocation"] != before["allocation"] {
            let value = status["allocation"].clone();
            faults.push(Fault::invalid(&path, value, "field is immutable"));
        }
    } else if status.has("allocation") {
        let names = RequestNames::of(&new["spec"]["devices"]);
        allocation(&status["allocation"], &names, &path, faults);
    }
}

fn user(user: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for field in ["resource", "name", "uid"] {
        check::required(user, field, path, faults);
    }
}

/// What tells devices apart: driver, pool and name, and whose share it is.
fn device_id(device: &Value) -> String {
    let parts = ["driver", "pool", "device"].map(|field| device.text(field));
    let id = parts.join("/");
    if device.has("shareID") { format!("{id}/{}", device.text("shareID")) } else { id }
}

fn allocation(
    allocation: &Value,
    names: &RequestNames<'_>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let (devices, at) = (&allocation["devices"], path.child("devices"));
    items(devices, "results", MANY, &at, faults, |result, path, faults| {
        names.check(result.text("request"), &path.child("request"), faults);
        driver(result, path, faults);
        pool_name(result.text("pool"), &path.child("pool"), faults);
        label(result, "device", path, faults);
        binding_conditions(result, path, faults);
        share(result, path, faults);
    });
    items(devices, "config", 2 * MANY, &at, faults, |config, path, faults| {
        let sources = ["FromClaim", "FromClass"];
        check::required_one_of(config, "source", &sources, path, faults);
        names.refer(config, path, faults);
        opaque(config, path, faults);
    });
    if allocation.has("nodeSelector") {
        affinity::node_selector(&allocation["nodeSelector"], &path.child("nodeSelector"), faults);
    }
}

/// Checks what a driver says of a device.
fn device(device: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    driver(device, path, faults);
    pool_name(device.text("pool"), &path.child("pool"), faults);
    label(device, "device", path, faults);
    share(device, path, faults);
    let (conditions, list) = (device.items("conditions"), path.child("conditions"));
    if conditions.len() > CONDITIONS {
        faults.push(Fault::too_many(&list, conditions.len(), CONDITIONS));
    }
    check::conditions(conditions, &list, faults);
    if device.has("data") {
        raw_object(&device["data"], &path.child("data"), faults);
    }
    let (network, path) = (&device["networkData"], path.child("networkData"));
    for (field, max) in [("interfaceName", 256), ("hardwareAddress", 128)] {
        if network.text(field).len() > max {
            faults.push(Fault::too_long(&path.child(field), max));
        }
    }
    let text = |ip: &Value| ip.as_str().unwrap_or_default().to_owned();
    let check = |ip: &Value, path: &FieldPath<'_>, faults: &mut Faults| {
        let ip = ip.as_str().unwrap_or_default();
        check::invalid(path, ip, interface_address(ip), faults);
    };
    set(network, "ips", 16, &path, faults, check, text);
}

/// An address with the size of the network that it is in.
fn interface_address(text: &str) -> Vec<String> {
    if !names::cidr(text).is_empty() {
        let detail = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
        return vec![detail.to_owned()];
    }
    let parts = text.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?))
    });
    match parts.map(|(address, bits)| format!("{address}/{bits}")) {
        Some(canonical) if canonical != text => {
            vec![format!("must be in canonical form (\"{canonical}\")")]
        }
        _ => Vec::new(),
    }
}

/// Checks the identity of a share of a device.
fn share(device: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !device.has("shareID") {
        return;
    }
    let (text, path) = (device.text("shareID"), path.child("shareID"));
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let detail = if text.len() != 36 {
        format!("error validating uid: invalid UUID length: {}", text.len())
    } else if parts.iter().map(|part| part.len()).ne([8, 4, 4, 4, 12])
        || !parts.iter().all(|part| hex(part))
    {
        "error validating uid: invalid UUID format".to_owned()
    } else if text.bytes().any(|b| b.is_ascii_uppercase()) {
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with \
         lowercase hexadecimal characters"
            .to_owned()
    } else {
        return;
    };
    faults.push(Fault::invalid(&path, text, detail));
}
