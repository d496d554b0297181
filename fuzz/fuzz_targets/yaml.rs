//! Bodies in YAML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, body)) = wk_fuzz::kind(data) else { return };
    let Some(message) = definition.message else { return };
    let Ok(document) = wk_yaml::first(body) else { return };
    // Whatever was read can be written.
    let _ = wk_yaml::text(&document.value);
    if let Ok((object, _)) = wk_schema::decode_value(document.value, message) {
        wk_fuzz::admitted(definition, object);
    }
});
