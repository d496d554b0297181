//! When a cron line is due.
//!
//! The syntax is the one that Kubernetes takes: five fields, names of months and weekdays, `?` for
//! `*`, and descriptors such as `@daily` and `@every 90m`.
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

/// How far ahead a due time is looked for: beyond that there is none, such as on 30 February.
const YEARS_AHEAD: i16 = 5;

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cron_job) enum ScheduleError {
    #[error("expected exactly 5 fields, found {0}: {1}")]
    Fields(usize, String),
    #[error("unrecognized descriptor: {0}")]
    Descriptor(String),
    #[error("failed to parse duration {0}")]
    Duration(String),
    #[error("failed to parse int from {0}")]
    Number(String),
    #[error("{0}")]
    Range(String),
}

/// A cron line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cron_job) enum Schedule {
    /// At the times whose parts are all among these.
    At(Box<Fields>),
    /// Again and again after this many seconds.
    Every(i64),
}

/// The minutes, hours and so on, a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cron_job) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether any day of the month, or any weekday, will do: then the other one alone counts.
    is_any_day: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads a line.
    pub(in crate::cron_job) fn parse(line: &str) -> Result<Self, ScheduleError> {
        let line = line.trim();
        let line = match line {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        if let Some(text) = line.strip_prefix("@every ") {
            return Ok(Self::Every(duration(text)?.max(1)));
        }
        if line.starts_with('@') {
            return Err(ScheduleError::Descriptor(line.to_owned()));
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len(), line.to_owned()));
        };
        let is_any = |field: &str| field.split(',').any(|one| one.starts_with(['*', '?']));
        Ok(Self::At(Box::new(Fields {
            minutes: bits(minute, 0, 59, &[])?,
            hours: bits(hour, 0, 23, &[])?,
            days: bits(day, 1, 31, &[])?,
            months: bits(month, 1, 12, &MONTHS)?,
            weekdays: bits(weekday, 0, 6, &WEEKDAYS)?,
            is_any_day: is_any(day) || is_any(weekday),
        })))
    }

    /// The first due time after `after`; `None` if there is none.
    ///
    /// An hour that a clock change leaves out does not come; one that it brings twice comes twice.
    pub(in crate::cron_job) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(seconds) => after.checked_add(SignedDuration::from_secs(*seconds)).ok(),
            Self::At(fields) => fields.next(&after.to_zoned(zone.clone())),
        }
    }
}

impl Fields {
    fn next(&self, after: &Zoned) -> Option<Timestamp> {
        let start = after.timestamp().as_second();
        let minute = start - i64::from(after.second()) + 60;
        let mut time = Timestamp::from_second(minute).ok()?.to_zoned(after.time_zone().clone());
        let last = after.year() + YEARS_AHEAD;
        while time.year() <= last {
            if !has(self.months, time.month()) {
                let first = time.date().first_of_month().checked_add(1.month()).ok()?;
                time = first.to_zoned(time.time_zone().clone()).ok()?;
            } else if !self.has_day(&time) {
                time = time.tomorrow().ok()?.start_of_day().ok()?;
            } else if !has(self.hours, time.hour()) {
                let left = 3600 - i64::from(time.minute()) * 60;
                time = time.checked_add(SignedDuration::from_secs(left)).ok()?;
            } else if !has(self.minutes, time.minute()) {
                time = time.checked_add(SignedDuration::from_mins(1)).ok()?;
            } else {
                return Some(time.timestamp());
            }
        }
        None
    }

    fn has_day(&self, time: &Zoned) -> bool {
        let day = has(self.days, time.day());
        let weekday = has(self.weekdays, time.weekday().to_sunday_zero_offset());
        if self.is_any_day { day && weekday } else { day || weekday }
    }
}

fn has(bits: u64, number: i8) -> bool {
    bits & (1 << number) != 0
}

/// The numbers that a field names, such as `1,10-20/5`.
fn bits(field: &str, min: u32, max: u32, names: &[&str]) -> Result<u64, ScheduleError> {
    field.split(',').try_fold(0, |all, part| Ok(all | part_bits(part, min, max, names)?))
}

