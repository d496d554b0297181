//! Scalars that have a canonical text: quantities, times and bytes.
//!
//! Kubernetes reads each into a number and writes it again, so `1000m` comes back as `1`. The same
//! happens here, once, when a body is decoded; nothing behind the decoder sees another form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use wk_api::Quantity;

/// The canonical form of a quantity.
///
/// # Errors
/// The message that Kubernetes gives.
pub(crate) fn quantity(text: &str) -> Result<String, String> {
    Quantity::parse(text).map(|quantity| quantity.to_string()).map_err(|error| error.to_string())
}

const DURATION_UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a time span in Go's form (`1m15.5s`) into nanoseconds.
///
/// # Errors
/// The message that Go gives.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        rest = after;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let known = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, unit)) = known else {
            return Err(format!("time: unknown unit {unit:?} in duration {text:?}"));
        };
        let digits = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<i64>() };
        let whole = digits(whole).map_err(|_| invalid())?;
        total += i128::from(whole) * unit;
        let mut scale = *unit;
        for digit in fraction.bytes() {
            total += i128::from(digit - b'0') * scale / 10;
            scale /= 10;
        }
    }
    i64::try_from(total * sign).map_err(|_| invalid())
}

/// Nanoseconds in Go's form.
pub(crate) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let decimal = |whole: u64, part: u64, digits: usize| {
        let part = format!("{part:0digits$}");
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        format!("{whole}{point}{part}")
    };
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos / 1_000, nanos % 1_000, 3)),
        1_000_000..1_000_000_000 => {
            format!("{}ms", decimal(nanos / 1_000_000, nanos % 1_000_000, 6))
        }
        _ => {
            let whole = nanos / 1_000_000_000;
            let seconds = decimal(whole % 60, nanos % 1_000_000_000, 9);
            match (whole / 3600, whole / 60 % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// Reads an RFC 3339 time, as strictly as Go does.
///
/// # Errors
/// A message in Go's form.
pub(crate) fn timestamp(text: &str, layout: &str) -> Result<Timestamp, String> {
    let failure = || {
        // Go names the element that it could not read; the year is the one that usually fails.
        format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"")
    };
    if !has_rfc3339_form(text) {
        return Err(failure());
    }
    wk_api::parse_time(text).ok_or_else(failure)
}

/// Go's layout of a `Time`, for messages.
pub(crate) const TIME_LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
/// Go's layout of a `MicroTime`, for messages.
pub(crate) const MICRO_TIME_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// `2006-01-02T15:04:05`, digits behind a point if any, and `Z` or an offset.
fn has_rfc3339_form(text: &str) -> bool {
    const DATE_TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let matches = |text: &[u8], form: &[u8]| {
        text.len() == form.len()
            && text.iter().zip(form).all(|(&byte, &form)| match form {
                b'd' => byte.is_ascii_digit(),
                b'+' => byte == b'+' || byte == b'-',
                other => byte == other,
            })
    };
    let Some((head, rest)) = text.as_bytes().split_at_checked(DATE_TIME.len()) else {
        return false;
    };
    let zone = match rest {
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &rest[digits..]
        }
        rest => rest,
    };
    matches(head, DATE_TIME) && (matches(zone, b"Z") || matches(zone, b"+dd:dd"))
}

/// The bytes of a base64 text; line breaks in it are skipped, as Go does.
///
/// # Errors
/// The message that Go gives.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let has_breaks = text.contains(['\r', '\n']);
    let joined = has_breaks.then(|| text.replace(['\r', '\n'], ""));
    let text = joined.as_deref().unwrap_or(text);
    STANDARD.decode(text).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                text.len()
            }
        };
        format!("illegal base64 data at input byte {at}")
    })
}

/// The base64 text of bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos, written) in [
            ("0", 0, "0s"),
            ("15s", 15_000_000_000, "15s"),
            ("1m15.5s", 75_500_000_000, "1m15.5s"),
            ("60m", 3_600_000_000_000, "1h0m0s"),
            ("1.003s", 1_003_000_000, "1.003s"),
            ("-1.5h", -5_400_000_000_000, "-1h30m0s"),
            (".5s", 500_000_000, "500ms"),
            ("1us1ns", 1_001, "1.001µs"),
            ("7ns", 7, "7ns"),
        ] {
            assert_eq!(duration(text), Ok(nanos), "{text}");
            assert_eq!(duration_text(nanos), written);
        }
        for (text, expected) in [
            ("", "time: invalid duration \"\""),
            ("s", "time: invalid duration \"s\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
        ] {
            assert_eq!(duration(text), Err(expected.to_owned()));
        }
    }
}
