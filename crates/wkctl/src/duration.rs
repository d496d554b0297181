//! Durations as Go writes them (`1h30m`, `500ms`), which is how kubectl's flags take them.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Reads a duration that is not negative; a bare number is seconds.
pub(crate) fn parse(text: &str) -> anyhow::Result<Duration> {
    let wrong = || format!("invalid duration \"{text}\"");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').with_context(wrong)?;
        let number: f64 = rest[..digits].parse().with_context(wrong)?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => bail!("{}: unknown unit in \"{text}\"", wrong()),
            };
        rest = &rest[end..];
    }
    ensure!(!text.is_empty(), wrong());
    Duration::try_from_secs_f64(total).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("0", Some(0)),
            ("30", Some(30_000)),
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1500)),
            ("250ms", Some(250)),
            ("", None),
            ("-1s", None),
            ("5x", None),
            ("s", None),
            ("1..2s", None),
        ] {
            let parsed = parse(text).ok().map(|duration| duration.as_millis());
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
