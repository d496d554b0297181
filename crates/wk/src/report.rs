//! What the program says on the terminal: plain text in a pipe, colours for people.

use std::io::{IsTerminal as _, Write as _};

/// Prints an error with its chain of causes to standard error.
pub(crate) fn failure(error: &anyhow::Error) {
    let (red, plain) =
        if std::io::stderr().is_terminal() { ("\x1b[31;1m", "\x1b[0m") } else { ("", "") };
    // The hint, if there is one, stands on a line of its own below the whole chain.
    let mut hints = Vec::new();
    let mut parts = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        if !parts.iter().any(|part: &String| part.contains(message)) {
            parts.push(message.to_owned());
        }
        if !hint.is_empty() {
            hints.push(hint.to_owned());
        }
    }
    let mut stderr = std::io::stderr().lock();
    // Nothing is left to be done if standard error is closed.
    let _written = writeln!(stderr, "{red}error:{plain} {}", parts.join(": "));
    for hint in hints {
        let _written = writeln!(stderr, "hint: {hint}");
    }
}

/// Prints one line to standard output.
pub(crate) fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed pipe must not end a daemon.
    let _written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A line of start-up progress: shown while `step` runs on a terminal, then ticked off.
pub(crate) struct Progress {
    bar: indicatif::ProgressBar,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Self { bar }
    }

    pub(crate) fn step(&self, text: &'static str) {
        self.bar.set_message(text);
    }

    pub(crate) fn done(self) {
        self.bar.finish_and_clear();
    }
}
