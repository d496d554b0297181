//! What the machine has, and how it fares.

use std::path::Path;

use crate::env::Allocatable;
use crate::eviction::Signal;

/// Figures of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) memory_available_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) disk_available_bytes: u64,
    pub(crate) inodes: u64,
    pub(crate) inodes_free: u64,
    pub(crate) processes: u64,
    pub(crate) processes_max: u64,
    pub(crate) kernel: String,
    pub(crate) os_image: String,
    pub(crate) host_id: String,
    pub(crate) boot_id: String,
}

impl Machine {
    /// Reads them. Files that cannot be read count as zero, which is never pressure.
    pub(crate) fn read(data_dir: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let meminfo = text("/proc/meminfo");
        let disk = rustix::fs::statvfs(data_dir).ok();
        let disk = |of: fn(&rustix::fs::StatVfs) -> u64| disk.as_ref().map_or(0, of);
        Self {
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64),
            memory_bytes: meminfo_bytes(&meminfo, "MemTotal:"),
            memory_available_bytes: meminfo_bytes(&meminfo, "MemAvailable:"),
            disk_bytes: disk(|disk| disk.f_blocks * disk.f_frsize),
            disk_available_bytes: disk(|disk| disk.f_bavail * disk.f_frsize),
            inodes: disk(|disk| disk.f_files),
            inodes_free: disk(|disk| disk.f_favail),
            processes: processes(&text("/proc/loadavg")),
            processes_max: text("/proc/sys/kernel/pid_max").trim().parse().unwrap_or(0),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            os_image: os_image(&text("/etc/os-release")),
            host_id: text("/etc/machine-id").trim().to_owned(),
            boot_id: text("/proc/sys/kernel/random/boot_id").trim().to_owned(),
        }
    }

    pub(crate) fn allocatable(&self) -> Allocatable {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Allocatable {
            cpu_milli: signed(self.cpus * 1000),
            memory_bytes: signed(self.memory_bytes),
            storage_bytes: signed(self.disk_bytes),
        }
    }

    /// What is left of what a signal is about, and how much there is in all.
    pub(crate) fn available(&self, signal: Signal) -> (u64, u64) {
        match signal {
            Signal::MemoryAvailable => (self.memory_available_bytes, self.memory_bytes),
            Signal::NodefsAvailable | Signal::ImagefsAvailable => {
                (self.disk_available_bytes, self.disk_bytes)
            }
            Signal::NodefsInodesFree | Signal::ImagefsInodesFree => (self.inodes_free, self.inodes),
            Signal::PidAvailable => {
                (self.processes_max.saturating_sub(self.processes), self.processes_max)
            }
        }
    }
}

/// What a machine has too little of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressures {
    pub(crate) memory: bool,
    pub(crate) disk: bool,
    pub(crate) pids: bool,
}

fn meminfo_bytes(meminfo: &str, field: &str) -> u64 {
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

/// `0.20 0.18 0.12 1/80 11206`: all processes and threads stand behind the slash.
fn processes(loadavg: &str) -> u64 {
    let all = loadavg.split_whitespace().nth(3).and_then(|pair| pair.split_once('/'));
    all.and_then(|(_, all)| all.parse().ok()).unwrap_or(0)
}

fn os_image(os_release: &str) -> String {
    let line = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        assert_eq!(meminfo_bytes("MemTotal:       16 kB\nX: 1 kB", "MemTotal:"), 16 << 10);
        assert_eq!(processes("0.20 0.18 0.12 1/80 11206"), 80);
        assert_eq!(os_image("ID=x\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
        let machine = Machine::read(Path::new("/"));
        assert!(machine.cpus > 0 && machine.memory_bytes > 0 && machine.disk_bytes > 0);
    }
}
