//! `logs`: what containers have written, once or as they write it.

use anyhow::{Context as _, anyhow, bail};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::select::{self, Found, SelectArgs};
use super::streams;
use crate::client::Call;
use crate::duration;
use crate::error::{StatusError, all_good, hinted};
use crate::kinds::{built_in, query, text};
use crate::session::Session;
use crate::target::{Target, targets};
use crate::watch::Lines;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// POD, or TYPE/NAME, and the container
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    /// Container to read
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Go on as the containers write
    #[arg(short, long)]
    follow: bool,
    /// Of every container of the pod
    #[arg(long)]
    all_containers: bool,
    /// Of the pods whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Only the last lines; -1 is all
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    tail: Option<i64>,
    /// Only what is younger, such as `5m`
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only what is younger than this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since_time: Option<String>,
    /// Write the time before each line
    #[arg(long)]
    timestamps: bool,
    /// Of the container's last life
    #[arg(short, long)]
    previous: bool,
    /// Write pod and container before each line
    #[arg(long)]
    prefix: bool,
    /// Stop after so many bytes
    #[arg(long, value_name = "COUNT")]
    limit_bytes: Option<u64>,
    /// Go on with other containers when one cannot be read
    #[arg(long)]
    ignore_errors: bool,
    /// How many containers may be followed at once
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    max_log_requests: usize,
    /// Of every pod of the workload
    #[arg(long)]
    all_pods: bool,
    /// How long to wait for a pod to come, such as `1m`
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    pod_running_timeout: String,
}

/// One container whose log is read.
struct Source {
    pod: Found,
    /// Empty lets the server choose.
    container: String,
}

pub(crate) async fn run(session: &Session, args: LogsArgs) -> anyhow::Result<()> {
    if args.since.is_some() && args.since_time.is_some() {
        bail!("at most one of `sinceTime` or `sinceSeconds` may be specified");
    }
    let sources = args.sources(session).await?;
    if args.follow {
        return args.follow_all(session, sources).await;
    }
    let mut errors = Vec::new();
    for source in &sources {
        if let Err(error) = args.read(session, source).await {
            if !args.ignore_errors {
                return Err(error);
            }
            errors.push(error);
        }
    }
    all_good(errors)
}

impl LogsArgs {
    async fn sources(&self, session: &Session) -> anyhow::Result<Vec<Source>> {
        let pods = built_in("pods").context("pods are built in")?;
        if let Some(selector) = &self.selector {
            if !self.words.is_empty() {
                bail!("only a selector (-l) or a POD name is allowed");
            }
            let found = of_selector(session, selector).await?;
            if found.is_empty() {
                let namespace = session.namespace().await?;
                session.console.note(format!("No resources found in {namespace} namespace."));
            }
            let mut sources = Vec::new();
            for pod in found {
                sources.extend(self.of_pod(session, pod, None)?);
            }
            return Ok(sources);
        }
        let (word, container) = match self.words.as_slice() {
            [word] => (word, None),
            [word, container] if self.container.is_none() => (word, Some(container.as_str())),
            _ => {
                return Err(hinted(
                    "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'",
                    "`wkctl get pods` lists pods",
                ));
            }
        };
        let namespace = session.namespace().await?;
        let container = container.or(self.container.as_deref());
        let Some((kind, name)) = word.split_once('/') else {
            if container.is_some() && !self.all_containers {
                // The usual case needs one request.
                let object = Value::Null;
                let pod = Found { resource: pods, namespace, name: word.clone(), object };
                let container = container.unwrap_or_default().to_owned();
                return Ok(vec![Source { pod, container }]);
            }
            let pod = select::one(session, &pods, &namespace, word).await.map_err(|error| {
                match error.downcast_ref::<StatusError>() {
                    Some(status) if status.is_not_found() => anyhow!(
                        "error from server ({}): {} in namespace {namespace:?}",
                        status.reason,
                        status.message
                    ),
                    _ => error,
                }
            })?;
            return self.of_pod(session, pod, container);
        };
        let found = targets(session, std::slice::from_ref(word)).await?;
        let [Target { resource, .. }] = found.as_slice() else { bail!("malformed name {word}") };
        let object = select::one(session, resource, &namespace, name).await?;
        if resource.plural == pods.plural && resource.group.is_empty() {
            return self.of_pod(session, object, container);
        }
        let labels = object.object.pointer("/spec/selector/matchLabels");
        let labels = labels.or_else(|| object.object.pointer("/spec/selector"));
        let Some(labels) = labels.and_then(Value::as_object) else {
            bail!("cannot get the logs from {kind}: it has no pods");
        };
        let selector: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let patience = duration::parse(&self.pod_running_timeout)?;
        let mut found = streams::pods_of(session, &selector.join(","), patience).await?;
        if self.all_pods {
            let mut sources = Vec::new();
            for pod in found {
                sources.extend(self.of_pod(session, pod, container)?);
            }
            return Ok(sources);
        }
        if found.len() > 1 {
            let name = &found[0].name;
            session.console.note(format!("Found {} pods, using pod/{name}", found.len()));
        }
        self.of_pod(session, found.swap_remove(0), container)
    }

