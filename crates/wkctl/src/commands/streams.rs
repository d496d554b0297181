//! What `exec`, `attach`, `cp` and `port-forward` share: finding the container, and talking to it.

pub(super) mod terminal;

use std::time::Duration;

use anyhow::{Context as _, bail};
use http::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;
use wk_streams::{ClientUpgrade, Outcome, RemoteClient, Size, StreamSet};

use super::select::{self, Found, SelectArgs};
use crate::client::{Call, JSON, Switched};
use crate::error::Exited;
use crate::kinds::{Resource, built_in, encoded, query, text};
use crate::session::Session;
use crate::target::targets;
use crate::watch::Watch;

/// The pod that a word means: its name, `TYPE/NAME` of it, or of what selects pods.
pub(super) async fn pod(
    session: &Session,
    word: &str,
    patience: Duration,
) -> anyhow::Result<Found> {
    let pods = built_in("pods").context("pods are built in")?;
    let namespace = session.namespace().await?;
    let Some((_, name)) = word.split_once('/') else {
        return select::one(session, &pods, &namespace, word).await;
    };
    let found = targets(session, &[word.to_owned()]).await?;
    let [target] = found.as_slice() else { bail!("malformed name {word}") };
    let object = select::one(session, &target.resource, &namespace, name).await?;
    if is_pods(&target.resource) {
        return Ok(object);
    }
    of_workload(session, &object, patience).await
}

pub(super) fn is_pods(resource: &Resource) -> bool {
    resource.plural == "pods" && resource.group.is_empty()
}

/// The pod of a workload or service that is fittest: one that runs before one that does not.
pub(super) async fn of_workload(
    session: &Session,
    object: &Found,
    patience: Duration,
) -> anyhow::Result<Found> {
    let labels = object.object.pointer("/spec/selector/matchLabels");
    let labels = labels.or_else(|| object.object.pointer("/spec/selector"));
    let Some(labels) = labels.and_then(Value::as_object).filter(|labels| !labels.is_empty()) else {
        bail!("invalid service '{}': Service is defined without a selector", object.name);
    };
    let pairs = labels.iter();
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let found = pods_of(session, &pairs.join(","), patience).await?;
    let best = found.into_iter().min_by_key(|pod| {
        let running = text(&pod.object, "/status/phase") == "Running";
        let leaving = pod.object.pointer("/metadata/deletionTimestamp").is_some();
        (leaving, !running, pod.name.clone())
    });
    best.with_context(|| format!("no pods found for {}", object.named()))
}

/// The pods that a selector selects; if there are none, the first one that comes in time.
pub(super) async fn pods_of(
    session: &Session,
    selector: &str,
    patience: Duration,
) -> anyhow::Result<Vec<Found>> {
    let pods = built_in("pods").context("pods are built in")?;
    let deadline = Instant::now() + patience;
    let select = SelectArgs { selector: Some(selector.to_owned()), ..SelectArgs::default() };
    let namespace = session.namespace().await?;
    let root = pods.path(Some(&namespace));
    let wait = async {
        loop {
            let selected = query(&[("labelSelector", Some(selector))]);
            let list = session.ask(&pods, Call::get(format!("{root}{selected}"))).await?;
            let revision = text(&list, "/metadata/resourceVersion");
            if list.pointer("/items/0").is_some() {
                return select::list(session, &pods, &select).await;
            }
            let watched = query(&[
                ("watch", Some("true")),
                ("labelSelector", Some(selector)),
                ("resourceVersion", Some(revision)),
            ]);
            let client = session.client().await?;
            let mut watch = Watch::start(client, format!("{root}{watched}"), JSON).await?;
            // A server ends watches from time to time; then there is another look.
            while let Some(change) = watch.next().await? {
                if matches!(change.event.as_str(), "ADDED" | "MODIFIED") {
                    return Ok(vec![Found::of(&pods, change.object)]);
                }
            }
        }
    };
    let first = tokio::time::timeout_at(deadline, wait).await;
    first.unwrap_or_else(|_| bail!("timed out waiting for the condition"))
}

/// The container that is meant; who does not say so is told which one it is.
pub(super) fn container(
    session: &Session,
    pod: &Found,
    chosen: Option<&str>,
    quiet: bool,
) -> anyhow::Result<Value> {
    let of = |field: &str| -> Vec<&Value> {
        let list = pod.object.pointer(&format!("/spec/{field}")).and_then(Value::as_array);
        list.into_iter().flatten().collect()
    };
    let main = of("containers");
    let all = [main.clone(), of("initContainers"), of("ephemeralContainers")].concat();
    let find = |name: &str| all.iter().find(|one| text(one, "/name") == name).copied();
    if let Some(name) = chosen {
        let found = find(name).cloned();
        return found.with_context(|| format!("container {name} not found in pod {}", pod.name));
    }
    let annotations = pod.object.pointer("/metadata/annotations");
    let annotated = annotations
        .and_then(|all| all.get("kubectl.kubernetes.io/default-container"))
        .and_then(Value::as_str)
        .and_then(find);
    if let Some(found) = annotated {
        return Ok(found.clone());
    }
    let first = main.first().copied().with_context(|| format!("pod {} is empty", pod.name))?;
    if all.len() > 1 && !quiet {
        let name = text(first, "/name");
        let list = container_names(&pod.object).join(", ");
        session.console.note(format!("Defaulted container \"{name}\" out of: {list}"));
    }
    Ok(first.clone())
}

