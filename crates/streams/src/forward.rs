//! Ports of a pod over a connection, from both of its ends.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::Role as SocketRole;

use crate::hub::{Channel, Driver, Hub, Incoming};
use crate::spdy::{Headers, Role, SpdyWire};
use crate::upgrade::ForwardProtocol;
use crate::websocket::{self, ByteTunnel, ChannelWire, Encoding};

/// Streams that a client has opened and nobody has looked at yet.
const WAITING: usize = 64;
/// How long the second of a pair of streams may take.
const PAIRING: Duration = Duration::from_secs(30);
/// How long a client may still send to a port that has nothing more to say, where neither can tell the
/// other; as long as it is elsewhere.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The most bytes of an error that are read.
const MAX_ERROR: u64 = 64 << 10;

/// The server's end: connects ports as the client asks for them.
#[derive(Clone, Debug)]
pub struct ForwardServer {
    /// How the bytes are carried.
    pub protocol: ForwardProtocol,
    /// The ports that the request names; only the channel protocols need any.
    pub ports: Vec<u16>,
}

/// One connection to a port that a client asked for.
struct Pair {
    port: u16,
    data: Channel,
    error: Channel,
}

impl ForwardServer {
    /// Connects ports until the client closes the connection.
    ///
    /// `dial` opens a connection to a port; its error is shown to the client as it is.
    ///
    /// # Errors
    /// The connection was lost, or the client broke the protocol.
    pub async fn serve<S, T, F>(
        self,
        io: S,
        dial: impl Fn(u16) -> F + Send + Sync,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = Result<T, String>> + Send,
    {
        match self.protocol {
            ForwardProtocol::Spdy => spdy(io, &dial).await,
            ForwardProtocol::Tunnel => {
                let socket = websocket::open(io, SocketRole::Server).await;
                spdy(ByteTunnel::new(socket), &dial).await
            }
            ForwardProtocol::Channels => self.channels(io, Encoding::Binary, &dial).await,
            ForwardProtocol::ChannelsBase64 => self.channels(io, Encoding::Base64, &dial).await,
        }
    }

    /// A channel for the data and one for the error of each port, both beginning with its number.
    async fn channels<S, T, F>(
        &self,
        io: S,
        encoding: Encoding,
        dial: &(impl Fn(u16) -> F + Send + Sync),
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = Result<T, String>> + Send,
    {
        let hub = Hub::new(2);
        let socket = websocket::open(io, SocketRole::Server).await;
        let wire = ChannelWire::new(socket, encoding, false, SocketRole::Server);
        let driver = Driver::new(wire, Arc::clone(&hub), None);
        let mut pairs = FuturesUnordered::new();
        for (index, port) in (0_u32..).zip(&self.ports) {
            let (data, error) = (hub.fixed(index * 2), hub.fixed(index * 2 + 1));
            pairs.push(async move {
                let mut pair = Pair { port: *port, data, error };
                let number = port.to_le_bytes();
                // A client that has gone is seen by the driver.
                if pair.data.write_all(&number).await.is_ok()
                    && pair.error.write_all(&number).await.is_ok()
                {
                    pair.join_whole(dial).await;
                }
            });
        }
        let work = async {
            while pairs.next().await.is_some() {}
            hub.finish();
        };
        let mut driver = pin!(driver.run());
        tokio::select! {
            carried = &mut driver => carried,
            () = work => driver.await,
        }
    }
}

async fn spdy<S, T, F>(io: S, dial: &(impl Fn(u16) -> F + Send + Sync)) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send,
    F: Future<Output = Result<T, String>> + Send,
{
    let (incoming, mut opening) = mpsc::channel(WAITING);
    let driver = Driver::new(SpdyWire::new(io, Role::Server), Hub::new(2), Some(incoming));
    let work = async {
        let mut waiting = Waiting::default();
        let mut work: FuturesUnordered<BoxFuture<'_, Option<String>>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(late) = work.next(), if !work.is_empty() => {
                    // A half whose other half did not come in time; joined pairs tell nothing.
                    if let Some(late) = late {
                        waiting.give_up(&late);
                    }
                }
                stream = opening.recv() => {
                    let Some(stream) = stream else { return };
                    match waiting.add(stream) {
                        Added::Pair(pair) => work.push(Box::pin(async move {
                            pair.join(dial).await;
                            None
                        })),
                        Added::First(request) => work.push(Box::pin(async move {
                            tokio::time::sleep(PAIRING).await;
                            Some(request)
                        })),
                        Added::Refused => {}
                    }
                }
            }
        }
    };
    tokio::select! {
        carried = driver.run() => carried,
        () = work => Ok(()),
    }
}

/// Streams whose other half has not been opened.
#[derive(Default)]
struct Waiting {
    halves: HashMap<String, (u16, bool, Channel)>,
}

enum Added {
    Pair(Pair),
    First(String),
    Refused,
}

