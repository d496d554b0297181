//! Carrying out the calls of a session.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::vec;

use tokio::net::UnixStream;
use tokio::sync::watch;
use wk_runtime::{Runtime, RuntimeError, Streams, TerminalSize};

use super::Shared;
use crate::frame::Connection;
use crate::wire::{Answer, Call, Request, StreamSet};

/// Carries out a call and returns what becomes of it. Where the other end closes the connection the
/// call is dropped, as those of a process are that ends.
pub(super) async fn carry_out(
    shared: &Shared,
    connection: &Connection,
    call: Call<'static>,
    files: Vec<OwnedFd>,
) -> io::Result<Answer> {
    let gone = || Err(io::ErrorKind::ConnectionAborted.into());
    let streams = match &call {
        Call::Exec { streams, .. } | Call::Attach { streams, .. } => *streams,
        Call::Prepare { .. }
        | Call::Start { .. }
        | Call::Stop { .. }
        | Call::Remove { .. }
        | Call::List
        | Call::OpenPod { .. }
        | Call::RemovePod { .. }
        | Call::Pods
        | Call::Stats { .. }
        | Call::TrimCache { .. } => {
            let outcome = tokio::select! {
                biased;
                () = connection.hung_up() => return gone(),
                outcome = quiet(shared, call) => outcome,
            };
            return Ok(outcome.unwrap_or_else(Answer::Failed));
        }
    };
    let (sizes, size) = watch::channel(None);
    let streams = opened(streams, files, size)?;
    let outcome = tokio::select! {
        biased;
        ended = listen(connection, &sizes) => return ended.and_then(|()| gone()),
        outcome = connected(&*shared.runtime, &call, streams) => outcome,
    };
    Ok(outcome.unwrap_or_else(Answer::Failed))
}

/// A call that nobody talks to.
async fn quiet(shared: &Shared, call: Call<'static>) -> Result<Answer, RuntimeError> {
    let runtime = &shared.runtime;
    match call {
        Call::Prepare { image } => {
            shared.refusal()?;
            runtime.prepare(&image).await?;
        }
        Call::Start { id, spec } => {
            shared.refusal()?;
            runtime.start(&id, &spec).await?;
        }
        Call::Stop { id, grace } => runtime.stop(&id, grace).await?,
        Call::Remove { id } => runtime.remove(&id).await?,
        Call::List => return Ok(Answer::Containers(runtime.list().await?)),
        Call::OpenPod { pod, sandbox, linux } => {
            shared.refusal()?;
            return Ok(Answer::Namespace(runtime.open_pod(&pod, &sandbox, &linux).await?));
        }
        Call::RemovePod { uid } => runtime.remove_pod(&uid).await?,
        Call::Pods => return Ok(Answer::Pods(runtime.pods().await?)),
        Call::Stats { id } => return Ok(Answer::Stats(runtime.stats(&id).await?)),
        Call::TrimCache { keep_bytes } => {
            return Ok(Answer::Bytes(runtime.trim_cache(keep_bytes).await?));
        }
        Call::Exec { .. } | Call::Attach { .. } => unreachable!("these have streams"),
    }
    Ok(Answer::Done)
}

/// A call that connects somebody to a program.
async fn connected(
    runtime: &dyn Runtime,
    call: &Call<'static>,
    streams: Streams,
) -> Result<Answer, RuntimeError> {
    match call {
        Call::Exec { id, command, .. } => {
            runtime.exec(id, command, streams).await.map(Answer::Code)
        }
        Call::Attach { id, .. } => runtime.attach(id, streams).await.map(|()| Answer::Done),
        _ => unreachable!("only these have streams"),
    }
}

/// Takes sizes of the terminal until the other end closes the connection.
async fn listen(
    connection: &Connection,
    sizes: &watch::Sender<Option<TerminalSize>>,
) -> io::Result<()> {
    while let Some((request, _)) = connection.receive::<Request<'static>>().await? {
        if let Request::Resize(size) = request {
            sizes.send_replace(Some(size));
        }
    }
    Ok(())
}

/// The streams that came as open files.
fn opened(
    set: StreamSet,
    files: Vec<OwnedFd>,
    size: watch::Receiver<Option<TerminalSize>>,
) -> io::Result<Streams> {
    let mut files = files.into_iter();
    let stdin = take(set.stdin, &mut files)?;
    let stdout = take(set.stdout, &mut files)?;
    let stderr = take(set.stderr, &mut files)?;
    Ok(Streams {
        stdin: stdin.map(|stream| Box::new(stream) as _),
        stdout: stdout.map(|stream| Box::new(stream) as _),
        stderr: stderr.map(|stream| Box::new(stream) as _),
        size,
    })
}

fn take(wanted: bool, files: &mut vec::IntoIter<OwnedFd>) -> io::Result<Option<UnixStream>> {
    if !wanted {
        return Ok(None);
    }
    let file = files.next().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "a stream of the program did not come")
    })?;
    let stream = StdUnixStream::from(file);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream).map(Some)
}
