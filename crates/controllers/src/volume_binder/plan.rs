//! What becomes of a claim and of a volume.
//!
//! Spec: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim>

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wk_api::well_known::LOCAL_PATH_PROVISIONER;

use super::views::{ClaimView, ClassView, VolumeView};

/// Classes of this provisioner have no volumes but those that somebody makes by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Something to be told in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) is_warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Note {
    pub(super) fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { is_warning: false, reason, message: message.into() }
    }

    pub(super) fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { is_warning: true, reason, message: message.into() }
    }
}

/// What a claim is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) claim: &'a ClaimView,
    /// Its class, if there is one of that name.
    pub(super) class: Option<&'a ClassView>,
    /// The class of claims that name none.
    pub(super) default_class: Option<&'a str>,
    /// The volume that it names, if there is one of that name.
    pub(super) named: Option<&'a Arc<VolumeView>>,
    /// Volumes that are reserved for it, and free ones of its class.
    pub(super) candidates: &'a [Arc<VolumeView>],
    /// The names of pods that use it and have no node yet.
    pub(super) waiting_pods: &'a [String],
}

/// What becomes of a claim.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ClaimPlan {
    /// Nothing.
    Keep,
    /// It is, or becomes, bound to this volume.
    Bind(Arc<VolumeView>),
    /// It waits, and is told why.
    Wait(Option<Note>),
    /// Its volume is gone for good.
    Lose(Note),
    /// It gets the class that is the default one by now.
    Classify(String),
    /// A volume is to be made for it by this project's own provisioner.
    Provision,
    /// A volume is to be made for it by somebody else.
    Await { provisioner: String, note: Note },
    /// Its volume is to grow.
    Grow(Arc<VolumeView>),
}

pub(super) fn plan_claim(scene: Scene<'_>) -> ClaimPlan {
    if scene.claim.is_bound() { plan_bound(scene) } else { plan_unbound(scene) }
}

fn plan_bound(scene: Scene<'_>) -> ClaimPlan {
    let lost = |reason, message: &str| ClaimPlan::Lose(Note::warning(reason, message));
    let claim = scene.claim;
    if claim.volume.is_none() {
        let why = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lost("ClaimLost", why);
    }
    let Some(volume) = scene.named else {
        let why = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lost("ClaimLost", why);
    };
    if volume.claim.as_ref().is_some_and(|own| own.uid != claim.uid) {
        let why = "Two claims are bound to the same volume, this one is bound incorrectly";
        return lost("ClaimMisbound", why);
    }
    if !Binding::of(claim, volume).is_done() {
        return ClaimPlan::Bind(Arc::clone(volume));
    }
    if claim.request > claim.capacity && scene.class.is_some_and(|class| class.expands) {
        return ClaimPlan::Grow(Arc::clone(volume));
    }
    ClaimPlan::Keep
}

fn plan_unbound(scene: Scene<'_>) -> ClaimPlan {
    let claim = scene.claim;
    if claim.volume.is_some() {
        return plan_named(scene);
    }
    let waits = scene.class.is_some_and(|class| class.waits);
    if let Some(volume) = best(claim, scene.candidates, waits) {
        return ClaimPlan::Bind(Arc::clone(volume));
    }
    if claim.is_terminating {
        return ClaimPlan::Wait(None);
    }
    if let (None, Some(class)) = (&claim.class, scene.default_class) {
        return ClaimPlan::Classify(class.to_owned());
    }
    if claim.class().is_empty() {
        let why = "no persistent volumes available for this claim and no storage class is set";
        return ClaimPlan::Wait(Some(Note::normal("FailedBinding", why)));
    }
    let Some(class) = scene.class else {
        let why = format!("storageclass.storage.k8s.io \"{}\" not found", claim.class());
        return ClaimPlan::Wait(Some(Note::warning("ProvisioningFailed", why)));
    };
    if class.waits && claim.selected_node.is_none() {
        let pods = scene.waiting_pods;
        return ClaimPlan::Wait(Some(if pods.is_empty() {
            let why = "waiting for first consumer to be created before binding";
            Note::normal("WaitForFirstConsumer", why)
        } else if let [pod] = pods {
            Note::normal("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled"))
        } else {
            let pods = pods.join(",");
            Note::normal("WaitForPodScheduled", format!("waiting for pods {pods} to be scheduled"))
        }));
    }
    match class.provisioner.as_str() {
        LOCAL_PATH_PROVISIONER => ClaimPlan::Provision,
        NO_PROVISIONER => {
            let why = format!("no volume plugin matched name: {NO_PROVISIONER}");
            ClaimPlan::Wait(Some(Note::warning("ProvisioningFailed", why)))
        }
        provisioner => {
            let why = format!(
                "Waiting for a volume to be created either by the external provisioner \
                 '{provisioner}' or manually by the system administrator. If volume creation is \
                 delayed, please verify that the provisioner is running and correctly registered."
            );
            let note = Note::normal("ExternalProvisioning", why);
            ClaimPlan::Await { provisioner: provisioner.to_owned(), note }
        }
    }
}

