//! What flows into and out of a program while somebody is connected to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// How a container's main program is connected to the outside: `stdin`, `stdinOnce` and `tty` of
/// the pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stdio {
    /// Whether the program's standard input stays open for whoever attaches. If not, the program
    /// reads the end of its input at once.
    pub stdin: bool,
    /// Whether the input ends when the first one who attached to it ends theirs or goes away. If
    /// not, it stays open for the next one. Means nothing without `stdin`.
    pub stdin_once: bool,
    /// Whether the program has a terminal, and with it no standard error apart from its output.
    pub tty: bool,
}

/// A program to run in a container beside the main one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecCommand {
    /// The program and its arguments; never empty, and not expanded by any shell.
    pub argv: Vec<String>,
    /// Whether it has a terminal.
    pub tty: bool,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Lines.
    pub height: u16,
}

/// Bytes that a program reads.
pub type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Bytes that a program writes.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// The other end of a program's standard streams.
///
/// A stream that nobody asked for is `None`: the program then reads the end of its input, and its
/// output goes nowhere. Writing to an output waits while the reader is slow; the program then waits
/// too. An output that fails has no reader any more: the rest of that stream is thrown away.
pub struct Streams {
    /// What the program reads; its end is the end of the program's input.
    pub stdin: Option<Input>,
    /// What the program writes to its standard output, and with a terminal also to its standard
    /// error.
    pub stdout: Option<Output>,
    /// What the program writes to its standard error; always `None` with a terminal.
    pub stderr: Option<Output>,
    /// The size of the terminal now, `None` until it is known. Means nothing without a terminal.
    pub size: watch::Receiver<Option<TerminalSize>>,
}

impl Streams {
    /// Streams that nobody reads or writes.
    pub fn none() -> Self {
        let (_sender, size) = watch::channel(None);
        Self { stdin: None, stdout: None, stderr: None, size }
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .field("size", &*self.size.borrow())
            .finish()
    }
}
