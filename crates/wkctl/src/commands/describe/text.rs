//! Text in columns that line up by themselves, as Go's `tabwriter` sets them: a column is as wide as
//! the cells directly above and below each other need.

use serde_json::Value;

use crate::output::jsonpath::plain;

const PADDING: usize = 2;
/// Annotations that are longer are broken into lines, which are cut.
const LONGEST_ANNOTATION: usize = 140;

/// A description in the making: lines, with tabs between cells.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// A line, indented by `level`.
    pub(crate) fn line(&mut self, level: usize, text: impl AsRef<str>) {
        self.0.push_str(&indent(level));
        self.0.push_str(text.as_ref());
        self.0.push('\n');
    }

    /// A name and its value; a value of several lines keeps to its column.
    pub(crate) fn pair(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        let mut name = name;
        for line in value.as_ref().split('\n') {
            let margin = if name.is_empty() { String::new() } else { indent(level) };
            self.line(0, format!("{margin}{name}\t{line}"));
            name = "";
        }
    }

    /// A name and its value, if there is one.
    pub(crate) fn pair_if(&mut self, level: usize, name: &str, value: &str) {
        if !value.is_empty() {
            self.pair(level, name, value);
        }
    }

    /// Cells, each in a column.
    pub(crate) fn row<'a>(&mut self, level: usize, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<&str> = cells.into_iter().collect();
        self.line(level, cells.join("\t"));
    }

    /// The headers of columns, underlined.
    pub(crate) fn header(&mut self, level: usize, names: &[&str]) {
        self.row(level, names.iter().copied());
        let lines: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
        self.row(level, lines.iter().map(String::as_str));
    }

    /// The pairs of a map, one a line, or `<none>`.
    pub(crate) fn map(&mut self, level: usize, name: &str, map: Option<&Value>, between: &str) {
        let pairs = map.and_then(Value::as_object).into_iter().flatten();
        let pairs: Vec<String> =
            pairs.map(|(key, value)| format!("{key}{between}{}", plain(value))).collect();
        self.list(level, name, &pairs);
    }

    /// Texts, one a line, or `<none>`.
    pub(crate) fn list(&mut self, level: usize, name: &str, texts: &[impl AsRef<str>]) {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        self.pair(
            level,
            name,
            if texts.is_empty() { "<none>".to_owned() } else { texts.join("\n") },
        );
    }

    /// Annotations, of which what `apply` notes is nobody's business.
    pub(crate) fn annotations(&mut self, level: usize, all: Option<&Value>) {
        let mut lines = Vec::new();
        for (key, value) in all.and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key == crate::commands::apply::LAST_APPLIED {
                continue;
            }
            if value.len() + key.len() + 2 > LONGEST_ANNOTATION || value.contains('\n') {
                lines.push(format!("{key}:"));
                lines.extend(value.split('\n').map(|line| format!("  {}", shortened(line))));
            } else {
                lines.push(format!("{key}: {value}"));
            }
        }
        self.list(level, "Annotations:", &lines);
    }

    /// The text with its tabs, for those who do not want columns.
    pub(crate) fn with_tabs(self) -> String {
        self.0
    }

    /// The text in columns.
    pub(crate) fn finish(self) -> String {
        columns(&self.0)
    }
}

/// A text whose cells are parted by tabs, in columns.
pub(crate) fn columns(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let mut out = String::new();
    set(&lines, &mut Vec::new(), &mut out);
    out
}

fn shortened(text: &str) -> String {
    let length = LONGEST_ANNOTATION - 2;
    if text.len() <= length {
        return text.to_owned();
    }
    let cut = (0..=length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}...", &text[..cut])
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// Sets lines whose first columns have the given widths.
fn set(lines: &[Vec<&str>], widths: &mut Vec<usize>, out: &mut String) {
    let column = widths.len();
    // Only cells before the last one of a line are in a column.
    let has_column = |line: &Vec<&str>| column + 1 < line.len();
    let mut rest = lines;
    while let Some(first) = rest.iter().position(has_column) {
        let (before, block) = rest.split_at(first);
        write(before, widths, out);
        let end = block.iter().position(|line| !has_column(line)).unwrap_or(block.len());
        let (block, after) = block.split_at(end);
        let width = block.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        widths.push(width + PADDING);
        set(block, widths, out);
        widths.pop();
        rest = after;
    }
    write(rest, widths, out);
}

fn write(lines: &[Vec<&str>], widths: &[usize], out: &mut String) {
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(column).filter(|_| column + 1 < line.len()) {
                let blanks = width.saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neighbours_line_up_and_others_do_not_matter() {
        let mut out = Text::default();
        out.pair(0, "Name:", "web");
        out.map(0, "Labels:", Some(&json!({"a": "b", "c": "d"})), "=");
        out.line(0, "Containers:");
        out.pair(1, "Image:", "x");
        out.pair(1, "Restart Count:", "0");
        out.line(0, "Events:");
        out.header(1, &["Type", "Reason", "Message"]);
        out.row(1, ["Warning", "Failed", "no"]);
        let expected = "\
Name:    web
Labels:  a=b
         c=d
Containers:
  Image:          x
  Restart Count:  0
Events:
  Type     Reason  Message
  ----     ------  -------
  Warning  Failed  no
";
        assert_eq!(out.finish(), expected);
    }

    #[test]
    fn long_annotations_are_broken_and_cut() {
        let long = "x".repeat(200);
        let mut out = Text::default();
        out.annotations(0, Some(&json!({"a": "b", "long": long, "two": "1\n2\n"})));
        let cut = "x".repeat(138);
        let expected = format!(
            "Annotations:  a: b\n              long:\n                {cut}...\n              \
             two:\n                1\n                2\n"
        );
        assert_eq!(out.finish(), expected);
    }
}
