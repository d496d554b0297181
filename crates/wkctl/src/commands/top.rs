//! `top`: what nodes and pods use now.
//!
//! Spec: <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/>

use anyhow::{Context as _, bail};
use serde_json::Value;
use wk_api::Quantity;

use super::describe::items;
use super::select::{self, SelectArgs};
use crate::client::Call;
use crate::error::{StatusError, hinted};
use crate::kinds::{built_in, encoded, query, text};
use crate::output::jsonpath::plain;
use crate::output::table::Widths;
use crate::session::Session;

const ROOT: &str = "/apis/metrics.k8s.io/v1beta1";

/// Arguments of `top`.
#[derive(Debug, clap::Args)]
pub(crate) struct TopArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What nodes use
    #[command(visible_aliases = ["nodes", "no"])]
    Node(NodeArgs),
    /// What pods use
    #[command(visible_aliases = ["pods", "po"])]
    Pod(PodArgs),
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    name: Option<String>,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Who uses most comes first: `cpu` or `memory`
    #[arg(long, value_name = "RESOURCE")]
    sort_by: Option<String>,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
}

#[derive(Debug, clap::Args)]
struct NodeArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Percentages of what nodes have, and not of what they give to pods
    #[arg(long)]
    show_capacity: bool,
}

#[derive(Debug, clap::Args)]
struct PodArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only pods whose fields match
    #[arg(long, value_name = "FIELDS")]
    field_selector: Option<String>,
    /// Each container for itself
    #[arg(long)]
    containers: bool,
    /// All together in the end
    #[arg(long)]
    sum: bool,
}

/// What is used of processor and memory.
#[derive(Clone, Copy, Debug)]
struct Usage {
    cpu: Quantity,
    memory: Quantity,
}

impl Usage {
    const NOTHING: Self = Self { cpu: Quantity::ZERO, memory: Quantity::ZERO };

    fn of(object: &Value) -> Self {
        let amount = |name: &str| {
            let text = object.pointer(&format!("/usage/{name}")).map_or(String::new(), plain);
            Quantity::parse(&text).unwrap_or(Quantity::ZERO)
        };
        Self { cpu: amount("cpu"), memory: amount("memory") }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }

    fn cells(self) -> [String; 2] {
        [format!("{}m", self.cpu.milli()), format!("{}Mi", self.memory.value() / (1 << 20))]
    }
}

pub(crate) async fn run(session: &Session, args: TopArgs) -> anyhow::Result<()> {
    match args.what {
        What::Node(args) => args.run(session).await,
        What::Pod(args) => args.run(session).await,
    }
}

impl CommonArgs {
    fn check(&self) -> anyhow::Result<()> {
        if self.name.is_some() && self.selector.is_some() {
            bail!("only one of NAME or --selector can be provided");
        }
        match self.sort_by.as_deref() {
            None | Some("" | "cpu" | "memory") => Ok(()),
            Some(_) => bail!("--sort-by accepts only cpu or memory"),
        }
    }

    /// What the server has measured.
    async fn metrics(
        &self,
        session: &Session,
        path: &str,
        fields: Option<&str>,
    ) -> anyhow::Result<Vec<Value>> {
        let path = if let Some(name) = &self.name {
            format!("{path}/{}", encoded(name))
        } else {
            let query =
                query(&[("labelSelector", self.selector.as_deref()), ("fieldSelector", fields)]);
            format!("{path}{query}")
        };
        let answer = session.client().await?.object(Call::get(path)).await;
        let mut answer = answer.map_err(|error| match error.downcast_ref::<StatusError>() {
            Some(status) if status.is_no_such_resource() => hinted(
                "Metrics API not available",
                "the server has no metrics.k8s.io; `wkctl api-versions` lists what it has",
            ),
            _ => error,
        })?;
        if self.name.is_some() {
            return Ok(vec![answer]);
        }
        match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(all)) => Ok(all),
            _ => Ok(Vec::new()),
        }
    }

    /// Puts what uses most of the resource first; else the order is that of names.
    fn sort<T>(&self, rows: &mut [T], usage: impl Fn(&T) -> Usage, name: impl Fn(&T) -> String) {
        rows.sort_by(|left, right| {
            let (a, b) = (usage(left), usage(right));
            let by_use = match self.sort_by.as_deref() {
                Some("cpu") => b.cpu.cmp(&a.cpu),
                Some("memory") => b.memory.cmp(&a.memory),
                _ => std::cmp::Ordering::Equal,
            };
            by_use.then_with(|| name(left).cmp(&name(right)))
        });
    }

    fn print(
        &self,
        session: &Session,
        header: &[&str],
        rows: Vec<Vec<String>>,
    ) -> anyhow::Result<()> {
        let mut all: Vec<Vec<String>> = Vec::new();
        if !self.no_headers {
            all.push(header.iter().map(|name| (*name).to_owned()).collect());
        }
        all.extend(rows);
        // kubectl ends every cell, also the last one, so that each is as wide as its column.
        for row in &mut all {
            row.push(String::new());
        }
        Ok(session.console.print(Widths::default().lines(&all))?)
    }
}

