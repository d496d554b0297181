//! Giving space back: a new file with what is still needed takes the place of the old one.
//!
//! redb returns only the free end of its file, and its own compaction stops everybody for as long as
//! it takes. Here a thread copies one snapshot while writers and readers go on in the old file, then
//! what was written meanwhile, again and again until little is left. That little is for the writer
//! itself, between two commits, which then gives the new file the old one's name. A crash leaves one
//! whole file or the other under that name, each with every acknowledged write.
//!
//! Nothing is trimmed in the old file meanwhile: a version that is gone could not be copied.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use wk_store::{Revision, StoreError};

use crate::disk::{Disk as _, FileDisk};
use crate::queue::Queue;
use crate::schema::{self, KEYS, META, Slot, TRIMMED, VERSIONS, Version};
use crate::session::{Medium, Session};
use crate::slot::DatabaseSlot;

/// A file below this is left as it is.
pub(crate) const WORTHWHILE_BYTES: u64 = 32 << 20;
/// What has been freed has to be this part of the file before anybody looks.
pub(crate) const FREED_PART: u64 = 4;
/// What is to be left on the disk, beside twice what is written.
const SPARE_BYTES: u64 = 64 << 20;
/// How many versions the writer may be left to copy.
const LEFT_TO_WRITER: u64 = 256;
/// How often the writers may be ahead of the copy before it is given up: a later attempt finds them
/// less busy.
const ROUNDS: usize = 8;

/// What comes of an attempt; no file if there would be no gain, or no end.
type Outcome = Result<Option<Copied>, StoreError>;

/// A new file in the making.
#[derive(Debug)]
pub(crate) struct Rewrite {
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
    given_up: Arc<AtomicBool>,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

/// A new file that lacks only the newest writes.
#[derive(Debug)]
pub(crate) struct Copied {
    path: PathBuf,
    pub(crate) medium: Arc<Medium>,
    pub(crate) session: Session,
    pub(crate) database: Database,
    up_to: Revision,
}

/// What a copy needs to know.
pub(crate) struct Plan {
    pub(crate) slot: Arc<DatabaseSlot>,
    pub(crate) queue: Arc<Queue>,
    /// The store's own file.
    pub(crate) path: PathBuf,
}

/// The name of the file in the making.
pub(crate) fn path_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".rewrite");
    beside.into()
}

impl Rewrite {
    /// Begins to copy on a thread, which has the writer come round when it is done.
    pub(crate) fn begin(plan: Plan) -> std::io::Result<Self> {
        let mut rewrite = Self {
            path: path_beside(&plan.path),
            thread: None,
            given_up: Arc::default(),
            outcome: Arc::default(),
        };
        let (given_up, outcome) = (Arc::clone(&rewrite.given_up), Arc::clone(&rewrite.outcome));
        let thread =
            std::thread::Builder::new().name("store-rewrite".to_owned()).spawn(move || {
                let copied = plan.copy(&given_up);
                if !matches!(copied, Ok(Some(_))) {
                    // It is not there, or nobody misses it.
                    _ = std::fs::remove_file(path_beside(&plan.path));
                }
                *outcome.lock() = Some(copied);
                plan.queue.nudge();
            })?;
        rewrite.thread = Some(thread);
        Ok(rewrite)
    }

