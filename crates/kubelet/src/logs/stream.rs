//! A log as a stream of bytes, to its end or for as long as the container runs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use rustix::fs::inotify;
use tokio::fs::File;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use wk_runtime::ContainerId;

use super::{LogOptions, Renderer, tail_offset};

const BLOCK: usize = 32 << 10;
/// How often a file is looked at where the kernel cannot tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// The end of a container whose log is followed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: ContainerId,
    pub(crate) exits: broadcast::Receiver<ContainerId>,
}

struct Reading {
    file: File,
    renderer: Renderer,
    /// Read but not yet a whole line.
    rest: Vec<u8>,
    /// While there is one, more can come.
    run: Option<Run>,
    changes: Option<AsyncFd<OwnedFd>>,
    token: CancellationToken,
}

/// The wanted part of a log; with a `run`, the stream goes on until that has ended.
///
/// # Errors
/// If the file cannot be opened.
pub(crate) async fn open(
    path: &Path,
    options: LogOptions,
    run: Option<Run>,
    token: CancellationToken,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    // Watched before it is read, so that nothing falls in between.
    let changes = if run.is_some() { watch(path) } else { None };
    let path = path.to_owned();
    let (file, offset) = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(&path)?;
        let offset = match options.tail_lines {
            Some(lines) => tail_offset(&mut file, lines)?,
            None => 0,
        };
        Ok::<_, io::Error>((file, offset))
    })
    .await
    .map_err(io::Error::other)??;
    let mut file = File::from_std(file);
    file.seek(io::SeekFrom::Start(offset)).await?;
    let renderer = Renderer::new(options);
    let reading = Reading { file, renderer, rest: Vec::new(), run, changes, token };
    Ok(futures::stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    }))
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut out = Vec::new();
        loop {
            if self.renderer.is_full() {
                return Ok(None);
            }
            let from = self.rest.len();
            self.rest.resize(from + BLOCK, 0);
            let read = self.file.read(&mut self.rest[from..]).await?;
            self.rest.truncate(from + read);
            self.take_lines(&mut out);
            if !out.is_empty() {
                return Ok(Some(Bytes::from(out)));
            }
            if read == 0 && !self.more().await {
                return Ok(None);
            }
        }
    }

    fn take_lines(&mut self, out: &mut Vec<u8>) {
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return };
        for line in self.rest[..end].split(|byte| *byte == b'\n') {
            if self.renderer.is_full() {
                break;
            }
            self.renderer.render(line, out);
        }
        self.rest.drain(..=end);
    }

    /// Waits until there may be more; false once there cannot be.
    async fn more(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        let changed = async {
            match &self.changes {
                Some(changes) => drained(changes).await,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let ended = tokio::select! {
            biased;
            () = self.token.cancelled() => return false,
            exit = run.exits.recv() => match exit {
                Ok(id) => id == run.id,
                // Many have ended at once, this one perhaps among them: the caller looks again.
                Err(_lagged_or_closed) => true,
            },
            () = changed => false,
        };
        if ended {
            // What it wrote last is still read.
            self.run = None;
        }
        true
    }
}

fn watch(path: &Path) -> Option<AsyncFd<OwnedFd>> {
    let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
    let watcher = inotify::init(flags).ok()?;
    inotify::add_watch(&watcher, path, inotify::WatchFlags::MODIFY).ok()?;
    #[expect(
        deprecated,
        reason = "sound for an `OwnedFd`, which is one descriptor for its whole life"
    )]
    AsyncFd::new(watcher).ok()
}

/// Waits for changes and forgets them: it only matters that there were some.
async fn drained(changes: &AsyncFd<OwnedFd>) {
    let Ok(mut ready) = changes.readable().await else { return };
    let mut events = [0_u8; 1024];
    while rustix::io::read(ready.get_inner(), &mut events).is_ok_and(|count| count > 0) {}
    ready.clear_ready();
}
