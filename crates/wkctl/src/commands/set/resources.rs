//! `set resources`: what containers request and are limited to.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use wk_api::Quantity;

use super::{CommonArgs, containers, is_like, name_of, pod_spec};
use crate::session::Session;

/// Arguments of `set resources`.
#[derive(Debug, clap::Args)]
pub(crate) struct ResourcesArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Containers, by name or with `*`
    #[arg(short, long, value_name = "NAME", default_value = "*")]
    containers: String,
    /// Limits, such as `cpu=200m,memory=64Mi`; 0 takes one away
    #[arg(long, value_name = "AMOUNTS")]
    limits: Option<String>,
    /// Requests, such as `cpu=100m`
    #[arg(long, value_name = "AMOUNTS")]
    requests: Option<String>,
}

pub(super) async fn run(session: &Session, args: ResourcesArgs) -> anyhow::Result<()> {
    if args.limits.is_none() && args.requests.is_none() {
        bail!(
            "you must specify an update to requests or limits (in the form of --requests/--limits)"
        );
    }
    let limits = amounts(args.limits.as_deref())?;
    let requests = amounts(args.requests.as_deref())?;
    let done = "resource requirements updated";
    args.common
        .change(session, (done, false), |found, object| {
            let mut any = false;
            for container in containers(pod_spec(found, object)?) {
                if !is_like(&args.containers, name_of(container)) {
                    continue;
                }
                any = true;
                for (list, amounts) in [("limits", &limits), ("requests", &requests)] {
                    for (name, amount) in amounts {
                        container["resources"][list][name] = amount.clone();
                    }
                }
            }
            if !any {
                bail!("unable to find container named {}", args.containers);
            }
            Ok(())
        })
        .await
}

/// Reads `cpu=200m,memory=64Mi`.
fn amounts(text: Option<&str>) -> anyhow::Result<Map<String, Value>> {
    let mut amounts = Map::new();
    for part in text.unwrap_or_default().split(',').filter(|part| !part.is_empty()) {
        let (name, amount) = part.split_once('=').with_context(|| {
            format!("invalid argument syntax {part}, expected <resource>=<value>")
        })?;
        let amount = Quantity::parse(amount)?;
        amounts.insert(name.to_owned(), json!(amount.to_string()));
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_quantities() {
        let expected = json!({"cpu": "200m", "memory": "64Mi"});
        assert_eq!(Value::Object(amounts(Some("cpu=200m,memory=64Mi")).unwrap()), expected);
        assert!(amounts(None).unwrap().is_empty());
        assert_eq!(
            amounts(Some("cpu")).unwrap_err().to_string(),
            "invalid argument syntax cpu, expected <resource>=<value>"
        );
        assert!(amounts(Some("cpu=x")).is_err());
    }
}
