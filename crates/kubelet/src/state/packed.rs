//! Pods that nobody looks at, in a third of the size of their JSON.

use k8s_openapi::api::core::v1::Pod;
use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};
use miniz_oxide::inflate::decompress_to_vec;
use tracing::error;

/// A pod's object, deflated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    pub(crate) fn of(pod: &Pod) -> Self {
        // Maps of the API have text for keys, so that every pod is JSON.
        let json = serde_json::to_vec(pod).unwrap_or_default();
        let packed = compress_to_vec(&json, CompressionLevel::BestSpeed as u8);
        Self(packed.into_boxed_slice())
    }

    pub(crate) fn unpack(&self) -> Pod {
        let json = decompress_to_vec(&self.0).unwrap_or_default();
        serde_json::from_slice(&json).unwrap_or_else(|error| {
            error!(%error, "a pod in memory cannot be read");
            Pod::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_comes_out_as_it_went_in_and_is_smaller_meanwhile() {
        let container = |name: &str| {
            serde_json::json!({
                "name": name, "image": "registry.example/team/web:1", "imagePullPolicy": "Always",
                "terminationMessagePath": "/dev/termination-log", "resources": {},
            })
        };
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u-1"},
            "spec": {"containers": [container("web"), container("side"), container("third")]},
        }))
        .unwrap();
        let packed = Packed::of(&pod);
        assert_eq!(packed.unpack(), pod);
        let json = serde_json::to_vec(&pod).unwrap();
        assert!(packed.0.len() * 2 < json.len(), "{} of {}", packed.0.len(), json.len());
    }
}
