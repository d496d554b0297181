//! `expose`: a service for a workload, a pod or another service.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use wk_patch::{json as json_patch, merge, strategic};

use super::create::{Creation, beside, create, pairs};
use super::describe::items;
use super::select::{Found, WhatArgs};
use super::writing::WriteArgs;
use crate::error::all_good;
use crate::kinds::{built_in, text};
use crate::manifest::{FileArgs, Manifest};
use crate::output::jsonpath::plain;
use crate::session::Session;
use crate::yaml;

/// Names of services are no longer.
const LONGEST_NAME: usize = 63;

/// Arguments of `expose`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExposeArgs {
    /// TYPE NAME, or TYPE/NAME
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Name of the service; that of the object if not said
    #[arg(long)]
    name: Option<String>,
    /// Port of the service, several with commas; that of the object if not said
    #[arg(long)]
    port: Option<String>,
    /// Port of the containers, a number or a name; that of the service if not said
    #[arg(long, value_name = "PORT")]
    target_port: Option<String>,
    /// TCP, UDP or SCTP
    #[arg(long)]
    protocol: Option<String>,
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Labels of the pods; those of the object if not said
    #[arg(long, value_name = "LABELS")]
    selector: Option<String>,
    /// Labels of the service
    #[arg(short, long, value_name = "LABELS")]
    labels: Option<String>,
    /// Address of the service; `None` for none
    #[arg(long, value_name = "ADDRESS")]
    cluster_ip: Option<String>,
    /// Another address that leads to the service
    #[arg(long, value_name = "ADDRESS")]
    external_ip: Option<String>,
    /// Address of the load balancer
    #[arg(long, value_name = "ADDRESS")]
    load_balancer_ip: Option<String>,
    /// Whether a client stays with a pod: `None` or `ClientIP`
    #[arg(long, value_name = "AFFINITY")]
    session_affinity: Option<String>,
    /// JSON that overrides what would be created
    #[arg(long, value_name = "JSON")]
    overrides: Option<String>,
    /// How `--overrides` is meant: `json`, `merge` or `strategic`
    #[arg(long, value_name = "TYPE", default_value = "merge")]
    override_type: String,
    /// Note the configuration, so that `apply` can be used later
    #[arg(long)]
    save_config: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: ExposeArgs) -> anyhow::Result<()> {
    let what = WhatArgs { words: args.words.clone(), files: args.files.clone(), selector: None };
    let (objects, mut errors) = what.objects(session, false).await?;
    let creation = Creation {
        write: &args.write,
        validate: "strict",
        save_config: args.save_config,
        manager: "kubectl-expose",
        failed: "",
        done: "exposed",
    };
    let own = session.namespace().await?;
    for found in objects {
        let exposed = match args.service(&found).and_then(|service| args.overridden(service)) {
            Ok(object) => {
                let object = beside(&found, &own, object);
                create(session, &creation, Manifest { source: String::new(), object }).await
            }
            Err(error) => Err(error),
        };
        errors.extend(exposed.err());
    }
    all_good(errors)
}

/// Where the pods' labels, their containers and the object's labels are.
fn parts(found: &Found) -> anyhow::Result<(&'static str, &'static str)> {
    Ok(match (found.resource.group.as_str(), found.resource.kind.as_str()) {
        ("", "Pod") => ("/metadata/labels", "/spec/containers"),
        ("", "Service") => ("/spec/selector", ""),
        ("", "ReplicationController") => ("/spec/selector", "/spec/template/spec/containers"),
        ("apps", "ReplicaSet" | "Deployment") => {
            ("/spec/selector/matchLabels", "/spec/template/spec/containers")
        }
        _ => bail!("cannot expose a {}", found.kind()),
    })
}

