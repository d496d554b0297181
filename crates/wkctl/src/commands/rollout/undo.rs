//! `rollout undo`: back to an earlier revision.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::history::{self, Revision};
use super::workloads;
use crate::commands::apply::LAST_APPLIED;
use crate::commands::changing::{Changes, JSON_PATCH, STRATEGIC_PATCH};
use crate::commands::select::{Found, WhatArgs};
use crate::commands::writing::{DryRun, WriteArgs, report};
use crate::error::all_good;
use crate::session::Session;

const HASH: &str = "pod-template-hash";
/// Annotations that belong to the deployment or its controller, and not to a revision.
const KEPT: [&str; 6] = [
    LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// Arguments of `rollout undo`.
#[derive(Debug, clap::Args)]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// The revision to go back to; 0 is the one before
    #[arg(long, value_name = "REVISION", default_value_t = 0, allow_negative_numbers = true)]
    to_revision: i64,
    #[command(flatten)]
    write: WriteArgs,
}

pub(super) async fn run(session: &Session, args: UndoArgs) -> anyhow::Result<()> {
    let (objects, mut errors) = workloads(session, &args.what).await?;
    for found in objects {
        errors.extend(args.undo(session, &found).await.err());
    }
    all_good(errors)
}

impl UndoArgs {
    async fn undo(&self, session: &Session, found: &Found) -> anyhow::Result<()> {
        let noted = found.object.pointer("/metadata/annotations");
        if noted.is_some_and(|all| all.get(LAST_APPLIED).is_some()) {
            session.console.warn(&format!(
                "resource {}/{} was previously managed with 'wkctl apply'. Rolling back will not \
                 update the {LAST_APPLIED} annotation, which may cause unexpected behavior on future \
                 'wkctl apply' operations. Consider using 'wkctl apply' with your previous \
                 configuration file instead.",
                found.resource.plural, found.name
            ));
        }
        let unsupported = "no rollbacker has been implemented for";
        let revisions = history::of(session, found, unsupported).await?;
        let revision = chosen(found, &revisions, self.to_revision)?;
        let tell =
            |object: Value, done: &str| report(session, &self.write, &found.resource, object, done);
        if self.write.dry_run()? == DryRun::Client {
            return tell(found.object.clone(), &revision.described());
        }
        if found.object.pointer("/spec/paused").is_some_and(|paused| *paused == true) {
            bail!(
                "you cannot rollback a paused deployment; resume it first with 'wkctl rollout \
                 resume' and try again"
            );
        }
        let current = found.object.pointer("/spec/template");
        if without_hash(current) == without_hash(Some(&revision.template)) {
            let number = revision.number;
            let skipped =
                format!("skipped rollback (current template already matches revision {number})");
            return tell(found.object.clone(), &skipped);
        }
        let changes = Changes { session, write: &self.write, manager: "kubectl-rollout" };
        let (content_type, patch) = if found.is("apps", "Deployment") {
            let patch = json!([
                {"op": "replace", "path": "/spec/template",
                    "value": without_hash(Some(&revision.template))},
                {"op": "replace", "path": "/metadata/annotations",
                    "value": annotations(&found.object, &revision.holder.object)},
            ]);
            (JSON_PATCH, patch)
        } else {
            let patch = revision.holder.object.get("data").cloned().unwrap_or_default();
            (STRATEGIC_PATCH, patch)
        };
        let number = revision.number;
        let undone = changes.patch(found, "", content_type, &patch).await;
        let undone = undone.with_context(|| format!("failed restoring revision {number}"))?;
        tell(undone, "rolled back")
    }
}

/// The revision to go back to.
fn chosen<'a>(found: &Found, all: &'a [Revision], number: i64) -> anyhow::Result<&'a Revision> {
    if number != 0 {
        return all
            .iter()
            .find(|revision| revision.number == number)
            .with_context(|| format!("unable to find specified revision {number} in history"));
    }
    match all {
        [.., before, _] => Ok(before),
        _ if found.is("apps", "Deployment") => {
            bail!("no rollout history found for deployment {:?}", found.name)
        }
        _ => bail!("no last revision to roll back to"),
    }
}

/// A template less the label that its replica set gives it.
fn without_hash(template: Option<&Value>) -> Value {
    let mut template = template.cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template
}

/// The annotations of a deployment that goes back to what a replica set remembers.
fn annotations(deployment: &Value, replica_set: &Value) -> Map<String, Value> {
    let of = |object: &Value, kept: bool| -> Map<String, Value> {
        let all = object.pointer("/metadata/annotations").and_then(Value::as_object);
        let all = all.into_iter().flatten();
        all.filter(|(key, _)| KEPT.contains(&key.as_str()) == kept)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let mut all = of(deployment, true);
    all.extend(of(replica_set, false));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::built_in;

    fn revisions(numbers: &[i64]) -> Vec<Revision> {
        let holder = Found::of(&built_in("rs").unwrap(), json!({}));
        let revision = |number: &i64| Revision {
            number: *number,
            holder: holder.clone(),
            template: Value::Null,
        };
        numbers.iter().map(revision).collect()
    }

    #[track_caller]
    fn check(kind: &str, numbers: &[i64], wanted: i64, expected: Result<i64, &str>) {
        let found = Found::of(&built_in(kind).unwrap(), json!({"metadata": {"name": "web"}}));
        let all = revisions(numbers);
        match (chosen(&found, &all, wanted), expected) {
            (Ok(chosen), Ok(expected)) => assert_eq!(chosen.number, expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (chosen, _) => panic!("{chosen:?}"),
        }
    }

    #[test]
    fn the_revision_before_is_the_default() {
        check("deploy", &[2, 3, 5], 0, Ok(3));
        check("deploy", &[2, 3, 5], 2, Ok(2));
        check("deploy", &[2, 3], 4, Err("unable to find specified revision 4 in history"));
        check("deploy", &[2], 0, Err("no rollout history found for deployment \"web\""));
        check("ds", &[2], 0, Err("no last revision to roll back to"));
    }

    #[test]
    fn annotations_come_from_the_revision_but_for_the_controllers() {
        let annotated = |all: Value| json!({"metadata": {"annotations": all}});
        let deployment = annotated(json!({"deployment.kubernetes.io/revision": "3", "a": "new"}));
        let replica_set = annotated(json!({"deployment.kubernetes.io/revision": "2", "a": "old"}));
        let expected = json!({"deployment.kubernetes.io/revision": "3", "a": "old"});
        assert_eq!(Value::Object(annotations(&deployment, &replica_set)), expected);
    }
}
