//! Disks that remember, fail and crash.

use std::collections::BTreeSet;
use std::io;

use parking_lot::Mutex;
use wk_store_redb::Disk;

/// A disk in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    bytes: Mutex<Vec<u8>>,
}

impl MemoryDisk {
    pub(crate) fn with(bytes: Vec<u8>) -> Self {
        Self { bytes: Mutex::new(bytes) }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().clone()
    }
}

/// Stores `data` at `offset`, making the array longer as needed.
fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let offset = usize::try_from(offset).unwrap();
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

fn take(bytes: &[u8], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let offset = usize::try_from(offset).unwrap();
    let found = bytes.get(offset..offset + out.len());
    out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

fn cut(bytes: &mut Vec<u8>, len: u64) {
    bytes.resize(usize::try_from(len).unwrap(), 0);
}

impl Disk for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        take(&self.bytes.lock(), offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        put(&mut self.bytes.lock(), offset, data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        cut(&mut self.bytes.lock(), len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn available(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// What a [`RecordingDisk`] was asked to do.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// The test's own: everything up to this revision was acknowledged.
    Acknowledged(u64),
}

impl Step {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => put(bytes, *offset, data),
            Self::SetLen(len) => cut(bytes, *len),
            Self::Sync | Self::Acknowledged(_) => {}
        }
    }
}

/// A disk that remembers every step, so that any crash can be made afterwards.
#[derive(Debug, Default)]
pub(crate) struct RecordingDisk {
    disk: MemoryDisk,
    steps: Mutex<Vec<Step>>,
}

impl RecordingDisk {
    pub(crate) fn with(bytes: Vec<u8>) -> Self {
        Self { disk: MemoryDisk::with(bytes), steps: Mutex::default() }
    }

    pub(crate) fn note(&self, step: Step) {
        self.steps.lock().push(step);
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.lock().clone()
    }
}

impl Disk for RecordingDisk {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Step::Write(offset, data.to_owned()));
        self.disk.write(offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(Step::SetLen(len));
        self.disk.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.note(Step::Sync);
        Ok(())
    }

    fn available(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

const BLOCK: u64 = 4096;

/// A disk with a kernel's page cache in front of it, which can be full or broken.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    inner: Mutex<Faulty>,
}

#[derive(Debug, Default)]
struct Faulty {
    /// What reads see.
    cached: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    dirty: BTreeSet<u64>,
    /// Blocks that have space on the disk; the file is sparse.
    allocated: BTreeSet<u64>,
    free_blocks: Option<u64>,
    /// What the disk says is free, if that is not what is free.
    claimed_free: Option<u64>,
    failing_syncs: u32,
    failing_reads: u32,
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::default() }
    }

    /// From now on so many new blocks fit; `None` is any number.
    pub(crate) fn set_free_blocks(&self, blocks: Option<u64>) {
        self.inner.lock().free_blocks = blocks;
    }

    /// From now on the disk says that so many bytes are free; `None` is all of them.
    pub(crate) fn claim_free(&self, bytes: Option<u64>) {
        self.inner.lock().claimed_free = bytes;
    }

    /// The next syncs fail, and the kernel takes what they should have written for clean.
    pub(crate) fn fail_syncs(&self, count: u32) {
        self.inner.lock().failing_syncs = count;
    }

    pub(crate) fn fail_reads(&self, count: u32) {
        self.inner.lock().failing_reads = count;
    }

    pub(crate) fn after_power_cut(&self) -> Vec<u8> {
        self.inner.lock().durable.clone()
    }
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

impl Disk for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner.lock().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut inner = self.inner.lock();
        if inner.failing_reads > 0 {
            inner.failing_reads -= 1;
            return Err(io_error());
        }
        take(&inner.cached, offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let block = at / BLOCK;
            let stop = end.min((block + 1) * BLOCK);
            if inner.allocated.insert(block) {
                match &mut inner.free_blocks {
                    Some(0) => {
                        inner.allocated.remove(&block);
                        return Err(rustix::io::Errno::NOSPC.into());
                    }
                    Some(free) => *free -= 1,
                    None => {}
                }
            }
            let part =
                usize::try_from(at - offset).unwrap()..usize::try_from(stop - offset).unwrap();
            put(&mut inner.cached, at, &data[part]);
            inner.dirty.insert(block);
            at = stop;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner.lock();
        cut(&mut inner.cached, len);
        cut(&mut inner.durable, len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let dirty = std::mem::take(&mut inner.dirty);
        if inner.failing_syncs > 0 {
            inner.failing_syncs -= 1;
            return Err(io_error());
        }
        for block in dirty {
            let start = usize::try_from(block * BLOCK).unwrap();
            let end = inner.cached.len().min(start + usize::try_from(BLOCK).unwrap());
            if start < end {
                let data = inner.cached[start..end].to_vec();
                put(&mut inner.durable, block * BLOCK, &data);
            }
        }
        Ok(())
    }

    fn available(&self) -> io::Result<u64> {
        Ok(self.inner.lock().claimed_free.unwrap_or(u64::MAX))
    }
}