impl ExposeArgs {
    fn service(&self, found: &Found) -> anyhow::Result<Value> {
        let (labels, containers) = parts(found)?;
        let mut name = self.name.clone().unwrap_or_else(|| found.name.clone());
        name.truncate(LONGEST_NAME);
        let mut spec = Map::new();
        spec.insert("selector".to_owned(), self.selector(found, labels)?);
        spec.insert("ports".to_owned(), self.ports(found, containers)?);
        let mut set = |field: &str, value: Option<Value>| {
            spec.extend(value.map(|value| (field.to_owned(), value)));
        };
        set("type", self.kind.as_ref().map(|kind| json!(kind)));
        set("externalIPs", self.external_ip.as_ref().map(|address| json!([address])));
        set("clusterIP", self.cluster_ip.as_ref().map(|address| json!(address)));
        if self.kind.as_deref() == Some("LoadBalancer") {
            set("loadBalancerIP", self.load_balancer_ip.as_ref().map(|address| json!(address)));
        }
        match self.session_affinity.as_deref() {
            None => {}
            Some(known @ ("None" | "ClientIP")) => set("sessionAffinity", Some(json!(known))),
            Some(other) => bail!("unknown session affinity: {other}"),
        }
        let own = match &self.labels {
            Some(labels) => Some(Value::Object(pairs(labels, "label")?)),
            None => found.object.pointer("/metadata/labels").cloned(),
        };
        let mut metadata = json!({"name": name});
        if let Some(own) = own {
            metadata["labels"] = own;
        }
        Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec,
            "status": {"loadBalancer": {}}}))
    }

    fn selector(&self, found: &Found, labels: &str) -> anyhow::Result<Value> {
        if let Some(selector) = &self.selector {
            return Ok(Value::Object(pairs(selector, "selector")?));
        }
        let failed = "couldn't retrieve selectors via --selector flag or introspection";
        if items(&found.object, "/spec/selector/matchExpressions").next().is_some() {
            bail!("{failed}: couldn't convert expressions to a map of labels");
        }
        let labels = found.object.pointer(labels).filter(|labels| labels.is_object());
        labels.cloned().with_context(|| match found.resource.kind.as_str() {
            "Pod" => format!("{failed}: the pod has no labels and cannot be exposed"),
            _ => format!("{failed}: the service has no pod selector set"),
        })
    }

    fn ports(&self, found: &Found, containers: &str) -> anyhow::Result<Value> {
        let all = items(&found.object, containers);
        let open: Vec<(String, String)> = if found.is("", "Service") {
            items(&found.object, "/spec/ports").map(|port| known(port, "/port")).collect()
        } else {
            all.flat_map(|one| items(one, "/ports"))
                .map(|port| known(port, "/containerPort"))
                .collect()
        };
        let wanted: Vec<String> = match &self.port {
            Some(ports) => ports.split(',').map(|port| port.trim().to_owned()).collect(),
            None => open.iter().map(|(port, _)| port.clone()).collect(),
        };
        if wanted.is_empty() {
            bail!("couldn't find port via --port flag or introspection");
        }
        let single = wanted.len() == 1;
        let mut ports = Vec::new();
        for (index, wanted) in wanted.iter().enumerate() {
            let number: u16 = wanted
                .parse()
                .ok()
                .with_context(|| format!("strconv.Atoi: parsing {wanted:?}: invalid syntax"))?;
            let target = self.target_port.as_deref().unwrap_or(wanted);
            let target = target.parse::<u16>().map_or_else(|_| json!(target), |port| json!(port));
            let own = open.iter().find(|(port, _)| port == wanted);
            let protocol = match (&self.protocol, own) {
                (Some(protocol), _) | (None, Some((_, protocol))) => protocol.clone(),
                (None, None) => "TCP".to_owned(),
            };
            let mut port = json!({"port": number, "protocol": protocol, "targetPort": target});
            if !single {
                port["name"] = json!(format!("port-{}", index + 1));
            }
            ports.push(port);
        }
        Ok(ports.into())
    }

    fn overridden(&self, service: Value) -> anyhow::Result<Value> {
        let Some(overrides) = &self.overrides else { return Ok(service) };
        let patch = yaml::one(overrides).context("malformed --overrides")?;
        Ok(match self.override_type.as_str() {
            "merge" => merge::apply(service, patch)?,
            "json" => json_patch::apply(service, patch)?,
            "strategic" => {
                let message = built_in("services").and_then(|known| known.message);
                strategic::apply(service, patch, message.context("services are built in")?)?
            }
            other => bail!("invalid override type: {other}"),
        })
    }
}

/// A port and its protocol.
fn known(port: &Value, field: &str) -> (String, String) {
    let protocol = match text(port, "/protocol") {
        "" => "TCP",
        protocol => protocol,
    };
    (port.pointer(field).map_or(String::new(), plain), protocol.to_owned())
}
