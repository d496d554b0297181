//! Defaulting that Kubernetes leaves to admission, because it needs to know of more than the object.
//!
//! What it needs comes in as arguments; looking it up is the server's business.

use serde_json::{Value, json};
use wk_api::well_known;

use crate::look::{Look, map_mut};

/// What admission must know of the cluster to complete a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodDefaults {
    /// The priority of the pod's class and the class itself, where the pod names one or the cluster
    /// has a default one.
    pub priority_class: Option<PriorityClass>,
    /// How long a pod stays on a node that is not ready, in seconds. Kubernetes has 300.
    pub not_ready_seconds: i64,
    /// How long a pod stays on a node that cannot be reached, in seconds. Kubernetes has 300.
    pub unreachable_seconds: i64,
    /// Pull secrets of the pod's service account, for pods that name none.
    pub image_pull_secrets: Vec<String>,
}

/// A priority class as far as pods need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorityClass {
    /// Its name.
    pub name: String,
    /// Its priority.
    pub value: i32,
    /// Its preemption policy.
    pub preemption_policy: String,
}

impl Default for PodDefaults {
    fn default() -> Self {
        Self {
            priority_class: None,
            not_ready_seconds: 300,
            unreachable_seconds: 300,
            image_pull_secrets: Vec::new(),
        }
    }
}

/// Completes a defaulted pod that is about to be created: service account, priority, and the
/// tolerations that keep it on its node through a short outage.
///
/// No volume with a token is mounted: nothing issues tokens for service accounts yet.
pub fn complete_pod(pod: &mut Value, defaults: &PodDefaults) {
    let mirror = pod["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION);
    let spec = map_mut(pod, "spec");
    if !mirror && spec.lacks("serviceAccountName") {
        for field in ["serviceAccount", "serviceAccountName"] {
            spec.insert(field.to_owned(), well_known::DEFAULT_SERVICE_ACCOUNT.into());
        }
    }
    if spec.lacks("imagePullSecrets") && !defaults.image_pull_secrets.is_empty() {
        let secrets: Vec<Value> =
            defaults.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        spec.insert("imagePullSecrets".to_owned(), secrets.into());
    }
    let (priority, policy) = match &defaults.priority_class {
        Some(class) => {
            spec.insert("priorityClassName".to_owned(), class.name.as_str().into());
            (class.value, class.preemption_policy.as_str())
        }
        None => (0, "PreemptLowerPriority"),
    };
    spec.insert("priority".to_owned(), priority.into());
    spec.entry("preemptionPolicy").or_insert_with(|| policy.into());
    for (taint, seconds) in [
        (well_known::NOT_READY_TAINT, defaults.not_ready_seconds),
        (well_known::UNREACHABLE_TAINT, defaults.unreachable_seconds),
    ] {
        tolerate(spec.entry("tolerations").or_insert_with(|| json!([])), taint, seconds);
    }
}

/// Adds a toleration of a `NoExecute` taint, unless one is there.
fn tolerate(tolerations: &mut Value, taint: &str, seconds: i64) {
    let Value::Array(tolerations) = tolerations else { return };
    let tolerated = tolerations.iter().any(|toleration| {
        let (key, effect) = (toleration.text("key"), toleration.text("effect"));
        (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
    });
    if !tolerated {
        tolerations.push(json!({
            "effect": "NoExecute",
            "key": taint,
            "operator": "Exists",
            "tolerationSeconds": seconds,
        }));
    }
}
