//! Names that changed, waiting to be read.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use wk_api::names::NamespacedName;

/// The names that changed since they were last read; see [`Informer::subscribe`].
///
/// [`Informer::subscribe`]: crate::Informer::subscribe
#[derive(Debug, Default)]
pub struct Changes {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    keys: Mutex<BTreeSet<NamespacedName>>,
    wake: Notify,
}

pub(super) struct Sink {
    shared: std::sync::Weak<Shared>,
}

impl Changes {
    pub(super) fn sink(&self) -> Sink {
        Sink { shared: Arc::downgrade(&self.shared) }
    }

    /// Waits for changes and returns all names that changed, each once, in order. Cancel safe.
    pub async fn next(&mut self) -> BTreeSet<NamespacedName> {
        loop {
            let keys = std::mem::take(&mut *self.shared.keys.lock());
            if !keys.is_empty() {
                return keys;
            }
            self.shared.wake.notified().await;
        }
    }
}

impl Sink {
    pub(super) fn push(&self, key: &NamespacedName) {
        // Nobody reads any more.
        let Some(shared) = self.shared.upgrade() else { return };
        if shared.keys.lock().insert(key.clone()) {
            shared.wake.notify_one();
        }
    }
}
