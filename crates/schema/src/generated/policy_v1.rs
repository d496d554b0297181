//! The messages of `io.k8s.api.policy.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.policy.v1.Eviction`.
pub(crate) static EVICTION: Message = Message {
    name: "io.k8s.api.policy.v1.Eviction",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("deleteOptions", 2, Type::Message(&super::meta_v1::DELETE_OPTIONS)),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.policy.v1.PodDisruptionBudget`.
pub(crate) static POD_DISRUPTION_BUDGET: Message = Message {
    name: "io.k8s.api.policy.v1.PodDisruptionBudget",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&POD_DISRUPTION_BUDGET_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&POD_DISRUPTION_BUDGET_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.policy.v1.PodDisruptionBudgetList`.
pub(crate) static POD_DISRUPTION_BUDGET_LIST: Message = Message {
    name: "io.k8s.api.policy.v1.PodDisruptionBudgetList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&POD_DISRUPTION_BUDGET)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.policy.v1.PodDisruptionBudgetSpec`.
pub(crate) static POD_DISRUPTION_BUDGET_SPEC: Message = Message {
    name: "io.k8s.api.policy.v1.PodDisruptionBudgetSpec",
    fields: &[
        Field::new("maxUnavailable", 3, Type::IntOrString),
        Field::new("minAvailable", 1, Type::IntOrString),
        Field::new("selector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR))
            .merge(&MergeRule { patch: PatchStrategy::Replace, ..MergeRule::PLAIN }),
        Field::new("unhealthyPodEvictionPolicy", 4, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.policy.v1.PodDisruptionBudgetStatus`.
pub(crate) static POD_DISRUPTION_BUDGET_STATUS: Message = Message {
    name: "io.k8s.api.policy.v1.PodDisruptionBudgetStatus",
    fields: &[
        Field::new("conditions", 7, Type::List(&Type::Message(&super::meta_v1::CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("currentHealthy", 4, Type::Int32).always(),
        Field::new("desiredHealthy", 5, Type::Int32).always(),
        Field::new("disruptedPods", 2, Type::Map(&Type::Time)).omit_empty(),
        Field::new("disruptionsAllowed", 3, Type::Int32).always(),
        Field::new("expectedPods", 6, Type::Int32).always(),
        Field::new("observedGeneration", 1, Type::Int64).omit_empty(),
    ],
    atomic: false,
};
