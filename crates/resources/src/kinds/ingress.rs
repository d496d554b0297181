//! Ingresses.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{define, service};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::Look;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("networking.k8s.io", "v1", "Ingress")
        .short(&["ing"])
        .generation()
        .shows([
            Column::text("Class", "The name of the IngressClass of this Ingress."),
            Column::text("Hosts", "Hosts that incoming requests are matched against."),
            Column::text("Address", "Ingress points for the load-balancer."),
            Column::text("Ports", "Ports of TLS configurations that open"),
        ])
        .rules(Ingresses)
        .status()
}

#[derive(Debug)]
struct Ingresses;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

impl KindRules for Ingresses {
    fn prepare_create(&self, ingress: &mut Value, _context: &RequestContext<'_>) {
        ingress["status"] = json!({"loadBalancer": {}});
    }

    fn validate(&self, ingress: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &ingress["spec"];
        if spec.lacks("rules") && !spec.has("defaultBackend") {
            let detail = "either `defaultBackend` or `rules` must be specified";
            faults.push(Fault::invalid(&path, Value::Array(Vec::new()), detail));
        }
        if spec.has("defaultBackend") {
            backend(&spec["defaultBackend"], &path.child("defaultBackend"), faults);
        }
        let list = path.child("rules");
        for (index, rule) in spec.items("rules").iter().enumerate() {
            let path = list.index(index);
            if !rule.lacks("host") {
                host_name(rule.text("host"), &path.child("host"), faults);
            }
            if rule.has("http") {
                paths(&rule["http"], &path.child("http"), faults);
            }
        }
        let list = path.child("tls");
        for (index, tls) in spec.items("tls").iter().enumerate() {
            let path = list.index(index);
            let hosts = path.child("hosts");
            for (index, host) in tls.items("hosts").iter().enumerate() {
                domain(host.as_str().unwrap_or_default(), &hosts.index(index), faults);
            }
            check::text(tls, "secretName", names::dns1123_subdomain, &path, faults);
        }
        if spec.has("ingressClassName") {
            let class = spec.text("ingressClassName");
            let messages = names::dns1123_subdomain(class);
            check::invalid(&path.child("ingressClassName"), class, messages, faults);
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let root = FieldPath::Root;
            let status = &new["status"]["loadBalancer"];
            let path = root.child("status.loadBalancer");
            service::update::load_balancer(status, &path, false, faults);
        }
    }

    fn validate_create(&self, ingress: &Value, faults: &mut Faults) {
        let annotations = &ingress["metadata"]["annotations"];
        let class = ingress["spec"].text("ingressClassName");
        let named = ingress["spec"].has("ingressClassName");
        if named && annotations.has(CLASS_ANNOTATION) && annotations.text(CLASS_ANNOTATION) != class
        {
            let root = FieldPath::Root;
            // The path begins with the annotations, as in Kubernetes.
            let path = root.child("annotations");
            let detail = "must match `ingressClassName` when both are specified";
            let value = annotations[CLASS_ANNOTATION].clone();
            faults.push(Fault::invalid(&path.child(CLASS_ANNOTATION), value, detail));
        }
    }

    fn warnings(&self, ingress: &Value, _old: Option<&Value>) -> Vec<String> {
        if ingress["metadata"]["annotations"].has(CLASS_ANNOTATION) {
            vec![format!(
                "annotation {:?} is deprecated, please use 'spec.ingressClassName' instead",
                CLASS_ANNOTATION
            )]
        } else {
            Vec::new()
        }
    }

    fn row(&self, ingress: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &ingress["spec"];
        let class = match spec.text("ingressClassName") {
            "" => ingress["metadata"]["annotations"].text(CLASS_ANNOTATION),
            class => class,
        };
        let hosts: Vec<&str> = spec
            .items("rules")
            .iter()
            .map(|rule| rule.text("host"))
            .filter(|h| !h.is_empty())
            .collect();
        let hosts = match hosts.len() {
            0 => "*".to_owned(),
            count if count > 3 => format!("{} + {} more...", hosts[..3].join(","), count - 3),
            _ => hosts.join(","),
        };
        let addresses: BTreeSet<&str> = ingress["status"]["loadBalancer"]
            .items("ingress")
            .iter()
            .map(|point| match point.text("ip") {
                "" => point.text("hostname"),
                ip => ip,
            })
            .collect();
        let addresses: Vec<&str> = addresses.into_iter().collect();
        let ports = if spec.lacks("tls") { "80" } else { "80, 443" };
        vec![
            table::name(ingress),
            table::or_none(class),
            hosts.into(),
            addresses.join(",").into(),
            ports.into(),
            table::age(ingress, now),
        ]
    }
}

