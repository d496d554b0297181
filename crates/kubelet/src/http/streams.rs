//! Streams into containers: `exec`, `attach`, and connections to ports of pods.
//!
//! Every request here is an upgrade. Besides those of Kubernetes there is one to `tcp`, by which the
//! API server gets a plain connection to one port for its proxies.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::debug;
use wk_network::POD_RANGE;
use wk_runtime::{
    ContainerId, ExecCommand, Input, Output, Runtime, RuntimeError, Streams, TerminalSize,
};
use wk_streams::{
    ForwardProtocol, ForwardServer, Outcome, Refusal, RemoteEnds, RemoteServer, Size, StreamSet,
    Upgrade,
};

use crate::shared::Shared;
use crate::state::PodEntry;

/// How long a port of a pod may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The most ports of one WebSocket: each has two channels, whose numbers are bytes.
const MAX_PORTS: usize = 100;
/// What the API server upgrades to for a plain connection.
const TCP: &str = "tcp";

pub(super) fn routes() -> Router<Arc<Shared>> {
    let (exec, attach) = (routing::get(exec).post(exec), routing::get(attach).post(attach));
    let forward = routing::get(forward).post(forward);
    Router::new()
        .route("/exec/{namespace}/{pod}/{container}", exec.clone())
        .route("/exec/{namespace}/{pod}/{uid}/{container}", exec)
        .route("/attach/{namespace}/{pod}/{container}", attach.clone())
        .route("/attach/{namespace}/{pod}/{uid}/{container}", attach)
        .route("/portForward/{namespace}/{pod}", forward.clone())
        .route("/portForward/{namespace}/{pod}/{uid}", forward)
}

/// The status and the text of an answer that is no upgrade.
type Refused = (StatusCode, String);

/// The parts of a path; which ones depends on the route.
#[derive(Debug, serde::Deserialize)]
struct Target {
    namespace: String,
    pod: String,
    uid: Option<String>,
    #[serde(default)]
    container: String,
}

impl Target {
    fn entry(&self, shared: &Shared) -> Result<Arc<PodEntry>, Refused> {
        let entry = shared.entry_by_name(&self.namespace, &self.pod);
        entry
            .filter(|entry| self.uid.as_ref().is_none_or(|uid| *uid == entry.key.uid))
            .ok_or_else(|| (StatusCode::NOT_FOUND, "pod does not exist".to_owned()))
    }
}

/// A container that runs, and who runs it.
struct Running {
    id: ContainerId,
    runtime: Arc<dyn Runtime>,
}

fn running(shared: &Shared, target: &Target) -> Result<Running, Refused> {
    let entry = target.entry(shared)?;
    let mut inner = entry.lock();
    let found = inner.record(&target.container).and_then(|record| {
        let id = record.running_id()?.clone();
        Some(Running { id, runtime: Arc::clone(shared.runtime(record.linux)) })
    });
    found.ok_or_else(|| {
        let message = format!("container not found ({:?})", target.container);
        (StatusCode::INTERNAL_SERVER_ERROR, message)
    })
}

/// The options of `exec` and `attach`, under the names by which kubelets know them.
#[derive(Debug, Default)]
struct Options {
    streams: StreamSet,
    command: Vec<String>,
    ports: Vec<String>,
}

impl Options {
    fn read(request: &Request) -> Self {
        let mut options = Self::default();
        let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
        // Broken percent signs leave the options unset, which is told below.
        for (name, value) in query.map(|Query(pairs)| pairs).unwrap_or_default() {
            let set = super::is_true(Some(&value));
            match name.as_str() {
                "input" => options.streams.stdin = set,
                "output" => options.streams.stdout = set,
                "error" => options.streams.stderr = set,
                "tty" => options.streams.tty = set,
                "command" => options.command.push(value),
                "port" | "ports" => options.ports.extend(value.split(',').map(str::to_owned)),
                _ => {}
            }
        }
        // A terminal has one output.
        options.streams.stderr &= !options.streams.tty;
        options
    }

    fn checked_streams(&self) -> Result<StreamSet, Refused> {
        let StreamSet { stdin, stdout, stderr, .. } = self.streams;
        if stdin || stdout || stderr {
            return Ok(self.streams);
        }
        let message = "you must specify at least 1 of stdin, stdout, stderr".to_owned();
        Err((StatusCode::BAD_REQUEST, message))
    }

