//! How fast nodes may be given up, zone by zone: one node that is lost is lost, but when half of a
//! zone is silent it is more likely the network, and when everything is, it is ourselves.
//!
//! Spec: <https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction>

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

/// How fast pods are sent away from nodes that do not answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeEviction {
    /// Nodes a second in each zone while all is well.
    pub rate: f64,
    /// Nodes a second in a large zone of which too much is unhealthy; a small one waits.
    pub secondary_rate: f64,
    /// The share of a zone that makes it unhealthy, from 0 to 1; at least three nodes are.
    pub unhealthy_zone_threshold: f64,
    /// A zone with more nodes than this is large.
    pub large_zone: usize,
}

impl Default for NodeEviction {
    /// The figures of Kubernetes: 0.1, 0.01, 55 % and 50.
    fn default() -> Self {
        Self { rate: 0.1, secondary_rate: 0.01, unhealthy_zone_threshold: 0.55, large_zone: 50 }
    }
}

/// What a node counts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) zone: String,
    pub(super) is_ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Normal,
    /// Too much of it is unhealthy.
    Partial,
    /// None of it is healthy.
    Down,
}

/// What a change of a node changed for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// Nothing.
    None,
    /// Nodes of its zone may be given up faster or slower.
    Zone,
    /// Nothing is healthy any more: no node is given up.
    Stopped,
    /// Something is healthy again: whoever was silent gets its time anew.
    Resumed,
}

#[derive(Debug)]
struct Zone {
    ready: usize,
    unready: usize,
    health: Health,
    tokens: f64,
    at: Instant,
}

/// All zones.
#[derive(Debug)]
pub(super) struct Zones {
    limits: NodeEviction,
    members: HashMap<String, Member>,
    by_name: BTreeMap<String, Zone>,
    is_stopped: bool,
    /// Whether some node was ever healthy; before, none can have been lost.
    was_healthy: bool,
}

impl Zones {
    pub(super) fn new(limits: NodeEviction) -> Self {
        let (members, by_name) = (HashMap::new(), BTreeMap::new());
        Self { limits, members, by_name, is_stopped: false, was_healthy: false }
    }

    /// Whether no node may be given up, because none is healthy.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Whether all nodes were lost, rather than none of them having come up yet.
    pub(super) fn is_outage(&self) -> bool {
        self.is_stopped && self.was_healthy
    }

    /// Notes what a node is now; `None` if it is gone or does not count.
    pub(super) fn put(&mut self, node: &str, now: Option<Member>, at: Instant) -> Shift {
        if self.members.get(node) == now.as_ref() {
            return Shift::None;
        }
        if let Some(before) = self.members.remove(node)
            && let Some(zone) = self.by_name.get_mut(&before.zone)
        {
            zone.count(before.is_ready, |count| *count -= 1);
        }
        if let Some(member) = now {
            self.was_healthy |= member.is_ready;
            let fresh = || Zone { ready: 0, unready: 0, health: Health::Normal, tokens: 1.0, at };
            let zone = self.by_name.entry(member.zone.clone()).or_insert_with(fresh);
            zone.count(member.is_ready, |count| *count += 1);
            self.members.insert(node.to_owned(), member);
        }
        self.by_name.retain(|_, zone| zone.ready + zone.unready > 0);
        self.judge(at)
    }

    fn judge(&mut self, at: Instant) -> Shift {
        let mut is_shifted = false;
        let limits = self.limits;
        for zone in self.by_name.values_mut() {
            let health = zone.judge(&limits);
            if health != zone.health {
                zone.refill(&limits, at);
                zone.health = health;
                is_shifted = true;
            }
        }
        let is_stopped = !self.by_name.is_empty()
            && self.by_name.values().all(|zone| zone.health == Health::Down);
        match (std::mem::replace(&mut self.is_stopped, is_stopped), is_stopped) {
            (false, true) => Shift::Stopped,
            (true, false) => Shift::Resumed,
            _ if is_shifted => Shift::Zone,
            _ => Shift::None,
        }
    }

    /// Whether `node` may be given up now, which is counted; otherwise when to ask again, `None` if
    /// not before something changes.
    pub(super) fn admit(&mut self, node: &str, at: Instant) -> Result<(), Option<Duration>> {
        if self.is_stopped {
            return Err(None);
        }
        let zone = self.members.get(node).and_then(|member| self.by_name.get_mut(&member.zone));
        // One that counts for no zone holds up nobody.
        let Some(zone) = zone else { return Ok(()) };
        zone.refill(&self.limits, at);
        if zone.tokens >= 1.0 {
            zone.tokens -= 1.0;
            return Ok(());
        }
        let rate = zone.rate(&self.limits);
        let wait = (1.0 - zone.tokens) / rate;
        Err((rate > 0.0).then(|| Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)))
    }
}

