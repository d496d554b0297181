//! What there is to remove, and how what remains is reported.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::NamespaceCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResourceList, Time};
use wk_api::well_known::KUBERNETES_FINALIZER;

/// A kind of objects in namespaces that can be listed and deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    /// The name of the kind: `Pod`.
    pub(super) name: String,
    pub(super) plural: String,
    pub(super) can_delete_collection: bool,
}

impl fmt::Display for Kind {
    /// `pods.` and `deployments.apps`, as Kubernetes writes them in these conditions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plural, self.group)
    }
}

/// Objects of one kind that are still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remaining {
    pub(super) resource: String,
    pub(super) count: usize,
    /// The finalizers of all of them.
    pub(super) finalizers: Vec<String>,
}

/// How far a namespace has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// API groups that could not be asked for their kinds.
    pub(super) undiscovered: Vec<String>,
    /// Kinds whose objects could not be deleted or listed.
    pub(super) failures: Vec<String>,
    pub(super) remaining: Vec<Remaining>,
}

impl Report {
    /// Whether nothing is left, for certain.
    pub(super) fn is_empty(&self) -> bool {
        self.undiscovered.is_empty() && self.failures.is_empty() && self.remaining.is_empty()
    }
}

/// The kinds of a discovery document whose objects a namespace can hold.
pub(super) fn kinds(group: &str, version: &str, list: &APIResourceList) -> Vec<Kind> {
    let can = |verbs: &[String], verb: &str| verbs.iter().any(|one| one == verb);
    let held = list.resources.iter().filter(|resource| {
        resource.namespaced
            && !resource.name.contains('/')
            && can(&resource.verbs, "list")
            && can(&resource.verbs, "delete")
    });
    held.map(|resource| Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        name: resource.kind.clone(),
        plural: resource.name.clone(),
        can_delete_collection: can(&resource.verbs, "deletecollection"),
    })
    .collect()
}

/// What to remove first and what after that.
///
/// `events.k8s.io` shows the Events of the core group once more, so it is left out.
pub(super) fn in_stages(kinds: Vec<Kind>) -> [Vec<Kind>; 2] {
    let wanted = kinds.into_iter().filter(|kind| kind.group != "events.k8s.io");
    let (pods, others) = wanted.partition(|kind| kind.group.is_empty() && kind.plural == "pods");
    [pods, others]
}

/// The namespace's finalizers without ours.
pub(super) fn remaining_finalizers(finalizers: &[String]) -> Vec<String> {
    finalizers.iter().filter(|one| *one != KUBERNETES_FINALIZER).cloned().collect()
}

/// The conditions that differ from those `seen`, in the words of Kubernetes.
pub(super) fn conditions(
    report: &Report,
    seen: &[NamespaceCondition],
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    let mut finalizers: BTreeMap<&str, usize> = BTreeMap::new();
    for finalizer in report.remaining.iter().flat_map(|remaining| &remaining.finalizers) {
        *finalizers.entry(finalizer).or_default() += 1;
    }
    let remaining = report
        .remaining
        .iter()
        .map(|one| format!("{} has {} resource instances", one.resource, one.count));
    let held = finalizers
        .iter()
        .map(|(finalizer, count)| format!("{finalizer} in {count} resource instances"));
    let (remaining, held): (Vec<_>, Vec<_>) = (remaining.collect(), held.collect());
    let table = [
        (
            "NamespaceDeletionDiscoveryFailure",
            ("DiscoveryFailed", "Discovery failed for some groups, "),
            ("ResourcesDiscovered", "All resources successfully discovered"),
            &report.undiscovered,
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            ("GroupVersionParsingFailed", ""),
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
            // Versions are taken from discovery as they are, so none can fail.
            &Vec::new(),
        ),
        (
            "NamespaceDeletionContentFailure",
            ("ContentDeletionFailed", "Failed to delete all resource types, "),
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
            &report.failures,
        ),
        (
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", "Some resources are remaining: "),
            ("ContentRemoved", "All content successfully removed"),
            &remaining,
        ),
        (
            "NamespaceFinalizersRemaining",
            ("SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
            &held,
        ),
    ];
    let wanted = table.into_iter().map(|(name, bad, good, details)| {
        if details.is_empty() {
            condition(name, "False", good.0, good.1.to_owned())
        } else {
            condition(name, "True", bad.0, format!("{}{}", bad.1, details.join(", ")))
        }
    });
    wanted.filter_map(|condition| changed(condition, seen, now)).collect()
}

fn condition(name: &str, status: &str, reason: &str, message: String) -> NamespaceCondition {
    NamespaceCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: None,
    }
}