/// A claim that names its volume.
fn plan_named(scene: Scene<'_>) -> ClaimPlan {
    let claim = scene.claim;
    let Some(volume) = scene.named else { return ClaimPlan::Wait(None) };
    if volume.claim.is_none() {
        return match mismatch(claim, volume) {
            Some(why) => {
                let name = &volume.name;
                let why = format!("Cannot bind to requested volume \"{name}\": {why}");
                ClaimPlan::Wait(Some(Note::warning("VolumeMismatch", why)))
            }
            None => ClaimPlan::Bind(Arc::clone(volume)),
        };
    }
    if volume.is_of(claim) {
        return ClaimPlan::Bind(Arc::clone(volume));
    }
    // Somebody else has it: wait until it is free.
    let note = claim.is_bound_by_controller.then(|| {
        let owner = volume.claim.as_ref().map(|own| own.key.to_string()).unwrap_or_default();
        let (claim, volume) = (claim.key(), &volume.name);
        Note::warning(
            "FailedBinding",
            format!(
                "volume \"{volume}\" of claim \"{claim}\" is already bound to claim \"{owner}\"."
            ),
        )
    });
    ClaimPlan::Wait(note)
}

/// Why a claim cannot have the volume that it names.
fn mismatch(claim: &ClaimView, volume: &VolumeView) -> Option<String> {
    Some(if volume.is_terminating {
        format!("the volume is marked for deletion \"{}\"", volume.name)
    } else if volume.capacity < claim.request {
        "requested PV is too small".to_owned()
    } else if volume.class != claim.class() {
        "storageClassName does not match".to_owned()
    } else if volume.attributes_class != claim.attributes_class {
        "volumeAttributesClassName does not match".to_owned()
    } else if volume.is_block != claim.is_block {
        "incompatible volumeMode".to_owned()
    } else if !allows(volume, claim) {
        "incompatible accessMode".to_owned()
    } else {
        return None;
    })
}

fn allows(volume: &VolumeView, claim: &ClaimView) -> bool {
    claim.modes.iter().all(|mode| volume.modes.contains(mode))
}

/// The volume for a claim: one that is reserved for it, or the free one that fits best, with the
/// fewest access modes and then the smallest. For a claim that `waits` for its first pod no free one
/// is chosen, as that is the scheduler's business.
fn best<'a>(
    claim: &ClaimView,
    candidates: &'a [Arc<VolumeView>],
    waits: bool,
) -> Option<&'a Arc<VolumeView>> {
    let fits = |volume: &&Arc<VolumeView>| {
        !volume.is_terminating
            && volume.capacity >= claim.request
            && volume.is_block == claim.is_block
            && volume.attributes_class == claim.attributes_class
            && allows(volume, claim)
    };
    let order =
        |volume: &&Arc<VolumeView>| (volume.modes.len(), volume.capacity, volume.name.clone());
    let fitting = || candidates.iter().filter(fits);
    let reserved = fitting().filter(|volume| volume.is_of(claim)).min_by_key(order);
    if reserved.is_some() || waits {
        return reserved;
    }
    let free = fitting().filter(|volume| {
        volume.is_free()
            && volume.phase == "Available"
            && volume.class == claim.class()
            && claim.selector.as_ref().is_none_or(|selector| selector.matches_map(&volume.labels))
    });
    free.min_by_key(order)
}

/// What is missing until claim and volume are bound, in the order of the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a write of its own")]
pub(super) struct Binding {
    /// The volume has to say whose it is.
    pub(super) volume_names_claim: bool,
    /// The volume said nothing so far: that it does is our doing, and undone if it comes to nothing.
    pub(super) is_ours_on_volume: bool,
    pub(super) volume_phase: bool,
    /// The claim has to say what it has.
    pub(super) claim_names_volume: bool,
    pub(super) is_ours_on_claim: bool,
    pub(super) claim_status: bool,
}

impl Binding {
    pub(super) fn of(claim: &ClaimView, volume: &VolumeView) -> Self {
        let is_named = claim.volume.as_deref() == Some(&volume.name);
        Self {
            volume_names_claim: volume.claim.as_ref().is_none_or(|own| own.uid != claim.uid),
            is_ours_on_volume: volume.claim.is_none(),
            volume_phase: volume.phase != "Bound",
            claim_names_volume: !is_named || !claim.is_bind_completed,
            is_ours_on_claim: !is_named,
            claim_status: claim.phase != "Bound" || claim.status_modes != volume.modes,
        }
    }

    pub(super) fn is_done(self) -> bool {
        !(self.volume_names_claim
            || self.volume_phase
            || self.claim_names_volume
            || self.claim_status)
    }
}

