//! Limit ranges.
//!
//! Spec: <https://kubernetes.io/docs/concepts/policy/limit-range/>

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, Quantity, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::Definition;
use crate::look::Look;
use crate::quota::{Amounts, amounts};
use crate::rules::KindRules;
use crate::types::resources;

/// The kinds of things that have a limit and a name without a domain.
const STANDARD: [&str; 3] = ["Container", "PersistentVolumeClaim", "Pod"];

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "LimitRange").short(&["limits"]).rules(LimitRanges)
}

#[derive(Debug)]
struct LimitRanges;

impl KindRules for LimitRanges {
    fn default(&self, range: &mut Value) {
        let items = range.get_mut("spec").and_then(|spec| spec.get_mut("limits"));
        let Some(Value::Array(items)) = items else { return };
        for item in items {
            let Value::Object(item) = item else { continue };
            if item.text("type") == "Container" {
                // A limit where there is an upper bound, a request where there is a limit or a
                // lower bound.
                fill(item, "default", "max");
                fill(item, "defaultRequest", "default");
                fill(item, "defaultRequest", "min");
            }
        }
    }

    fn validate(&self, range: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("spec.limits");
        let mut seen = BTreeSet::new();
        for (index, item) in range["spec"].items("limits").iter().enumerate() {
            let path = list.index(index);
            let kind = item.text("type");
            kind_of_limit(kind, &path.child("type"), faults);
            if !seen.insert(kind) {
                faults.push(Fault::duplicate(&path.child("type"), kind));
            }
            limits(item, kind, &path, faults);
        }
    }
}

/// Fills in what one field lacks from another.
fn fill(item: &mut Map<String, Value>, field: &str, from: &str) {
    let Some(Value::Object(source)) = item.get(from).cloned() else { return };
    if source.is_empty() {
        return;
    }
    let target = item.entry(field).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(target) = target else { return };
    for (name, amount) in source {
        target.entry(name).or_insert(amount);
    }
}

fn kind_of_limit(kind: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let messages = names::qualified_name(kind);
    if !messages.is_empty() {
        check::invalid(path, kind, messages, faults);
    } else if !kind.contains('/') && !STANDARD.contains(&kind) {
        let detail = "must be a standard limit type or fully qualified";
        faults.push(Fault::invalid(path, kind, detail));
    }
}

fn limits(item: &Value, kind: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let of = |field: &str| amounts(&item[field]);
    let name_rule = |name: &str, path: &FieldPath<'_>, faults: &mut Faults| match kind {
        "Container" | "Pod" => resources::container_name(name, path, faults),
        _ => {
            resources::name(name, path, faults);
        }
    };
    for field in ["max", "min", "maxLimitRequestRatio"] {
        for (name, _) in item.entries(field) {
            name_rule(name, &path.child(field).key(name), faults);
        }
    }
    for field in ["default", "defaultRequest"] {
        if kind == "Pod" {
            if !item.lacks(field) {
                let detail = "may not be specified when `type` is 'Pod'";
                faults.push(Fault::forbidden(&path.child(field), detail));
            }
            continue;
        }
        for (name, _) in item.entries(field) {
            name_rule(name, &path.child(field).key(name), faults);
        }
    }
    let (min, max) = (of("min"), of("max"));
    if kind == "PersistentVolumeClaim"
        && !min.contains_key("storage")
        && !max.contains_key("storage")
    {
        let detail =
            "either minimum or maximum storage value is required, but neither was provided";
        faults.push(Fault::required(&path.child("limits"), detail));
    }
    let (default, request) = if kind == "Pod" {
        (Amounts::new(), Amounts::new())
    } else {
        (of("default"), of("defaultRequest"))
    };
    let ratio = of("maxLimitRequestRatio");
    let all = [&min, &max, &default, &request, &ratio];
    let named: BTreeSet<&String> = all.iter().flat_map(|amounts| amounts.keys()).collect();
    for name in named {
        let bounds = Bounds {
            name,
            path,
            min: min.get(name).copied(),
            max: max.get(name).copied(),
            default: default.get(name).copied(),
            request: request.get(name).copied(),
            ratio: ratio.get(name).copied(),
        };
        bounds.check(faults);
    }
}