fn part_bits(part: &str, min: u32, max: u32, names: &[&str]) -> Result<u64, ScheduleError> {
    let wrong = |text: String| Err(ScheduleError::Range(text));
    let (range, step) = match part.split_once('/') {
        None => (part, None),
        Some((_, step)) if step.contains('/') => return wrong(format!("too many slashes: {part}")),
        Some((range, step)) => (range, Some(number(step)?)),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        match named.and_then(|place| u32::try_from(place).ok()) {
            Some(place) => Ok(place + min),
            None => number(text),
        }
    };
    let (first, last) = if matches!(range, "*" | "?") {
        (min, max)
    } else if let Some((first, last)) = range.split_once('-') {
        if last.contains('-') {
            return wrong(format!("too many hyphens: {part}"));
        }
        (value(first)?, value(last)?)
    } else {
        let first = value(range)?;
        // `5/15` means `5-max/15`.
        (first, if step.is_some() { max } else { first })
    };
    let step = step.unwrap_or(1);
    if first < min {
        return wrong(format!("beginning of range ({first}) below minimum ({min}): {part}"));
    }
    if last > max {
        return wrong(format!("end of range ({last}) above maximum ({max}): {part}"));
    }
    if first > last {
        return wrong(format!("beginning of range ({first}) beyond end of range ({last}): {part}"));
    }
    if step == 0 {
        return wrong(format!("step of range should be a positive number: {part}"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok((first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number))
}

fn number(text: &str) -> Result<u32, ScheduleError> {
    text.parse().map_err(|_error| ScheduleError::Number(text.to_owned()))
}

/// The seconds of `1h30m10s`.
fn duration(text: &str) -> Result<i64, ScheduleError> {
    let wrong = || ScheduleError::Duration(text.to_owned());
    let parsed: jiff::Span = text.trim().parse().map_err(|_error| wrong())?;
    let seconds = parsed.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
    let seconds = seconds.map_err(|_error| wrong())?;
    // Fractions of a second are cut off, and years do not get near the limits of the type.
    #[expect(clippy::cast_possible_truncation, reason = "a span in seconds fits")]
    let whole = seconds as i64;
    if whole > 0 { Ok(whole) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, after: &str, zone: &str, expected: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let schedule = Schedule::parse(line).unwrap();
        let next = schedule.next(after.parse().unwrap(), &zone);
        assert_eq!(next.map(|next| next.to_string()).as_deref(), Some(expected), "{line} {after}");
    }

    #[test]
    fn a_line_is_due_at_the_next_time_that_fits() {
        check("*/15 * * * *", "2026-11-20T10:07:30Z", "UTC", "2026-11-20T10:15:00Z");
        check("0 0 * * *", "2026-12-31T23:59:59Z", "UTC", "2027-01-01T00:00:00Z");
        check("@hourly", "2026-11-20T10:00:00Z", "UTC", "2026-11-20T11:00:00Z");
        check("30 4 1,15 * fri", "2026-11-20T05:00:00Z", "UTC", "2026-11-27T04:30:00Z");
        check("0 0 29 2 *", "2026-01-01T00:00:00Z", "UTC", "2028-02-29T00:00:00Z");
        check("0 12 * JAN-mar mon", "2026-11-20T05:00:00Z", "UTC", "2027-01-04T12:00:00Z");
        check("5/20 8 * * ?", "2026-11-20T08:05:00Z", "UTC", "2026-11-20T08:25:00Z");
        check("@every 1h30m", "2026-11-20T08:05:00Z", "UTC", "2026-11-20T09:35:00Z");
        let never = Schedule::parse("0 0 30 2 *").unwrap();
        assert_eq!(never.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
    }

    #[test]
    fn a_zone_has_hours_that_do_not_come_and_hours_that_come_twice() {
        let berlin = "Europe/Berlin";
        check("0 9 * * *", "2026-07-01T00:00:00Z", berlin, "2026-07-01T07:00:00Z");
        check("30 2 * * *", "2026-03-28T12:00:00Z", berlin, "2026-03-30T00:30:00Z");
        check("30 2 * * *", "2026-10-24T12:00:00Z", berlin, "2026-10-25T00:30:00Z");
        check("30 2 * * *", "2026-10-25T00:30:00Z", berlin, "2026-10-25T01:30:00Z");
    }

    #[test]
    fn what_is_not_a_line_is_refused() {
        for line in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "x * * * *",
            "@never",
            "@every x",
            "1-2-3 * * * *",
        ] {
            assert!(Schedule::parse(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn the_next_time_is_later_and_fits(second in 0..4_000_000_000_i64, minute in 0..60_i8, hour in 0..24_i8) {
            let schedule = Schedule::parse(&format!("{minute} {hour} * * *")).unwrap();
            let after = Timestamp::from_second(second).unwrap();
            let next = schedule.next(after, &TimeZone::UTC).unwrap();
            let shown = next.to_zoned(TimeZone::UTC);
            prop_assert!(next > after && next.as_second() - second <= 24 * 3600);
            prop_assert_eq!((shown.minute(), shown.hour(), shown.second()), (minute, hour, 0));
        }
    }
}
