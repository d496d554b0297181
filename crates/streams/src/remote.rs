//! The standard streams of a program over a connection, from both of its ends.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::protocol::Role as SocketRole;

use crate::hub::{Channel, Driver, Hub, Incoming};
use crate::spdy::{Role, SpdyWire};
use crate::status::Outcome;
use crate::upgrade::RemoteProtocol;
use crate::websocket::{self, ChannelWire};

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const ERROR: u32 = 3;
const RESIZE: u32 = 4;

/// How long a client of SPDY may take to open its streams.
const OPENING: Duration = Duration::from_secs(30);
/// The most streams that a client of SPDY opens for one program.
const STREAMS: usize = 8;
/// The most bytes of a size that has not come in completely.
const MAX_SIZE: usize = 1024;

/// Which streams of a program are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSet {
    /// Its standard input.
    pub stdin: bool,
    /// Its standard output.
    pub stdout: bool,
    /// Its standard error.
    pub stderr: bool,
    /// Whether it has a terminal, whose size is told.
    pub tty: bool,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Lines.
    pub height: u16,
}

/// The streams of a program as its server holds them.
#[derive(Debug)]
pub struct RemoteEnds {
    /// To be read by the program, if it was asked for.
    pub stdin: Option<Channel>,
    /// To be written by the program, if it was asked for.
    pub stdout: Option<Channel>,
    /// To be written by the program, if it was asked for.
    pub stderr: Option<Channel>,
    /// The last size that the client told.
    pub size: watch::Receiver<Option<Size>>,
}

/// The server's end of a session with a program.
#[derive(Clone, Copy, Debug)]
pub struct RemoteServer {
    /// How the streams are carried.
    pub protocol: RemoteProtocol,
    /// Which streams the client asked for.
    pub streams: StreamSet,
}

/// The channels of a session, and what moves them.
struct Opened {
    stdin: Option<Channel>,
    stdout: Option<Channel>,
    stderr: Option<Channel>,
    error: Channel,
    resize: Option<Channel>,
}

