//! The redb store: the promises of every store, crashes, and disks that fail.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod space;

#[cfg(test)]
use wk_store_redb::CommitMode;

#[cfg(test)]
const MODES: [CommitMode; 3] = [CommitMode::OneSync, CommitMode::TwoPhase, CommitMode::QuickRepair];
