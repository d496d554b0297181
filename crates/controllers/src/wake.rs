//! Which workloads a change of pods concerns.

use kube::Resource;
use wk_api::names::NamespacedName;
use wk_client::{Informer, WorkQueue};

use crate::meta::OwnerKind;
use crate::watched::{PodView, Selecting, Watched};

/// Asks for a look at each workload of a kind that changes itself, one of whose pods changes, or that
/// could take over a pod which nobody manages.
pub(crate) fn wake<K>(
    kind: OwnerKind,
    workloads: &Informer<Selecting<K>>,
    watched: &Watched,
    queue: &WorkQueue<NamespacedName>,
) where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    let by_itself = queue.clone();
    workloads.on_change(move |key| by_itself.add(key.clone()));
    let (by_pod, seen) = (queue.clone(), workloads.clone());
    watched.on_pod(move |key, before, pod| {
        let owners = before.into_iter().chain(pod.and_then(PodView::controller));
        for owner in owners.filter(|owner| owner.is_a(&kind)) {
            let namespace = key.namespace.clone();
            by_pod.add(NamespacedName { namespace, name: owner.name.to_string() });
        }
        let Some(pod) = pod.filter(|pod| pod.controller().is_none()) else { return };
        for workload in seen.in_namespace(&pod.namespace) {
            if workload.selector.matches_map(&pod.labels) {
                by_pod.add(NamespacedName::of(workload.object.meta()));
            }
        }
    });
}
