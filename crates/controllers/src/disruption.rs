//! Tells how many pods of each disruption budget may be evicted now, and takes back what was said of
//! pods that were to be disrupted and are still there.
//!
//! Evictions take from a budget's status what they use; this controller works the status out anew
//! whenever pods change. Both write only what they have read, so that no disruption is given twice.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/>

mod plan;
mod scales;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::written;
use crate::expectations::Expectations;
use crate::watched::{PodView, Selecting, Watched, selecting, selector};
use crate::{Shell, conflict_is_later, unless_gone};
use plan::{DELETION_TIMEOUT, KIND, Plan, Wanted, failed, managers, needs_scale, plan, wanted};
pub(crate) use scales::Scaled;
use scales::Scales;

struct Context {
    client: Client,
    budgets: Informer<Selecting<PodDisruptionBudget>>,
    scales: Scales,
    watched: Arc<Watched>,
    events: EventRecorder,
    expectations: Expectations,
    /// The budgets that each pod had when it was last looked at: it has to leave them, too.
    members: Mutex<HashMap<NamespacedName, BTreeSet<String>>>,
}

pub(crate) fn run(watching: &Client, client: Client, scaled: Scaled, shell: &Shell) {
    let budgets = selecting(watching, &shell.group, |budget: &PodDisruptionBudget| {
        selector(budget.spec.as_ref().and_then(|spec| spec.selector.as_ref()))
    });
    let context = Arc::new(Context {
        events: EventRecorder::start(client.clone(), "controllermanager", None, &shell.group),
        scales: Scales::new(client.clone(), scaled, Arc::clone(&shell.watched)),
        client,
        budgets,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        members: Mutex::default(),
    });
    let (queue, stale) = (WorkQueue::<NamespacedName>::default(), WorkQueue::default());
    let from_budget = queue.clone();
    context.budgets.on_change(move |key| from_budget.add(key.clone()));
    let (on_pod, from_pod, to_stale) = (Arc::clone(&context), queue.clone(), stale.clone());
    shell.watched.on_pod(move |key, _, pod| {
        on_pod.pod_changed(key, pod, &from_pod);
        if pod.is_some_and(|pod| pod.disruption_target.is_some() && !pod.is_terminating()) {
            to_stale.add(key.clone());
        }
    });
    let budgets = Arc::clone(&context);
    shell.run("disruption", &queue, 4, move |key| {
        let context = Arc::clone(&budgets);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
    shell.run("stale disruption", &stale, 2, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.reconcile_stale(&key).await) }
    });
}

fn namespace(key: &NamespacedName) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}

impl Context {
    fn pod_changed(
        &self,
        key: &NamespacedName,
        pod: Option<&PodView>,
        queue: &WorkQueue<NamespacedName>,
    ) {
        let mut now = BTreeSet::new();
        if let Some(pod) = pod {
            let budgets = self.budgets.in_namespace(&pod.namespace);
            let matching = budgets.iter().filter(|one| one.selector.matches_map(&pod.labels));
            now.extend(matching.filter_map(|one| one.object.metadata.name.clone()));
        }
        let before = {
            let mut members = self.members.lock();
            if now.is_empty() {
                members.remove(key)
            } else {
                members.insert(key.clone(), now.clone())
            }
        };
        for name in before.unwrap_or_default().union(&now) {
            queue.add(NamespacedName::new(namespace(key), name.as_str()));
        }
    }

