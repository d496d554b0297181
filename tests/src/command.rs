//! Running a client program to its end.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a program printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The command line, for messages.
    pub command: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
}

impl Answer {
    /// Runs `command` with nothing on its standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(command: Command) -> Self {
        Self::of(command, "")
    }

    /// Runs `command` with `input` as its standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn of(mut command: Command, input: &str) -> Self {
        let text = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {text}: {error}"));
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that ends without reading its input closes the pipe, which is its right.
        let _written = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the program can be waited for");
        Self {
            command: text,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Standard output of a program that must have succeeded.
    ///
    /// # Panics
    /// If it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "{}\nstdout: {}\nstderr: {}",
            self.command, self.stdout, self.stderr
        );
        self.stdout
    }

    /// Standard error of a program that must have failed.
    ///
    /// # Panics
    /// If it succeeded.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_ne!(self.code, 0, "{} must fail\nstdout: {}", self.command, self.stdout);
        self.stderr
    }

    /// Standard output as JSON of a program that must have succeeded.
    ///
    /// # Panics
    /// If it failed or printed something else.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }
}
