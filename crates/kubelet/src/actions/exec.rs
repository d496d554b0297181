//! A command that runs in a container while somebody waits for its exit code.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wk_runtime::{ContainerId, ExecCommand, Output, Runtime, RuntimeError, Streams};

/// The most of a command's output that is kept, as in Kubernetes.
const OUTPUT_BYTES: usize = 10 << 10;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// The beginning of what it wrote, to either output.
    pub(crate) output: String,
}

/// Runs a command; dropping the future ends it.
///
/// # Errors
/// Those of [`Runtime::exec`].
pub(crate) async fn run(
    runtime: &dyn Runtime,
    id: &ContainerId,
    argv: &[String],
) -> Result<Ran, RuntimeError> {
    let kept = Kept::default();
    let end = || Some(Box::new(kept.clone()) as Output);
    let streams = Streams { stdout: end(), stderr: end(), ..Streams::none() };
    let command = ExecCommand { argv: argv.to_vec(), tty: false };
    let code = runtime.exec(id, &command, streams).await?;
    let output = String::from_utf8_lossy(&kept.0.lock()).into_owned();
    Ok(Ran { code, output })
}

/// Keeps the beginning of what is written and takes the rest.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Kept {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut kept = self.0.lock();
        let room = OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn the_beginning_of_what_was_written_is_kept() {
        let mut kept = Kept::default();
        kept.write_all(b"one ").await.unwrap();
        kept.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
        let kept = kept.0.lock();
        assert!(kept.starts_with(b"one x") && kept.len() == OUTPUT_BYTES);
    }
}
