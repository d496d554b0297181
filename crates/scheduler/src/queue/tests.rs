//! Who is tried when.

use serde_json::json;

use super::*;
use crate::demand::Shared;

const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(10) };
const PATIENCE: Duration = Duration::from_mins(5);

fn queue() -> (Queue, Instant) {
    (Queue::new(BACKOFF, PATIENCE, Metrics::default()), Instant::now())
}

fn demand(uid: &str, priority: i32) -> Arc<Demand> {
    let pod = json!({"metadata": {"uid": uid}, "spec": {"priority": priority, "containers": []}});
    Arc::new(Demand::of(serde_json::from_value(pod).unwrap(), &Shared::default()).unwrap())
}

fn key(name: &str) -> NamespacedName {
    NamespacedName::new("default", name)
}

fn take(queue: &mut Queue, now: Instant) -> Option<String> {
    queue.advance(now);
    queue.take(now).map(|(key, _)| key.name)
}

const AMOUNTS: usize = 6;
const PORTS: usize = 5;

#[test]
fn the_highest_priority_goes_first_and_then_the_oldest() {
    let (mut queue, now) = queue();
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
        queue.put(&key(name), demand(name, priority));
    }
    let order: Vec<_> = std::iter::from_fn(|| take(&mut queue, now)).collect();
    assert_eq!(order, ["b", "d", "a", "c"]);
}

#[test]
fn a_pod_without_a_place_waits_for_a_change_that_helps() {
    let (mut queue, now) = queue();
    let later = now + Duration::from_secs(1);
    queue.put(&key("a"), demand("a", 0));
    take(&mut queue, now);
    queue.park(&key("a"), FilterSet::of(AMOUNTS), now);
    // Its own status changed, and something happened that its refusal has nothing to do with.
    queue.put(&key("a"), demand("a", 0));
    queue.wake(later, "NodeAdd", FilterSet::of(PORTS), |_, _| true);
    assert_eq!(take(&mut queue, later), None);
    // Something happened that could help, but does not.
    queue.wake(later, "NodeAdd", FilterSet::of(AMOUNTS), |_, _| false);
    assert_eq!(take(&mut queue, later), None);
    queue.wake(later, "NodeAdd", FilterSet::of(AMOUNTS), |pod, refused_by| {
        pod.uid.as_str() == "a" && refused_by == FilterSet::of(AMOUNTS)
    });
    assert_eq!(take(&mut queue, later).as_deref(), Some("a"));
}

#[test]
fn changes_in_quick_succession_do_not_make_attempts_quicker() {
    let (mut queue, now) = queue();
    queue.put(&key("a"), demand("a", 0));
    take(&mut queue, now);
    queue.park(&key("a"), FilterSet::of(AMOUNTS), now);
    queue.wake(now, "NodeAdd", FilterSet::of(AMOUNTS), |_, _| true);
    assert_eq!(take(&mut queue, now), None);
    assert_eq!(queue.next_due(), Some(now + BACKOFF.base));
    assert_eq!(take(&mut queue, now + BACKOFF.base).as_deref(), Some("a"));
}

#[test]
fn a_pod_that_asks_for_something_else_is_tried_at_once() {
    let (mut queue, now) = queue();
    queue.put(&key("a"), demand("a", 0));
    take(&mut queue, now);
    queue.park(&key("a"), FilterSet::of(AMOUNTS), now);
    queue.put(&key("a"), demand("a", 7));
    assert_eq!(take(&mut queue, now).as_deref(), Some("a"));
    assert!(queue.active.is_empty() && queue.timed.is_empty());
}

#[test]
fn a_pod_that_changed_while_it_was_tried_is_tried_again() {
    let (mut queue, now) = queue();
    queue.put(&key("a"), demand("a", 0));
    take(&mut queue, now);
    queue.put(&key("a"), demand("a", 7));
    // The refusal is about what it was.
    queue.park(&key("a"), FilterSet::of(AMOUNTS), now);
    assert_eq!(take(&mut queue, now).as_deref(), Some("a"));
}

#[test]
fn patience_ends() {
    let (mut queue, now) = queue();
    queue.put(&key("a"), demand("a", 0));
    take(&mut queue, now);
    queue.park(&key("a"), FilterSet::of(AMOUNTS), now);
    assert_eq!(take(&mut queue, now + PATIENCE).as_deref(), Some("a"));
    queue.remove(&key("a"));
    assert_eq!(queue.next_due(), None);
}

#[test]
fn a_pod_is_counted_as_refused_until_it_is_tried_again() {
    let (mut queue, now) = queue();
    let counted = |queue: &Queue, count: u8| {
        let text = queue.metrics.text();
        let line = "scheduler_unschedulable_pods{plugin=\"NodeResourcesFit\",\
                    profile=\"default-scheduler\"}";
        assert!(text.contains(&format!("{line} {count}\n")), "{count}: {text}");
    };
    for name in ["a", "b"] {
        queue.put(&key(name), demand(name, 0));
        take(&mut queue, now);
        queue.park(&key(name), FilterSet::of(AMOUNTS), now);
    }
    counted(&queue, 2);
    queue.remove(&key("b"));
    counted(&queue, 1);
    assert_eq!(queue.attempt(&key("a")).map(|attempt| attempt.is_flushed), Some(false));
    let later = now + PATIENCE;
    queue.advance(later);
    counted(&queue, 1);
    take(&mut queue, later);
    counted(&queue, 0);
    assert_eq!(queue.attempt(&key("a")).map(|attempt| attempt.is_flushed), Some(true));
    queue.park(&key("a"), FilterSet::of(AMOUNTS), later);
    queue.wake(later, "NodeAdd", FilterSet::of(AMOUNTS), |_, _| true);
    assert_eq!(queue.attempt(&key("a")).map(|attempt| attempt.is_flushed), Some(false));
}
