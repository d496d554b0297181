//! Ends namespaces: removes all that is in one, and then what holds it back.
//!
//! Spec: <https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>

mod content;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::{debug, info};
use wk_client::{Outcome, WorkQueue};

use crate::Shell;
use crate::watched::NamespaceView;
use content::empty;
use plan::{Report, conditions, remaining_finalizers};

/// How long until another look at a namespace in which something remains. The end of its pods,
/// which is what usually takes time, is noticed at once.
const AGAIN: Duration = Duration::from_secs(2);

pub(crate) fn run(client: &Client, shell: &Shell) {
    let queue = WorkQueue::<String>::default();
    let (from_namespace, from_pod) = (queue.clone(), queue.clone());
    shell.watched.namespaces.on_change(move |key| from_namespace.add(key.name.clone()));
    let watched = Arc::clone(&shell.watched);
    shell.watched.pods.on_change(move |key| {
        let Some(name) = &key.namespace else { return };
        let is_ending = watched.namespaces.get_cluster(name).is_some_and(|one| one.is_terminating);
        if is_ending && watched.pods.get(key).is_none() {
            from_pod.add(name.clone());
        }
    });
    let (client, watched) = (client.clone(), Arc::clone(&shell.watched));
    shell.run("namespace", &queue, 8, move |name| {
        let (client, watched) = (client.clone(), Arc::clone(&watched));
        async move {
            match watched.namespaces.get_cluster(&name) {
                Some(namespace) if namespace.is_terminating && !namespace.finalizers.is_empty() => {
                    end(client, &name, &namespace).await
                }
                Some(_) | None => Ok(Outcome::Done),
            }
        }
    });
}

async fn end(client: Client, name: &str, seen: &NamespaceView) -> Result<Outcome, kube::Error> {
    let report = empty(&client, name).await?;
    let api = Api::<Namespace>::all(client.clone());
    if report.is_empty() {
        return finalize(&api, name, seen).await;
    }
    debug!(namespace = name, ?report, "something remains");
    write_conditions(&api, name, seen, &report).await?;
    Ok(Outcome::After(AGAIN))
}

async fn write_conditions(
    api: &Api<Namespace>,
    name: &str,
    seen: &NamespaceView,
    report: &Report,
) -> Result<(), kube::Error> {
    let conditions = conditions(report, &seen.conditions, Timestamp::now());
    if conditions.is_empty() {
        return Ok(());
    }
    let patch = Patch::Strategic(json!({
        "metadata": {"uid": seen.uid},
        "status": {"phase": "Terminating", "conditions": conditions},
    }));
    crate::unless_gone(api.patch_status(name, &PatchParams::default(), &patch).await)
}

/// Takes our finalizer away, after which the server lets go of the namespace.
async fn finalize(
    api: &Api<Namespace>,
    name: &str,
    seen: &NamespaceView,
) -> Result<Outcome, kube::Error> {
    let Some(mut namespace) = api.get_opt(name).await? else { return Ok(Outcome::Done) };
    // Another namespace of this name is not meant.
    if namespace.metadata.uid != seen.uid || namespace.metadata.deletion_timestamp.is_none() {
        return Ok(Outcome::Done);
    }
    let spec = namespace.spec.get_or_insert_default();
    spec.finalizers = Some(remaining_finalizers(spec.finalizers.as_deref().unwrap_or_default()));
    let body = serde_json::to_vec(&namespace).map_err(kube::Error::SerdeError)?;
    let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(kube::Error::HttpError)?;
    crate::unless_gone(api.clone().into_client().request::<Value>(request).await)?;
    info!(namespace = name, "namespace is empty and ends");
    Ok(Outcome::Done)
}
