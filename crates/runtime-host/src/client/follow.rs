//! Staying in touch with the host: sessions, events, and another host when one is gone.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{debug, info, warn};
use wk_runtime::{ContainerExit, ContainerId, ContainerStatus, ExitReason, RuntimeEvent};

use super::link::{Link, greeted};
use super::{AT_ONCE, ConnectError, RemoteConfig, Shared, is_absent, within};
use crate::frame::Connection;
use crate::wire::{Answer, Call, Greeting, News, PROTOCOL, Parting, Request};

/// How often a host that ends, or comes up, is tried before that is an error.
const TRIES: usize = 10;
/// How long to wait before a host is tried again: at first, and at most.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// The code of containers of which nobody knows how they ended, as with other engines.
const CODE_UNKNOWN: i32 = 255;

/// A session that has begun.
pub(super) struct Opened {
    connection: Connection,
    pub(super) greeting: Greeting,
    link: Arc<Link>,
}

/// What became of one attempt to begin a session.
enum Failed {
    /// Another one may do better.
    Now(ConnectError),
    /// It is of no use.
    ForGood(ConnectError),
}

/// Begins a session with the host, which is started where there is none.
///
/// # Errors
/// [`ConnectError`].
pub(super) async fn open(config: &RemoteConfig) -> Result<Opened, ConnectError> {
    let mut delay = FIRST_RETRY;
    for _ in 1..TRIES {
        match attempt(config).await {
            Ok(opened) => return Ok(opened),
            Err(Failed::ForGood(error)) => return Err(error),
            Err(Failed::Now(error)) => debug!(%error, "host not met, trying again"),
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_RETRY);
    }
    attempt(config).await.map_err(|failed| match failed {
        Failed::Now(error) | Failed::ForGood(error) => error,
    })
}

async fn attempt(config: &RemoteConfig) -> Result<Opened, Failed> {
    let lost = |source| {
        let socket = config.socket.clone();
        Failed::Now(ConnectError::Io { runtime: config.name, socket, source })
    };
    let (connection, greeting) = match within(AT_ONCE, greeted(&config.socket)).await {
        Err(error) if is_absent(&error) => {
            let Some(launch) = &config.launch else { return Err(lost(error)) };
            info!(runtime = config.name, "starting a host");
            launch.launch().await.map_err(|source| {
                Failed::Now(ConnectError::Launch { runtime: config.name, source })
            })?;
            within(AT_ONCE, greeted(&config.socket)).await
        }
        met => met,
    }
    .map_err(lost)?;
    if greeting.runtime != config.name {
        return Err(Failed::ForGood(ConnectError::OtherRuntime {
            socket: config.socket.clone(),
            found: greeting.runtime,
            wanted: config.name,
        }));
    }
    if greeting.version != config.version || greeting.protocol != PROTOCOL {
        let parting = async {
            connection.send(&Request::Retire).await?;
            connection.expect().await
        };
        match within(AT_ONCE, parting).await.map_err(lost)? {
            Parting::Ending => {
                info!(version = greeting.version, "a host of another version gives way");
                let gone = async {
                    connection.hung_up().await;
                    Ok(())
                };
                within(AT_ONCE, gone).await.map_err(lost)?;
                return Err(lost(io::ErrorKind::ConnectionReset.into()));
            }
            Parting::InUse { .. } if greeting.protocol == PROTOCOL => {
                info!(version = greeting.version, "a host of another version has containers");
            }
            Parting::InUse { containers } => {
                return Err(Failed::ForGood(ConnectError::Protocol {
                    runtime: config.name,
                    socket: config.socket.clone(),
                    version: greeting.version,
                    pid: greeting.pid,
                    containers,
                }));
            }
        }
    }
    within(AT_ONCE, begin(config, connection, greeting)).await.map_err(lost)
}

async fn begin(
    config: &RemoteConfig,
    connection: Connection,
    greeting: Greeting,
) -> io::Result<Opened> {
    connection.send(&Request::Watch).await?;
    let News::Opened { session } = connection.expect().await? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it did not begin a session"));
    };
    let link = Arc::new(Link::new(&config.socket, session));
    Ok(Opened { connection, greeting, link })
}

