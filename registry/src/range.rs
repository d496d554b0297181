//! The two ranges of the protocol: which part of a blob is wanted, and where a chunk belongs.

/// Which bytes of a blob to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All, because no single range was asked for.
    Whole,
    /// `length` bytes, at least one, from `start` on.
    Part { start: u64, length: u64 },
    /// None: the range lies outside.
    Outside,
}

/// Reads a `Range` header for a blob of `size` bytes. Units and forms that we do not know are
/// ignored, as HTTP asks.
pub(crate) fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else {
        return Wanted::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Err(_), Ok(count)) if first.is_empty() => match count.min(size) {
            0 => Wanted::Outside,
            length => Wanted::Part { start: size - length, length },
        },
        (Ok(start), _) if start >= size => Wanted::Outside,
        (Ok(start), Ok(last)) if last >= start => {
            Wanted::Part { start, length: last.min(size - 1) - start + 1 }
        }
        (Ok(start), Err(_)) if last.is_empty() => Wanted::Part { start, length: size - start },
        _ => Wanted::Whole,
    }
}

/// Reads the `Content-Range` of a chunk, `<first>-<last>` with both included; some clients write it
/// as HTTP does, `bytes <first>-<last>/<total>`. Returns the first byte and the length.
pub(crate) fn chunk(content_range: &str) -> Option<(u64, u64)> {
    let text = content_range.trim();
    let text = text.strip_prefix("bytes").unwrap_or(text).trim_start_matches([' ', '=']);
    let text = text.split_once('/').map_or(text, |(range, _)| range);
    let (first, last) = text.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_served() {
        let part = |start, length| Wanted::Part { start, length };
        for (range, expected) in [
            (None, Wanted::Whole),
            (Some("bytes=0-0"), part(0, 1)),
            (Some("bytes=2-4"), part(2, 3)),
            (Some("bytes=2-"), part(2, 8)),
            (Some("bytes=2-99"), part(2, 8)),
            (Some("bytes=-3"), part(7, 3)),
            (Some("bytes=-30"), part(0, 10)),
            (Some("bytes=-0"), Wanted::Outside),
            (Some("bytes=10-"), Wanted::Outside),
            (Some("bytes=4-2"), Wanted::Whole),
            (Some("bytes=0-1,4-5"), Wanted::Whole),
            (Some("lines=1-2"), Wanted::Whole),
            (Some("bytes=x-y"), Wanted::Whole),
        ] {
            assert_eq!(wanted(range, 10), expected, "{range:?}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Outside);
    }

    #[test]
    fn chunks_say_where_they_belong() {
        for (text, expected) in [
            ("0-9", Some((0, 10))),
            ("bytes 5-5/*", Some((5, 1))),
            ("bytes=5-6", Some((5, 2))),
            ("6-5", None),
            ("5", None),
            ("-5", None),
            ("0-18446744073709551615", None),
        ] {
            assert_eq!(chunk(text), expected, "{text}");
        }
    }
}
