//! The host's end: a runtime, given to one session at a time.

mod calls;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::geteuid;
use tokio::net::UnixStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use uuid::Uuid;
use wk_process::TaskGroup;
use wk_runtime::{ContainerStatus, Runtime, RuntimeError, RuntimeEvent};

use crate::frame::Connection;
use crate::socket::{HostSocket, is_trusted};
use crate::wire::{Answer, Greeting, News, PROTOCOL, Parting, Request};

/// How long the system is left alone when it has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// How a host introduces itself.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Version of the program.
    pub version: String,
    /// Files and sockets that the process may hold open; `None` is unlimited.
    pub open_files: Option<u64>,
}

/// Gives a runtime to whoever comes to its socket. Clones share one host.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Arc<dyn Runtime>,
    greeting: Greeting,
    session: Mutex<Option<Session>>,
    /// One at a time begins a session.
    opening: tokio::sync::Mutex<()>,
    /// Whether nothing may start any more.
    closing: AtomicBool,
    /// How long containers may take to end, once somebody has asked for the host's end.
    asked: watch::Sender<Option<Duration>>,
    tasks: TaskGroup,
}

/// Whoever follows the events.
#[derive(Clone)]
struct Session {
    name: String,
    over: CancellationToken,
    calls: TaskTracker,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("greeting", &self.shared.greeting).finish_non_exhaustive()
    }
}

impl Host {
    /// Serves `runtime` on `socket`, in tasks of `tasks`.
    pub fn start(
        socket: HostSocket,
        runtime: Arc<dyn Runtime>,
        config: HostConfig,
        tasks: &TaskGroup,
    ) -> Self {
        let greeting = Greeting {
            protocol: PROTOCOL,
            version: config.version,
            pid: std::process::id(),
            runtime: runtime.name().to_owned(),
            engine: runtime.version(),
            open_files: config.open_files,
        };
        let shared = Arc::new(Shared {
            runtime,
            greeting,
            session: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            closing: AtomicBool::new(false),
            asked: watch::Sender::new(None),
            tasks: tasks.clone(),
        });
        let accepting = Arc::clone(&shared);
        tasks.spawn("host socket", async move {
            let token = accepting.tasks.token();
            let accept = accept(&socket, &accepting);
            token.run_until_cancelled(accept).await.unwrap_or(Ok(())).map_err(Into::into)
        });
        Self { shared }
    }

    /// Waits until somebody asks on the socket for the host's end, and returns how long its containers
    /// may take to end. Cancel safe.
    pub async fn asked_to_end(&self) -> Duration {
        let mut asked = self.shared.asked.subscribe();
        match asked.wait_for(Option::is_some).await.ok().and_then(|asked| *asked) {
            Some(grace) => grace,
            // Unreachable while `self` holds the sender.
            None => std::future::pending().await,
        }
    }

    /// Starts nothing any more and stops all containers, each within `grace` (wall-clock). Whoever
    /// follows the events is told how they ended.
    pub async fn drain(&self, grace: Duration) {
        self.shared.closing.store(true, Ordering::Release);
        // A start that was under way adds one after the list was made.
        while self.shared.stop_running(grace).await {}
    }
}

async fn accept(socket: &HostSocket, shared: &Arc<Shared>) -> io::Result<()> {
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) => {
                let serving = Arc::clone(shared);
                shared.tasks.spawn_quiet("host connection", async move {
                    if let Err(error) = serving.serve(stream).await {
                        debug!(%error, "connection ended");
                    }
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(%error, "connection could not be taken");
                tokio::time::sleep(NO_ROOM).await;
            }
        }
    }
}

