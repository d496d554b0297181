//! Bodies in protobuf.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, body)) = wk_fuzz::kind(data) else { return };
    let Some(message) = definition.message else { return };
    let Ok(unknown) = wk_schema::protobuf::open(body) else { return };
    if let Ok(object) = wk_schema::protobuf::read_object(&unknown, message) {
        wk_fuzz::admitted(definition, object);
    }
});
