//! Go's words for text that is not JSON.

use serde_json::error::Category;

/// What Go's decoder would say about the text that `serde_json` refused.
pub(super) fn wording(text: &[u8], error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => "unexpected end of JSON input".to_owned(),
        Category::Syntax => {
            let fault = error.to_string();
            if fault.starts_with("recursion limit exceeded") {
                return "exceeded max depth".to_owned();
            }
            let Some((context, byte)) = context(&fault).zip(byte_at(text, error)) else {
                return fault;
            };
            let shown = match byte {
                b'\'' => r"'\''".to_owned(),
                b'"' => r#"'"'"#.to_owned(),
                0x20..=0x7e => format!("'{}'", char::from(byte)),
                _ => format!("'\\x{byte:02x}'"),
            };
            format!("invalid character {shown} {context}")
        }
        Category::Data | Category::Io => without_position(&error.to_string()),
    }
}

fn context(fault: &str) -> Option<&'static str> {
    let contexts = [
        ("expected value", "looking for beginning of value"),
        ("key must be a string", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("trailing comma", "looking for beginning of value"),
        ("trailing characters", "after top-level value"),
        ("control character", "in string literal"),
        ("invalid escape", "in string escape code"),
        ("invalid number", "in numeric literal"),
        ("expected ident", "in literal"),
    ];
    contexts.into_iter().find(|(start, _)| fault.starts_with(start)).map(|(_, context)| context)
}

/// The byte that the error points at.
fn byte_at(text: &[u8], error: &serde_json::Error) -> Option<u8> {
    let line = text.split(|&byte| byte == b'\n').nth(error.line().checked_sub(1)?)?;
    line.get(error.column().checked_sub(1)?).copied()
}

/// Drops the ` at line 1 column 2` that `serde_json` puts behind its messages.
fn without_position(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(text, _)| text).to_owned()
}
