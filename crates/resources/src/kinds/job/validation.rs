//! What a job's specification may say, in jobs and in the templates of cron jobs.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::indexes;
use crate::check::{self, Faults};
use crate::kinds::workload;
use crate::look::Look;

const MAX_PARALLELISM: i64 = 100_000;
const MAX_FAILED_INDEXES: i64 = 100_000;
/// From here on, an indexed job with a limit per index is held to smaller numbers.
const MANY_COMPLETIONS: i64 = 100_000;
const MAX_AMONG_MANY: i64 = 10_000;
const MAX_RULES: usize = 20;
const MAX_PATTERNS: usize = 20;
const MAX_EXIT_CODES: usize = 255;
const MAX_INDEXES_BYTES: usize = 64 * 1024;
const MANAGER_MAX: usize = 63;

/// Checks a specification.
pub(in crate::kinds) fn spec(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    workload::counts(spec, &counts, path, faults);
    if spec.has("maxFailedIndexes") && !spec.has("backoffLimitPerIndex") {
        let detail = "when maxFailedIndexes is specified";
        faults.push(Fault::required(&path.child("backoffLimitPerIndex"), detail));
    }
    manager(spec, path, faults);
    check::one_of(spec, "completionMode", &["NonIndexed", "Indexed"], path, faults);
    match spec.text("completionMode") {
        "Indexed" => indexed(spec, path, faults),
        "" | "NonIndexed" => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(number) = spec.int(field) {
                    let detail = "requires indexed completion mode";
                    faults.push(Fault::invalid(&path.child(field), number, detail));
                }
            }
        }
        _ => {}
    }
    if spec.has("podFailurePolicy") {
        failure_policy(spec, &path.child("podFailurePolicy.rules"), faults);
    }
    if spec.has("successPolicy") {
        if spec.text("completionMode") == "Indexed" {
            success_policy(spec, &path.child("successPolicy.rules"), faults);
        } else {
            let detail = "requires indexed completion mode";
            let value = spec["successPolicy"].clone();
            faults.push(Fault::invalid(&path.child("successPolicy"), value, detail));
        }
    }
    let policies: &[&str] =
        if spec.has("podFailurePolicy") { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    check::one_of(spec, "podReplacementPolicy", policies, path, faults);
    restart_policy(spec, path, faults);
}

fn restart_policy(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let policy = spec["template"]["spec"].text("restartPolicy");
    let path = path.child("template.spec.restartPolicy");
    match policy {
        // It is what a template gets that names none.
        "Always" | "" => {
            let detail = "valid values: \"OnFailure\", \"Never\"";
            faults.push(Fault::required(&path, detail));
        }
        "OnFailure" if spec.has("podFailurePolicy") => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            faults.push(Fault::invalid(&path, policy, detail));
        }
        "OnFailure" | "Never" => {}
        other => faults.push(Fault::not_supported(&path, other, &["OnFailure", "Never"])),
    }
}

fn manager(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !spec.has("managedBy") {
        return;
    }
    let name = spec.text("managedBy");
    let path = path.child("managedBy");
    check::domain_path(name, &path, faults);
    if name.len() > MANAGER_MAX {
        faults.push(Fault::too_long(&path, MANAGER_MAX));
    }
}

fn indexed(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (completions, failed) = (spec.int("completions"), spec.int("maxFailedIndexes"));
    let parallelism = spec.int("parallelism");
    if completions.is_none() {
        let detail = "when completion mode is Indexed";
        faults.push(Fault::required(&path.child("completions"), detail));
    }
    let failed_path = path.child("maxFailedIndexes");
    let parallelism_path = path.child("parallelism");
    if let Some(parallelism) = parallelism.filter(|count| *count > MAX_PARALLELISM) {
        let detail = format!(
            "must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed"
        );
        faults.push(Fault::invalid(&parallelism_path, parallelism, detail));
    }
    if let (Some(completions), Some(failed)) = (completions, failed)
        && failed > completions
    {
        let detail = "must be less than or equal to completions";
        faults.push(Fault::invalid(&failed_path, failed, detail));
    }
    if let Some(failed) = failed.filter(|failed| *failed > MAX_FAILED_INDEXES) {
        let detail = format!("must be less than or equal to {MAX_FAILED_INDEXES}");
        faults.push(Fault::invalid(&failed_path, failed, detail));
    }
    let many = completions.is_some_and(|completions| completions > MANY_COMPLETIONS);
    if !many || !spec.has("backoffLimitPerIndex") {
        return;
    }
    if failed.is_none() {
        let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
        faults.push(Fault::required(&failed_path, detail));
    }
    for (path, number) in [(&parallelism_path, parallelism), (&failed_path, failed)] {
        if let Some(number) = number.filter(|number| *number > MAX_AMONG_MANY) {
            let detail = format!(
                "must be less than or equal to {MAX_AMONG_MANY} when completions are above \
                 {MANY_COMPLETIONS} and used with backoff limit per index"
            );
            faults.push(Fault::invalid(path, number, detail));
        }
    }
}

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];

/// A list of values as Go writes it where one is missing: `["A" "B"]`.
fn valid(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| wk_api::fault::quote(value)).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn required_choice(
    object: &Value,
    field: &str,
    values: &[&str],
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    if object.lacks(field) {
        faults.push(Fault::required(&path.child(field), valid(values)));
    } else {
        check::one_of(object, field, values, path, faults);
    }
}

