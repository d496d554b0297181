//! What a node offers, reduced to what the scheduler reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use wk_api::quantity::Quantity;
use wk_api::well_known::{REGION_LABEL, ZONE_LABEL};

use crate::demand::Resources;
use crate::labels::Labels;
use crate::taints::Taint;

/// What the scheduler keeps of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The node's name.
    pub name: Box<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Box<[Taint]>,
    /// Whether it takes no new pods.
    pub is_unschedulable: bool,
    /// What pods can have of it.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub max_pods: i64,
    /// The names of the runtime classes that it has handlers for; empty if it does not say.
    pub runtimes: Box<[Box<str>]>,
    /// The images it holds, sorted by name, in bytes.
    pub images: Box<[(Box<str>, i64)]>,
}

impl Offer {
    /// What the scheduler keeps of `node`.
    pub fn of(node: Node) -> Self {
        let Node { metadata, spec, status } = node;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let max_pods = status.allocatable.as_ref().and_then(|list| list.get("pods"));
        let max_pods = max_pods.and_then(|quantity| Quantity::try_from(quantity).ok());
        let images: BTreeMap<String, i64> = status
            .images
            .into_iter()
            .flatten()
            .flat_map(|image| {
                let size = image.size_bytes.unwrap_or(0);
                image.names.into_iter().flatten().map(move |name| (name, size))
            })
            .collect();
        let handlers = status.runtime_handlers.into_iter().flatten();
        Self {
            name: metadata.name.unwrap_or_default().into(),
            labels: Labels::new(metadata.labels),
            taints: spec.taints.into_iter().flatten().filter_map(Taint::new).collect(),
            is_unschedulable: spec.unschedulable.unwrap_or(false),
            allocatable: Resources::from_list(status.allocatable.as_ref()),
            max_pods: max_pods.map_or(0, Quantity::value),
            runtimes: handlers.filter_map(|handler| handler.name).map(Box::from).collect(),
            images: images.into_iter().map(|(name, size)| (name.into(), size)).collect(),
        }
    }

    /// The size of an image that the node holds.
    pub fn image(&self, name: &str) -> Option<i64> {
        let index = self.images.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        Some(self.images[index].1)
    }

    /// Region and zone; nodes of several take turns.
    pub fn zone(&self) -> (Option<&str>, Option<&str>) {
        (self.labels.get(REGION_LABEL), self.labels.get(ZONE_LABEL))
    }
}
