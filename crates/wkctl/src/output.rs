//! How objects are printed: as rows, YAML, JSON, names, or what a JSON path picks out of them.

pub(crate) mod columns;
pub(crate) mod jsonpath;
pub(crate) mod sort;
pub(crate) mod table;

use anyhow::{Context as _, bail};
use serde::Serialize as _;
use serde_json::Value;

use crate::kinds::{Resource, text};
use crate::yaml;
use columns::CustomColumns;
use jsonpath::Template;

/// What `-o` asks for.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// Rows, with the columns that matter less if `wide`.
    Table {
        wide: bool,
    },
    Yaml,
    Json,
    Name,
    JsonPath(Template),
    /// What the path leads to as a list in JSON.
    JsonPathAsJson(Template),
    Columns(CustomColumns),
}

impl Format {
    /// Reads the value of `-o`; nothing is rows.
    pub(crate) fn parse(value: Option<&str>) -> anyhow::Result<Self> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(Self::Table { wide: false });
        };
        let (name, argument) = value.split_once('=').unwrap_or((value, ""));
        let from_file = |path: &str| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))
        };
        Ok(match name {
            "wide" => Self::Table { wide: true },
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "name" => Self::Name,
            "jsonpath" | "jsonpath-as-json" if argument.is_empty() => {
                bail!("template format specified but no template given")
            }
            "jsonpath" => Self::JsonPath(Template::parse(argument)?),
            "jsonpath-file" => Self::JsonPath(Template::parse(from_file(argument)?.trim_end())?),
            "jsonpath-as-json" => Self::JsonPathAsJson(Template::parse(argument)?),
            "go-template" | "go-template-file" | "template" | "templatefile" => bail!(
                "the output format \"{name}\" is not supported: use jsonpath, or `-o json` and a \
                 program that reads it"
            ),
            "custom-columns" => Self::Columns(CustomColumns::parse(argument)?),
            "custom-columns-file" => Self::Columns(CustomColumns::of_file(&from_file(argument)?)?),
            _ => bail!(
                "unable to match a printer suitable for the output format \"{name}\", allowed \
                 formats are: custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,\
                 name,\
                 wide,yaml"
            ),
        })
    }

    /// Whether this prints rows that the server makes.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table { .. })
    }

    /// One object or list, with a line break at the end where the format has one. `resource` is that
    /// of the object, or of the items.
    pub(crate) fn object(&self, object: &Value, resource: &Resource) -> anyhow::Result<String> {
        Ok(match self {
            Self::Table { .. } => bail!("rows are made by the server"),
            Self::Yaml => yaml::text(object),
            Self::Json => json(object)?,
            Self::Name => {
                let name = |object| resource.named(text(object, "/metadata/name")) + "\n";
                match object.get("items").and_then(Value::as_array) {
                    Some(items) => items.iter().map(name).collect(),
                    None => name(object),
                }
            }
            Self::JsonPath(template) => template.text(object),
            Self::JsonPathAsJson(template) => {
                json(&template.values(object).into_iter().cloned().collect())?
            }
            Self::Columns(columns) => columns.rows(object, true),
        })
    }
}

/// JSON as kubectl indents it.
fn json(value: &Value) -> anyhow::Result<String> {
    let mut out = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, indent))?;
    out.push(b'\n');
    Ok(String::from_utf8(out)?)
}

/// Takes out what nobody wants to read.
pub(crate) fn hide_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    for item in object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        hide_managed_fields(item);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::built_in;

    #[track_caller]
    fn check(format: &str, expected: &str) {
        let pod = json!({"kind": "Pod", "metadata": {"name": "web", "labels": {"a": "b"}}});
        let format = Format::parse(Some(format)).unwrap();
        assert_eq!(format.object(&pod, &built_in("pods").unwrap()).unwrap(), expected);
    }

    #[test]
    fn formats_print_objects() {
        check("name", "pod/web\n");
        check("yaml", "kind: Pod\nmetadata:\n  labels:\n    a: b\n  name: web\n");
        check("jsonpath={.metadata.name}", "web");
        check("custom-columns=N:.metadata.name,X:.x", "N     X\nweb   <none>\n");
        let json = "{\n    \"kind\": \"Pod\",\n    \"metadata\": {\n        \"labels\": {\n            \
                    \"a\": \"b\"\n        },\n        \"name\": \"web\"\n    }\n}\n";
        check("json", json);
    }

    #[test]
    fn unknown_formats_are_refused_with_the_known_ones() {
        let error = Format::parse(Some("xml")).unwrap_err().to_string();
        assert!(error.contains("\"xml\"") && error.contains("jsonpath"), "{error}");
        assert!(Format::parse(Some("jsonpath")).is_err());
        assert!(Format::parse(Some("custom-columns=")).is_err());
    }
}
