//! From a claim to the volume it is bound to, and from there to a path on this node. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    NodeSelector, NodeSelectorRequirement, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec,
    Volume,
};
use wk_api::well_known::{
    LOCAL_PATH_MADE_ANNOTATION, LOCAL_PATH_PROVISIONER, PROVISIONED_BY_ANNOTATION,
};

use super::host::HostPath;
use super::local_path::OwnVolume;
use super::{Given, Persistent, Task};
use crate::objects::{Found, ObjectKind, Storage};

/// What a kubelet has to know of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoundClaim {
    uid: String,
    /// The pod that it was made for.
    controller: Option<String>,
    is_terminating: bool,
    /// The volume it is bound to.
    volume: Option<String>,
}

impl BoundClaim {
    pub(crate) fn of(claim: PersistentVolumeClaim) -> Self {
        let phase = claim.status.and_then(|status| status.phase);
        let volume = claim.spec.and_then(|spec| spec.volume_name);
        let mut owners = claim.metadata.owner_references.into_iter().flatten();
        Self {
            uid: claim.metadata.uid.unwrap_or_default(),
            controller: owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid),
            is_terminating: claim.metadata.deletion_timestamp.is_some(),
            volume: volume.filter(|name| !name.is_empty() && phase.as_deref() == Some("Bound")),
        }
    }
}

/// What a kubelet has to know of a persistent volume.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StoredVolume {
    uid: String,
    /// The uid of the claim it is bound to.
    claim: Option<String>,
    mode: Option<String>,
    source: Source,
    affinity: Option<NodeSelector>,
    /// Whether this project's own provisioner made it, and its node the folder.
    is_own: bool,
    is_made: bool,
}

