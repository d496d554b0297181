//! `-o custom-columns=NAME:.metadata.name,...`

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::jsonpath::{Template, plain};
use super::table::Widths;

/// Headers, and where their values are.
#[derive(Clone, Debug)]
pub(crate) struct CustomColumns {
    columns: Vec<(String, Template)>,
}

impl CustomColumns {
    pub(crate) fn parse(spec: &str) -> anyhow::Result<Self> {
        ensure!(!spec.is_empty(), "custom-columns format specified but no custom columns given");
        let column = |part: &str| {
            let (header, path) = part.split_once(':').with_context(|| {
                format!(
                    "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
                )
            })?;
            Ok((header.to_owned(), Template::parse_relaxed(path)?))
        };
        let columns: anyhow::Result<_> = spec.split(',').map(column).collect();
        Ok(Self { columns: columns? })
    }

    /// A file with the headers in its first line and the paths in its second.
    pub(crate) fn of_file(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let (Some(headers), Some(paths)) = (lines.next(), lines.next()) else {
            bail!("the custom-columns file must have a line of headers and a line of paths");
        };
        let (headers, paths) = (headers.split_whitespace(), paths.split_whitespace());
        let pairs: Vec<_> =
            headers.zip(paths).map(|(name, path)| format!("{name}:{path}")).collect();
        Self::parse(&pairs.join(","))
    }

    /// The rows of an object or of a list's items.
    pub(crate) fn rows(&self, object: &Value, headers: bool) -> String {
        let mut rows = Vec::new();
        if headers {
            rows.push(self.columns.iter().map(|(header, _)| header.clone()).collect());
        }
        let single = std::slice::from_ref(object);
        let items = object.get("items").and_then(Value::as_array).map_or(single, Vec::as_slice);
        for item in items {
            let cell = |(_, path): &(String, Template)| {
                let values: Vec<String> = path.values(item).into_iter().map(plain).collect();
                if values.is_empty() { "<none>".to_owned() } else { values.join(",") }
            };
            rows.push(self.columns.iter().map(cell).collect());
        }
        Widths::default().lines(&rows)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_paths() {
        let columns = CustomColumns::parse("NAME:metadata.name,IMG:{.spec.c[*].image}").unwrap();
        let list = json!({"items": [
            {"metadata": {"name": "a"}, "spec": {"c": [{"image": "x"}, {"image": "y"}]}},
            {"metadata": {"name": "longer"}}]});
        assert_eq!(columns.rows(&list, true), "NAME     IMG\na        x,y\nlonger   <none>\n");
        assert_eq!(columns.rows(&list, false), "a        x,y\nlonger   <none>\n");
    }

    #[test]
    fn a_file_has_headers_above_paths() {
        let columns = CustomColumns::of_file("A   B\n.a  .b.c\n").unwrap();
        assert_eq!(columns.rows(&json!({"a": 1, "b": {"c": 2}}), true), "A     B\n1     2\n");
        assert!(CustomColumns::of_file("A").is_err());
        assert!(CustomColumns::parse("A").is_err());
    }
}
