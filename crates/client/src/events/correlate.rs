//! Which events are repeats of which, and what of them is still to be written.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;

use super::{Published, Subject};

/// How many events are remembered; the least recent half is forgotten when there are more.
const REMEMBERED: usize = 4096;
/// A repeat that comes later than this after the one before is a new event, as in Kubernetes.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// The newest state of one event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sighting {
    pub(super) event_name: String,
    pub(super) news: Option<String>,
    pub(super) object: ObjectReference,
    pub(super) count: i32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Whether the server has an earlier state of it.
    pub(super) is_stored: bool,
}

struct Entry {
    sighting: Sighting,
    is_writing: bool,
}

#[derive(Default)]
pub(super) struct Correlator {
    entries: HashMap<Subject, Entry>,
}

impl Correlator {
    /// Counts an event and returns what to write now, if anything.
    pub(super) fn seen(&mut self, published: Published) -> Option<(Subject, Sighting)> {
        let Published { subject, news, object, at } = published;
        if let Some(entry) = self.entries.get_mut(&subject) {
            let sighting = &mut entry.sighting;
            if entry.is_writing || at.duration_since(sighting.last) <= WINDOW {
                sighting.count = sighting.count.saturating_add(1);
                sighting.last = at;
                sighting.news = news;
                return begin(&subject, entry);
            }
        }
        self.forget_if_full();
        let sighting = Sighting {
            event_name: event_name(&subject, at),
            news,
            object,
            count: 1,
            first: at,
            last: at,
            is_stored: false,
        };
        let mut entry = Entry { sighting, is_writing: false };
        let write = begin(&subject, &mut entry);
        self.entries.insert(subject, entry);
        write
    }

    /// Notes the end of a write and returns the next one, if repeats came during it.
    pub(super) fn written(
        &mut self,
        subject: &Subject,
        written: &Sighting,
        is_success: bool,
    ) -> Option<(Subject, Sighting)> {
        let entry = self.entries.get_mut(subject)?;
        entry.is_writing = false;
        if !is_success {
            self.entries.remove(subject);
            return None;
        }
        entry.sighting.is_stored = true;
        if entry.sighting.count == written.count { None } else { begin(subject, entry) }
    }

    fn forget_if_full(&mut self) {
        if self.entries.len() < REMEMBERED {
            return;
        }
        let mut times: Vec<Timestamp> =
            self.entries.values().map(|entry| entry.sighting.last).collect();
        times.sort_unstable();
        let median = times[times.len() / 2];
        self.entries.retain(|_, entry| entry.is_writing || entry.sighting.last > median);
    }
}

fn begin(subject: &Subject, entry: &mut Entry) -> Option<(Subject, Sighting)> {
    if entry.is_writing {
        return None;
    }
    entry.is_writing = true;
    Some((subject.clone(), entry.sighting.clone()))
}

/// The object's name and the time in nanoseconds, as client-go names events; the hash of what was
/// said keeps two events of one moment apart.
fn event_name(subject: &Subject, at: Timestamp) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let salt = u128::from(hasher.finish() & 0xffff);
    let nanoseconds = at.as_nanosecond().unsigned_abs();
    format!("{}.{:x}", subject.name, (nanoseconds & !0xffff) | salt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventType;

    fn published(message: &str, second: i64) -> Published {
        Published {
            subject: Subject {
                kind: "Pod".to_owned(),
                namespace: Some("default".to_owned()),
                name: "web".to_owned(),
                uid: "u".to_owned(),
                field_path: String::new(),
                event_type: EventType::Normal,
                reason: "Pulled".to_owned(),
                message: message.to_owned(),
            },
            news: None,
            object: ObjectReference::default(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn repeats_during_a_write_are_one_more_write() {
        let mut correlator = Correlator::default();
        let (subject, first) = correlator.seen(published("a", 1)).unwrap();
        assert_eq!((first.count, first.is_stored), (1, false));
        for second in 2..5 {
            assert_eq!(correlator.seen(published("a", second)), None);
        }
        let (subject, second) = correlator.written(&subject, &first, true).unwrap();
        assert_eq!((second.count, second.is_stored), (4, true));
        assert_eq!(second.event_name, first.event_name);
        assert_eq!(correlator.written(&subject, &second, true), None);
    }

    #[test]
    fn progress_is_one_event_with_the_newest_message() {
        let progress = |news: &str, second| Published {
            news: Some(news.to_owned()),
            ..published("pulling", second)
        };
        let mut correlator = Correlator::default();
        let (subject, first) = correlator.seen(progress("1%", 1)).unwrap();
        assert_eq!(correlator.seen(progress("2%", 2)), None);
        assert_eq!(correlator.seen(progress("3%", 3)), None);
        let (_, second) = correlator.written(&subject, &first, true).unwrap();
        assert_eq!(second.event_name, first.event_name);
        assert_eq!((first.news.as_deref(), second.news.as_deref()), (Some("1%"), Some("3%")));
    }

    #[test]
    fn a_late_repeat_is_a_new_event() {
        let mut correlator = Correlator::default();
        let (subject, first) = correlator.seen(published("a", 1)).unwrap();
        correlator.written(&subject, &first, true);
        let (_, second) = correlator.seen(published("a", 700)).unwrap();
        assert_eq!((second.count, second.is_stored), (1, false));
        assert_ne!(second.event_name, first.event_name);
    }

    #[test]
    fn different_messages_are_different_events() {
        let mut correlator = Correlator::default();
        let (_, first) = correlator.seen(published("a", 1)).unwrap();
        let (_, second) = correlator.seen(published("b", 1)).unwrap();
        assert_ne!(first.event_name, second.event_name);
    }

    #[test]
    fn memory_is_bounded() {
        let mut correlator = Correlator::default();
        for number in 0..3 * REMEMBERED {
            let second = i64::try_from(number).unwrap();
            let (subject, sighting) =
                correlator.seen(published(&number.to_string(), second)).unwrap();
            correlator.written(&subject, &sighting, true);
        }
        assert!(correlator.entries.len() <= REMEMBERED);
    }
}
