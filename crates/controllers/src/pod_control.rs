//! Makes, deletes and claims pods for a controller, tells of it in events, and remembers what of it
//! the cache has to show.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tracing::debug;
use wk_api::LabelSelector;
use wk_api::names::{NamespacedName, Uid};
use wk_client::{EventRecorder, EventType, Outcome, brief, error_chain};

use crate::claims::{Claim, Claimant, adopt, release};
use crate::expectations::Expectations;
use crate::meta::OwnerKind;
use crate::watched::{PodView, Watched};
use crate::{CONFLICT_DELAY, is_gone};

/// How many new pods are asked for at a time at first; it is one more with each that is made, which
/// doubles them with each round of answers. A template that the server refuses costs one request and
/// not hundreds.
const FIRST: usize = 1;
/// How many at a time if the template has been good for as many and more before.
const TRUSTED: usize = 64;
/// The most at a time: the server writes this many together, and more would only wait.
const MOST: usize = 256;
/// The most bytes of a name from which pods' names are made.
const PREFIX_MAX: usize = 247;

/// What a controller does to pods.
pub(crate) struct PodControl {
    pub(crate) client: Client,
    pub(crate) events: EventRecorder,
    pub(crate) watched: Arc<Watched>,
    pub(crate) expectations: Expectations,
    pub(crate) kind: OwnerKind,
    /// The finalizer that its pods carry.
    pub(crate) finalizer: Option<&'static str>,
}

impl PodControl {
    pub(crate) fn api(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A pod of `owner` from `template`, with a name that the server completes.
    pub(crate) fn pod(&self, owner: &ObjectMeta, template: &PodTemplateSpec) -> Pod {
        let from = template.metadata.clone().unwrap_or_default();
        let mut prefix = owner.name.clone().unwrap_or_default();
        prefix.truncate(PREFIX_MAX);
        Pod {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                namespace: owner.namespace.clone(),
                labels: from.labels,
                annotations: from.annotations,
                finalizers: from.finalizers,
                owner_references: Some(vec![self.kind.controls(owner)]),
                ..ObjectMeta::default()
            },
            spec: template.spec.clone(),
            status: None,
        }
    }

    /// Makes a pod for `owner`.
    pub(crate) async fn create(&self, owner: &ObjectMeta, pod: Pod) -> Result<(), kube::Error> {
        let key = NamespacedName::of(owner);
        let api = self.api(key.namespace.as_deref().unwrap_or_default());
        match brief::create(api, &pod).await {
            Ok(pod) => {
                let version = pod.resource_version.as_deref();
                self.expectations.expect(&key, self.watched.pods.mark(version));
                let name = pod.name;
                self.say(
                    owner,
                    EventType::Normal,
                    "SuccessfulCreate",
                    format!("Created pod: {name}"),
                );
                Ok(())
            }
            // The namespace is ending: nothing can be made in it any more.
            Err(error) if is_gone(&error) => {
                debug!(owner = %key, error = error_chain(&error), "no pod was made");
                Ok(())
            }
            Err(error) => {
                if !is_refusal(&error) {
                    // It may have been made all the same.
                    self.expectations.doubt(&key);
                }
                let text = message(&error);
                self.say(
                    owner,
                    EventType::Warning,
                    "FailedCreate",
                    format!("Error creating: {text}"),
                );
                Err(error)
            }
        }
    }

    /// Makes pods, more and more at a time, until one fails; the first error is returned. `proven` is
    /// how many have been made from the template, if none was refused lately.
    ///
    /// To be called only where [`PodControl::look_again`] says nothing against it.
    pub(crate) async fn create_all(
        &self,
        owner: &ObjectMeta,
        pods: impl IntoIterator<Item = Pod>,
        proven: usize,
    ) -> Result<(), kube::Error> {
        let first = proven.clamp(FIRST, TRUSTED);
        slow_start(pods, first, |pod| self.create(owner, pod)).await
    }

