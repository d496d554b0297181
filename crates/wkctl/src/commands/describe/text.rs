//! Text in columns that line up by themselves, as Go's `tabwriter` sets them: a column is as wide as
//! the cells directly above and below each other need.

use serde_json::Value;

const PADDING: usize = 2;

/// A description in the making.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The cells of each line; all but the last are in columns.
    lines: Vec<Vec<String>>,
}

impl Text {
    /// A line, indented by `level`.
    pub(super) fn line(&mut self, level: usize, text: impl AsRef<str>) {
        self.lines.push(vec![format!("{}{}", indent(level), text.as_ref())]);
    }

    /// A name and its value; a value of several lines keeps to its column.
    pub(super) fn pair(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        let mut name = format!("{}{name}", indent(level));
        for line in value.as_ref().split('\n') {
            self.lines.push(vec![std::mem::take(&mut name), line.to_owned()]);
        }
    }

    /// A name and its value, if there is one.
    pub(super) fn pair_if(&mut self, level: usize, name: &str, value: &str) {
        if !value.is_empty() {
            self.pair(level, name, value);
        }
    }

    /// Cells, each in a column.
    pub(super) fn row<'a>(&mut self, level: usize, cells: impl IntoIterator<Item = &'a str>) {
        let mut cells: Vec<String> = cells.into_iter().map(str::to_owned).collect();
        if let Some(first) = cells.first_mut() {
            first.insert_str(0, &indent(level));
        }
        self.lines.push(cells);
    }

    /// The pairs of a map, one a line, or `<none>`.
    pub(super) fn map(&mut self, level: usize, name: &str, map: Option<&Value>, between: &str) {
        let pairs = map.and_then(Value::as_object).into_iter().flatten();
        let pairs: Vec<String> = pairs
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}{between}{text}"),
                other => format!("{key}{between}{other}"),
            })
            .collect();
        let text = if pairs.is_empty() { "<none>".to_owned() } else { pairs.join("\n") };
        self.pair(level, name, text);
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        let mut out = String::new();
        set(&self.lines, &mut Vec::new(), &mut out);
        out
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// Sets lines whose first columns have the given widths.
fn set(lines: &[Vec<String>], widths: &mut Vec<usize>, out: &mut String) {
    let column = widths.len();
    // Only cells before the last one of a line are in a column.
    let has_column = |line: &Vec<String>| column + 1 < line.len();
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

fn write(lines: &[Vec<String>], widths: &[usize], out: &mut String) {
    for line in lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            text.push_str(cell);
            if let Some(width) = widths.get(column).filter(|_| column + 1 < line.len()) {
                let blanks = width.saturating_sub(cell.chars().count());
                text.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        out.push_str(text.trim_end());
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
        out.row(1, ["Type", "Reason", "Message"]);
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
  Warning  Failed  no
";
        assert_eq!(out.finish(), expected);
    }
}