impl Shared {
    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let connection = Connection::new(stream);
        let peer = connection.peer()?;
        if !is_trusted(peer.uid(), geteuid().as_raw()) {
            warn!(uid = peer.uid(), pid = peer.pid(), "another user was turned away");
            return Ok(());
        }
        connection.send(&self.greeting).await?;
        let token = self.tasks.token();
        loop {
            let received = connection.receive::<Request<'static>>();
            let Some(received) = token.run_until_cancelled(received).await else { return Ok(()) };
            let Some((request, files)) = received? else { return Ok(()) };
            match request {
                Request::Retire => connection.send(&self.retire().await).await?,
                Request::End { grace } => {
                    self.asked.send_replace(Some(grace));
                    connection.send(&Parting::Ending).await?;
                }
                Request::Watch => return self.watch(&connection).await,
                Request::Call { session, call } => {
                    let answer = match self.session(&session) {
                        Some(session) => {
                            let work = calls::carry_out(self, &connection, call, files);
                            let work = session.calls.track_future(Box::pin(work));
                            tokio::select! {
                                biased;
                                () = session.over.cancelled() => return Ok(()),
                                () = token.cancelled() => return Ok(()),
                                answer = work => answer?,
                            }
                        }
                        None => Answer::Stale,
                    };
                    connection.send(&answer).await?;
                }
                // It came after the end of the program.
                Request::Resize(_) => {}
            }
        }
    }

    /// Ends the host, if there is nothing that anybody could miss.
    async fn retire(&self) -> Parting {
        let was_closing = self.closing.swap(true, Ordering::AcqRel);
        let containers = match self.runtime.list().await {
            Ok(all) => all.len(),
            Err(error) => {
                warn!(%error, "containers cannot be listed");
                usize::MAX
            }
        };
        if containers > 0 {
            self.closing.store(was_closing, Ordering::Release);
            return Parting::InUse { containers };
        }
        info!("a host of another version takes over");
        self.asked.send_replace(Some(Duration::ZERO));
        Parting::Ending
    }

    /// Stops what runs; false if there was nothing, or something does not end.
    async fn stop_running(&self, grace: Duration) -> bool {
        let mut running = match self.runtime.list().await {
            Ok(containers) => containers,
            Err(error) => {
                warn!(%error, "containers cannot be listed");
                return false;
            }
        };
        running.retain(|container| container.status == ContainerStatus::Running);
        let stopping = TaskTracker::new();
        let failed = Arc::new(AtomicBool::new(running.is_empty()));
        for container in running {
            let (runtime, failed) = (Arc::clone(&self.runtime), Arc::clone(&failed));
            let stop = stopping.track_future(async move {
                if let Err(error) = runtime.stop(&container.id, grace).await {
                    warn!(container = %container.id, %error, "container could not be stopped");
                    failed.store(true, Ordering::Release);
                }
            });
            self.tasks.spawn_quiet("stop", stop);
        }
        stopping.close();
        stopping.wait().await;
        !failed.load(Ordering::Acquire)
    }

    fn session(&self, name: &str) -> Option<Session> {
        self.session.lock().as_ref().filter(|session| session.name == name).cloned()
    }

    /// Begins a session, which is over when the connection ends or another one begins.
    async fn watch(&self, connection: &Connection) -> io::Result<()> {
        let session = {
            let _alone = self.opening.lock().await;
            let before = self.session.lock().take();
            if let Some(before) = before {
                before.end();
                before.calls.wait().await;
            }
            let session = Session {
                name: Uuid::new_v4().to_string(),
                over: CancellationToken::new(),
                calls: TaskTracker::new(),
            };
            *self.session.lock() = Some(session.clone());
            session
        };
        let told = tokio::select! {
            biased;
            () = session.over.cancelled() => Ok(()),
            told = self.tell(connection, &session.name) => told,
        };
        session.end();
        told
    }

    async fn tell(&self, connection: &Connection, session: &str) -> io::Result<()> {
        let token = self.tasks.token();
        let mut events = self.runtime.watch();
        connection.send(&News::Opened { session: session.to_owned() }).await?;
        loop {
            let event = tokio::select! {
                biased;
                () = connection.hung_up() => return Ok(()),
                () = token.cancelled() => {
                    // Nobody can find out later how the last containers ended.
                    while let Ok(event) = events.try_recv() {
                        connection.send(&News::Event(event)).await?;
                    }
                    return Ok(());
                }
                event = events.recv() => match event {
                    Ok(event) => event,
                    // What was missed is found by looking.
                    Err(RecvError::Lagged(_)) => RuntimeEvent::Resynced,
                    Err(RecvError::Closed) => return Ok(()),
                },
            };
            connection.send(&News::Event(event)).await?;
        }
    }

    /// Why nothing starts, if that is so.
    fn refusal(&self) -> Result<(), RuntimeError> {
        if !self.closing.load(Ordering::Acquire) {
            return Ok(());
        }
        let engine = format!("the {} host", self.greeting.runtime);
        Err(RuntimeError::Unavailable { engine, reason: "it is about to end".to_owned() })
    }
}

impl Session {
    /// Ends its calls, at the next point at which each can be.
    fn end(&self) {
        self.over.cancel();
        self.calls.close();
    }
}
