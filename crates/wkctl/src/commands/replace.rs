//! `replace`: objects become what their files say, and nothing else.

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::Value;

use super::apply::note_configuration;
use super::create::{Creation, create};
use super::delete::{self, Deletion};
use super::writing::{DryRun, WriteArgs, field_validation, report};
use crate::client::Call;
use crate::error::{all_good, hinted};
use crate::kinds::{query, text};
use crate::manifest::{self, FileArgs, Manifest, Placed};
use crate::session::Session;

/// Arguments of `replace`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplaceArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Delete the objects first
    #[arg(long)]
    force: bool,
    /// With `--force`: seconds that the objects have to end; -1 is what they ask for
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// With `--force`: what becomes of what belongs to the objects
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_value = "background", default_missing_value = "background")]
    cascade: String,
    /// With `--force`: how long to wait until they are gone, such as `1m`; 0 is as long as it takes
    #[arg(long, default_value = "0s")]
    timeout: String,
    /// Replace this part of the objects, such as `status`
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// What happens to unknown fields: `strict` refuses, `warn` warns, `ignore` says nothing
    #[arg(long, value_name = "strict|warn|ignore", num_args = 0..=1, require_equals = true,
        default_value = "strict", default_missing_value = "strict")]
    validate: String,
    /// Note the configuration, so that `apply` can be used later
    #[arg(long)]
    save_config: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: ReplaceArgs) -> anyhow::Result<()> {
    if args.files.is_empty() {
        return Err(hinted(
            "must specify one of -f and -k",
            "`wkctl replace -f pod.yaml` replaces what is in a file",
        ));
    }
    if args.grace_period >= 0 && !args.force {
        bail!("--grace-period must have --force specified");
    }
    let manifests = manifest::read(&args.files)?;
    if args.force {
        return args.anew(session, manifests).await;
    }
    let mut errors = Vec::new();
    for manifest in manifests {
        let replaced = match manifest::place(session, manifest).await {
            Ok(placed) => args.replace(session, placed).await,
            Err(error) => Err(error),
        };
        errors.extend(replaced.err());
    }
    all_good(errors)
}

impl ReplaceArgs {
    async fn replace(&self, session: &Session, placed: Placed) -> anyhow::Result<()> {
        let Placed { source, mut object, resource, namespace, name } = placed;
        if self.save_config {
            note_configuration(&mut object)?;
        }
        if self.write.dry_run()? == DryRun::Client {
            return report(session, &self.write, &resource, object, "replaced");
        }
        let failed = || format!("error when replacing {source:?}");
        let part = self.subresource.as_ref().map_or(String::new(), |part| format!("/{part}"));
        let path = format!("{}{part}", resource.object_path(&namespace, &name));
        // What says no version replaces whatever is there.
        if text(&object, "/metadata/resourceVersion").is_empty() {
            let current = session.ask(&resource, Call::get(&path)).await.with_context(failed)?;
            let version = text(&current, "/metadata/resourceVersion");
            object["metadata"]["resourceVersion"] = version.into();
        }
        let query = query(&[
            ("dryRun", self.write.dry_run_parameter()?),
            (
                "fieldManager",
                Some(self.write.field_manager.as_deref().unwrap_or("kubectl-replace")),
            ),
            ("fieldValidation", Some(field_validation(&self.validate)?)),
        ]);
        let call = Call::with(Method::PUT, format!("{path}{query}"), &object);
        let replaced: Value = session.ask(&resource, call).await.with_context(failed)?;
        report(session, &self.write, &resource, replaced, "replaced")
    }

    /// Deletes the objects, waits until they are gone, and creates them.
    async fn anew(&self, session: &Session, manifests: Vec<Manifest>) -> anyhow::Result<()> {
        if self.write.dry_run()? != DryRun::No {
            bail!("--dry-run can not be used when --force is set");
        }
        let deletion = Deletion::of(&self.cascade, self.grace_period, &self.timeout)?;
        let mut objects = Vec::new();
        for manifest in &manifests {
            let placed = manifest::place(session, manifest.clone()).await?;
            objects.push(placed.into_found());
        }
        delete::all(session, &deletion, &objects).await?;
        let creation = Creation {
            write: &self.write,
            validate: &self.validate,
            save_config: self.save_config,
            manager: "kubectl-replace",
            failed: "",
            done: "replaced",
        };
        let mut errors = Vec::new();
        for manifest in manifests {
            errors.extend(create(session, &creation, manifest).await.err());
        }
        all_good(errors)
    }
}