impl NodeArgs {
    async fn run(self, session: &Session) -> anyhow::Result<()> {
        self.common.check()?;
        let mut measured = self.common.metrics(session, &format!("{ROOT}/nodes"), None).await?;
        if measured.is_empty() {
            bail!("metrics not available yet");
        }
        let nodes = built_in("nodes").context("nodes are built in")?;
        let known = if let Some(name) = &self.common.name {
            vec![select::one(session, &nodes, "", name).await?]
        } else {
            let selector = self.common.selector.clone();
            let select = SelectArgs { selector, ..SelectArgs::default() };
            select::list(session, &nodes, &select).await?
        };
        let name = |one: &Value| text(one, "/metadata/name").to_owned();
        self.common.sort(&mut measured, Usage::of, name);
        let mut rows = Vec::new();
        let whole = if self.show_capacity { "capacity" } else { "allocatable" };
        for one in &measured {
            let (usage, name) = (Usage::of(one), name(one));
            let node = known.iter().find(|node| node.name == name);
            let share = |used: Quantity, resource: &str| {
                let all = node.and_then(|node| {
                    node.object.pointer(&format!("/status/{whole}/{resource}")).map(plain)
                });
                let all = all.and_then(|all| Quantity::parse(&all).ok());
                all.filter(|all| !all.is_zero()).map_or(String::new(), |all| {
                    format!("{}%", (used.as_f64() / all.as_f64() * 100.0).trunc())
                })
            };
            let [cpu, memory] = usage.cells();
            let shares = (share(usage.cpu, "cpu"), share(usage.memory, "memory"));
            rows.push(vec![name, cpu, shares.0, memory, shares.1]);
        }
        for node in &known {
            if !measured.iter().any(|one| name(one) == node.name) {
                let unknown = "<unknown>".to_owned();
                let mut row = vec![node.name.clone()];
                row.extend(std::iter::repeat_n(unknown, 4));
                rows.push(row);
            }
        }
        let header = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];
        self.common.print(session, &header, rows)
    }
}

impl PodArgs {
    async fn run(self, session: &Session) -> anyhow::Result<()> {
        self.common.check()?;
        let all = self.all_namespaces && self.common.name.is_none();
        let path = if all {
            format!("{ROOT}/pods")
        } else {
            format!("{ROOT}/namespaces/{}/pods", encoded(&session.namespace().await?))
        };
        let mut pods = self.common.metrics(session, &path, self.field_selector.as_deref()).await?;
        if pods.is_empty() {
            return self.nothing(session, all).await;
        }
        let total = |pod: &Value| {
            items(pod, "/containers").map(Usage::of).fold(Usage::NOTHING, Usage::plus)
        };
        let name = |pod: &Value| {
            let namespace = if all { text(pod, "/metadata/namespace") } else { "" };
            format!("{namespace}\0{}", text(pod, "/metadata/name"))
        };
        self.common.sort(&mut pods, total, name);
        let mut header = Vec::new();
        header.extend(all.then_some("NAMESPACE"));
        header.extend(self.containers.then_some("POD"));
        header.extend(["NAME", "CPU(cores)", "MEMORY(bytes)"]);
        let mut rows = Vec::new();
        for pod in &pods {
            let mut start = Vec::new();
            start.extend(all.then(|| text(pod, "/metadata/namespace").to_owned()));
            start.push(text(pod, "/metadata/name").to_owned());
            if !self.containers {
                start.extend(total(pod).cells());
                rows.push(start);
                continue;
            }
            let mut containers: Vec<Value> = items(pod, "/containers").cloned().collect();
            self.common.sort(&mut containers, Usage::of, |one| text(one, "/name").to_owned());
            for container in &containers {
                let mut row = start.clone();
                row.push(text(container, "/name").to_owned());
                row.extend(Usage::of(container).cells());
                rows.push(row);
            }
        }
        if self.sum {
            let blanks = std::iter::repeat_n(String::new(), header.len() - 2);
            let line = ["________".to_owned(), "________".to_owned()];
            rows.push(blanks.clone().chain(line).collect());
            let all = pods.iter().map(total).fold(Usage::NOTHING, Usage::plus);
            rows.push(blanks.chain(all.cells()).collect());
        }
        self.common.print(session, &header, rows)
    }

    /// Says why there is nothing: there are no pods, or nobody has measured them yet.
    async fn nothing(&self, session: &Session, all: bool) -> anyhow::Result<()> {
        let pods = built_in("pods").context("pods are built in")?;
        let select = SelectArgs {
            selector: self.common.selector.clone(),
            field_selector: self.field_selector.clone(),
            all_namespaces: all,
        };
        if select::list(session, &pods, &select).await?.is_empty() {
            return select::nothing_found(session, !all).await;
        }
        bail!("metrics not available yet")
    }
}
