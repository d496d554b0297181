//! A log as a stream of bytes, to its end or for as long as the container runs.

use std::io::{self, Seek as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use rustix::fs::inotify::{self, WatchFlags};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::io::unix::AsyncFd;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use wk_runtime::ContainerId;

use super::follow::successor;
use super::{LogOptions, Renderer, tail_offset};

const BLOCK: usize = 32 << 10;
/// How often files are looked at where the kernel cannot tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// The end of a container whose log is followed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: ContainerId,
    pub(crate) exits: broadcast::Receiver<ContainerId>,
}

struct Reading {
    path: PathBuf,
    /// `None` until the container has written something.
    file: Option<File>,
    renderer: Renderer,
    /// Read but not yet a whole line.
    rest: Vec<u8>,
    /// Whether files that come after this one are read too.
    follows: bool,
    /// The next file, once it is there: nothing is added to `file` any more.
    next_file: Option<File>,
    /// While there is one, more can come.
    run: Option<Run>,
    changes: Option<AsyncFd<OwnedFd>>,
    token: CancellationToken,
}

/// The wanted part of a log; with a `run`, the stream goes on until that has ended.
///
/// Only the newest file of a log that was rotated is read; whoever follows it is shown every line
/// from there on, unless files are removed before they could be read.
///
/// # Errors
/// If the file cannot be opened. A `run` that has written nothing yet needs none.
pub(crate) async fn open(
    path: &Path,
    options: LogOptions,
    run: Option<Run>,
    token: CancellationToken,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let follows = run.is_some();
    // Watched before it is read, so that nothing falls in between.
    let changes = path.parent().filter(|_| follows).and_then(watch);
    let opened = {
        let path = path.to_owned();
        blocking(move || open_at(&path, options)).await
    };
    let file = match opened {
        Ok(file) => Some(File::from_std(file)),
        Err(error) if follows && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let reading = Reading {
        path: path.to_owned(),
        file,
        renderer: Renderer::new(options),
        rest: Vec::new(),
        follows,
        next_file: None,
        run,
        changes,
        token,
    };
    Ok(futures::stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    }))
}

fn open_at(path: &Path, options: LogOptions) -> io::Result<std::fs::File> {
    let mut file = std::fs::File::open(path)?;
    let offset = match options.tail_lines {
        Some(lines) => tail_offset(&mut file, lines)?,
        None => 0,
    };
    file.seek(io::SeekFrom::Start(offset))?;
    Ok(file)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut out = Vec::new();
        loop {
            if self.renderer.is_full() {
                return Ok(None);
            }
            let read = self.read().await?;
            self.take_lines(&mut out);
            if !out.is_empty() {
                return Ok(Some(Bytes::from(out)));
            }
            if read == 0 && !self.next_file().await? && !self.more().await {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let from = self.rest.len();
        self.rest.resize(from + BLOCK, 0);
        let read = file.read(&mut self.rest[from..]).await?;
        self.rest.truncate(from + read);
        Ok(read)
    }

    /// Goes on to the next file at the end of this one; whether there is something to read now.
    async fn next_file(&mut self) -> io::Result<bool> {
        if let Some(next) = self.next_file.take() {
            // The end was reached once more, after nothing could be added any more.
            self.file = Some(next);
            return Ok(true);
        }
        if !self.follows {
            return Ok(false);
        }
        let path = self.path.clone();
        let Some(file) = &self.file else {
            match File::open(&path).await {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            return Ok(self.file.is_some());
        };
        let file = file.try_clone().await?.into_std().await;
        let next = blocking(move || successor(&path, &file)).await?;
        self.next_file = next.map(File::from_std);
        Ok(self.next_file.is_some())
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

/// Tells of changes to the files in a folder.
fn watch(folder: &Path) -> Option<AsyncFd<OwnedFd>> {
    let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
    let watcher = inotify::init(flags).ok()?;
    let changes = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
    inotify::add_watch(&watcher, folder, changes).ok()?;
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
