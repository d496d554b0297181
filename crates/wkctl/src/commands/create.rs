//! `create`: new objects, from files or from what the command line says.

mod configmap;
mod secret;

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use super::apply::note_configuration;
use super::writing::{DryRun, WriteArgs, field_validation, report};
use crate::client::Call;
use crate::error::{all_good, hinted};
use crate::kinds::query;
use crate::manifest::{self, FileArgs, Manifest};
use crate::session::Session;

/// kubectl's.
const MANAGER: &str = "kubectl-create";

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    options: CreateOptions,
    #[command(subcommand)]
    what: Option<What>,
}

/// What every creation can be told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CreateOptions {
    #[command(flatten)]
    write: WriteArgs,
    /// What happens to unknown fields: `strict` refuses, `warn` warns, `ignore` says nothing
    #[arg(long, value_name = "strict|warn|ignore", num_args = 0..=1, require_equals = true,
        default_value = "strict", default_missing_value = "strict")]
    validate: String,
    /// Note the configuration, so that `apply` can be used later
    #[arg(long)]
    save_config: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Create a config map from texts, files or folders
    #[command(visible_alias = "cm")]
    Configmap(configmap::ConfigmapArgs),
    /// Create a namespace
    #[command(visible_alias = "ns")]
    Namespace(NameArgs),
    /// Create a secret
    Secret(secret::SecretArgs),
    /// Create a service account
    #[command(visible_alias = "sa")]
    Serviceaccount(NameArgs),
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    name: String,
    #[command(flatten)]
    options: CreateOptions,
}

pub(crate) async fn run(session: &Session, args: CreateArgs) -> anyhow::Result<()> {
    let (object, options) = match args.what {
        None => return files(session, &args.files, &args.options).await,
        Some(What::Configmap(args)) => (args.object()?, args.options),
        Some(What::Namespace(args)) => (named("Namespace", &args.name), args.options),
        Some(What::Secret(args)) => args.object()?,
        Some(What::Serviceaccount(args)) => (named("ServiceAccount", &args.name), args.options),
    };
    one(session, &options, Manifest { source: String::new(), object }).await
}

/// An object of the core group with nothing but a name.
pub(crate) fn named(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})
}

async fn files(session: &Session, files: &FileArgs, options: &CreateOptions) -> anyhow::Result<()> {
    if files.files.is_empty() {
        return Err(hinted(
            "must specify -f",
            "`wkctl create -f pod.yaml` creates what is in a file, `wkctl create configmap ...` a \
             config map; see `wkctl create --help`",
        ));
    }
    let mut errors = Vec::new();
    for manifest in manifest::read(files)? {
        if let Err(error) = one(session, options, manifest).await {
            errors.push(error);
        }
    }
    all_good(errors)
}

async fn one(session: &Session, options: &CreateOptions, manifest: Manifest) -> anyhow::Result<()> {
    create(session, &options.write, &options.validate, options.save_config, MANAGER, manifest).await
}

/// Creates one object and says so.
pub(crate) async fn create(
    session: &Session,
    write: &WriteArgs,
    validate: &str,
    save_config: bool,
    manager: &str,
    manifest: Manifest,
) -> anyhow::Result<()> {
    let dry_run = write.dry_run()?;
    let mut placed = if dry_run == DryRun::Client {
        manifest::place_offline(session, manifest).await?
    } else {
        manifest::place(session, manifest).await?
    };
    if save_config {
        note_configuration(&mut placed.object)?;
    }
    if dry_run == DryRun::Client {
        return report(session, write, &placed.resource, placed.object, "created");
    }
    let query = query(&[
        ("dryRun", write.dry_run_parameter()?),
        ("fieldManager", Some(write.field_manager.as_deref().unwrap_or(manager))),
        ("fieldValidation", Some(field_validation(validate)?)),
    ]);
    let path = format!("{}{query}", placed.resource.path(Some(&placed.namespace)));
    let created =
        session.ask(&placed.resource, Call::with(Method::POST, path, &placed.object)).await;
    let created = if placed.source.is_empty() {
        created.context(format!("failed to create {}", placed.resource.singular))?
    } else {
        created.with_context(|| format!("error when creating \"{}\"", placed.source))?
    };
    report(session, write, &placed.resource, created, "created")
}
