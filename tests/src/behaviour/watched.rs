//! Every version of every pod, and every event, from two watches: what comes and goes is seen, and
//! nobody has to ask for it again and again.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;

use super::view;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watched {
    seen: Mutex<Seen>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    pods: HashMap<Key, Versions>,
    events: HashMap<Key, Arc<Value>>,
}

/// Namespace and name.
type Key = (String, String);
/// All versions of a pod, in fewer words, and whether the last one is gone.
type Versions = (Vec<Arc<Value>>, bool);

impl Watched {
    pub(super) fn new() -> Self {
        Self { seen: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Watches, for ever.
    pub(super) async fn watch(&self, client: &Client) {
        let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
        let events = watcher(Api::<Event>::all(client.clone()), watcher::Config::default());
        futures::join!(
            self.follow(pods, |seen, key, object, gone| {
                let (versions, is_gone) = seen.pods.entry(key).or_default();
                versions.push(Arc::new(view(&object)));
                *is_gone = gone;
            }),
            self.follow(events, |seen, key, object, gone| {
                if !gone {
                    seen.events.insert(key, Arc::new(object));
                }
            }),
        );
    }

    async fn follow<T: serde::Serialize>(
        &self,
        objects: impl Stream<Item = watcher::Result<watcher::Event<T>>>,
        note: impl Fn(&mut Seen, Key, Value, bool),
    ) {
        let mut objects = pin!(objects);
        while let Some(event) = objects.next().await {
            let (object, gone) = match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    (object, false)
                }
                Ok(watcher::Event::Delete(object)) => (object, true),
                // A watch that was cut off starts over by itself.
                Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => continue,
            };
            let object = serde_json::to_value(object).expect("objects are JSON");
            let text = |field: &str| {
                object["metadata"][field].as_str().map(str::to_owned).unwrap_or_default()
            };
            let key = (text("namespace"), text("name"));
            note(&mut self.seen.lock().expect("nobody panics with it"), key, object, gone);
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Told of everything that is seen from here on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// All versions of a pod, and whether it is gone.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Versions {
        let seen = self.seen.lock().expect("nobody panics with it");
        seen.pods.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }

    /// The events about one object.
    pub(super) fn events(&self, namespace: &str, about: &str) -> Vec<Arc<Value>> {
        let seen = self.seen.lock().expect("nobody panics with it");
        let events = seen.events.iter().filter(|((of, _), _)| of == namespace);
        let events = events.map(|(_, event)| event);
        events.filter(|event| event["involvedObject"]["name"] == about).cloned().collect()
    }
}
