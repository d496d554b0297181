//! Services and what makes pods: which pods belong together without saying so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use wk_api::names::NamespacedName;

use crate::demand::Demand;
use crate::labels::Selector;

/// The kinds whose selectors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnerKind {
    /// `ReplicationController`
    ReplicationController,
    /// `ReplicaSet`
    ReplicaSet,
    /// `StatefulSet`
    StatefulSet,
}

impl OwnerKind {
    fn parse(kind: &str) -> Option<Self> {
        match kind {
            "ReplicationController" => Some(Self::ReplicationController),
            "ReplicaSet" => Some(Self::ReplicaSet),
            "StatefulSet" => Some(Self::StatefulSet),
            _ => None,
        }
    }
}

/// What a Service selects; `None` if it selects by other means.
pub fn of_service(service: Service) -> Option<Selector> {
    let labels = service.spec?.selector.filter(|labels| !labels.is_empty())?;
    Some(Selector::of_labels(labels))
}

/// The selectors of Services and of what makes pods.
#[derive(Debug, Default)]
pub struct Owners {
    /// By namespace and name.
    services: HashMap<Box<str>, BTreeMap<Box<str>, Arc<Selector>>>,
    makers: HashMap<(OwnerKind, NamespacedName), Arc<Selector>>,
}

impl Owners {
    /// Takes over the selector of a Service; `None` if it is gone or has none.
    pub fn put_service(&mut self, key: &NamespacedName, selector: Option<Arc<Selector>>) {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        match selector {
            Some(selector) => {
                let services = self.services.entry(namespace.into()).or_default();
                services.insert(key.name.as_str().into(), selector);
            }
            None => {
                if let Some(services) = self.services.get_mut(namespace) {
                    services.remove(key.name.as_str());
                    if services.is_empty() {
                        self.services.remove(namespace);
                    }
                }
            }
        }
    }

    /// Takes over the selector of a maker of pods; `None` if it is gone.
    pub fn put_maker(
        &mut self,
        kind: OwnerKind,
        key: &NamespacedName,
        selector: Option<Arc<Selector>>,
    ) {
        match selector {
            Some(selector) => drop(self.makers.insert((kind, key.clone()), selector)),
            None => drop(self.makers.remove(&(kind, key.clone()))),
        }
    }

    /// Selects the pods that belong together with `pod`: those of all its Services and its maker.
    /// `None` if it has neither.
    pub fn selector_for(&self, pod: &Demand) -> Option<Selector> {
        let mut selector = Selector::of_labels([]);
        for service in self.services.get(&pod.kin.namespace).into_iter().flat_map(BTreeMap::values)
        {
            if service.matches(&pod.kin.labels) {
                selector.and_all(service);
            }
        }
        let maker = pod.template.owner.as_ref().and_then(|owner| {
            let key = NamespacedName::new(&*pod.kin.namespace, &*owner.name);
            self.makers.get(&(OwnerKind::parse(&owner.kind)?, key))
        });
        if let Some(maker) = maker {
            selector.and_all(maker);
        }
        (!selector.is_everything()).then_some(selector)
    }
}
