//! `edit`: an object in an editor, and what was changed goes to the server.

use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;
use wk_patch::{merge, strategic};

use super::select::{self, Found, SelectArgs};
use super::writing::{WriteArgs, field_validation, report};
use crate::client::Call;
use crate::error::{self, hinted};
use crate::kinds::query;
use crate::manifest::FileArgs;
use crate::output::hide_managed_fields;
use crate::session::Session;
use crate::yaml;

const HEADER: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

/// Arguments of `edit`.
#[derive(Debug, clap::Args)]
pub(crate) struct EditArgs {
    /// TYPE NAME, or TYPE/NAME
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// What happens to unknown fields: `strict` refuses, `warn` warns, `ignore` says nothing
    #[arg(long, value_name = "strict|warn|ignore", default_value = "strict")]
    validate: String,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: EditArgs) -> anyhow::Result<()> {
    let none = SelectArgs::default();
    let (objects, errors) =
        select::objects(session, &args.words, &args.files, &none, false).await?;
    error::all_good(errors)?;
    for object in objects {
        edit(session, &args, object).await?;
    }
    Ok(())
}

async fn edit(session: &Session, args: &EditArgs, object: Found) -> anyhow::Result<()> {
    let mut original = object.object.clone();
    hide_managed_fields(&mut original);
    let mut text = yaml::text(&original);
    let mut failure = String::new();
    loop {
        let edited = in_editor(session, &format!("{HEADER}{failure}{text}"))?;
        let lines = edited.lines().filter(|line| !line.starts_with('#'));
        let edited: String = lines.flat_map(|line| [line, "\n"]).collect();
        if edited.trim().is_empty() {
            session.console.note("Edit cancelled, saved file was empty.");
            return Ok(());
        }
        if edited == text {
            if failure.is_empty() {
                session.console.note("Edit cancelled, no changes made.");
                return Ok(());
            }
            bail!("Edit cancelled, no valid changes were saved.");
        }
        let saved = match yaml::documents(&edited).map(|mut documents| documents.pop()) {
            Ok(Some(changed)) => save(session, args, &object, &original, &changed).await,
            Ok(None) => return Ok(()),
            Err(error) => Err(error.context("the edited file is not YAML")),
        };
        match saved {
            Ok(None) => {
                session.console.note("Edit cancelled, no changes made.");
                return Ok(());
            }
            Ok(Some(changed)) => {
                return report(session, &args.write, &object.resource, changed, "edited");
            }
            Err(error) => {
                let lines = error::lines(&error).join("\n");
                failure = lines.lines().flat_map(|line| ["# ", line, "\n"]).collect();
                text = edited;
            }
        }
    }
}

/// Sends the difference; `None` if there is none.
async fn save(
    session: &Session,
    args: &EditArgs,
    object: &Found,
    original: &Value,
    changed: &Value,
) -> anyhow::Result<Option<Value>> {
    let (patch, content_type) = match object.resource.message {
        Some(message) => (
            strategic::create(original, changed, message)?,
            "application/strategic-merge-patch+json",
        ),
        None => (merge::create(original, changed)?, "application/merge-patch+json"),
    };
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(None);
    }
    let query = query(&[
        ("dryRun", args.write.dry_run_parameter()?),
        ("fieldManager", Some(args.write.field_manager.as_deref().unwrap_or("kubectl-edit"))),
        ("fieldValidation", Some(field_validation(&args.validate)?)),
    ]);
    let path = format!("{}{query}", object.path());
    let call = Call::patch(path, content_type, patch.to_string());
    session.ask(&object.resource, call).await.map(Some)
}

/// The text after somebody has edited it.
fn in_editor(session: &Session, text: &str) -> anyhow::Result<String> {
    let mut file = tempfile::Builder::new().prefix("wkctl-edit-").suffix(".yaml").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    session.console.flush()?;
    let editor = session.environment.editor.as_deref().unwrap_or("vi");
    // Editors are given with arguments, and quotes, as a shell takes them.
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .context("cannot start a shell for the editor")?;
    if !status.success() {
        return Err(hinted(
            format!("there was a problem with the editor \"{editor}\": {status}"),
            "choose another one with `KUBE_EDITOR`",
        ));
    }
    std::fs::read_to_string(file.path()).context("the edited file cannot be read")
}
