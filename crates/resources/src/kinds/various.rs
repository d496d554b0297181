//! Kinds of which little more than the names matters so far.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::{Look, default_to, map_mut};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// Kinds that are asked and answered in one request and never stored.
const ASKED: &[&str] = &["create"];

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let mut all = vec![
        define("", "v1", "LimitRange").short(&["limits"]),
        define("", "v1", "PodTemplate"),
        define("", "v1", "ResourceQuota").short(&["quota"]).status(),
        define("apps", "v1", "ControllerRevision"),
        define("networking.k8s.io", "v1", "IPAddress").short(&["ip"]),
        define("networking.k8s.io", "v1", "IngressClass"),
        define("networking.k8s.io", "v1", "ServiceCIDR").status(),
        define("node.k8s.io", "v1", "RuntimeClass")
            .columns(vec![
                Column::NAME,
                Column::text("Handler", "The runtime that the class stands for."),
                Column::AGE,
            ])
            .rules(RuntimeClasses),
        define("scheduling.k8s.io", "v1", "PriorityClass")
            .short(&["pc"])
            .columns(vec![
                Column::NAME,
                Column::int("Value", "The priority of pods of the class."),
                Column::flag("Global-Default", "Whether pods without a class get this one."),
                Column::AGE,
                Column::text("PreemptionPolicy", "Whether its pods push others out."),
            ])
            .rules(PriorityClasses),
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
            .status(),
        define("resource.k8s.io", "v1", "DeviceClass"),
        define("resource.k8s.io", "v1", "ResourceClaim").status(),
        define("resource.k8s.io", "v1", "ResourceClaimTemplate"),
        define("resource.k8s.io", "v1", "ResourceSlice"),
        define("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema").generation().status(),
        define("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration")
            .generation()
            .status(),
    ];
    for kind in [
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ] {
        all.push(define("admissionregistration.k8s.io", "v1", kind).generation());
    }
    all.push(
        define("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy")
            .generation()
            .status(),
    );
    for (group, kind) in [
        ("authentication.k8s.io", "SelfSubjectReview"),
        ("authentication.k8s.io", "TokenReview"),
        ("authorization.k8s.io", "LocalSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectRulesReview"),
        ("authorization.k8s.io", "SubjectAccessReview"),
    ] {
        all.push(define(group, "v1", kind).verbs(ASKED));
    }
    all
}

#[derive(Debug)]
struct RuntimeClasses;

impl KindRules for RuntimeClasses {
    fn validate(&self, class: &Value, faults: &mut Faults) {
        check::required_text(class, "handler", names::dns1123_label, &FieldPath::Root, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "handler", &FieldPath::Root, faults);
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(class), class.text("handler").into(), table::age(class, now)]
    }
}

/// The largest priority of a class that is not Kubernetes' own.
const PRIORITY_MAX: i64 = 1_000_000_000;

#[derive(Debug)]
struct PriorityClasses;

impl KindRules for PriorityClasses {
    fn default(&self, class: &mut Value) {
        if let Value::Object(class) = class {
            default_to(class, "preemptionPolicy", "PreemptLowerPriority");
        }
    }

    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let name = class["metadata"].text("name");
        let ours = ["system-cluster-critical", "system-node-critical"].contains(&name);
        if name.starts_with("system-") && !ours {
            let detail = "priority class names with 'system-' prefix are reserved for system use \
                          only. error: unknown system priority class";
            faults.push(Fault::forbidden(&root.child("metadata.name"), detail));
        }
        if class.int("value").is_some_and(|value| value > PRIORITY_MAX) && !ours {
            let detail =
                format!("maximum allowed value of a user defined priority is {PRIORITY_MAX}");
            faults.push(Fault::forbidden(&root.child("value"), detail));
        }
        let policies = ["PreemptLowerPriority", "Never"];
        check::one_of(class, "preemptionPolicy", &policies, &root, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        if new.get("value") != old.get("value") {
            let detail = "may not be changed in an update.";
            faults.push(Fault::forbidden(&root.child("value"), detail));
        }
        metadata::immutable(new, old, "preemptionPolicy", &root, faults);
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(class),
            table::int(class, "value"),
            class.is("globalDefault").into(),
            table::age(class, now),
            class.text("preemptionPolicy").into(),
        ]
    }
}

#[derive(Debug)]
struct SigningRequests;

impl KindRules for SigningRequests {
    fn name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, request: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &request["spec"];
        check::required(spec, "request", &path, faults);
        check::required(spec, "signerName", &path, faults);
        if spec.lacks("usages") {
            faults.push(Fault::required(&path.child("usages"), ""));
        }
        if let Some(seconds) = spec.int("expirationSeconds").filter(|seconds| *seconds < 600) {
            let detail = "may not specify a duration less than 600 seconds (10 minutes)";
            faults.push(Fault::invalid(&path.child("expirationSeconds"), seconds, detail));
        }
    }

    fn keeps_status(&self, subresource: &str) -> bool {
        subresource != "approval"
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        crate::look::keep(new, old, "spec");
        if update == Update::Subresource("approval") {
            // An approval is a condition; the certificate comes through the status.
            let conditions = new["status"].get("conditions").cloned();
            crate::look::keep(new, old, "status");
            if let Some(conditions) = conditions {
                map_mut(new, "status").insert("conditions".to_owned(), conditions);
            }
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
