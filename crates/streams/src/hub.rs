//! Many byte streams over one connection, whatever its wire format.
//!
//! A [`Hub`] holds what was received and not read yet, and what was written and not sent yet, both
//! bounded. Users hold [`Channel`]s; a single [`Driver`] future moves bytes between the hub and the
//! wire. A full receive buffer stops reading from the connection, so that a slow reader slows its
//! peer down; a full send buffer makes writers wait.

mod driver;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::spdy::Headers;

pub use self::driver::Driver;

/// Received bytes that nobody has read, over all channels, from which on no more are received.
const MAX_UNREAD: usize = 1 << 20;
/// Written bytes that are not sent, over all channels, from which on writers wait.
const MAX_UNSENT: usize = 256 << 10;
/// The most bytes that one frame carries.
const MAX_CHUNK: usize = 32 << 10;

/// What a user of the hub wants on the wire.
#[derive(Debug)]
pub(crate) enum Out {
    /// A channel is opened by this side.
    Open(u32, Headers),
    /// Bytes of a channel; the last ones if set.
    Data(u32, Bytes, bool),
    /// A channel is given up.
    Reset(u32),
    /// So many bytes of a channel were read.
    Consumed(u32, usize),
}

/// What came in on the wire.
#[derive(Debug)]
pub(crate) enum In {
    /// The peer opened a channel.
    Opened(u32, Headers),
    /// The peer took a channel that this side opened.
    Accepted(u32),
    /// Bytes of a channel; the last ones if set.
    Data(u32, Bytes, bool),
    /// The peer gave a channel up.
    Reset(u32),
}

/// A wire format over a connection.
pub(crate) trait Wire: Send + Unpin {
    /// Whether [`Wire::send`] may be called.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Puts something into the send buffer.
    fn send(&mut self, out: Out) -> io::Result<()>;
    /// Empties the send buffer.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// The next thing that came in; `None` once the peer has closed.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<In>>>;
    /// Says good-bye.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

#[derive(Debug, Default)]
struct State {
    channels: HashMap<u32, Half>,
    /// The identifier of the next channel that this side opens.
    next: u32,
    unread: usize,
    out: VecDeque<Out>,
    unsent: usize,
    driver: Option<Waker>,
    writers: Vec<Waker>,
    finishing: bool,
    closed: bool,
}

/// What the hub knows of one channel.
#[derive(Debug, Default)]
struct Half {
    input: VecDeque<Bytes>,
    /// Read and not yet told to the peer.
    consumed: usize,
    /// The peer will send no more.
    ended: bool,
    /// The peer gave the channel up.
    reset: bool,
    /// The peer has not taken the channel yet.
    pending: bool,
    /// This side has sent its last bytes.
    finished: bool,
    /// Nobody reads any more.
    unheard: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The meeting place of channels and driver.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

impl Hub {
    /// A hub whose own channels are numbered from `first` on, in steps of two.
    pub(crate) fn new(first: u32) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { next: first, ..State::default() }) })
    }

    /// A channel that both sides know without opening it.
    pub(crate) fn fixed(self: &Arc<Self>, id: u32) -> Channel {
        self.state.lock().channels.insert(id, Half::default());
        Channel { hub: Arc::clone(self), id }
    }

    /// Opens a channel. Writing waits until the peer has taken it.
    pub(crate) fn open(self: &Arc<Self>, headers: Headers) -> io::Result<Channel> {
        let mut state = self.state.lock();
        if state.closed || state.next > i32::MAX.unsigned_abs() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let id = state.next;
        state.next += 2;
        state.channels.insert(id, Half { pending: true, ..Half::default() });
        state.push(Out::Open(id, headers));
        Ok(Channel { hub: Arc::clone(self), id })
    }

    /// Lets the driver end once everything written has been sent.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.finishing = true;
        wake(&mut state.driver);
    }

    fn receive(self: &Arc<Self>, received: In, incoming: Option<&mpsc::Sender<Incoming>>) {
        let mut state = self.state.lock();
        match received {
            In::Opened(id, headers) => {
                state.channels.insert(id, Half::default());
                drop(state);
                let channel = Channel { hub: Arc::clone(self), id };
                let refused = match incoming {
                    Some(incoming) => incoming.try_send(Incoming { channel, headers }).err(),
                    None => return channel.reset(),
                };
                if let Some(
                    mpsc::error::TrySendError::Full(stream)
                    | mpsc::error::TrySendError::Closed(stream),
                ) = refused
                {
                    stream.channel.reset();
                }
            }
            In::Accepted(id) => {
                if let Some(half) = state.channels.get_mut(&id) {
                    half.pending = false;
                    wake(&mut half.writer);
                }
            }
            In::Data(id, bytes, last) => {
                let Some(half) = state.channels.get_mut(&id) else { return };
                let length = bytes.len();
                half.ended |= last;
                wake(&mut half.reader);
                if half.unheard {
                    let over = half.finished && half.ended;
                    if over {
                        state.channels.remove(&id);
                    } else if length > 0 {
                        state.push(Out::Consumed(id, length));
                    }
                } else if length > 0 {
                    half.input.push_back(bytes);
                    state.unread += length;
                }
            }
            In::Reset(id) => {
                if let Some(half) = state.channels.get_mut(&id) {
                    half.ended = true;
                    half.reset = true;
                    half.finished = true;
                    wake(&mut half.reader);
                    wake(&mut half.writer);
                    if half.unheard {
                        state.channels.remove(&id);
                    }
                }
            }
        }
    }

    /// Ends every channel: the connection is gone.
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.out.clear();
        for half in state.channels.values_mut() {
            half.ended = true;
            wake(&mut half.reader);
            wake(&mut half.writer);
        }
        state.wake_writers();
    }

    fn pop(&self) -> Option<Out> {
        let mut state = self.state.lock();
        let out = state.out.pop_front()?;
        if let Out::Data(_, bytes, _) = &out {
            let full = state.unsent >= MAX_UNSENT;
            state.unsent -= bytes.len();
            if full && state.unsent < MAX_UNSENT {
                state.wake_writers();
            }
        }
        Some(out)
    }
}

