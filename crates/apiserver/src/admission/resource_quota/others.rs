//! What other servers over the same store may be charging.
//!
//! What a server has charged and not stored yet is known to that server alone. Another one must not
//! take it for free when it counts: it counts only quotas that no other server has written for a
//! while, and a charge is good only for a part of that while. Until then it goes by what is written,
//! as Kubernetes always does.
//!
//! Whose a write is cannot be told from it. So every server remembers the newest of its own.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::object::Object;

/// For how long after another server's write something may be under way there.
const HELD: Duration = Duration::from_secs(30);
/// How old a charge may be when its object is stored. The other servers count from when they see the
/// charge, which is later.
const GOOD: Duration = Duration::from_secs(15);

/// Whether a charge of this time is good.
pub(super) fn is_good(charged: Instant) -> bool {
    charged.elapsed() < GOOD
}

/// The quotas that were looked at, by their keys.
#[derive(Debug, Default)]
pub(super) struct Others(Mutex<HashMap<String, Record>>);

#[derive(Debug, Default)]
struct Record {
    /// The revision of this server's newest write.
    own: u64,
    /// The newest revision that is not known to be this server's, and since when it is known.
    other: Option<(u64, Instant)>,
    /// The one before, should the newest turn out to be this server's.
    before: Option<(u64, Instant)>,
}

impl Record {
    fn see(&mut self, revision: u64) {
        let noted = self.other.map_or(0, |(noted, _)| noted);
        if revision > self.own && revision > noted {
            self.before = self.other.replace((revision, Instant::now()));
        }
    }
}

impl Others {
    /// Notes that this server wrote a quota at a revision, over what it saw.
    pub(super) fn wrote(&self, key: &str, seen: Option<u64>, revision: u64) {
        let mut records = self.0.lock();
        let record = records.entry(key.to_owned()).or_default();
        if let Some(seen) = seen {
            record.see(seen);
        }
        if record.other.is_some_and(|(noted, _)| noted == revision) {
            record.other = record.before.take();
        }
        record.own = record.own.max(revision);
    }

    /// Whether another server may have something under way for a quota as it is now.
    pub(super) fn may_be_charging(&self, quota: &Object) -> bool {
        let mut records = self.0.lock();
        let record = records.entry(quota.key().to_string()).or_default();
        record.see(quota.revision);
        record.other.is_some_and(|(_, since)| since.elapsed() < HELD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_others_wrote_is_theirs_for_a_while() {
        let mut record = Record::default();
        let held = |record: &Record| record.other.is_some_and(|(_, at)| at.elapsed() < HELD);
        record.see(5);
        assert!(held(&record), "written by nobody knows whom");
        tokio::time::advance(HELD).await;
        assert!(!held(&record));
        record.see(5);
        assert!(!held(&record), "it is no news");
        record.see(6);
        assert!(held(&record));
    }

    #[tokio::test(start_paused = true)]
    async fn what_this_server_wrote_is_its_own() {
        let others = Others::default();
        others.wrote("a", None, 3);
        let held = |key: &str| {
            let records = others.0.lock();
            records[key].other.is_some_and(|(_, at)| at.elapsed() < HELD)
        };
        assert!(!held("a"), "new");
        others.wrote("a", Some(3), 5);
        assert!(!held("a"), "changed");
        // Seen in the cache before the write was answered.
        others.0.lock().get_mut("a").unwrap().see(7);
        assert!(held("a"));
        others.wrote("a", Some(5), 7);
        assert!(!held("a"));
        others.wrote("a", Some(8), 9);
        assert!(held("a"), "what was written over was another's");
    }
}