    /// `None` if the cache shows the pods of `owner` as the server has them, as far as it is about how
    /// many there are: which there are, and which of them are ending. Otherwise nothing is to be made
    /// or deleted: the events that are missing are on the way, and bring the owner back.
    ///
    /// The server is asked only if it was not yet in this term of leadership, or since an answer got
    /// lost. Whoever made it ask has to look again: what they have seen may be older than the answer.
    pub(crate) async fn look_again(
        &self,
        owner: &ObjectMeta,
        selector: &LabelSelector,
    ) -> Result<Option<Outcome>, kube::Error> {
        let key = NamespacedName::of(owner);
        let uid = Uid::new(owner.uid.clone().unwrap_or_default());
        // Before the question: what another replica does after it is not in the answer.
        let term = self.watched.leadership.term();
        if self.expectations.is_complete(&key, &uid, term) {
            return Ok(None);
        }
        let params = ListParams::default().labels(&selector.to_string());
        let api = self.api(key.namespace.as_deref().unwrap_or_default());
        let there = api.list_metadata(&params).await?.items.into_iter().filter(|pod| {
            let mut owners = pod.metadata.owner_references.iter().flatten();
            owners.any(|one| one.controller == Some(true) && one.uid == uid.as_str())
        });
        let there: HashMap<String, bool> = there
            .map(|pod| {
                let is_ending = pod.metadata.deletion_timestamp.is_some();
                (pod.metadata.uid.unwrap_or_default(), is_ending)
            })
            .collect();
        let shown = self.watched.pods_of(&uid).into_iter();
        let shown: HashMap<String, bool> = shown
            .filter(|pod| key.namespace.as_deref() == Some(&*pod.namespace))
            .filter(|pod| selector.matches_map(&pod.labels))
            .map(|pod| (pod.uid().to_string(), pod.is_terminating()))
            .collect();
        if there != shown {
            debug!(owner = %key, "the cache is behind, no pod is made or deleted");
            return Ok(Some(Outcome::After(CONFLICT_DELAY)));
        }
        self.expectations.found_complete(&key, uid, term);
        Ok(Some(Outcome::After(Duration::ZERO)))
    }

    /// Deletes a pod of `owner`; one that is gone is a success.
    pub(crate) async fn delete(
        &self,
        owner: &ObjectMeta,
        pod: &PodView,
    ) -> Result<(), kube::Error> {
        let key = NamespacedName::of(owner);
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid().to_string()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.api(&pod.namespace).delete(&pod.name, &params).await {
            Ok(deleted) => {
                let pods = &self.watched.pods;
                let version = deleted.left().and_then(|pod| pod.metadata.resource_version);
                self.expectations.expect(&key, pods.mark(version.as_deref()));
                let text = format!("Deleted pod: {}", pod.name);
                self.say(owner, EventType::Normal, "SuccessfulDelete", text);
                Ok(())
            }
            // Gone, or another pod has its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => {
                if !is_refusal(&error) {
                    // It may be ending all the same.
                    self.expectations.doubt(&key);
                }
                let text = message(&error);
                self.say(
                    owner,
                    EventType::Warning,
                    "FailedDelete",
                    format!("Error deleting: {text}"),
                );
                Err(error)
            }
        }
    }

    /// Deletes pods at the same time; the first error is returned when all are done.
    pub(crate) async fn delete_all<'a>(
        &self,
        owner: &ObjectMeta,
        pods: impl IntoIterator<Item = &'a Arc<PodView>>,
    ) -> Result<(), kube::Error> {
        let deletions = pods.into_iter().map(|pod| self.delete(owner, pod));
        join_all(deletions).await.into_iter().collect()
    }

    /// The pods that `owner`, of the kind `K`, manages, after it adopted and released what it should.
    /// `None` if it did: the view that shows it comes as a change.
    pub(crate) async fn claim<K>(
        &self,
        owner: &ObjectMeta,
        claimant: Claimant<'_>,
    ) -> Result<Option<Vec<Arc<PodView>>>, kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let key = NamespacedName::of(owner);
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let mut ours = Vec::new();
        let (mut adopted, mut released) = (Vec::new(), Vec::new());
        let owned = self.watched.pods_of(&Uid::new(claimant.uid)).into_iter();
        // Owners are owners in their own namespace.
        let owned = owned.filter(|pod| *pod.namespace == *namespace);
        for pod in owned.chain(self.watched.unmanaged_pods(namespace)) {
            match claimant.claim(&pod.meta, &pod.labels) {
                Claim::Ours => ours.push(pod),
                Claim::Adopt if pod.is_finished() => {}
                Claim::Adopt => adopted.push(pod),
                Claim::Release => released.push(pod),
                Claim::Ignore => {}
            }
        }
        if adopted.is_empty() && released.is_empty() {
            return Ok(Some(ours));
        }
        let api = self.api(namespace);
        for pod in &released {
            let version = release(&api, &pod.name, pod.uid(), claimant.uid, self.finalizer).await?;
            self.expectations.expect(&key, self.watched.pods.mark(version.as_deref()));
        }
        if !adopted.is_empty() {
            // The server is asked, so that one that is gone adopts nothing.
            let owners = Api::<K>::namespaced(self.client.clone(), namespace);
            let live = owners.get_metadata_opt(&key.name).await?.map(|live| live.metadata);
            let is_there =
                live.is_some_and(|live| live.uid == owner.uid && live.deletion_timestamp.is_none());
            if !is_there {
                return Ok(None);
            }
        }
        let reference = self.kind.controls(owner);
        for pod in &adopted {
            let version = adopt(&api, &pod.name, pod.uid(), &reference, self.finalizer).await?;
            self.expectations.expect(&key, self.watched.pods.mark(version.as_deref()));
        }
        Ok(None)
    }

    pub(crate) fn say(
        &self,
        owner: &ObjectMeta,
        event_type: EventType,
        reason: &str,
        message: impl Into<String>,
    ) {
        self.events.publish(self.kind.event_reference(owner), event_type, reason, message);
    }
}

