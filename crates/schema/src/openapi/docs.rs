//! Documentation, inflated package by package while a document is made.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use crate::generated;
use crate::table::Message;

/// The packages inflated so far; dropped with the document that wanted them.
#[derive(Debug, Default)]
pub(super) struct Docs {
    packages: BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>,
    measured: BTreeMap<&'static str, Vec<String>>,
}

impl Docs {
    /// The descriptions of a message: its own, then those of its fields in the table's order. Empty
    /// where there is none.
    pub(super) fn of(&mut self, message: &Message) -> &[String] {
        let package = message.package();
        let Some(&(package, deflated)) = generated::DOCS.iter().find(|(name, _)| *name == package)
        else {
            return self.measured.entry(message.name).or_insert_with(|| measured(message));
        };
        let messages = self.packages.entry(package).or_insert_with(|| inflate(package, deflated));
        messages.get(message.name).map_or(&[], Vec::as_slice)
    }
}

/// The descriptions of a message that is not generated.
fn measured(message: &Message) -> Vec<String> {
    let own = crate::measured::text(message);
    if own.is_empty() {
        return Vec::new();
    }
    let fields = message.fields.iter().map(crate::measured::field_text);
    std::iter::once(own).chain(fields).map(str::to_owned).collect()
}

fn inflate(package: &str, deflated: &[u8]) -> BTreeMap<&'static str, Vec<String>> {
    let mut text = String::new();
    DeflateDecoder::new(deflated)
        .read_to_string(&mut text)
        .expect("the documentation was compressed by the generator and is part of the program");
    let mut lines = text.lines().map(unescaped);
    let messages = crate::messages().iter().filter(|message| message.package() == package);
    messages
        .map(|message| {
            let count = message.fields.len() + 1;
            (message.name, lines.by_ref().take(count).collect())
        })
        .collect()
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next() == Some('n') => text.push('\n'),
            other => text.push(other),
        }
    }
    text
}