fn failure_policy(spec: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let rules = spec["podFailurePolicy"].items("rules");
    if rules.len() > MAX_RULES {
        faults.push(Fault::too_many(list, rules.len(), MAX_RULES));
    }
    let template = &spec["template"]["spec"];
    let containers = template.items("containers").iter().chain(template.items("initContainers"));
    let containers: Vec<&str> = containers.map(|container| container.text("name")).collect();
    for (index, rule) in rules.iter().enumerate() {
        let path = list.index(index);
        if rule.text("action") == "FailIndex" {
            if !spec.has("backoffLimitPerIndex") {
                let detail = "requires the backoffLimitPerIndex to be set";
                faults.push(Fault::invalid(&path.child("action"), "FailIndex", detail));
            }
        } else {
            required_choice(rule, "action", &ACTIONS, &path, faults);
        }
        let codes = rule.has("onExitCodes");
        if codes {
            exit_codes(&rule["onExitCodes"], &containers, &path.child("onExitCodes"), faults);
        }
        let conditions = !rule.lacks("onPodConditions");
        if conditions {
            let patterns = rule.items("onPodConditions");
            pod_conditions(patterns, &path.child("onPodConditions"), faults);
        }
        match (codes, conditions) {
            (true, true) => {
                let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
                check::unshown(&path, detail, faults);
            }
            (false, false) => {
                let detail = "specifying one of OnExitCodes and OnPodConditions is required";
                check::unshown(&path, detail, faults);
            }
            (true, false) | (false, true) => {}
        }
    }
}

fn pod_conditions(patterns: &[Value], list: &FieldPath<'_>, faults: &mut Faults) {
    if patterns.len() > MAX_PATTERNS {
        faults.push(Fault::too_many(list, patterns.len(), MAX_PATTERNS));
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let path = list.index(index);
        let kind = pattern.text("type");
        check::invalid(&path.child("type"), kind, names::qualified_name(kind), faults);
        required_choice(pattern, "status", &["False", "True", "Unknown"], &path, faults);
    }
}

fn exit_codes(codes: &Value, containers: &[&str], path: &FieldPath<'_>, faults: &mut Faults) {
    required_choice(codes, "operator", &["In", "NotIn"], path, faults);
    let name = codes.text("containerName");
    if codes.has("containerName") && !containers.contains(&name) {
        let detail = "must be one of the container or initContainer names in the pod template";
        faults.push(Fault::invalid(&path.child("containerName"), name, detail));
    }
    let list = path.child("values");
    let values: Vec<i64> = codes.items("values").iter().filter_map(Value::as_i64).collect();
    if values.is_empty() {
        let detail = "at least one value is required";
        faults.push(Fault::invalid(&list, codes["values"].clone(), detail));
    } else if values.len() > MAX_EXIT_CODES {
        faults.push(Fault::too_many(&list, values.len(), MAX_EXIT_CODES));
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let path = list.index(index);
        if codes.text("operator") == "In" && *value == 0 {
            faults.push(Fault::invalid(&path, 0, "must not be 0 for the In operator"));
        }
        if !seen.insert(*value) {
            faults.push(Fault::duplicate(&path, *value));
        }
    }
    if !values.is_sorted() {
        faults.push(Fault::invalid(&list, codes["values"].clone(), "must be ordered"));
    }
}

fn success_policy(spec: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let rules = spec["successPolicy"].items("rules");
    if rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        faults.push(Fault::required(list, detail));
    }
    if rules.len() > MAX_RULES {
        faults.push(Fault::too_many(list, rules.len(), MAX_RULES));
    }
    let completions = spec.int("completions").unwrap_or(0);
    for (index, rule) in rules.iter().enumerate() {
        let path = list.index(index);
        let indexes_given = rule.has("succeededIndexes");
        if !rule.has("succeededCount") && !indexes_given {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            faults.push(Fault::required(&path, detail));
        }
        let mut total = 0;
        if indexes_given {
            let text = rule.text("succeededIndexes");
            let path = path.child("succeededIndexes");
            if text.len() > MAX_INDEXES_BYTES {
                faults.push(Fault::too_long(&path, MAX_INDEXES_BYTES));
            }
            match indexes::parse(text, completions) {
                Ok((_, found)) => total = found,
                Err(error) => {
                    let detail = format!("error parsing succeededIndexes: {error}");
                    faults.push(Fault::invalid(&path, text, detail));
                }
            }
        }
        let Some(count) = rule.int("succeededCount") else { continue };
        workload::counts(rule, &["succeededCount"], &path, faults);
        let path = path.child("succeededCount");
        if count > completions {
            let detail = format!(
                "must be less than or equal to {completions} (the number of specified completions)"
            );
            faults.push(Fault::invalid(&path, count, detail));
        }
        if indexes_given && count > total {
            let detail = format!(
                "must be less than or equal to {total} (the number of indexes in the specified \
                 succeededIndexes field)"
            );
            faults.push(Fault::invalid(&path, count, detail));
        }
    }
}

/// What a client is warned of who makes a job of a specification at `path`.
pub(super) fn warnings(spec: &Value, path: &str) -> Vec<String> {
    let many = spec.int("completions").is_some_and(|count| count > MANY_COMPLETIONS);
    let wide = spec.int("parallelism").is_some_and(|count| count > MAX_AMONG_MANY);
    if spec.text("completionMode") == "Indexed" && many && wide {
        return vec![format!(
            "{path}: In Indexed Jobs with a number of completions higher than 10^5 and a \
             parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes \
             when a big number of indexes fail"
        )];
    }
    Vec::new()
}
