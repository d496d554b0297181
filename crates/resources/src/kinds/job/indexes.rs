//! Sets of indexes as texts: `1,3-5,7`.

/// The intervals that a text names below `completions`, with how many indexes they hold.
///
/// # Errors
/// What is wrong with the text, as Kubernetes says it.
pub(super) fn parse(text: &str, completions: i64) -> Result<(Vec<(i64, i64)>, i64), String> {
    let mut intervals: Vec<(i64, i64)> = Vec::new();
    if text.is_empty() {
        return Ok((intervals, 0));
    }
    for part in text.split(',') {
        let (first, last) = interval(part, completions)?;
        if let Some((_, before)) = intervals.last().filter(|(_, before)| *before >= first) {
            return Err(format!("non-increasing order, previous: {before}, current: {first}"));
        }
        intervals.push((first, last));
    }
    let total = intervals.iter().map(|(first, last)| last - first + 1).sum();
    Ok((intervals, total))
}

fn interval(part: &str, completions: i64) -> Result<(i64, i64), String> {
    let mut limits = part.splitn(3, '-');
    let (first, last, more) = (limits.next(), limits.next(), limits.next());
    if more.is_some() {
        return Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two \
             parts separated by '-'",
            wk_api::fault::quote(part)
        ));
    }
    let number = |text: &str| -> Result<i64, String> {
        let shown = wk_api::fault::quote(text);
        text.parse::<i32>()
            .map(i64::from)
            .map_err(|_| format!("cannot convert string to integer for index: {shown}"))
    };
    let below = |index: i64| -> Result<i64, String> {
        if index < completions {
            return Ok(index);
        }
        Err(format!("too large index: {}", wk_api::fault::quote(&index.to_string())))
    };
    let first = below(number(first.unwrap_or_default())?)?;
    let Some(last) = last else { return Ok((first, first)) };
    let last = below(number(last)?)?;
    if first >= last {
        return Err(format!("non-increasing order, previous: {first}, current: {last}"));
    }
    Ok((first, last))
}

/// The first index that is in both of two texts, where both can be read.
pub(super) fn common(one: &str, other: &str, completions: i64) -> Option<i64> {
    let (Ok((one, _)), Ok((other, _))) = (parse(one, completions), parse(other, completions))
    else {
        return None;
    };
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    pairs.filter(|(a, b)| a.0 <= b.1 && b.0 <= a.1).map(|(a, b)| a.0.max(b.0)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_read() {
        assert_eq!(parse("", 5), Ok((Vec::new(), 0)));
        assert_eq!(parse("0,2-4", 5), Ok((vec![(0, 0), (2, 4)], 4)));
        for bad in ["5", "3,1", "1-1", "a", "1-2-3", "1,,2"] {
            assert!(parse(bad, 5).is_err(), "{bad}");
        }
    }

    #[test]
    fn indexes_in_both_texts_are_found() {
        assert_eq!(common("0,2-4", "1,5", 9), None);
        assert_eq!(common("0,2-4", "3-5", 9), Some(3));
    }
}
