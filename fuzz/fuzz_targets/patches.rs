//! Patches: an object and a patch, a line each; the first byte chooses the kind of both.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, rest)) = wk_fuzz::kind(data) else { return };
    let Some(message) = definition.message else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (Some(object), Some(patch)) = (parts.next(), parts.next()) else { return };
    let (Some(object), Some(patch)) = (wk_fuzz::json(object), wk_fuzz::json(patch)) else { return };
    for patched in [
        wk_patch::json::apply(object.clone(), patch.clone()),
        wk_patch::merge::apply(object.clone(), patch.clone()),
        wk_patch::strategic::apply(object, patch, message),
    ]
    .into_iter()
    .flatten()
    {
        if let Ok((object, _)) = wk_schema::decode_value(patched, message) {
            wk_fuzz::admitted(definition, object);
        }
    }
});
