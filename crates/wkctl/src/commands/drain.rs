//! `drain`, `cordon`, `uncordon`: nodes that take no more pods, or lose those they have.

mod choice;
mod leaving;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::choice::{Choice, choose};
use self::leaving::Leaving;
use super::changing::Changes;
use super::select::{self, Found, SelectArgs};
use super::writing::{DryRun, DryRunArgs, WriteArgs};
use crate::client::Call;
use crate::duration;
use crate::error::{StatusError, all_good, lines, usage};
use crate::kinds::{built_in, query, text};
use crate::session::Session;

/// The pause before an eviction that a budget forbids is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// How many requests are on their way at a time.
const REQUESTS: usize = 8;

/// Arguments of `cordon` and `uncordon`.
#[derive(Debug, clap::Args)]
pub(crate) struct CordonArgs {
    #[command(flatten)]
    nodes: NodeArgs,
}

#[derive(Debug, clap::Args)]
struct NodeArgs {
    /// Names of nodes
    #[arg(value_name = "NODE")]
    names: Vec<String>,
    /// Nodes whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

/// Arguments of `drain`.
#[derive(Debug, clap::Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    nodes: NodeArgs,
    /// Leave pods of daemon sets alone
    #[arg(long)]
    ignore_daemonsets: bool,
    /// Also pods with an emptyDir, whose content is lost
    #[arg(long)]
    delete_emptydir_data: bool,
    /// Also pods that nobody will start again elsewhere
    #[arg(long)]
    force: bool,
    /// Seconds that pods have to end; -1 is what they ask for
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// How long to try, such as `5m`; 0 is as long as it takes
    #[arg(long, default_value = "0s")]
    timeout: String,
    /// Only pods whose labels match
    #[arg(long, value_name = "LABELS")]
    pod_selector: Option<String>,
    /// Delete pods, whatever disruption budgets say
    #[arg(long)]
    disable_eviction: bool,
    /// Do not wait for pods that have been ending for longer than this; 0 waits for all
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    skip_wait_for_delete_timeout: i64,
    /// How many pods to ask for at a time; 0 is all
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    chunk_size: u64,
}

pub(crate) async fn cordon(session: &Session, args: CordonArgs) -> anyhow::Result<()> {
    args.nodes.cordon_all(session, "cordon", true).await.map(drop)
}

pub(crate) async fn uncordon(session: &Session, args: CordonArgs) -> anyhow::Result<()> {
    args.nodes.cordon_all(session, "uncordon", false).await.map(drop)
}

impl NodeArgs {
    /// The nodes that are meant, cordoned or not as they are to be.
    async fn cordon_all(
        &self,
        session: &Session,
        command: &str,
        cordoned: bool,
    ) -> anyhow::Result<Vec<Found>> {
        if !self.names.is_empty() && self.selector.is_some() {
            let fault = anyhow::anyhow!("cannot specify both a node name and a --selector option");
            return Err(usage(&fault, command));
        }
        let nodes = built_in("nodes").context("nodes are built in")?;
        if self.names.is_empty() && self.selector.is_none() {
            return Err(usage(&anyhow::anyhow!("USAGE: {command} NODE [flags]"), command));
        }
        let mut found = Vec::new();
        if self.selector.is_some() {
            let select = SelectArgs { selector: self.selector.clone(), ..SelectArgs::default() };
            found = select::list(session, &nodes, &select).await?;
        }
        for name in &self.names {
            let kind = name.split_once('/').filter(|(kind, _)| nodes.is_called(kind));
            let name = kind.map_or(name.as_str(), |(_, name)| name);
            found.push(select::one(session, &nodes, "", name).await?);
        }
        let mut errors = Vec::new();
        for node in &found {
            errors.extend(self.cordon(session, node, cordoned).await.err());
        }
        all_good(errors)?;
        Ok(found)
    }

    async fn cordon(&self, session: &Session, node: &Found, cordoned: bool) -> anyhow::Result<()> {
        let is = node.object.pointer("/spec/unschedulable").is_some_and(|value| *value == true);
        let mode = self.dry_run.mode()?;
        let word = if cordoned { "cordoned" } else { "uncordoned" };
        let already = if is == cordoned { "already " } else { "" };
        if is != cordoned {
            let mut wanted = node.object.clone();
            let spec = wanted.get_mut("spec").and_then(Value::as_object_mut);
            let spec = spec.context("the node has no spec")?;
            if cordoned {
                spec.insert("unschedulable".to_owned(), json!(true));
            } else {
                spec.remove("unschedulable");
            }
            let write = WriteArgs::pretending(self.dry_run.clone());
            let changes = Changes { session, write: &write, manager: "kubectl-drain" };
            changes.make(node, &wanted).await?;
        }
        Ok(session.console.line(format!("{} {already}{word}{}", node.named(), mode.suffix()))?)
    }
}

