//! Which pod has which address, and how long it has been as it is.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wk_api::names::NamespacedName;

use crate::config::SimulationConfig;
use crate::pod::Stage;

/// What is remembered of pods beside their objects; all of it can be found out again from them.
#[derive(Debug)]
pub(crate) struct Ledger {
    config: Arc<SimulationConfig>,
    pods: HashMap<NamespacedName, Note>,
    /// The places taken on each node that has pods.
    taken: HashMap<u32, BTreeSet<u32>>,
}

#[derive(Debug)]
struct Note {
    uid: Box<str>,
    node: u32,
    place: Option<u32>,
    stage: Stage,
    since: Instant,
}

impl Ledger {
    pub(crate) fn new(config: Arc<SimulationConfig>) -> Self {
        Self { config, pods: HashMap::new(), taken: HashMap::new() }
    }

    /// Notes a pod as it is seen and returns how long it has been in its stage; `age` is what its
    /// object says of that.
    pub(crate) fn see(
        &mut self,
        key: &NamespacedName,
        seen: (&str, u32),
        stage: Stage,
        age: Duration,
        now: Instant,
    ) -> Duration {
        let (uid, node) = seen;
        if self.pods.get(key).is_some_and(|note| *note.uid != *uid) {
            self.forget(key);
        }
        // An object tells whole seconds: a younger pod counts from now.
        let age = if age > Duration::from_secs(1) { age } else { Duration::ZERO };
        let since = now.checked_sub(age).unwrap_or(now);
        let note = self.pods.entry(key.clone()).or_insert_with(|| Note {
            uid: uid.into(),
            node,
            place: None,
            stage,
            since,
        });
        if note.stage != stage {
            (note.stage, note.since) = (stage, since);
        }
        now.duration_since(note.since)
    }

    /// The address that a pod which was seen says it has.
    pub(crate) fn claim(&mut self, key: &NamespacedName, address: Ipv4Addr) {
        let Some(note) = self.pods.get_mut(key).filter(|note| note.place.is_none()) else { return };
        let Some(place) = self.config.node_range(note.node).place_of(address) else { return };
        if self.taken.entry(note.node).or_default().insert(place) {
            note.place = Some(place);
        }
    }

    /// The address of a pod which was seen, the lowest free one of its node if it has none yet.
    /// `None` if the pod was not seen, or the node has more pods than it takes.
    pub(crate) fn address(&mut self, key: &NamespacedName) -> Option<Ipv4Addr> {
        let note = self.pods.get_mut(key)?;
        let range = self.config.node_range(note.node);
        if let Some(place) = note.place {
            return Some(range.pod_address(place));
        }
        let taken = self.taken.entry(note.node).or_default();
        let gap = taken.iter().zip(0..).find(|(place, expected)| *place != expected);
        let place = match gap {
            Some((_, expected)) => expected,
            None => u32::try_from(taken.len()).ok()?,
        };
        let address = range.pod_address(place);
        range.place_of(address)?;
        taken.insert(place);
        note.place = Some(place);
        Some(address)
    }

    /// Gives back the address of a pod that has ended.
    pub(crate) fn release(&mut self, key: &NamespacedName) {
        let Some(note) = self.pods.get_mut(key) else { return };
        if let (Some(place), Some(taken)) = (note.place.take(), self.taken.get_mut(&note.node)) {
            taken.remove(&place);
            if taken.is_empty() {
                self.taken.remove(&note.node);
            }
        }
    }

    /// Forgets a pod that is gone.
    pub(crate) fn forget(&mut self, key: &NamespacedName) {
        self.release(key);
        self.pods.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut config = SimulationConfig::new("sim", 4, "v1");
        config.pods_per_node = 5;
        Ledger::new(Arc::new(config))
    }

    fn see(ledger: &mut Ledger, name: &str, uid: &str, node: u32) -> NamespacedName {
        let key = NamespacedName::new("default", name);
        ledger.see(&key, (uid, node), Stage::NotStarted, Duration::ZERO, Instant::now());
        key
    }

    #[tokio::test]
    async fn addresses_are_given_once_and_again_when_free() {
        let mut ledger = ledger();
        let keys: Vec<_> = ["a", "b", "c"].map(|name| see(&mut ledger, name, name, 1)).into();
        let text = |ledger: &mut Ledger, key| ledger.address(key).map(|one| one.to_string());
        assert_eq!(text(&mut ledger, &keys[0]).as_deref(), Some("10.0.0.10"));
        assert_eq!(text(&mut ledger, &keys[1]).as_deref(), Some("10.0.0.11"));
        assert_eq!(text(&mut ledger, &keys[0]).as_deref(), Some("10.0.0.10"), "it keeps its own");
        ledger.forget(&keys[0]);
        assert_eq!(text(&mut ledger, &keys[2]).as_deref(), Some("10.0.0.10"), "the lowest free");
        let again = see(&mut ledger, "b", "another", 2);
        assert_eq!(text(&mut ledger, &again).as_deref(), Some("10.0.0.18"), "a new pod, a new one");
    }

    #[tokio::test]
    async fn an_address_from_before_is_kept() {
        let mut ledger = ledger();
        let old = see(&mut ledger, "old", "1", 0);
        ledger.claim(&old, [10, 0, 0, 2].into());
        let foreign = see(&mut ledger, "foreign", "2", 0);
        ledger.claim(&foreign, [192, 0, 2, 1].into());
        assert_eq!(ledger.address(&foreign), Some([10, 0, 0, 3].into()));
        assert_eq!(ledger.address(&old), Some([10, 0, 0, 2].into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_lasts_since_it_was_seen_or_since_the_object_says() {
        let mut ledger = ledger();
        let key = see(&mut ledger, "a", "1", 0);
        tokio::time::advance(Duration::from_secs(3)).await;
        let age = |ledger: &mut Ledger, stage, said| {
            ledger.see(&key, ("1", 0), stage, Duration::from_secs(said), Instant::now())
        };
        assert_eq!(age(&mut ledger, Stage::NotStarted, 0), Duration::from_secs(3));
        assert_eq!(age(&mut ledger, Stage::Running { restarts: 0 }, 1), Duration::ZERO);
        assert_eq!(age(&mut ledger, Stage::Running { restarts: 1 }, 2), Duration::from_secs(2));
    }
}
