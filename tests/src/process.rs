//! A daemon under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{WasmHost, eventually};

/// A running `wk`; ended and awaited when dropped, with the process that its Wasm programs are in.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    /// The data folder, whose Wasm host is to end with this.
    data_dir: Option<PathBuf>,
}

impl Daemon {
    /// Starts `command` with its output in the file `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("the log opens");
        let errors = output.try_clone().expect("the log can be shared");
        // A backtrace is taken for every error where this is set, which costs on every request.
        command.env_remove("RUST_BACKTRACE");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut arguments = command.get_args().skip_while(|argument| *argument != "--data-dir");
        let data_dir = arguments.nth(1).map(PathBuf::from);
        Self { child, log: log.to_owned(), data_dir }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// If the system does not tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of a child can be read").is_none()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the daemon has ended", || {
            self.child.try_wait().expect("the state of a child can be read")
        })
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }

    /// `kill -9` of it and of the process that its Wasm programs are in: as when the power fails.
    pub fn kill_with_programs(&mut self) {
        self.kill();
        if let Some(host) = self.wasm_host() {
            host.kill();
        }
    }

    /// The process that its Wasm programs are in, if there is one.
    pub fn wasm_host(&self) -> Option<WasmHost> {
        WasmHost::of(self.data_dir.as_deref()?)
    }

    /// Lets its Wasm programs go on when this is dropped: somebody else will see to their end.
    pub fn leave_programs(&mut self) {
        self.data_dir = None;
    }

    /// Asks it to end as Ctrl-C does and waits until it has.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Asks it to end as Ctrl-C does, and does not wait.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it without its noticing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after that.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end as a service manager does, and does not wait.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids are small");
        if let Some(id) = Pid::from_raw(id) {
            // It may have ended already.
            let _sent = kill_process(id, signal);
        }
    }

    /// Processor time that it has used so far, in steps of 10 ms.
    ///
    /// # Panics
    /// If it does not run.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))
            .expect("a running process has figures");
        // The name, in parentheses, may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|one| one.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Processor time that its present threads have used so far, to the nanosecond; and how often they
    /// have gone to sleep of themselves, which is how often something has woken them.
    ///
    /// # Panics
    /// If it does not run.
    pub fn activity(&self) -> (Duration, u64) {
        let folder = format!("/proc/{}/task", self.id());
        let (mut used, mut sleeps) = (Duration::ZERO, 0);
        for thread in std::fs::read_dir(folder).expect("a running process has threads").flatten() {
            // One that has just ended has no figures any more.
            let read = |name: &str| std::fs::read_to_string(thread.path().join(name));
            let nanos = read("schedstat").ok();
            let nanos = nanos.and_then(|text| text.split_whitespace().next()?.parse().ok());
            used += Duration::from_nanos(nanos.unwrap_or(0));
            let status = read("status").unwrap_or_default();
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sleeps += count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        (used, sleeps)
    }

    /// How many KiB it has had written to disks so far.
    ///
    /// # Panics
    /// If it does not run.
    pub fn written_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.id()))
            .expect("a running process has figures");
        let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes:"));
        bytes.and_then(|bytes| bytes.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    /// Resident memory in KiB, with that of the process that its Wasm programs are in.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resident_kib(&self) -> u64 {
        let resident = |id: &dyn std::fmt::Display| -> u64 {
            let status = std::fs::read_to_string(format!("/proc/{id}/status"))
                .expect("a running process has a status");
            status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok())
                .expect("the status names the resident memory")
        };
        resident(&self.id()) + self.wasm_host().map_or(0, |host| resident(&host.id()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            if std::thread::panicking() {
                let output = self.output();
                let start = output.len().saturating_sub(8_000);
                eprintln_tail(output.get(start..).unwrap_or(&output));
            }
            self.kill();
        }
        // A test that fails is not to fail again here.
        if let Some(host) = self.wasm_host() {
            host.end();
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log of a daemon belongs to the failed test's output")]
fn eprintln_tail(text: &str) {
    eprintln!("--- the daemon's last output ---\n{text}\n---");
}
