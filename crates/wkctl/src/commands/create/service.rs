//! `create service clusterip|nodeport|loadbalancer|externalname`.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{CreateOptions, Made};

/// Arguments of `create service`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// One that is reached within the cluster
    Clusterip {
        #[command(flatten)]
        common: CommonArgs,
        /// Its address; `None` for none
        #[arg(long, value_name = "ADDRESS")]
        clusterip: Option<String>,
    },
    /// One that is reached on a port of every node
    Nodeport {
        #[command(flatten)]
        common: CommonArgs,
        /// The port of the nodes
        #[arg(long, value_name = "PORT")]
        node_port: Option<u16>,
    },
    /// One that is reached through a load balancer
    Loadbalancer {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Another name for something elsewhere
    Externalname {
        #[command(flatten)]
        common: CommonArgs,
        /// The name elsewhere
        #[arg(long, value_name = "NAME", required = true)]
        external_name: String,
    },
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    name: String,
    /// A port, and the one of the containers if it is another one
    #[arg(long, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    tcp: Vec<String>,
    #[command(flatten)]
    options: CreateOptions,
}

impl CommonArgs {
    fn ports(&self) -> anyhow::Result<Vec<Value>> {
        self.tcp.iter().map(|spec| port(spec)).collect()
    }

    fn made(self, kind: &str, failed: &'static str, ports: Vec<Value>) -> Made {
        let labels = json!({"app": self.name});
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"type": kind, "selector": labels},
            "status": {"loadBalancer": {}},
        });
        if !ports.is_empty() {
            object["spec"]["ports"] = ports.into();
        }
        Made { object, options: self.options, failed }
    }
}

fn port(spec: &str) -> anyhow::Result<Value> {
    let (port, target) = spec.split_once(':').unwrap_or((spec, spec));
    let number: u16 = port
        .parse()
        .ok()
        .with_context(|| format!("strconv.ParseUint: parsing {port:?}: invalid syntax"))?;
    let target = target.parse::<u16>().map_or_else(|_| json!(target), |number| json!(number));
    let name = spec.replace(':', "-");
    Ok(json!({"name": name, "port": number, "protocol": "TCP", "targetPort": target}))
}

impl ServiceArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        let some = |ports: Vec<Value>| {
            if ports.is_empty() {
                bail!("at least one tcp port specifier must be provided");
            }
            Ok(ports)
        };
        Ok(match self.kind {
            Kind::Clusterip { common, clusterip } => {
                let headless = clusterip.as_deref() == Some("None");
                let mut ports = common.ports()?;
                if headless && !ports.is_empty() {
                    bail!("can not map ports with clusterip=None");
                }
                if !headless {
                    ports = some(ports)?;
                }
                let mut made =
                    common.made("ClusterIP", "failed to create ClusterIP service: ", ports);
                if let Some(address) = clusterip {
                    made.object["spec"]["clusterIP"] = json!(address);
                }
                made
            }
            Kind::Nodeport { common, node_port } => {
                let ports = some(common.ports()?)?;
                let mut made =
                    common.made("NodePort", "failed to create NodePort service: ", ports);
                if let (Some(port), Some(ports)) = (
                    node_port,
                    made.object.pointer_mut("/spec/ports").and_then(Value::as_array_mut),
                ) {
                    for one in ports {
                        one["nodePort"] = json!(port);
                    }
                }
                made
            }
            Kind::Loadbalancer { common } => {
                let ports = some(common.ports()?)?;
                common.made("LoadBalancer", "failed to create LoadBalancer service: ", ports)
            }
            Kind::Externalname { common, external_name } => {
                let ports = common.ports()?;
                let failed = "failed to create ExternalName service: ";
                let mut made = common.made("ExternalName", failed, ports);
                made.object["spec"]["externalName"] = json!(external_name);
                made
            }
        })
    }
}