    /// What came of it, once: nothing yet, nothing at all, or a new file.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

/// Waits for the thread, which would keep the old file locked, and leaves nothing behind.
impl Drop for Rewrite {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it happened.
            _ = thread.join();
        }
        if let Some(Ok(Some(copied))) = self.outcome() {
            drop(copied);
            _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Plan {
    /// The new file; `None` if there would be no gain, or no end.
    fn copy(&self, given_up: &AtomicBool) -> Outcome {
        let begin = |database: &Database| Ok(database.begin_read()?);
        let old = self.slot.with(begin)?;
        let length = self.slot.medium().disk().len().map_err(StoreError::Io)?;
        let needed = self.slot.with(|_| needed(&old))?;
        let available = self.slot.medium().disk().available().unwrap_or(u64::MAX);
        if needed > length / 2 || available < 2 * needed + SPARE_BYTES {
            return Ok(None);
        }
        let path = path_beside(&self.path);
        let disk = FileDisk::open(&path)?;
        disk.set_len(0).map_err(StoreError::Io)?;
        let medium = Arc::new(Medium::new(Arc::new(disk)));
        let session = Session::new(Arc::clone(&medium));
        let mut up_to = Revision::ZERO;
        let database = self.slot.explained(&session, || {
            let mut builder = Builder::new();
            builder.set_cache_size(self.slot.cache_bytes());
            let mut database = builder.create_with_backend(session.clone())?;
            up_to = copy_all(&old, &database, given_up)?;
            // Moves nothing, but cuts off what the file grew beyond its content.
            database.compact().map_err(|error| match error {
                redb::CompactionError::Storage(error) => redb::Error::from(error),
                other => redb::Error::Corrupted(other.to_string()),
            })?;
            Ok(database)
        })?;
        drop(old);
        for _ in 0..ROUNDS {
            if given_up.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let old = self.slot.with(begin)?;
            let reached = self.slot.explained(&session, || copy_after(&old, &database, up_to))?;
            let copied = reached.0 - up_to.0;
            up_to = reached;
            if copied <= LEFT_TO_WRITER {
                return Ok(Some(Copied { path, medium, session, database, up_to }));
            }
        }
        Ok(None)
    }
}

impl Copied {
    /// Copies what the old file has got meanwhile; for the writer, between two commits.
    pub(crate) fn catch_up(&mut self, old: &Database) -> Result<(), redb::Error> {
        self.up_to = copy_after(&old.begin_read()?, &self.database, self.up_to)?;
        Ok(())
    }

    /// Gives the file the name of the old one.
    pub(crate) fn take_name(&self, path: &Path) -> std::io::Result<()> {
        std::fs::rename(&self.path, path)
    }
}

/// About how many bytes a new file would have.
fn needed(old: &ReadTransaction) -> Result<u64, redb::Error> {
    use redb::ReadableTableMetadata as _;
    let versions = old.open_table(VERSIONS)?.stats()?;
    let keys = old.open_table(KEYS)?.stats()?;
    let bytes = |stats: &redb::TableStats| stats.stored_bytes() + stats.metadata_bytes();
    Ok(bytes(&versions) + bytes(&keys))
}

fn copy_all(
    old: &ReadTransaction,
    new: &Database,
    given_up: &AtomicBool,
) -> Result<Revision, redb::Error> {
    let write = new.begin_write()?;
    let mut newest = Revision::ZERO;
    {
        let mut versions = write.open_table(VERSIONS)?;
        for item in old.open_table(VERSIONS)?.iter()? {
            let (revision, record) = item?;
            versions.insert(revision.value(), record.value())?;
            newest = Revision(revision.value());
            if given_up.load(Ordering::Relaxed) {
                break;
            }
        }
        let mut keys = write.open_table(KEYS)?;
        for item in old.open_table(KEYS)?.iter()? {
            let (key, slot) = item?;
            keys.insert(key.value(), slot.value())?;
        }
        copy_numbers(old, &mut write.open_table(META)?, true)?;
    }
    write.commit()?;
    Ok(newest)
}

/// Copies the versions after `after` with what follows from them; gives the newest.
fn copy_after(
    old: &ReadTransaction,
    new: &Database,
    after: Revision,
) -> Result<Revision, redb::Error> {
    let write = new.begin_write()?;
    let mut newest = after;
    {
        let mut versions = write.open_table(VERSIONS)?;
        let mut keys = write.open_table(KEYS)?;
        for item in old.open_table(VERSIONS)?.range(after.next().0..)? {
            let (revision, record) = item?;
            newest = Revision(revision.value());
            let version = Version::decode(record.value())?;
            let slot = Slot { revision: newest, alive: version.value.is_some() };
            keys.insert(version.key, slot.encode())?;
            versions.insert(newest.0, record.value())?;
        }
        copy_numbers(old, &mut write.open_table(META)?, false)?;
    }
    write.commit()?;
    Ok(newest)
}

/// Copies the numbers; how far was trimmed is true of the first snapshot only.
fn copy_numbers(
    old: &ReadTransaction,
    new: &mut redb::Table<'_, &'static str, u64>,
    trimmed: bool,
) -> Result<(), redb::Error> {
    for item in old.open_table(META)?.iter()? {
        let (name, number) = item?;
        if trimmed || name.value() != TRIMMED {
            new.insert(name.value(), number.value())?;
        }
    }
    debug_assert_ne!(schema::number(new, schema::FORMAT)?, 0, "the format is among the numbers");
    Ok(())
}
