//! YAML as kubectl writes it: which texts are quoted and how, where lines break, how keys are sorted.
//!
//! Whoever compares the output of both programs, or keeps it in version control, sees no difference.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use crate::Dialect;
use crate::scalar::{self, Scalar};

/// Lines break at the first blank behind this column.
const WIDTH: usize = 80;

/// A document, with a line break at the end.
pub(crate) fn document(value: &Value) -> String {
    let mut out = Emitter::default();
    out.node(value, 0, false);
    if !out.text.ends_with('\n') {
        out.text.push('\n');
    }
    out.text
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

#[derive(Default)]
struct Emitter {
    text: String,
}

impl Emitter {
    fn column(&self) -> usize {
        let line = self.text.rsplit('\n').next().unwrap_or_default();
        line.chars().count()
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }

    /// A value whose lines begin at `indent`. `inline` if the first one has begun already.
    fn node(&mut self, value: &Value, indent: usize, mut inline: bool) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let mut keys: Vec<&String> = fields.keys().collect();
                keys.sort_by(|left, right| natural(left, right));
                for key in keys {
                    if !std::mem::take(&mut inline) {
                        self.indent(indent);
                    }
                    self.scalar(key, indent, true);
                    self.text.push(':');
                    self.value(&fields[key], indent);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    if !std::mem::take(&mut inline) {
                        self.indent(indent);
                    }
                    self.text.push('-');
                    if is_block(item) {
                        self.text.push(' ');
                        self.node(item, indent + 2, true);
                    } else {
                        self.leaf(item, indent);
                    }
                }
            }
            leaf => self.leaf(leaf, indent),
        }
    }

    /// The value of a key at `indent`.
    fn value(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(_) if is_block(value) => {
                self.text.push('\n');
                self.node(value, indent + 2, false);
            }
            // Lists are no deeper than their keys.
            Value::Array(_) if is_block(value) => {
                self.text.push('\n');
                self.node(value, indent, false);
            }
            leaf => self.leaf(leaf, indent),
        }
    }

    fn leaf(&mut self, value: &Value, indent: usize) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        match value {
            Value::String(text) => self.scalar(text, indent, false),
            Value::Object(_) => self.text.push_str("{}"),
            Value::Array(_) => self.text.push_str("[]"),
            other => _ = write!(self.text, "{other}"),
        }
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// A text; a key keeps to one line.
    fn scalar(&mut self, text: &str, indent: usize, is_key: bool) {
        let margin = indent + 2;
        match style(text, is_key) {
            Style::Plain => self.folded(text, margin, is_key, |c, out| out.push(c)),
            Style::Single => {
                self.text.push('\'');
                self.folded(text, margin, is_key, |c, out| {
                    out.push(c);
                    if c == '\'' {
                        out.push(c);
                    }
                });
                self.text.push('\'');
            }
            Style::Double => self.double(text, margin, is_key),
            Style::Literal => self.literal(text, margin),
        }
    }

    fn folded(
        &mut self,
        text: &str,
        margin: usize,
        is_key: bool,
        write: impl Fn(char, &mut String),
    ) {
        let letters: Vec<char> = text.chars().collect();
        let mut column = self.column();
        for (at, letter) in letters.iter().enumerate() {
            let alone = *letter == ' '
                && at > 0
                && at + 1 < letters.len()
                && letters[at - 1] != ' '
                && letters[at + 1] != ' ';
            if alone && !is_key && column > WIDTH {
                self.text.push('\n');
                self.indent(margin);
                column = margin;
                continue;
            }
            write(*letter, &mut self.text);
            column += 1;
        }
    }

    fn double(&mut self, text: &str, margin: usize, is_key: bool) {
        self.text.push('"');
        let letters: Vec<char> = text.chars().collect();
        let mut after_break = false;
        for (at, letter) in letters.iter().enumerate() {
            let inner = at > 0 && at + 1 < letters.len();
            let follows = at > 0 && letters[at - 1] == ' ' && !after_break;
            if *letter == ' ' && !is_key && inner && !follows && self.column() > WIDTH {
                self.text.push('\n');
                self.indent(margin);
                if letters[at + 1] == ' ' {
                    self.text.push('\\');
                }
                after_break = true;
                continue;
            }
            after_break = false;
            match letter {
                '\0' => self.text.push_str("\\0"),
                '\u{7}' => self.text.push_str("\\a"),
                '\u{8}' => self.text.push_str("\\b"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\u{b}' => self.text.push_str("\\v"),
                '\u{c}' => self.text.push_str("\\f"),
                '\r' => self.text.push_str("\\r"),
                '\u{1b}' => self.text.push_str("\\e"),
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{85}' => self.text.push_str("\\N"),
                '\u{a0}' => self.text.push_str("\\_"),
                '\u{2028}' => self.text.push_str("\\L"),
                '\u{2029}' => self.text.push_str("\\P"),
                printable if is_printable(*printable) => self.text.push(*printable),
                other => {
                    let code = u32::from(*other);
                    _ = match code {
                        0..=0xff => write!(self.text, "\\x{code:02X}"),
                        0x100..=0xffff => write!(self.text, "\\u{code:04X}"),
                        _ => write!(self.text, "\\U{code:08X}"),
                    };
                }
            }
        }
        self.text.push('"');
    }

    fn literal(&mut self, text: &str, margin: usize) {
        self.text.push('|');
        if text.starts_with([' ', '\n']) {
            self.text.push('2');
        }
        if !text.ends_with('\n') {
            self.text.push('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.text.push('+');
        }
        self.text.push('\n');
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                self.indent(margin);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
    }
}

/// Whether a value takes lines of its own.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

fn style(text: &str, is_key: bool) -> Style {
    let special = !text.chars().all(is_printable) || text.contains(" \n");
    if text.contains('\n') {
        let literal = !special && !is_key && !text.ends_with(' ');
        return if literal { Style::Literal } else { Style::Double };
    }
    if special || means_something_else(text) {
        return Style::Double;
    }
    if has_indicators(text) || text.starts_with(' ') || text.ends_with(' ') {
        return Style::Single;
    }
    Style::Plain
}

/// Whether a part of a text would be read as something of YAML's own.
fn has_indicators(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let ends = |at: usize| letters.get(at + 1).is_none_or(|next| " \t\n".contains(*next));
    let start = match letters.first() {
        Some(first) if "#,[]{}&*!|>'\"%@`".contains(*first) => true,
        Some('?' | ':' | '-') => ends(0),
        _ => false,
    };
    let within = letters.iter().enumerate().skip(1).any(|(at, letter)| match letter {
        ':' => ends(at),
        '#' => letters[at - 1] == ' ',
        _ => false,
    });
    start || within || text.starts_with("---") || text.starts_with("...")
}

/// Whether a text without quotes would be a number, a time, a boolean or nothing.
fn means_something_else(text: &str) -> bool {
    // Old readers take `1:30` for a number to the base of sixty.
    scalar::plain(text, Dialect::Kubernetes) != Scalar::Text
        || text == "<<"
        || scalar::is_sexagesimal(text)
}

/// The order of keys: letters behind everything else, and numbers by their size.
fn natural(left: &str, right: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(one, other)| one != other) else {
        return a.len().cmp(&b.len());
    };
    let in_digits = at > 0 && a[at - 1].is_ascii_digit();
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        // A number ends where a letter comes, and so is the smaller one.
        (true, false) => return if in_digits { Ordering::Less } else { Ordering::Greater },
        (false, true) => return if in_digits { Ordering::Greater } else { Ordering::Less },
        (false, false) => {}
    }
    // Zeros in front count only within a number.
    let within = (a[at] == '0' || b[at] == '0')
        && a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let number = |letters: &[char]| {
        let digits = letters[at..].iter().take_while(|letter| letter.is_ascii_digit());
        let start = u64::from(within);
        digits.fold((start, 0_usize), |(number, length), digit| {
            let digit = u64::from(digit.to_digit(10).unwrap_or_default());
            (number.saturating_mul(10).saturating_add(digit), length + 1)
        })
    };
    number(&a).cmp(&number(&b)).then_with(|| a[at].cmp(&b[at]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(document(value), expected);
    }

    #[test]
    fn structures_are_indented_as_by_kubectl() {
        check(
            &json!({"b": [{"x": 1, "y": [2, [3]]}, "t"], "a": {}, "c": {"d": null, "e": []}}),
            "a: {}\nb:\n- x: 1\n  \"y\":\n  - 2\n  - - 3\n- t\nc:\n  d: null\n  e: []\n",
        );
    }

    #[test]
    fn texts_are_quoted_where_they_have_to_be() {
        for (text, expected) in [
            ("web", "web"),
            ("127.0.0.1/none:1", "127.0.0.1/none:1"),
            ("1:30.5", "\"1:30.5\""),
            ("", "\"\""),
            ("1", "\"1\""),
            ("0x1f", "\"0x1f\""),
            ("1.5", "\"1.5\""),
            ("1e3", "\"1e3\""),
            ("1:30", "\"1:30\""),
            ("10m", "10m"),
            ("1.2.3", "1.2.3"),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("nO", "nO"),
            ("~", "\"~\""),
            ("2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("* * * * *", "'* * * * *'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a:b#c", "a:b#c"),
            ("it's", "it's"),
            ("'x'", "'''x'''"),
            (" x", "' x'"),
            ("-", "'-'"),
            ("-x", "-x"),
            ("{a}", "'{a}'"),
            ("a\tb", "\"a\\tb\""),
            ("é", "é"),
            ("a\nb\n", "|\n  a\n  b\n"),
            ("a\n\nb", "|-\n  a\n\n  b\n"),
            (" a\n", "|2\n   a\n"),
            ("a \nb", "\"a \\nb\""),
        ] {
            let expected = format!("k: {expected}");
            let expected = if expected.ends_with('\n') { expected } else { expected + "\n" };
            check(&json!({"k": text}), &expected);
        }
    }

    #[test]
    fn long_texts_break_behind_the_eightieth_column() {
        let word = "x".repeat(40);
        let text = format!("{word} {word} {word} end");
        check(&json!({"k": text}), &format!("k: {word} {word}\n  {word} end\n"));
    }

    #[test]
    fn keys_are_sorted_as_people_count() {
        let mut keys = ["a10", "a9", "B", "_", "a.b", "ab", "a", "a01"];
        keys.sort_by(|left, right| natural(left, right));
        assert_eq!(keys, ["_", "B", "a", "a.b", "a01", "a9", "a10", "ab"]);
    }
}
