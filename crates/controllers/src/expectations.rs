//! What a controller has written and not seen yet.
//!
//! A cache is always a little behind. A controller that acted on a view in which its own last write
//! is missing would do the same once more, such as make twice as many pods as are wanted. The same
//! holds for what another replica wrote before this one took over, and for a write whose answer was
//! lost: there is nothing to wait for then, so the server is asked once.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use wk_api::names::{NamespacedName, Uid};
use wk_client::{Mark, Outcome};

/// When to look again while a write has not been seen, if its event does not come first. It does,
/// unless the watch was broken and the object has gone in the meantime.
const UNSEEN: Outcome = Outcome::After(Duration::from_secs(10));

/// The writes of each key that its view has to show before the key is worked on again.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    marks: Mutex<HashMap<NamespacedName, Vec<Mark>>>,
    /// For which owner (by uid), and in which term of leadership, the view was last found to show
    /// all that the server has.
    complete: Mutex<HashMap<NamespacedName, (Uid, u64)>>,
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
        self.doubt(key);
    }

    /// Whether the view of this owner was found complete in this term, and nothing happened since that
    /// would be a reason to doubt it.
    pub(crate) fn is_complete(&self, key: &NamespacedName, owner: &Uid, term: u64) -> bool {
        self.complete.lock().get(key).is_some_and(|(uid, when)| uid == owner && *when == term)
    }

    /// Notes that the view of this owner shows all that the server has.
    pub(crate) fn found_complete(&self, key: &NamespacedName, owner: Uid, term: u64) {
        self.complete.lock().insert(key.clone(), (owner, term));
    }

    /// Notes that something may have been written for `key` that no mark is there for.
    pub(crate) fn doubt(&self, key: &NamespacedName) {
        self.complete.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use wk_client::Informer;

    use super::*;

    #[test]
    fn a_view_is_complete_for_one_owner_in_one_term_until_there_is_doubt() {
        let (expectations, web) = (Expectations::default(), NamespacedName::new("d", "web"));
        let (one, other) = (Uid::new("1"), Uid::new("2"));
        assert!(!expectations.is_complete(&web, &one, 0));
        expectations.found_complete(&web, one.clone(), 0);
        assert!(expectations.is_complete(&web, &one, 0));
        assert!(!expectations.is_complete(&web, &other, 0), "another object of the name");
        assert!(!expectations.is_complete(&web, &one, 1), "others may have led in between");
        expectations.doubt(&web);
        assert!(!expectations.is_complete(&web, &one, 0));
    }

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
