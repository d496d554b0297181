//! `create`: new objects, from files or from what the command line says.

mod configmap;
mod ingress;
mod policy;
mod rbac;
mod secret;
mod service;
pub(crate) mod subjects;
mod token;
mod workload;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Map, Value, json};

use super::apply::note_configuration;
use super::select::Found;
use super::writing::{DryRun, WriteArgs, field_validation, report};
use crate::client::Call;
use crate::error::{StatusError, all_good, hinted};
use crate::kinds::{Resource, query};
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
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
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
    /// Create a cluster role
    Clusterrole(rbac::ClusterRoleArgs),
    /// Bind a cluster role to somebody, in all namespaces
    Clusterrolebinding(rbac::ClusterRoleBindingArgs),
    /// Create a config map from texts, files or folders
    #[command(visible_alias = "cm")]
    Configmap(configmap::ConfigmapArgs),
    /// Create a cron job
    #[command(visible_alias = "cj")]
    Cronjob(workload::CronJobArgs),
    /// Create a deployment
    #[command(visible_alias = "deploy")]
    Deployment(workload::DeploymentArgs),
    /// Create an ingress
    #[command(visible_alias = "ing")]
    Ingress(ingress::IngressArgs),
    /// Create a job
    Job(workload::JobArgs),
    /// Create a namespace
    #[command(visible_alias = "ns")]
    Namespace(NameArgs),
    /// Create a pod disruption budget
    #[command(visible_alias = "pdb")]
    Poddisruptionbudget(policy::BudgetArgs),
    /// Create a priority class
    #[command(visible_alias = "pc")]
    Priorityclass(policy::PriorityClassArgs),
    /// Create a resource quota
    #[command(visible_alias = "resourcequota")]
    Quota(policy::QuotaArgs),
    /// Create a role
    Role(rbac::RoleArgs),
    /// Bind a role to somebody
    Rolebinding(rbac::RoleBindingArgs),
    /// Create a secret
    Secret(secret::SecretArgs),
    /// Create a service
    #[command(visible_alias = "svc")]
    Service(service::ServiceArgs),
    /// Create a service account
    #[command(visible_alias = "sa")]
    Serviceaccount(NameArgs),
    /// Ask for a token of a service account
    Token(token::TokenArgs),
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    name: String,
    #[command(flatten)]
    options: CreateOptions,
}

/// What a generator makes.
struct Made {
    object: Value,
    options: CreateOptions,
    /// What stands before the reason if the server does not take it; empty if nothing does.
    failed: &'static str,
}

pub(crate) async fn run(session: &Session, args: CreateArgs) -> anyhow::Result<()> {
    let made = |object, options, failed| Made { object, options, failed };
    let made = match args.what {
        None => return args.files(session).await,
        Some(What::Clusterrole(args)) => args.made(session).await?,
        Some(What::Clusterrolebinding(args)) => args.made()?,
        Some(What::Configmap(args)) => {
            made(args.object()?, args.options, "failed to create configmap: ")
        }
        Some(What::Cronjob(args)) => args.made(),
        Some(What::Deployment(args)) => args.made()?,
        Some(What::Ingress(args)) => args.made()?,
        Some(What::Job(args)) => args.made(session).await?,
        Some(What::Namespace(args)) => {
            let mut object = named("Namespace", &args.name);
            object["spec"] = json!({});
            object["status"] = json!({});
            made(object, args.options, "")
        }
        Some(What::Poddisruptionbudget(args)) => args.made()?,
        Some(What::Priorityclass(args)) => args.made()?,
        Some(What::Quota(args)) => args.made()?,
        Some(What::Role(args)) => args.made(session).await?,
        Some(What::Rolebinding(args)) => args.made()?,
        Some(What::Secret(args)) => {
            let (object, options) = args.object()?;
            made(object, options, "failed to create secret ")
        }
        Some(What::Service(args)) => args.made()?,
        Some(What::Serviceaccount(args)) => {
            let object = named("ServiceAccount", &args.name);
            made(object, args.options, "failed to create serviceaccount: ")
        }
        Some(What::Token(args)) => return token::run(session, args).await,
    };
    let creation = Creation { failed: made.failed, ..made.options.creation() };
    let manifest = Manifest { source: String::new(), object: made.object };
    create(session, &creation, manifest).await
}

/// An object of the core group with nothing but a name.
pub(crate) fn named(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})
}