/// The condition with the time of its last transition; `None` if it is there already.
fn changed(
    mut condition: NamespaceCondition,
    seen: &[NamespaceCondition],
    now: Timestamp,
) -> Option<NamespaceCondition> {
    let before = seen.iter().find(|one| one.type_ == condition.type_);
    let since = before.filter(|before| before.status == condition.status);
    condition.last_transition_time =
        since.and_then(|before| before.last_transition_time.clone()).or(Some(Time(now)));
    (before != Some(&condition)).then_some(condition)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stuck() -> Report {
        Report {
            remaining: vec![Remaining {
                resource: "pods.".to_owned(),
                count: 2,
                finalizers: vec!["a/b".to_owned()],
            }],
            ..Report::default()
        }
    }

    #[test]
    fn what_remains_is_reported_in_the_words_of_kubernetes() {
        let conditions = conditions(&stuck(), &[], Timestamp::UNIX_EPOCH);
        let found: Vec<_> = conditions
            .iter()
            .map(|one| (one.type_.as_str(), one.status.as_str(), one.message.as_deref().unwrap()))
            .collect();
        assert_eq!(
            found[3],
            (
                "NamespaceContentRemaining",
                "True",
                "Some resources are remaining: pods. has 2 resource instances",
            )
        );
        assert_eq!(
            found[4],
            (
                "NamespaceFinalizersRemaining",
                "True",
                "Some content in the namespace has finalizers remaining: a/b in 1 resource instances",
            )
        );
        assert_eq!(found[0].1, "False");
    }

    #[test]
    fn a_report_that_says_nothing_new_writes_nothing() {
        let first = conditions(&stuck(), &[], Timestamp::UNIX_EPOCH);
        assert_eq!(first.len(), 5);
        let later = Timestamp::from_second(60).unwrap();
        assert_eq!(conditions(&stuck(), &first, later), []);
        let again = conditions(&Report::default(), &first, later);
        assert_eq!(again.len(), 2, "{again:?}");
    }

    #[test]
    fn only_what_can_be_listed_and_deleted_is_asked_for_and_pods_go_first() {
        let list = json!({"groupVersion": "v1", "resources": [
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": true, "singularName": "",
             "verbs": ["list", "delete", "deletecollection"]},
            {"name": "pods", "kind": "Pod", "namespaced": true, "singularName": "",
             "verbs": ["list", "delete"]},
            {"name": "pods/log", "kind": "Pod", "namespaced": true, "singularName": "",
             "verbs": ["list", "delete"]},
            {"name": "bindings", "kind": "Binding", "namespaced": true, "singularName": "",
             "verbs": ["create"]},
            {"name": "nodes", "kind": "Node", "namespaced": false, "singularName": "",
             "verbs": ["list", "delete"]},
        ]});
        let found = kinds("", "v1", &serde_json::from_value(list).unwrap());
        let stages = in_stages(found).map(|stage| {
            stage
                .iter()
                .map(|kind| format!("{kind} {}", kind.can_delete_collection))
                .collect::<Vec<_>>()
        });
        assert_eq!(stages, [["pods. false"], ["configmaps. true"]]);
    }

    #[test]
    fn only_our_finalizer_goes() {
        let finalizers = ["kubernetes".to_owned(), "other/one".to_owned()];
        assert_eq!(remaining_finalizers(&finalizers), ["other/one"]);
    }
}