/// Where a volume keeps its data.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    Local(PathBuf),
    Host { path: PathBuf, kind: String },
    Other(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl StoredVolume {
    pub(crate) fn of(volume: PersistentVolume) -> Self {
        let annotations = volume.metadata.annotations.unwrap_or_default();
        let spec = volume.spec.unwrap_or_default();
        let source = if let Some(local) = &spec.local {
            Source::Local(local.path.clone().into())
        } else if let Some(host) = &spec.host_path {
            let kind = host.type_.clone().unwrap_or_default();
            Source::Host { path: host.path.clone().into(), kind }
        } else {
            Source::Other(source_name(&spec))
        };
        Self {
            uid: volume.metadata.uid.unwrap_or_default(),
            claim: spec.claim_ref.and_then(|claim| claim.uid),
            mode: spec.volume_mode,
            source,
            affinity: spec.node_affinity.and_then(|affinity| affinity.required),
            is_own: annotations
                .get(PROVISIONED_BY_ANNOTATION)
                .is_some_and(|name| name == LOCAL_PATH_PROVISIONER),
            is_made: annotations.contains_key(LOCAL_PATH_MADE_ANNOTATION),
        }
    }
}

/// The name of the field that holds a volume's source.
fn source_name(spec: &k8s_openapi::api::core::v1::PersistentVolumeSpec) -> String {
    const NOT_SOURCES: [&str; 9] = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let value = serde_json::to_value(spec).unwrap_or_default();
    let mut fields = value.as_object().into_iter().flat_map(|fields| fields.keys());
    fields.find(|field| !NOT_SOURCES.contains(&field.as_str())).cloned().unwrap_or_default()
}

/// The claim of a volume of a pod, and whether it was made for the pod alone.
fn claim_of(volume: &Volume, pod_name: &str) -> Option<(String, bool)> {
    if let Some(source) = &volume.persistent_volume_claim {
        return Some((source.claim_name.clone(), false));
    }
    volume.ephemeral.as_ref().map(|_| (format!("{pod_name}-{}", volume.name), true))
}

/// The claims that the volumes of a pod name.
pub(crate) fn claims(spec: &PodSpec, pod: &Pod) -> Vec<(ObjectKind, String)> {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = spec.volumes.iter().flatten();
    let names = volumes.filter_map(|volume| claim_of(volume, pod_name));
    names.map(|(name, _)| (ObjectKind::Claim, name)).collect()
}

/// The volumes that claims are bound to.
pub(crate) fn volumes_of(found: &Found) -> Vec<(ObjectKind, String)> {
    let claims = found.values().flatten().filter_map(|object| match object.storage.as_deref() {
        Some(Storage::Claim(claim)) => claim.volume.clone(),
        _ => None,
    });
    claims.map(|name| (ObjectKind::Volume, name)).collect()
}

/// The task for a volume that is a claim; `None` if it is of another kind.
pub(super) fn task(
    volume: &Volume,
    spec: &PodSpec,
    given: Given<'_>,
) -> Option<Result<Task, String>> {
    let meta = &given.facts.pod.metadata;
    let (claim, is_ephemeral) = claim_of(volume, meta.name.as_deref().unwrap_or_default())?;
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let found = persistent(volume, &claim, is_ephemeral, spec, given);
    Some(
        found
            .map(Task::Persistent)
            .map_err(|why| format!("error processing PVC {namespace}/{claim}: {why}")),
    )
}

fn persistent(
    volume: &Volume,
    claim_name: &str,
    is_ephemeral: bool,
    spec: &PodSpec,
    given: Given<'_>,
) -> Result<Persistent, String> {
    let meta = &given.facts.pod.metadata;
    let stored = |kind: ObjectKind, name: &str| {
        given.found.get(&(kind, name.to_owned())).and_then(Option::as_ref)?.storage.as_deref()
    };
    let Some(Storage::Claim(claim)) = stored(ObjectKind::Claim, claim_name) else {
        return Err(format!(
            "failed to fetch PVC from API server: persistentvolumeclaims \"{claim_name}\" not found"
        ));
    };
    if is_ephemeral && claim.controller != meta.uid {
        let pod = format!(
            "{}/{}",
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default()
        );
        return Err(format!("PVC was not created for pod {pod} (pod is not owner)"));
    }
    if claim.is_terminating {
        return Err("PVC is being deleted".to_owned());
    }
    let Some(name) = &claim.volume else { return Err("PVC is not bound".to_owned()) };
    let Some(Storage::Volume(stored)) = stored(ObjectKind::Volume, name) else {
        return Err(format!(
            "failed to fetch PV {name} from API server: persistentvolumes \"{name}\" not found"
        ));
    };
    match &stored.claim {
        Some(uid) if *uid == claim.uid => {}
        Some(uid) => {
            return Err(format!(
                "found PV object {name} with a pv.Spec.ClaimRef.UID {uid} that does not point to \
                 claim.UID {}",
                claim.uid
            ));
        }
        None => {
            return Err(format!(
                "found PV object {name} with nil pv.Spec.ClaimRef indicating it is not yet bound \
                 to the claim"
            ));
        }
    }
    check_mode(volume, stored, spec)?;
    if let Some(affinity) = &stored.affinity
        && !selects(affinity, given.node_labels)
    {
        return Err(format!(
            "PV {name} cannot be used on this node: no matching NodeSelectorTerms"
        ));
    }
    match &stored.source {
        Source::Local(path) if stored.is_own => {
            let made = stored.is_made;
            let own = OwnVolume::new(given.local_path, name, &stored.uid, made, path);
            let elsewhere = || {
                let (path, root) = (path.display(), given.local_path.display());
                format!("path \"{path}\" is not in this node's folder for volumes, \"{root}\"")
            };
            own.map(Persistent::Own).ok_or_else(elsewhere)
        }
        Source::Local(path) => Ok(Persistent::Local(path.clone())),
        Source::Host { path, kind } => HostPath::new(path, kind).map(Persistent::Host),
        Source::Other(kind) => Err(format!(
            "PV {name} is of type `{kind}`, which is not supported on this node; supported are \
             local and hostPath"
        )),
    }
}

fn check_mode(volume: &Volume, stored: &StoredVolume, spec: &PodSpec) -> Result<(), String> {
    let mode = stored.mode.as_deref().unwrap_or("Filesystem");
    let init = spec.init_containers.iter().flatten();
    let mut mounts =
        init.chain(&spec.containers).flat_map(|one| one.volume_mounts.iter().flatten());
    let name = &volume.name;
    if mode == "Filesystem" {
        Ok(())
    } else if mounts.any(|mount| mount.name == *name) {
        Err(format!("volume {name} has volumeMode {mode}, but is specified in volumeMounts"))
    } else {
        Err(format!("volume {name} has volumeMode {mode}, which is not supported on this node"))
    }
}

/// Whether a selector chooses a node of these labels: one of its terms does, with all it says.
fn selects(selector: &NodeSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.node_selector_terms.iter().any(|term| {
        let mut expressions = term.match_expressions.iter().flatten().peekable();
        // A term that says nothing chooses nothing, and fields are not for volumes.
        expressions.peek().is_some()
            && term.match_fields.as_ref().is_none_or(Vec::is_empty)
            && expressions.all(|one| meets(one, labels))
    })
}

/// Whether labels are as a requirement has them.
pub(crate) fn meets(
    requirement: &NodeSelectorRequirement,
    labels: &BTreeMap<String, String>,
) -> bool {
    let value = labels.get(&requirement.key);
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.contains(value));
    let compared = || -> Option<std::cmp::Ordering> {
        let (value, bound) = (value?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?);
        Some(value.cmp(&bound))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared() == Some(std::cmp::Ordering::Greater),
        "Lt" => compared() == Some(std::cmp::Ordering::Less),
        _ => false,
    }
}

/// The path that a claim's volume was found at, as [`super::carry_out`] noted it. Blocking.
pub(super) fn noted(link: &Path) -> Result<PathBuf, String> {
    std::fs::read_link(link).map_err(|error| format!("volume is not mounted: {error}"))
}
