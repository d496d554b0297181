//! How much may be said of one object.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Subject;
use super::correlate::hash;

/// How many events an object may have at once, as in Kubernetes.
const BURST: f64 = 25.0;
/// How long it takes until it may have one more.
const REFILL_SECONDS: f64 = 300.0;
/// How many objects are remembered; the full ones are forgotten when there are more, and then all.
const REMEMBERED: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn at(self, now: Timestamp) -> Self {
        let seconds = now.duration_since(self.at).as_secs_f64().max(0.0);
        Self { tokens: (self.tokens + seconds / REFILL_SECONDS).min(BURST), at: now }
    }
}

/// A token bucket for each object.
#[derive(Debug, Default)]
pub(super) struct SpamFilter {
    /// By hashes of what the objects are called.
    buckets: HashMap<u64, Bucket>,
}

impl SpamFilter {
    /// Whether one more event may be written about the object, which is counted then.
    pub(super) fn admits(&mut self, subject: &Subject, now: Timestamp) -> bool {
        if self.buckets.len() >= REMEMBERED {
            self.buckets.retain(|_, bucket| bucket.at(now).tokens < BURST);
        }
        if self.buckets.len() >= REMEMBERED {
            self.buckets.clear();
        }
        let object = hash(&(&subject.kind, &subject.namespace, &subject.name, &subject.uid));
        let bucket = self.buckets.entry(object).or_insert(Bucket { tokens: BURST, at: now });
        *bucket = bucket.at(now);
        let is_admitted = bucket.tokens >= 1.0;
        if is_admitted {
            bucket.tokens -= 1.0;
        }
        is_admitted
    }
}
