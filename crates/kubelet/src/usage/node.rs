//! What the machine uses as a whole.
//!
//! Where the kubelet has a control group as its root, as in a container, that group is its machine;
//! otherwise the kernel's figures of the whole machine count.

use std::path::Path;

use jiff::Timestamp;

/// Ticks of the kernel's processor statistics a second: part of its interface, whatever its clock.
const TICKS: u64 = 100;
const NANOS: u64 = 1_000_000_000;

/// Figures of one moment; `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeUsage {
    pub(crate) booted_at: Option<Timestamp>,
    /// Processor time since the machine was started, in nanoseconds.
    pub(crate) cpu_nanos: Option<u64>,
    /// Memory in use, with caches of files.
    pub(crate) memory_bytes: Option<u64>,
    /// Memory in use that cannot be had by forgetting files not used lately.
    pub(crate) working_set_bytes: Option<u64>,
    /// Memory that belongs to programs and to no file.
    pub(crate) rss_bytes: Option<u64>,
    /// Memory that could still be used.
    pub(crate) available_bytes: Option<u64>,
    pub(crate) page_faults: Option<u64>,
    pub(crate) major_page_faults: Option<u64>,
    pub(crate) swap_bytes: Option<u64>,
    pub(crate) swap_available_bytes: Option<u64>,
}

impl NodeUsage {
    /// Reads them from the file system of the kernel's figures below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let mut usage = machine(&text("proc/stat"), &text("proc/meminfo"), &text("proc/vmstat"));
        // The whole machine's group has no such file.
        let group = |file: &str| text(&format!("sys/fs/cgroup/{file}"));
        let current = group("memory.current");
        if !current.is_empty() {
            let limit = group("memory.max");
            usage.within(&current, &limit, &group("memory.stat"), &group("cpu.stat"));
        }
        usage
    }

    /// Narrows the figures to a control group.
    fn within(&mut self, current: &str, limit: &str, memory: &str, cpu: &str) {
        if let Some(micros) = value(cpu, "usage_usec") {
            self.cpu_nanos = micros.checked_mul(1000);
        }
        let Ok(used) = current.trim().parse::<u64>() else { return };
        let working_set = used.saturating_sub(value(memory, "inactive_file").unwrap_or(0));
        self.memory_bytes = Some(used);
        self.working_set_bytes = Some(working_set);
        self.rss_bytes = value(memory, "anon");
        self.page_faults = value(memory, "pgfault");
        self.major_page_faults = value(memory, "pgmajfault");
        if let Ok(limit) = limit.trim().parse::<u64>() {
            let left = limit.saturating_sub(working_set);
            self.available_bytes =
                Some(self.available_bytes.map_or(left, |machine| machine.min(left)));
        }
    }
}

fn machine(stat: &str, meminfo: &str, vmstat: &str) -> NodeUsage {
    let bytes = |field: &str| value(meminfo, field).map(|kib| kib * 1024);
    let total = bytes("MemTotal:");
    let minus = |from: Option<u64>, less: Option<u64>| Some(from?.saturating_sub(less?));
    let memory_bytes = minus(total, bytes("MemFree:"));
    let working_set_bytes = minus(memory_bytes, bytes("Inactive(file):"));
    NodeUsage {
        booted_at: value(stat, "btime")
            .and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok()),
        cpu_nanos: busy_ticks(stat).map(|ticks| ticks * (NANOS / TICKS)),
        memory_bytes,
        working_set_bytes,
        rss_bytes: bytes("AnonPages:"),
        available_bytes: minus(total, working_set_bytes),
        page_faults: value(vmstat, "pgfault"),
        major_page_faults: value(vmstat, "pgmajfault"),
        swap_bytes: minus(bytes("SwapTotal:"), bytes("SwapFree:")),
        swap_available_bytes: bytes("SwapFree:"),
    }
}

/// `cpu user nice system idle iowait irq softirq steal ...`: all of it but idling and waiting.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let busy = ticks.iter().take(7).enumerate().filter(|(at, _)| !matches!(at, 3 | 4));
    (ticks.len() >= 4).then(|| busy.map(|(_, ticks)| ticks).sum())
}

/// The number behind a name at the start of a line.
fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 10 50 9000 70 5 5 30 40 0\ncpu0 1 1 1 1\nbtime 1700000000\n";
    const MEMINFO: &str = "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\n\
                           AnonPages: 120 kB\nInactive(file): 200 kB\nSwapTotal: 50 kB\n\
                           SwapFree: 40 kB\n";

    #[test]
    fn the_machine_is_what_its_kernel_tells() {
        let usage = machine(STAT, MEMINFO, "pgfault 7\npgmajfault 2\n");
        assert_eq!(usage.cpu_nanos, Some(1_700_000_000), "neither idle nor waiting nor stolen");
        assert_eq!(usage.memory_bytes, Some(700 << 10));
        assert_eq!(usage.working_set_bytes, Some(500 << 10));
        assert_eq!(usage.available_bytes, Some(500 << 10));
        assert_eq!((usage.rss_bytes, usage.swap_bytes), (Some(120 << 10), Some(10 << 10)));
        assert_eq!((usage.page_faults, usage.major_page_faults), (Some(7), Some(2)));
        assert_eq!(usage.booted_at.map(Timestamp::as_second), Some(1_700_000_000));
        assert_eq!(machine("", "", ""), NodeUsage::default(), "what is not told is not known");
    }

    #[test]
    fn a_control_group_is_the_machine_of_what_it_holds() {
        let mut usage = machine(STAT, MEMINFO, "");
        let memory = "anon 3000\ninactive_file 1000\npgfault 9\npgmajfault 1\n";
        usage.within("5000\n", "100000\n", memory, "usage_usec 250\nuser_usec 200\n");
        assert_eq!(usage.cpu_nanos, Some(250_000));
        assert_eq!((usage.memory_bytes, usage.working_set_bytes), (Some(5000), Some(4000)));
        assert_eq!(usage.available_bytes, Some(96_000));
        usage.within("5000\n", "max\n", memory, "");
        assert_eq!(usage.available_bytes, Some(96_000), "no limit leaves what the machine has");
    }

    #[test]
    fn this_machine_has_figures() {
        let usage = NodeUsage::read(Path::new("/"));
        assert!(usage.cpu_nanos.is_some_and(|nanos| nanos > 0), "{usage:?}");
        assert!(usage.working_set_bytes.is_some_and(|bytes| bytes > 0), "{usage:?}");
    }
}
