//! Quantities: `500m`, `1.5Gi`, `1e3`.
//!
//! A quantity is a whole number of billionths, so that every value Kubernetes can hold is exact and
//! sums never lose anything. As there, what is finer than a billionth is rounded up (away from
//! zero), and what is larger than 2⁶³−1 becomes 2⁶³−1.
//!
//! Spec: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;
const MAX: i128 = (i64::MAX as i128) * NANO;

/// In which family of suffixes a quantity is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `m`, nothing, `k`, `M`, …
    #[default]
    DecimalSi,
    /// `Ki`, `Mi`, …
    BinarySi,
    /// `e3`, `e6`, …
    DecimalExponent,
}

/// An exact amount of a resource, with the family of suffixes it was written in.
///
/// Comparison and equality are by amount: `1000m` equals `1`. `Display` is the canonical form.
///
/// ```
/// use wk_api::Quantity;
/// let cpu: Quantity = "0.5".parse().unwrap();
/// assert_eq!(cpu.to_string(), "500m");
/// assert_eq!(cpu.value(), 1);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// Why a text is not a quantity, in the words of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text has not the form of a number and a suffix.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number has more than one point or no digit.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is not known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nano: 0, format: Format::DecimalSi };

    /// Reads a quantity.
    ///
    /// # Errors
    /// [`QuantityError`] when the text is not one.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
            None => return Err(QuantityError::Format),
        };
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(digits);
        if number.is_empty() {
            return Err(QuantityError::Format);
        }
        let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
        let exponent = letters.strip_prefix(['+', '-']).unwrap_or(letters);
        if !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        let (scale, format) = scale(suffix).ok_or(QuantityError::Suffix)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(QuantityError::Number);
        }
        let amount = scaled(whole, fraction, scale);
        let nano = if negative { -amount } else { amount };
        // Less than one byte has no binary form.
        let format = if format == Format::BinarySi && amount > 0 && amount < NANO {
            Format::DecimalSi
        } else {
            format
        };
        Ok(Self { nano, format })
    }

    /// A whole number of units.
    pub const fn from_value(value: i64) -> Self {
        Self { nano: value as i128 * NANO, format: Format::DecimalSi }
    }

    /// A number of thousandths.
    pub const fn from_milli(milli: i64) -> Self {
        Self { nano: milli as i128 * (NANO / 1_000), format: Format::DecimalSi }
    }

    /// A number of bytes, written with binary suffixes.
    pub const fn from_bytes(bytes: i64) -> Self {
        Self { nano: bytes as i128 * NANO, format: Format::BinarySi }
    }

    /// The same amount, written in another family of suffixes.
    #[must_use]
    pub const fn with_format(self, format: Format) -> Self {
        Self { nano: self.nano, format }
    }

    /// The whole number of units, rounded up (away from zero); at most `i64::MAX`.
    pub fn value(self) -> i64 {
        self.rounded(NANO)
    }

    /// The number of thousandths, rounded up (away from zero); at most `i64::MAX`.
    pub fn milli(self) -> i64 {
        self.rounded(NANO / 1_000)
    }

    /// The amount as a floating-point number, for ratios only.
    #[expect(clippy::cast_precision_loss, reason = "ratios need no exactness")]
    pub fn as_f64(self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// Whether the amount is nothing.
    pub const fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// Whether the amount is a whole number of units.
    pub const fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }

    /// The family of suffixes the quantity is written in.
    pub const fn format(self) -> Format {
        self.format
    }

    /// This amount times a whole number.
    #[must_use]
    pub fn times(self, factor: i64) -> Self {
        let nano = self.nano.saturating_mul(i128::from(factor)).clamp(-MAX, MAX);
        Self { nano, format: self.format }
    }

    fn rounded(self, unit: i128) -> i64 {
        let up = self.nano.unsigned_abs().div_ceil(unit.unsigned_abs());
        let up = i64::try_from(up).unwrap_or(i64::MAX);
        if self.nano < 0 { -up } else { up }
    }

    fn combined(self, nano: i128, other: Self) -> Self {
        // A sum that starts from zero takes the form of what is added to it.
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nano: nano.clamp(-MAX, MAX), format }
    }
}

/// The factor of a suffix as a fraction over 2^a or 10^b.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

fn scale(suffix: &str) -> Option<(Scale, Format)> {
    let decimal = |power| Some((Scale::Ten(power), Format::DecimalSi));
    let binary = |power| Some((Scale::Two(power), Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            // Powers beyond these are zero or the largest amount whatever the digits.
            let power = exponent.parse::<i64>().ok()?.clamp(-1_000_000, 1_000_000);
            Some((Scale::Ten(i32::try_from(power).ok()?), Format::DecimalExponent))
        }
    }
}