/// What becomes of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VolumePlan {
    /// Nothing.
    Keep,
    /// Its phase is to be this one, and why.
    Phase(&'static str, Option<Note>),
    /// Its claim is to look at it.
    Ask(Option<Note>),
    /// It is nobody's any more: forget the claim, or only its uid where a user named it.
    Unbind { whole: bool },
    /// Its claim is gone.
    Release,
    /// It is to be deleted, and its content with it.
    Delete,
    /// Its node is gone, and nobody will give its folder back.
    LetGo,
}

/// `claim` is the one that the volume names, if there is one of that name; `has_node` whether the
/// node that keeps the volume is still there.
pub(super) fn plan_volume(
    volume: &VolumeView,
    claim: Option<&ClaimView>,
    has_node: bool,
) -> VolumePlan {
    if volume.waits_beside.is_some() && !has_node {
        return VolumePlan::LetGo;
    }
    let phase = |wanted: &'static str| {
        if volume.phase == wanted { VolumePlan::Keep } else { VolumePlan::Phase(wanted, None) }
    };
    let Some(own) = &volume.claim else { return phase("Available") };
    if own.uid.is_empty() {
        return match claim {
            // The claim may be waiting for it.
            Some(claim) if !claim.is_bound() && volume.phase == "Available" => {
                VolumePlan::Ask(None)
            }
            _ => phase("Available"),
        };
    }
    let Some(claim) = claim.filter(|claim| claim.uid == own.uid) else { return released(volume) };
    match &claim.volume {
        None if claim.is_block != volume.is_block => {
            let why = format!(
                "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{}\" due to \
                 incompatible volumeMode.",
                claim.name
            );
            VolumePlan::Ask(Some(Note::warning("VolumeMismatch", why)))
        }
        None => VolumePlan::Ask(None),
        Some(name) if *name == volume.name && claim.is_bound() => phase("Bound"),
        Some(name) if *name == volume.name => VolumePlan::Ask(None),
        // The claim has another one.
        Some(_) if volume.provisioner.is_some() && volume.reclaim == "Delete" => released(volume),
        Some(_) => VolumePlan::Unbind { whole: volume.is_bound_by_controller },
    }
}

/// A volume whose claim is gone.
fn released(volume: &VolumeView) -> VolumePlan {
    if volume.phase != "Released" && volume.phase != "Failed" {
        return VolumePlan::Release;
    }
    let failed = |note: Note| {
        if volume.phase == "Failed" && volume.message == note.message {
            VolumePlan::Keep
        } else {
            VolumePlan::Phase("Failed", Some(note))
        }
    };
    match (volume.reclaim.as_str(), volume.provisioner.as_deref()) {
        ("Delete", Some(LOCAL_PATH_PROVISIONER)) if !volume.is_terminating => VolumePlan::Delete,
        ("Delete", None) => failed(Note::warning(
            "VolumeFailedDelete",
            format!(
                "error getting deleter volume plugin for volume \"{}\": no deletable volume \
                 plugin matched",
                volume.name
            ),
        )),
        ("Recycle", _) => {
            failed(Note::warning("VolumeFailedRecycle", "No recycler plugin found for the volume!"))
        }
        // It is retained, or whoever provisioned it deletes it.
        (_, _) => VolumePlan::Keep,
    }
}

/// The default one among classes: the newest that is marked, of equally old ones the first.
pub(super) fn default_class(classes: &[Arc<ClassView>]) -> Option<&str> {
    let ranked = classes.iter().filter_map(|class| Some((class.default_rank.as_ref()?, class)));
    ranked.max_by_key(|(rank, _)| (*rank).clone()).map(|(_, class)| class.name.as_str())
}

/// Why the local-path provisioner makes no volume for a claim; the node is asked about elsewhere.
pub(super) fn refusal(claim: &ClaimView, class: &ClassView) -> Option<String> {
    let only = ["ReadWriteOnce", "ReadWriteOncePod"];
    if let Some(parameter) = class.parameters.first() {
        return Some(format!("parameter \"{parameter}\" is not supported"));
    }
    if class.has_mount_options {
        return Some("mount options are not supported".to_owned());
    }
    if claim.selected_node.is_none() {
        return Some(
            "no node was chosen: the class needs volumeBindingMode WaitForFirstConsumer".to_owned(),
        );
    }
    if claim.selector.is_some() {
        return Some("claim.spec.selector is not supported".to_owned());
    }
    if claim.is_block {
        return Some("volumeMode Block is not supported".to_owned());
    }
    if let Some(mode) = claim.modes.iter().find(|mode| !only.contains(&mode.as_str())) {
        return Some(format!(
            "access mode {mode} is not supported: a folder is on one node; supported are {} and {}",
            only[0], only[1]
        ));
    }
    None
}
