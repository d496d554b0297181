//! Selectors in queries, quantities and times.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(selector) = wk_api::LabelSelector::parse(text) {
        let shown = selector.to_string();
        let again = wk_api::LabelSelector::parse(&shown).expect("what is shown can be read");
        assert_eq!(again.to_string(), shown);
        let _ = selector.matches_with(|key| (key.len() % 2 == 0).then_some("a"));
    }
    if let Ok(selector) = wk_api::FieldSelector::parse(text) {
        let _ = selector.matches(|field| (field.len() % 2 == 0).then_some("a"));
        let _ = selector.exact("metadata.name");
    }
    if let Ok(quantity) = wk_api::Quantity::parse(text) {
        let shown = quantity.to_string();
        let again = wk_api::Quantity::parse(&shown).expect("what is shown can be read");
        assert_eq!(again.to_string(), shown);
    }
    let _ = wk_api::parse_time(text);
});
