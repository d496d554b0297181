//! Removes what is in a namespace, kind by kind.

use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use wk_client::error_chain;

use super::plan::{Kind, Remaining, Report, in_stages, kinds};
use crate::is_gone;

/// Asks for the end of every object in the namespace and reports what is still there.
///
/// Pods go first, and the rest only when they are gone: what restrains them, such as network
/// policies, must not go while they run.
pub(super) async fn empty(client: &Client, namespace: &str) -> Result<Report, kube::Error> {
    let mut report = Report::default();
    let found = discover(client, &mut report).await?;
    for stage in in_stages(found) {
        for kind in stage {
            match empty_kind(client, namespace, &kind).await {
                Ok(remaining) => report.remaining.extend(remaining),
                Err(error) => report.failures.push(format!("{kind}: {}", error_chain(&error))),
            }
        }
        if !report.remaining.is_empty() {
            break;
        }
    }
    Ok(report)
}

async fn discover(client: &Client, report: &mut Report) -> Result<Vec<Kind>, kube::Error> {
    let mut found = Vec::new();
    for version in client.list_core_api_versions().await?.versions {
        found.extend(kinds("", &version, &client.list_core_api_resources(&version).await?));
    }
    for group in client.list_api_groups().await?.groups {
        let version = group.preferred_version.or_else(|| group.versions.first().cloned());
        let Some(version) = version else { continue };
        match client.list_api_group_resources(&version.group_version).await {
            Ok(list) => found.extend(kinds(&group.name, &version.version, &list)),
            // An extension that is down must not make its objects be forgotten.
            Err(error) => {
                let error = error_chain(&error);
                report.undiscovered.push(format!("{}: {error}", version.group_version));
            }
        }
    }
    Ok(found)
}

async fn empty_kind(
    client: &Client,
    namespace: &str,
    kind: &Kind,
) -> Result<Option<Remaining>, kube::Error> {
    let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.name);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let everything = ListParams::default();
    if kind.can_delete_collection {
        let deleted = api.delete_collection(&DeleteParams::background(), &everything).await;
        if let Err(error) = deleted
            && !is_gone(&error)
        {
            return Err(error);
        }
    }
    let mut left = api.list(&everything).await?.items;
    if !kind.can_delete_collection && !left.is_empty() {
        for object in &left {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            crate::unless_gone(api.delete(name, &DeleteParams::background()).await)?;
        }
        left = api.list(&everything).await?.items;
    }
    let finalizers =
        left.iter().flat_map(|object| object.metadata.finalizers.clone().unwrap_or_default());
    Ok((!left.is_empty()).then(|| Remaining {
        resource: kind.to_string(),
        count: left.len(),
        finalizers: finalizers.collect(),
    }))
}
