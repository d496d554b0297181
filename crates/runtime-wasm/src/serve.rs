//! Containers that answer requests: components with `wasi:http/incoming-handler` of WASI 0.2 or
//! `wasi:http/handler` of WASI 0.3.
//!
//! The container listens itself. Each request gets an instance (a fresh one, or with reuse one that
//! is idle), which is run within the connection's own task, so that nothing changes threads on the
//! way. An idle container is one waiting task and its listeners, nothing else.

mod instance;
mod linger;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use wasmtime_wasi_http::WasiBody;
use wk_process::TaskGroup;

use self::instance::{Answer, Instance};
use self::linger::LastRequest;
use crate::machine::Machine;
use crate::meter::metered;
use crate::programs::Handler;
use crate::scope::Scope;
use crate::trap::describe;

/// How long a connection may take to send a request's head, or idle before it.
const HEAD_TIME: Duration = Duration::from_mins(1);
/// The most that the head of a request may take.
const HEAD_BYTES: usize = 64 << 10;
/// How long to wait before accepting again when the process has no file left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// When a container has to have ended; `None` while nobody asked it to.
pub(crate) type Deadline = Option<Instant>;

/// Settings of a server that do not differ between containers.
#[derive(Clone, Debug)]
pub(crate) struct ServerLimits {
    pub(crate) connections: usize,
    pub(crate) request_time: Duration,
    /// Most idle instances; zero is a fresh instance for each request.
    pub(crate) idle_instances: usize,
    pub(crate) idle_time: Duration,
}

/// One container that serves requests.
pub(crate) struct Server {
    machine: Arc<Machine>,
    handler: Handler,
    scope: Arc<Scope>,
    limits: ServerLimits,
    tasks: TaskGroup,
    /// Instances of the whole node that may still be made.
    instances: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    /// Connections and requests that have not ended.
    active: TaskTracker,
    idle: Mutex<Idle>,
    last_request: LastRequest,
    /// Connections that there are get one more answer.
    lingering: AtomicBool,
    /// No new requests; it goes with the container's `kill`.
    stopping: CancellationToken,
}

/// Instances that wait for the next request, the one used last on top.
#[derive(Default)]
struct Idle {
    instances: Vec<(Instance, Instant)>,
    /// Whether a task is there that drops the expired ones.
    watched: bool,
}

impl Server {
    pub(crate) fn new(
        machine: Arc<Machine>,
        handler: Handler,
        scope: Arc<Scope>,
        limits: ServerLimits,
        tasks: TaskGroup,
        instances: Arc<Semaphore>,
    ) -> Self {
        let connections = Arc::new(Semaphore::new(limits.connections));
        let stopping = scope.meter.kill.child_token();
        Self {
            machine,
            handler,
            scope,
            limits,
            tasks,
            instances,
            connections,
            active: TaskTracker::new(),
            idle: Mutex::default(),
            last_request: LastRequest::new(Instant::now()),
            lingering: AtomicBool::new(false),
            stopping,
        }
    }

    /// Serves until asked to end or out of memory; goes on until clients know that, and then finishes
    /// the requests in flight until the deadline. Returns whether all of them were finished.
    pub(crate) async fn run(
        self: Arc<Self>,
        listeners: Vec<TcpListener>,
        mut deadline: watch::Receiver<Deadline>,
    ) -> bool {
        {
            let asked = pin!(self.last_call(&mut deadline));
            let killed = pin!(self.scope.meter.kill.cancelled());
            let accepting = pin!(self.accept_all(&listeners));
            select(select(killed, asked), accepting).await;
        }
        drop(listeners);
        // Of its own, so that those who wait for the end do not hold its place meanwhile.
        Box::pin(self.finish(deadline)).await
    }

    /// Finishes the requests in flight until the deadline; returns whether all of them were.
    async fn finish(&self, mut deadline: watch::Receiver<Deadline>) -> bool {
        let kill = &self.scope.meter.kill;
        self.stopping.cancel();
        self.active.close();
        let finished = {
            let overdue = pin!(overdue(&mut deadline));
            let ended = pin!(async {
                tokio::select! {
                    biased;
                    () = kill.cancelled() => false,
                    () = self.active.wait() => true,
                }
            });
            match select(ended, overdue).await {
                Either::Left((finished, _)) => finished,
                Either::Right(((), _)) => false,
            }
        };
        // What is left sees this and drops its guest.
        kill.cancel();
        self.active.wait().await;
        self.idle.lock().instances.clear();
        finished
    }

    /// Waits until this server was asked to end, and lingers.
    async fn last_call(&self, deadline: &mut watch::Receiver<Deadline>) {
        asked_to_end(deadline).await;
        self.lingering.store(true, Ordering::Relaxed);
        Box::pin(self.linger(deadline)).await;
    }

