//! Garbage collection: blobs that no manifest refers to, content that no repository has, uploads
//! that nobody goes on with. Manifests are never collected, tagged or not: a digest is an address too.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::manifest;
use crate::name::Target;
use crate::storage::{Storage, existing, remove};
use crate::uploads::Uploads;

/// How long what nothing refers to is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// The time of the collection.
    pub now: SystemTime,
    /// Blobs: clients push them before the manifest that refers to them.
    pub blobs: Duration,
    /// Uploads, since their last byte.
    pub uploads: Duration,
}

impl Retention {
    /// Keeps unreferenced blobs for an hour and uploads for a day.
    pub fn at(now: SystemTime) -> Self {
        Self { now, blobs: Duration::from_hours(1), uploads: Duration::from_hours(24) }
    }
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// Blobs taken from repositories.
    pub unlinked: usize,
    /// Files of content.
    pub removed: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Uploads.
    pub uploads: usize,
}

/// Collects. Blocking; pushes wait for one repository or one look at the content at a time.
pub(crate) fn collect(
    storage: &Storage,
    uploads: &Uploads,
    retention: Retention,
) -> io::Result<GarbageReport> {
    let mut report = GarbageReport::default();
    let is_old = |metadata: &fs::Metadata| {
        metadata.modified().is_ok_and(|time| {
            retention.now.duration_since(time).is_ok_and(|age| age >= retention.blobs)
        })
    };
    for name in storage.all_repositories()? {
        let _links = storage.links.write();
        let mut needed = HashSet::new();
        for digest in storage.manifests(&name)? {
            let target = Target::Digest(digest);
            let Some(stored) = storage.manifest(&name, &target)? else { continue };
            if let Ok(parsed) = manifest::parse(&stored.bytes, Some(&stored.media_type)) {
                needed.extend(parsed.blobs);
                needed.extend(parsed.foreign);
            }
        }
        for digest in storage.blobs(&name)? {
            let link = storage.blob_link(&name, &digest);
            let metadata = existing(fs::metadata(&link))?;
            if !needed.contains(&digest) && metadata.as_ref().is_some_and(is_old) {
                report.unlinked += usize::from(remove(&link)?);
            }
        }
    }
    let _links = storage.links.write();
    let mut linked: HashSet<Digest> = HashSet::new();
    for name in storage.all_repositories()? {
        linked.extend(storage.manifests(&name)?);
        linked.extend(storage.blobs(&name)?);
    }
    for digest in storage.contents()? {
        let path = storage.content(&digest);
        let metadata = existing(fs::metadata(&path))?;
        if let Some(metadata) = metadata.filter(|file| !linked.contains(&digest) && is_old(file)) {
            report.removed += usize::from(remove(&path)?);
            report.bytes += metadata.len();
        }
    }
    let before = retention.now.checked_sub(retention.uploads);
    report.uploads = uploads.remove_stale(before.unwrap_or(SystemTime::UNIX_EPOCH))?;
    Ok(report)
}