/// The names of all containers of a pod, with what they are.
pub(super) fn container_names(pod: &Value) -> Vec<String> {
    let sorts =
        [("containers", ""), ("initContainers", " (init)"), ("ephemeralContainers", " (ephem)")];
    let of = |(sort, what): (&str, &'static str)| -> Vec<String> {
        let all = pod["spec"][sort].as_array().into_iter().flatten();
        all.map(|one| format!("{}{what}", text(one, "/name"))).collect()
    };
    sorts.into_iter().flat_map(of).collect()
}

/// Refuses a pod that has run its course.
pub(super) fn check_alive(pod: &Found, what: &str) -> anyhow::Result<()> {
    let phase = text(&pod.object, "/status/phase");
    if matches!(phase, "Succeeded" | "Failed") {
        bail!("cannot {what} a container in a completed pod; current phase is {phase}");
    }
    Ok(())
}

/// The local ends of a conversation with a program.
pub(super) struct Local<I, O, E> {
    pub(super) stdin: Option<I>,
    pub(super) stdout: Option<O>,
    pub(super) stderr: Option<E>,
    /// Sizes of the terminal, if there is one.
    pub(super) sizes: Option<terminal::Sizes>,
}

/// What is asked of a pod's subresource.
pub(super) struct Asked<'a> {
    pub(super) pod: &'a Found,
    pub(super) subresource: &'static str,
    pub(super) container: &'a str,
    pub(super) command: &'a [String],
}

impl Asked<'_> {
    fn path(&self, streams: StreamSet) -> String {
        let mut query = format!("container={}", encoded(self.container));
        for word in self.command {
            query.extend(["&command=", encoded(word).as_str()]);
        }
        let StreamSet { stdin, stdout, stderr, tty } = streams;
        for (name, wanted) in
            [("stdin", stdin), ("stdout", stdout), ("stderr", stderr), ("tty", tty)]
        {
            if wanted {
                query.extend(["&", name, "=true"]);
            }
        }
        format!("{}/{}?{query}", self.pod.path(), self.subresource)
    }

    /// Connects the local ends with the program until it ends.
    pub(super) async fn talk<I, O, E>(
        &self,
        session: &Session,
        local: Local<I, O, E>,
    ) -> anyhow::Result<Outcome>
    where
        I: AsyncRead + Unpin,
        O: AsyncWrite + Unpin,
        E: AsyncWrite + Unpin,
    {
        let streams = StreamSet {
            stdin: local.stdin.is_some(),
            stdout: local.stdout.is_some(),
            stderr: local.stderr.is_some(),
            tty: local.sizes.is_some(),
        };
        let upgrade = ClientUpgrade::remote();
        let (headers, stream) = open(session, &self.path(streams), upgrade.headers()).await?;
        let protocol = upgrade.remote_protocol(&headers).context("the server chose no protocol")?;
        let (mut remote, driver) = RemoteClient::open(stream, protocol, streams).await;
        let sizes = remote.take_sizes().zip(local.sizes);
        let RemoteClient { mut stdin, stdout, stderr, mut error, .. } = remote;
        let feed = async {
            if let (Some(mut from), Some(to)) = (local.stdin, &mut stdin) {
                // A program that ends before its input does is no fault.
                let _fed = tokio::io::copy(&mut from, to).await;
                let _ended = to.shutdown().await;
            }
            std::future::pending::<()>().await;
        };
        let tell = async {
            if let Some((mut sender, mut sizes)) = sizes {
                while let Some((width, height)) = sizes.next().await {
                    if sender.tell(Size { width, height }).await.is_err() {
                        break;
                    }
                }
            }
            std::future::pending::<()>().await;
        };
        let mut status = Vec::new();
        let hear = async {
            tokio::try_join!(hand_on(stdout, local.stdout), hand_on(stderr, local.stderr), async {
                error.read_to_end(&mut status).await
            },)
        };
        let hearing = async { tokio::join!(driver.run(), hear) };
        let (driven, heard) = tokio::select! {
            ends = hearing => ends,
            () = feed => unreachable!("input is fed for ever"),
            () = tell => unreachable!("sizes are told for ever"),
        };
        heard?;
        if status.is_empty() {
            driven.context("lost connection to the container")?;
            bail!("lost connection to the container");
        }
        Ok(Outcome::from_status(&status))
    }
}

/// Makes an upgrade.
pub(super) async fn open(
    session: &Session,
    path: &str,
    headers: HeaderMap,
) -> anyhow::Result<(HeaderMap, Switched)> {
    session.client().await?.upgrade(path, headers).await
}

async fn hand_on(
    from: Option<impl AsyncRead + Unpin>,
    to: Option<impl AsyncWrite + Unpin>,
) -> std::io::Result<()> {
    let (Some(mut from), Some(mut to)) = (from, to) else { return Ok(()) };
    let mut space = vec![0; 32 << 10];
    loop {
        let count = from.read(&mut space).await?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&space[..count]).await?;
        // Whoever watches sees it at once.
        to.flush().await?;
    }
}

/// Good for an exit code of 0; the program takes over any other one.
pub(super) fn good(outcome: Outcome) -> anyhow::Result<()> {
    match outcome {
        Outcome::Exit(0) => Ok(()),
        Outcome::Exit(code) => Err(Exited { code }.into()),
        Outcome::Failed(message) => bail!("{message}"),
    }
}
