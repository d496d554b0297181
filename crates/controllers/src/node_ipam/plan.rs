//! Ranges of addresses and who has them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of IPv4 addresses, written `127.64.0.0/11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Range {
    first: u32,
    prefix: u8,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of IPv4 addresses like `127.64.0.0/11`")]
pub struct RangeError(String);

impl Ipv4Range {
    /// Where pods get their addresses without root: 127.64.0.0/11.
    pub const ROOTLESS_PODS: Self = Self { first: 0x7f40_0000, prefix: 11 };

    /// The prefix length, from 0 to 32.
    pub fn prefix(self) -> u8 {
        self.prefix
    }
}

impl FromStr for Ipv4Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
            let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= 32)?;
            let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            (first & hosts == 0).then_some(Self { first, prefix })
        };
        parse().ok_or_else(|| RangeError(text.to_owned()))
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

/// What is seen of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    Gone,
    WithoutRange,
    With(&'a str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Give the node this range.
    Assign(String),
    /// There is no range left.
    Full,
    /// The node has the range of this other node.
    Clash(String),
}

/// Who has which part of the cluster's range.
#[derive(Clone, Debug)]
pub(super) struct Ranges {
    range: Ipv4Range,
    mask: u8,
    owners: BTreeMap<u32, String>,
    by_node: HashMap<String, u32>,
}

impl Ranges {
    pub(super) fn new(range: Ipv4Range, mask: u8) -> Self {
        let mask = mask.clamp(range.prefix, 30);
        Self { range, mask, owners: BTreeMap::new(), by_node: HashMap::new() }
    }

    /// Plans the step for a node.
    ///
    /// What is planned counts as given until the node is gone, so it is the same if asked again.
    pub(super) fn plan(&mut self, node: &str, seen: Seen<'_>) -> Step {
        match seen {
            Seen::Gone => {
                if let Some(index) = self.by_node.remove(node) {
                    self.owners.remove(&index);
                }
                Step::Nothing
            }
            Seen::With(cidr) => self.found(node, cidr),
            Seen::WithoutRange => self.assign(node),
        }
    }

    fn found(&mut self, node: &str, cidr: &str) -> Step {
        // A range from elsewhere is none of ours to give away.
        let Some(index) = self.index_of(cidr) else { return Step::Nothing };
        match self.owners.get(&index) {
            Some(owner) if owner != node => return Step::Clash(owner.clone()),
            _ => {}
        }
        if let Some(before) = self.by_node.insert(node.to_owned(), index)
            && before != index
        {
            self.owners.remove(&before);
        }
        self.owners.insert(index, node.to_owned());
        Step::Nothing
    }

    fn assign(&mut self, node: &str) -> Step {
        let index = self.by_node.get(node).copied().or_else(|| self.first_free());
        let Some(index) = index else { return Step::Full };
        self.by_node.insert(node.to_owned(), index);
        self.owners.insert(index, node.to_owned());
        let first = self.range.first + (index << (32 - self.mask));
        Step::Assign(Ipv4Range { first, prefix: self.mask }.to_string())
    }

    fn first_free(&self) -> Option<u32> {
        let count = 1_u32 << (self.mask - self.range.prefix);
        let gap = self.owners.keys().zip(0..).find(|(index, expected)| *index != expected);
        let next = u32::try_from(self.owners.len()).ok()?;
        Some(gap.map_or(next, |(_, expected)| expected)).filter(|index| *index < count)
    }

    fn index_of(&self, cidr: &str) -> Option<u32> {
        let found: Ipv4Range = cidr.parse().ok()?;
        let offset = found.first.checked_sub(self.range.first)?;
        let index = offset >> (32 - self.mask);
        let count = 1_u32 << (self.mask - self.range.prefix);
        (found.prefix == self.mask && index < count).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(range: &str, mask: u8) -> Ranges {
        Ranges::new(range.parse().unwrap(), mask)
    }

    fn assign(cidr: &str) -> Step {
        Step::Assign(cidr.to_owned())
    }

    #[test]
    fn every_node_gets_its_own_range() {
        let mut ranges = Ranges::new(Ipv4Range::ROOTLESS_PODS, 20);
        assert_eq!(ranges.plan("a", Seen::WithoutRange), assign("127.64.0.0/20"));
        assert_eq!(ranges.plan("b", Seen::WithoutRange), assign("127.64.16.0/20"));
        assert_eq!(ranges.plan("a", Seen::WithoutRange), assign("127.64.0.0/20"));
        assert_eq!(ranges.plan("a", Seen::With("127.64.0.0/20")), Step::Nothing);
        assert_eq!(ranges.plan("c", Seen::WithoutRange), assign("127.64.32.0/20"));
    }

    #[test]
    fn a_range_is_given_again_only_when_its_node_is_gone() {
        let mut ranges = ranges("10.0.0.0/23", 24);
        ranges.plan("a", Seen::WithoutRange);
        ranges.plan("b", Seen::WithoutRange);
        assert_eq!(ranges.plan("c", Seen::WithoutRange), Step::Full);
        ranges.plan("a", Seen::Gone);
        assert_eq!(ranges.plan("c", Seen::WithoutRange), assign("10.0.0.0/24"));
    }

    #[test]
    fn what_nodes_have_from_before_is_respected() {
        let mut ranges = ranges("10.0.0.0/22", 24);
        ranges.plan("b", Seen::With("10.0.1.0/24"));
        ranges.plan("foreign", Seen::With("192.168.0.0/24"));
        assert_eq!(ranges.plan("a", Seen::WithoutRange), assign("10.0.0.0/24"));
        assert_eq!(ranges.plan("c", Seen::WithoutRange), assign("10.0.2.0/24"));
        assert_eq!(ranges.plan("d", Seen::With("10.0.1.0/24")), Step::Clash("b".to_owned()));
    }

    #[test]
    fn ranges_are_checked() {
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "::/8"] {
            assert!(bad.parse::<Ipv4Range>().is_err(), "{bad}");
        }
        assert_eq!(Ipv4Range::ROOTLESS_PODS.to_string(), "127.64.0.0/11");
        assert_eq!("127.64.0.0/11".parse(), Ok(Ipv4Range::ROOTLESS_PODS));
    }
}
