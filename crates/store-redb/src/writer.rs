//! The one thread that writes: takes what has arrived, commits it, answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use wk_store::{Batch, Feed, Revision, StoreError, WriteError};

use crate::disk::sync_name;
use crate::options::CommitMode;
use crate::queue::{Change, Queue, Queued, Replace, Request, Write};
use crate::replace;
use crate::rewrite::{self, Copied, Rewrite};
use crate::schema::{self, BASE, COMPACTED, KEYS, META, TRIMMED, VERSIONS};
use crate::slot::{DatabaseSlot, Found};
use crate::trim;
use crate::write::Commit;

/// How long after a failure the next attempt is made, if no writer asks earlier.
const RETRY: Duration = Duration::from_secs(1);
/// How much space must be left for what adds to the file. What is refused in time does not fail in
/// the middle, where the database would have to be opened again.
const RESERVE_TO_ADD: u64 = 4 << 20;
/// How much must be left for deletions and compaction, which need room to make room.
const RESERVE_TO_FREE: u64 = 512 << 10;

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// The writing half of the store.
pub(crate) struct Writer {
    pub(crate) slot: Arc<DatabaseSlot>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) feed: Feed,
    pub(crate) mode: CommitMode,
    /// What is committed.
    pub(crate) now: Found,
    /// Who waits for their compaction to be finished.
    pub(crate) compacting: Vec<(Revision, Reply<(), StoreError>)>,
    /// Whether the last attempt to trim failed, so that the next one has time.
    pub(crate) trim_failed: bool,
    /// The store's file, if it is one by this name.
    pub(crate) path: Option<PathBuf>,
    /// A smaller file in the making.
    pub(crate) rewrite: Option<Rewrite>,
    /// Whether there was a compaction since the file was last looked at.
    pub(crate) compacted: bool,
    /// How many bytes trimming has freed since then.
    pub(crate) freed: u64,
}

/// What one commit is to hold, sorted by what was asked.
#[derive(Default)]
struct Group {
    writes: Vec<(Write, Reply<Revision, WriteError>)>,
    compact: Vec<(Revision, Reply<(), StoreError>)>,
    raise_base: Vec<(u64, Reply<u64, StoreError>)>,
    replace: Vec<Replace>,
}

/// What a commit leads to, if it becomes durable.
struct Outcome {
    /// One for each write.
    answers: Vec<Result<Revision, WriteError>>,
    batches: Vec<Batch>,
    then: Found,
    base: u64,
    freed: u64,
}

impl Writer {
    /// Works until the queue is closed and empty; dropping the writer then closes the database.
    pub(crate) fn run(mut self) {
        while let Some(requests) = self.queue.take(self.patience()) {
            let mut group = Group::sorted(requests);
            match self.opened() {
                Ok(()) => {
                    self.end_rewrite();
                    let replace = std::mem::take(&mut group.replace);
                    self.serve(group);
                    for replace in replace {
                        self.replace(replace);
                    }
                    self.begin_rewrite();
                }
                Err(error) => group.refuse(&error),
            }
        }
    }

    /// How long to wait for writers: not at all while there is something else to do.
    fn patience(&self) -> Option<Duration> {
        if self.slot.is_down() || (self.trim_due() && self.trim_failed) {
            Some(RETRY)
        } else if self.trim_due() {
            Some(Duration::ZERO)
        } else {
            None
        }
    }

    fn trim_due(&self) -> bool {
        self.rewrite.is_none() && self.now.trimmed < trim_target(&self.now)
    }

    /// Makes sure that there is a database.
    fn opened(&mut self) -> Result<(), StoreError> {
        if self.slot.is_down() {
            self.reopen()?;
        }
        Ok(())
    }

    /// Opens the database again; returns the newest revision in it.
    fn reopen(&mut self) -> Result<Revision, StoreError> {
        let found = self.slot.reopen()?;
        if found.current < self.now.current {
            // The disk gave back less than it had promised to keep: going on would give revisions
            // that were seen a second meaning.
            error!(found = found.current.0, expected = self.now.current.0, "the disk lost writes");
            self.slot.close();
            self.queue.close();
            return Err(StoreError::Corrupt { what: "the disk lost synced writes".to_owned() });
        }
        self.now = Found { current: self.now.current, ..found };
        if found.compacted > self.feed.compacted() {
            self.feed.compact(found.compacted);
        }
        Ok(found.current)
    }

