//! Probes, lifecycle hooks, and the actions that both take.

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, names};

use super::container::Surroundings;
use crate::check::{self, Faults};
use crate::look::{Look, default_to};
use crate::metadata::non_negative;
use crate::walk::TypeRule;

pub(super) const PROBE: TypeRule = TypeRule {
    zeros: &[
        "failureThreshold",
        "initialDelaySeconds",
        "periodSeconds",
        "successThreshold",
        "timeoutSeconds",
    ],
    default: default_probe,
    ..TypeRule::NONE
};

pub(super) const HTTP_GET: TypeRule =
    TypeRule { zeros: &["host"], default: default_http_get, ..TypeRule::NONE };

/// A signal to stop with is a feature that has to be switched on, and is not here: what it says is
/// dropped, as Kubernetes drops it.
pub(super) const LIFECYCLE: TypeRule = TypeRule {
    default: |lifecycle| {
        lifecycle.remove("stopSignal");
    },
    ..TypeRule::NONE
};

fn default_probe(probe: &mut Map<String, Value>) {
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        default_to(probe, field, value);
    }
    // The service of a gRPC probe is a pointer that is made to point to the empty name.
    if let Some(Value::Object(grpc)) = probe.get_mut("grpc") {
        grpc.entry("service").or_insert_with(|| "".into());
    }
}

fn default_http_get(action: &mut Map<String, Value>) {
    default_to(action, "path", "/");
    default_to(action, "scheme", "HTTP");
}

/// Which probe of a container is checked; each has a rule of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Liveness,
    Readiness,
    Startup,
}

/// Checks the three probes of a container.
pub(super) fn probes(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for (field, which) in [
        ("livenessProbe", Which::Liveness),
        ("readinessProbe", Which::Readiness),
        ("startupProbe", Which::Startup),
    ] {
        if container.has(field) {
            probe(&container[field], which, &path.child(field), faults);
        }
    }
}

fn probe(probe: &Value, which: Which, path: &FieldPath<'_>, faults: &mut Faults) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], None, path, faults);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        non_negative(probe, field, path, faults);
    }
    let field = "terminationGracePeriodSeconds";
    if let Some(seconds) = probe.int(field) {
        if seconds <= 0 {
            faults.push(Fault::invalid(&path.child(field), seconds, "must be greater than 0"));
        }
        if which == Which::Readiness {
            let detail = "must not be set for readinessProbes";
            faults.push(Fault::invalid(&path.child(field), seconds, detail));
        }
    }
    let threshold = probe.int("successThreshold").unwrap_or(1);
    if which != Which::Readiness && threshold != 1 {
        faults.push(Fault::invalid(&path.child("successThreshold"), threshold, "must be 1"));
    }
}

/// Checks the hooks of a container.
pub(super) fn lifecycle(
    container: &Value,
    around: &Surroundings<'_>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let lifecycle = &container["lifecycle"];
    let path = path.child("lifecycle");
    for field in ["postStart", "preStop"] {
        if lifecycle.has(field) {
            let actions = ["exec", "httpGet", "tcpSocket", "sleep"];
            handler(&lifecycle[field], &actions, around.grace, &path.child(field), faults);
        }
    }
}

/// Checks that there is exactly one action, and that action.
fn handler(
    handler: &Value,
    actions: &[&str],
    grace: Option<i64>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let mut given = actions.iter().copied().filter(|action| handler.has(action));
    let Some(action) = given.next() else {
        faults.push(Fault::required(path, "must specify a handler type"));
        return;
    };
    for second in given {
        let detail = "may not specify more than 1 handler type";
        faults.push(Fault::forbidden(&path.child(second), detail));
    }
    let (value, path) = (&handler[action], path.child(action));
    match action {
        "exec" => check::required(value, "command", &path, faults),
        "httpGet" => {
            check::required(value, "path", &path, faults);
            check::port(&value["port"], &path.child("port"), faults);
            let schemes = ["HTTP", "HTTPS"];
            if !schemes.contains(&value.text("scheme")) {
                let scheme = value.text("scheme");
                faults.push(Fault::not_supported(&path.child("scheme"), scheme, &schemes));
            }
            for header in value.items("httpHeaders") {
                let name = header.text("name");
                let messages = names::http_header_name(name);
                check::invalid(&path.child("httpHeaders"), name, messages, faults);
            }
        }
        "tcpSocket" | "grpc" => check::port(&value["port"], &path.child("port"), faults),
        _ => {
            let seconds = value.int("seconds").unwrap_or(0);
            if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
                let detail = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                );
                faults.push(Fault::invalid(&path, seconds, detail));
            }
        }
    }
}
