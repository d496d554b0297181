//! Probes of all containers in one queue of times; a container without probes costs nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use wk_client::EventType;
use wk_runtime::ContainerId;

use crate::report;
use crate::shared::Shared;
use crate::state::PodEntry;

/// Probes that run at a time; the others are late rather than the node overrun.
const AT_A_TIME: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

#[derive(Clone, Debug)]
enum Check {
    Tcp { host: Option<String>, port: u16 },
    Http { host: Option<String>, port: u16, path: String, headers: Vec<(String, String)> },
}

/// One probe of one run of one container, with its results so far.
#[derive(Debug)]
pub(crate) struct Probing {
    entry: Arc<PodEntry>,
    id: ContainerId,
    container: Box<str>,
    kind: Kind,
    check: Check,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    success_threshold: u32,
    failure_threshold: u32,
    successes: u32,
    failures: u32,
}

/// Where probes are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    sender: mpsc::Sender<(Probing, Instant)>,
}

/// Where they come out: the end that [`run`] takes.
#[derive(Debug)]
pub(crate) struct Pending(mpsc::Receiver<(Probing, Instant)>);

impl Probes {
    pub(crate) fn new() -> (Self, Pending) {
        // Room for three probes of every container of a full node.
        let (sender, receiver) = mpsc::channel(16_384);
        (Self { sender }, Pending(receiver))
    }

    /// Probes a container that has just been started, for as long as this run of it lasts.
    pub(crate) fn watch(&self, entry: &Arc<PodEntry>, container: &Container, id: &ContainerId) {
        let all = [
            (Kind::Startup, &container.startup_probe),
            (Kind::Liveness, &container.liveness_probe),
            (Kind::Readiness, &container.readiness_probe),
        ];
        for (kind, probe) in all {
            let Some(probe) = probe else { continue };
            let Some(probing) = probing(entry, container, id, kind, probe) else { continue };
            let first = Instant::now() + probing.delay;
            self.hand_in(probing, first);
        }
    }

    fn hand_in(&self, probing: Probing, at: Instant) {
        if self.sender.try_send((probing, at)).is_err() {
            // Full only with far more probes than a node has; then it must not look healthy.
            tracing::error!("probe dropped, the queue is full");
        }
    }
}

fn probing(
    entry: &Arc<PodEntry>,
    container: &Container,
    id: &ContainerId,
    kind: Kind,
    probe: &Probe,
) -> Option<Probing> {
    let port = |port: &IntOrString| port_number(port, container);
    let check = match (&probe.http_get, &probe.tcp_socket) {
        (Some(get), _) => Check::Http {
            host: get.host.clone().filter(|host| !host.is_empty()),
            port: port(&get.port)?,
            path: get.path.clone().filter(|path| !path.is_empty()).unwrap_or("/".to_owned()),
            headers: get
                .http_headers
                .iter()
                .flatten()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
        },
        (None, Some(socket)) => Check::Tcp {
            host: socket.host.clone().filter(|host| !host.is_empty()),
            port: port(&socket.port)?,
        },
        (None, None) => return None,
    };
    let number = |value: Option<i32>, default: u32| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .unwrap_or(default)
    };
    let seconds = |value, default| Duration::from_secs(number(value, default).into());
    Some(Probing {
        entry: Arc::clone(entry),
        id: id.clone(),
        container: container.name.as_str().into(),
        kind,
        check,
        delay: probe
            .initial_delay_seconds
            .and_then(|delay| u64::try_from(delay).ok())
            .map_or(Duration::ZERO, Duration::from_secs),
        period: seconds(probe.period_seconds, 10),
        timeout: seconds(probe.timeout_seconds, 1),
        success_threshold: number(probe.success_threshold, 1),
        failure_threshold: number(probe.failure_threshold, 3),
        successes: 0,
        failures: 0,
    })
}

fn port_number(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .and_then(|port| u16::try_from(port.container_port).ok())
            .or_else(|| name.parse().ok()),
    }
}

/// Runs probes when their time has come, until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, mut pending: Pending) {
    let token = shared.tasks.token();
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let mut queue: DelayQueue<Probing> = DelayQueue::new();
    loop {
        let due = tokio::select! {
            biased;
            () = token.cancelled() => return,
            added = pending.0.recv() => {
                let Some((probing, at)) = added else { return };
                queue.insert_at(probing, at);
                continue;
            }
            Some(due) = queue.next(), if !queue.is_empty() => due.into_inner(),
        };
        let (shared, slots) = (Arc::clone(&shared), Arc::clone(&slots));
        shared.tasks.clone().spawn_quiet("probe", async move {
            let token = shared.tasks.token();
            let _ended = token.run_until_cancelled(one(&shared, &slots, due)).await;
        });
    }
}

