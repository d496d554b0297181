//! Running other programs, and telling the user about it.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Prints one line to standard error.
pub(crate) fn say(line: &str) {
    // Nobody reads: there is nothing left to tell anyone, and the exit code still speaks.
    let _ = writeln!(io::stderr(), "{line}");
}

/// `cargo`, the one that runs us if any, so that its toolchain is used throughout.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    // What cargo sets for us is about this package: build scripts that look at it would run again,
    // and with them everything that depends on them.
    let ours = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `command` with our output streams.
///
/// # Errors
/// It could not be started, or ended with another code than 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// It could not be started, or ended with another code than 0; the error quotes what it said.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {}: {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` did not answer in UTF-8"))
}

/// Whether `program` is on the search path.
pub(crate) fn has_program(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The program and its first arguments: enough to know which command is meant.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let arguments = command.get_args().take(4).map(|argument| argument.to_string_lossy());
    std::iter::once(name.into()).chain(arguments).collect::<Vec<_>>().join(" ")
}