    /// The pods that a budget is about, which are known as such from now on.
    fn pods(
        &self,
        key: &NamespacedName,
        budget: &Selecting<PodDisruptionBudget>,
    ) -> Vec<Arc<PodView>> {
        let mut pods = self.watched.pods.in_namespace(namespace(key));
        pods.retain(|pod| budget.selector.matches_map(&pod.labels));
        let mut members = self.members.lock();
        for pod in &pods {
            let pod = NamespacedName::new(&*pod.namespace, &*pod.name);
            members.entry(pod).or_default().insert(key.name.clone());
        }
        pods
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.budgets.ready().await;
        self.scales.ready().await;
        let Some(seen) = self.budgets.get(key) else {
            self.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.expectations.unseen(key) {
            return Ok(later);
        }
        let budget = &seen.object;
        let pods = self.pods(key, &seen);
        let now = Timestamp::now();
        if pods.is_empty() {
            self.say(budget, EventType::Normal, "NoPods", "No matching pods found");
        }
        let wanted = match self.wanted(key, budget, &pods).await {
            Ok(wanted) => wanted,
            Err(message) => {
                let text = format!("Failed to calculate the number of expected pods: {message}");
                let reason = "CalculateExpectedPodCountFailed";
                self.say(budget, EventType::Warning, reason, &text);
                self.write(key, budget, failed(budget, &message, now)).await?;
                // What manages those pods may come to be known; their changes tell sooner.
                return Ok(Outcome::After(Duration::from_mins(1)));
            }
        };
        let Plan { status, not_deleted, again } = plan(budget, &pods, &wanted, now);
        if let Wanted::Scaled { unmanaged, .. } = &wanted
            && !unmanaged.is_empty()
        {
            self.say(budget, EventType::Warning, "UnmanagedPods", UNMANAGED);
        }
        for pod in not_deleted {
            let text = format!("Pod was expected by PDB {key} to be deleted but it wasn't");
            self.events.publish(pod.reference(), EventType::Warning, "NotDeleted", text);
        }
        self.write(key, budget, status).await?;
        Ok(again.map_or(Outcome::Done, |seconds| Outcome::After(Duration::from_secs(seconds))))
    }

    /// How many pods there should be; otherwise why that cannot be told.
    async fn wanted(
        &self,
        key: &NamespacedName,
        budget: &PodDisruptionBudget,
        pods: &[Arc<PodView>],
    ) -> Result<Wanted, String> {
        if !budget.spec.as_ref().is_some_and(needs_scale) {
            return Ok(Wanted::ThoseThereAre);
        }
        let mut scales = Vec::new();
        for (owner, pod) in managers(pods) {
            let scale = self.scales.of(namespace(key), owner).await?;
            let name = &pod.name;
            scales.push(scale.ok_or_else(|| format!("found no controllers for pod {name:?}"))?);
        }
        Ok(wanted(pods, scales))
    }

    fn say(&self, budget: &PodDisruptionBudget, event_type: EventType, reason: &str, text: &str) {
        self.events.publish(KIND.event_reference(&budget.metadata), event_type, reason, text);
    }

    async fn write(
        &self,
        key: &NamespacedName,
        budget: &PodDisruptionBudget,
        status: PodDisruptionBudgetStatus,
    ) -> Result<(), kube::Error> {
        if budget.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let object = PodDisruptionBudget { status: Some(status), ..budget.clone() };
        let api = Api::<PodDisruptionBudget>::namespaced(self.client.clone(), namespace(key));
        let version =
            written(api.replace_status(&key.name, &PostParams::default(), &object).await)?;
        self.expectations.expect(key, self.budgets.mark(version.as_deref()));
        Ok(())
    }

    /// Takes back that a pod is about to be disrupted, once it is clear that it is not.
    async fn reconcile_stale(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        let Some(pod) = self.watched.pods.get(key) else { return Ok(Outcome::Done) };
        let Some(since) = pod.disruption_target.filter(|_| !pod.is_terminating()) else {
            return Ok(Outcome::Done);
        };
        // What ended because of it keeps its reason.
        if pod.is_finished() {
            return Ok(Outcome::Done);
        }
        let now = Timestamp::now();
        let left = since
            .checked_add(DELETION_TIMEOUT)
            .map_or(DELETION_TIMEOUT, |due| due.duration_since(now));
        if let Ok(left) = Duration::try_from(left)
            && !left.is_zero()
        {
            return Ok(Outcome::After(left));
        }
        let patch = json!({
            "metadata": {"uid": pod.uid()},
            "status": {"conditions": [{
                "type": "DisruptionTarget",
                "status": "False",
                "lastTransitionTime": wk_api::time::rfc3339(now),
            }]},
        });
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace(key));
        let params = PatchParams::default();
        unless_gone(api.patch_status(&key.name, &params, &Patch::Strategic(patch)).await)?;
        Ok(Outcome::Done)
    }
}

const UNMANAGED: &str = "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a \
                         result, the status of the PDB cannot be calculated correctly, which may \
                         result in undefined behavior. To account for these pods please set \
                         \".spec.minAvailable\" field of the PDB to an integer value.";