impl Zone {
    fn count(&mut self, is_ready: bool, change: impl Fn(&mut usize)) {
        change(if is_ready { &mut self.ready } else { &mut self.unready });
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of nodes are small")]
    fn judge(&self, limits: &NodeEviction) -> Health {
        let share = self.unready as f64 / (self.ready + self.unready).max(1) as f64;
        if self.ready == 0 && self.unready > 0 {
            Health::Down
        } else if self.unready > 2 && share >= limits.unhealthy_zone_threshold {
            Health::Partial
        } else {
            Health::Normal
        }
    }

    fn rate(&self, limits: &NodeEviction) -> f64 {
        match self.health {
            // Others are healthy, so that this zone alone is lost.
            Health::Normal | Health::Down => limits.rate,
            Health::Partial if self.ready + self.unready > limits.large_zone => {
                limits.secondary_rate
            }
            Health::Partial => 0.0,
        }
    }

    fn refill(&mut self, limits: &NodeEviction, at: Instant) {
        let seconds = at.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + seconds * self.rate(limits)).min(1.0);
        self.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` nodes of a zone, of which the first `unready` do not answer.
    fn fill(zones: &mut Zones, zone: &str, count: usize, unready: usize, at: Instant) -> Shift {
        let mut last = Shift::None;
        for number in 0..count {
            let member = Member { zone: zone.to_owned(), is_ready: number >= unready };
            let shift = zones.put(&format!("{zone}{number}"), Some(member), at);
            if shift != Shift::None {
                last = shift;
            }
        }
        last
    }

    #[test]
    fn single_nodes_are_given_up_slowly() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        fill(&mut zones, "a", 10, 2, start);
        assert_eq!(zones.admit("a0", start), Ok(()));
        assert_eq!(zones.admit("a1", start), Err(Some(Duration::from_secs(10))));
        assert_eq!(zones.admit("a1", start + Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn a_small_zone_that_is_mostly_silent_waits_and_a_large_one_nearly() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        fill(&mut zones, "a", 10, 0, start);
        assert_eq!(fill(&mut zones, "a", 10, 6, start), Shift::Zone);
        assert_eq!(zones.admit("a0", start), Ok(()), "what was saved up");
        assert_eq!(zones.admit("a1", start), Err(None));
        fill(&mut zones, "b", 100, 0, start);
        fill(&mut zones, "b", 100, 60, start);
        assert_eq!(zones.admit("b0", start), Ok(()));
        assert_eq!(zones.admit("b1", start), Err(Some(Duration::from_secs(100))));
        assert_eq!(fill(&mut zones, "a", 10, 2, start), Shift::Zone, "most of it is back");
        assert_eq!(zones.admit("a1", start), Err(Some(Duration::from_secs(10))));
    }

    #[test]
    fn two_silent_nodes_of_three_are_no_mass_failure() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        fill(&mut zones, "a", 3, 2, start);
        assert_eq!(zones.admit("a0", start), Ok(()));
        assert_eq!(zones.admit("a1", start), Err(Some(Duration::from_secs(10))));
    }

    #[test]
    fn nothing_is_given_up_when_everything_is_silent() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        fill(&mut zones, "a", 4, 0, start);
        fill(&mut zones, "b", 4, 0, start);
        fill(&mut zones, "a", 4, 4, start);
        assert_eq!(zones.admit("a0", start), Ok(()), "one zone alone is lost");
        assert_eq!(fill(&mut zones, "b", 4, 4, start), Shift::Stopped);
        assert!(zones.is_stopped() && zones.is_outage());
        assert_eq!(zones.admit("b0", start + Duration::from_hours(1)), Err(None));
        assert_eq!(fill(&mut zones, "b", 4, 3, start), Shift::Resumed);
        assert!(!zones.is_stopped());
    }

    #[test]
    fn a_first_node_that_comes_up_is_no_outage() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        assert_eq!(fill(&mut zones, "a", 1, 1, start), Shift::Stopped);
        assert!(zones.is_stopped() && !zones.is_outage());
        assert_eq!(fill(&mut zones, "a", 1, 0, start), Shift::Resumed);
    }

    #[test]
    fn nodes_that_go_do_not_count_any_more() {
        let (mut zones, start) = (Zones::new(NodeEviction::default()), Instant::now());
        fill(&mut zones, "a", 2, 1, start);
        assert_eq!(zones.put("a1", None, start), Shift::Stopped, "the only healthy one");
        assert_eq!(zones.put("a0", None, start), Shift::Resumed, "nothing is left");
        assert!(zones.by_name.is_empty() && zones.members.is_empty());
    }
}