/// Runs one probe, draws the conclusion, and hands it in for the next time.
async fn one(shared: &Arc<Shared>, slots: &Semaphore, mut probing: Probing) {
    let started = {
        let mut inner = probing.entry.lock();
        let Some(record) = inner.record(&probing.container) else { return };
        if record.running_id() != Some(&probing.id) || record.unhealthy.is_some() {
            return;
        }
        record.started
    };
    let next = Instant::now() + probing.period;
    match (probing.kind, started) {
        (Kind::Startup, true) => return,
        (Kind::Liveness | Kind::Readiness, false) => {
            shared.probes.hand_in(probing, next);
            return;
        }
        (Kind::Startup, false) | (Kind::Liveness | Kind::Readiness, true) => {}
    }
    let Some(ip) = probing.entry.lock().ip else { return };
    let outcome = {
        let Ok(_slot) = slots.acquire().await else { return };
        match tokio::time::timeout(probing.timeout, probing.check.run(ip)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {:?}", probing.timeout)),
        }
    };
    if probing.conclude(shared, outcome) {
        shared.probes.hand_in(probing, next);
    }
}

impl Probing {
    /// Takes one result; whether the probe goes on.
    fn conclude(&mut self, shared: &Arc<Shared>, outcome: Result<(), String>) -> bool {
        match outcome {
            Ok(()) => {
                self.successes += 1;
                self.failures = 0;
                if self.successes < self.success_threshold {
                    return true;
                }
                self.succeeded(shared)
            }
            Err(message) => {
                self.failures += 1;
                self.successes = 0;
                let text = format!("{} probe failed: {message}", self.kind.title());
                let container = Some((&*self.container, false));
                let warning = EventType::Warning;
                shared.event(&self.entry.key, container, warning, "Unhealthy", text);
                if self.failures < self.failure_threshold {
                    return true;
                }
                self.failed(shared)
            }
        }
    }

    fn succeeded(&self, shared: &Arc<Shared>) -> bool {
        let changed = {
            let pod = self.entry.pod();
            let mut inner = self.entry.lock();
            let Some(record) = inner.record(&self.container) else { return false };
            if record.running_id() != Some(&self.id) {
                return false;
            }
            match self.kind {
                Kind::Liveness => false,
                Kind::Readiness => !std::mem::replace(&mut record.ready, true),
                Kind::Startup => {
                    let ready = has_no_readiness_probe(&pod, &self.container);
                    record.ready |= ready;
                    !std::mem::replace(&mut record.started, true)
                }
            }
        };
        if changed {
            report::ask(shared, &self.entry);
            // A started sidecar lets the next container start.
            if self.kind == Kind::Startup {
                shared.wake(&self.entry);
            }
        }
        self.kind != Kind::Startup
    }

    fn failed(&self, shared: &Arc<Shared>) -> bool {
        {
            let mut inner = self.entry.lock();
            let Some(record) = inner.record(&self.container) else { return false };
            if record.running_id() != Some(&self.id) {
                return false;
            }
            if self.kind == Kind::Readiness {
                if !std::mem::replace(&mut record.ready, false) {
                    return true;
                }
            } else {
                record.unhealthy = Some(self.kind.as_str().into());
            }
        }
        report::ask(shared, &self.entry);
        if self.kind == Kind::Readiness {
            return true;
        }
        shared.wake(&self.entry);
        false
    }
}

fn has_no_readiness_probe(pod: &k8s_openapi::api::core::v1::Pod, name: &str) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let mut all = crate::state::all_containers(spec);
    all.find(|(_, container)| container.name == name)
        .is_none_or(|(_, container)| container.readiness_probe.is_none())
}

impl Check {
    async fn run(&self, ip: IpAddr) -> Result<(), String> {
        match self {
            Self::Tcp { host, port } => connect(host.as_deref(), ip, *port).await.map(|_stream| ()),
            Self::Http { host, port, path, headers } => {
                let stream = connect(host.as_deref(), ip, *port).await?;
                let authority = match host {
                    Some(host) => format!("{host}:{port}"),
                    None => SocketAddr::new(ip, *port).to_string(),
                };
                get(stream, &authority, path, headers).await
            }
        }
    }
}

async fn connect(host: Option<&str>, ip: IpAddr, port: u16) -> Result<TcpStream, String> {
    let connected = match host {
        Some(host) => TcpStream::connect((host, port)).await,
        None => TcpStream::connect((ip, port)).await,
    };
    let to = host.map_or_else(|| ip.to_string(), str::to_owned);
    connected.map_err(|error| format!("dial tcp {to}:{port}: {error}"))
}

async fn get(
    stream: TcpStream,
    authority: &str,
    path: &str,
    headers: &[(String, String)],
) -> Result<(), String> {
    let text = |error: hyper::Error| format!("Get \"http://{authority}{path}\": {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut request = http::Request::get(format!("{slash}{path}"));
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header(http::header::HOST, authority);
    }
    request = request.header(http::header::USER_AGENT, "kube-probe/1.36");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answer = async { sender.send_request(request).await.map_err(text) };
    let answer = tokio::select! {
        biased;
        answer = answer => answer?,
        ended = connection => {
            return Err(ended.err().map_or_else(|| "connection closed".to_owned(), text));
        }
    };
    let status = answer.status().as_u16();
    if (200..400).contains(&status) {
        return Ok(());
    }
    Err(format!("HTTP probe failed with statuscode: {status}"))
}
