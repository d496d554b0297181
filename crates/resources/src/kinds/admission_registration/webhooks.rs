//! Webhooks: who is asked, about what, and what its answer is worth.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{match_conditions, rule};
use crate::check::{self, Faults};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The rules of both kinds of webhook configurations.
#[derive(Debug)]
pub(super) struct Webhooks {
    /// Whether the webhooks change objects.
    pub(super) mutating: bool,
}

impl KindRules for Webhooks {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("webhooks") != old.get("webhooks")
    }

    fn validate(&self, configuration: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("webhooks");
        let all = configuration.items("webhooks");
        for (index, webhook) in all.iter().enumerate() {
            let path = list.index(index);
            let name = webhook.text("name");
            qualified(name, &path.child("name"), faults);
            if all[..index].iter().any(|other| other.text("name") == name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
            self::webhook(webhook, self.mutating, &path, faults);
        }
    }

    fn row(&self, configuration: &Value, now: Timestamp) -> Vec<Value> {
        let count = configuration.items("webhooks").len();
        vec![table::name(configuration), count.into(), table::age(configuration, now)]
    }
}

/// Checks a name of at least three parts.
fn qualified(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
        return;
    }
    check::invalid(path, name, names::dns1123_subdomain(name), faults);
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        faults.push(Fault::invalid(path, name, detail));
    }
}

fn webhook(webhook: &Value, mutating: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let versions = webhook.items("admissionReviewVersions");
    let at = path.child("admissionReviewVersions");
    if versions.is_empty() {
        faults.push(Fault::required(&at, "must specify one of v1, v1beta1"));
    } else {
        let texts: Vec<&str> = versions.iter().filter_map(Value::as_str).collect();
        for (index, version) in texts.iter().enumerate() {
            if texts[..index].contains(version) {
                let path = at.index(index);
                faults.push(Fault::invalid(&path, *version, "duplicate version"));
            }
            check::invalid(&at.index(index), *version, names::dns1035_label(version), faults);
        }
        if !texts.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
            let value = webhook["admissionReviewVersions"].clone();
            let detail = "must include at least one of v1, v1beta1";
            faults.push(Fault::invalid(&at, value, detail));
        }
    }
    rules(webhook, path, faults);
    check::one_of(webhook, "failurePolicy", &["Fail", "Ignore"], path, faults);
    check::one_of(webhook, "matchPolicy", &["Equivalent", "Exact"], path, faults);
    let effects = path.child("sideEffects");
    match webhook.text("sideEffects") {
        "" => faults.push(Fault::required(&effects, "must specify one of None, NoneOnDryRun")),
        "None" | "NoneOnDryRun" => {}
        other => faults.push(Fault::not_supported(&effects, other, &["None", "NoneOnDryRun"])),
    }
    if let Some(seconds) = webhook.int("timeoutSeconds")
        && !(1..=30).contains(&seconds)
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        faults.push(Fault::invalid(&path.child("timeoutSeconds"), seconds, detail));
    }
    if mutating {
        check::one_of(webhook, "reinvocationPolicy", &["IfNeeded", "Never"], path, faults);
    }
    client_config(&webhook["clientConfig"], &path.child("clientConfig"), faults);
    match_conditions(webhook, path, faults);
}

fn rules(webhook: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("rules");
    for (index, own) in webhook.items("rules").iter().enumerate() {
        rule(own, &list.index(index), faults);
    }
}

fn client_config(config: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (url, service) = (config.text("url"), &config["service"]);
    if url.is_empty() != service.is_object() {
        faults.push(Fault::required(path, "exactly one of url or service is required"));
    }
    if !url.is_empty() {
        self::url(url, &path.child("url"), faults);
    }
    if service.is_object() {
        let path = path.child("service");
        check::required(service, "name", &path, faults);
        check::required(service, "namespace", &path, faults);
        if let Some(port) = service.int("port") {
            check::invalid(&path.child("port"), port, names::port_number(port), faults);
        }
        let own = service.text("path");
        let at = path.child("path");
        if !own.is_empty() && !own.starts_with('/') {
            faults.push(Fault::invalid(&at, own, "must start with a '/'"));
        } else if own.len() > 1 {
            let parts: Vec<&str> = own[1..].trim_end_matches('/').split('/').collect();
            for (index, part) in parts.iter().enumerate() {
                if part.is_empty() {
                    let detail = format!("segment[{index}] may not be empty");
                    faults.push(Fault::invalid(&at, own, detail));
                }
                for message in names::dns1123_subdomain(part) {
                    if !part.is_empty() {
                        let detail = format!("segment[{index}]: {message}");
                        faults.push(Fault::invalid(&at, own, detail));
                    }
                }
            }
        }
    }
}

fn url(url: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut fault = |detail: String| faults.push(Fault::invalid(path, url, detail + FORM));
    let Some((scheme, rest)) = url.split_once("://") else {
        fault("url must be a valid URL".to_owned());
        return;
    };
    if scheme != "https" {
        fault("'https' is the only allowed URL scheme".to_owned());
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.is_empty() {
        fault("host must be specified".to_owned());
    }
    if authority.contains('@') {
        fault("user information is not permitted in the URL".to_owned());
    }
    if rest.contains('#') {
        fault("fragments are not permitted in the URL".to_owned());
    }
    if rest.contains('?') {
        fault("query parameters are not permitted in the URL".to_owned());
    }
}
