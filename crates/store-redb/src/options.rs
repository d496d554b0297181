//! What can be chosen about the store.

/// How a commit reaches the disk: what is paid at every write against what is paid after a crash.
///
/// Every mode keeps every acknowledged write; `benches/writes.rs` measures what each costs. On a two
/// core machine with 1 KiB values, as medians: a lone writer waits 0.21 ms with one sync and 0.31 ms
/// with quick repair (on a slower disk 0.5 and 1.1); opening after a kill takes 11 ms with one sync
/// for a file of 17 MB, 0.1 s for 135 MB and 0.3 s for 540 MB, and under 2 ms with quick repair.
///
/// One sync is the default because the first is paid several times on the way of every pod, and the
/// second once after a crash, for files that stay in the tens of megabytes. A server with hundreds
/// of megabytes or a disk that reads slowly does better with quick repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitMode {
    /// One sync a commit. After a crash the whole file is read to verify its newest commit, which
    /// takes time in proportion to the file.
    #[default]
    OneSync,
    /// Two syncs a commit: the new state first, then the switch to it. After a crash the file is
    /// read as with [`CommitMode::OneSync`]; the gain is that nobody who chooses what is stored
    /// can forge a commit out of a torn one.
    TwoPhase,
    /// Two syncs and the record of free space with every commit: opening after a crash takes
    /// milliseconds for a file of any size.
    QuickRepair,
}

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How commits reach the disk.
    pub commit: CommitMode,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// Memory for recent events, in bytes. Watches that are further behind read from the file.
    pub window_bytes: usize,
}

impl Default for Options {
    /// For a process that is to stay small: the API server has a cache of its own, so that reads
    /// are rare, and writes touch the index and the end of the versions.
    fn default() -> Self {
        Self { commit: CommitMode::default(), cache_bytes: 2 << 20, window_bytes: 1 << 20 }
    }
}
