//! The kinds of `flowcontrol.apiserver.k8s.io`: which requests wait for which.

mod mandatory;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, no_metadata_of_status};
use crate::look::Look;
use crate::rules::{KindRules, Update};
use crate::table;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// The level, and the schema, whose requests never wait.
const EXEMPT: &str = "exempt";
const PRECEDENCE_MAX: i64 = 10_000;
const QUEUES_MAX: i64 = 10_000_000;
/// The most bits of a hash that may go into the choice of queues.
const ENTROPY_MAX: f64 = 60.0;

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        define(GROUP, "v1", "FlowSchema")
            .generation()
            .columns(vec![
                Column::NAME,
                Column::text("PriorityLevel", "The priority level of the requests."),
                Column::int("MatchingPrecedence", "Schemas with a lower number are asked first."),
                Column::text("DistinguisherMethod", "What tells flows apart."),
                Column::AGE,
                Column::text("MissingPL", "Whether the priority level is missing."),
            ])
            .rules(Schemas)
            .status(),
        define(GROUP, "v1", "PriorityLevelConfiguration")
            .generation()
            .shows([
                Column::text("Type", "Whether the level is limited."),
                Column::text("NominalConcurrencyShares", "The level's share of all seats."),
                Column::text("Queues", "The number of queues."),
                Column::text("HandSize", "How many queues a flow may use."),
                Column::text("QueueLengthLimit", "How many requests may wait in a queue."),
            ])
            .rules(Levels)
            .status(),
    ]
}

#[derive(Debug)]
struct Schemas;

impl KindRules for Schemas {
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn validate(&self, schema: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &schema["spec"];
        let name = schema["metadata"].text("name");
        let precedence = spec.int("matchingPrecedence").unwrap_or(0);
        let at = path.child("matchingPrecedence");
        if precedence <= 0 {
            faults.push(Fault::invalid(&at, precedence, "must be a positive value"));
        }
        if precedence > PRECEDENCE_MAX {
            let detail = format!("must not be greater than {PRECEDENCE_MAX}");
            faults.push(Fault::invalid(&at, precedence, detail));
        }
        if precedence == 1 && name != EXEMPT {
            let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
            faults.push(Fault::invalid(&at, precedence, detail));
        }
        let method = &spec["distinguisherMethod"];
        let methods = ["ByNamespace", "ByUser"];
        if method.is_object() && !methods.contains(&method.text("type")) {
            let path = path.child("distinguisherMethod.type");
            faults.push(Fault::not_supported(&path, method.clone(), &methods));
        }
        let level = spec["priorityLevelConfiguration"].text("name");
        let at = path.child("priorityLevelConfiguration.name");
        if level.is_empty() {
            faults.push(Fault::required(&at, "must reference a priority level"));
        } else {
            check::invalid(&at, level, names::dns1123_subdomain(level), faults);
        }
        let rules = path.child("rules");
        for (index, rule) in spec.items("rules").iter().enumerate() {
            policy_rule(rule, &rules.index(index), faults);
        }
        if mandatory::schema(name).is_some_and(|fixed| fixed != *spec) {
            let detail = format!("spec of '{name}' must equal the fixed value");
            faults.push(Fault::invalid(&path, spec.clone(), detail));
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            conditions(new, faults);
        }
    }

    fn row(&self, schema: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&schema["spec"], &schema["status"]);
        let method = match spec["distinguisherMethod"].text("type") {
            "" => "<none>",
            method => method,
        };
        let missing = status
            .items("conditions")
            .iter()
            .find(|condition| condition.text("type") == "Dangling")
            .map_or("?", |condition| condition.text("status"));
        vec![
            table::name(schema),
            spec["priorityLevelConfiguration"].text("name").into(),
            table::int(spec, "matchingPrecedence"),
            method.into(),
            table::age(schema, now),
            missing.into(),
        ]
    }
}

/// Checks the conditions of a status: each has a type, and none is there twice.
fn conditions(object: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let list = root.child("status.conditions");
    let all = object["status"].items("conditions");
    for (index, condition) in all.iter().enumerate() {
        let path = list.index(index);
        let (kind, path) = (condition.text("type"), path.child("type"));
        if all[..index].iter().any(|other| other.text("type") == kind) {
            faults.push(Fault::duplicate(&path, kind));
        }
        if kind.is_empty() {
            faults.push(Fault::required(&path, "must not be empty"));
        }
    }
}

