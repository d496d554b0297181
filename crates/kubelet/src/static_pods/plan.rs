//! What is to be done for static pods, and for what the API knows of them. Pure.

/// Namespace and name.
pub(crate) type FullName = (String, String);

/// A pod of a file, or one that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StaticPod {
    pub(super) uid: String,
    pub(super) name: FullName,
    /// Whether its file is gone, so that it ends.
    pub(super) ends: bool,
}

/// One thing to do for static pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take the pod with this uid.
    Start(String),
    /// Have the pod with this uid end.
    Stop(String),
}

/// Brings what this node has closer to what the files say.
///
/// A pod whose file has changed is another pod. It begins when the one before it has ended.
pub(super) fn pods(wanted: &[(String, FullName)], here: &[StaticPod]) -> Vec<Step> {
    let is_wanted = |uid: &str| wanted.iter().any(|(wanted, _)| wanted == uid);
    let stops = here.iter().filter(|pod| !pod.ends && !is_wanted(&pod.uid));
    let stops = stops.map(|pod| Step::Stop(pod.uid.clone()));
    let starts = wanted.iter().filter(|(_, name)| here.iter().all(|pod| pod.name != *name));
    stops.chain(starts.map(|(uid, _)| Step::Start(uid.clone()))).collect()
}

/// A pod in the API that stands for a static one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    pub(super) name: FullName,
    pub(super) uid: String,
    /// The uid of the static pod that it was made for.
    pub(super) of: String,
    /// Whether somebody has deleted it.
    pub(super) deleted: bool,
}

/// One thing to do in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MirrorStep {
    /// Make the mirror of the static pod with this uid.
    Create(String),
    /// Remove this mirror at once.
    Delete { name: FullName, uid: String },
}

/// Brings what the API has closer to what this node has.
pub(super) fn mirrors(here: &[StaticPod], mirrors: &[Mirror]) -> Vec<MirrorStep> {
    let stands = |mirror: &Mirror| {
        !mirror.deleted && here.iter().any(|pod| pod.name == mirror.name && pod.uid == mirror.of)
    };
    let wrong = mirrors.iter().filter(|mirror| !stands(mirror));
    let deletes = wrong
        .map(|mirror| MirrorStep::Delete { name: mirror.name.clone(), uid: mirror.uid.clone() });
    let bare = here.iter().filter(|pod| !pod.ends && mirrors.iter().all(|m| m.name != pod.name));
    deletes.chain(bare.map(|pod| MirrorStep::Create(pod.uid.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> FullName {
        ("default".to_owned(), name.to_owned())
    }

    /// `NAME=UID`, with `~` for one that ends.
    fn here(text: &str) -> Vec<StaticPod> {
        let pods = text.split_whitespace().map(|pod| {
            let (own, uid) = pod.split_once('=').unwrap();
            let plain = uid.trim_end_matches('~');
            StaticPod { uid: plain.to_owned(), name: name(own), ends: plain != uid }
        });
        pods.collect()
    }

    #[track_caller]
    fn check_pods(case: &str, wanted: &str, observed: &str, expected: &[&str]) {
        let wanted: Vec<_> = here(wanted).into_iter().map(|pod| (pod.uid, pod.name)).collect();
        let steps = pods(&wanted, &here(observed)).into_iter().map(|step| match step {
            Step::Start(uid) => format!("start {uid}"),
            Step::Stop(uid) => format!("stop {uid}"),
        });
        assert_eq!(steps.collect::<Vec<_>>(), expected, "{case}");
    }

    #[test]
    fn pods_follow_their_files() {
        check_pods("as wanted", "a=1 b=2", "a=1 b=2", &[]);
        check_pods("a new file", "a=1 b=2", "a=1", &["start 2"]);
        check_pods("a file is gone", "a=1", "a=1 b=2", &["stop 2"]);
        check_pods("a changed file ends the pod first", "a=2", "a=1", &["stop 1"]);
        check_pods("and waits for its end", "a=2", "a=1~", &[]);
        check_pods("then starts the new one", "a=2", "", &["start 2"]);
        check_pods("a file that comes back waits too", "a=1", "a=1~", &[]);
    }

    /// `NAME=UID`, with `!` for one that somebody has deleted; its own uid is `m` and that.
    #[track_caller]
    fn check_mirrors(case: &str, pods: &str, known: &str, expected: &[&str]) {
        let known = known.split_whitespace().map(|mirror| {
            let (own, of) = mirror.split_once('=').unwrap();
            let plain = of.trim_end_matches('!');
            let (of, uid) = (plain.to_owned(), format!("m{plain}"));
            Mirror { name: name(own), uid, of, deleted: mirror.ends_with('!') }
        });
        let known: Vec<Mirror> = known.collect();
        let steps = mirrors(&here(pods), &known).into_iter().map(|step| match step {
            MirrorStep::Create(uid) => format!("create {uid}"),
            MirrorStep::Delete { name, uid } => format!("delete {} {uid}", name.1),
        });
        assert_eq!(steps.collect::<Vec<_>>(), expected, "{case}");
    }

    #[test]
    fn the_api_shows_each_static_pod_once() {
        check_mirrors("as wanted", "a=1", "a=1", &[]);
        check_mirrors("a new pod", "a=1", "", &["create 1"]);
        check_mirrors("one that nobody runs", "", "a=1", &["delete a m1"]);
        check_mirrors("one of an older file", "a=2", "a=1", &["delete a m1"]);
        check_mirrors("a pod that ends is still shown", "a=1~", "a=1", &[]);
        check_mirrors("and not shown again", "a=1~", "", &[]);
        check_mirrors(
            "one that was deleted goes, and comes again",
            "a=1",
            "a=1!",
            &["delete a m1"],
        );
    }
}
