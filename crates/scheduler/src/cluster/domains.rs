//! The values that a label has over all nodes, numbered.

use std::collections::HashMap;

use super::NodeIndex;

/// The domain of a node that does not have the label.
pub const NOWHERE: u32 = u32::MAX;

/// Which nodes share a value of a label.
#[derive(Debug, Default)]
pub struct Domains {
    of_node: Vec<u32>,
    count: usize,
}

impl Domains {
    /// The domains by the values of the label, a value for each place in the list of nodes.
    pub(super) fn new<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut next = 0;
        let of_node = values
            .map(|value| {
                value.map_or(NOWHERE, |value| {
                    *numbers.entry(value).or_insert_with(|| {
                        next += 1;
                        next - 1
                    })
                })
            })
            .collect();
        Self { of_node, count: next as usize }
    }

    /// The domain of a node, or [`NOWHERE`].
    pub fn of(&self, node: NodeIndex) -> u32 {
        self.of_node.get(node as usize).copied().unwrap_or(NOWHERE)
    }

    /// How many domains there are; they are numbered from 0.
    pub fn count(&self) -> usize {
        self.count
    }
}