/// The number `whole.fraction` at a scale, in billionths, rounded up and capped.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let digits: Vec<u8> =
        whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').skip_while(|&d| d == 0).collect();
    if digits.is_empty() {
        return 0;
    }
    let fraction_digits = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    match scale {
        Scale::Ten(power) => {
            decimal(&digits, power.saturating_sub(fraction_digits).saturating_add(9))
        }
        Scale::Two(bits) => {
            // With at most 2^60 and 40 fraction digits, 128 bits do not suffice in general: the
            // digits are cut where they can no longer change a billionth, remembering a rest.
            let keep = usize::try_from(fraction_digits).unwrap_or(0).min(28);
            let cut = usize::try_from(fraction_digits).unwrap_or(0) - keep;
            let kept = digits.len().saturating_sub(cut);
            let (head, tail) = digits.split_at(kept);
            let sticky = tail.iter().any(|&d| d != 0);
            binary(head, u32::try_from(keep).unwrap_or(0), bits, sticky)
        }
    }
}

/// `digits` × 10^`power`, rounded up and capped.
fn decimal(digits: &[u8], power: i32) -> i128 {
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if length.saturating_add(power) > 29 {
        return MAX;
    }
    if power >= 0 {
        let value = digits.iter().fold(0_i128, |sum, &d| sum * 10 + i128::from(d));
        return (value * 10_i128.pow(u32::try_from(power).unwrap_or(0))).min(MAX);
    }
    // The digits behind the last billionth only tell whether there is something to round up.
    let kept = usize::try_from(length.saturating_add(power)).unwrap_or(0);
    let (head, tail) = digits.split_at(kept);
    let value = head.iter().fold(0_i128, |sum, &d| sum * 10 + i128::from(d));
    (value + i128::from(tail.iter().any(|&d| d != 0))).min(MAX)
}

/// `digits` × 2^`bits` × 10^(9 − `fraction`), rounded up and capped; `sticky` says whether a rest
/// was cut from the digits.
fn binary(digits: &[u8], fraction: u32, bits: u32, sticky: bool) -> i128 {
    // Whole part and fraction are scaled apart, so that each fits in 128 bits.
    let split = digits.len().saturating_sub(usize::try_from(fraction).unwrap_or(0));
    let (whole, rest) = digits.split_at(split);
    if whole.len() > 19 {
        return MAX;
    }
    let whole = whole.iter().fold(0_i128, |sum, &d| sum * 10 + i128::from(d));
    let Some(whole) = whole.checked_mul(1 << bits).filter(|&v| v <= i128::from(i64::MAX)) else {
        return MAX;
    };
    // Long multiplication of the fraction: one decimal place after the other is carried out of
    // `rest` × 2^bits, nine places for the billionths beyond the units.
    let mut places: Vec<u128> = rest.iter().map(|&d| u128::from(d)).collect();
    places.resize(usize::try_from(fraction).unwrap_or(0), 0);
    // Leading zeros of the fraction were stripped with the digits when there is no whole part.
    let missing = usize::try_from(fraction).unwrap_or(0) - rest.len();
    places.rotate_right(missing);
    let mut carry: u128 = 0;
    for place in places.iter_mut().rev() {
        let product = *place * (1 << bits) + carry;
        *place = product % 10;
        carry = product / 10;
    }
    let mut nano = i128::try_from(carry).unwrap_or(MAX);
    for index in 0..9 {
        nano = nano * 10 + i128::try_from(places.get(index).copied().unwrap_or(0)).unwrap_or(0);
    }
    let more = sticky || places.iter().skip(9).any(|&place| place != 0);
    (whole * NANO + nano + i128::from(more)).min(MAX)
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.combined(self.nano + other.nano, other)
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.combined(self.nano - other.nano, other)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self { nano: -self.nano, format: self.format }
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> for Quantity {
    type Error = QuantityError;

    fn try_from(
        quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity,
    ) -> Result<Self, Self::Error> {
        Self::parse(&quantity.0)
    }
}

impl From<Quantity> for k8s_openapi::apimachinery::pkg::api::resource::Quantity {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.to_string())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let small = self.nano.abs() < 1024 * NANO;
        if self.format == Format::BinarySi && !small && self.is_whole() {
            let (mut value, mut step) = (self.nano / NANO, 0);
            while value % 1024 == 0 && step < 6 {
                value /= 1024;
                step += 1;
            }
            return write!(f, "{value}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][step]);
        }
        let (mut value, mut power) = (self.nano, -9);
        while value % 1000 == 0 && power < 18 {
            value /= 1000;
            power += 3;
        }
        if self.format == Format::DecimalExponent {
            return if power == 0 { write!(f, "{value}") } else { write!(f, "{value}e{power}") };
        }
        let suffix = match power {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            0 => "",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            _ => "E",
        };
        write!(f, "{value}{suffix}")
    }
}

#[cfg(test)]
mod tests;