    fn serve(&mut self, group: Group) {
        let Some(group) = self.within_space(group) else { return };
        if group.is_empty() && !self.trim_due() {
            return;
        }
        let mut outcome = None;
        let committed = self.slot.with(|database| self.commit(database, &group, &mut outcome));
        let committed = match committed {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error, outcome.as_ref()),
        };
        match (committed, outcome) {
            (Ok(()), Some(outcome)) => self.finish(group, outcome),
            (Ok(()), None) => unreachable!("a commit has an outcome"),
            (Err(error), _) => {
                self.trim_failed = true;
                group.refuse(&error);
                self.refuse_compacting(&error);
            }
        }
    }

    /// Leaves out what there is no space for, and answers it.
    fn within_space(&mut self, mut group: Group) -> Option<Group> {
        // Where the space is not known, the disk itself will say.
        let available = self.slot.medium().disk().available().unwrap_or(u64::MAX);
        if available < RESERVE_TO_FREE {
            self.trim_failed = true;
            group.refuse(&StoreError::NoSpace);
            self.refuse_compacting(&StoreError::NoSpace);
            return None;
        }
        let bytes: usize = group.writes.iter().map(|(write, _)| write.weight()).sum();
        if available < RESERVE_TO_ADD + 2 * bytes as u64 {
            let (kept, refused) = group
                .writes
                .into_iter()
                .partition(|(write, _)| matches!(write.change, Change::Delete { .. }));
            group.writes = kept;
            Group { writes: refused, ..Group::default() }.refuse(&StoreError::NoSpace);
        }
        Some(group)
    }

    /// Commits the group and one step of trimming; `outcome` is there before the disk is touched.
    fn commit(
        &self,
        database: &Database,
        group: &Group,
        outcome: &mut Option<Outcome>,
    ) -> Result<(), redb::Error> {
        let transaction = self.begin(database)?;
        let then = outcome.insert(self.fill(&transaction, group)?);
        if self.write_numbers(&transaction, group, then)? || !then.batches.is_empty() {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(())
    }

    fn fill(&self, transaction: &WriteTransaction, group: &Group) -> Result<Outcome, redb::Error> {
        let mut commit = Commit {
            versions: transaction.open_table(VERSIONS)?,
            keys: transaction.open_table(KEYS)?,
            current: self.now.current,
            feed: &self.feed,
            buffer: Vec::new(),
        };
        let (mut answers, mut batches) = (Vec::with_capacity(group.writes.len()), Vec::new());
        for (write, _) in &group.writes {
            answers.push(commit.apply(write)?.map(|batch| {
                let revision = batch.revision;
                batches.push(batch);
                revision
            }));
        }
        let asked = group.compact.iter().map(|(revision, _)| *revision).max();
        let asked = asked.unwrap_or_default().min(commit.current);
        let compacted = self.now.compacted.max(asked);
        let mut then = Found { current: commit.current, compacted, trimmed: self.now.trimmed };
        let target = trim_target(&then);
        let mut freed = 0;
        if self.rewrite.is_none() && then.trimmed < target {
            (then.trimmed, freed) =
                trim::step(&mut commit.versions, &mut commit.keys, then.trimmed, target)?;
        }
        Ok(Outcome { answers, batches, then, base: 0, freed })
    }

    /// Writes the numbers that change; says whether any does.
    fn write_numbers(
        &self,
        transaction: &WriteTransaction,
        group: &Group,
        outcome: &mut Outcome,
    ) -> Result<bool, redb::Error> {
        let then = outcome.then;
        let moved = then.compacted > self.now.compacted || then.trimmed > self.now.trimmed;
        if !moved && group.raise_base.is_empty() {
            return Ok(false);
        }
        let mut meta = transaction.open_table(META)?;
        if moved {
            meta.insert(COMPACTED, then.compacted.0)?;
            meta.insert(TRIMMED, then.trimmed.0)?;
        }
        let wanted = group.raise_base.iter().map(|(at_least, _)| *at_least).max();
        if let Some(wanted) = wanted {
            outcome.base = schema::number(&meta, BASE)?.max(wanted);
            meta.insert(BASE, outcome.base)?;
        }
        Ok(true)
    }

    /// Opens the database again after a failed commit. Good if the commit turns out to be durable:
    /// a failure after the decisive write leaves it so.
    fn recover(&mut self, error: StoreError, outcome: Option<&Outcome>) -> Result<(), StoreError> {
        warn!(%error, "a commit failed, opening the database again");
        let before = self.now.current;
        let intended = outcome.map(|outcome| outcome.then.current);
        match self.reopen() {
            Ok(found) if found > before && Some(found) == intended => Ok(()),
            _ => Err(error),
        }
    }

    /// Publishes and answers what is durable now.
    fn finish(&mut self, group: Group, outcome: Outcome) {
        let Outcome { answers, batches, then, base, freed } = outcome;
        self.freed = self.freed.saturating_add(freed);
        self.trim_failed = false;
        if !batches.is_empty() {
            self.feed.publish(batches);
        }
        if then.compacted > self.now.compacted {
            self.compacted = true;
            self.feed.compact(then.compacted);
        }
        self.now = then;
        // Whoever does not wait for the answer any more does not get one.
        for ((_, reply), answer) in group.writes.into_iter().zip(answers) {
            _ = reply.send(answer);
        }
        for (_, reply) in group.raise_base {
            _ = reply.send(Ok(base));
        }
        self.compacting.extend(group.compact);
        let done = self.now.trimmed >= trim_target(&self.now);
        let trimmed = if done { Revision(u64::MAX) } else { self.now.trimmed };
        for (_, reply) in self.compacting.extract_if(.., |(revision, _)| *revision <= trimmed) {
            _ = reply.send(Ok(()));
        }
    }

    /// Puts new content in the place of the old, in a commit of its own.
    fn replace(&mut self, wanted: Replace) {
        let Replace { entries, at_least, reply } = wanted;
        if let Err(error) = self.opened() {
            _ = reply.send(Err(error));
            return;
        }
        // What is being copied is about to be nothing.
        self.rewrite = None;
        let mut intended = None;
        let replaced = self.slot.with(|database| {
            let transaction = self.begin(database)?;
            let filled = replace::replace(&transaction, &self.now, entries, at_least)?;
            if let Ok(then) = &filled {
                intended = Some(*then);
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(filled)
        });
        let then = match replaced {
            Ok(then) => then,
            Err(error) => {
                warn!(%error, "a commit failed, opening the database again");
                let before = self.now.current;
                match (self.reopen(), intended) {
                    (Ok(found), Some(then)) if found > before && found == then.current => Ok(then),
                    _ => Err(error),
                }
            }
        };
        _ = reply.send(then.map(|then| {
            self.now = then;
            self.feed.reset(then.current);
            self.freed = u64::MAX;
            for (_, reply) in self.compacting.drain(..) {
                _ = reply.send(Ok(()));
            }
            then.current
        }));
    }

    /// Looks whether a smaller file would do, and has it written.
    fn begin_rewrite(&mut self) {
        let Some(path) = self.path.as_ref().filter(|_| self.compacted) else { return };
        if self.rewrite.is_some() || self.now.trimmed < trim_target(&self.now) {
            return;
        }
        self.compacted = false;
        let Ok(length) = self.slot.medium().disk().len() else { return };
        if length < rewrite::WORTHWHILE_BYTES || self.freed < length / rewrite::FREED_PART {
            return;
        }
        self.freed = 0;
        let plan = rewrite::Plan {
            slot: Arc::clone(&self.slot),
            queue: Arc::clone(&self.queue),
            path: path.clone(),
        };
        match Rewrite::begin(plan) {
            Ok(rewrite) => self.rewrite = Some(rewrite),
            Err(error) => warn!(%error, "no thread to give space back to the disk"),
        }
    }

    /// Changes over to the smaller file, once it is there.
    fn end_rewrite(&mut self) {
        let Some(outcome) = self.rewrite.as_ref().and_then(Rewrite::outcome) else { return };
        self.rewrite = None;
        let Some(path) = self.path.clone() else { return };
        match outcome {
            Ok(Some(copied)) => match self.change_over(copied, &path) {
                Ok((before, after)) => {
                    info!(before, after, "gave space back to the disk");
                    // What the old database and the copying held.
                    wk_process::release_free_memory();
                }
                Err(error) => {
                    warn!(%error, "the smaller file of the store was not taken");
                    // Unless it has the name already, nobody misses it.
                    _ = std::fs::remove_file(rewrite::path_beside(&path));
                }
            },
            Ok(None) => {}
            Err(error) => warn!(%error, "no space was given back to the disk"),
        }
    }

    /// Gives the lengths of the file before and after.
    fn change_over(&self, mut copied: Copied, path: &Path) -> Result<(u64, u64), StoreError> {
        let before = self.slot.medium().disk().len().map_err(StoreError::Io)?;
        self.slot.with(|old| copied.catch_up(old))?;
        copied.take_name(path).map_err(StoreError::Io)?;
        let Copied { medium, session, database, .. } = copied;
        let after = medium.disk().len().map_err(StoreError::Io);
        self.slot.put(database, session, medium);
        if let Err(error) = sync_name(path) {
            // After a crash the name might mean the old file, without what is written from now on.
            error!(%error, "the store's folder cannot be synced");
            self.slot.close();
            self.queue.close();
            return Err(StoreError::Io(error));
        }
        Ok((before, after?))
    }

    fn begin(&self, database: &Database) -> Result<WriteTransaction, redb::Error> {
        let mut transaction = database.begin_write()?;
        match self.mode {
            CommitMode::OneSync => {}
            CommitMode::TwoPhase => transaction.set_two_phase_commit(true),
            CommitMode::QuickRepair => transaction.set_quick_repair(true),
        }
        Ok(transaction)
    }

    fn refuse_compacting(&mut self, error: &StoreError) {
        for (_, reply) in self.compacting.drain(..) {
            _ = reply.send(Err(repeated(error)));
        }
    }
}

/// However the writer ends, nobody is left waiting for it.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.abandon();
        self.feed.close();
        self.slot.close();
    }
}

