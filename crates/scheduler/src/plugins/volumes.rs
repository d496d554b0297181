//! Where a pod can have its volumes.

use wk_api::well_known::{REGION_LABEL, ZONE_LABEL};

use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};
use crate::storage::{Conflict, PodClaims, Storage};

const STORAGE_AND_NODES: ChangeKinds =
    ChangeKinds::of(&[ChangeKind::Storage, ChangeKind::NodeCame, ChangeKind::NodeChanged]);

/// Whether the change is about storage that the pod has, or may get.
fn is_about_storage_of(pod: &Demand, change: &Change<'_>) -> bool {
    match change {
        Change::Claim(key, _) => pod.claims.iter().any(|claim| pod.claim_key(claim) == **key),
        Change::Volume(_) | Change::Class(_) | Change::Driver(..) => true,
        _ => false,
    }
}

fn is_new_place(change: &Change<'_>) -> bool {
    match change {
        Change::NodeCame(_) => true,
        Change::NodeChanged(before, after) => before.labels != after.labels,
        _ => false,
    }
}

/// A pod goes where its volumes are reachable, or can be made.
#[derive(Clone, Copy, Debug)]
pub struct VolumeBinding;

struct Binding<'a> {
    storage: &'a Storage,
    claims: PodClaims<'a>,
}

impl Filter for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let storage = &cluster.storage;
        Ok(match storage.claims_of(pod).map_err(Refusal::lasting)? {
            Some(claims) => Prepared::Each(Box::new(Binding { storage, claims })),
            None => Prepared::Skip,
        })
    }

    fn minds(&self) -> ChangeKinds {
        STORAGE_AND_NODES
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        is_about_storage_of(pod, change) || is_new_place(change)
    }
}

impl NodeFilter for Binding<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        let Err(conflicts) = self.storage.plan(&self.claims, node.offer) else { return Ok(()) };
        let reasons = conflicts.into_iter().map(|conflict| match conflict {
            Conflict::NotReachable => "node(s) didn't match PersistentVolume's node affinity",
            Conflict::NoVolume => "node(s) didn't find available persistent volumes to bind",
            Conflict::VolumeGone => {
                "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
            }
            Conflict::NoRoom => "node(s) did not have enough free storage",
        });
        Err(Refusal { reasons: reasons.map(Into::into).collect(), is_final: true })
    }
}

/// The labels by which volumes say in which zone they are.
const ZONE_LABELS: [&str; 4] = [
    ZONE_LABEL,
    REGION_LABEL,
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

/// A pod goes to the zones of its volumes, where they say so by labels.
#[derive(Clone, Copy, Debug)]
pub struct VolumeZone;

/// Labels of which a node must have one of the values.
struct Zones(Vec<(&'static str, Vec<String>)>);

/// The label by its newer name.
fn newer(label: &'static str) -> &'static str {
    match label {
        "failure-domain.beta.kubernetes.io/zone" => ZONE_LABEL,
        "failure-domain.beta.kubernetes.io/region" => REGION_LABEL,
        other => other,
    }
}

impl Filter for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let storage = &cluster.storage;
        let claims = pod.claims.iter().filter_map(|one| storage.claim(&pod.claim_key(one)));
        let volumes = claims.filter_map(|claim| storage.volume(claim.volume.as_ref()?));
        let zones = volumes.flat_map(|volume| {
            ZONE_LABELS.into_iter().filter_map(|label| {
                let values = volume.labels.get(label)?;
                Some((label, values.split("__").map(str::to_owned).collect()))
            })
        });
        let zones: Vec<_> = zones.collect();
        Ok(if zones.is_empty() { Prepared::Skip } else { Prepared::Each(Box::new(Zones(zones))) })
    }

    fn minds(&self) -> ChangeKinds {
        STORAGE_AND_NODES
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        is_about_storage_of(pod, change) || is_new_place(change)
    }
}

impl NodeFilter for Zones {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        let labels = &node.offer.labels;
        // A node that is in no zone is in a cluster without zones.
        if ZONE_LABELS.iter().all(|label| labels.get(label).is_none()) {
            return Ok(());
        }
        let is_in = |(label, values): &(&'static str, Vec<String>)| {
            let own = labels.get(label).or_else(|| labels.get(newer(label)));
            own.is_some_and(|own| values.iter().any(|value| value == own))
        };
        if self.0.iter().all(is_in) {
            return Ok(());
        }
        Err(Refusal::lasting("node(s) had no available volume zone"))
    }
}

/// A volume that only one pod may use has one pod.
#[derive(Clone, Copy, Debug)]
pub struct VolumeRestrictions;

struct OnePod<'a> {
    pod: &'a Demand,
    storage: &'a Storage,
    /// How many pods use the claims that are for one pod.
    users: i64,
}

fn sole_claims<'a>(pod: &'a Demand, storage: &'a Storage) -> impl Iterator<Item = &'a str> {
    let is_for_one = |name: &&str| {
        let key = wk_api::names::NamespacedName::new(&*pod.kin.namespace, *name);
        storage.claim(&key).is_some_and(|claim| claim.modes.is_for_one_pod())
    };
    pod.claims.iter().map(|claim| &*claim.name).filter(is_for_one)
}

fn share_claim(pod: &Demand, other: &Demand, name: &str) -> bool {
    pod.kin.namespace == other.kin.namespace
        && other.claims.iter().any(|claim| *claim.name == *name)
}

impl Filter for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let storage = &cluster.storage;
        let users: i64 = sole_claims(pod, storage)
            .map(|name| {
                storage.users(&wk_api::names::NamespacedName::new(&*pod.kin.namespace, name))
            })
            .sum();
        Ok(if users == 0 {
            Prepared::Skip
        } else {
            Prepared::Each(Box::new(OnePod { pod, storage, users }))
        })
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::PodWent, ChangeKind::Storage])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        match change {
            Change::PodWent(other) => {
                pod.claims.iter().any(|claim| share_claim(pod, other, &claim.name))
            }
            Change::Claim(..) => is_about_storage_of(pod, change),
            _ => false,
        }
    }
}

impl OnePod<'_> {
    fn change(&mut self, other: &Demand, step: i64) {
        let shared = sole_claims(self.pod, self.storage)
            .filter(|name| share_claim(self.pod, other, name))
            .count();
        self.users += step * i64::try_from(shared).unwrap_or(0);
    }
}

impl NodeFilter for OnePod<'_> {
    fn check(&self, _: NodeView<'_>) -> Result<(), Refusal> {
        if self.users == 0 {
            return Ok(());
        }
        Err(Refusal::by_pods(
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod \
             access mode",
        ))
    }

    fn add(&mut self, _: NodeIndex, other: &Demand) {
        self.change(other, 1);
    }

    fn remove(&mut self, _: NodeIndex, other: &Demand) {
        self.change(other, -1);
    }
}
