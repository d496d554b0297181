//! Short names for contents.

use serde::Serialize;

/// The letters of such a name: those that generated names end with.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name for `content`: the same for the same content, and another with each collision that
/// is counted.
///
/// The hash is FNV-1a with 32 bits over the content's canonical JSON. Like Kubernetes' own, it is an
/// implementation's choice: clients may compare such names and must not compute them.
pub(crate) fn name_of_hash(content: &impl Serialize, collisions: Option<i32>) -> String {
    // Through a value, whose maps are ordered.
    let value = serde_json::to_value(content).unwrap_or_default();
    let mut text = value.to_string().into_bytes();
    if let Some(collisions) = collisions {
        text.extend(u64::from(collisions.unsigned_abs()).to_le_bytes());
    }
    let hash = text
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let digits = hash.to_string();
    digits.bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_contents_and_collisions_apart() {
        let name = name_of_hash(&"a", None);
        assert_eq!(name, name_of_hash(&"a", None));
        assert_ne!(name, name_of_hash(&"b", None));
        assert_ne!(name, name_of_hash(&"a", Some(1)));
        assert!((1..=10).contains(&name.len()) && name.bytes().all(|byte| LETTERS.contains(&byte)));
    }
}
