//! Python clients, each set in a virtual environment that tests of one build share.

use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// The Python of an environment that holds `packages` (pip's requirement syntax); made at the
/// first call and kept below `target/tools`.
///
/// # Panics
/// If Python 3 with `venv` is missing or a package cannot be had.
pub fn python_with(name: &str, packages: &[&str]) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let target = own.ancestors().nth(3).expect("tests run from `target/PROFILE/deps`");
    let tools = target.join("tools");
    std::fs::create_dir_all(&tools).expect("a folder for tools can be made");
    let lock = std::fs::File::create(tools.join(format!("{name}.lock"))).expect("a lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock can be waited for");
    let folder = tools.join(name);
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if std::fs::read_to_string(&complete).ok().as_deref() != Some(packages.join(" ").as_str()) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        std::fs::write(&complete, packages.join(" ")).expect("the mark can be written");
    }
    python
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
