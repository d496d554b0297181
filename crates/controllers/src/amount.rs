//! Amounts that are a number or a share of another.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A number, or a share of `of`.
pub(crate) fn share(value: Option<&IntOrString>, of: i32, round_up: bool) -> i32 {
    match value {
        None => 0,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let scaled = percent.saturating_mul(i64::from(of));
            let rounded = if round_up { (scaled + 99).div_euclid(100) } else { scaled / 100 };
            i32::try_from(rounded).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_as_asked() {
        let quarter = IntOrString::String("25%".to_owned());
        assert_eq!(share(Some(&quarter), 10, true), 3);
        assert_eq!(share(Some(&quarter), 10, false), 2);
        assert_eq!(share(Some(&IntOrString::Int(7)), 10, false), 7);
        assert_eq!(share(None, 10, true), 0);
    }
}
