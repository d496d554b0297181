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

/// A duration as Go prints it: `1h0m0s`, `7s`, `250ms`.
pub(crate) fn go(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 && !duration.is_zero() {
        return format!("{}ms", duration.as_secs_f64() * 1000.0);
    }
    let minutes = Duration::from_secs(seconds / 60 * 60);
    let rest = duration.saturating_sub(minutes).as_secs_f64();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (text, expected) in
            [("7s", "7s"), ("90", "1m30s"), ("1h", "1h0m0s"), ("250ms", "250ms"), ("0", "0s")]
        {
            assert_eq!(go(parse(text).unwrap()), expected, "{text}");
        }
    }

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
