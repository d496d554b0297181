//! `wk simulate`: many nodes that run nothing, in one process.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::Taint;
use wk_api::Quantity;
use wk_api::names::{label_value, qualified_name};
use wk_auth::BootstrapRole;
use wk_process::TaskGroup;
use wk_simulate::{Ipv4Part, Simulation, SimulationConfig};

use crate::args::JoinArgs;
use crate::data_dir::DataDir;
use crate::node_args::time;
use crate::{report, role, stop};

/// The most nodes of one process: more than a cluster takes.
const MOST: i64 = 100_000;

#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    join: JoinArgs,
    /// Folder for the certificate [default: the user's data folder, `wk-simulate` in it].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
    /// How many nodes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    nodes: u32,
    /// The nodes are called PREFIX-0, PREFIX-1 and so on.
    #[arg(long, value_name = "PREFIX", default_value = "sim")]
    prefix: String,
    /// The most pods that each takes.
    #[arg(long, value_name = "N", default_value_t = 110,
          value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pods_per_node: u32,
    /// Processors of each.
    #[arg(long, value_name = "QUANTITY", default_value = "4", value_parser = amount)]
    cpu: Quantity,
    /// Memory of each.
    #[arg(long, value_name = "QUANTITY", default_value = "8Gi", value_parser = amount)]
    memory: Quantity,
    /// A further label of each; may be repeated, or hold several parted by commas.
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    labels: Vec<(String, String)>,
    /// A taint of each; may be repeated.
    #[arg(long = "taint", value_name = "KEY[=VALUE]:EFFECT", value_parser = taint)]
    taints: Vec<Taint>,
    /// How long a pod takes to start.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = time)]
    start_delay: Duration,
    /// How often each node renews its lease.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    lease_interval: Duration,
    /// Where nodes and pods have their addresses from; nothing answers there.
    #[arg(long, value_name = "CIDR", default_value = "10.0.0.0/8")]
    pod_range: Ipv4Part,
    /// Delete the nodes at the end, instead of falling silent.
    #[arg(long)]
    remove: bool,
}

pub(crate) async fn run(args: SimulateArgs) -> anyhow::Result<()> {
    if args.lease_interval.is_zero() {
        bail!("`--lease-interval` must be longer than nothing");
    }
    let data = DataDir::open_or(args.data_dir.clone(), "wk-simulate")?;
    let (client, identity) =
        role::joined(&args.join, &BootstrapRole::NodeSimulator, &[], &data).await?;
    let tasks = TaskGroup::new("wk simulate");
    let simulation = Simulation::start(&client, config(&args), &tasks)?;
    let registered = async {
        tokio::select! {
            registered = simulation.registered() => registered,
            // Told by what waits for the end.
            _failure = tasks.failed() => Ok(()),
        }
    };
    if let Err(names) = registered.await {
        tasks.shutdown(Duration::from_secs(1)).await;
        bail!(
            "nodes of these names exist and are not simulated: {}\n\
             hint: choose other names with `--prefix`",
            names.join(", ")
        );
    }
    let (first, last) = (format!("{}-0", args.prefix), args.nodes - 1);
    report::line(&format!("nodes {first} to {}-{last} joined {}", args.prefix, identity.server));
    stop::run_until_stopped(&tasks, |signal| {
        report::line(&format!("{signal}: stopping; once more ends everything at once"));
        async move {
            if !args.remove {
                return;
            }
            match simulation.remove().await.context("not all nodes could be deleted") {
                Ok(count) => report::line(&format!("{count} nodes deleted")),
                Err(error) => report::failure(&error),
            }
        }
    })
    .await
}

fn config(args: &SimulateArgs) -> SimulationConfig {
    let version = wk_apiserver::Release::default().git_version;
    SimulationConfig {
        pods_per_node: args.pods_per_node,
        cpu: args.cpu,
        memory: args.memory,
        labels: args.labels.iter().cloned().collect(),
        taints: args.taints.clone(),
        start_delay: args.start_delay,
        lease_period: args.lease_interval,
        range: args.pod_range,
        ..SimulationConfig::new(args.prefix.clone(), args.nodes, version)
    }
}

fn amount(text: &str) -> Result<Quantity, String> {
    let amount = Quantity::parse(text).map_err(|error| error.to_string())?;
    if amount.is_negative() { Err("must not be negative".to_owned()) } else { Ok(amount) }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must look like `key=value`")?;
    first_fault([qualified_name(key), label_value(value)])?;
    Ok((key.to_owned(), value.to_owned()))
}

fn taint(text: &str) -> Result<Taint, String> {
    let (rest, effect) = text.rsplit_once(':').ok_or("must look like `key=value:NoSchedule`")?;
    if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
        return Err(format!(
            "`{effect}` is none of `NoSchedule`, `PreferNoSchedule` and `NoExecute`"
        ));
    }
    let (key, value) = rest.split_once('=').map_or((rest, None), |(key, value)| (key, Some(value)));
    first_fault([qualified_name(key), label_value(value.unwrap_or_default())])?;
    Ok(Taint {
        key: key.to_owned(),
        value: value.map(str::to_owned),
        effect: effect.to_owned(),
        time_added: None,
    })
}

fn first_fault(faults: [Vec<String>; 2]) -> Result<(), String> {
    faults.into_iter().flatten().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_taints_are_written_as_in_kubectl() {
        assert_eq!(label("a/b=c"), Ok(("a/b".to_owned(), "c".to_owned())));
        let full = taint("a/b=c:NoSchedule").unwrap();
        assert_eq!(
            (&*full.key, full.value.as_deref(), &*full.effect),
            ("a/b", Some("c"), "NoSchedule")
        );
        assert_eq!(taint("a:NoExecute").unwrap().value, None);
        for wrong in ["a", "-=b", "a=b c"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
        for wrong in ["a", "a:Never", ":NoSchedule", "a=b c:NoSchedule"] {
            assert!(taint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_not_negative() {
        assert_eq!(amount("8Gi").map(Quantity::value), Ok(8 << 30));
        assert!(amount("-1").is_err() && amount("much").is_err());
    }
}