pub(crate) async fn drain(session: &Session, args: DrainArgs) -> anyhow::Result<()> {
    let timeout = duration::parse(&args.timeout)?;
    let nodes = args.nodes.cordon_all(session, "drain", true).await?;
    let suffix = args.nodes.dry_run.mode()?.suffix();
    let (mut pending, mut faults) = (Vec::new(), Vec::new());
    for node in nodes {
        let drained = Drain { session, args: &args, node: &node, timeout }.run().await;
        match drained {
            Ok(()) => session.console.line(format!("{} drained{suffix}", node.named()))?,
            Err(own) => {
                let what = joined(&own);
                session.console.note(format!(
                    "error: unable to drain node {:?} due to error: {what}, continuing command...",
                    node.name
                ));
                pending.push(node.name);
                faults.extend(own);
            }
        }
    }
    if pending.is_empty() {
        return Ok(());
    }
    session.console.note("There are pending nodes to be drained:");
    for name in pending {
        session.console.note(format!(" {name}"));
    }
    Err(crate::error::Told { texts: faults, code: 1 }.into())
}

/// Several faults as one text.
fn joined(faults: &[String]) -> String {
    match faults {
        [fault] => fault.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

/// Why a node is not drained, a text for each reason.
type Faults = Vec<String>;

fn fault(error: &anyhow::Error) -> Faults {
    lines(error).into_iter().filter(|line| !line.starts_with("hint:")).collect()
}

struct Drain<'a> {
    session: &'a Session,
    args: &'a DrainArgs,
    node: &'a Found,
    timeout: Duration,
}

impl Drain<'_> {
    async fn run(&self) -> Result<(), Faults> {
        let leaving = Leaving::start(self.session, &self.node.name, self.args.chunk_size).await;
        let mut leaving = leaving.map_err(|error| fault(&error))?;
        let pods = self.chosen(leaving.take()).await?;
        let mode = self.args.nodes.dry_run.mode().map_err(|error| fault(&error))?;
        if mode == DryRun::Client {
            for pod in &pods {
                self.say_evicting(pod, mode)?;
            }
            return Ok(());
        }
        let deadline = (self.timeout > Duration::ZERO).then(|| Instant::now() + self.timeout);
        let faults = self.empty(&pods, &mut leaving, mode, deadline).await;
        if faults.is_empty() {
            return Ok(());
        }
        let console = &self.session.console;
        let what = joined(&faults);
        console.note(format!(
            "There are pending pods in node {:?} when an error occurred: {what}",
            self.node.name
        ));
        for pod in pods.iter().filter(|pod| !leaving.is_gone(pod)) {
            console.note(pod.named());
        }
        Err(faults)
    }

    /// The pods that go. What stands against it is said, or is a fault.
    async fn chosen(&self, pods: Vec<Found>) -> Result<Vec<Found>, Faults> {
        let selector = self.args.pod_selector.as_deref().map(wk_api::LabelSelector::parse);
        let selector = selector.transpose().map_err(|error| fault(&error.into()))?;
        let (mut chosen, mut refused) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
        let mut warned = BTreeMap::<String, Vec<String>>::new();
        for pod in pods {
            let labels = pod.object.pointer("/metadata/labels").unwrap_or(&Value::Null);
            if selector.as_ref().is_some_and(|selector| !selector.matches(labels)) {
                continue;
            }
            let (name, choice) =
                (format!("{}/{}", pod.namespace, pod.name), choose(&pod, self.args));
            let missing = match &choice {
                Choice::OfDaemonSet(set) => self.is_missing(&pod, set).await?,
                _ => false,
            };
            match choice.settled(self.args, missing) {
                Choice::Goes => chosen.push(pod),
                Choice::GoesWith(warning) => {
                    warned.entry(warning).or_default().push(name);
                    chosen.push(pod);
                }
                Choice::StaysWith(warning) => warned.entry(warning).or_default().push(name),
                Choice::Stays | Choice::OfDaemonSet(_) => {}
                Choice::Refused(why) => refused.entry(why).or_default().push(name),
            }
        }
        let told = |all: BTreeMap<String, Vec<String>>| -> Vec<String> {
            all.into_iter().map(|(why, pods)| format!("{why}: {}", pods.join(", "))).collect()
        };
        if !refused.is_empty() {
            return Err(told(refused));
        }
        if !warned.is_empty() {
            self.session.console.warn(&told(warned).join("; "));
        }
        Ok(chosen)
    }

    /// Whether the daemon set of a pod does not exist any more.
    async fn is_missing(&self, pod: &Found, set: &str) -> Result<bool, Faults> {
        let look = async {
            let sets = built_in("daemonsets").context("daemon sets are built in")?;
            let answer = select::one(self.session, &sets, &pod.namespace, set).await;
            anyhow::Ok(crate::error::found(answer)?.is_none())
        };
        look.await.map_err(|error| fault(&error))
    }

    fn say_evicting(&self, pod: &Found, mode: DryRun) -> Result<(), Faults> {
        let line = format!("evicting pod {}/{}{}", pod.namespace, pod.name, mode.suffix());
        let console = &self.session.console;
        console.line(line).and_then(|()| console.flush()).map_err(|error| fault(&error.into()))
    }

    /// Sends the pods away and waits until they are gone; the result is what went wrong.
    async fn empty(
        &self,
        pods: &[Found],
        leaving: &mut Leaving<'_>,
        mode: DryRun,
        deadline: Option<Instant>,
    ) -> Faults {
        let (permits, mut faults) = (Semaphore::new(REQUESTS), Faults::new());
        let mut sending: FuturesUnordered<_> =
            pods.iter().map(|pod| self.send_away(pod, mode, &permits, deadline)).collect();
        // Those that have been told to go and are still there, by uid.
        let mut going: BTreeMap<String, &Found> = BTreeMap::new();
        let mut gone: BTreeSet<String> = BTreeSet::new();
        loop {
            if sending.is_empty() && going.is_empty() {
                return faults;
            }
            let late = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(sent) = sending.next(), if !sending.is_empty() => match sent {
                    Ok(Some(pod)) if mode == DryRun::No => {
                        let uid = text(&pod.object, "/metadata/uid").to_owned();
                        if gone.contains(&uid) {
                            faults.extend(self.say_gone(pod).err().unwrap_or_default());
                        } else {
                            going.insert(uid, pod);
                        }
                    }
                    Ok(_) => {}
                    Err(own) => faults.push(own),
                },
                left = leaving.next(), if mode == DryRun::No => match left {
                    Ok(uids) => for uid in uids {
                        if let Some(pod) = going.remove(&uid) {
                            faults.extend(self.say_gone(pod).err().unwrap_or_default());
                        }
                        gone.insert(uid);
                    },
                    Err(error) => return fault(&error),
                },
                () = late, if sending.is_empty() => {
                    let timeout = duration::go(self.timeout);
                    faults.extend(going.values().map(|pod| format!(
                        "error when waiting for pod {:?} in namespace {:?} to terminate: global \
                         timeout reached: {timeout}",
                        pod.name, pod.namespace
                    )));
                    return faults;
                }
            }
        }
    }

    fn say_gone(&self, pod: &Found) -> Result<(), Faults> {
        let done = if self.args.disable_eviction { "deleted" } else { "evicted" };
        let console = &self.session.console;
        let line = format!("{} {done}", pod.named());
        console.line(line).and_then(|()| console.flush()).map_err(|error| fault(&error.into()))
    }

    /// Tells a pod to go, again and again while its budget forbids it. The pod, if it is still there.
    async fn send_away<'p>(
        &self,
        pod: &'p Found,
        mode: DryRun,
        permits: &Semaphore,
        deadline: Option<Instant>,
    ) -> Result<Option<&'p Found>, String> {
        let which = format!("pods/{:?} -n {:?}", pod.name, pod.namespace);
        let evicts = !self.args.disable_eviction;
        let verb = if evicts { "evicting" } else { "deleting" };
        let plainly = |error: &anyhow::Error| match error.downcast_ref::<StatusError>() {
            Some(status) => status.message.clone(),
            None => format!("{error:#}"),
        };
        loop {
            let answer = {
                let _permit = permits.acquire().await.map_err(|error| error.to_string())?;
                if evicts {
                    self.say_evicting(pod, mode).map_err(|faults| joined(&faults))?;
                }
                self.ask(pod, mode).await
            };
            let Err(error) = answer else { return Ok(Some(pod)) };
            match error.downcast_ref::<StatusError>().map(|status| status.code) {
                Some(404) => return Ok(None),
                Some(429) if evicts => {}
                _ => return Err(format!("error when {verb} {which}: {}", plainly(&error))),
            }
            let again = Instant::now() + PAUSE;
            let why = plainly(&error);
            self.session
                .console
                .note(format!("error when {verb} {which} (will retry after 5s): {why}"));
            if let Some(deadline) = deadline.filter(|deadline| *deadline < again) {
                tokio::time::sleep_until(deadline).await;
                let timeout = duration::go(self.timeout);
                return Err(format!(
                    "error when {verb} {which}: global timeout reached: {timeout}"
                ));
            }
            tokio::time::sleep_until(again).await;
        }
    }

    async fn ask(&self, pod: &Found, mode: DryRun) -> anyhow::Result<Value> {
        let mut options = json!({});
        if self.args.grace_period >= 0 {
            options["gracePeriodSeconds"] = json!(self.args.grace_period);
        }
        if let Some(dry_run) = mode.parameter() {
            options["dryRun"] = json!([dry_run]);
        }
        let client = self.session.client().await?;
        if self.args.disable_eviction {
            options["apiVersion"] = json!("v1");
            options["kind"] = json!("DeleteOptions");
            return client.object(Call::with(Method::DELETE, pod.path(), &options)).await;
        }
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": options,
        });
        let path = format!("{}/eviction{}", pod.path(), query(&[("dryRun", mode.parameter())]));
        client.object(Call::with(Method::POST, path, &eviction)).await
    }
}
