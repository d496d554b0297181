//! Limits and figures of this process, as Linux reports them.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files and sockets this process may hold open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit in force; `None` is unlimited.
    pub soft: Option<u64>,
    /// What an unprivileged process can raise it to; `None` is unlimited.
    pub hard: Option<u64>,
}

/// Raises the soft limit of open files to the hard one and returns both.
///
/// A node with a thousand pods holds a listener or more for each, which the usual soft limit of
/// 1,024 does not allow.
///
/// # Errors
/// If the kernel refuses the new limit; the old one is then still in force.
pub fn raise_open_file_limit() -> io::Result<OpenFiles> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    let now = getrlimit(Resource::Nofile);
    Ok(OpenFiles { soft: now.current, hard: now.maximum })
}

/// Gives memory that was freed back to the system, where the allocator would keep it for later. Takes
/// some milliseconds, in which others wait for memory: after much has been freed at once.
pub fn release_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time and from any thread; it touches only memory that
    // nobody owns.
    #[expect(unsafe_code, reason = "the allocator's only interface is C")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Resident memory of this process, in bytes; 0 where `/proc` does not tell.
pub fn resident_bytes() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_reaches_the_hard_one() {
        let limit = raise_open_file_limit().unwrap();
        assert_eq!(limit.soft, limit.hard);
    }

    #[test]
    fn a_running_process_has_resident_memory() {
        assert!(resident_bytes() > 100_000);
    }
}
