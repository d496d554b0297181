//! `apply --prune`: what was applied once and is in no file any more goes.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};

use super::{ApplyArgs, LAST_APPLIED};
use crate::client::Call;
use crate::commands::select::{self, SelectArgs};
use crate::commands::writing::DryRun;
use crate::kinds::{Resource, built_in_kind, text};
use crate::session::Session;

/// What is looked through unless something else is said: those of a cluster, and those in namespaces.
const KINDS: &[&str] = &[
    "core/v1/Namespace",
    "core/v1/PersistentVolume",
    "core/v1/ConfigMap",
    "core/v1/Endpoints",
    "core/v1/PersistentVolumeClaim",
    "core/v1/Pod",
    "core/v1/ReplicationController",
    "core/v1/Secret",
    "core/v1/Service",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/Ingress",
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/ReplicaSet",
    "apps/v1/StatefulSet",
];

/// What was applied in this run.
#[derive(Debug, Default)]
pub(super) struct Visited {
    /// Uids of the objects.
    pub(super) uids: BTreeSet<String>,
    /// Namespaces that they are in.
    pub(super) namespaces: BTreeSet<String>,
}

/// Refuses flags that would take away more than is meant.
pub(super) fn check(args: &ApplyArgs) -> anyhow::Result<()> {
    if args.all && args.selector.is_some() {
        bail!("cannot set --all and --selector at the same time");
    }
    if args.prune && !args.all && args.selector.is_none() {
        bail!(
            "all resources selected for prune without explicitly passing --all. To prune all \
             resources, pass the --all flag. If you did not mean to prune all resources, specify a \
             label selector"
        );
    }
    args.prune_allowlist.iter().try_for_each(|kind| resource(kind).map(drop))
}

/// The resource of `group/version/kind`.
fn resource(kind: &str) -> anyhow::Result<Resource> {
    let parts: Vec<&str> = kind.split('/').collect();
    let [group, version, name] = parts.as_slice() else {
        bail!("invalid GroupVersionKind format: {kind}, please follow <group/version/kind>");
    };
    let api_version = match *group {
        "core" | "" => (*version).to_owned(),
        group => format!("{group}/{version}"),
    };
    built_in_kind(&api_version, name)
        .with_context(|| format!("no matches for kind {name:?} in version {api_version:?}"))
}

/// Deletes what was applied before and not this time.
pub(super) async fn prune(
    session: &Session,
    args: &ApplyArgs,
    visited: &Visited,
) -> anyhow::Result<()> {
    let allowed = &args.prune_allowlist;
    let kinds: Vec<&str> = if allowed.is_empty() {
        KINDS.to_vec()
    } else {
        allowed.iter().map(String::as_str).collect()
    };
    let select = SelectArgs { selector: args.selector.clone(), ..SelectArgs::default() };
    let pretend = args.write.dry_run()?;
    for kind in kinds {
        let resource = resource(kind)?;
        let places: Vec<Option<&str>> = if resource.namespaced {
            visited.namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
        } else {
            vec![None]
        };
        for place in places {
            for found in select::list_in(session, &resource, place, &select).await? {
                let annotations = found.object.pointer("/metadata/annotations");
                let applied = annotations.is_some_and(|all| all.get(LAST_APPLIED).is_some());
                let uid = text(&found.object, "/metadata/uid");
                let leaves = found.object.pointer("/metadata/deletionTimestamp").is_some();
                if !applied || leaves || visited.uids.contains(uid) {
                    continue;
                }
                if pretend != DryRun::Client {
                    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions",
                        "propagationPolicy": "Background"});
                    if let Some(dry_run) = pretend.parameter() {
                        options["dryRun"] = json!([dry_run]);
                    }
                    let call = Call::with(Method::DELETE, found.path(), &options);
                    let _deleted: Value = session.ask(&resource, call).await?;
                }
                session.console.line(format!("{} pruned{}", found.named(), pretend.suffix()))?;
            }
        }
    }
    Ok(())
}
