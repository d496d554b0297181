//! Label selectors: the grammar of query strings and the JSON form of objects.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::fault::{Fault, FieldPath};
use crate::names;

mod parse;

/// How a requirement judges a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// `=` or `==`: the label has the value.
    Equals,
    /// `!=`: the label is absent or has another value.
    NotEquals,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// The label is an integer above the value.
    GreaterThan,
    /// The label is an integer below the value.
    LessThan,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelRequirement {
    /// The key of the label.
    pub key: String,
    /// How it is judged.
    pub operator: LabelOperator,
    /// The values it is judged by; empty for `Exists` and `DoesNotExist`.
    pub values: BTreeSet<String>,
}

impl LabelRequirement {
    /// Checks a requirement and builds it.
    ///
    /// # Errors
    /// A fault in the words of Kubernetes when key, values and operator do not fit.
    pub fn new(
        key: &str,
        operator: LabelOperator,
        values: BTreeSet<String>,
    ) -> Result<Self, LabelSelectorError> {
        let root = FieldPath::Root;
        let mut faults = Vec::new();
        let key_faults = names::qualified_name(key);
        if !key_faults.is_empty() {
            faults.push(Fault::invalid(&root.child("key"), key, key_faults.join("; ")));
        }
        let path = root.child("values");
        let shown = || Value::from(values.iter().cloned().collect::<Vec<_>>());
        match operator {
            LabelOperator::In | LabelOperator::NotIn if values.is_empty() => {
                let detail = "for 'in', 'notin' operators, values set can't be empty";
                faults.push(Fault::invalid(&path, shown(), detail));
            }
            LabelOperator::Equals | LabelOperator::NotEquals if values.len() != 1 => {
                let detail = "exact-match compatibility requires one single value";
                faults.push(Fault::invalid(&path, shown(), detail));
            }
            LabelOperator::Exists | LabelOperator::DoesNotExist if !values.is_empty() => {
                let detail = "values set must be empty for exists and does not exist";
                faults.push(Fault::invalid(&path, shown(), detail));
            }
            LabelOperator::GreaterThan | LabelOperator::LessThan => {
                if values.len() != 1 {
                    let detail = "for 'Gt', 'Lt' operators, exactly one value is required";
                    faults.push(Fault::invalid(&path, shown(), detail));
                }
                for (index, value) in values.iter().enumerate() {
                    if value.parse::<i64>().is_err() {
                        let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                        faults.push(Fault::invalid(&path.index(index), value.as_str(), detail));
                    }
                }
            }
            LabelOperator::In
            | LabelOperator::NotIn
            | LabelOperator::Equals
            | LabelOperator::NotEquals
            | LabelOperator::Exists
            | LabelOperator::DoesNotExist => {}
        }
        for (index, value) in values.iter().enumerate() {
            let value_faults = names::label_value(value);
            if !value_faults.is_empty() {
                let detail = value_faults.join("; ");
                faults.push(Fault::invalid(&path.index(index).key(key), value.as_str(), detail));
            }
        }
        if faults.is_empty() {
            Ok(Self { key: key.to_owned(), operator, values })
        } else {
            Err(LabelSelectorError(crate::fault::aggregate(&faults)))
        }
    }

    /// Whether a label with this value, or its absence, is what is required.
    pub fn accepts(&self, value: Option<&str>) -> bool {
        let contained = || value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            LabelOperator::In | LabelOperator::Equals => contained(),
            LabelOperator::NotIn | LabelOperator::NotEquals => !contained(),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
            LabelOperator::GreaterThan => self.compared(value, |label, bound| label > bound),
            LabelOperator::LessThan => self.compared(value, |label, bound| label < bound),
        }
    }

    fn compared(&self, value: Option<&str>, compare: fn(i64, i64) -> bool) -> bool {
        let label = value.and_then(|value| value.parse().ok());
        let bound = self.values.first().and_then(|value| value.parse().ok());
        label.zip(bound).is_some_and(|(label, bound)| compare(label, bound))
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let set = matches!(self.operator, LabelOperator::In | LabelOperator::NotIn);
        if set && values.is_empty() {
            // The set that holds only the empty value: `()` would be the empty set.
            values.push(',');
        }
        let key = &self.key;
        match self.operator {
            LabelOperator::In => write!(f, "{key} in ({values})"),
            LabelOperator::NotIn => write!(f, "{key} notin ({values})"),
            LabelOperator::Equals => write!(f, "{key}={values}"),
            LabelOperator::NotEquals => write!(f, "{key}!={values}"),
            LabelOperator::Exists => f.write_str(key),
            LabelOperator::DoesNotExist => write!(f, "!{key}"),
            LabelOperator::GreaterThan => write!(f, "{key}>{values}"),
            LabelOperator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Why a label selector cannot be read, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelSelectorError(pub(crate) String);

/// Requirements on labels that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    requirements: Vec<LabelRequirement>,
    nothing: bool,
}

impl LabelSelector {
    /// Selects every object.
    pub const fn everything() -> Self {
        Self { requirements: Vec::new(), nothing: false }
    }

    /// Selects no object: what an absent selector of an object means.
    pub const fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Selects objects that have all the labels given.
    ///
    /// The labels are not checked: those of an existing object are valid.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut requirements: Vec<_> = labels
            .into_iter()
            .map(|(key, value)| LabelRequirement {
                key: key.to_owned(),
                operator: LabelOperator::Equals,
                values: BTreeSet::from([value.to_owned()]),
            })
            .collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Reads the grammar of the `labelSelector` query: `a=b,c!=d,e in (f,g),h,!i,j>5`.
    ///
    /// # Errors
    /// [`LabelSelectorError`] in the words of Kubernetes.
    pub fn parse(text: &str) -> Result<Self, LabelSelectorError> {
        let mut requirements = parse::requirements(text)?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }

    /// Reads the form that objects have: `matchLabels` and `matchExpressions`.
    ///
    /// `null` selects nothing, `{}` everything.
    ///
    /// # Errors
    /// [`LabelSelectorError`] when an operator is unknown or does not fit its values.
    pub fn from_json(selector: &Value) -> Result<Self, LabelSelectorError> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let values = BTreeSet::from([value.as_str().unwrap_or_default().to_owned()]);
            requirements.push(LabelRequirement::new(key, LabelOperator::In, values)?);
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => LabelOperator::In,
                "NotIn" => LabelOperator::NotIn,
                "Exists" => LabelOperator::Exists,
                "DoesNotExist" => LabelOperator::DoesNotExist,
                other => {
                    let text = format!("{other:?} is not a valid label selector operator");
                    return Err(LabelSelectorError(text));
                }
            };
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            let key = expression["key"].as_str().unwrap_or_default();
            requirements.push(LabelRequirement::new(key, operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.requirements
    }

    /// Whether every object is selected.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Whether no object is selected.
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// Whether an object with the labels that `label` looks up is selected.
    pub fn matches_with<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.accepts(label(&r.key)))
    }

    /// Whether an object with these labels, the `metadata.labels` of an object, is selected.
    pub fn matches(&self, labels: &Value) -> bool {
        self.matches_with(|key| labels.get(key).and_then(Value::as_str))
    }

    /// Whether an object with these labels is selected.
    pub fn matches_map(&self, labels: &std::collections::BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
