//! Label selectors of objects.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::Look;
use crate::metadata;
use crate::walk::TypeRule;

pub(super) const RULE: TypeRule = TypeRule { validate, ..TypeRule::NONE };

/// Checks labels and expressions of a selector.
pub(crate) fn validate(selector: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    metadata::labels(selector, "matchLabels", path, faults);
    let list = path.child("matchExpressions");
    for (index, expression) in selector.items("matchExpressions").iter().enumerate() {
        let path = list.index(index);
        let values = path.child("values");
        match expression.text("operator") {
            "In" | "NotIn" => {
                if expression.lacks("values") {
                    let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                    faults.push(Fault::required(&values, detail));
                }
            }
            "Exists" | "DoesNotExist" => {
                if !expression.lacks("values") {
                    let detail = "may not be specified when `operator` is 'Exists' or \
                                  'DoesNotExist'";
                    faults.push(Fault::forbidden(&values, detail));
                }
            }
            other => {
                let detail = "not a valid selector operator";
                faults.push(Fault::invalid(&path.child("operator"), other, detail));
            }
        }
        let key = expression.text("key");
        check::invalid(&path.child("key"), key, names::qualified_name(key), faults);
        for (index, value) in expression.items("values").iter().enumerate() {
            let text = value.as_str().unwrap_or_default();
            check::invalid(&values.index(index), text, names::label_value(text), faults);
        }
    }
}
