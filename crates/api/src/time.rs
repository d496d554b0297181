//! Times as the wire writes them: RFC 3339 in UTC, with seconds (`Time`) or microseconds
//! (`MicroTime`).

use jiff::{Timestamp, Unit};

/// A `Time`: seconds, in UTC, for instance `2026-01-02T03:04:05Z`; fractions are cut off.
pub fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A `MicroTime`: always six fraction digits, in UTC, for instance `2026-01-02T03:04:05.000006Z`.
pub fn micro_time(time: Timestamp) -> String {
    let micros = time.subsec_microsecond();
    // Before the epoch the fraction of a `Timestamp` is negative; the wire counts forward.
    if micros >= 0 {
        format!("{}.{micros:06}Z", time.strftime("%Y-%m-%dT%H:%M:%S"))
    } else {
        let rounded = time.round(Unit::Microsecond).unwrap_or(time);
        rounded.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }
}

/// Reads a time of either form, with any offset; `None` when it is not RFC 3339.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// How long ago something was, as `kubectl get` shows ages: `5s`, `3m20s`, `2h`, `4d5h`, `3y`.
///
/// `None` or a time in the future beyond clock skew gives `<invalid>`; a time that is only
/// slightly ahead counts as now.
pub fn human_duration(seconds: i64) -> String {
    // Clocks of two machines are allowed to differ a little.
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    if seconds < 0 {
        return "0s".to_owned();
    }
    let minutes = seconds / 60;
    let hours = seconds / 3600;
    let days = hours / 24;
    let with_rest = |whole: i64, unit: &str, rest: i64, rest_unit: &str| {
        if rest == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{rest}{rest_unit}") }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        with_rest(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        with_rest(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        with_rest(days, "d", hours % 24, "h")
    } else if days < 365 * 2 {
        format!("{days}d")
    } else if days < 365 * 8 {
        with_rest(days / 365, "y", days % 365, "d")
    } else {
        format!("{}y", days / 365)
    }
}

/// The age of a wire time at `now`, as `kubectl get` shows it; `<unknown>` when there is none.
pub fn age(time: Option<&str>, now: Timestamp) -> String {
    match time.and_then(parse_time) {
        None => "<unknown>".to_owned(),
        Some(time) => human_duration(now.as_second() - time.as_second()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = parse_time("2026-01-02T04:04:05.5+01:00").unwrap();
        assert_eq!(rfc3339(time), "2026-01-02T03:04:05Z");
        assert_eq!(micro_time(time), "2026-01-02T03:04:05.500000Z");
        assert_eq!(micro_time(parse_time("2026-01-02T03:04:05Z").unwrap()).len(), 27);
        assert_eq!(
            micro_time(parse_time("1960-01-02T03:04:05.25Z").unwrap()),
            "1960-01-02T03:04:05.250000Z"
        );
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn ages_are_shown_as_kubectl_shows_them() {
        let rows: [(i64, &str); 17] = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (8 * 3600, "8h"),
            (48 * 3600, "2d"),
            (49 * 3600, "2d1h"),
            (8 * 86_400, "8d"),
            (2 * 365 * 86_400, "2y"),
            (2 * 365 * 86_400 + 86_400, "2y1d"),
        ];
        for (seconds, shown) in rows {
            assert_eq!(human_duration(seconds), shown, "{seconds}");
        }
        assert_eq!(age(None, Timestamp::UNIX_EPOCH), "<unknown>");
    }
}