impl Waiting {
    fn add(&mut self, stream: Incoming) -> Added {
        let Incoming { channel, headers } = stream;
        let is_data = match headers.text("streamtype") {
            "data" => true,
            "error" => false,
            _ => {
                channel.reset();
                return Added::Refused;
            }
        };
        let port = headers.text("port").parse::<u16>().ok().filter(|port| *port > 0);
        let Some(port) = port else {
            channel.reset();
            return Added::Refused;
        };
        let request = match headers.text("requestid") {
            // Old clients open the two streams one after the other, the error stream first.
            "" if is_data => format!("stream {}", channel.id().saturating_sub(2)),
            "" => format!("stream {}", channel.id()),
            request => request.to_owned(),
        };
        match self.halves.remove(&request) {
            None => {
                self.halves.insert(request.clone(), (port, is_data, channel));
                Added::First(request)
            }
            Some((first_port, first_is_data, first)) if first_is_data != is_data => {
                let (data, error) = if is_data { (channel, first) } else { (first, channel) };
                let port = if is_data { port } else { first_port };
                Added::Pair(Pair { port, data, error })
            }
            Some((_, _, first)) => {
                first.reset();
                channel.reset();
                Added::Refused
            }
        }
    }

    fn give_up(&mut self, request: &str) {
        if let Some((_, _, half)) = self.halves.remove(request) {
            half.reset();
        }
    }
}

impl Pair {
    /// Connects the port and moves bytes until both directions are over.
    async fn join<T, F>(mut self, dial: &(impl Fn(u16) -> F + Sync))
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: Future<Output = Result<T, String>>,
    {
        match dial(self.port).await {
            Ok(mut target) => {
                // Either end may go away at any time; both are closed then, which tells the client.
                let _moved = tokio::io::copy_bidirectional(&mut self.data, &mut target).await;
            }
            Err(message) => self.refuse(&message).await,
        }
    }

    /// Connects the port and moves bytes until it has nothing more to say. The channel protocols have
    /// no word for the end of one direction: a client learns from the end of the session that there
    /// is nothing more to read, and would wait for it for ever if the session waited for the client.
    async fn join_whole<T, F>(mut self, dial: &(impl Fn(u16) -> F + Sync))
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: Future<Output = Result<T, String>>,
    {
        let target = match dial(self.port).await {
            Ok(target) => target,
            Err(message) => return self.refuse(&message).await,
        };
        let (mut answers, mut port) = tokio::io::split(target);
        let (mut asked, mut client) = tokio::io::split(&mut self.data);
        let mut forth = pin!(async {
            let _moved = tokio::io::copy(&mut asked, &mut port).await;
            // What can no longer be written to is seen by the other direction.
            let _ended = port.shutdown().await;
        });
        let mut back = pin!(tokio::io::copy(&mut answers, &mut client));
        tokio::select! {
            _moved = &mut back => {
                let _in_time = tokio::time::timeout(LAST_WORDS, forth).await;
            }
            () = &mut forth => {
                let _moved = back.await;
            }
        }
    }

    async fn refuse(mut self, why: &str) {
        // A client that has gone needs no error.
        let _told = self.error.write_all(why.as_bytes()).await;
    }
}

/// Why a connection to a port ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The session with the server is over.
    #[error("lost connection to pod")]
    Lost(#[source] io::Error),
    /// The server could not connect to the port; the text is its own.
    #[error("{0}")]
    Refused(String),
}

/// The client's end: opens connections to ports over one session.
#[derive(Clone, Debug)]
pub struct ForwardClient {
    hub: Arc<Hub>,
}

/// One connection to a port.
#[derive(Debug)]
pub struct Forwarded {
    data: Channel,
    error: Channel,
}

impl ForwardClient {
    /// Begins a session on an upgraded connection that carries SPDY in WebSocket messages.
    pub async fn open<S>(io: S) -> (Self, Driver)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let socket = websocket::open(io, SocketRole::Client).await;
        Self::over(ByteTunnel::new(socket))
    }

    /// Begins a session on a connection that carries SPDY.
    pub fn over<S>(io: S) -> (Self, Driver)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hub = Hub::new(1);
        let driver = Driver::new(SpdyWire::new(io, Role::Client), Arc::clone(&hub), None);
        (Self { hub }, driver)
    }

    /// Opens a connection to a port. `request` tells it from the others of the session.
    ///
    /// # Errors
    /// [`ForwardError::Lost`].
    pub fn connect(&self, port: u16, request: u64) -> Result<Forwarded, ForwardError> {
        let headers = |kind: &str| {
            Headers::new()
                .with("streamtype", kind)
                .with("port", port.to_string())
                .with("requestid", request.to_string())
        };
        let error = self.hub.open(headers("error")).map_err(ForwardError::Lost)?;
        let data = self.hub.open(headers("data")).map_err(ForwardError::Lost)?;
        Ok(Forwarded { data, error })
    }
}

impl Forwarded {
    /// Moves bytes between `local` and the port until both directions are over.
    ///
    /// # Errors
    /// [`ForwardError::Refused`] if the server could not connect to the port,
    /// [`ForwardError::Lost`] if the session ended.
    pub async fn join<T>(mut self, local: &mut T) -> Result<(), ForwardError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        // Nothing is ever said on it from this side.
        self.error.shutdown().await.map_err(ForwardError::Lost)?;
        let (mut text, error) = (Vec::new(), self.error);
        let refused = async {
            // A session that is lost ends the stream too, which the other branch tells.
            let _read = error.take(MAX_ERROR).read_to_end(&mut text).await;
            if text.is_empty() {
                std::future::pending::<()>().await;
            }
        };
        let moved = tokio::select! {
            biased;
            () = refused => None,
            moved = tokio::io::copy_bidirectional(&mut self.data, local) => Some(moved),
        };
        match moved {
            None => Err(ForwardError::Refused(String::from_utf8_lossy(&text).into_owned())),
            // Which side broke off does not matter: both are closed.
            Some(_) => Ok(()),
        }
    }
}
