//! `rollout history`: which revisions there were, and what one of them consisted of.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use wk_patch::strategic;

use super::workloads;
use crate::commands::describe::{self, text::Text};
use crate::commands::select::{self, Found, SelectArgs, WhatArgs};
use crate::commands::writing;
use crate::error::all_good;
use crate::kinds::{built_in, text};
use crate::session::Session;

const CAUSE: &str = "kubernetes.io/change-cause";
const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";

/// Arguments of `rollout history`.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Show what this revision consists of
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    revision: i64,
    /// Print the objects that hold the revisions in this format
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Print the fields that say who manages what, too
    #[arg(long)]
    show_managed_fields: bool,
}

/// One state that a workload was in.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) number: i64,
    /// The replica set or controller revision that remembers it.
    pub(super) holder: Found,
    /// The pod template.
    pub(super) template: Value,
}

impl Revision {
    fn cause(&self) -> &str {
        let annotations = self.holder.object.pointer("/metadata/annotations");
        let cause = annotations.and_then(|all| all.get(CAUSE)).and_then(Value::as_str);
        cause.filter(|cause| !cause.is_empty()).unwrap_or("<none>")
    }

    /// The template as people read it, with tabs.
    pub(super) fn described(&self) -> String {
        let mut template = self.template.clone();
        if self.cause() != "<none>" && self.holder.is("apps", "ReplicaSet") {
            template["metadata"]["annotations"][CAUSE] = self.cause().into();
        }
        let mut out = Text::default();
        describe::template(&mut out, Some(&template));
        out.with_tabs()
    }
}

/// All revisions of a workload, oldest first.
pub(super) async fn of(
    session: &Session,
    found: &Found,
    unsupported: &str,
) -> anyhow::Result<Vec<Revision>> {
    let word = match found.resource.kind.as_str() {
        _ if found.resource.group != "apps" => bail!("{unsupported} {}", found.kind()),
        "Deployment" => "replicasets",
        "DaemonSet" | "StatefulSet" => "controllerrevisions",
        _ => bail!("{unsupported} {}", found.kind()),
    };
    let resource = built_in(word).context("it is built in")?;
    let selector = found.object.pointer("/spec/selector").unwrap_or(&Value::Null);
    let select = SelectArgs {
        selector: Some(wk_api::LabelSelector::from_json(selector)?.to_string()),
        ..SelectArgs::default()
    };
    let holders = select::list_in(session, &resource, Some(&found.namespace), &select).await?;
    let mut revisions = Vec::new();
    for holder in holders {
        let uid = text(&found.object, "/metadata/uid");
        let owners = holder.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let is_owned = owners.into_iter().flatten().any(|owner| {
            text(owner, "/uid") == uid && owner.get("controller").is_some_and(|is| *is == true)
        });
        if is_owned && let Some(revision) = revision(found, holder)? {
            revisions.push(revision);
        }
    }
    revisions.sort_by_key(|revision| revision.number);
    Ok(revisions)
}

fn revision(found: &Found, holder: Found) -> anyhow::Result<Option<Revision>> {
    if holder.resource.kind == "ReplicaSet" {
        let Ok(number) = text(&holder.object, REVISION).parse() else { return Ok(None) };
        let template = holder.object.pointer("/spec/template").cloned().unwrap_or_default();
        return Ok(Some(Revision { number, holder, template }));
    }
    let number = holder.object.get("revision").and_then(Value::as_i64).unwrap_or_default();
    let patch = holder.object.get("data").cloned().unwrap_or_else(|| json!({}));
    let message = found.resource.message.context("workloads are built in")?;
    let mut then = strategic::apply(found.object.clone(), patch, message)?;
    let template = then.pointer_mut("/spec/template").map(Value::take).unwrap_or_default();
    Ok(Some(Revision { number, holder, template }))
}

pub(super) async fn run(session: &Session, args: HistoryArgs) -> anyhow::Result<()> {
    if args.revision < 0 {
        bail!("revision must be a positive integer: {}", args.revision);
    }
    let (objects, mut errors) = workloads(session, &args.what).await?;
    for found in objects {
        errors.extend(args.show(session, &found).await.err());
    }
    all_good(errors)
}

impl HistoryArgs {
    async fn show(&self, session: &Session, found: &Found) -> anyhow::Result<()> {
        let revisions = of(session, found, "no history viewer has been implemented for").await?;
        let chosen: Vec<&Revision> = revisions
            .iter()
            .filter(|revision| self.revision == 0 || revision.number == self.revision)
            .collect();
        if let Some(format) = &self.output {
            if chosen.is_empty() && self.revision > 0 {
                bail!("unable to find the specified revision");
            }
            for revision in chosen {
                let (with, holder) = (self.show_managed_fields, &revision.holder);
                writing::show(session, format, with, &holder.resource, holder.object.clone())?;
            }
            return Ok(());
        }
        let (with, text) = match chosen.as_slice() {
            [revision] if self.revision > 0 => {
                (format!("with revision #{}", self.revision), revision.described())
            }
            _ if self.revision > 0 => bail!("unable to find the specified revision"),
            [] => (String::new(), "No rollout history found.".to_owned()),
            all => (String::new(), table(all)),
        };
        Ok(session.console.print(format!("{} {with}\n{text}\n", found.named()))?)
    }
}

fn table(revisions: &[&Revision]) -> String {
    let mut out = Text::default();
    out.row(0, ["REVISION", "CHANGE-CAUSE"]);
    for revision in revisions {
        out.row(0, [revision.number.to_string().as_str(), revision.cause()]);
    }
    out.finish()
}
