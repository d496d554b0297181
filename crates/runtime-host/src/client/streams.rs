//! Programs that somebody is connected to.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::os::fd::AsFd as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;
use wk_runtime::{Input, Output, RuntimeError, Streams, TerminalSize};

use super::{AT_ONCE, Shared, within};
use crate::frame::Connection;
use crate::wire::{Answer, Call, Request, StreamSet};

/// What is read from a stream at a time.
const BLOCK: usize = 16 << 10;

/// Which streams there are.
pub(super) fn set(streams: &Streams) -> StreamSet {
    StreamSet {
        stdin: streams.stdin.is_some(),
        stdout: streams.stdout.is_some(),
        stderr: streams.stderr.is_some(),
    }
}

impl Shared {
    /// Has a program talked to until it ends and all that it wrote is handed on.
    pub(super) async fn converse(
        &self,
        call: Call<'_>,
        streams: Streams,
    ) -> Result<Answer, RuntimeError> {
        let link = self.link()?;
        let lost = |error: io::Error| self.unavailable(error.to_string());
        let Streams { stdin, stdout, stderr, size } = streams;
        let pairs = [stdin.is_some(), stdout.is_some(), stderr.is_some()];
        let mut own = Vec::with_capacity(pairs.len());
        let mut given = Vec::with_capacity(pairs.len());
        for wanted in pairs {
            let pair = if wanted { Some(UnixStream::pair().map_err(lost)?) } else { None };
            let (one, other) = pair.unzip();
            own.push(one);
            given.extend(other);
        }
        let connection = {
            let files: Vec<_> = given.iter().map(UnixStream::as_fd).collect();
            within(AT_ONCE, link.begin(call, &files)).await.map_err(lost)?
        };
        // The ends of the streams are seen only when nobody else holds them.
        drop(given);
        let mut own = own.into_iter();
        let mut next = || own.next().flatten();
        let (input, out, err) = (next(), next(), next());
        let answered = async {
            tokio::select! {
                biased;
                answer = connection.expect() => answer,
                never = feed(stdin, input) => match never {},
                never = tell_sizes(&connection, size) => match never {},
            }
        };
        let (answer, (), ()) = tokio::join!(answered, hand_on(out, stdout), hand_on(err, stderr));
        self.understood(answer)
    }
}

/// Hands input on until it ends or nobody takes it, and then waits for ever.
async fn feed(from: Option<Input>, to: Option<UnixStream>) -> Infallible {
    if let (Some(mut from), Some(mut to)) = (from, to) {
        // A program that takes no more input goes on.
        let _taken = tokio::io::copy(&mut from, &mut to).await;
        // With the stream its end is told.
        drop(to);
    }
    pending().await
}

/// Tells each size of the terminal, and then waits for ever.
async fn tell_sizes(
    connection: &Connection,
    mut sizes: watch::Receiver<Option<TerminalSize>>,
) -> Infallible {
    loop {
        let size = *sizes.borrow_and_update();
        if let Some(size) = size
            && connection.send(&Request::Resize(size)).await.is_err()
        {
            break;
        }
        if sizes.changed().await.is_err() {
            break;
        }
    }
    pending().await
}

/// Hands output on until it ends, or nobody reads it any more.
async fn hand_on(from: Option<UnixStream>, to: Option<Output>) {
    let (Some(mut from), Some(mut to)) = (from, to) else { return };
    let mut block = vec![0; BLOCK];
    loop {
        let read = match from.read(&mut block).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let written = async {
            to.write_all(&block[..read]).await?;
            to.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}
