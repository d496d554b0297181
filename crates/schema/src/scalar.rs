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