/// Whether the server says that nothing was done, as opposed to an answer that got lost.
pub(crate) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code < 500)
}

/// The server's own words, if it is the server that refused.
pub(crate) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => error_chain(other),
    }
}

/// Does `work` for all items, for `first` of them at a time to begin with and one more with each that is
/// done. After a failure nothing new is begun; the first error is returned when the rest has ended.
pub(crate) async fn slow_start<T, F, Fut>(
    items: impl IntoIterator<Item = T>,
    first: usize,
    work: F,
) -> Result<(), kube::Error>
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<(), kube::Error>>,
{
    let (mut items, mut at_once) = (items.into_iter(), first);
    let (mut working, mut failed) = (FuturesUnordered::new(), None);
    loop {
        let free = if failed.is_none() { at_once.saturating_sub(working.len()) } else { 0 };
        working.extend(items.by_ref().take(free).map(&work));
        match working.next().await {
            Some(Ok(())) => at_once = (at_once + 1).min(MOST),
            Some(Err(error)) => drop(failed.get_or_insert(error)),
            None => return failed.map_or(Ok(()), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    /// The items that are tried if all from `bad` on fail, and the most at a time.
    async fn tried(count: usize, first: usize, bad: usize) -> (Vec<usize>, usize, bool) {
        let (tried, at_once) = (Mutex::new(Vec::new()), Mutex::new((0_usize, 0_usize)));
        let result = slow_start(0..count, first, |item| {
            tried.lock().push(item);
            let (tried, at_once) = (&tried, &at_once);
            async move {
                let _both = (tried, {
                    let mut at_once = at_once.lock();
                    at_once.0 += 1;
                    at_once.1 = at_once.1.max(at_once.0);
                });
                // All that were begun together have begun before one of them ends.
                tokio::task::yield_now().await;
                at_once.lock().0 -= 1;
                if item < bad { Ok(()) } else { Err(kube::Error::LinesCodecMaxLineLengthExceeded) }
            }
        })
        .await;
        let most = at_once.lock().1;
        (tried.into_inner(), most, result.is_ok())
    }

    #[tokio::test]
    async fn a_refused_template_costs_few_requests() {
        assert_eq!(tried(100, 1, 0).await.0, [0]);
        let (tried, _, is_fine) = tried(100, 1, 3).await;
        assert!(tried.len() <= 8 && !is_fine, "{tried:?}");
    }

    #[tokio::test]
    async fn what_is_good_is_done_ever_more_at_a_time() {
        let (all, most, is_fine) = tried(1000, 1, 1000).await;
        assert!(is_fine && all.len() == 1000);
        assert!(most > 100 && most <= MOST, "{most}");
        assert_eq!(tried(10, 8, 10).await.1, 8);
    }
}