fn policy_rule(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("subjects");
    if rule.lacks("subjects") {
        faults.push(Fault::required(&list, "subjects must contain at least one value"));
    }
    for (index, own) in rule.items("subjects").iter().enumerate() {
        subject(own, &list.index(index), faults);
    }
    if rule.lacks("resourceRules") && rule.lacks("nonResourceRules") {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        faults.push(Fault::required(path, detail));
    }
    let list = path.child("resourceRules");
    for (index, own) in rule.items("resourceRules").iter().enumerate() {
        resource_rule(own, &list.index(index), faults);
    }
    let list = path.child("nonResourceRules");
    for (index, own) in rule.items("nonResourceRules").iter().enumerate() {
        let path = list.index(index);
        verbs(own, &path, faults);
        let urls = path.child("nonResourceURLs");
        if own.lacks("nonResourceURLs") {
            let detail = "nonResourceURLs must contain at least one value";
            faults.push(Fault::required(&urls, detail));
        }
        if has_star(own, "nonResourceURLs") {
            star_alone(own, "nonResourceURLs", "non-resource URLs", &path, faults);
            continue;
        }
        for (index, url) in own.items("nonResourceURLs").iter().enumerate() {
            url_path(url.as_str().unwrap_or_default(), &urls.index(index), faults);
        }
    }
}

fn resource_rule(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    verbs(rule, path, faults);
    for (field, one, many) in
        [("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")]
    {
        if rule.lacks(field) {
            let detail = format!("resource rules must supply at least one {one}");
            faults.push(Fault::required(&path.child(field), detail));
        }
        star_alone(rule, field, many, path, faults);
    }
    let namespaces = path.child("namespaces");
    if rule.lacks("namespaces") && !rule.is("clusterScope") {
        let detail =
            "resource rules that are not cluster scoped must supply at least one namespace";
        faults.push(Fault::required(&namespaces, detail));
    }
    if has_star(rule, "namespaces") {
        star_alone(rule, "namespaces", "namespaces", path, faults);
        return;
    }
    for (index, namespace) in rule.items("namespaces").iter().enumerate() {
        let namespace = namespace.as_str().unwrap_or_default();
        for message in names::dns1123_label(namespace) {
            let detail =
                format!("each member of this list must be '*' or a DNS-1123 label; {message}");
            faults.push(Fault::invalid(&namespaces.index(index), namespace, detail));
        }
    }
}

/// Checks a path that a request may ask for, or the beginning of such paths.
fn url_path(url: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let stars = url.matches('*').count();
    let detail = if url.is_empty() {
        "must not be empty"
    } else if !url.starts_with('/') {
        "must start with slash"
    } else if url.contains(' ') {
        "must not contain white-space"
    } else if url.contains("//") {
        "must not contain double slash"
    } else if stars > 1 || stars == 1 && !url.ends_with("/*") {
        "wildcard can only do suffix matching"
    } else {
        return;
    };
    faults.push(Fault::invalid(path, url, detail));
}

fn subject(subject: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kinds = [("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")];
    let kind = subject.text("kind");
    let Some((_, own)) = kinds.into_iter().find(|(name, _)| *name == kind) else {
        let supported = ["Group", "ServiceAccount", "User"];
        faults.push(Fault::not_supported(&path.child("kind"), kind, &supported));
        return;
    };
    let who = &subject[own];
    let at = path.child(own);
    if !who.is_object() {
        let detail = format!("{own} is required when subject kind is '{kind}'");
        faults.push(Fault::required(&at, detail));
    } else if kind == "ServiceAccount" {
        check::required(who, "name", &at, faults);
        if who.text("name") != "*" {
            check::text(who, "name", names::dns1123_subdomain, &at, faults);
        }
        if who.lacks("namespace") {
            let detail = "must specify namespace for service account";
            faults.push(Fault::required(&at.child("namespace"), detail));
        }
        check::text(who, "namespace", names::dns1123_label, &at, faults);
    } else {
        check::required(who, "name", &at, faults);
    }
    for (name, field) in kinds.into_iter().filter(|(name, _)| *name != kind) {
        if subject.has(field) {
            let detail = format!("{field} is forbidden when subject kind is not '{name}'");
            faults.push(Fault::forbidden(&path.child(field), detail));
        }
    }
}

/// What can be asked of objects and paths, as schemas tell it apart.
const VERBS: [&str; 9] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

fn verbs(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let known = |verb: &Value| verb.as_str().is_some_and(|verb| VERBS.contains(&verb));
    let list = path.child("verbs");
    if rule.lacks("verbs") {
        faults.push(Fault::required(&list, "verbs must contain at least one value"));
    } else if has_star(rule, "verbs") {
        star_alone(rule, "verbs", "verbs", path, faults);
    } else if !rule.items("verbs").iter().all(known) {
        faults.push(Fault::not_supported(&list, rule["verbs"].clone(), &VERBS));
    }
}

fn has_star(rule: &Value, field: &str) -> bool {
    rule.items(field).iter().any(|item| item == "*")
}

fn star_alone(rule: &Value, field: &str, what: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if rule.items(field).len() > 1 && has_star(rule, field) {
        let detail = format!("if '*' is present, must not specify other {what}");
        faults.push(Fault::invalid(&path.child(field), rule[field].clone(), detail));
    }
}

#[derive(Debug)]
struct Levels;

