//! Bodies in YAML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, body)) = wk_fuzz::kind(data) else { return };
    let Some(message) = definition.message else { return };
    let Ok(value) = serde_yaml::from_slice::<serde_json::Value>(body) else { return };
    let _ = wk_schema::decode_value(value, message);
    let input = serde_yaml::Deserializer::from_slice(body);
    if let Ok((object, _)) = wk_schema::decode_from(input, message) {
        wk_fuzz::admitted(definition, object);
    }
});
