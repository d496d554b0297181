//! Which changes of a Service are allowed.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::is_headless;
use super::validation::needs_health_check;
use crate::check::{self, Faults};
use crate::look::Look;

/// Checks a change of the specification.
pub(super) fn spec(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let external = |spec: &Value| spec.text("type") == "ExternalName";
    if !external(new) && !external(old) {
        let (was, is) = (is_headless(old), is_headless(new));
        if !(was && is) {
            list(new, old, &ADDRESSES, &path, faults);
        }
        if !was && !is {
            list(new, old, &FAMILIES, &path, faults);
        }
    }
    let class = "loadBalancerClass";
    let balancer = |spec: &Value| spec.text("type") == "LoadBalancer";
    if balancer(old) && balancer(new) && old.get(class) != new.get(class) {
        let detail = "may not change once set";
        let value = new.get(class).cloned().unwrap_or_default();
        faults.push(Fault::invalid(&path.child(class), value, detail));
    }
    let field = "healthCheckNodePort";
    if needs_health_check(old) && needs_health_check(new) && old.get(field) != new.get(field) {
        faults.push(Fault::forbidden(&path.child(field), "field is immutable"));
    }
}

/// A list whose first item is for ever and whose second may come and go.
struct Kept {
    field: &'static str,
    unset: &'static str,
    releasing: &'static str,
}

const ADDRESSES: Kept = Kept {
    field: "clusterIPs",
    unset: "primary clusterIP can not be unset",
    releasing: "must be set to 'SingleStack' when releasing the secondary clusterIP",
};
const FAMILIES: Kept = Kept {
    field: "ipFamilies",
    unset: "primary ipFamily can not be unset",
    releasing: "must be set to 'SingleStack' when releasing the secondary ipFamily",
};

fn list(new: &Value, old: &Value, kept: &Kept, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child(kept.field);
    let (before, after) = (old.items(kept.field), new.items(kept.field));
    let value = || new.get(kept.field).cloned().unwrap_or_default();
    let changed = "may not change once set";
    if before.len() == after.len() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            // An address that was not chosen yet is chosen now.
            if before != after && before != "" {
                faults.push(Fault::invalid(&list.index(index), value(), changed));
            }
        }
        return;
    }
    if let (Some(before), Some(after)) = (before.first(), after.first())
        && before != after
    {
        faults.push(Fault::invalid(&list.index(0), value(), changed));
    }
    if before.len() > after.len() {
        if after.is_empty() {
            faults.push(Fault::invalid(&list.index(0), value(), kept.unset));
        }
        if after.len() == 1 && new.text("ipFamilyPolicy") != "SingleStack" {
            let value = new.get("ipFamilyPolicy").cloned().unwrap_or_default();
            faults.push(Fault::invalid(&path.child("ipFamilyPolicy"), value, kept.releasing));
        }
    }
}

/// Checks the status of a load balancer, as services and ingresses have it.
pub(in crate::kinds) fn load_balancer(
    status: &Value,
    path: &FieldPath<'_>,
    modes: bool,
    faults: &mut Faults,
) {
    let list = path.child("ingress");
    for (index, point) in status.items("ingress").iter().enumerate() {
        let path = list.index(index);
        check::text(point, "ip", names::ip, &path, faults);
        let mode = path.child("ipMode");
        if modes && !point.has("ipMode") {
            if !point.lacks("ip") {
                faults.push(Fault::required(&mode, "must be specified when `ip` is set"));
            }
        } else if modes && point.lacks("ip") {
            faults.push(Fault::forbidden(&mode, "may not be specified when `ip` is not set"));
        } else if modes {
            check::one_of(point, "ipMode", &["Proxy", "VIP"], &path, faults);
        }
        check::text(point, "hostname", names::dns1123_subdomain, &path, faults);
        if point.text("hostname").parse::<std::net::IpAddr>().is_ok() {
            let detail = "must be a DNS name, not an IP address";
            faults.push(Fault::invalid(&path.child("hostname"), point.text("hostname"), detail));
        }
    }
}
