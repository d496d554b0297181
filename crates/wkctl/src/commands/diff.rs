//! `diff`: what `apply` would change.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::apply::{self, SERVER_SIDE_MANAGER};
use crate::client::Call;
use crate::error::{Told, found, lines};
use crate::kinds::query;
use crate::manifest::{self, FileArgs, Placed};
use crate::output::hide_managed_fields;
use crate::session::Session;
use crate::yaml;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// As `apply --server-side` would change it
    #[arg(long)]
    server_side: bool,
    /// Take over fields that others manage (with `--server-side`)
    #[arg(long)]
    force_conflicts: bool,
    /// Name of the manager of the fields that are written
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Also the fields that say who manages what
    #[arg(long)]
    show_managed_fields: bool,
    /// Also the values of secrets
    #[arg(long)]
    show_secrets: bool,
}

pub(crate) async fn run(session: &Session, args: DiffArgs) -> anyhow::Result<()> {
    // Scripts tell a difference (1) from a failure (more) by the exit code.
    args.run(session).await.map_err(|error| {
        if error.is::<Told>() { error } else { Told { texts: lines(&error), code: 2 }.into() }
    })
}

impl DiffArgs {
    async fn run(&self, session: &Session) -> anyhow::Result<()> {
        if self.files.is_empty() {
            anyhow::bail!("must specify one of -f and -k");
        }
        let folder = |name: &str| tempfile::Builder::new().prefix(name).tempdir();
        let (live, merged) = (folder("LIVE-")?, folder("MERGED-")?);
        let selector = self.selector.as_deref().map(wk_api::LabelSelector::parse).transpose()?;
        for manifest in manifest::read(&self.files)? {
            let labels = manifest.object.pointer("/metadata/labels").unwrap_or(&Value::Null);
            if selector.as_ref().is_none_or(|selector| selector.matches(labels)) {
                let placed = manifest::place(session, manifest).await?;
                self.add(session, placed, live.path(), merged.path()).await?;
            }
        }
        session.console.flush()?;
        compare(session, &live, &merged)
    }

    /// Writes the object as it is, and as it would be.
    async fn add(
        &self,
        session: &Session,
        placed: Placed,
        live: &Path,
        merged: &Path,
    ) -> anyhow::Result<()> {
        let path = placed.resource.object_path(&placed.namespace, &placed.name);
        let current = found(session.ask(&placed.resource, Call::get(&path)).await)?;
        let wanted = self.wanted(session, &placed, &path, current.as_ref()).await?;
        let (mut before, mut after) = (current, wanted);
        if placed.resource.kind == "Secret" && !self.show_secrets {
            mask(before.as_mut(), &mut after);
        }
        let api_version = placed.resource.api_version().replace('/', ".");
        let name =
            format!("{api_version}.{}.{}.{}", placed.resource.kind, placed.namespace, placed.name);
        for (folder, object) in [(live, before.as_mut()), (merged, Some(&mut after))] {
            // What is not there is compared as an empty file.
            let Some(object) = object else {
                std::fs::write(folder.join(&name), "")?;
                continue;
            };
            if !self.show_managed_fields {
                hide_managed_fields(object);
            }
            std::fs::write(folder.join(&name), yaml::text(object))?;
        }
        Ok(())
    }

    /// What the server would make of it.
    async fn wanted(
        &self,
        session: &Session,
        placed: &Placed,
        path: &str,
        current: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let manager = |default| Some(self.field_manager.as_deref().unwrap_or(default));
        let parameters = |default: &'static str, force: bool| {
            query(&[
                ("dryRun", Some("All")),
                ("fieldManager", manager(default)),
                ("force", force.then_some("true")),
            ])
        };
        let call = if self.server_side {
            let query = parameters(SERVER_SIDE_MANAGER, self.force_conflicts);
            let body = placed.object.to_string();
            Call::patch(format!("{path}{query}"), "application/apply-patch+yaml", body)
        } else {
            let mut noted = placed.clone();
            apply::note_configuration(&mut noted.object)?;
            let query = parameters(apply::MANAGER, false);
            match current {
                None => {
                    let path = noted.resource.path(Some(&noted.namespace));
                    // As kubectl has it, what is new is shown without the note.
                    Call::with(Method::POST, format!("{path}{query}"), &placed.object)
                }
                Some(current) => {
                    let (patch, content_type) = apply::patch(&noted, current)?;
                    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
                        return Ok(current.clone());
                    }
                    Call::patch(format!("{path}{query}"), content_type, patch.to_string())
                }
            }
        };
        let mut wanted = session.ask(&placed.resource, call).await?;
        // The note itself is not news.
        let before = current.and_then(|current| current.pointer("/metadata/annotations"));
        let before = before.and_then(|all| all.get(apply::LAST_APPLIED)).cloned();
        let annotations =
            wanted.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            annotations.remove(apply::LAST_APPLIED);
            annotations.extend(before.map(|before| (apply::LAST_APPLIED.to_owned(), before)));
            if annotations.is_empty()
                && let Some(metadata) = wanted.get_mut("metadata").and_then(Value::as_object_mut)
            {
                metadata.remove("annotations");
            }
        }
        Ok(wanted)
    }
}

/// Makes the values of secrets say only whether they differ.
fn mask(before: Option<&mut Value>, after: &mut Value) {
    let mut nothing = Value::Null;
    let before = before.unwrap_or(&mut nothing);
    let old = before.get("data").cloned().unwrap_or_default();
    let new = after.get("data").cloned().unwrap_or_default();
    let cover = |object: &mut Value, other: &Value, mark: &str| {
        let data = object.get_mut("data").and_then(Value::as_object_mut);
        for (key, value) in data.into_iter().flatten() {
            let differs = other.get(key).is_some_and(|other| other != value);
            *value = if differs { format!("*** ({mark})") } else { "***".to_owned() }.into();
        }
    };
    cover(before, &new, "before");
    cover(after, &old, "after");
}

/// Runs the program that compares; it prints what it finds.
fn compare(session: &Session, live: &TempDir, merged: &TempDir) -> anyhow::Result<()> {
    let program = session.environment.external_diff.as_deref().unwrap_or("diff -u -N");
    let mut words = program.split_whitespace();
    let name = words.next().context("KUBECTL_EXTERNAL_DIFF names no program")?;
    let status = Command::new(name)
        .args(words)
        .args([live.path(), merged.path()])
        .status()
        .with_context(|| format!("failed to run {name:?}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code @ 1..=255) => {
            let code = u8::try_from(code).unwrap_or(2);
            Err(Told { texts: Vec::new(), code }.into())
        }
        _ => anyhow::bail!("{name:?} was ended: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_only_say_whether_they_differ() {
        let mut before = json!({"metadata": {"name": "s"}, "data": {"a": "1", "b": "2"}});
        let mut after = json!({"data": {"a": "1", "b": "3", "c": "4"}});
        mask(Some(&mut before), &mut after);
        assert_eq!(before["data"], json!({"a": "***", "b": "*** (before)"}));
        assert_eq!(after["data"], json!({"a": "***", "b": "*** (after)", "c": "***"}));
    }
}
