//! Foreign clients that `cargo xtask deps` keeps below `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Answer;

/// A file below `target/tools`.
///
/// # Panics
/// If it is not there.
pub fn tool(path: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let target = own.ancestors().nth(3).expect("tests run from `target/PROFILE/deps`");
    let tool = target.join("tools").join(path);
    assert!(tool.exists(), "`{}` is missing: run `cargo xtask deps` first", tool.display());
    tool
}

/// A file below `tests/clients`: programs in foreign languages, and what they read.
pub fn client_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(path)
}

/// Runs a Python program of `tests/clients/python` with all the Python clients at hand.
pub fn run_python(program: &str, arguments: &[&Path]) -> Answer {
    let mut command = Command::new(tool("python-clients/bin/python"));
    // A client warns of versions that came after it.
    command.args(["-W", "ignore"]).arg(client_file("python").join(program)).args(arguments);
    Answer::of(command, "")
}

/// Runs a JavaScript program of `tests/clients/javascript` with the JavaScript client at hand.
///
/// # Panics
/// If there is no such program.
pub fn run_javascript(program: &str, arguments: &[&Path]) -> Answer {
    let path = client_file("javascript").join(program);
    let source = fs::read_to_string(path).expect("the program can be read");
    let mut command = Command::new("node");
    // Imports are looked for from the current folder for a program on standard input.
    command.current_dir(tool("javascript-clients"));
    command.args(["--input-type=module", "-"]).args(arguments);
    Answer::of(command, &source)
}