/// What is said of one resource.
struct Bounds<'a> {
    name: &'a str,
    path: &'a FieldPath<'a>,
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

impl Bounds<'_> {
    fn check(&self, faults: &mut Faults) {
        let pairs = [
            (self.min, "min value", self.max, "max value", "min", false),
            (self.min, "min value", self.request, "default request value", "defaultRequest", true),
            (self.request, "default request value", self.max, "max value", "defaultRequest", false),
            (
                self.request,
                "default request value",
                self.default,
                "default limit value",
                "defaultRequest",
                false,
            ),
            (self.min, "min value", self.default, "default value", "default", false),
            (self.default, "default value", self.max, "max value", "default", true),
        ];
        for (low, low_word, high, high_word, field, shows_high) in pairs {
            let (Some(low), Some(high)) = (low, high) else { continue };
            if low > high {
                let detail = format!("{low_word} {low} is greater than {high_word} {high}");
                let shown = if shows_high { high } else { low };
                self.fault(field, shown, detail, faults);
            }
        }
        self.check_ratio(faults);
        if let (Some(default), Some(request)) = (self.default, self.request)
            && default != request
            && !resources::overcommits(self.name)
        {
            let name = self.name;
            let detail = format!(
                "default value {default} must equal to defaultRequest value {request} in {name}"
            );
            self.fault("defaultRequest", request, detail, faults);
        }
    }

    fn check_ratio(&self, faults: &mut Faults) {
        let Some(ratio) = self.ratio else { return };
        if ratio < Quantity::from_value(1) {
            let detail = format!("ratio {ratio} is less than 1");
            self.fault("maxLimitRequestRatio", ratio, detail, faults);
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && !min.is_zero()
        {
            let most = max.as_f64() / min.as_f64();
            if ratio.as_f64() > most {
                let detail = format!("ratio {ratio} is greater than max/min = {most:.6}");
                self.fault("maxLimitRequestRatio", ratio, detail, faults);
            }
        }
    }

    fn fault(&self, field: &str, value: Quantity, detail: String, faults: &mut Faults) {
        let path = self.path.child(field);
        faults.push(Fault::invalid(&path.key(self.name), value.to_string(), detail));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn range(item: Value) -> Value {
        json!({"metadata": {"name": "r"}, "spec": {"limits": [item]}})
    }

    #[track_caller]
    fn check(case: &str, item: Value, expected: &[&str]) {
        let mut faults = Faults::new();
        LimitRanges.validate(&range(item), &mut faults);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, expected, "{case}");
    }

    #[test]
    fn limits_follow_from_bounds_and_requests_from_limits() {
        let mut range = range(json!({
            "type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"},
        }));
        LimitRanges.default(&mut range);
        let item = &range["spec"]["limits"][0];
        assert_eq!(item["default"], json!({"cpu": "2"}));
        assert_eq!(item["defaultRequest"], json!({"cpu": "2", "memory": "1Mi"}));
    }

    #[test]
    fn bounds_must_make_sense() {
        check("fine", json!({"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "1"}}), &[]);
        check(
            "crossed",
            json!({"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}}),
            &[
                "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
            ],
        );
        check(
            "defaults of pods",
            json!({"type": "Pod", "default": {"cpu": "1"}}),
            &["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
        );
        check(
            "a claim without size",
            json!({"type": "PersistentVolumeClaim"}),
            &["spec.limits[0].limits: Required value: either minimum or maximum storage value is \
             required, but neither was provided"],
        );
        let below =
            json!({"type": "Container", "min": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}});
        check(
            "a default below the bound",
            below,
            &[
                "spec.limits[0].defaultRequest[cpu]: Invalid value: \"1\": min value 2 is greater than \
             default request value 1",
            ],
        );
        check(
            "a ratio below one",
            json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}),
            &[
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less \
             than 1",
            ],
        );
        check(
            "an unknown type",
            json!({"type": "Thing"}),
            &[
                "spec.limits[0].type: Invalid value: \"Thing\": must be a standard limit type or fully \
             qualified",
            ],
        );
    }
}
