//! The standard streams of a program: its container's log, and whoever is connected to it.
//!
//! Output goes to the log as whole lines and, as it comes, to every [`Tap`]. A tap that is behind
//! makes the program wait, so that nothing is lost and nothing grows without bounds.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;
use wasmtime_wasi::cli::{AsyncStdinStream, IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamResult};

use crate::log::{ContainerLog, Lines, Source};

/// The most that a guest may write in one call.
const WRITE_BYTES: usize = 64 << 10;
/// How far a tap may be behind before the program waits for it.
const BEHIND_BYTES: usize = 256 << 10;
/// Input that may wait for the program to read it.
const INPUT_BYTES: usize = 64 << 10;

/// The standard streams of one container, or of one program that was run in it.
pub(crate) struct Console {
    /// `None` for programs whose output is not the container's.
    log: Option<Arc<ContainerLog>>,
    pub(crate) taps: Arc<Taps>,
    terminal: bool,
    /// The program's end of its input, until the program takes it.
    input: Mutex<Option<DuplexStream>>,
    feed: Mutex<Option<Feed>>,
}

/// The writing end of a program's input: the input ends when all of them are gone.
pub(crate) type Feed = Arc<tokio::sync::Mutex<DuplexStream>>;

impl Console {
    /// Streams with an input that stays open until [`Console::end_input`] if there is one.
    pub(crate) fn new(log: Option<Arc<ContainerLog>>, input: bool, terminal: bool) -> Self {
        let ends = input.then(|| tokio::io::duplex(INPUT_BYTES));
        let (program, feed) = ends.unzip();
        let feed = feed.map(|feed| Arc::new(tokio::sync::Mutex::new(feed)));
        Self {
            log,
            taps: Arc::default(),
            terminal,
            input: Mutex::new(program),
            feed: Mutex::new(feed),
        }
    }

    /// Where input for the program goes; `None` if it takes none, or none any more.
    pub(crate) fn feed(&self) -> Option<Feed> {
        self.feed.lock().clone()
    }

    /// Lets the input end once nobody holds a [`Feed`].
    pub(crate) fn end_input(&self) {
        self.feed.lock().take();
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One of the program's outputs; a terminal has only one.
    pub(crate) fn output(&self, source: Source) -> Output {
        let source = if self.terminal { Source::Stdout } else { source };
        let lines = self.log.as_ref().map(|log| Arc::new(Lines::new(log, source)));
        Output { lines, taps: Arc::clone(&self.taps), source, terminal: self.terminal }
    }

    /// The program's input, once; `None` is an input that has ended.
    pub(crate) fn input(&self) -> Option<Input> {
        let stream = self.input.lock().take()?;
        Some(Input { stream: AsyncStdinStream::new(stream), terminal: self.terminal })
    }
}

/// Everybody who listens to a program.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    list: Mutex<Vec<Arc<Tap>>>,
    count: AtomicUsize,
}

/// One listener to one output.
#[derive(Debug)]
pub(crate) struct Tap {
    source: Source,
    /// Whether line ends are those of terminals.
    terminal: bool,
    queue: Mutex<Queue>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
}

/// A tap that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    taps: Arc<Taps>,
    tap: Arc<Tap>,
}

impl Taps {
    /// Listens to an output from now on.
    pub(crate) fn listen(self: &Arc<Self>, source: Source, terminal: bool) -> Listening {
        let tap = Arc::new(Tap {
            source,
            terminal,
            queue: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
        });
        let mut list = self.list.lock();
        list.push(Arc::clone(&tap));
        self.count.store(list.len(), Ordering::Release);
        Listening { taps: Arc::clone(self), tap }
    }

    /// Hands bytes to everybody who listens, however far behind they are.
    pub(crate) fn push(&self, source: Source, bytes: &[u8]) {
        if self.count.load(Ordering::Acquire) == 0 || bytes.is_empty() {
            return;
        }
        for tap in self.list.lock().iter().filter(|tap| tap.source == source) {
            tap.push(bytes);
        }
    }

    /// Somebody for whom the program has to wait.
    fn behind(&self, source: Source) -> Option<Arc<Tap>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.list.lock().iter().find(|tap| tap.source == source && tap.is_behind()).cloned()
    }

    async fn ready(self: Arc<Self>, source: Source) {
        while let Some(tap) = self.behind(source) {
            let mut emptied = pin!(tap.emptied.notified());
            emptied.as_mut().enable();
            if tap.is_behind() {
                emptied.await;
            }
        }
    }
}

