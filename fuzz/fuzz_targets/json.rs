//! Bodies in JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, body)) = wk_fuzz::kind(data) else { return };
    let Some(message) = definition.message else { return };
    let _ = wk_schema::type_meta(body);
    if let Ok((object, _)) = wk_schema::decode(body, message) {
        // What is decoded stays as it is when it is decoded again.
        let (again, _) = wk_schema::decode_value(object.clone(), message).expect("it was decoded");
        assert_eq!(again, object);
        wk_fuzz::admitted(definition, object);
    }
});
