//! `patch`: fields of objects change as a patch says.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::select::{self, SelectArgs};
use super::writing::{DryRun, WriteArgs, report};
use crate::client::Call;
use crate::error::all_good;
use crate::kinds::query;
use crate::manifest::FileArgs;
use crate::session::Session;
use crate::yaml;

/// Arguments of `patch`.
#[derive(Debug, clap::Args)]
pub(crate) struct PatchArgs {
    /// TYPE NAME, or TYPE/NAME
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// The patch, JSON or YAML
    #[arg(short, long)]
    patch: Option<String>,
    /// File with the patch
    #[arg(long, value_name = "FILE")]
    patch_file: Option<PathBuf>,
    /// How the patch is meant: `strategic`, `merge` or `json`
    #[arg(long = "type", value_name = "TYPE", default_value = "strategic")]
    kind: String,
    /// Change this part of the object, such as `status`
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: PatchArgs) -> anyhow::Result<()> {
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), None) => text.clone(),
        (None, Some(path)) => std::fs::read_to_string(path)
            .with_context(|| format!("unable to read patch file `{}`", path.display()))?,
        _ => bail!("must specify --patch or --patch-file containing the contents of the patch"),
    };
    let patch = yaml::one(&text).map_err(|error| anyhow!("unable to parse {text:?}: {error}"))?;
    let content_type = match args.kind.as_str() {
        "strategic" => "application/strategic-merge-patch+json",
        "merge" => "application/merge-patch+json",
        "json" => "application/json-patch+json",
        other => bail!("--type must be one of [json merge strategic], not \"{other}\""),
    };
    let none = SelectArgs::default();
    let (objects, mut errors) =
        select::objects(session, &args.words, &args.files, &none, false).await?;
    for object in objects {
        if args.write.dry_run()? == DryRun::Client {
            report(session, &args.write, &object.resource, object.object, "patched")?;
            continue;
        }
        let query = query(&[
            ("dryRun", args.write.dry_run_parameter()?),
            ("fieldManager", Some(args.write.field_manager.as_deref().unwrap_or("kubectl-patch"))),
        ]);
        let part = args.subresource.as_ref().map_or(String::new(), |name| format!("/{name}"));
        let path = format!("{}{part}{query}", object.path());
        match session
            .ask(&object.resource, Call::patch(path, content_type, patch.to_string()))
            .await
        {
            Ok(changed) => {
                let same = revision(&changed) == revision(&object.object);
                let done = if same { "patched (no change)" } else { "patched" };
                report(session, &args.write, &object.resource, changed, done)?;
            }
            Err(error) => errors.push(error),
        }
    }
    all_good(errors)
}

fn revision(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/resourceVersion")
}
