//! Informers against a scripted server: what they hold, and what they tell.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;

fn map(name: &str, revision: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "resourceVersion": revision},
    }))
    .unwrap()
}

fn names(informer: &Informer<ConfigMap>) -> Vec<String> {
    informer.list().iter().map(|map| map.metadata.name.clone().unwrap()).collect()
}

#[track_caller]
fn apply(informer: &Informer<ConfigMap>, events: impl IntoIterator<Item = Event<ConfigMap>>) {
    for event in events {
        informer.shared.apply(event, &|map| Ok(Some(map))).unwrap();
    }
}

fn list(maps: &[(&str, &str)]) -> Vec<Event<ConfigMap>> {
    let objects = maps.iter().map(|(name, revision)| Event::InitApply(map(name, revision)));
    std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]).collect()
}

async fn changed(changes: &mut Changes) -> Vec<String> {
    changes.next().await.into_iter().map(|key| key.name).collect()
}

#[tokio::test]
async fn a_list_is_seen_whole_or_not_at_all() {
    let informer = Informer::unfed();
    let mut events = list(&[("a", "1"), ("b", "2")]);
    let done = events.pop().unwrap();
    apply(&informer, events);
    assert!(names(&informer).is_empty());
    assert!(!informer.is_ready());
    apply(&informer, [done]);
    assert_eq!(names(&informer), ["a", "b"]);
    informer.ready().await;
}

#[tokio::test]
async fn a_second_list_tells_only_what_differs() {
    let informer = Informer::unfed();
    let mut changes = informer.subscribe();
    apply(&informer, list(&[("a", "1"), ("b", "2"), ("c", "3")]));
    assert_eq!(changed(&mut changes).await, ["a", "b", "c"]);
    apply(&informer, list(&[("a", "1"), ("b", "5"), ("d", "6")]));
    assert_eq!(changed(&mut changes).await, ["b", "c", "d"]);
    assert_eq!(names(&informer), ["a", "b", "d"]);
}

#[tokio::test]
async fn changes_coalesce_until_they_are_read() {
    let informer = Informer::unfed();
    apply(&informer, list(&[("a", "1")]));
    let mut changes = informer.subscribe();
    apply(&informer, [Event::Apply(map("a", "2")), Event::Apply(map("b", "3"))]);
    apply(&informer, [Event::Delete(map("a", "4"))]);
    assert_eq!(changed(&mut changes).await, ["a", "b"]);
    assert_eq!(names(&informer), ["b"]);
}

#[test]
fn an_index_is_up_to_date_before_a_mark_is_passed() {
    let informer = Informer::unfed();
    apply(&informer, list(&[("a", "1")]));
    let by_event = informer.mark(Some("5"));
    let by_list = informer.mark(Some("50"));
    let order = Arc::new(Mutex::new(Vec::new()));
    for (what, mark) in [("event", by_event), ("list", by_list)] {
        let (indexed, told) = (Arc::clone(&order), Arc::clone(&order));
        let seen = mark.clone();
        informer.index(move |key| {
            indexed.lock().push(format!(
                "{what} {} indexed, passed: {}",
                key.name,
                mark.is_passed()
            ));
        });
        informer.on_change(move |key| {
            told.lock().push(format!("{what} {} told, passed: {}", key.name, seen.is_passed()));
        });
    }
    order.lock().clear();
    apply(&informer, [Event::Apply(map("b", "5"))]);
    let said: Vec<String> = std::mem::take(&mut *order.lock());
    let event: Vec<&String> = said.iter().filter(|line| line.starts_with("event")).collect();
    assert_eq!(event, ["event b indexed, passed: false", "event b told, passed: true"]);
    apply(&informer, list(&[("a", "1"), ("b", "5"), ("c", "20")]));
    let said = order.lock();
    let listed: Vec<&String> = said.iter().filter(|line| line.starts_with("list")).collect();
    assert_eq!(listed, ["list c indexed, passed: false", "list c told, passed: true"]);
}

#[test]
fn a_namespace_is_a_range() {
    let key = |namespace: &str, name: &str| (NamespacedName::new(namespace, name), name.to_owned());
    let informer = Informer::of([key("a", "1"), key("b", "2"), key("b", "3"), key("bb", "4")]);
    let found: Vec<String> =
        informer.in_namespace("b").iter().map(|name| (**name).clone()).collect();
    assert_eq!(found, ["2", "3"]);
}
