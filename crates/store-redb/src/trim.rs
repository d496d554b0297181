//! Removing what compaction freed, a little at a time.

use redb::ReadableTable as _;
use wk_store::Revision;

use crate::schema::{Keys, Slot, Version, Versions};

/// How many versions one commit looks at: a millisecond or so, so that writers hardly notice.
const VERSIONS_A_STEP: usize = 256;
/// How many bytes of versions one commit looks at.
const BYTES_A_STEP: usize = 1 << 20;

/// What one version lets go of.
struct Freed {
    revision: Revision,
    previous: Revision,
    /// The key, if the version is a deletion.
    deleted: Option<String>,
}

/// Looks at the versions after `trimmed`, up to `target`, as many as one step may; removes what each
/// replaced, and deletions themselves. Returns how far it came, and how many bytes it freed.
///
/// A version at or below the compacted revision has replaced the one before it for everybody who
/// may still ask, so each version need be looked at only once.
pub(crate) fn step(
    versions: &mut Versions<'_>,
    keys: &mut Keys<'_>,
    trimmed: Revision,
    target: Revision,
) -> Result<(Revision, u64), redb::Error> {
    let (mut reached, mut bytes, mut freed) = (target, 0, Vec::new());
    let mut freed_bytes = 0;
    for item in versions.range(trimmed.next().0..=target.0)? {
        let (revision, record) = item?;
        let version = Version::decode(record.value())?;
        let revision = Revision(revision.value());
        bytes += record.value().len();
        let deleted = version.value.is_none().then(|| version.key.to_owned());
        if deleted.is_some() || version.previous > Revision::ZERO {
            freed.push(Freed { revision, previous: version.previous, deleted });
        }
        if freed.len() == VERSIONS_A_STEP || bytes > BYTES_A_STEP {
            reached = revision;
            break;
        }
    }
    for Freed { revision, previous, deleted } in freed {
        if previous > Revision::ZERO
            && let Some(record) = versions.remove(previous.0)?
        {
            freed_bytes += record.value().len() as u64;
        }
        if let Some(key) = deleted {
            versions.remove(revision.0)?;
            let dead = Slot { revision, alive: false }.encode();
            if keys.get(&*key)?.is_some_and(|slot| slot.value() == dead) {
                keys.remove(&*key)?;
            }
        }
    }
    Ok((reached, freed_bytes))
}
