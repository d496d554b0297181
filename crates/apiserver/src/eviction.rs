//! Evictions: deletions of pods that ask their disruption budgets first.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>

mod budget;

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{ApiError, LabelSelector, Reason, rfc3339};
use wk_resources::Update;

use self::budget::Verdict;
use crate::body::{self, Expected};
use crate::catalog::Resource;
use crate::error::Answer;
use crate::handle::Call;
use crate::object::Object;
use crate::options::{DeleteOptions, WriteOptions};
use crate::remove;
use crate::storage::Unwritten;
use crate::subresources::success;
use crate::write::{self, Change, Changed};

/// How often an eviction is tried when others change the pod or the budget at the same time.
const ATTEMPTS: usize = 20;

/// What is evicted, and how.
struct Eviction<'a> {
    call: &'a Call,
    name: &'a str,
    delete: DeleteOptions,
}

/// Deletes a pod as a drain does, if the pod's disruption budget lets it go.
pub(crate) async fn evict(call: &Call, body: Body) -> Answer {
    let options = WriteOptions::read(&call.query, "CreateOptions")?;
    let sent = sent(call, body, &options).await?;
    let named = sent["metadata"]["name"].as_str().unwrap_or_default();
    if !named.is_empty() && named != call.path.name {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    let delete = sent.get("deleteOptions").filter(|options| options.is_object());
    let mut delete = DeleteOptions::read(&call.query, delete)?;
    delete.dry_run |= options.dry_run;
    let eviction = Eviction { call, name: &call.path.name, delete };
    eviction.carry_out().await?;
    success(call, StatusCode::CREATED)
}

/// The eviction in the body, of today's version or of the one before it.
async fn sent(call: &Call, body: Body, options: &WriteOptions) -> Result<Value, ApiError> {
    let bytes = body::read(body).await?;
    let expected = |api_version| Expected {
        api_version,
        kind: "Eviction",
        message: wk_schema::kind("policy", "v1", "Eviction"),
    };
    let decode = |api_version| {
        body::decode_object(&bytes, call.media_type(), expected(api_version), options.validation)
    };
    // The two have the same fields; what is neither is told of as today's.
    let today = decode("policy/v1");
    Ok(today.or_else(|error| decode("policy/v1beta1").map_err(|_| error))?.value)
}

impl Eviction<'_> {
    async fn carry_out(&self) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let pods = &self.call.resource;
            let current = pods.get(&self.call.path.namespace, self.name)?;
            let pod = current.value();
            remove::check_preconditions(pods, self.name, &pod, &self.delete)?;
            // What holds of this state of the pod need not hold of the next.
            let only_this = match self.ask(&pod).await? {
                Verdict::Free => true,
                Verdict::Counted => false,
            };
            match self.delete_pod(&current, &pod, only_this).await {
                Err(error) if error.reason == Reason::Conflict && only_this => {}
                done => return done,
            }
        }
        Err(ApiError::modified(&self.call.resource.gr, self.name))
    }

    /// Asks the pod's budget; what it lets go is counted.
    async fn ask(&self, pod: &Value) -> Result<Verdict, ApiError> {
        if budget::is_free(pod) {
            return Ok(Verdict::Free);
        }
        let server = &self.call.server;
        let Some(budgets) = server.catalog.get("policy", "v1", "poddisruptionbudgets") else {
            return Ok(Verdict::Free);
        };
        for _ in 0..ATTEMPTS {
            let found = matching(&budgets, &self.call.path.namespace, pod);
            let [found] = found.as_slice() else {
                if found.is_empty() {
                    return Ok(Verdict::Free);
                }
                // Kubernetes gives no reason either.
                let message = "This pod has more than one PodDisruptionBudget, which the eviction \
                               subresource does not support.";
                return Err(ApiError::new(500, Reason::Unknown, message));
            };
            let mut value = found.value();
            let verdict = budget::ask(&mut value, pod, self.name, Timestamp::now())?;
            if verdict == Verdict::Free || self.delete.dry_run {
                return Ok(verdict);
            }
            let json = crate::object::to_stored(&mut value);
            let shelf = &budgets.shelf;
            match server.storage.update(shelf, found.key(), json, found.revision).await {
                Ok(_) => return Ok(verdict),
                Err(Unwritten::Conflict) => {}
                Err(Unwritten::Failed(error)) => return Err(error),
            }
        }
        Err(ApiError::timeout(&format!(
            "couldn't update PodDisruptionBudget for pod {:?} due to conflicts",
            self.name
        ))
        .with_retry_after(10))
    }

    /// Notes in the pod's status why it goes, and deletes it.
    async fn delete_pod(
        &self,
        current: &Arc<Object>,
        pod: &Value,
        only_this: bool,
    ) -> Result<(), ApiError> {
        let (server, pods) = (&self.call.server, &self.call.resource);
        let namespace = self.call.path.namespace.as_str();
        let mut delete = self.delete.clone();
        let mut revision = current.revision;
        if !pod["metadata"]["deletionTimestamp"].is_string() {
            let change = Change {
                resource: pods,
                namespace,
                name: self.name,
                part: Update::Status,
                dry_run: delete.dry_run,
                user: Some(&self.call.user),
                manager: Some("apiserver"),
            };
            let seen = revision.to_string();
            let written = write::change(server, &change, |old| {
                let mut value = old.clone();
                if only_this {
                    value["metadata"]["resourceVersion"] = seen.as_str().into();
                }
                mark_evicted(&mut value, Timestamp::now());
                Ok(Changed { value, conditional: only_this })
            });
            if let write::Written::Updated(object) = written.await? {
                revision = object.revision;
            }
        }
        if only_this {
            delete.resource_version = Some(revision.to_string());
        } else {
            // The pod may be changed meanwhile, but must be the same pod. A revision that was asked
            // for was there when the eviction began, and is no more.
            delete.resource_version = None;
            delete.uid = pod["metadata"]["uid"].as_str().map(str::to_owned);
        }
        remove::remove(server, pods, namespace, self.name, &delete).await.map(|_| ())
    }
}

/// The budgets that are about a pod.
fn matching(budgets: &Resource, namespace: &str, pod: &Value) -> Vec<Arc<Object>> {
    let labels = &pod["metadata"]["labels"];
    let is_about = |object: &Object| {
        let selector = &object.value()["spec"]["selector"];
        // Without a selector a budget is about no pod, with an empty one about all.
        selector.is_object()
            && LabelSelector::from_json(selector).is_ok_and(|selector| selector.matches(labels))
    };
    budgets.shelf.snapshot(&budgets.range(namespace), usize::MAX, 0, is_about).objects
}

/// The condition that tells who disrupted a pod.
fn mark_evicted(pod: &mut Value, now: Timestamp) {
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastProbeTime": null,
        "lastTransitionTime": rfc3339(now),
    });
    let conditions = &mut pod["status"]["conditions"];
    match conditions {
        Value::Array(conditions) => {
            conditions.retain(|own| own["type"] != "DisruptionTarget");
            conditions.push(condition);
        }
        other => *other = json!([condition]),
    }
}