impl Tap {
    fn push(&self, bytes: &[u8]) {
        let piece = if self.terminal {
            Bytes::from(terminal_lines(bytes))
        } else {
            Bytes::copy_from_slice(bytes)
        };
        self.add(piece);
    }

    fn add(&self, piece: Bytes) {
        let mut queue = self.queue.lock();
        if !queue.ended && !piece.is_empty() {
            queue.bytes += piece.len();
            queue.pieces.push_back(piece);
        }
        drop(queue);
        self.filled.notify_one();
    }

    fn is_behind(&self) -> bool {
        let queue = self.queue.lock();
        !queue.ended && queue.bytes >= BEHIND_BYTES
    }

    /// The next piece; `None` once the output has ended. One caller at a time.
    async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut queue = self.queue.lock();
                if let Some(piece) = queue.pieces.pop_front() {
                    queue.bytes -= piece.len();
                    drop(queue);
                    self.emptied.notify_waiters();
                    return Some(piece);
                }
                if queue.ended {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    fn end(&self) {
        self.queue.lock().ended = true;
        self.filled.notify_one();
        self.emptied.notify_waiters();
    }
}

impl Listening {
    /// Nothing more will come; what has come is still handed on.
    pub(crate) fn end(&self) {
        self.tap.end();
    }

    /// Shows something that the program did not write, as it is.
    pub(crate) fn show(&self, bytes: &[u8]) {
        self.tap.add(Bytes::copy_from_slice(bytes));
    }

    /// Hands everything on to `output`, until the end; an output that fails loses the rest.
    pub(crate) async fn pump(&self, output: Option<&mut wk_runtime::Output>) {
        let Some(output) = output else { return };
        while let Some(piece) = self.tap.next().await {
            if output.write_all(&piece).await.is_err() || output.flush().await.is_err() {
                self.tap.end();
                self.tap.queue.lock().pieces.clear();
                return;
            }
        }
        // Whoever reads sees the end in any case when the stream is dropped.
        let _shut = output.shutdown().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut list = self.taps.list.lock();
        list.retain(|tap| !Arc::ptr_eq(tap, &self.tap));
        self.taps.count.store(list.len(), Ordering::Release);
        drop(list);
        self.tap.end();
    }
}

/// Line ends as a terminal wants them.
fn terminal_lines(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len() + 8);
    for byte in bytes {
        if *byte == b'\n' {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

/// One output of one instance, for the guest to write to.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    lines: Option<Arc<Lines>>,
    taps: Arc<Taps>,
    source: Source,
    terminal: bool,
}

impl Output {
    fn add(&self, bytes: &[u8]) {
        if let Some(lines) = &self.lines {
            lines.add(bytes);
        }
        self.taps.push(self.source, bytes);
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { output: self.clone(), waiting: None })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        Arc::clone(&self.taps).ready(self.source).await;
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.taps.behind(self.source).is_some() { 0 } else { WRITE_BYTES })
    }
}

/// An output as the asynchronous interfaces write to it.
struct Writer {
    output: Output,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.is_none() && self.output.taps.behind(self.output.source).is_some() {
            let taps = Arc::clone(&self.output.taps);
            self.waiting = Some(Box::pin(taps.ready(self.output.source)));
        }
        if let Some(waiting) = &mut self.waiting {
            std::task::ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        self.output.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The input of one program.
pub(crate) struct Input {
    stream: AsyncStdinStream,
    terminal: bool,
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        self.stream.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        self.stream.p2_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_its_own_line_ends() {
        assert_eq!(terminal_lines(b"a\nb\n\n"), b"a\r\nb\r\n\r\n");
    }

    #[tokio::test]
    async fn a_listener_that_is_behind_stops_the_program_until_it_catches_up() {
        let console = Console::new(None, false, false);
        let listening = console.taps.listen(Source::Stdout, false);
        let mut output = console.output(Source::Stdout);
        let piece = Bytes::from(vec![b'x'; WRITE_BYTES]);
        for _ in 0..BEHIND_BYTES / WRITE_BYTES {
            assert_eq!(output.check_write().unwrap(), WRITE_BYTES);
            output.write(piece.clone()).unwrap();
        }
        assert_eq!(output.check_write().unwrap(), 0);
        assert_eq!(console.output(Source::Stderr).check_write().unwrap(), WRITE_BYTES);
        listening.tap.next().await.unwrap();
        output.ready().await;
        drop(listening);
        assert_eq!(output.check_write().unwrap(), WRITE_BYTES);
    }
}
