//! `scale`: how many pods a workload is to have.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::changing::{Changes, MERGE_PATCH};
use super::following::Following;
use super::select::{Found, WhatArgs};
use super::writing::{DryRun, WriteArgs, report};
use crate::client::Call;
use crate::duration;
use crate::error::all_good;
use crate::kinds::{query, text};
use crate::session::Session;

/// Arguments of `scale`.
#[derive(Debug, clap::Args)]
pub(crate) struct ScaleArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// How many replicas there are to be
    #[arg(long, value_name = "COUNT", required = true, allow_negative_numbers = true)]
    replicas: i64,
    /// Only if there are so many now; -1 is any number
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true)]
    current_replicas: i64,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    /// How long to wait until there are so many, such as `1m`; 0 does not wait
    #[arg(long, default_value = "0s")]
    timeout: String,
    /// All objects of the type
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: ScaleArgs) -> anyhow::Result<()> {
    if args.replicas < 0 {
        bail!(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        );
    }
    let timeout = duration::parse(&args.timeout)?;
    let (objects, mut errors) = args.what.objects(session, args.all).await?;
    if objects.len() > 1 && args.resource_version.is_some() {
        bail!("cannot use --resource-version with multiple resources");
    }
    if objects.is_empty() && errors.is_empty() {
        bail!("no objects passed to scale");
    }
    let mut scaled = Vec::new();
    for found in objects {
        match args.scale(session, &found).await {
            Ok(()) => {
                report(session, &args.write, &found.resource, found.object.clone(), "scaled")?;
                scaled.push(found);
            }
            Err(error) => errors.push(error),
        }
    }
    session.console.flush()?;
    if timeout > Duration::ZERO && args.write.dry_run()? == DryRun::No {
        let deadline = Instant::now() + timeout;
        for found in scaled {
            errors.extend(args.wait(session, &found, deadline).await.err());
        }
    }
    all_good(errors)
}

impl ScaleArgs {
    async fn scale(&self, session: &Session, found: &Found) -> anyhow::Result<()> {
        if self.write.dry_run()? == DryRun::Client {
            return Ok(());
        }
        let changes = Changes { session, write: &self.write, manager: "kubectl-scale" };
        let replicas = json!({"spec": {"replicas": self.replicas}});
        if self.current_replicas < 0 && self.resource_version.is_none() {
            changes.patch(found, "/scale", MERGE_PATCH, &replicas).await?;
            return Ok(());
        }
        let path = format!("{}/scale", found.path());
        let client = session.client().await?;
        let mut scale = client.object(Call::get(&path)).await?;
        let now = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
        if self.current_replicas >= 0 && now != self.current_replicas {
            bail!("Expected replicas to be {}, was {now}", self.current_replicas);
        }
        let version = text(&scale, "/metadata/resourceVersion");
        if let Some(wanted) = self.resource_version.as_deref().filter(|wanted| *wanted != version) {
            bail!("Expected resource version to be {wanted}, was {version}");
        }
        // It has the version in it, so that what was looked at is what is changed.
        scale["spec"]["replicas"] = json!(self.replicas);
        let query = query(&[
            ("dryRun", self.write.dry_run_parameter()?),
            ("fieldManager", self.write.field_manager.as_deref()),
        ]);
        client.object(Call::with(Method::PUT, format!("{path}{query}"), &scale)).await?;
        Ok(())
    }

    async fn wait(
        &self,
        session: &Session,
        found: &Found,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let (mut following, mut now) = Following::start(session, found).await?;
        let waiting = async {
            loop {
                let object = now.with_context(|| format!("{} was deleted", found.quoted()))?;
                if self.is_reached(&object) {
                    return anyhow::Ok(());
                }
                now = following.next().await?;
            }
        };
        tokio::time::timeout_at(deadline, waiting)
            .await
            .unwrap_or_else(|_| bail!("timed out waiting for {:?} to be synced", found.name))
    }

    /// Whether there are as many replicas as were asked for, or somebody asks for other ones now.
    fn is_reached(&self, object: &Value) -> bool {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        if number("/spec/replicas") != Some(self.replicas) {
            return true;
        }
        let observed = number("/status/observedGeneration").unwrap_or_default()
            >= number("/metadata/generation").unwrap_or_default();
        observed && number("/status/replicas").unwrap_or_default() == self.replicas
    }
}
