//! Which taints a pod stands.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

use k8s_openapi::api::core::v1::{Taint, Toleration};

/// New pods stay away.
pub(crate) const NO_SCHEDULE: &str = "NoSchedule";
/// New pods stay away, and those that are there go.
pub(crate) const NO_EXECUTE: &str = "NoExecute";

/// Whether `toleration` is of `taint`.
pub(crate) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let text = |part: &'_ Option<String>| part.as_deref().unwrap_or_default().to_owned();
    let (effect, key) = (text(&toleration.effect), text(&toleration.key));
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            let value = taint.value.as_deref().unwrap_or_default();
            !key.is_empty() && toleration.value.as_deref().unwrap_or_default() == value
        }
        Some(_) => false,
    }
}

/// Whether a taint with one of these effects is not tolerated.
pub(crate) fn is_kept_away(taints: &[Taint], tolerations: &[Toleration], effects: &[&str]) -> bool {
    taints
        .iter()
        .filter(|taint| effects.contains(&taint.effect.as_str()))
        .any(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toleration: [&str; 4], is_tolerated: bool) {
        let text = |place: usize| Some(toleration[place].to_owned()).filter(|one| !one.is_empty());
        let toleration = Toleration {
            key: text(0),
            operator: text(1),
            value: text(2),
            effect: text(3),
            toleration_seconds: None,
        };
        let taint = Taint {
            key: "gpu".to_owned(),
            value: Some("big".to_owned()),
            effect: NO_EXECUTE.to_owned(),
            time_added: None,
        };
        assert_eq!(tolerates(&toleration, &taint), is_tolerated, "{toleration:?}");
        let is_kept_away = is_kept_away(&[taint], &[toleration], &[NO_EXECUTE]);
        assert_eq!(is_kept_away, !is_tolerated);
    }

    #[test]
    fn a_toleration_is_of_what_it_names() {
        check(["", "Exists", "", ""], true);
        check(["gpu", "Exists", "", ""], true);
        check(["gpu", "Exists", "", "NoExecute"], true);
        check(["gpu", "Exists", "", "NoSchedule"], false);
        check(["cpu", "Exists", "", ""], false);
        check(["gpu", "", "big", ""], true);
        check(["gpu", "Equal", "small", ""], false);
        check(["", "Equal", "big", ""], false);
        check(["gpu", "Gt", "1", ""], false);
    }
}
