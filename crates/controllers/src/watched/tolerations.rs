//! The tolerations of pods, as far as they are about taints that end pods.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::core::v1::Toleration;
use wk_api::well_known::{NOT_READY_TAINT, UNREACHABLE_TAINT};

/// Shared, because nearly all pods have the same.
pub(crate) type Tolerations = Arc<[Toleration]>;

/// What the API server gives a pod that says nothing.
static USUAL: LazyLock<[Tolerations; 2]> = LazyLock::new(|| {
    let five_minutes = |key: &str| Toleration {
        effect: Some("NoExecute".to_owned()),
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        toleration_seconds: Some(300),
        value: None,
    };
    let usual = [five_minutes(NOT_READY_TAINT), five_minutes(UNREACHABLE_TAINT)];
    [Arc::from([]), Arc::from(usual)]
});

/// Those that can be of a taint with the effect `NoExecute`.
pub(super) fn of_ending(all: Option<Vec<Toleration>>) -> Tolerations {
    let mut all = all.unwrap_or_default();
    all.retain(|one| matches!(one.effect.as_deref(), None | Some("" | "NoExecute")));
    let usual = USUAL.iter().find(|usual| usual[..] == all[..]);
    usual.map_or_else(|| Arc::from(all), Arc::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_tolerations_are_kept_once() {
        let usual = USUAL[1].to_vec();
        assert!(Arc::ptr_eq(&of_ending(Some(usual.clone())), &USUAL[1]));
        assert!(Arc::ptr_eq(&of_ending(None), &USUAL[0]));
        let scheduling = Toleration { effect: Some("NoSchedule".to_owned()), ..usual[0].clone() };
        assert!(Arc::ptr_eq(&of_ending(Some(vec![scheduling])), &USUAL[0]));
        assert_eq!(of_ending(Some(usual[..1].to_vec()))[..], usual[..1]);
    }
}
