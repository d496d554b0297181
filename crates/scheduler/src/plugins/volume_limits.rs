//! How many volumes can be attached to a node.

use std::collections::BTreeSet;

use wk_api::names::Uid;

use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};
use crate::storage::Attachment;

/// A node gets no more volumes of a driver than its `CSINode` says can be attached.
#[derive(Clone, Copy, Debug)]
pub struct NodeVolumeLimits;

struct Attaching<'a> {
    cluster: &'a Cluster,
    /// What the pod needs attached.
    wanted: BTreeSet<Attachment>,
    /// Pods that are on their nodes on trial, with what they need attached.
    added: Vec<(NodeIndex, Uid, Vec<Attachment>)>,
    /// Pods that are away from their nodes on trial.
    removed: Vec<(NodeIndex, Uid)>,
}

impl Filter for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        if pod.claims.is_empty() || !cluster.storage.has_limits() {
            return Ok(Prepared::Skip);
        }
        let wanted: BTreeSet<Attachment> = cluster.storage.attachments(pod).collect();
        if wanted.is_empty() {
            return Ok(Prepared::Skip);
        }
        let (added, removed) = (Vec::new(), Vec::new());
        Ok(Prepared::Each(Box::new(Attaching { cluster, wanted, added, removed })))
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::Storage, ChangeKind::PodWent, ChangeKind::NodeCame])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        match change {
            Change::Claim(key, _) => pod.claims.iter().any(|claim| pod.claim_key(claim) == **key),
            Change::PodWent(other) => !other.claims.is_empty(),
            Change::Volume(_) | Change::Class(_) | Change::Driver(..) | Change::NodeCame(_) => true,
            _ => false,
        }
    }
}

impl Attaching<'_> {
    /// What the pods of a node have attached to it.
    fn attached_to(&self, node: NodeIndex) -> BTreeSet<Attachment> {
        let storage = &self.cluster.storage;
        let is_away = |pod: &Demand| {
            self.removed.iter().any(|(index, uid)| *index == node && *uid == pod.uid)
        };
        let residents = self.cluster.residents(node).iter().filter(|pod| !is_away(pod));
        let added = self.added.iter().filter(|(index, ..)| *index == node);
        let on_trial = added.flat_map(|(_, _, attachments)| attachments.iter().cloned());
        residents.flat_map(|pod| storage.attachments(pod)).chain(on_trial).collect()
    }
}

impl NodeFilter for Attaching<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        let Some(limits) = self.cluster.storage.limits(&node.offer.name) else { return Ok(()) };
        let attached = self.attached_to(node.index);
        let is_over = |(driver, limit): (&str, usize)| {
            let of_driver = |one: &&Attachment| *one.driver == *driver;
            let new = self.wanted.difference(&attached).filter(of_driver).count();
            new > 0 && attached.iter().filter(of_driver).count() + new > limit
        };
        if limits.iter().any(is_over) {
            return Err(Refusal::by_pods("node(s) exceed max volume count"));
        }
        Ok(())
    }

    fn add(&mut self, node: NodeIndex, other: &Demand) {
        let back = self.removed.iter().position(|one| *one == (node, other.uid.clone()));
        if let Some(place) = back {
            self.removed.swap_remove(place);
        } else {
            let attachments = self.cluster.storage.attachments(other).collect();
            self.added.push((node, other.uid.clone(), attachments));
        }
    }

    fn remove(&mut self, node: NodeIndex, other: &Demand) {
        let on_trial =
            self.added.iter().position(|(index, uid, _)| *index == node && *uid == other.uid);
        match on_trial {
            Some(place) => drop(self.added.swap_remove(place)),
            None => self.removed.push((node, other.uid.clone())),
        }
    }
}