    /// The containers of a pod that are asked for.
    fn of_pod(
        &self,
        session: &Session,
        pod: Found,
        container: Option<&str>,
    ) -> anyhow::Result<Vec<Source>> {
        let names = |field: &str| {
            let containers = pod.object.pointer(&format!("/spec/{field}"));
            let containers = containers.and_then(Value::as_array).into_iter().flatten();
            containers.map(|container| text(container, "/name").to_owned()).collect::<Vec<_>>()
        };
        let main = names("containers");
        let all = [names("initContainers"), main.clone(), names("ephemeralContainers")].concat();
        if self.all_containers {
            let of = |container| Source { pod: pod.clone(), container };
            return Ok(all.iter().cloned().map(of).collect());
        }
        let chosen = container.or(self.container.as_deref());
        if let Some(chosen) = chosen {
            if !all.iter().any(|name| name == chosen) {
                let valid = all.join(", ");
                bail!("container {chosen} is not valid for pod {} out of: {valid}", pod.name);
            }
            return Ok(vec![Source { container: chosen.to_owned(), pod }]);
        }
        let annotation = pod.object.pointer("/metadata/annotations");
        let annotation = annotation
            .and_then(|all| all.get("kubectl.kubernetes.io/default-container"))
            .and_then(Value::as_str)
            .filter(|name| all.iter().any(|known| known == name));
        let chosen = annotation.or(main.first().map(String::as_str)).unwrap_or_default().to_owned();
        if all.len() > 1 && annotation.is_none() {
            let list = streams::container_names(&pod.object).join(", ");
            session.console.note(format!("Defaulted container \"{chosen}\" out of: {list}"));
        }
        Ok(vec![Source { container: chosen, pod }])
    }

    fn path(&self, source: &Source) -> anyhow::Result<String> {
        let since = self.since.as_deref().map(duration::parse).transpose()?;
        let since = since.map(|since| since.as_secs().max(1).to_string());
        // With a selector, kubectl shows the last ten lines of each.
        let tail = self.tail.or(self.selector.as_ref().map(|_| 10));
        let tail = tail.filter(|tail| *tail >= 0).map(|tail| tail.to_string());
        let limit = self.limit_bytes.map(|limit| limit.to_string());
        let on = |flag: bool| flag.then_some("true");
        let query = query(&[
            ("container", Some(source.container.as_str()).filter(|name| !name.is_empty())),
            ("follow", on(self.follow)),
            ("previous", on(self.previous)),
            ("timestamps", on(self.timestamps)),
            ("sinceSeconds", since.as_deref()),
            ("sinceTime", self.since_time.as_deref()),
            ("tailLines", tail.as_deref()),
            ("limitBytes", limit.as_deref()),
        ]);
        Ok(format!("{}/log{query}", source.pod.path()))
    }

    /// Prints one container's log until it ends.
    async fn read(&self, session: &Session, source: &Source) -> anyhow::Result<()> {
        let call = Call::get(self.path(source)?).accept("*/*");
        let mut lines = Lines::new(session.client().await?.stream(call).await?);
        let prefix = if self.prefix || self.all_pods {
            format!("[pod/{}/{}] ", source.pod.name, source.container)
        } else {
            String::new()
        };
        while let Some(line) = lines.next().await? {
            // One write for a line, so that lines of several containers do not mix.
            if prefix.is_empty() {
                session.console.print(&line)?;
            } else {
                session.console.print([prefix.as_bytes(), &line].concat())?;
            }
            if self.follow {
                session.console.flush()?;
            }
        }
        Ok(())
    }

    async fn follow_all(&self, session: &Session, sources: Vec<Source>) -> anyhow::Result<()> {
        if sources.len() > self.max_log_requests {
            bail!(
                "you are attempting to follow {} log streams, but maximum allowed concurrency is \
                 {}, use --max-log-requests to increase the limit",
                sources.len(),
                self.max_log_requests
            );
        }
        let mut reading: FuturesUnordered<_> =
            sources.iter().map(|source| self.read(session, source)).collect();
        let mut errors = Vec::new();
        while let Some(done) = reading.next().await {
            match done {
                Err(error) if self.ignore_errors => errors.push(error),
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        all_good(errors)
    }
}

async fn of_selector(session: &Session, selector: &str) -> anyhow::Result<Vec<Found>> {
    let pods = built_in("pods").context("pods are built in")?;
    let select = SelectArgs { selector: Some(selector.to_owned()), ..SelectArgs::default() };
    select::list(session, &pods, &select).await
}
