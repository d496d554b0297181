//! Events: what happened to an object, for people to read.
//!
//! The same thing that happens again and again becomes one Event with a count. What is written for
//! an Event is always its newest count, so however fast repeats come, there is at most one write
//! under way for each, and the server's pace decides how many repeats one write covers.

mod correlate;
mod pace;
mod spam;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::Patch;
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};
use wk_api::well_known::DEFAULT_NAMESPACE;
use wk_process::TaskGroup;

use crate::{brief, error_chain};
use correlate::{Correlator, Sighting};
use pace::Pace;

/// How many events may wait to be looked at; more are dropped and counted.
const QUEUE: usize = 16_384;
/// How many writes are under way at once.
const WRITES: usize = 32;
/// Attempts to write one state of one event.
const ATTEMPTS: u32 = 5;
const RETRY: crate::Backoff =
    crate::Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Things go as they should.
    Normal,
    /// Somebody may have to act.
    Warning,
}

impl EventType {
    /// The type as it is written in the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Publishes events in the name of one component. Clones share one queue.
#[derive(Clone)]
pub struct EventRecorder {
    sender: mpsc::Sender<Published>,
    dropped: Arc<AtomicU64>,
}

impl fmt::Debug for EventRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRecorder").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

/// What a component speaks of; the identity of an event that repeats.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    kind: String,
    namespace: Option<String>,
    name: String,
    uid: String,
    field_path: String,
    event_type: EventType,
    reason: String,
    /// What was said, or what stays the same of it.
    message: String,
}

struct Published {
    subject: Subject,
    /// What is said now, if that is more than what stays the same.
    news: Option<String>,
    object: ObjectReference,
    at: Timestamp,
}

impl EventRecorder {
    /// A recorder for `component`, on node `host` if it belongs to one; a task of `group` writes.
    pub fn start(
        client: Client,
        component: impl Into<String>,
        host: Option<String>,
        group: &TaskGroup,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let component = component.into();
        let token = group.token();
        let writer = Arc::new(Writer { client, component: component.clone(), host });
        group.spawn(format!("events of {component}"), async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                () = write_all(writer, receiver) => {}
            }
            Ok(())
        });
        Self { sender, dropped: Arc::default() }
    }

    /// Queues an event and returns at once; if the queue is full the event is dropped.
    ///
    /// Events are for people: nothing may depend on one being written.
    pub fn publish(
        &self,
        object: ObjectReference,
        event_type: EventType,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.queue(object, event_type, reason.into(), message.into(), None);
    }

    /// The same for something that goes on for a while: what is said of one `matter` of an object
    /// is one event, whose message is the newest `news`.
    pub fn publish_progress(
        &self,
        object: ObjectReference,
        reason: impl Into<String>,
        matter: impl Into<String>,
        news: impl Into<String>,
    ) {
        self.queue(object, EventType::Normal, reason.into(), matter.into(), Some(news.into()));
    }

    fn queue(
        &self,
        object: ObjectReference,
        event_type: EventType,
        reason: String,
        message: String,
        news: Option<String>,
    ) {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let subject = Subject {
            kind: text(&object.kind),
            namespace: object.namespace.clone(),
            name: text(&object.name),
            uid: text(&object.uid),
            field_path: text(&object.field_path),
            event_type,
            reason,
            message,
        };
        let published = Published { subject, news, object, at: Timestamp::now() };
        if self.sender.try_send(published).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            debug!("event dropped, the queue is full");
        }
    }

    /// How many events were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A reference to `object`, as events carry it.
pub fn reference_to<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    let meta = object.meta();
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

struct Writer {
    client: Client,
    component: String,
    host: Option<String>,
}

async fn write_all(writer: Arc<Writer>, mut receiver: mpsc::Receiver<Published>) {
    let mut correlator = Correlator::default();
    let mut writing = FuturesUnordered::new();
    let mut pace = Pace::new(Instant::now());
    loop {
        let free = writing.len() < WRITES;
        let due = pace.next();
        let is_due = due <= Instant::now();
        let next = tokio::select! {
            Some((subject, sighting, written)) = writing.next(), if !writing.is_empty() => {
                correlator.written(&subject, &sighting, written)
            }
            published = receiver.recv(), if free && is_due => match published {
                Some(published) => correlator.seen(published),
                None => return,
            },
            () = tokio::time::sleep_until(due), if free && !is_due => continue,
        };
        if let Some((subject, sighting)) = next {
            pace.count(Instant::now());
            let writer = Arc::clone(&writer);
            writing.push(async move {
                let written = writer.write(&subject, &sighting).await;
                (subject, sighting, written)
            });
        }
    }
}

impl Writer {
    /// Writes the newest state of an event; `false` if it had to be given up.
    async fn write(&self, subject: &Subject, sighting: &Sighting) -> bool {
        for attempt in 1..=ATTEMPTS {
            match self.try_write(subject, sighting).await {
                Ok(()) => return true,
                // The namespace is going or the event is refused: again would be the same.
                Err(kube::Error::Api(status))
                    if (400..500).contains(&status.code) && status.code != 429 =>
                {
                    debug!(reason = %subject.reason, error = %status.message, "event refused");
                    return false;
                }
                Err(error) if attempt == ATTEMPTS => {
                    let error = error_chain(&error);
                    warn!(reason = %subject.reason, error, "event given up");
                }
                Err(_) => tokio::time::sleep(RETRY.delay(attempt, rand::random())).await,
            }
        }
        false
    }

    async fn try_write(&self, subject: &Subject, sighting: &Sighting) -> Result<(), kube::Error> {
        let namespace = subject.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        if sighting.is_stored {
            let mut patch = json!({
                "count": sighting.count,
                "lastTimestamp": wk_api::time::rfc3339(sighting.last),
            });
            if let Some(news) = &sighting.news {
                patch["message"] = json!(news);
            }
            let patch = Patch::Merge(&patch);
            match brief::patch(api.clone(), &sighting.event_name, &patch).await {
                // Expired or deleted meanwhile: it is made anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => return other.map(drop),
            }
        }
        let event = self.event(subject, sighting, namespace);
        match brief::create(api, &event).await {
            // An attempt whose answer was lost has written it.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop),
        }
    }

    fn event(&self, subject: &Subject, sighting: &Sighting, namespace: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(sighting.event_name.clone()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: sighting.object.clone(),
            type_: Some(subject.event_type.as_str().to_owned()),
            reason: Some(subject.reason.clone()),
            message: Some(sighting.news.as_ref().unwrap_or(&subject.message).clone()),
            count: Some(sighting.count),
            first_timestamp: Some(Time(sighting.first)),
            last_timestamp: Some(Time(sighting.last)),
            source: Some(EventSource {
                component: Some(self.component.clone()),
                host: self.host.clone(),
            }),
            reporting_component: Some(self.component.clone()),
            reporting_instance: self.host.clone(),
            ..Event::default()
        }
    }
}