fn host_name(host: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if host.parse::<std::net::IpAddr>().is_ok() {
        let detail = "must be a DNS name, not an IP address";
        faults.push(Fault::invalid(path, host, detail));
    }
    domain(host, path, faults);
}

fn domain(host: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if host.contains('*') {
        check::invalid(path, host, names::wildcard_dns1123_subdomain(host), faults);
    } else {
        check::invalid(path, host, names::dns1123_subdomain(host), faults);
    }
}

fn paths(http: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("paths");
    if http.lacks("paths") {
        faults.push(Fault::required(&list, ""));
    }
    for (index, route) in http.items("paths").iter().enumerate() {
        let path = list.index(index);
        match route.text("pathType") {
            "" if !route.has("pathType") => {
                faults.push(Fault::required(&path.child("pathType"), "pathType must be specified"));
                continue;
            }
            "Exact" | "Prefix" => {
                let text = route.text("path");
                let path = path.child("path");
                if !text.starts_with('/') {
                    let detail = "must be an absolute path";
                    faults.push(Fault::invalid(&path, text, detail));
                }
                for part in ["//", "/./", "/../", "%2f", "%2F"] {
                    if text.contains(part) {
                        let detail = format!("must not contain '{part}'");
                        faults.push(Fault::invalid(&path, text, detail));
                    }
                }
                for end in ["/..", "/."] {
                    if text.ends_with(end) {
                        let detail = format!("cannot end with '{end}'");
                        faults.push(Fault::invalid(&path, text, detail));
                    }
                }
            }
            "ImplementationSpecific" => {
                let text = route.text("path");
                if !text.is_empty() && !text.starts_with('/') {
                    let detail = "must be an absolute path";
                    faults.push(Fault::invalid(&path.child("path"), text, detail));
                }
            }
            other => {
                let supported = ["Exact", "ImplementationSpecific", "Prefix"];
                faults.push(Fault::not_supported(&path.child("pathType"), other, &supported));
            }
        }
        backend(&route["backend"], &path.child("backend"), faults);
    }
}

fn backend(backend: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match (backend.has("service"), backend.has("resource")) {
        (true, true) => {
            let detail = "cannot set both resource and service backends";
            faults.push(Fault::invalid(path, "", detail));
        }
        (false, false) => {
            let detail = "resource or service backend is required";
            faults.push(Fault::invalid(path, "", detail));
        }
        (false, true) => {
            let (resource, path) = (&backend["resource"], path.child("resource"));
            if resource.has("apiGroup") {
                let group = resource.text("apiGroup");
                let messages = names::dns1123_subdomain(group);
                check::invalid(&path.child("apiGroup"), group, messages, faults);
            }
            for (field, detail) in [("kind", "kind is required"), ("name", "name is required")] {
                if resource.lacks(field) {
                    faults.push(Fault::required(&path.child(field), detail));
                }
                check::text(resource, field, names::path_segment, &path, faults);
            }
        }
        (true, false) => {
            let service = &backend["service"];
            let own = path.child("service");
            check::required_text(service, "name", names::dns1123_label, &own, faults);
            let port = &service["port"];
            match (!port.lacks("name"), port.int("number").unwrap_or(0)) {
                (true, 0) => {
                    check::text(port, "name", names::port_name, &own.child("port"), faults);
                }
                (true, _) => {
                    let detail = "cannot set both port name & port number";
                    faults.push(Fault::invalid(path, "", detail));
                }
                (false, 0) => {
                    let detail = "port name or number is required";
                    faults.push(Fault::required(path, detail));
                }
                (false, number) => {
                    let messages = names::port_number(number);
                    check::invalid(&own.child("port.number"), number, messages, faults);
                }
            }
        }
    }
}