    fn checked_ports(&self) -> Result<Vec<u16>, Refused> {
        let bad = |message| (StatusCode::BAD_REQUEST, message);
        let read = |text: &String| match text.parse() {
            Ok(0) => Err(bad(format!("port \"{text}\" must be > 0"))),
            Ok(port) => Ok(port),
            Err(error) => Err(bad(format!("unable to parse \"{text}\" as a port: {error}"))),
        };
        self.ports.iter().map(read).collect()
    }
}

async fn exec(
    State(shared): State<Arc<Shared>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let options = Options::read(&request);
    remote(&shared, &target, request, options.checked_streams(), move |running, ends| async move {
        if options.command.is_empty() {
            return Outcome::Failed("you must specify a command".to_owned());
        }
        let command = ExecCommand { argv: options.command, tty: options.streams.tty };
        let call = async |streams| running.runtime.exec(&running.id, &command, streams).await;
        match connected(ends, call).await {
            Ok(code) => Outcome::Exit(code),
            Err(error) => failed("error executing command in container", &error),
        }
    })
}

async fn attach(
    State(shared): State<Arc<Shared>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let streams = Options::read(&request).checked_streams();
    remote(&shared, &target, request, streams, |running, ends| async move {
        let call = async |streams| running.runtime.attach(&running.id, streams).await;
        match connected(ends, call).await {
            Ok(()) => Outcome::Exit(0),
            Err(error) => failed("error attaching to container", &error),
        }
    })
}

fn failed(what: &str, error: &RuntimeError) -> Outcome {
    Outcome::Failed(format!("{what}: {}", wk_client::error_chain(error)))
}

/// Upgrades a request to a session with a program of a container.
fn remote<F>(
    shared: &Arc<Shared>,
    target: &Target,
    mut request: Request,
    streams: Result<StreamSet, Refused>,
    program: impl FnOnce(Running, RemoteEnds) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let checked = streams.and_then(|streams| Ok((streams, running(shared, target)?)));
    let (streams, running) = match checked {
        Ok(checked) => checked,
        Err(refused) => return refused.into_response(),
    };
    let upgrade = match Upgrade::remote(request.method(), request.headers()) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return not_upgraded(&refusal),
    };
    let server = RemoteServer { protocol: upgrade.protocol, streams };
    upgraded(shared, &mut request, async move |io| {
        server.serve(io, |ends| program(running, ends)).await
    });
    switching(upgrade.headers)
}

/// Hands the ends of a session to a runtime, and sizes of the terminal as they come.
async fn connected<T>(
    ends: RemoteEnds,
    call: impl AsyncFnOnce(Streams) -> Result<T, RuntimeError>,
) -> Result<T, RuntimeError> {
    let (sizes, size) = watch::channel(None);
    let streams = Streams {
        stdin: ends.stdin.map(|stdin| Box::new(stdin) as Input),
        stdout: ends.stdout.map(|stdout| Box::new(stdout) as Output),
        stderr: ends.stderr.map(|stderr| Box::new(stderr) as Output),
        size,
    };
    let mut told = ends.size;
    let follow = async {
        loop {
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let now: Option<Size> = *told.borrow_and_update();
            let now = now.map(|Size { width, height }| TerminalSize { width, height });
            sizes.send_replace(now);
        }
    };
    tokio::select! {
        outcome = call(streams) => outcome,
        () = follow => unreachable!("sizes are followed for ever"),
    }
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    Path(target): Path<Target>,
    mut request: Request,
) -> Response {
    let options = Options::read(&request);
    let checked = options.checked_ports().and_then(|ports| Ok((ports, target.entry(&shared)?)));
    let (ports, entry) = match checked {
        Ok(checked) => checked,
        Err(refused) => return refused.into_response(),
    };
    if request.headers().get(header::UPGRADE).is_some_and(|wanted| wanted == TCP) {
        return plain(&shared, &entry, &ports, &mut request).await;
    }
    let upgrade = match Upgrade::forward(request.method(), request.headers()) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return not_upgraded(&refusal),
    };
    if let Err(refused) = check_channels(upgrade.protocol, &ports) {
        return refused.into_response();
    }
    let server = ForwardServer { protocol: upgrade.protocol, ports };
    let dialing = Arc::clone(&shared);
    upgraded(&shared, &mut request, async move |io| {
        let dial = async |port: u16| {
            dial_localhost(&dialing, &entry, port).await.map_err(|error| {
                let (name, uid) = (&entry.key.name, &entry.key.uid);
                format!("error forwarding port {port} to pod {name}, uid {uid}: {error}")
            })
        };
        server.serve(io, dial).await
    });
    switching(upgrade.headers)
}

