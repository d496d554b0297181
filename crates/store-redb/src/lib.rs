//! The store on one machine's disk: redb, with the history that watches and paged lists need.
//!
//! Writers share commits: one thread applies everything that has arrived while the last commit was
//! being synced, commits it, and answers each writer. There is no waiting for company, so that a lone
//! writer pays one commit and no more. Reads take a snapshot and never meet the writers.
//!
//! On disk there are versions, numbered by revision, and an index from each key to its newest one
//! (module `schema`). Every version names the one before it, so that the past of a key is a chain: lists at
//! a revision walk it, watches read the versions in order, and compaction cuts the chains off below
//! its revision, some versions at a time, within the commits of others.
//!
//! # Invariants
//! - A write is answered after the sync of its commit, and what nobody was promised is applied whole
//!   or not at all.
//! - One process has the store open; a second one gets [`StoreError::Locked`](wk_store::StoreError).
//! - A full or failing disk fails writes and loses nothing: the database is opened again behind the
//!   scenes (module `slot`) and serves reads, and writes work again when the disk does.
//! - The number of revisions kept is the caller's business: nothing is compacted unasked.
//! - Space that compaction has freed goes back to the disk while writers go on (module `rewrite`), once
//!   it is half of the file and worth the copying.

mod check;
mod disk;
mod options;
mod queue;
mod read;
mod replace;
mod rewrite;
mod schema;
mod session;
mod slot;
mod store;
mod trim;
mod write;
mod writer;

pub use check::{Report, check};
pub use disk::{Disk, FileDisk};
pub use options::{CommitMode, Options};
pub use store::RedbStore;