/// How far trimming may go: up to the compacted revision, but the newest version stays, because it
/// tells the current revision.
fn trim_target(found: &Found) -> Revision {
    Revision(found.compacted.0.min(found.current.0.saturating_sub(1)))
}

impl Group {
    fn sorted(requests: Vec<Queued>) -> Self {
        let mut group = Self::default();
        for queued in requests {
            match queued.request {
                Request::Write { write, reply } => group.writes.push((write, reply)),
                Request::Compact { revision, reply } => group.compact.push((revision, reply)),
                Request::RaiseBase { at_least, reply } => group.raise_base.push((at_least, reply)),
                Request::Replace(replace) => group.replace.push(replace),
            }
        }
        group
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.compact.is_empty() && self.raise_base.is_empty()
    }

    /// Answers everybody with the error.
    fn refuse(self, error: &StoreError) {
        for (_, reply) in self.writes {
            _ = reply.send(Err(repeated(error).into()));
        }
        for (_, reply) in self.compact {
            _ = reply.send(Err(repeated(error)));
        }
        for (_, reply) in self.raise_base {
            _ = reply.send(Err(repeated(error)));
        }
        for Replace { reply, .. } in self.replace {
            _ = reply.send(Err(repeated(error)));
        }
    }
}

/// The same error for one more caller.
fn repeated(error: &StoreError) -> StoreError {
    match error {
        StoreError::Locked { path } => StoreError::Locked { path: path.clone() },
        StoreError::NoSpace => StoreError::NoSpace,
        StoreError::Io(error) => {
            StoreError::Io(std::io::Error::new(error.kind(), error.to_string()))
        }
        StoreError::Corrupt { what } => StoreError::Corrupt { what: what.clone() },
        StoreError::Closed => StoreError::Closed,
    }
}