impl KindRules for Levels {
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn validate(&self, level: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &level["spec"];
        let name = level["metadata"].text("name");
        let kind = spec.text("type");
        if (name == EXEMPT) != (kind == "Exempt") {
            let detail = "type must be 'Exempt' if and only if name is 'exempt'";
            faults.push(Fault::invalid(&path.child("type"), kind, detail));
        }
        let (limited, exempt) = (&spec["limited"], &spec["exempt"]);
        match kind {
            "Exempt" => {
                if !limited.is_null() {
                    let detail = "must be nil if the type is not Limited";
                    faults.push(Fault::forbidden(&path.child("limited"), detail));
                }
                shares(exempt, &path.child("exempt"), faults);
            }
            "Limited" => {
                if !exempt.is_null() {
                    let detail = "must be nil if the type is Limited";
                    faults.push(Fault::forbidden(&path.child("exempt"), detail));
                }
                let path = path.child("limited");
                if limited.is_null() {
                    let detail = "must not be empty when type is Limited";
                    faults.push(Fault::required(&path, detail));
                } else {
                    shares(limited, &path, faults);
                    response(&limited["limitResponse"], &path.child("limitResponse"), faults);
                }
            }
            other => {
                let path = path.child("type");
                faults.push(Fault::not_supported(&path, other, &["Exempt", "Limited"]));
            }
        }
        if let Some(detail) = mandatory::unlike_level(name, spec) {
            faults.push(Fault::invalid(&path, spec.clone(), detail));
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            conditions(new, faults);
        }
    }

    fn row(&self, level: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &level["spec"];
        let number = |value: &Value, field: &str| -> Value {
            value.int(field).map_or("<none>".into(), |number| number.to_string().into())
        };
        let shares = match spec.text("type") {
            "Exempt" => &spec["exempt"],
            _ => &spec["limited"],
        };
        let queuing = &spec["limited"]["limitResponse"]["queuing"];
        vec![
            table::name(level),
            spec.text("type").into(),
            number(shares, "nominalConcurrencyShares"),
            number(queuing, "queues"),
            number(queuing, "handSize"),
            number(queuing, "queueLengthLimit"),
            table::age(level, now),
        ]
    }
}

fn shares(level: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if let Some(shares) = level.int("nominalConcurrencyShares").filter(|shares| *shares < 0) {
        let detail = "must be a non-negative integer";
        faults.push(Fault::invalid(&path.child("nominalConcurrencyShares"), shares, detail));
    }
    if let Some(percent) = level.int("lendablePercent")
        && !(0..=100).contains(&percent)
    {
        let detail = "must be between 0 and 100, inclusive";
        faults.push(Fault::invalid(&path.child("lendablePercent"), percent, detail));
    }
    if let Some(percent) = level.int("borrowingLimitPercent").filter(|percent| *percent < 0) {
        let detail = "if specified, must be a non-negative integer";
        faults.push(Fault::invalid(&path.child("borrowingLimitPercent"), percent, detail));
    }
}

fn response(response: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let queuing = &response["queuing"];
    let at = path.child("queuing");
    match response.text("type") {
        "Reject" => {
            if !queuing.is_null() {
                let detail = "must be nil if limited.limitResponse.type is not Limited";
                faults.push(Fault::forbidden(&at, detail));
            }
        }
        "Queue" if queuing.is_null() => {
            let detail = "must not be empty if limited.limitResponse.type is Limited";
            faults.push(Fault::required(&at, detail));
        }
        "Queue" => queues(queuing, &at, faults),
        other => {
            let path = path.child("type");
            faults.push(Fault::not_supported(&path, other, &["Queue", "Reject"]));
        }
    }
}

fn queues(queuing: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let number = |field: &str| queuing.int(field).unwrap_or(0);
    let (length, queues, hand) = (number("queueLengthLimit"), number("queues"), number("handSize"));
    if length <= 0 {
        faults.push(Fault::invalid(&path.child("queueLengthLimit"), length, "must be positive"));
    }
    let at = path.child("queues");
    if queues <= 0 {
        faults.push(Fault::invalid(&at, queues, "must be positive"));
    } else if queues > QUEUES_MAX {
        let detail = format!("must not be greater than {QUEUES_MAX}");
        faults.push(Fault::invalid(&at, queues, detail));
    }
    let at = path.child("handSize");
    if hand <= 0 {
        faults.push(Fault::invalid(&at, hand, "must be positive"));
    } else if hand > queues {
        let detail = format!("should not be greater than queues ({queues})");
        faults.push(Fault::invalid(&at, hand, detail));
    } else if entropy_bits(queues, hand) > ENTROPY_MAX {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater \
             than {ENTROPY_MAX}"
        );
        faults.push(Fault::invalid(&at, hand, detail));
    }
}

/// The bits of a hash that choose a hand of queues, counted a little too high, as Kubernetes does.
fn entropy_bits(queues: i64, hand: i64) -> f64 {
    // Both are 32 bits wide on the wire.
    let wide = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
    (wide(queues).log2() * wide(hand)).ceil()
}
