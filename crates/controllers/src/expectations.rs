//! What a controller has written and not seen yet.
//!
//! A cache is always a little behind. A controller that acted on a view in which its own last write
//! is missing would do the same once more, such as make twice as many pods as are wanted.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use wk_api::names::NamespacedName;
use wk_client::{Mark, Outcome};

/// When to look again while a write has not been seen, if its event does not come first. It does,
/// unless the watch was broken and the object has gone in the meantime.
const UNSEEN: Outcome = Outcome::After(Duration::from_secs(10));

/// The writes of each key that its view has to show before the key is worked on again.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    marks: Mutex<HashMap<NamespacedName, Vec<Mark>>>,
}

impl Expectations {
    /// Notes a write made for `key`.
    pub(crate) fn expect(&self, key: &NamespacedName, mark: Mark) {
        self.marks.lock().entry(key.clone()).or_default().push(mark);
    }

    /// `None` if all that was written for `key` has been seen; otherwise when to look again.
    pub(crate) fn unseen(&self, key: &NamespacedName) -> Option<Outcome> {
        let mut all = self.marks.lock();
        let marks = all.get_mut(key)?;
        marks.retain(|mark| !mark.is_passed());
        if marks.is_empty() {
            all.remove(key);
            return None;
        }
        Some(UNSEEN)
    }

    /// Forgets `key`, which is gone.
    pub(crate) fn forget(&self, key: &NamespacedName) {
        self.marks.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use wk_client::Informer;

    use super::*;

    #[test]
    fn a_key_waits_until_its_writes_are_seen() {
        let (expectations, informer) = (Expectations::default(), Informer::<()>::of([]));
        let (web, other) = (NamespacedName::new("d", "web"), NamespacedName::new("d", "other"));
        expectations.expect(&web, informer.mark(Some("0")));
        assert_eq!(expectations.unseen(&web), None, "nothing comes before the first version");
        expectations.expect(&web, informer.mark(Some("7")));
        assert_eq!(expectations.unseen(&web), Some(UNSEEN));
        assert_eq!(expectations.unseen(&other), None);
        expectations.forget(&web);
        assert_eq!(expectations.unseen(&web), None);
    }
}