    /// Waits until its clients know that it ends, and send nothing more.
    async fn linger(&self, deadline: &mut watch::Receiver<Deadline>) {
        let asked = Instant::now();
        loop {
            let Some(end) = *deadline.borrow_and_update() else { return };
            let until = linger::until(asked, end, self.last_request.get());
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                biased;
                // It may be drawn nearer.
                changed = deadline.changed() => if changed.is_err() { return },
                () = sleep_until(until) => {}
            }
        }
    }

    /// One task accepts on all ports: a container has one or two.
    async fn accept_all(self: &Arc<Self>, listeners: &[TcpListener]) {
        futures::future::join_all(listeners.iter().map(|listener| self.accept(listener))).await;
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _peer)) => {
                    let (server, active) = (Arc::clone(self), self.active.token());
                    self.tasks.spawn_quiet("wasm-connection", async move {
                        server.serve(stream).await;
                        drop((permit, active));
                    });
                }
                Err(error) => {
                    if !is_of_the_connection(&error) {
                        warn!(%error, "connections cannot be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        // Answers are written whole; waiting to fill packets would only delay them.
        let _set = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            // Also when the container is killed. Each look at a token takes a lock.
            () = self.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            // What goes wrong on a connection is the peer's affair.
            _ended = &mut connection => return,
        }
        tokio::select! {
            biased;
            () = self.scope.meter.kill.cancelled() => {}
            _ended = &mut connection => {}
        }
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<WasiBody> {
        if !is_of_a_probe(&request) {
            self.last_request.note(Instant::now());
        }
        let mut response = self.respond(request).await;
        if self.lingering.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    async fn respond(self: &Arc<Self>, mut request: Request<Incoming>) -> Response<WasiBody> {
        if request.uri().authority().is_none() && !request.headers().contains_key(header::HOST) {
            // HTTP/1.0 allows it, the interface does not.
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
        }
        let (sender, mut receiver) = oneshot::channel();
        let server = Arc::clone(self);
        let mut guest = Box::pin(server.run_guest(request, sender));
        let mut finished = false;
        let head = poll_fn(|cx| {
            if !finished && guest.as_mut().poll(cx).is_ready() {
                finished = true;
            }
            Pin::new(&mut receiver).poll(cx)
        });
        let answer = timeout(self.limits.request_time, head).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(_elapsed) => {
                let after = self.limits.request_time;
                self.scope.log.note(&format!("request ended: no response within {after:?}"));
                return refusal(
                    StatusCode::GATEWAY_TIMEOUT,
                    "the program did not answer in time\n",
                );
            }
        };
        if !finished {
            // The body is still being written, or the guest has more to do.
            let (server, active) = (Arc::clone(self), self.active.token());
            self.tasks.spawn_quiet("wasm-request", async move {
                tokio::select! {
                    biased;
                    () = server.scope.meter.kill.cancelled() => {}
                    () = guest => {}
                }
                drop(active);
            });
        }
        match answer {
            Ok(Ok(response)) => response,
            Ok(Err(code)) => {
                self.scope.log.note(&format!("request failed: the program answered `{code}`"));
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "the program failed\n")
            }
            Err(_nothing_sent) => {
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "the program failed\n")
            }
        }
    }

    /// Runs one request in an instance; the answer goes out through `sender` as soon as its head
    /// is there.
    async fn run_guest(
        self: Arc<Self>,
        request: Request<Incoming>,
        sender: oneshot::Sender<Answer>,
    ) {
        let _counted = self.scope.meter.traffic.begin();
        let run = pin!(async {
            let mut instance = match self.take_idle() {
                Some(instance) => instance,
                None => self.instance().await?,
            };
            instance.call(request, sender).await?;
            self.keep(instance);
            Ok(())
        });
        let outcome: wasmtime::Result<()> =
            metered(&self.scope.meter, &self.machine.ticker, run).await;
        if let Err(error) = outcome {
            self.scope.log.note(&format!("request failed: {}", describe(&error)));
        }
    }

    async fn instance(&self) -> wasmtime::Result<Instance> {
        // Waits its turn when the node is full; the request's deadline holds meanwhile.
        let slot = Arc::clone(&self.instances).acquire_owned().await?;
        Instance::new(&self.machine, &self.handler, &self.scope, slot).await
    }

    fn take_idle(&self) -> Option<Instance> {
        if self.limits.idle_instances == 0 {
            return None;
        }
        self.idle.lock().instances.pop().map(|(instance, _)| instance)
    }

    /// Keeps an instance for the next request, if there is room for it.
    fn keep(self: &Arc<Self>, instance: Instance) {
        if self.limits.idle_instances == 0 {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.instances.len() >= self.limits.idle_instances {
            return;
        }
        idle.instances.push((instance, Instant::now()));
        if !idle.watched {
            idle.watched = true;
            let server = Arc::clone(self);
            self.tasks.spawn_quiet("wasm-idle", async move { server.drop_expired().await });
        }
    }

    /// Drops idle instances as they expire; ends with the last one.
    async fn drop_expired(self: Arc<Self>) {
        loop {
            let next = {
                let mut idle = self.idle.lock();
                let now = Instant::now();
                idle.instances.retain(|(_, since)| now < *since + self.limits.idle_time);
                let Some(oldest) = idle.instances.iter().map(|(_, since)| *since).min() else {
                    idle.watched = false;
                    return;
                };
                oldest + self.limits.idle_time
            };
            tokio::select! {
                biased;
                () = self.scope.meter.kill.cancelled() => return,
                () = sleep_until(next) => {}
            }
        }
    }
}

async fn asked_to_end(deadline: &mut watch::Receiver<Deadline>) {
    // A sender that is gone cannot ask any more, and nobody can wait for the container either.
    let _asked = deadline.wait_for(Option::is_some).await;
}

/// Waits until the deadline, which may be drawn nearer meanwhile.
async fn overdue(deadline: &mut watch::Receiver<Deadline>) {
    loop {
        let until = *deadline.borrow_and_update();
        let Some(until) = until else { return };
        tokio::select! {
            biased;
            changed = deadline.changed() => if changed.is_err() { return },
            () = sleep_until(until) => return,
        }
    }
}

/// Whether the kubelet asks, which knows of every end beforehand.
fn is_of_a_probe(request: &Request<Incoming>) -> bool {
    let agent = request.headers().get(header::USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe/"))
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn refusal(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
