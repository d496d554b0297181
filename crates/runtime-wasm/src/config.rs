//! What the runtime is told when it is made, and how much it can hold.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How a [`crate::WasmRuntime`] is set up.
#[derive(Clone, Debug)]
pub struct WasmConfig {
    /// Folder of compiled programs. Made with mode 0700 if missing; nobody else may write there,
    /// because what lies in it is run as machine code.
    pub cache_dir: PathBuf,
    /// Folder for private files of containers: what stands in for mounts of single files.
    pub state_dir: PathBuf,
    /// Command line of the compiler process, to which its arguments are appended: a program that
    /// calls [`crate::compile_main`] with them, for example `/usr/bin/wk __compile`.
    pub compiler: Vec<OsString>,
    /// Private memory that one compilation may take, in bytes.
    pub compile_memory_bytes: u64,
    /// Wall-clock time that one compilation may take.
    pub compile_time: Duration,
    /// Threads that run guests; at least one.
    pub guest_threads: usize,
    /// Most instances alive at once; lowered to what the kernel's mapping limit allows.
    pub instances: u32,
    /// Most connections that one container serves at once; more wait in the socket's queue.
    pub connections_per_container: usize,
    /// How long a guest may take until the head of its response.
    pub request_timeout: Duration,
    /// Most idle instances kept for one container with reuse.
    pub idle_instances_per_container: usize,
    /// How long an idle instance is kept for the next request.
    pub idle_instance_time: Duration,
    /// Certificate authorities that guests' outgoing `https` trusts, in DER; `None` is what the
    /// machine trusts.
    pub https_roots: Option<Vec<Vec<u8>>>,
}

impl WasmConfig {
    /// The usual settings, with `cache_dir`, `state_dir` and the compiler's command line.
    pub fn new(cache_dir: PathBuf, state_dir: PathBuf, compiler: Vec<OsString>) -> Self {
        Self {
            cache_dir,
            state_dir,
            compiler,
            compile_memory_bytes: 3 << 30,
            compile_time: Duration::from_mins(3),
            guest_threads: std::thread::available_parallelism().map_or(2, usize::from),
            instances: 4096,
            connections_per_container: 1024,
            request_timeout: Duration::from_mins(5),
            idle_instances_per_container: 16,
            idle_instance_time: Duration::from_secs(2),
            https_roots: None,
        }
    }
}

/// How much fits, and which limit says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Instances that can be alive at once: running commands and requests in progress.
    pub instances: u32,
    /// Containers that listen on a port, by the limit of open files.
    pub listeners: u64,
    /// `vm.max_map_count` as the kernel reports it.
    pub max_map_count: u64,
    /// The soft limit of open files; [`u64::MAX`] is unlimited.
    pub open_files: u64,
}

impl Capacity {
    /// Pods that fit, if each of them is one container that runs or listens.
    pub fn pods(&self) -> u64 {
        self.listeners.min(u64::from(self.instances))
    }
}

/// Mappings that the process needs besides those of its instances.
const OTHER_MAPPINGS: u64 = 8192;
/// Mappings of one live instance: two for its stack, the others for memory, image and tables.
const MAPPINGS_PER_INSTANCE: u64 = 6;
/// Files that the process needs besides those of its pods.
const OTHER_FILES: u64 = 512;
/// Open files of one busy pod: a listener, a log and some connections.
const FILES_PER_POD: u64 = 4;

/// What fits with `wanted` instances under the given limits of the kernel.
pub(crate) fn capacity(wanted: u32, max_map_count: u64, open_files: u64) -> Capacity {
    let by_mappings = max_map_count.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_PER_INSTANCE;
    let instances = u64::from(wanted).min(by_mappings).max(16);
    Capacity {
        instances: u32::try_from(instances).unwrap_or(wanted),
        listeners: open_files.saturating_sub(OTHER_FILES) / FILES_PER_POD,
        max_map_count,
        open_files,
    }
}

/// The limits in force for this process: `vm.max_map_count` and open files.
pub(crate) fn kernel_limits() -> (u64, u64) {
    /// What kernels have by default.
    const USUAL_MAP_COUNT: u64 = 65_530;
    let max_map_count = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(USUAL_MAP_COUNT);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    (max_map_count, files.current.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_pods_fit_under_the_usual_limits() {
        let usual = capacity(4096, 65_530, 20_000);
        assert_eq!(usual.instances, 4096);
        assert!(usual.pods() >= 2000, "{usual:?}");
    }

    #[test]
    fn a_low_mapping_limit_lowers_the_pool() {
        assert_eq!(capacity(4096, 14_192, 20_000).instances, 1000);
        assert_eq!(capacity(4096, 0, 20_000).instances, 16);
    }
}
