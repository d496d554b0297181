//! What changed in any of the caches and has not been looked at yet.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use wk_api::names::NamespacedName;
use wk_client::Informer;

/// What an object is. Changes are looked at in this order: what pods refer to comes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Namespace,
    Class,
    Driver,
    Capacity,
    CsiNode,
    Volume,
    Claim,
    Budget,
    Service,
    ReplicationController,
    ReplicaSet,
    StatefulSet,
    Node,
    Pod,
}

/// The objects that changed since they were last looked at, each once.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    changed: Mutex<BTreeSet<(Kind, NamespacedName)>>,
    wake: Notify,
}

impl Inbox {
    /// Receives what changes in a cache from now on, beginning with all that it holds.
    pub(crate) fn follow<T: Send + Sync + 'static>(&self, kind: Kind, cache: &Informer<T>) {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        cache.on_change(move |key| {
            // Nobody looks any more once the scheduler has ended.
            let Some(shared) = shared.upgrade() else { return };
            if shared.changed.lock().insert((kind, key.clone())) {
                shared.wake.notify_one();
            }
        });
    }

    /// Waits for changes and returns all there are. Cancel safe.
    pub(crate) async fn next(&self) -> BTreeSet<(Kind, NamespacedName)> {
        loop {
            let changed = std::mem::take(&mut *self.shared.changed.lock());
            if !changed.is_empty() {
                return changed;
            }
            self.shared.wake.notified().await;
        }
    }
}
