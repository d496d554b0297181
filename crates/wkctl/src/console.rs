//! Where output goes: standard output and error, or a test's memory.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Both outputs, and what they are.
pub(crate) struct Console {
    out: Mutex<Box<dyn Write + Send>>,
    /// Whether anything was printed.
    printed: AtomicBool,
    err: Mutex<Box<dyn Write + Send>>,
    /// Whether somebody watches standard error, so that progress is worth showing.
    pub(crate) progress: bool,
    colour: bool,
}

impl Console {
    pub(crate) fn new(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        progress: bool,
        colour: bool,
    ) -> Self {
        let (out, err) = (Mutex::new(Box::new(out) as _), Mutex::new(Box::new(err) as _));
        Self { out, printed: AtomicBool::new(false), err, progress, colour }
    }

    /// Prints a text as it is.
    pub(crate) fn print(&self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.printed.store(true, Ordering::Relaxed);
        self.out.lock().write_all(text.as_ref())
    }

    /// Whether something was printed before, from which the next thing may have to be separated.
    pub(crate) fn is_continued(&self) -> bool {
        self.printed.load(Ordering::Relaxed)
    }

    /// Prints a line.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        self.printed.store(true, Ordering::Relaxed);
        let mut out = self.out.lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")
    }

    /// Makes sure that what was printed is seen.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.out.lock().flush()
    }

    /// Says something beside the output. Where nobody can hear it, it is lost.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        _ = self.flush();
        _ = writeln!(self.err.lock(), "{}", text.as_ref());
    }

    /// Passes on a warning.
    pub(crate) fn warn(&self, text: &str) {
        if self.colour {
            self.note(format!("\x1b[33;1mWarning:\x1b[0m {text}"));
        } else {
            self.note(format!("Warning: {text}"));
        }
    }

    /// Says what went wrong.
    pub(crate) fn complain(&self, error: &anyhow::Error) {
        for line in crate::error::lines(error) {
            let marked = ["error:", "hint:"]
                .iter()
                .find_map(|mark| line.strip_prefix(mark).map(|rest| (*mark, rest)));
            match marked {
                Some(("error:", rest)) if self.colour => {
                    self.note(format!("\x1b[31;1merror:\x1b[0m{rest}"));
                }
                Some((mark, rest)) if self.colour => {
                    self.note(format!("\x1b[36;1m{mark}\x1b[0m{rest}"));
                }
                _ => self.note(line),
            }
        }
    }
}
