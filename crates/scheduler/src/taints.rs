//! Taints of nodes and the pods' tolerations of them.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

use k8s_openapi::api::core::v1::{Taint as WireTaint, Toleration as WireToleration};

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// They do not come.
    NoSchedule,
    /// They rather go elsewhere.
    PreferNoSchedule,
    /// They do not come, and those that are there go.
    NoExecute,
}

impl Effect {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "NoSchedule" => Some(Self::NoSchedule),
            "PreferNoSchedule" => Some(Self::PreferNoSchedule),
            "NoExecute" => Some(Self::NoExecute),
            _ => None,
        }
    }

    /// Whether pods are kept away, and not only asked to stay away.
    pub fn is_hard(self) -> bool {
        matches!(self, Self::NoSchedule | Self::NoExecute)
    }
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// Its key.
    pub key: Box<str>,
    /// Its value; empty is none.
    pub value: Box<str>,
    /// What it does.
    pub effect: Effect,
}

impl Taint {
    /// A taint as it is written; `None` if its effect is unknown, so that it has none.
    pub fn new(taint: WireTaint) -> Option<Self> {
        Some(Self {
            effect: Effect::parse(&taint.effect)?,
            key: taint.key.into(),
            value: taint.value.unwrap_or_default().into(),
        })
    }
}

/// What taints a pod tolerates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// The key; empty is every one.
    key: Box<str>,
    /// The value; `None` is every one.
    value: Option<Box<str>>,
    /// The effect; `None` is every one.
    effect: Option<Effect>,
    /// A toleration that nobody can understand tolerates nothing.
    is_nothing: bool,
}

impl Toleration {
    /// A toleration as it is written.
    pub fn new(toleration: WireToleration) -> Self {
        let text = |part: Option<String>| part.unwrap_or_default();
        let (key, value) = (text(toleration.key), text(toleration.value));
        let (operator, effect) = (text(toleration.operator), text(toleration.effect));
        let is_equal = matches!(operator.as_str(), "" | "Equal");
        let known = Effect::parse(&effect);
        Self {
            is_nothing: !is_equal && operator != "Exists"
                || is_equal && key.is_empty()
                || !effect.is_empty() && known.is_none(),
            key: key.into(),
            value: is_equal.then(|| value.into()),
            effect: known,
        }
    }

    /// Whether it is for this taint.
    pub fn tolerates(&self, key: &str, value: &str, effect: Effect) -> bool {
        !self.is_nothing
            && self.effect.is_none_or(|own| own == effect)
            && (self.key.is_empty() || *self.key == *key)
            && self.value.as_ref().is_none_or(|own| **own == *value)
    }
}

/// Whether one of `tolerations` is for this taint.
pub fn is_tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|one| one.tolerates(&taint.key, &taint.value, taint.effect))
}

/// Whether none of `taints` keeps a pod with these tolerations away.
pub fn admit(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    let mut hard = taints.iter().filter(|taint| taint.effect.is_hard());
    hard.all(|taint| is_tolerated(tolerations, taint))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(case: &str, toleration: Value, expected: bool) {
        let taint = json!({"key": "k", "value": "v", "effect": "NoSchedule"});
        let taint = Taint::new(serde_json::from_value(taint).unwrap()).unwrap();
        let toleration = Toleration::new(serde_json::from_value(toleration).unwrap());
        assert_eq!(is_tolerated(&[toleration], &taint), expected, "{case}");
    }

    #[test]
    fn tolerations_are_for_taints_of_their_key_value_and_effect() {
        check("by value", json!({"key": "k", "value": "v"}), true);
        check("by another value", json!({"key": "k", "value": "w"}), false);
        check("by existence", json!({"key": "k", "operator": "Exists"}), true);
        check("all of them", json!({"operator": "Exists"}), true);
        check("another key", json!({"key": "x", "operator": "Exists"}), false);
        check("another effect", json!({"operator": "Exists", "effect": "NoExecute"}), false);
        check("the same effect", json!({"operator": "Exists", "effect": "NoSchedule"}), true);
        check("an unknown operator", json!({"key": "k", "operator": "Like"}), false);
        check("a value without a key", json!({"value": "v"}), false);
    }
}
