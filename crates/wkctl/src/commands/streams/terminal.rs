//! The terminal that this program runs in: its input, its size, and handing on every key.

use std::io::{self, IsTerminal as _, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Pieces of input that wait for the connection.
const WAITING: usize = 4;
const PIECE: usize = 32 << 10;

/// Whether standard input is a terminal.
pub(in crate::commands) fn is_present() -> bool {
    io::stdin().is_terminal()
}

/// Standard input.
///
/// Read by a thread that nobody waits for: a read cannot be broken off, and the program is to end
/// although nobody presses a key.
#[derive(Debug)]
pub(in crate::commands) struct Stdin {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Stdin {
    pub(in crate::commands) fn open() -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut space = vec![0; PIECE];
            // An input that cannot be read has ended.
            while let Ok(count @ 1..) = io::stdin().read(&mut space) {
                if sender.blocking_send(Bytes::copy_from_slice(&space[..count])).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { pieces, rest: Bytes::new() })
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match self.pieces.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(piece)) => self.rest = piece,
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// Hands on every key as it is pressed, as long as this lives.
#[derive(Debug)]
pub(in crate::commands) struct Raw(Termios);

impl Raw {
    pub(in crate::commands) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing.
        let _restored = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// The size of the terminal, now and whenever it changes.
#[derive(Debug)]
pub(in crate::commands) struct Sizes {
    changed: Signal,
    first: bool,
}

impl Sizes {
    pub(in crate::commands) fn follow() -> io::Result<Self> {
        Ok(Self { changed: signal(SignalKind::window_change())?, first: true })
    }

    /// The next size, as columns and lines; `None` if there is no telling.
    pub(super) async fn next(&mut self) -> Option<(u16, u16)> {
        if !std::mem::take(&mut self.first) {
            self.changed.recv().await?;
        }
        let size = tcgetwinsize(io::stdin()).ok()?;
        Some((size.ws_col, size.ws_row))
    }
}
