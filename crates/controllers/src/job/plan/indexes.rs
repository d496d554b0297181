//! Sets of indexes, as a Job's status writes them: `0,2-4`.

use std::collections::BTreeSet;

/// Reads a set; what cannot be read, or is not below `limit`, is left out.
pub(super) fn parse(text: &str, limit: u32) -> BTreeSet<u32> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            indexes.extend(first..=last.min(limit.saturating_sub(1)));
        }
    }
    indexes
}

/// Writes a set, with runs of three or more as their first and last.
pub(super) fn format(indexes: &BTreeSet<u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            Some(_) | None => runs.push((*index, *index)),
        }
    }
    let parts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_are_written_short() {
        assert_eq!(format(&[1, 3, 4, 5, 7, 8].into()), "1,3-5,7,8");
        assert_eq!(parse("0,2-9,x", 5), [0, 2, 3, 4].into());
        assert_eq!(format(&BTreeSet::new()), "");
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(indexes in proptest::collection::btree_set(0..200_u32, 0..60)) {
            prop_assert_eq!(parse(&format(&indexes), 200), indexes);
        }
    }
}