impl State {
    fn push(&mut self, out: Out) {
        if self.closed {
            return;
        }
        if let Out::Data(_, bytes, _) = &out {
            self.unsent += bytes.len();
        }
        self.out.push_back(out);
        wake(&mut self.driver);
    }

    fn wake_writers(&mut self) {
        for writer in self.writers.drain(..) {
            writer.wake();
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// A channel that the peer opened.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) channel: Channel,
    pub(crate) headers: Headers,
}

/// One byte stream of a session, in both directions.
///
/// Shutting it down ends this side's half; dropping it too, and what the peer still sends is then
/// thrown away. Reads end when the peer ends its half or when the connection is gone.
pub struct Channel {
    hub: Arc<Hub>,
    id: u32,
}

impl Channel {
    /// The number of the channel on its connection.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Gives the channel up in both directions.
    pub fn reset(self) {
        let mut state = self.hub.state.lock();
        if let Some(half) = state.channels.get_mut(&self.id)
            && !half.reset
        {
            half.finished = true;
            half.ended = true;
            let id = self.id;
            state.push(Out::Reset(id));
        }
    }

    /// Sends an empty piece, which tells a client that the session has begun.
    pub(crate) fn hello(&self) {
        let mut state = self.hub.state.lock();
        state.push(Out::Data(self.id, Bytes::new(), false));
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let mut state = self.hub.state.lock();
        let State { channels, unread, .. } = &mut *state;
        let Some(half) = channels.get_mut(&self.id) else { return };
        half.unheard = true;
        let discarded: usize = half.input.drain(..).map(|bytes| bytes.len()).sum();
        *unread -= discarded;
        let (unfinished, ended) = (!half.finished, half.ended);
        half.finished = true;
        if ended {
            channels.remove(&self.id);
        }
        if unfinished {
            state.push(Out::Data(self.id, Bytes::new(), true));
        }
        if discarded > 0 && !ended {
            state.push(Out::Consumed(self.id, discarded));
        }
        wake(&mut state.driver);
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.hub.state.lock();
        let State { channels, unread, .. } = &mut *state;
        let Some(half) = channels.get_mut(&self.id) else { return Poll::Ready(Ok(())) };
        let Some(front) = half.input.front_mut() else {
            if half.ended {
                return Poll::Ready(Ok(()));
            }
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let length = front.len().min(buffer.remaining());
        buffer.put_slice(&front[..length]);
        front.advance(length);
        if front.is_empty() {
            half.input.pop_front();
        }
        let was_full = *unread >= MAX_UNREAD;
        *unread -= length;
        half.consumed += length;
        let told = if half.ended { 0 } else { half.consumed };
        if told >= MAX_CHUNK / 2 {
            half.consumed = 0;
            state.push(Out::Consumed(self.id, told));
        }
        if was_full {
            wake(&mut state.driver);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.hub.state.lock();
        let closed = state.closed;
        let Some(half) = state.channels.get_mut(&self.id).filter(|half| !half.finished && !closed)
        else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if half.pending {
            half.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if state.unsent >= MAX_UNSENT {
            if !state.writers.iter().any(|writer| writer.will_wake(cx.waker())) {
                state.writers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let length = bytes.len().min(MAX_CHUNK);
        state.push(Out::Data(self.id, Bytes::copy_from_slice(&bytes[..length]), false));
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The driver sends without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.hub.state.lock();
        if let Some(half) = state.channels.get_mut(&self.id)
            && !half.finished
        {
            half.finished = true;
            state.push(Out::Data(self.id, Bytes::new(), true));
        }
        Poll::Ready(Ok(()))
    }
}
