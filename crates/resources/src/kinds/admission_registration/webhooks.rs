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
            self::webhook(webhook, self.mutating, &path, faults);
            review_versions(webhook, &path.child("admissionReviewVersions"), faults);
            let name = webhook.text("name");
            if !name.is_empty() && all[..index].iter().any(|other| other.text("name") == name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
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
    let messages = names::dns1123_subdomain(name);
    if !messages.is_empty() {
        faults.push(Fault::invalid(path, name, messages.join(",")));
    } else if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        faults.push(Fault::invalid(path, name, detail));
    }
}

/// Checks in which versions a webhook can be asked.
fn review_versions(webhook: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let versions: Vec<&str> =
        webhook.items("admissionReviewVersions").iter().filter_map(Value::as_str).collect();
    if versions.is_empty() {
        faults.push(Fault::required(list, "must specify one of v1, v1beta1"));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let path = list.index(index);
        if versions[..index].contains(version) {
            faults.push(Fault::invalid(&path, *version, "duplicate version"));
        } else {
            check::invalid(&path, *version, names::dns1035_label(version), faults);
        }
    }
    if !versions.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
        let value = webhook["admissionReviewVersions"].clone();
        faults.push(Fault::invalid(list, value, "must include at least one of v1, v1beta1"));
    }
}

fn webhook(webhook: &Value, mutating: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    qualified(webhook.text("name"), &path.child("name"), faults);
    let list = path.child("rules");
    for (index, own) in webhook.items("rules").iter().enumerate() {
        rule(own, &list.index(index), faults);
    }
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

fn client_config(config: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match (config.has("url"), config.has("service")) {
        (true, false) => url(config.text("url"), &path.child("url"), faults),
        (false, true) => service(&config["service"], &path.child("service"), faults),
        (true, true) | (false, false) => {
            faults.push(Fault::required(path, "exactly one of url or service is required"));
        }
    }
}

fn service(service: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for field in ["name", "namespace"] {
        if service.lacks(field) {
            let detail = format!("service {field} is required");
            faults.push(Fault::required(&path.child(field), detail));
        }
    }
    if let Some(port) = service.int("port") {
        for message in names::port_number(port) {
            let detail = format!("port is not valid: {message}");
            faults.push(Fault::invalid(&path.child("port"), port, detail));
        }
    }
    let (own, path) = (service.text("path"), path.child("path"));
    if matches!(own, "" | "/") {
        return;
    }
    if own == "//" {
        faults.push(Fault::invalid(&path, own, "segment[0] may not be empty"));
        return;
    }
    if !own.starts_with('/') {
        faults.push(Fault::invalid(&path, own, "must start with a '/'"));
    }
    // The first character is taken for the slash that it is to be.
    let rest: &str = own.char_indices().nth(1).map_or("", |(at, _)| &own[at..]);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    for (index, part) in rest.split('/').enumerate() {
        if part.is_empty() {
            let detail = format!("segment[{index}] may not be empty");
            faults.push(Fault::invalid(&path, own, detail));
            continue;
        }
        for message in names::dns1123_subdomain(part) {
            let detail = format!("segment[{index}]: {message}");
            faults.push(Fault::invalid(&path, own, detail));
        }
    }
}

fn url(url: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut fault = |part: &str, detail: &str, form: &str| {
        faults.push(Fault::invalid(path, part, format!("{detail}{form}")));
    };
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", url),
    };
    if !scheme.eq_ignore_ascii_case("https") {
        fault(scheme, "'https' is the only allowed URL scheme", FORM);
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.strip_prefix("//").map_or("", |rest| rest.split('/').next().unwrap_or(""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if host.is_empty() {
        fault("", "host must be specified", FORM);
    }
    if let Some(user) = user {
        fault(user, "user information is not permitted in the URL", "");
    }
    if !fragment.is_empty() {
        fault(fragment, "fragments are not permitted in the URL", "");
    }
    if !query.is_empty() {
        fault(query, "query parameters are not permitted in the URL", "");
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}
