//! The labels by which containers are found again, and what is read from them. Pure.

use std::collections::HashMap;
use std::path::PathBuf;

use wk_runtime::{ContainerId, ContainerSpec, LogLimits, PodRef};

pub(crate) const OWNER: &str = "wk.dev/owner";
const KIND: &str = "wk.dev/kind";
const ID: &str = "wk.dev/container-id";
const ATTEMPT: &str = "wk.dev/attempt";
const IMAGE_DIGEST: &str = "wk.dev/image-digest";
const LOG_PATH: &str = "wk.dev/log-path";
const LOG_MAX_BYTES: &str = "wk.dev/log-max-bytes";
const LOG_MAX_FILES: &str = "wk.dev/log-max-files";
/// The labels that tools for Kubernetes on container engines know.
pub(crate) const POD_UID: &str = "io.kubernetes.pod.uid";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_NAME: &str = "io.kubernetes.pod.name";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";

const CONTAINER: &str = "container";
const SANDBOX: &str = "sandbox";

/// What the labels of a container say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labelled {
    pub(crate) id: ContainerId,
    pub(crate) pod: PodRef,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) image_digest: String,
    pub(crate) log_path: PathBuf,
    pub(crate) log_limits: LogLimits,
}

/// The label filter for everything of `owner`, or of one of its pods.
pub(crate) fn filter(owner: &str, pod_uid: Option<&str>) -> HashMap<String, Vec<String>> {
    let mut labels = vec![format!("{OWNER}={owner}")];
    labels.extend(pod_uid.map(|uid| format!("{POD_UID}={uid}")));
    HashMap::from([("label".to_owned(), labels)])
}

/// The labels of a container.
pub(crate) fn of_container(
    owner: &str,
    id: &ContainerId,
    spec: &ContainerSpec,
) -> HashMap<String, String> {
    let mut labels = of_pod(owner, CONTAINER, &spec.pod);
    let more = [
        (CONTAINER_NAME, spec.name.clone()),
        (ID, id.to_string()),
        (ATTEMPT, spec.attempt.to_string()),
        (IMAGE_DIGEST, spec.image.digest.clone()),
        (LOG_PATH, spec.log_path.display().to_string()),
        (LOG_MAX_BYTES, spec.log_limits.max_bytes.to_string()),
        (LOG_MAX_FILES, spec.log_limits.max_files.to_string()),
    ];
    labels.extend(more.map(|(name, value)| (name.to_owned(), value)));
    labels
}

/// The labels of a pod's sandbox.
pub(crate) fn of_sandbox(owner: &str, pod: &PodRef) -> HashMap<String, String> {
    of_pod(owner, SANDBOX, pod)
}

fn of_pod(owner: &str, kind: &str, pod: &PodRef) -> HashMap<String, String> {
    let labels = [
        (OWNER, owner),
        (KIND, kind),
        (POD_NAMESPACE, &pod.namespace),
        (POD_NAME, &pod.name),
        (POD_UID, &pod.uid),
    ];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The uid of the pod whose sandbox has these labels; `None` for everything else.
pub(crate) fn sandbox_of(labels: &HashMap<String, String>) -> Option<&String> {
    labels.get(POD_UID).filter(|_| labels.get(KIND).is_some_and(|kind| kind == SANDBOX))
}

/// Reads the labels of a container; `None` for sandboxes, and for what was not made here.
pub(crate) fn read(labels: &HashMap<String, String>) -> Option<Labelled> {
    let of = |name: &str| labels.get(name).cloned();
    if labels.get(KIND)? != CONTAINER {
        return None;
    }
    Some(Labelled {
        id: ContainerId::new(of(ID)?),
        pod: PodRef { namespace: of(POD_NAMESPACE)?, name: of(POD_NAME)?, uid: of(POD_UID)? },
        name: of(CONTAINER_NAME)?,
        attempt: of(ATTEMPT)?.parse().ok()?,
        image_digest: of(IMAGE_DIGEST)?,
        log_path: of(LOG_PATH)?.into(),
        log_limits: LogLimits {
            max_bytes: of(LOG_MAX_BYTES)?.parse().ok()?,
            max_files: of(LOG_MAX_FILES)?.parse().ok()?,
        },
    })
}
