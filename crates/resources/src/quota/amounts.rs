//! Amounts of resources by name.

use std::collections::BTreeMap;

use serde_json::Value;
use wk_api::Quantity;

use crate::check;

/// Amounts of resources by name.
pub type Amounts = BTreeMap<String, Quantity>;

/// The amounts in a field of an object; what is no amount is left out.
pub fn amounts(value: &Value) -> Amounts {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), check::quantity_of(value)?))).collect()
}

/// Amounts as a field of an object.
pub fn to_json(amounts: &Amounts) -> Value {
    let entries = amounts.iter().map(|(name, amount)| (name.clone(), amount.to_string().into()));
    Value::Object(entries.collect())
}

/// Amounts as messages show them: `cpu=1,memory=1Gi`.
pub fn shown(amounts: &Amounts) -> String {
    let each: Vec<String> =
        amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    each.join(",")
}

/// Adds amounts to amounts.
pub(super) fn add(to: &mut Amounts, from: &Amounts) {
    for (name, amount) in from {
        *to.entry(name.clone()).or_default() += *amount;
    }
}

/// Raises amounts to those of others, where those are higher.
pub(super) fn raise(to: &mut Amounts, from: &Amounts) {
    for (name, amount) in from {
        let own = to.entry(name.clone()).or_insert(*amount);
        *own = (*own).max(*amount);
    }
}
