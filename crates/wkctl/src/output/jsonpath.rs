//! JSON path templates in kubectl's dialect: `{range .items[*]}{.metadata.name}{"\n"}{end}`.
//!
//! Spec: <https://kubernetes.io/docs/reference/kubectl/jsonpath/>

mod eval;
mod parse;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// What a template consists of.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Printed as it is.
    Text(String),
    /// What the path leads to, separated by blanks.
    Path(Path),
    /// The nodes once for everything the path leads to.
    Range(Path, Vec<Node>),
}

/// Steps from an object to values in it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Path {
    /// Whether it starts at the whole input (`$`) rather than at the current value.
    from_root: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `.name` or `['name']`; several names with commas.
    Fields(Vec<String>),
    /// `[0]`, `[-1]`; several with commas.
    Items(Vec<i64>),
    /// `[1:5:2]`.
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    /// `.*` or `[*]`.
    All,
    /// `..`: this value and everything in it.
    Descend,
    /// `[?(...)]`: the items for which it is true.
    Filter(Operand, Comparison, Operand),
    /// `[?(@.a)]`: the items that have it.
    Exists(Path),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Template {
    /// Reads a template, in which paths stand in braces.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        parse::template(text)
    }

    /// Reads a path that may do without braces and the first dot: `metadata.name`, as in
    /// `custom-columns`, `--sort-by` and `wait --for=jsonpath=...`.
    pub(crate) fn parse_relaxed(text: &str) -> anyhow::Result<Self> {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let dot = if inner.starts_with(['.', '[', '$', '@']) { "" } else { "." };
        parse::template(&format!("{{{dot}{inner}}}"))
    }

    /// What the template prints for an object.
    pub(crate) fn text(&self, object: &Value) -> String {
        eval::text(&self.nodes, object)
    }

    /// Everything that the template's paths lead to.
    pub(crate) fn values<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        eval::values(&self.nodes, object)
    }
}

/// A value as templates print it: texts without quotes, structures as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
