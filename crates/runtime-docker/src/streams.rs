//! Copies between somebody's streams and a program's.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::watch;
use wk_runtime::{Input, Output, TerminalSize};

use crate::frames::{Frames, Piece, Source};
use crate::raw::Hijacked;

const READ_BYTES: usize = 32 << 10;

/// The ends at which somebody listens; one that fails is dropped, and the rest of it thrown away.
pub(crate) struct Listeners {
    pub(crate) stdout: Option<Output>,
    pub(crate) stderr: Option<Output>,
}

impl Listeners {
    pub(crate) async fn hear(&mut self, source: Source, bytes: &[u8]) {
        let to = match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        };
        if let Some(open) = to {
            let written = async {
                open.write_all(bytes).await?;
                open.flush().await
            };
            if written.await.is_err() {
                *to = None;
            }
        }
    }
}

/// A program's output, as it comes.
pub(crate) struct ProgramOutput {
    from: ReadHalf<Hijacked>,
    frames: Frames,
    space: BytesMut,
    /// What was read and not taken apart yet.
    rest: Bytes,
}

impl ProgramOutput {
    pub(crate) fn new(from: ReadHalf<Hijacked>, tty: bool) -> Self {
        Self { from, frames: Frames::new(tty), space: BytesMut::new(), rest: Bytes::new() }
    }

    /// The next piece; `None` at the end, also at that of a connection that broke: how the program
    /// ended is found out by asking the engine. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.frames.next(&mut self.rest) {
                return Some(piece);
            }
            self.space.reserve(READ_BYTES);
            match self.from.read_buf(&mut self.space).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => self.rest = self.space.split().freeze(),
            }
        }
    }
}

/// Hands somebody's input to a program; its end is the program's if `ends`. Never returns: the
/// program's output is what tells when all is over.
pub(crate) async fn feed(stdin: Option<Input>, mut to: WriteHalf<Hijacked>, ends: bool) {
    if let Some(mut stdin) = stdin {
        // A program that does not read any more is no error.
        let _copied = tokio::io::copy(&mut stdin, &mut to).await;
    }
    if ends {
        let _ended = to.shutdown().await;
    }
    std::future::pending::<()>().await;
    drop(to);
}

/// The next size that a terminal is to have; never returns when none can come any more. Cancel safe.
pub(crate) async fn next_size(size: &mut watch::Receiver<Option<TerminalSize>>) -> TerminalSize {
    loop {
        if size.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Some(now) = *size.borrow_and_update() {
            return now;
        }
    }
}
