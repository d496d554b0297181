//! `/configz`: how this kubelet was told to work, in the words of its configuration file.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use crate::config::KubeletConfig;
use crate::eviction::Thresholds;
use crate::shared::Shared;
use crate::worker::go_duration;

/// Answers with what is in force.
pub(super) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    axum::Json(json!({"kubeletconfig": shown(&shared.config, shared.max_pods)})).into_response()
}

fn shown(config: &KubeletConfig, max_pods: u32) -> Value {
    let garbage = &config.image_garbage;
    let eviction = &config.eviction;
    let manifests = config.pod_manifests.as_ref();
    let pairs = |text: String| -> Value {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        Value::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect())
    };
    json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "enableServer": config.port.is_some(),
        "port": config.port,
        "maxPods": max_pods,
        "staticPodPath": manifests.map(|manifests| manifests.path.display().to_string()),
        "fileCheckFrequency": manifests.map(|manifests| go_duration(manifests.period)),
        "containerLogMaxSize": config.log_limits.max_bytes.to_string(),
        "containerLogMaxFiles": config.log_limits.max_files,
        "imageMinimumGCAge": go_duration(garbage.minimum_age),
        "imageGCHighThresholdPercent": garbage.high_percent,
        "imageGCLowThresholdPercent": garbage.low_percent,
        "evictionHard": thresholds(&config.eviction_hard),
        "evictionSoft": thresholds(&eviction.soft),
        "evictionSoftGracePeriod": pairs(eviction.soft_grace_period.to_string()),
        "evictionMinimumReclaim": pairs(eviction.minimum_reclaim.to_string()),
        "evictionPressureTransitionPeriod": go_duration(eviction.pressure_transition_period),
        "evictionMaxPodGracePeriod": eviction.max_pod_grace_period.as_secs(),
    })
}

fn thresholds(all: &Thresholds) -> Map<String, Value> {
    let text = all.to_string();
    let pairs = text.split(',').filter_map(|pair| pair.split_once('<'));
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_shown_by_their_signals() {
        let all = "memory.available<100,nodefs.available<10%".parse().unwrap();
        let shown = Value::Object(thresholds(&all));
        assert_eq!(shown, json!({"memory.available": "100", "nodefs.available": "10%"}));
        assert!(thresholds(&"".parse().unwrap()).is_empty());
    }
}