/// Ports that have a channel each have to be named by the request.
fn check_channels(protocol: ForwardProtocol, ports: &[u16]) -> Result<(), Refused> {
    if !matches!(protocol, ForwardProtocol::Channels | ForwardProtocol::ChannelsBase64) {
        return Ok(());
    }
    let message = match ports.len() {
        0 => "query parameter \"ports\" is required".to_owned(),
        1..=MAX_PORTS => return Ok(()),
        count => format!("{count} ports are too many: at most {MAX_PORTS} have channels"),
    };
    Err((StatusCode::BAD_REQUEST, message))
}

/// A plain connection to one port; it is there before the answer is given.
async fn plain(
    shared: &Arc<Shared>,
    entry: &PodEntry,
    ports: &[u16],
    request: &mut Request,
) -> Response {
    let [port] = ports else {
        return (StatusCode::BAD_REQUEST, "a connection has one port").into_response();
    };
    let mut target = match dial(shared, entry, *port).await {
        Ok(target) => target,
        Err(error) => return (StatusCode::BAD_GATEWAY, error).into_response(),
    };
    upgraded(shared, request, async move |mut io| {
        tokio::io::copy_bidirectional(&mut io, &mut target).await.map(|_| ())
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static(TCP)),
    ];
    switching(headers.into_iter().collect())
}

/// Connects to a port of a pod's `localhost`.
async fn dial_localhost(shared: &Shared, entry: &PodEntry, port: u16) -> Result<TcpStream, String> {
    let inside = tokio::time::timeout(CONNECT, shared.connect_inside(entry, port)).await;
    match inside.map(|connected| connected.map(settled)) {
        Ok(None) => dial(shared, entry, port).await,
        Ok(Some(connected)) => {
            connected.map_err(|error| format!("dial tcp 127.0.0.1:{port}: {error}"))
        }
        Err(_) => Err(format!("dial tcp 127.0.0.1:{port}: i/o timeout")),
    }
}

/// Connects to a port of a pod: at its address or, if nothing listens there, at its `localhost`.
async fn dial(shared: &Shared, entry: &PodEntry, port: u16) -> Result<TcpStream, String> {
    let ip = shared.reach(entry).ok_or("the pod has no address yet")?;
    let first = connect(SocketAddr::new(ip, port)).await;
    let private = match ip {
        IpAddr::V4(ip) if POD_RANGE.contains(ip) => Some(wk_network::loopback_of(ip)),
        _ => None,
    };
    match (first, private) {
        (Err(_), Some(private)) => connect(SocketAddr::new(private.into(), port)).await,
        (first, _) => first,
    }
    .map_err(|error| format!("dial tcp {ip}:{port}: {error}"))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
    connected.map_or_else(|_elapsed| Err("i/o timeout".to_owned()), settled)
}

/// A connection, or why there is none.
fn settled(connected: io::Result<TcpStream>) -> Result<TcpStream, String> {
    let stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        _ => format!("connect: {error}"),
    })?;
    // Without it small answers wait for nothing; a socket that refuses works all the same.
    let _set = stream.set_nodelay(true);
    Ok(stream)
}

/// What a request's connection becomes after the answer.
type Io = TokioIo<hyper::upgrade::Upgraded>;

/// Lets `work` have the connection once the answer has been sent.
fn upgraded<F>(
    shared: &Arc<Shared>,
    request: &mut Request,
    work: impl FnOnce(Io) -> F + Send + 'static,
) where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let upgrade = hyper::upgrade::on(request);
    let token = shared.tasks.token();
    shared.tasks.spawn_quiet("stream", async move {
        let serve = async {
            match upgrade.await {
                Ok(io) => {
                    if let Err(error) = work(TokioIo::new(io)).await {
                        debug!(%error, "stream broke");
                    }
                }
                Err(error) => debug!(%error, "connection was not upgraded"),
            }
        };
        let _ended = token.run_until_cancelled(serve).await;
    });
}

fn switching(headers: http::HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

fn not_upgraded(refusal: &Refusal) -> Response {
    (refusal.code, refusal.headers(), refusal.message.clone()).into_response()
}
