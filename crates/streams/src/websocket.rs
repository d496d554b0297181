//! Channels and plain bytes in WebSocket messages.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use futures::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::hub::{In, Out, Wire};

/// The most bytes of a message: what the standard clients may send at once.
const MAX_MESSAGE: usize = 16 << 20;
/// The channel on which a peer tells that it closed another one.
const CLOSE: u8 = 255;
/// The most bytes that a tunnel puts into one message.
const MAX_TUNNELLED: usize = 32 << 10;

/// How channels are told apart in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The channel's number is the first byte of a binary message.
    Binary,
    /// The channel's number is a digit before the base64 form of the bytes, in a text message.
    Base64,
}

pub(crate) async fn open<S>(io: S, role: Role) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    WebSocketStream::from_raw_socket(io, role, Some(config)).await
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// The next message with bytes in it; `None` once the peer has closed.
fn poll_message<S>(
    socket: &mut WebSocketStream<S>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        return Poll::Ready(match ready!(Pin::new(&mut *socket).poll_next(cx)) {
            // Many clients go without a good-bye.
            None
            | Some(
                Ok(Message::Close(_))
                | Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)),
            ) => Ok(None),
            Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Err(error)) => Err(broken(error)),
        });
    }
}

/// Channels in WebSocket messages.
pub(crate) struct ChannelWire<S> {
    socket: WebSocketStream<S>,
    encoding: Encoding,
    /// Whether the peer can tell the end of a channel (from version 5 on).
    closes: bool,
    /// Whether this side can: only clients do.
    client: bool,
    farewell: bool,
}

impl<S> fmt::Debug for ChannelWire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelWire").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

impl<S> ChannelWire<S> {
    pub(crate) fn new(
        socket: WebSocketStream<S>,
        encoding: Encoding,
        closes: bool,
        role: Role,
    ) -> Self {
        let client = role == Role::Client;
        Self { socket, encoding, closes, client, farewell: false }
    }

    fn decode(&self, message: &Bytes) -> io::Result<Option<In>> {
        let Some((&channel, bytes)) = message.split_first() else { return Ok(None) };
        match self.encoding {
            Encoding::Base64 => {
                let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                let bytes = STANDARD.decode(bytes).map_err(invalid)?;
                let Some(channel) = char::from(channel).to_digit(10) else { return Ok(None) };
                Ok(Some(In::Data(channel, bytes.into(), false)))
            }
            Encoding::Binary if channel == CLOSE && self.closes => {
                Ok(bytes.first().map(|closed| In::Data(u32::from(*closed), Bytes::new(), true)))
            }
            Encoding::Binary => Ok(Some(In::Data(u32::from(channel), message.slice(1..), false))),
        }
    }

    fn encode(&self, out: Out) -> Option<Message> {
        let Out::Data(id, bytes, last) = out else { return None };
        let channel = u8::try_from(id).ok()?;
        if last && bytes.is_empty() {
            let close = Bytes::copy_from_slice(&[CLOSE, channel]);
            return (self.closes && self.client).then_some(Message::Binary(close));
        }
        Some(match self.encoding {
            Encoding::Binary => {
                let mut message = Vec::with_capacity(bytes.len() + 1);
                message.push(channel);
                message.extend_from_slice(&bytes);
                Message::Binary(message.into())
            }
            Encoding::Base64 => {
                Message::Text(format!("{channel}{}", STANDARD.encode(bytes)).into())
            }
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for ChannelWire<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_ready(cx).map_err(broken)
    }

    fn send(&mut self, out: Out) -> io::Result<()> {
        match self.encode(out) {
            Some(message) => Pin::new(&mut self.socket).start_send(message).map_err(broken),
            None => Ok(()),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<In>>> {
        loop {
            let Some(message) = ready!(poll_message(&mut self.socket, cx))? else {
                return Poll::Ready(Ok(None));
            };
            if let Some(received) = self.decode(&message)? {
                return Poll::Ready(Ok(Some(received)));
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.farewell {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
            self.farewell = true;
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let close = Message::Close(Some(frame));
            Pin::new(&mut self.socket).start_send(close).map_err(broken)?;
        }
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }
}

/// Plain bytes in the binary messages of a WebSocket connection.
pub struct ByteTunnel<S> {
    socket: WebSocketStream<S>,
    received: VecDeque<Bytes>,
    closing: bool,
}

impl<S> fmt::Debug for ByteTunnel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteTunnel").finish_non_exhaustive()
    }
}

impl<S> ByteTunnel<S> {
    pub(crate) fn new(socket: WebSocketStream<S>) -> Self {
        Self { socket, received: VecDeque::new(), closing: false }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteTunnel<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(front) = self.received.front_mut() {
                let length = front.len().min(buffer.remaining());
                buffer.put_slice(&front[..length]);
                front.advance(length);
                if front.is_empty() {
                    self.received.pop_front();
                }
                return Poll::Ready(Ok(()));
            }
            match ready!(poll_message(&mut self.socket, cx))? {
                None => return Poll::Ready(Ok(())),
                Some(bytes) if bytes.is_empty() => {}
                Some(bytes) => self.received.push_back(bytes),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteTunnel<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let length = bytes.len().min(MAX_TUNNELLED);
        let message = Message::Binary(Bytes::copy_from_slice(&bytes[..length]));
        Pin::new(&mut self.socket).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
            self.closing = true;
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let close = Message::Close(Some(frame));
            Pin::new(&mut self.socket).start_send(close).map_err(broken)?;
        }
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }
}
