//! The server's tables as columns of text, spaced as kubectl spaces them.

use serde_json::Value;

use crate::kinds::text;

/// No column is narrower, blanks included.
const MIN_WIDTH: usize = 6;
/// Blanks between columns.
const PADDING: usize = 3;

/// The widths of columns so far; they never shrink, so that the rows of a watch stay aligned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Widths(Vec<usize>);

impl Widths {
    /// The rows as lines. The last column is as wide as it needs to be.
    pub(crate) fn lines(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            let (cells, _) = row.split_at(row.len().saturating_sub(1));
            for (column, cell) in cells.iter().enumerate() {
                let width = (cell.chars().count() + PADDING).max(MIN_WIDTH);
                match self.0.get_mut(column) {
                    Some(known) => *known = width.max(*known),
                    None => self.0.push(width),
                }
            }
        }
        let mut out = String::new();
        for row in rows {
            for (column, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if column + 1 < row.len() {
                    let width = self.0.get(column).copied().unwrap_or_default();
                    let blanks = width.saturating_sub(cell.chars().count());
                    out.extend(std::iter::repeat_n(' ', blanks));
                }
            }
            out.push('\n');
        }
        out
    }
}

/// How tables are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableOptions {
    /// Also the columns that matter less.
    pub(crate) wide: bool,
    pub(crate) no_headers: bool,
    /// A column with the namespace.
    pub(crate) with_namespace: bool,
    /// Names as `pod/web`, because several kinds are shown.
    pub(crate) with_kind: bool,
    /// A column with all labels.
    pub(crate) show_labels: bool,
    /// Columns for these labels.
    pub(crate) label_columns: Vec<String>,
    /// A column with what happened, in a watch.
    pub(crate) with_event: bool,
}

/// Prints tables of one resource, one after the other.
#[derive(Debug)]
pub(crate) struct TablePrinter {
    options: TableOptions,
    /// What stands before names, if something does.
    kind: String,
    /// The columns to show: their index in the rows, and whether it is the name.
    columns: Vec<(usize, bool)>,
    widths: Widths,
    /// Whether the next table still needs headers.
    headers: bool,
}

impl TablePrinter {
    /// `kind` is `pod` or `deployment.apps`.
    pub(crate) fn new(options: TableOptions, kind: impl Into<String>) -> Self {
        let headers = !options.no_headers;
        let (columns, widths) = (Vec::new(), Widths::default());
        Self { options, kind: kind.into(), columns, widths, headers }
    }

    /// The table's rows as lines, with headers before the first ones. `event` is what happened to
    /// them.
    pub(crate) fn lines(&mut self, table: &Value, event: &str) -> String {
        let mut rows = Vec::new();
        let definitions = table.get("columnDefinitions").and_then(Value::as_array);
        // Later tables of a watch need not repeat them.
        if let Some(definitions) = definitions.filter(|definitions| !definitions.is_empty()) {
            let shown = definitions.iter().enumerate().filter(|(_, definition)| {
                self.options.wide || definition.get("priority").is_none_or(|p| p == 0)
            });
            self.columns = shown
                .clone()
                .map(|(index, definition)| {
                    let is_name = text(definition, "/format") == "name"
                        || text(definition, "/name").eq_ignore_ascii_case("name");
                    (index, is_name)
                })
                .collect();
            if self.headers {
                let names = shown.map(|(_, definition)| text(definition, "/name").to_uppercase());
                rows.push(self.header(names.collect()));
            }
            self.headers = false;
        }
        for row in table.get("rows").and_then(Value::as_array).into_iter().flatten() {
            rows.push(self.row(row, event));
        }
        self.widths.lines(&rows)
    }

    fn header(&self, names: Vec<String>) -> Vec<String> {
        let options = &self.options;
        let mut header = Vec::new();
        header.extend(options.with_event.then(|| "EVENT".to_owned()));
        header.extend(options.with_namespace.then(|| "NAMESPACE".to_owned()));
        header.extend(names);
        header.extend(options.label_columns.iter().map(|label| {
            label.rsplit_once('/').map_or(label.as_str(), |(_, name)| name).to_uppercase()
        }));
        header.extend(options.show_labels.then(|| "LABELS".to_owned()));
        header
    }

    fn row(&self, row: &Value, event: &str) -> Vec<String> {
        let options = &self.options;
        let object = row.get("object").unwrap_or(&Value::Null);
        let mut cells = Vec::new();
        cells.extend(options.with_event.then(|| event.to_owned()));
        cells
            .extend(options.with_namespace.then(|| text(object, "/metadata/namespace").to_owned()));
        let values = row.get("cells").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, is_name) in &self.columns {
            let value = cell(values.get(*index).unwrap_or(&Value::Null));
            if *is_name && options.with_kind {
                cells.push(format!("{}/{value}", self.kind));
            } else {
                cells.push(value);
            }
        }
        let labels = object.pointer("/metadata/labels");
        cells.extend(options.label_columns.iter().map(|label| {
            let value = labels.and_then(|labels| labels.get(label)).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        }));
        cells.extend(options.show_labels.then(|| label_text(labels)));
        cells
    }
}

/// Labels as `a=b,c=d`.
pub(crate) fn label_text(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") }
}

/// One cell: the first line of a text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => match text.split_once('\n') {
            Some((first, _)) => format!("{first}..."),
            None => text.clone(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods() -> Value {
        json!({
            "columnDefinitions": [
                {"name": "Name", "format": "name", "priority": 0},
                {"name": "Ready", "priority": 0},
                {"name": "Node", "priority": 1}],
            "rows": [
                {"cells": ["web", "1/1", "n1"], "object": {"metadata": {
                    "namespace": "default", "labels": {"x.y/app": "web", "b": "c"}}}},
                {"cells": ["a-longer-name", null, 3], "object": {"metadata": {"namespace": "x"}}}]
        })
    }

    #[track_caller]
    fn check(options: TableOptions, expected: &str) {
        let mut printer = TablePrinter::new(options, "pod");
        assert_eq!(printer.lines(&pods(), "ADDED"), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        check(
            TableOptions::default(),
            "NAME            READY\nweb             1/1\na-longer-name   \n",
        );
        check(
            TableOptions { wide: true, ..TableOptions::default() },
            "NAME            READY   NODE\nweb             1/1     n1\na-longer-name           3\n",
        );
        check(
            TableOptions { no_headers: true, with_kind: true, ..TableOptions::default() },
            "pod/web             1/1\npod/a-longer-name   \n",
        );
    }

    #[test]
    fn namespaces_and_labels_are_columns() {
        check(
            TableOptions {
                with_namespace: true,
                show_labels: true,
                label_columns: vec!["x.y/app".to_owned()],
                ..TableOptions::default()
            },
            "NAMESPACE   NAME            READY   APP   LABELS\n\
             default     web             1/1     web   b=c,x.y/app=web\n\
             x           a-longer-name                 <none>\n",
        );
    }

    #[test]
    fn rows_of_a_watch_stay_aligned() {
        let options = TableOptions { with_event: true, ..TableOptions::default() };
        let mut printer = TablePrinter::new(options, "pod");
        printer.lines(&pods(), "ADDED");
        let next = json!({"rows": [{"cells": ["b", "0/1\nmore", ""]}]});
        assert_eq!(printer.lines(&next, "MODIFIED"), "MODIFIED   b               0/1...\n");
    }
}
