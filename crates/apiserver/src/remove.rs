//! Deleting objects.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;
use wk_api::{ApiError, Reason, well_known};
use wk_resources::{DeleteRequest, Deletion, Update, metadata};

use crate::admission;
use crate::catalog::Resource;
use crate::error::Answer;
use crate::handle::Call;
use crate::list::{self, Page};
use crate::object::Object;
use crate::options::{DeleteOptions, ListOptions, Propagation};
use crate::server::ApiServer;
use crate::storage::Unwritten;
use crate::write::{self, Change, Written};

/// How often a deletion without a revision is tried when others change the object.
const ATTEMPTS: usize = 8;
/// How many objects of a collection are deleted at a time.
const PARALLEL: usize = 16;

/// What came of a deletion.
#[derive(Debug)]
pub(crate) enum Removed {
    /// The object is no more.
    Gone {
        /// What it was.
        object: Arc<Object>,
        /// The revision of the deletion.
        revision: u64,
    },
    /// The object is marked, and goes when its time is over and its finalizers are done.
    Kept(Written),
}

/// Whether the answer to a deletion shows the object, as for these kinds in Kubernetes.
pub(crate) fn shows_deleted(resource: &Resource) -> bool {
    resource.definition.group.is_empty()
        && matches!(
            &*resource.definition.plural,
            "pods"
                | "services"
                | "serviceaccounts"
                | "podtemplates"
                | "persistentvolumes"
                | "persistentvolumeclaims"
                | "resourcequotas"
        )
}

/// Deletes an object, or begins to.
pub(crate) async fn remove(
    server: &ApiServer,
    resource: &Resource,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Removed, ApiError> {
    admission::admit_delete(resource, name)?;
    for _ in 0..ATTEMPTS {
        let current = resource.get(namespace, name)?;
        let old = resource.value(&current);
        check_preconditions(resource, name, &old, options)?;
        let (new, over) = decided(resource, &old, options);
        if over {
            if options.dry_run {
                return Ok(Removed::Kept(Written::Dry { value: new, created: false }));
            }
            match server.storage.delete(current.key(), current.revision).await {
                Ok(revision) => {
                    admission::release(server, resource, &current, None);
                    return Ok(Removed::Gone { object: current, revision });
                }
                Err(Unwritten::Failed(error)) => return Err(error),
                Err(Unwritten::Conflict) => continue,
            }
        }
        let change = Change {
            resource,
            namespace,
            name,
            part: Update::Whole,
            dry_run: options.dry_run,
            user: None,
            manager: None,
        };
        match write::store(server, &change, &current, new).await {
            Ok(written) => return Ok(Removed::Kept(written)),
            Err(Unwritten::Failed(error)) => return Err(error),
            Err(Unwritten::Conflict) => {}
        }
    }
    Err(ApiError::modified(&resource.gr, name))
}

/// A deletion that names a uid or a revision is about no other.
pub(crate) fn check_preconditions(
    resource: &Resource,
    name: &str,
    object: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let own = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let refuse = |what: &str, asked: &str, own: &str| {
        let why = format!(
            "Precondition failed: {what} in precondition: {asked}, {what} in object meta: {own}"
        );
        Err(ApiError::conflict(&resource.gr, name, &why))
    };
    if let Some(asked) = options.uid.as_deref().filter(|asked| *asked != own("uid")) {
        return refuse("UID", asked, &own("uid"));
    }
    let revision = own("resourceVersion");
    if let Some(asked) = options.resource_version.as_deref().filter(|asked| *asked != revision) {
        return refuse("ResourceVersion", asked, &revision);
    }
    Ok(())
}

/// The object as the deletion leaves it, and whether it is to go at once.
fn decided(resource: &Resource, old: &Value, options: &DeleteOptions) -> (Value, bool) {
    let now = Timestamp::now();
    let mut new = old.clone();
    if let Some(propagation) = options.propagation {
        propagate(&mut new, propagation);
    }
    let request = DeleteRequest { now, grace_seconds: options.grace_seconds };
    let deletion = resource.definition.delete(&mut new, &request);
    let held = new["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    match deletion {
        Deletion::Now if !held => (new, true),
        Deletion::Now => {
            let metadata = &mut new["metadata"];
            if metadata["deletionTimestamp"].as_str().is_some() {
                metadata["deletionGracePeriodSeconds"] = 0.into();
            } else {
                metadata::mark_deleted(&mut new, now, 0);
            }
            (new, false)
        }
        Deletion::Marked | Deletion::Pending => (new, false),
    }
}

/// What becomes of the dependents is written down as finalizers.
fn propagate(object: &mut Value, propagation: Propagation) {
    let wanted = match propagation {
        Propagation::Orphan => Some(well_known::ORPHAN_FINALIZER),
        Propagation::Foreground => Some(well_known::FOREGROUND_FINALIZER),
        Propagation::Background => None,
    };
    let ours = [well_known::ORPHAN_FINALIZER, well_known::FOREGROUND_FINALIZER];
    let metadata = &mut object["metadata"];
    let mut list: Vec<Value> = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    list.retain(|finalizer| {
        let finalizer = finalizer.as_str().unwrap_or_default();
        !ours.contains(&finalizer) || Some(finalizer) == wanted
    });
    if let Some(wanted) = wanted
        && !list.iter().any(|finalizer| finalizer == wanted)
    {
        list.push(wanted.into());
    }
    if let Value::Object(metadata) = metadata {
        if list.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), list.into());
        }
    }
}

/// Deletes every object that a list would show.
pub(crate) async fn collection(
    call: &Call,
    selected: &ListOptions,
    options: &DeleteOptions,
) -> Answer {
    let page = list::page(call, selected).await?;
    let revision = page.revision;
    let removed: Vec<Result<Option<Arc<Object>>, ApiError>> = stream::iter(page.objects)
        .map(|object| async move {
            let (namespace, name) = (object.namespace(), object.name());
            let removed = remove(&call.server, &call.resource, namespace, name, options).await;
            match removed {
                Ok(Removed::Kept(Written::Updated(object) | Written::Created(object))) => {
                    Ok(Some(object))
                }
                Ok(Removed::Gone { .. } | Removed::Kept(Written::Dry { .. })) => {
                    Ok(Some(Arc::clone(&object)))
                }
                // Somebody else was faster.
                Err(error) if error.reason == Reason::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut objects = Vec::new();
    for removed in removed {
        objects.extend(removed?);
    }
    list::answer(call, Page { objects, revision, ..Page::default() })
}
