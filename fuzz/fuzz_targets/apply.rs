//! Server-side apply: a live object, a configuration and a write, a line each.

#![no_main]

use wk_patch::apply::{self, Context, FieldSet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((definition, rest)) = wk_fuzz::kind(data) else { return };
    let mut parts = rest.splitn(3, |byte| *byte == b'\n').map(wk_fuzz::json);
    let (Some(Some(live)), Some(Some(config))) = (parts.next(), parts.next()) else { return };
    let ignored = FieldSet::of_fields(&[&["status"]]);
    let context = Context {
        message: definition.message,
        manager: "fuzzer",
        api_version: "v1",
        subresource: "",
        now: "2026-01-02T03:04:05Z",
        ignored: &ignored,
    };
    if let Ok(applied) = apply::apply(&context, Some(&live), &config, true) {
        let again = apply::apply(&context, Some(&applied.object), &config, false);
        let _ = again;
    }
    let _ = apply::apply(&context, None, &config, false);
    if let Some(Some(new)) = parts.next() {
        let mut made = new.clone();
        apply::create(&context, &mut made);
        let _ = apply::update(&context, Some(&live), new);
    }
});
