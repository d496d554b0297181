//! Which claims and volumes concern each other, so that a change is looked at only where it matters.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Members, each in at most one group.
#[derive(Debug)]
pub(super) struct Groups<G, M> {
    members: HashMap<G, BTreeSet<M>>,
    group_of: HashMap<M, G>,
}

impl<G, M> Default for Groups<G, M> {
    fn default() -> Self {
        Self { members: HashMap::new(), group_of: HashMap::new() }
    }
}

impl<G: Clone + Eq + Hash, M: Clone + Eq + Hash + Ord> Groups<G, M> {
    /// Puts a member into a group and takes it out of its former one; `None` takes it out only.
    /// Returns the former group.
    pub(super) fn put(&mut self, member: &M, group: Option<G>) -> Option<G> {
        let before = self.group_of.remove(member);
        if let Some(before) = &before
            && let Some(members) = self.members.get_mut(before)
        {
            members.remove(member);
            if members.is_empty() {
                self.members.remove(before);
            }
        }
        if let Some(group) = group {
            self.members.entry(group.clone()).or_default().insert(member.clone());
            self.group_of.insert(member.clone(), group);
        }
        before
    }

    /// The members of a group, in their order.
    pub(super) fn of<Q>(&self, group: &Q) -> Vec<M>
    where
        G: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.members.get(group).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_in_one_group_at_a_time() {
        let mut groups: Groups<String, u8> = Groups::default();
        assert_eq!(groups.put(&1, Some("a".to_owned())), None);
        groups.put(&2, Some("a".to_owned()));
        assert_eq!(groups.of("a"), [1, 2]);
        assert_eq!(groups.put(&1, Some("b".to_owned())), Some("a".to_owned()));
        assert_eq!((groups.of("a"), groups.of("b")), (vec![2], vec![1]));
        groups.put(&1, None);
        groups.put(&2, None);
        assert!(groups.members.is_empty() && groups.group_of.is_empty());
    }
}
