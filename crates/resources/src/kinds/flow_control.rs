//! The kinds of `flowcontrol.apiserver.k8s.io`: which requests wait for which.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, no_metadata_of_status};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// The level, and the schema, whose requests never wait.
const EXEMPT: &str = "exempt";
const PRECEDENCE_MAX: i64 = 10_000;
const QUEUES_MAX: i64 = 10_000_000;

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
        let precedence = spec.int("matchingPrecedence").unwrap_or(0);
        let at = path.child("matchingPrecedence");
        if precedence <= 0 {
            faults.push(Fault::invalid(&at, precedence, "must be a positive value"));
        } else if precedence > PRECEDENCE_MAX {
            let detail = format!("must not be greater than {PRECEDENCE_MAX}");
            faults.push(Fault::invalid(&at, precedence, detail));
        } else if precedence == 1 && schema["metadata"].text("name") != EXEMPT {
            let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
            faults.push(Fault::invalid(&at, precedence, detail));
        }
        let method = &spec["distinguisherMethod"];
        if method.is_object() {
            let path = path.child("distinguisherMethod");
            let methods = ["ByNamespace", "ByUser"];
            if !methods.contains(&method.text("type")) {
                let path = path.child("type");
                faults.push(Fault::not_supported(&path, method.text("type"), &methods));
            }
        }
        let level = &spec["priorityLevelConfiguration"];
        let at = path.child("priorityLevelConfiguration");
        let name = level.text("name");
        if name.is_empty() {
            faults.push(Fault::required(&at.child("name"), "must reference a priority level"));
        } else {
            check::invalid(&at.child("name"), name, names::dns1123_subdomain(name), faults);
        }
        let rules = path.child("rules");
        for (index, rule) in spec.items("rules").iter().enumerate() {
            policy_rule(rule, &rules.index(index), faults);
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
        let path = list.index(index);
        verbs(own, &path, faults);
        for (field, what) in [("apiGroups", "API groups"), ("resources", "resources")] {
            texts(own, field, what, &path, faults);
        }
        let namespaces = path.child("namespaces");
        if own.lacks("namespaces") && !own.is("clusterScope") {
            let detail =
                "resource rules that are not cluster scoped must supply at least one namespace";
            faults.push(Fault::required(&namespaces, detail));
        }
        star_alone(own, "namespaces", "namespaces", &path, faults);
        for (index, namespace) in own.items("namespaces").iter().enumerate() {
            let namespace = namespace.as_str().unwrap_or_default();
            if namespace != "*" {
                let messages = names::dns1123_label(namespace);
                check::invalid(&namespaces.index(index), namespace, messages, faults);
            }
        }
    }
    let list = path.child("nonResourceRules");
    for (index, own) in rule.items("nonResourceRules").iter().enumerate() {
        let path = list.index(index);
        verbs(own, &path, faults);
        texts(own, "nonResourceURLs", "non-resource URLs", &path, faults);
        let urls = path.child("nonResourceURLs");
        for (index, url) in own.items("nonResourceURLs").iter().enumerate() {
            let url = url.as_str().unwrap_or_default();
            if url != "*" && !url.starts_with('/') {
                let detail = "must start with slash";
                faults.push(Fault::invalid(&urls.index(index), url, detail));
            }
        }
    }
}

fn subject(subject: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kinds = [("User", "user"), ("Group", "group"), ("ServiceAccount", "serviceAccount")];
    let kind = subject.text("kind");
    if !kinds.iter().any(|(name, _)| *name == kind) {
        let supported = ["Group", "ServiceAccount", "User"];
        faults.push(Fault::not_supported(&path.child("kind"), kind, &supported));
        return;
    }
    for (name, field) in kinds {
        let path = path.child(field);
        if name == kind && !subject[field].is_object() {
            let detail = format!("{field} is required when subject kind is {kind:?}");
            faults.push(Fault::required(&path, detail));
        } else if name != kind && subject.has(field) {
            let detail = format!("{field} is forbidden when subject kind is not {name:?}");
            faults.push(Fault::forbidden(&path, detail));
        } else if name == kind {
            check::required(&subject[field], "name", &path, faults);
            if name == "ServiceAccount" {
                check::required(&subject[field], "namespace", &path, faults);
            }
        }
    }
}

fn verbs(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let supported = [
        "*",
        "connect",
        "create",
        "delete",
        "deletecollection",
        "get",
        "head",
        "list",
        "options",
        "patch",
        "post",
        "proxy",
        "put",
        "update",
        "watch",
    ];
    texts(rule, "verbs", "verbs", path, faults);
    let list = path.child("verbs");
    for (index, verb) in rule.items("verbs").iter().enumerate() {
        let verb = verb.as_str().unwrap_or_default();
        if !supported.contains(&verb) {
            faults.push(Fault::not_supported(&list.index(index), verb, &supported));
        }
    }
}

/// A list that has something, and nothing beside a star.
fn texts(rule: &Value, field: &str, what: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if rule.lacks(field) {
        let detail = format!("{what} must contain at least one value");
        faults.push(Fault::required(&path.child(field), detail));
    }
    star_alone(rule, field, what, path, faults);
}

fn star_alone(rule: &Value, field: &str, what: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let items = rule.items(field);
    if items.len() > 1 && items.iter().any(|item| item == "*") {
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
        let is_exempt = level["metadata"].text("name") == EXEMPT;
        let kind = spec.text("type");
        if is_exempt != (kind == "Exempt") && matches!(kind, "Exempt" | "Limited") {
            let detail = "type must be 'Exempt' if and only if the name is 'exempt'";
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
    for field in ["queueLengthLimit", "queues", "handSize"] {
        if number(field) <= 0 {
            faults.push(Fault::invalid(&path.child(field), number(field), "must be positive"));
        }
    }
    let (queues, hand) = (number("queues"), number("handSize"));
    if queues > QUEUES_MAX {
        let detail = format!("must not be greater than {QUEUES_MAX}");
        faults.push(Fault::invalid(&path.child("queues"), queues, detail));
    }
    if hand > queues {
        let detail = format!("should not be greater than queues ({queues})");
        faults.push(Fault::invalid(&path.child("handSize"), hand, detail));
    } else if queues > 0 && hand > 0 && entropy_bits(queues, hand) > 60 {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater \
             than 60"
        );
        faults.push(Fault::invalid(&path.child("handSize"), hand, detail));
    }
}

/// How many bits choose a hand of queues: those of the number of ordered hands.
fn entropy_bits(queues: i64, hand: i64) -> u32 {
    // More than this many bits are too many anyway.
    let mut hands: u128 = 1;
    for place in 0..hand.min(128) {
        hands = hands.saturating_mul(u128::try_from(queues - place).unwrap_or(1));
        if hands.ilog2() > 64 {
            return 65;
        }
    }
    hands.ilog2() + u32::from(!hands.is_power_of_two())
}
