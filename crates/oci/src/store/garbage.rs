//! Garbage collection: forgets the longest unused images, and removes what none needs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use super::Shared;
use crate::digest::Digest;
use crate::reference::ImageReference;

/// In the scratch folder: unpacked trees on their way out.
const DISCARDED: &str = "discarded";

/// What a garbage collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// References that were forgotten.
    pub images: usize,
    /// Blobs that were removed.
    pub blobs: usize,
    /// Bytes of blobs and partial downloads that were freed; unpacked trees come on top.
    pub bytes: u64,
}

/// What garbage collection may take.
#[derive(Clone, Copy, Debug)]
pub struct GarbagePolicy {
    /// The time of the collection.
    pub now: SystemTime,
    /// Images are forgotten, the longest unused first, until the rest is at most this big. `None`
    /// forgets none, and only frees what no image needs.
    pub keep_bytes: Option<u64>,
    /// What was used or downloaded less than this ago stays.
    pub minimum_age: Duration,
}

impl Shared {
    pub(super) fn collect_garbage(
        &self,
        in_use: &HashSet<Digest>,
        policy: GarbagePolicy,
    ) -> io::Result<GarbageReport> {
        let is_young = |time: SystemTime| {
            policy.now.duration_since(time).is_ok_and(|age| age < policy.minimum_age)
                || time > policy.now
        };
        let candidates: Vec<_> = self
            .index
            .read()
            .values()
            .map(|known| Candidate {
                reference: known.image.reference.clone(),
                manifest: known.image.manifest_digest.clone(),
                size_bytes: known.image.size_bytes,
                last_used: known.last_used,
                protected: in_use.contains(&known.image.manifest_digest)
                    || is_young(known.last_used),
            })
            .collect();
        let images = match policy.keep_bytes {
            Some(keep_bytes) => self.forget(&superfluous(candidates, keep_bytes))?,
            None => 0,
        };
        self.replaced.lock().retain(|image| in_use.contains(&image.manifest_digest));
        let is_stale = |file: &fs::Metadata| file.modified().is_ok_and(|time| !is_young(time));
        let (blobs, bytes) =
            self.blobs.sweep(|| self.needed_blobs(), is_stale, |keep| self.discard_trees(keep))?;
        // Out of the way first, as removing a large tree takes its time.
        for entry in fs::read_dir(self.scratch().join(DISCARDED))? {
            fs::remove_dir_all(entry?.path())?;
        }
        Ok(GarbageReport { images, blobs, bytes })
    }

    /// Moves the unpacked trees of images that are gone out of the way.
    fn discard_trees(&self, keep: &dyn Fn(&Digest) -> bool) -> io::Result<()> {
        let discarded = self.scratch().join(DISCARDED);
        fs::create_dir_all(&discarded)?;
        for entry in fs::read_dir(self.folder.join("rootfs"))? {
            let entry = entry?;
            let digest = Digest::from_file_name(&entry.file_name());
            if !digest.is_some_and(|digest| keep(&digest)) {
                let holder = tempfile::tempdir_in(&discarded)?.keep();
                fs::rename(entry.path(), holder.join("rootfs"))?;
            }
        }
        Ok(())
    }

    /// The blobs of all images, and of those still in use that no reference names any more.
    fn needed_blobs(&self) -> BTreeSet<Digest> {
        let index = self.index.read();
        let replaced = self.replaced.lock();
        let mut needed = BTreeSet::new();
        for image in index.values().map(|known| &known.image).chain(replaced.iter()) {
            needed.insert(image.manifest_digest.clone());
            needed.insert(image.config_blob.digest.clone());
            needed.extend(image.layers.iter().map(|layer| layer.digest.clone()));
            needed.extend(image.module_digest.clone());
        }
        needed
    }
}

/// One reference, as the choice of what to forget sees it.
#[derive(Clone, Debug)]
struct Candidate {
    reference: ImageReference,
    manifest: Digest,
    size_bytes: u64,
    last_used: SystemTime,
    protected: bool,
}

/// Chooses what to forget, the longest unused first, until what stays has at most `keep_bytes`.
/// Several references to one image count once, and free its space only together.
fn superfluous(mut candidates: Vec<Candidate>, keep_bytes: u64) -> Vec<ImageReference> {
    candidates.sort_by(|a, b| (a.last_used, &a.reference).cmp(&(b.last_used, &b.reference)));
    let mut references_to: HashMap<Digest, usize> = HashMap::new();
    let mut total = 0;
    for candidate in &candidates {
        let count = references_to.entry(candidate.manifest.clone()).or_default();
        if *count == 0 {
            total += candidate.size_bytes;
        }
        *count += 1;
    }
    let mut forgotten = Vec::new();
    for candidate in candidates {
        if total <= keep_bytes {
            break;
        }
        if candidate.protected {
            continue;
        }
        if let Some(count) = references_to.get_mut(&candidate.manifest) {
            *count -= 1;
            if *count == 0 {
                total -= candidate.size_bytes;
            }
        }
        forgotten.push(candidate.reference);
    }
    forgotten
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(case: &str, images: &[(&str, u64, u64, bool)], keep: u64, expected: &[&str]) {
        let candidates = images
            .iter()
            .map(|&(name, size_bytes, used, protected)| Candidate {
                reference: format!("r.io/{name}:1").parse().unwrap(),
                manifest: Digest::of(name.split('-').next().unwrap().as_bytes()),
                size_bytes,
                last_used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
                protected,
            })
            .collect();
        let forgotten = superfluous(candidates, keep);
        let names: Vec<_> = forgotten.iter().map(ImageReference::repository).collect();
        assert_eq!(names, expected, "{case}");
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let images = [("a", 10, 3, false), ("b", 10, 1, false), ("c", 10, 2, false)];
        check("all fits", &images, 30, &[]);
        check("one too many", &images, 29, &["b"]);
        check("two too many", &images, 10, &["b", "c"]);
    }

    #[test]
    fn what_is_in_use_stays() {
        let images = [("a", 10, 1, true), ("b", 10, 2, false)];
        check("the older one is in use", &images, 10, &["b"]);
        check("nothing more can go", &images, 0, &["b"]);
    }

    #[test]
    fn an_image_goes_with_its_last_reference() {
        let images = [("a-x", 10, 1, false), ("b", 10, 2, false), ("a-y", 10, 3, false)];
        check("the first reference frees nothing", &images, 10, &["a-x", "b"]);
    }
}
