//! Pod addresses for one test: the loopback range is shared by the whole machine.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};

use crate::eventually;

const FIRST: u8 = 64;
const RANGES: u8 = 32;

/// A /16 of 127.64.0.0/11 that no other test uses while this value lives.
#[derive(Debug)]
pub struct PodRange {
    second_octet: u8,
    _lock: File,
}

impl PodRange {
    /// Waits for a free range and takes it.
    ///
    /// # Panics
    /// If none becomes free.
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("wk-tests-pod-ranges");
        std::fs::create_dir_all(&folder).expect("a folder for lock files can be made");
        let first = u8::try_from(std::process::id() % u32::from(RANGES)).expect("below 32");
        eventually("a pod range is free", || {
            (0..RANGES).map(|step| FIRST + (first + step) % RANGES).find_map(|second_octet| {
                let path = folder.join(second_octet.to_string());
                let lock = File::options().create(true).append(true).open(path).ok()?;
                flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
                Some(Self { second_octet, _lock: lock })
            })
        })
    }

    /// The range, for `--cluster-cidr`.
    pub fn cidr(&self) -> String {
        format!("127.{}.0.0/16", self.second_octet)
    }
}
