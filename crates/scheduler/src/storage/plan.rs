//! Which volumes a pod's claims would get on a node.

use std::collections::BTreeSet;

use wk_api::names::NamespacedName;

use super::{Claim, Storage, Volume};
use crate::demand::Demand;
use crate::offer::Offer;

/// Why a pod's claims cannot be met on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conflict {
    /// A claim's volume is not reachable from there.
    NotReachable,
    /// There is no volume for a claim.
    NoVolume,
    /// A claim's volume does not exist.
    VolumeGone,
    /// There is not enough room to make a volume.
    NoRoom,
}

/// A pod's claims, by what is to be done for them.
#[derive(Debug, Default)]
pub struct PodClaims<'a> {
    /// They have volumes.
    bound: Vec<&'a Claim>,
    /// They get volumes with the pod.
    delayed: Vec<(NamespacedName, &'a Claim)>,
}

/// What is to be done for a pod's claims once it has a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumePlan {
    /// The pod's node.
    pub node: Box<str>,
    /// Claims that get a volume that exists.
    pub bind: Vec<(NamespacedName, Box<str>)>,
    /// Claims for which a volume must be made.
    pub provision: Vec<NamespacedName>,
}

impl VolumePlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.bind.is_empty() && self.provision.is_empty()
    }

    /// The claims for which something is to be done.
    pub fn claims(&self) -> impl Iterator<Item = &NamespacedName> {
        self.bind.iter().map(|(claim, _)| claim).chain(&self.provision)
    }
}

impl Storage {
    /// Sorts out the claims of a pod; `None` if it has none.
    ///
    /// # Errors
    /// Why no node will do, in the words of Kubernetes.
    pub fn claims_of(&self, pod: &Demand) -> Result<Option<PodClaims<'_>>, String> {
        if pod.claims.is_empty() {
            return Ok(None);
        }
        let mut sorted = PodClaims::default();
        let mut is_unbound = false;
        for used in &pod.claims {
            let (key, name) = (pod.claim_key(used), &used.name);
            let Some(claim) = self.claim(&key) else {
                return Err(if used.is_ephemeral {
                    format!(
                        "waiting for ephemeral volume controller to create the \
                         persistentvolumeclaim \"{name}\""
                    )
                } else {
                    format!("persistentvolumeclaim \"{name}\" not found")
                });
            };
            if claim.is_lost {
                let volume = claim.volume.as_deref().unwrap_or_default();
                return Err(format!(
                    "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \
                     \"{volume}\""
                ));
            }
            if claim.is_terminating {
                return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
            }
            if used.is_ephemeral && claim.owner.as_ref() != Some(&pod.uid) {
                return Err(format!(
                    "PVC {key} was not created for pod {} (pod is not owner)",
                    pod.key()
                ));
            }
            let waits = || self.classes.get(&claim.class).is_some_and(|class| class.waits);
            if claim.is_bound {
                sorted.bound.push(claim);
            } else if claim.volume.is_none() && waits() {
                sorted.delayed.push((key, claim));
            } else {
                is_unbound = true;
            }
        }
        if is_unbound {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        // Small claims first, so that large volumes are left for large claims.
        sorted.delayed.sort_by_key(|(_, claim)| claim.request);
        Ok(Some(sorted))
    }

    /// What is to be done for a pod's claims on a node.
    ///
    /// # Errors
    /// All reasons why that cannot be.
    pub fn plan(&self, claims: &PodClaims<'_>, node: &Offer) -> Result<VolumePlan, Vec<Conflict>> {
        let mut conflicts = BTreeSet::new();
        for claim in &claims.bound {
            match claim.volume.as_ref().and_then(|name| self.volume(name)) {
                Some(volume) if volume.reaches(&node.name, &node.labels) => {}
                Some(_) => drop(conflicts.insert(Conflict::NotReachable)),
                None => drop(conflicts.insert(Conflict::VolumeGone)),
            }
        }
        let mut plan = VolumePlan { node: node.name.clone(), ..VolumePlan::default() };
        for (key, claim) in &claims.delayed {
            let selected = self.selected.get(key).or(claim.selected_node.as_ref());
            let found = match selected {
                Some(selected) if *selected != node.name => {
                    conflicts.insert(Conflict::NoVolume);
                    break;
                }
                // Its volume is being made already.
                Some(_) => None,
                None => self.volume_for(key, claim, node, &plan),
            };
            if let Some(volume) = found {
                plan.bind.push((key.clone(), volume.into()));
                continue;
            }
            let class = self.classes.get(&claim.class);
            if !class.is_some_and(|class| class.can_provision && class.reaches(&node.labels)) {
                conflicts.insert(Conflict::NoVolume);
            } else if self.has_room(&claim.class, claim.request, &node.labels) {
                plan.provision.push(key.clone());
            } else {
                conflicts.insert(Conflict::NoRoom);
            }
        }
        if conflicts.is_empty() { Ok(plan) } else { Err(conflicts.into_iter().collect()) }
    }

    /// The volume that waits for this claim, or the smallest one that will do.
    fn volume_for(
        &self,
        key: &NamespacedName,
        claim: &Claim,
        node: &Offer,
        plan: &VolumePlan,
    ) -> Option<&str> {
        let is_free = |name: &str, volume: &Volume| match (&volume.claim, self.promised.get(name)) {
            (Some((owner, uid)), _) => {
                owner == key && uid.as_ref().is_none_or(|uid| *uid == claim.uid)
            }
            (None, Some(promised)) => promised == key,
            (None, None) => volume.is_available,
        };
        let fits = |name: &str, volume: &Volume| {
            let is_chosen = || plan.bind.iter().any(|(_, chosen)| **chosen == *name);
            volume.class == claim.class
                && volume.is_block == claim.is_block
                && volume.modes.contain(claim.modes)
                && volume.capacity >= claim.request
                && claim.selector.as_ref().is_none_or(|one| one.matches(&volume.labels))
                && is_free(name, volume)
                && volume.reaches(&node.name, &node.labels)
                && !is_chosen()
        };
        let candidates = self.volumes.iter().filter(|(name, volume)| fits(name, volume));
        let best = candidates
            .min_by_key(|(name, volume)| (volume.claim.is_none(), volume.capacity, &**name));
        best.map(|(name, _)| &**name)
    }
}
