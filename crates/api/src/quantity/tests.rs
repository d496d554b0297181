//! Tables and properties of quantities.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, canonical: &str) {
    let quantity = Quantity::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(quantity.to_string(), canonical, "{text}");
    assert_eq!(Quantity::parse(canonical).unwrap(), quantity, "{canonical} is the same amount");
}

#[test]
fn quantities_have_one_canonical_form() {
    for (text, canonical) in [
        ("0", "0"),
        ("0Ki", "0"),
        ("1", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("+1", "1"),
        ("-1.5", "-1500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1500", "1500"),
        ("1000", "1k"),
        ("1000000", "1M"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1.5e3", "1500"),
        ("12e-1", "1200e-3"),
        ("1E", "1E"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1000Ki", "1000Ki"),
        ("0.1Mi", "104857600m"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("0.0000000001", "1n"),
        ("-0.1n", "-1n"),
        ("100000000000000000000", "9223372036854775807"),
        ("9Ei", "9223372036854775807"),
        ("1e100", "9223372036854775807"),
        ("1e-100", "1e-9"),
        ("0.00000000000000000000000000000000000000001Ei", "1n"),
        ("128Mi", "128Mi"),
        ("250m", "250m"),
        ("01", "1"),
    ] {
        check(text, canonical);
    }
}

#[test]
fn what_is_not_a_quantity_is_refused() {
    use QuantityError::{Format, Number, Suffix};
    for (text, error) in [
        ("", Format),
        ("-", Format),
        ("Mi", Format),
        ("1 Mi", Format),
        ("1x", Format),
        ("1Mi1x", Format),
        ("1.2.3", Number),
        (".", Number),
        ("1MM", Suffix),
        ("1mi", Suffix),
        ("1e", Suffix),
        ("1K", Suffix),
        ("1Mi3", Suffix),
        ("1e99999999999999999999", Suffix),
    ] {
        assert_eq!(Quantity::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn values_round_up() {
    let quantity: Quantity = "1500001u".parse().unwrap();
    assert_eq!((quantity.value(), quantity.milli()), (2, 1501));
    let negative: Quantity = "-1500001u".parse().unwrap();
    assert_eq!((negative.value(), negative.milli()), (-2, -1501));
    assert_eq!(Quantity::from_bytes(1 << 30).to_string(), "1Gi");
    assert_eq!(Quantity::parse("9E").unwrap().milli(), i64::MAX);
}

#[test]
fn sums_keep_the_first_form() {
    let sum: Quantity = ["1Gi", "512Mi"].iter().map(|text| text.parse::<Quantity>().unwrap()).sum();
    assert_eq!(sum.to_string(), "1536Mi");
    let rest = sum - "1536Mi".parse().unwrap();
    assert!(rest.is_zero());
    assert_eq!(Quantity::from_milli(250).times(4), Quantity::from_value(1));
}

proptest! {
    #[test]
    fn canonical_forms_are_stable(
        number in "[+-]?[0-9]{1,12}(\\.[0-9]{0,12})?",
        suffix in "n|u|m||k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[+-]?[0-9]{1,2}",
    ) {
        let quantity = Quantity::parse(&format!("{number}{suffix}")).unwrap();
        let canonical = quantity.to_string();
        let again = Quantity::parse(&canonical).unwrap();
        prop_assert_eq!(again, quantity);
        prop_assert_eq!(again.to_string(), canonical);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*|[0-9.eEinumkKMGTP+-]{0,40}") {
        let _ = Quantity::parse(&text);
    }

    #[test]
    fn sums_are_exact(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
        let sum = Quantity::from_milli(a) + Quantity::from_milli(b);
        prop_assert_eq!(sum, Quantity::from_milli(a + b));
        prop_assert_eq!(sum - Quantity::from_milli(b), Quantity::from_milli(a));
        let order = Quantity::from_milli(a).cmp(&Quantity::from_milli(b));
        prop_assert_eq!(order, a.cmp(&b));
    }

    #[test]
    fn binary_fractions_are_exact(whole in 0_i64..1_000_000, thousandths in 0_i64..1000) {
        let quantity = Quantity::parse(&format!("{whole}.{thousandths:03}Ki")).unwrap();
        prop_assert_eq!(quantity, Quantity::from_milli((whole * 1000 + thousandths) * 1024));
    }
}
