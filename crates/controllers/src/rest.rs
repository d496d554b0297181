//! Pauses between looks that take long.
//!
//! A look at a workload goes over all of its pods. While thousands of them start, each of them changes a
//! few times, and a look after every change would keep a processor busy with telling how many there are.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wk_api::names::NamespacedName;

/// A look is followed by a pause this many times as long.
const PAUSE: u32 = 4;
/// Looks that take less are followed by none.
const SHORT: Duration = Duration::from_micros(250);
/// No pause is longer.
const LONGEST: Duration = Duration::from_millis(250);

/// Until when each key rests.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: Mutex<HashMap<NamespacedName, Instant>>,
}

impl Rest {
    /// How long the key is still to be left alone; `None` if it may be looked at.
    pub(crate) fn left(&self, key: &NamespacedName) -> Option<Duration> {
        let mut all = self.until.lock();
        let left = all.get(key)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            all.remove(key);
            return None;
        }
        Some(left)
    }

    /// Notes how long a look at the key took, without what it waited for.
    pub(crate) fn after(&self, key: &NamespacedName, took: Duration) {
        if took >= SHORT {
            let pause = (took * PAUSE).min(LONGEST);
            self.until.lock().insert(key.clone(), Instant::now() + pause);
        }
    }

    /// Forgets a key, which is gone.
    pub(crate) fn forget(&self, key: &NamespacedName) {
        self.until.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_look_is_followed_by_a_pause() {
        let (rest, key) = (Rest::default(), NamespacedName::new("d", "web"));
        rest.after(&key, Duration::from_micros(200));
        assert_eq!(rest.left(&key), None, "it was short");
        rest.after(&key, Duration::from_millis(5));
        assert_eq!(rest.left(&key), Some(Duration::from_millis(20)));
        assert_eq!(rest.left(&NamespacedName::new("d", "other")), None);
        tokio::time::advance(Duration::from_millis(21)).await;
        assert_eq!(rest.left(&key), None);
        rest.after(&key, Duration::from_secs(1));
        assert_eq!(rest.left(&key), Some(LONGEST));
        rest.forget(&key);
        assert_eq!(rest.left(&key), None);
    }
}
