//! A [`Session`] over a connection.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::session::{Event, Role, Session};
use crate::hub::{In, Out, Wire};

/// Bytes to be sent from which on nothing is added.
const HIGH: usize = 128 << 10;
/// Bytes read at a time.
const READ: usize = 16 << 10;

/// SPDY frames over a connection.
pub(crate) struct SpdyWire<S> {
    io: S,
    session: Session,
    input: BytesMut,
    output: BytesMut,
    received: VecDeque<In>,
    ended: bool,
}

impl<S> fmt::Debug for SpdyWire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpdyWire").field("session", &self.session).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> SpdyWire<S> {
    pub(crate) fn new(io: S, role: Role) -> Self {
        Self {
            io,
            session: Session::new(role),
            input: BytesMut::new(),
            output: BytesMut::new(),
            received: VecDeque::new(),
            ended: false,
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, until: usize) -> Poll<io::Result<()>> {
        while self.output.len() > until {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &self.output))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Opened { id, headers, last } => {
                self.received.push_back(In::Opened(id, headers));
                if last {
                    self.received.push_back(In::Data(id, Bytes::new(), true));
                }
            }
            Event::Accepted { id, last } => {
                self.received.push_back(In::Accepted(id));
                if last {
                    self.received.push_back(In::Data(id, Bytes::new(), true));
                }
            }
            Event::Data { id, bytes, last } => self.received.push_back(In::Data(id, bytes, last)),
            Event::Reset { id } => self.received.push_back(In::Reset(id)),
            // Its streams go on, and it closes the connection when they are over.
            Event::GoAway => {}
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for SpdyWire<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(cx, HIGH)
    }

    fn send(&mut self, out: Out) -> io::Result<()> {
        match out {
            Out::Open(id, headers) => self.session.open(id, &headers, &mut self.output),
            Out::Data(id, bytes, last) => self.session.send(id, &bytes, last, &mut self.output),
            Out::Reset(id) => self.session.reset(id, &mut self.output),
            Out::Consumed(id, count) => self.session.consumed(id, count, &mut self.output),
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx, 0))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<In>>> {
        loop {
            if let Some(received) = self.received.pop_front() {
                return Poll::Ready(Ok(Some(received)));
            }
            // Answers to pings pile up if the peer sends many and reads none.
            if self.output.len() > HIGH {
                ready!(self.poll_drain(cx, HIGH))?;
            }
            match self.session.receive(&mut self.input, &mut self.output) {
                Ok(Some(event)) => self.note(event),
                Ok(None) if self.ended => return Poll::Ready(Ok(None)),
                Ok(None) => {
                    let mut space = [0; READ];
                    let mut buffer = ReadBuf::new(&mut space);
                    ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
                    self.ended = buffer.filled().is_empty();
                    self.input.extend_from_slice(buffer.filled());
                }
                Err(fault) => {
                    self.session.go_away(Some(&fault), &mut self.output);
                    // As far as it goes: the connection is lost either way.
                    let _sent = self.poll_flush(cx)?;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.output.is_empty() {
            ready!(self.poll_drain(cx, 0))?;
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
