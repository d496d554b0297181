//! Which events are repeats of which, and what of them is still to be written.
//!
//! What is said again counts up. Where an object has much that is nearly the same said of it, the
//! rest of that is one event with the newest message; and each object gets a few events at once and
//! then one every five minutes, so that none of them fills the server.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;

use super::spam::SpamFilter;
use super::{Published, Subject};

/// How many events are remembered; the least recent half is forgotten when there are more.
const REMEMBERED: usize = 4096;
/// A repeat that comes later than this after the one before is a new event, as in Kubernetes.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// So many messages of one reason about one object within the window are one event from then on.
const SIMILAR: usize = 10;
/// What the message of such an event begins with.
const COMBINED: &str = "(combined from similar events)";

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

/// What is remembered of an event between its repeats: little, for there are thousands.
struct Entry {
    event_name: Box<str>,
    count: i32,
    first: Timestamp,
    last: Timestamp,
    is_stored: bool,
    is_writing: bool,
    /// What a repeat said that came during a write.
    news: Option<Box<str>>,
}

impl Entry {
    /// The newest state, to be written now.
    fn begin(&mut self, object: ObjectReference) -> Sighting {
        self.is_writing = true;
        Sighting {
            event_name: self.event_name.to_string(),
            news: self.news.take().map(String::from),
            object,
            count: self.count,
            first: self.first,
            last: self.last,
            is_stored: self.is_stored,
        }
    }
}

/// The messages that are alike but for their words.
struct Similar {
    /// Hashes of the different ones.
    messages: Vec<u64>,
    last: Timestamp,
}

#[derive(Default)]
pub(super) struct Correlator {
    /// By hashes of their subjects.
    entries: HashMap<u64, Entry>,
    similar: HashMap<u64, Similar>,
    spam: SpamFilter,
}

impl Correlator {
    /// Counts an event and returns what to write now, if anything.
    pub(super) fn seen(&mut self, published: Published) -> Option<(Subject, Sighting)> {
        let Published { mut subject, mut news, object, at } = published;
        // What goes on for a while is one event already, which its sender paces.
        let is_free = news.is_some();
        if !is_free && self.is_one_of_many(&subject, at) {
            news = Some(format!("{COMBINED}: {}", subject.message));
            COMBINED.clone_into(&mut subject.message);
        }
        let key = hash(&subject);
        let known = self
            .entries
            .get_mut(&key)
            .filter(|entry| entry.is_writing || at.duration_since(entry.last) <= WINDOW);
        if let Some(entry) = known {
            entry.count = entry.count.saturating_add(1);
            entry.last = at;
            entry.news = news.map(String::into_boxed_str);
            let may_write = !entry.is_writing && (is_free || self.spam.admits(&subject, at));
            return may_write.then(|| entry.begin(object)).map(|sighting| (subject, sighting));
        }
        self.forget_if_full();
        let mut entry = Entry {
            event_name: event_name(&subject, at).into_boxed_str(),
            count: 1,
            first: at,
            last: at,
            is_stored: false,
            is_writing: false,
            news: news.map(String::into_boxed_str),
        };
        let is_admitted = is_free || self.spam.admits(&subject, at);
        let write = is_admitted.then(|| entry.begin(object));
        self.entries.insert(key, entry);
        write.map(|sighting| (subject, sighting))
    }

    /// Notes the end of a write and returns the next one, if repeats came during it.
    pub(super) fn written(
        &mut self,
        subject: &Subject,
        written: &Sighting,
        is_success: bool,
    ) -> Option<(Subject, Sighting)> {
        let key = hash(subject);
        let entry = self.entries.get_mut(&key)?;
        entry.is_writing = false;
        if !is_success {
            self.entries.remove(&key);
            return None;
        }
        entry.is_stored = true;
        let has_more = entry.count != written.count;
        has_more.then(|| (subject.clone(), entry.begin(written.object.clone())))
    }

    /// Whether so many messages of this reason were seen of this object that it is one of them.
    fn is_one_of_many(&mut self, subject: &Subject, at: Timestamp) -> bool {
        if self.similar.len() >= REMEMBERED {
            self.similar.retain(|_, similar| at.duration_since(similar.last) <= WINDOW);
        }
        if self.similar.len() >= REMEMBERED {
            self.similar.clear();
        }
        let alike = Subject { message: String::new(), ..subject.clone() };
        let fresh = || Similar { messages: Vec::new(), last: at };
        let similar = self.similar.entry(hash(&alike)).or_insert_with(fresh);
        if at.duration_since(similar.last) > WINDOW {
            similar.messages.clear();
        }
        similar.last = at;
        let message = hash(&subject.message);
        if !similar.messages.contains(&message) && similar.messages.len() < SIMILAR {
            similar.messages.push(message);
        }
        similar.messages.len() >= SIMILAR
    }

    fn forget_if_full(&mut self) {
        if self.entries.len() < REMEMBERED {
            return;
        }
        let mut times: Vec<Timestamp> = self.entries.values().map(|entry| entry.last).collect();
        times.sort_unstable();
        let median = times[times.len() / 2];
        self.entries.retain(|_, entry| entry.is_writing || entry.last > median);
    }
}

/// The object's name and the time in nanoseconds, as client-go names events; the hash of what was
/// said keeps two events of one moment apart.
fn event_name(subject: &Subject, at: Timestamp) -> String {
    let salt = u128::from(hash(subject) & 0xffff);
    let nanoseconds = at.as_nanosecond().unsigned_abs();
    format!("{}.{:x}", subject.name, (nanoseconds & !0xffff) | salt)
}

pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
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
            let mut event = published("a", second);
            event.subject.uid = number.to_string();
            let (subject, sighting) = correlator.seen(event).unwrap();
            correlator.written(&subject, &sighting, true);
        }
        assert!(correlator.entries.len() <= REMEMBERED);
        assert!(correlator.similar.len() <= REMEMBERED);
    }

    #[test]
    fn many_similar_messages_become_one_event() {
        let mut correlator = Correlator::default();
        let mut say = |message: &str, second| {
            let (subject, sighting) = correlator.seen(published(message, second)).unwrap();
            correlator.written(&subject, &sighting, true);
            (subject.message, sighting.news, sighting.count)
        };
        for number in 1..10 {
            let message = format!("made pod {number}");
            assert_eq!(say(&message, 1), (message, None, 1));
        }
        for number in 10..15 {
            let news = format!("(combined from similar events): made pod {number}");
            let expected = (COMBINED.to_owned(), Some(news), number - 9);
            assert_eq!(say(&format!("made pod {number}"), 1), expected);
        }
        assert_eq!(say("made pod 15", 700), ("made pod 15".to_owned(), None, 1), "much later");
    }

    #[test]
    fn an_object_of_which_too_much_is_said_is_not_written_of() {
        let mut correlator = Correlator::default();
        let mut say = |message: &str, second| {
            let next = correlator.seen(published(message, second));
            if let Some((subject, sighting)) = &next {
                correlator.written(subject, sighting, true);
            }
            next.map(|(_, sighting)| sighting.count)
        };
        for count in 1..=25 {
            assert_eq!(say("again", 1), Some(count));
        }
        assert_eq!(say("again", 1), None);
        assert_eq!(say("another", 2), None);
        assert_eq!(say("again", 302), Some(27), "none was forgotten");
    }
}
