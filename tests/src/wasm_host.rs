//! The process that the Wasm programs of a node are in, where that is not the kubelet's own.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// A `wk wasm-host` that nobody here is the parent of.
#[derive(Clone, Debug)]
pub struct WasmHost {
    id: i32,
    data_dir: PathBuf,
}

impl WasmHost {
    /// The one of the node with this data folder, if it runs.
    pub fn of(data_dir: &Path) -> Option<Self> {
        let data_dir = data_dir.canonicalize().ok()?;
        let id = fs::read_to_string(data_dir.join("node/wasm-host.pid")).ok()?;
        let host = Self { id: id.trim().parse().ok()?, data_dir };
        host.is_running().then_some(host)
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        // Another process may have the number by now, and one that has ended has no command line.
        let command = fs::read(format!("/proc/{}/cmdline", self.id)).unwrap_or_default();
        let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        let folder = self.data_dir.as_os_str().as_encoded_bytes();
        words.contains(&&b"wasm-host"[..]) && words.contains(&folder)
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// If it does not go.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to end as an operator does, and waits until it has.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.signal(Signal::TERM);
        self.wait();
    }

    /// `kill -9`, without waiting.
    pub(crate) fn end(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = Pid::from_raw(self.id).filter(|_| self.is_running()) {
            // It may have ended already.
            let _sent = kill_process(id, signal);
        }
    }

    fn wait(&self) {
        eventually("the Wasm host has ended", || (!self.is_running()).then_some(()));
    }
}
