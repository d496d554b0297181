//! Which pods of a node go, and what stands against it.

use jiff::Timestamp;
use serde_json::Value;

use super::DrainArgs;
use crate::commands::describe::items;
use crate::commands::select::Found;
use crate::kinds::text;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Goes,
    /// It goes, with a warning.
    GoesWith(String),
    Stays,
    /// It stays, with a warning.
    StaysWith(String),
    /// The node cannot be drained.
    Refused(String),
    /// It belongs to the daemon set of this name, which may not exist any more.
    OfDaemonSet(String),
}

/// What becomes of a pod, as far as the pod says so itself.
pub(super) fn choose(pod: &Found, args: &DrainArgs) -> Choice {
    choose_at(&pod.object, args, Timestamp::now())
}

fn choose_at(pod: &Value, args: &DrainArgs, now: Timestamp) -> Choice {
    let ending = wk_api::parse_time(text(pod, "/metadata/deletionTimestamp"));
    let patience = args.skip_wait_for_delete_timeout;
    if patience > 0 && ending.is_some_and(|since| now.duration_since(since).as_secs() > patience) {
        return Choice::Stays;
    }
    let has_ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    let owner = items(pod, "/metadata/ownerReferences")
        .find(|owner| owner.get("controller").is_some_and(|is| *is == true));
    if let Some(set) = owner.filter(|owner| text(owner, "/kind") == "DaemonSet")
        && !has_ended
    {
        return Choice::OfDaemonSet(text(set, "/name").to_owned());
    }
    let annotations = pod.pointer("/metadata/annotations");
    if annotations.is_some_and(|all| all.get("kubernetes.io/config.mirror").is_some()) {
        return Choice::Stays;
    }
    let has_data = items(pod, "/spec/volumes").any(|volume| volume.get("emptyDir").is_some());
    if has_data && !has_ended && !args.delete_emptydir_data {
        return Choice::Refused(
            "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
                .to_owned(),
        );
    }
    if has_ended || owner.is_some() {
        return Choice::Goes;
    }
    if args.force {
        return Choice::GoesWith("deleting Pods that declare no controller".to_owned());
    }
    Choice::Refused(
        "cannot delete Pods that declare no controller (use --force to override)".to_owned(),
    )
}

impl Choice {
    /// The choice once it is known whether the daemon set is missing.
    pub(super) fn settled(self, args: &DrainArgs, missing: bool) -> Self {
        match self {
            Self::OfDaemonSet(set) if missing && args.force => {
                Self::GoesWith(format!("daemonsets.apps {set:?} not found"))
            }
            Self::OfDaemonSet(set) if missing => {
                Self::Refused(format!("daemonsets.apps {set:?} not found"))
            }
            Self::OfDaemonSet(_) if args.ignore_daemonsets => {
                Self::StaysWith("ignoring DaemonSet-managed Pods".to_owned())
            }
            Self::OfDaemonSet(_) => Self::Refused(
                "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
                    .to_owned(),
            ),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli;
    use crate::commands::Command;

    #[track_caller]
    fn check(flags: &str, pod: &Value, expected: &str) {
        let words = format!("wkctl drain n {flags}");
        let args = cli::parse(words.split_whitespace().map(Into::into)).unwrap();
        let Command::Drain(args) = args.command else { panic!("{flags}") };
        let choice =
            choose_at(pod, &args, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60));
        let choice = match choice.settled(&args, false) {
            Choice::Goes => "goes".to_owned(),
            Choice::GoesWith(warning) => format!("goes: {warning}"),
            Choice::StaysWith(warning) => format!("stays: {warning}"),
            Choice::Refused(why) => format!("refused: {why}"),
            Choice::Stays | Choice::OfDaemonSet(_) => "stays".to_owned(),
        };
        assert_eq!(choice, expected, "{flags} {pod}");
    }

    #[test]
    fn pods_go_unless_something_would_be_lost() {
        let owned = |kind: &str| {
            json!({"metadata": {"ownerReferences": [{"controller": true, "kind": kind, "name": "o"}]},
                "spec": {}})
        };
        check("", &owned("ReplicaSet"), "goes");
        let bare = json!({"spec": {}});
        check(
            "",
            &bare,
            "refused: cannot delete Pods that declare no controller (use --force to override)",
        );
        check("--force", &bare, "goes: deleting Pods that declare no controller");
        check(
            "",
            &owned("DaemonSet"),
            "refused: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
        );
        check("--ignore-daemonsets", &owned("DaemonSet"), "stays: ignoring DaemonSet-managed Pods");
        let mut with_data = owned("ReplicaSet");
        with_data["spec"]["volumes"] = json!([{"name": "a", "emptyDir": {}}]);
        check(
            "",
            &with_data,
            "refused: cannot delete Pods with local storage (use --delete-emptydir-data to override)",
        );
        check("--delete-emptydir-data", &with_data, "goes");
        with_data["status"] = json!({"phase": "Succeeded"});
        check("", &with_data, "goes");
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
        check("", &mirror, "stays");
        let mut ending = owned("ReplicaSet");
        ending["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z".into();
        check("--skip-wait-for-delete-timeout=30", &ending, "stays");
        check("--skip-wait-for-delete-timeout=90", &ending, "goes");
    }
}
