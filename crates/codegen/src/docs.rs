//! The documentation, compressed per package.
//!
//! A package's text has one line per message and field, in the order of the table: first the
//! message's description, then its fields'. Line breaks within one are `\n`, backslashes `\\`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::join::Message;

/// The compressed text of a package's messages, which come in the table's order.
pub(crate) fn blob<'a>(messages: impl Iterator<Item = &'a Message>) -> anyhow::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    for message in messages {
        let fields = message.fields.values().map(|field| field.description.as_str());
        for text in std::iter::once(message.description.as_str()).chain(fields) {
            writeln!(encoder, "{}", text.replace('\\', "\\\\").replace('\n', "\\n"))?;
        }
    }
    Ok(encoder.finish()?)
}