/// Follows a session, and those after it, until cancelled.
pub(super) async fn run(shared: Arc<Shared>, mut opened: Opened) {
    let token = shared.tasks.token();
    let following = async {
        loop {
            let reason = shared.follow(&opened.connection).await;
            warn!(reason, runtime = shared.config.name, "host went away");
            shared.lose(reason);
            // Before another one is started, all is to be over with the old one.
            drop(opened);
            opened = shared.open_again().await;
        }
    };
    let _ended: Option<std::convert::Infallible> =
        token.run_until_cancelled(Box::pin(following)).await;
    shared.lose("this process is about to end".to_owned());
}

impl Shared {
    /// Begins to use a session. What ran before and does not any more is told to have ended; then all
    /// are told to look again.
    ///
    /// # Errors
    /// If the host is gone already.
    pub(super) async fn adopt(&self, opened: &Opened) -> Result<(), ConnectError> {
        let failed = |source| {
            let socket = self.config.socket.clone();
            ConnectError::Io { runtime: self.config.name, socket, source }
        };
        let listed = within(AT_ONCE, opened.link.ask(Call::List)).await.map_err(failed)?;
        let Answer::Containers(containers) = listed else {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it lists nothing")));
        };
        let listed: HashSet<ContainerId> = containers.iter().map(|one| one.id.clone()).collect();
        let still = containers.into_iter().filter(|one| one.status == ContainerStatus::Running);
        let lost: Vec<ContainerId> = {
            let mut known = self.known.lock();
            // Of one that is being started its start tells.
            let lost = known.extract_if(|id, started| *started && !listed.contains(id));
            let lost = lost.map(|(id, _)| id).collect();
            known.extend(still.map(|container| (container.id, true)));
            lost
        };
        for id in lost {
            self.tell_lost(id);
        }
        *self.greeting.write() = opened.greeting.clone();
        *self.link.write() = Some(Arc::clone(&opened.link));
        *self.fault.write() = None;
        let greeting = &opened.greeting;
        info!(version = greeting.version, pid = greeting.pid, "in touch with the host");
        // Nobody listening is fine.
        let _receivers = self.events.send(RuntimeEvent::Resynced);
        Ok(())
    }

    fn tell_lost(&self, id: ContainerId) {
        let exit = ContainerExit {
            code: CODE_UNKNOWN,
            reason: ExitReason::Unknown,
            message: format!("the {} host that ran it is gone", self.config.name),
            finished_at: SystemTime::now(),
        };
        // Nobody listening is fine.
        let _receivers = self.events.send(RuntimeEvent::Exited { id, exit });
    }

    /// Hands events on until the session ends, for the reason told.
    async fn follow(&self, connection: &Connection) -> String {
        loop {
            match connection.receive::<News>().await {
                Ok(Some((News::Event(event), _))) => {
                    if let RuntimeEvent::Exited { id, .. } = &event {
                        self.known.lock().remove(id);
                    }
                    // Nobody listening is fine.
                    let _receivers = self.events.send(event);
                }
                Ok(Some((News::Opened { .. }, _))) => {}
                Ok(None) => return "it ended".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    }

    fn lose(&self, reason: String) {
        *self.fault.write() = Some(reason);
        *self.link.write() = None;
    }

    /// Begins another session, as soon as that can be.
    async fn open_again(&self) -> Opened {
        let mut delay = FIRST_RETRY;
        loop {
            let outcome = match attempt(&self.config).await {
                Ok(opened) => self.adopt(&opened).await.map(|()| opened),
                Err(Failed::Now(error) | Failed::ForGood(error)) => Err(error),
            };
            match outcome {
                Ok(opened) => return opened,
                Err(error) => {
                    let mut reason = error.to_string();
                    let mut source = std::error::Error::source(&error);
                    while let Some(cause) = source {
                        reason.push_str(": ");
                        reason.push_str(&cause.to_string());
                        source = cause.source();
                    }
                    debug!(reason, "host not met, trying again");
                    *self.fault.write() = Some(reason);
                }
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_RETRY);
        }
    }
}
