//! How many pods may be disturbed, by `PodDisruptionBudget` objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use wk_api::names::NamespacedName;

use crate::demand::Demand;
use crate::labels::Selector;

/// What the scheduler keeps of a `PodDisruptionBudget`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    namespace: Box<str>,
    selector: Selector,
    allowed: i32,
    /// Pods that go already with the budget's consent.
    disrupted: BTreeSet<Box<str>>,
}

impl Budget {
    /// What the scheduler keeps of `budget`; `None` if it is for no pods.
    pub fn of(budget: PodDisruptionBudget) -> Option<Self> {
        let (spec, status) = (budget.spec?, budget.status.unwrap_or_default());
        let selector = Selector::new(spec.selector);
        // Unlike elsewhere, an empty selector is for no pods when it comes to preemption.
        (!selector.is_everything()).then(|| Self {
            namespace: budget.metadata.namespace.unwrap_or_default().into(),
            selector,
            allowed: status.disruptions_allowed.unwrap_or(0),
            disrupted: status.disrupted_pods.into_iter().flatten().map(|(n, _)| n.into()).collect(),
        })
    }

    fn is_charged_for(&self, pod: &Demand) -> bool {
        self.namespace == pod.kin.namespace
            && !pod.kin.labels.is_empty()
            && self.selector.matches(&pod.kin.labels)
            && !self.disrupted.contains(&pod.name)
    }
}

/// All budgets.
#[derive(Debug, Default)]
pub struct Budgets(BTreeMap<NamespacedName, Arc<Budget>>);

impl Budgets {
    /// Takes over a budget; `None` if it is gone.
    pub fn put(&mut self, key: &NamespacedName, budget: Option<Arc<Budget>>) {
        match budget {
            Some(budget) => drop(self.0.insert(key.clone(), budget)),
            None => drop(self.0.remove(key)),
        }
    }

    /// Parts `pods` into those that cannot go without a budget being exceeded, if all before them
    /// go, and the others; each part keeps the order.
    pub fn part(&self, pods: Vec<Arc<Demand>>) -> (Vec<Arc<Demand>>, Vec<Arc<Demand>>) {
        let mut left: Vec<(&Budget, i32)> =
            self.0.values().map(|budget| (&**budget, budget.allowed)).collect();
        pods.into_iter().partition(|pod| {
            let mut is_exceeded = false;
            for (budget, left) in &mut left {
                if budget.is_charged_for(pod) {
                    *left -= 1;
                    is_exceeded |= *left < 0;
                }
            }
            is_exceeded
        })
    }
}