impl RemoteServer {
    /// Runs a program with its streams connected to `io`, tells the client how it ended and closes.
    ///
    /// If the connection is lost, `program` is dropped where it is.
    ///
    /// # Errors
    /// The connection was lost, or the client did not open the streams that it had asked for.
    pub async fn serve<S, F>(
        self,
        io: S,
        program: impl FnOnce(RemoteEnds) -> F + Send,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Outcome> + Send,
    {
        let hub = Hub::new(2);
        if self.protocol.is_spdy() {
            let (incoming, opening) = mpsc::channel(STREAMS);
            let wire = SpdyWire::new(io, Role::Server);
            let driver = Driver::new(wire, Arc::clone(&hub), Some(incoming));
            let opened = self.collect(opening);
            return self.run(&hub, driver, opened, program).await;
        }
        let socket = websocket::open(io, SocketRole::Server).await;
        let closes = self.protocol == RemoteProtocol::V5;
        let wire = ChannelWire::new(socket, self.protocol.encoding(), closes, SocketRole::Server);
        let StreamSet { stdin, stdout, stderr, tty } = self.streams;
        let opened = Opened {
            stdin: stdin.then(|| hub.fixed(STDIN)),
            stdout: stdout.then(|| hub.fixed(STDOUT)),
            stderr: stderr.then(|| hub.fixed(STDERR)),
            error: hub.fixed(ERROR),
            resize: tty.then(|| hub.fixed(RESIZE)),
        };
        let first = opened.stdout.as_ref().or(opened.stderr.as_ref());
        first.unwrap_or(&opened.error).hello();
        let driver = Driver::new(wire, Arc::clone(&hub), None);
        self.run(&hub, driver, async { Ok(opened) }, program).await
    }

    async fn run<F>(
        self,
        hub: &Hub,
        driver: Driver,
        opened: impl Future<Output = io::Result<Opened>> + Send,
        program: impl FnOnce(RemoteEnds) -> F + Send,
    ) -> io::Result<()>
    where
        F: Future<Output = Outcome> + Send,
    {
        let session = async {
            let opened = match opened.await {
                Ok(opened) => opened,
                Err(error) => {
                    hub.finish();
                    return Err(error);
                }
            };
            let Opened { stdin, stdout, stderr, mut error, resize } = opened;
            let (sizes, size) = watch::channel(None);
            let told = async {
                match resize {
                    Some(resize) => follow_sizes(resize, &sizes).await,
                    None => std::future::pending().await,
                }
            };
            let program = program(RemoteEnds { stdin, stdout, stderr, size });
            let outcome = tokio::select! {
                outcome = program => outcome,
                never = told => match never {},
            };
            let last = if self.protocol.tells_status() {
                outcome.to_status().to_string()
            } else {
                outcome.text()
            };
            // A client that has gone is seen by the driver.
            let _told = error.write_all(last.as_bytes()).await;
            drop(error);
            hub.finish();
            Ok(())
        };
        let mut driver = pin!(driver.run());
        tokio::select! {
            carried = &mut driver => carried,
            ended = session => {
                driver.await?;
                ended
            }
        }
    }

    /// Waits for the streams that a client of SPDY opens one after another.
    async fn collect(self, mut opening: mpsc::Receiver<Incoming>) -> io::Result<Opened> {
        let StreamSet { stdin, stdout, stderr, tty } = self.streams;
        let sized = tty && self.protocol != RemoteProtocol::SpdyV2;
        let expected = 1 + [stdin, stdout, stderr, sized].into_iter().filter(|one| *one).count();
        let mut found: [Option<Channel>; 5] = [const { None }; 5];
        let collect = async {
            while found.iter().flatten().count() < expected {
                let Some(stream) = opening.recv().await else { break };
                let place = match stream.headers.text("streamtype") {
                    "stdin" => STDIN,
                    "stdout" => STDOUT,
                    "stderr" => STDERR,
                    "error" => ERROR,
                    "resize" => RESIZE,
                    other => {
                        let message = format!("invalid stream type `{other}`");
                        stream.channel.reset();
                        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                    }
                };
                found[place as usize] = Some(stream.channel);
            }
            Ok(())
        };
        match tokio::time::timeout(OPENING, collect).await {
            Ok(collected) => collected?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        let [stdin, stdout, stderr, error, resize] = found;
        let error = error.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok(Opened { stdin, stdout, stderr, error, resize })
    }
}

/// Hands on the sizes that the client tells, for ever.
async fn follow_sizes(
    mut resize: Channel,
    sizes: &watch::Sender<Option<Size>>,
) -> std::convert::Infallible {
    let mut held = Vec::new();
    let mut space = [0; 256];
    while let Ok(count @ 1..) = resize.read(&mut space).await {
        held.extend_from_slice(&space[..count]);
        let mut found = serde_json::Deserializer::from_slice(&held).into_iter::<Size>();
        let mut broken = false;
        loop {
            match found.next() {
                Some(Ok(size)) => {
                    sizes.send_replace(Some(size));
                }
                Some(Err(error)) => {
                    broken = !error.is_eof();
                    break;
                }
                None => break,
            }
        }
        let used = found.byte_offset();
        held.drain(..used);
        if broken || held.len() > MAX_SIZE {
            break;
        }
    }
    std::future::pending().await
}

/// The client's end of a session with a program, over WebSocket.
#[derive(Debug)]
pub struct RemoteClient {
    /// To be written: what the program reads. Shutting it down ends the program's input, where the
    /// protocol can tell.
    pub stdin: Option<Channel>,
    /// To be read: the program's standard output.
    pub stdout: Option<Channel>,
    /// To be read: the program's standard error.
    pub stderr: Option<Channel>,
    /// To be read: how it ended, for [`Outcome::from_status`].
    pub error: Channel,
    resize: Option<Channel>,
}

impl RemoteClient {
    /// Begins a session on an upgraded connection.
    pub async fn open<S>(io: S, protocol: RemoteProtocol, streams: StreamSet) -> (Self, Driver)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hub = Hub::new(1);
        let client = Self {
            stdin: streams.stdin.then(|| hub.fixed(STDIN)),
            stdout: streams.stdout.then(|| hub.fixed(STDOUT)),
            stderr: streams.stderr.then(|| hub.fixed(STDERR)),
            error: hub.fixed(ERROR),
            resize: streams.tty.then(|| hub.fixed(RESIZE)),
        };
        let socket = websocket::open(io, SocketRole::Client).await;
        let closes = protocol == RemoteProtocol::V5;
        let wire = ChannelWire::new(socket, protocol.encoding(), closes, SocketRole::Client);
        (client, Driver::new(wire, hub, None))
    }

    /// Takes the writer of sizes out, if there is a terminal.
    pub fn take_sizes(&mut self) -> Option<SizeSender> {
        self.resize.take().map(SizeSender)
    }
}

/// Tells the size of the client's terminal.
#[derive(Debug)]
pub struct SizeSender(Channel);

impl SizeSender {
    /// Tells a size.
    ///
    /// # Errors
    /// The session is over.
    pub async fn tell(&mut self, size: Size) -> io::Result<()> {
        let text = serde_json::to_vec(&size)?;
        self.0.write_all(&text).await
    }
}
