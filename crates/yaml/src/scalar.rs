//! What a scalar says: the types of YAML 1.1 as Go's parser has them.
//!
//! Spec: <https://yaml.org/type/>

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Dialect;
use crate::fault::{self, Error};

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    /// Beyond what is signed.
    Unsigned(u64),
    Float(f64),
    /// A text that has the form of a time.
    Time,
    Text,
}

impl Scalar {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Integer(_) | Self::Unsigned(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Time => "!!timestamp",
            Self::Text => "!!str",
        }
    }
}

/// The value of a text without quotes.
pub(crate) fn plain(text: &str, dialect: Dialect) -> Scalar {
    if let Some(word) = word(text, dialect) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'.') => decimal(text).map_or(Scalar::Text, Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') if is_time(text) => Scalar::Time,
        Some(b'+' | b'-' | b'0'..=b'9') => number(&text.replace('_', "")),
        _ => Scalar::Text,
    }
}

/// The value of a scalar whose tag says what it is, and its text.
///
/// # Errors
/// [`Error::Syntax`] if it is something else.
pub(crate) fn tagged(text: &str, tag: &str, dialect: Dialect) -> Result<(Scalar, String), Error> {
    match tag {
        "!!binary" => {
            let bytes = BASE64_STANDARD.decode(text.replace(['\r', '\n'], ""));
            let bytes =
                bytes.map_err(|_| fault::syntax("!!binary value contains invalid base64 data"))?;
            return Ok((Scalar::Text, String::from_utf8_lossy(&bytes).into_owned()));
        }
        "!" if dialect == Dialect::Kustomize => {
            return Ok((plain(text, dialect), text.to_owned()));
        }
        "!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp" => {}
        _ => return Ok((Scalar::Text, text.to_owned())),
    }
    let found = match plain(text, dialect) {
        Scalar::Time if tag != "!!timestamp" => Scalar::Text,
        #[expect(clippy::cast_precision_loss, reason = "the text asks for it")]
        Scalar::Integer(number) if tag == "!!float" => Scalar::Float(number as f64),
        found => found,
    };
    if found.tag() != tag {
        return Err(fault::syntax(format!("cannot decode {} `{text}` as a {tag}", found.tag())));
    }
    Ok((found, text.to_owned()))
}

fn word(text: &str, dialect: Dialect) -> Option<Scalar> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ if dialect == Dialect::Kustomize => return None,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        _ => return None,
    })
}

/// The number that a text without underscores is, if it is one.
fn number(text: &str) -> Scalar {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // `from_str_radix` would take a second sign.
    let digits = if digits.starts_with(['+', '-']) { "" } else { digits };
    let size = u64::from_str_radix(digits, radix).ok();
    let signed = size.and_then(|size| {
        let size = i128::from(size);
        i64::try_from(if negative { -size } else { size }).ok()
    });
    match (signed, size) {
        (Some(number), _) => Scalar::Integer(number),
        (None, Some(size)) if unsigned.len() == text.len() => Scalar::Unsigned(size),
        _ => decimal(text).map_or(Scalar::Text, Scalar::Float),
    }
}

/// The number that a text in decimal digits is, with a point or an exponent or both.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
        }
        None => (unsigned, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let is_number = digits(before)
        && digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    let number = is_number.then(|| text.parse::<f64>().ok()).flatten();
    number.filter(|number| number.is_finite())
}

/// Whether a text is a number to the base of sixty, such as `1:30`, which old readers take it for.
pub(crate) fn is_sexagesimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit() || digit == b'_');
    whole.contains(':')
        && whole.starts_with(|first: char| first.is_ascii_digit())
        && digits(fraction)
        && whole.split(':').enumerate().all(|(at, part)| {
            !part.is_empty()
                && digits(part)
                && (at == 0 || (part.len() <= 2 && part.parse::<u8>().is_ok_and(|part| part < 60)))
        })
}

/// `2026-01-02`, with a time behind it or without.
fn is_time(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    if !(number(year, 4..=4) && number(month, 1..=2) && number(day, 1..=2)) {
        return false;
    }
    let Some(time) = time else { return true };
    let clock = time.trim_end_matches('Z').split(['+', '-']).next().unwrap_or_default();
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return false };
    let second = second.split_once('.').map_or(*second, |(whole, _)| whole);
    number(hour, 1..=2) && number(minute, 1..=2) && number(second, 1..=2)
}

/// A date without a time as a moment: its midnight. Times are left as they are written.
pub(crate) fn moment(text: &str) -> String {
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year, month, day] if !text.contains(['T', 't', ' ']) => {
            format!("{year}-{month:0>2}-{day:0>2}T00:00:00Z")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Scalar) {
        assert_eq!(plain(text, Dialect::Kubernetes), *expected, "{text}");
    }

    #[test]
    fn numbers_have_many_forms() {
        for (text, number) in [
            ("0", 0),
            ("0644", 420),
            ("-0644", -420),
            ("0o644", 420),
            ("0O17", 15),
            ("-0o17", -15),
            ("0x1F", 31),
            ("0X1f", 31),
            ("-0x1F", -31),
            ("0x_1f", 31),
            ("0b11", 3),
            ("-0b11", -3),
            ("+5", 5),
            ("1_000", 1000),
            ("1_", 1),
            ("-9223372036854775808", i64::MIN),
        ] {
            check(text, &Scalar::Integer(number));
        }
        for (text, number) in [
            ("08", 8.0),
            ("09.5", 9.5),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1_0.5", 10.5),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            (".inf", f64::INFINITY),
        ] {
            check(text, &Scalar::Float(number));
        }
        check("18446744073709551615", &Scalar::Unsigned(u64::MAX));
        for text in ["1.5e400", "0x1p3", "_1", "0x", "0b2", "--1", "0x-1", "1:30", ".", ".e5", "+"]
        {
            check(text, &Scalar::Text);
        }
    }

    #[test]
    fn words_count_in_three_cases() {
        for text in ["yes", "Yes", "YES", "on", "y", "Y", "true", "TRUE"] {
            check(text, &Scalar::Bool(true));
        }
        for text in ["no", "No", "off", "OFF", "n", "N", "False"] {
            check(text, &Scalar::Bool(false));
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            check(text, &Scalar::Null);
        }
        for text in ["yEs", "tRUE", "nUll", "<<", "=", "Y1"] {
            check(text, &Scalar::Text);
        }
        assert_eq!(plain("yes", Dialect::Kustomize), Scalar::Text);
        assert_eq!(plain("true", Dialect::Kustomize), Scalar::Bool(true));
    }

    #[test]
    fn dates_become_moments() {
        assert_eq!(plain("2001-1-2", Dialect::Kustomize), Scalar::Time);
        assert_eq!(moment("2001-1-2"), "2001-01-02T00:00:00Z");
        assert_eq!(moment("2001-12-14 21:59:43"), "2001-12-14 21:59:43");
    }
}
