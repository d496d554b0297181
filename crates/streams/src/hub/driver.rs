//! What moves the bytes between a hub and the wire.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Hub, Incoming, MAX_UNREAD, Wire};

/// How long a connection may carry nothing, as for kubelets everywhere.
const IDLE: Duration = Duration::from_hours(4);
/// How long a peer may take to take the last bytes and to close its side.
const LINGER: Duration = Duration::from_secs(5);

/// Moves the bytes of a session; nothing flows unless [`Driver::run`] is polled.
pub struct Driver {
    wire: Box<dyn Wire>,
    hub: Arc<Hub>,
    incoming: Option<mpsc::Sender<Incoming>>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Driver {
    pub(crate) fn new(
        wire: impl Wire + 'static,
        hub: Arc<Hub>,
        incoming: Option<mpsc::Sender<Incoming>>,
    ) -> Self {
        Self { wire: Box::new(wire), hub, incoming }
    }

    /// Runs until the peer closes the connection, or this side has finished and everything is sent.
    ///
    /// # Errors
    /// The connection broke, the peer broke the protocol, or nothing was carried for four hours.
    pub async fn run(mut self) -> io::Result<()> {
        let ended = self.carry().await;
        self.hub.close();
        if matches!(ended, Ok(End::Finished)) {
            // The other side may be sending still; a connection closed under it loses our bytes.
            let farewell = async {
                poll_fn(|cx| self.wire.poll_close(cx)).await?;
                while poll_fn(|cx| self.wire.poll_receive(cx)).await?.is_some() {}
                io::Result::Ok(())
            };
            // A peer that does not close its side in time, or badly, has its answer all the same.
            let _lingered = tokio::time::timeout(LINGER, farewell).await;
        }
        ended.map(|_| ())
    }

    async fn carry(&mut self) -> io::Result<End> {
        let mut last = Instant::now();
        let idle = tokio::time::sleep_until(last + IDLE);
        tokio::pin!(idle);
        let Self { wire, hub, incoming } = self;
        poll_fn(|cx| {
            hub.state.lock().driver = Some(cx.waker().clone());
            let mut busy = false;
            let ended = loop {
                let mut moved = false;
                while !hub.state.lock().out.is_empty() && wire.poll_ready(cx)?.is_ready() {
                    let Some(out) = hub.pop() else { break };
                    wire.send(out)?;
                    moved = true;
                }
                let full = hub.state.lock().unread >= MAX_UNREAD;
                if !full && let Poll::Ready(received) = wire.poll_receive(cx)? {
                    let Some(received) = received else { break Some(End::Closed) };
                    hub.receive(received, incoming.as_ref());
                    moved = true;
                }
                // Last, because what came in may have been answered by the wire itself.
                let flushed = wire.poll_flush(cx)?.is_ready();
                let state = hub.state.lock();
                if state.finishing && state.out.is_empty() && flushed {
                    break Some(End::Finished);
                }
                drop(state);
                busy |= moved;
                if !moved {
                    break None;
                }
            };
            if let Some(end) = ended {
                return Poll::Ready(Ok(end));
            }
            if busy {
                last = Instant::now();
            }
            while idle.as_mut().poll(cx).is_ready() {
                if last.elapsed() >= IDLE {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                idle.as_mut().reset(last + IDLE);
            }
            Poll::Pending
        })
        .await
    }
}

/// Why a session is over.
#[derive(Debug)]
enum End {
    /// This side has said all it had to say.
    Finished,
    /// The peer has closed.
    Closed,
}