/// `a=b,c=d` as a map.
pub(crate) fn pairs(text: &str, what: &str) -> anyhow::Result<Map<String, Value>> {
    let mut map = Map::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                map.insert(key.to_owned(), value.trim_start_matches('=').into());
            }
            _ => bail!("unexpected {what} spec: {part}"),
        }
    }
    Ok(map)
}

/// A new object in the namespace of another one, where that is not the one that is meant anyway.
pub(crate) fn beside(found: &Found, own_namespace: &str, mut object: Value) -> Value {
    if !found.namespace.is_empty() && found.namespace != own_namespace {
        object["metadata"]["namespace"] = json!(found.namespace);
    }
    object
}

impl CreateArgs {
    async fn files(&self, session: &Session) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return Err(hinted(
                "must specify one of -f and -k",
                "`wkctl create -f pod.yaml` creates what is in a file, `wkctl create configmap \
                 ...` a config map; see `wkctl create --help`",
            ));
        }
        let selector = self.selector.as_deref().map(wk_api::LabelSelector::parse).transpose()?;
        let (creation, mut errors, mut any) = (self.options.creation(), Vec::new(), false);
        for manifest in manifest::read(&self.files)? {
            let labels = manifest.object.pointer("/metadata/labels").unwrap_or(&Value::Null);
            if selector.as_ref().is_some_and(|selector| !selector.matches(labels)) {
                continue;
            }
            any = true;
            errors.extend(create(session, &creation, manifest).await.err());
        }
        if !any {
            bail!("no objects passed to create");
        }
        all_good(errors)
    }
}

impl CreateOptions {
    fn creation(&self) -> Creation<'_> {
        Creation {
            write: &self.write,
            validate: &self.validate,
            save_config: self.save_config,
            manager: MANAGER,
            failed: "",
            done: "created",
        }
    }
}

/// How objects are created.
pub(crate) struct Creation<'a> {
    pub(crate) write: &'a WriteArgs,
    /// Value of `--validate`.
    pub(crate) validate: &'a str,
    pub(crate) save_config: bool,
    /// Manager of the fields, unless the command line names one.
    pub(crate) manager: &'a str,
    /// What stands before the reason if the server does not take it; empty if nothing does.
    pub(crate) failed: &'a str,
    /// What is said.
    pub(crate) done: &'a str,
}

/// Creates one object and says so.
pub(crate) async fn create(
    session: &Session,
    creation: &Creation<'_>,
    manifest: Manifest,
) -> anyhow::Result<()> {
    let (resource, object) = made(session, creation, manifest).await?;
    report(session, creation.write, &resource, object, creation.done)
}

/// Creates one object, unless that is only pretended.
pub(crate) async fn made(
    session: &Session,
    creation: &Creation<'_>,
    manifest: Manifest,
) -> anyhow::Result<(Resource, Value)> {
    let write = creation.write;
    let dry_run = write.dry_run()?;
    let is_generated = manifest.source.is_empty();
    let mut placed = match dry_run {
        DryRun::Client if is_generated => manifest::place_offline(session, manifest).await?,
        DryRun::Client => manifest::place_pretending(session, manifest).await?,
        DryRun::No | DryRun::Server => manifest::place(session, manifest).await?,
    };
    if creation.save_config {
        note_configuration(&mut placed.object)?;
    }
    if dry_run == DryRun::Client {
        return Ok((placed.resource, placed.object));
    }
    let query = query(&[
        ("dryRun", write.dry_run_parameter()?),
        ("fieldManager", Some(write.field_manager.as_deref().unwrap_or(creation.manager))),
        ("fieldValidation", Some(field_validation(creation.validate)?)),
    ]);
    let path = format!("{}{query}", placed.resource.path(Some(&placed.namespace)));
    let created =
        session.ask(&placed.resource, Call::with(Method::POST, path, &placed.object)).await;
    let created = match created {
        Err(error) if !creation.failed.is_empty() && error.is::<StatusError>() => {
            return Err(failure(creation.failed, &error));
        }
        created if placed.source.is_empty() => created?,
        created => created.with_context(|| format!("error when creating \"{}\"", placed.source))?,
    };
    Ok((placed.resource, created))
}

/// A refusal with what failed before it, without what kubectl says of refusals otherwise.
pub(crate) fn failure(failed: &str, error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{failed}{error}")
}
