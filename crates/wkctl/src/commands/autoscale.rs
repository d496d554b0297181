//! `autoscale`: an autoscaler for a workload.

use anyhow::bail;
use serde_json::{Value, json};
use wk_api::Quantity;

use super::create::{Creation, beside, create};
use super::select::{Found, WhatArgs};
use super::writing::{DryRun, WriteArgs};
use crate::client::Call;
use crate::error::{all_good, found};
use crate::manifest::Manifest;
use crate::session::Session;

/// Arguments of `autoscale`.
#[derive(Debug, clap::Args)]
pub(crate) struct AutoscaleArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Name of the autoscaler; that of the workload if not said
    #[arg(long)]
    name: Option<String>,
    /// How many replicas there are at least; if negative, the server's default
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true)]
    min: i64,
    /// How many replicas there are at most
    #[arg(long, value_name = "COUNT", required = true, allow_negative_numbers = true)]
    max: i64,
    /// Processor use to aim at: `70%` of what pods request, or an amount such as `500m`
    #[arg(long, value_name = "AMOUNT")]
    cpu: Option<String>,
    /// Memory use to aim at: `60%` of what pods request, or an amount such as `200Mi`
    #[arg(long, value_name = "AMOUNT")]
    memory: Option<String>,
    /// Note the configuration, so that `apply` can be used later
    #[arg(long)]
    save_config: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: AutoscaleArgs) -> anyhow::Result<()> {
    if args.max < 1 {
        bail!("--max=MAXPODS is required and must be at least 1, max: {}", args.max);
    }
    if args.max < args.min {
        bail!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {}, min: {}",
            args.max,
            args.min
        );
    }
    let (objects, mut errors) = args.what.objects(session, false).await?;
    let creation = Creation {
        write: &args.write,
        validate: "strict",
        save_config: args.save_config,
        manager: "kubectl-autoscale",
        failed: "",
        done: if args.write.dry_run()? == DryRun::Client { "created" } else { "autoscaled" },
    };
    let own = session.namespace().await?;
    for target in objects {
        let made = match check(session, &target).await {
            Ok(()) => args.autoscaler(&target),
            Err(error) => Err(error),
        };
        let made = made.map(|object| beside(&target, &own, object));
        let created = match made {
            Ok(object) => {
                create(session, &creation, Manifest { source: String::new(), object }).await
            }
            Err(error) => Err(error),
        };
        errors.extend(created.err());
    }
    all_good(errors)
}

/// Refuses what has no number of replicas.
async fn check(session: &Session, target: &Found) -> anyhow::Result<()> {
    let scalable = match target.resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "StatefulSet" => target.resource.group == "apps",
        "ReplicationController" => true,
        // Kinds that are not built in may have it.
        _ if target.resource.message.is_none() => {
            let call = Call::get(format!("{}/scale", target.path()));
            found(session.client().await?.object(call).await).is_ok_and(|scale| scale.is_some())
        }
        _ => false,
    };
    if !scalable {
        let resource = &target.resource;
        bail!(
            "cannot autoscale a {}: could not find scale subresource for {}/{}, Resource={} in \
             discovery information",
            resource.kind,
            resource.group,
            resource.version,
            resource.plural
        );
    }
    Ok(())
}

impl AutoscaleArgs {
    fn autoscaler(&self, target: &Found) -> anyhow::Result<Value> {
        let mut object = json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.name.as_ref().unwrap_or(&target.name)},
            "spec": {
                "maxReplicas": self.max,
                "scaleTargetRef": {
                    "apiVersion": target.resource.api_version(),
                    "kind": target.resource.kind,
                    "name": target.name,
                },
            },
            "status": {"currentMetrics": null, "desiredReplicas": 0},
        });
        if self.min > 0 {
            object["spec"]["minReplicas"] = json!(self.min);
        }
        let mut metrics = Vec::new();
        for (name, wanted, unit) in [("cpu", &self.cpu, "m"), ("memory", &self.memory, "Mi")] {
            if let Some(wanted) = wanted {
                let target = goal(name, wanted, unit)?;
                metrics.push(
                    json!({"type": "Resource", "resource": {"name": name, "target": target}}),
                );
            }
        }
        if !metrics.is_empty() {
            object["spec"]["metrics"] = metrics.into();
        }
        Ok(object)
    }
}

/// What is aimed at: a part of what pods request, or an amount, whose unit may be left out.
fn goal(name: &str, wanted: &str, unit: &str) -> anyhow::Result<Value> {
    if let Some(percent) = wanted.strip_suffix('%') {
        return match percent.parse::<i32>() {
            Ok(percent) if percent > 0 => {
                Ok(json!({"type": "Utilization", "averageUtilization": percent}))
            }
            _ => bail!("failed to parse {name} utilization: {wanted}"),
        };
    }
    let amount = match wanted.parse::<u64>() {
        Ok(number) => format!("{number}{unit}"),
        Err(_) => wanted.to_owned(),
    };
    match Quantity::parse(&amount) {
        Ok(amount) => Ok(json!({"type": "AverageValue", "averageValue": amount.to_string()})),
        Err(_) => bail!("invalid resource {name} value: {wanted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, wanted: &str, unit: &str, expected: Option<&Value>) {
        assert_eq!(goal(name, wanted, unit).ok().as_ref(), expected, "{wanted}");
    }

    #[test]
    fn goals_are_parts_or_amounts() {
        let part = |percent: i32| json!({"type": "Utilization", "averageUtilization": percent});
        let amount = |amount: &str| json!({"type": "AverageValue", "averageValue": amount});
        check("cpu", "50%", "m", Some(&part(50)));
        check("cpu", "500m", "m", Some(&amount("500m")));
        check("cpu", "500", "m", Some(&amount("500m")));
        check("memory", "200", "Mi", Some(&amount("200Mi")));
        check("memory", "1Gi", "Mi", Some(&amount("1Gi")));
        check("cpu", "5x", "m", None);
        check("cpu", "x%", "m", None);
    }
}
