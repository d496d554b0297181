//! Schemas of an OpenAPI document, and how they read.

use std::fmt::Write as _;

use anyhow::bail;
use serde_json::Value;

use crate::commands::describe::items;
use crate::kinds::{Resource, text};
use crate::output::jsonpath::plain;

/// Lines of descriptions are no longer.
const WIDTH: usize = 76;

/// Of more values only the first ones are shown in a list of fields.
const SHOWN_VALUES: usize = 4;

/// An OpenAPI v3 document.
pub(super) struct Document<'a> {
    schemas: &'a Value,
}

impl<'a> Document<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self { schemas: document.pointer("/components/schemas").unwrap_or(&Value::Null) }
    }

    /// The schema of a resource's kind.
    pub(super) fn root(&self, resource: &Resource) -> Option<&'a Value> {
        let all = self.schemas.as_object()?;
        all.values().find(|schema| {
            items(schema, "/x-kubernetes-group-version-kind").any(|one| {
                text(one, "/group") == resource.group
                    && text(one, "/version") == resource.version
                    && text(one, "/kind") == resource.kind
            })
        })
    }

    fn named(&self, reference: &str) -> Option<&'a Value> {
        self.schemas.get(reference.rsplit('/').next()?)
    }

    /// What a schema refers to, with the name of that.
    fn referred(&self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let reference = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference,
            None => text(schema, "/allOf/0/$ref"),
        };
        let name = reference.rsplit(['/', '.']).next().filter(|name| !name.is_empty())?;
        Some((name, self.named(reference)?))
    }

    /// The schema that has the properties: behind lists, maps and references.
    fn inner(&self, schema: &'a Value) -> &'a Value {
        let next = schema
            .get("items")
            .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
            .or_else(|| self.referred(schema).map(|(_, referred)| referred));
        match next {
            Some(next) if schema.get("properties").is_none() => self.inner(next),
            _ => schema,
        }
    }

    /// The type, as Go would write it.
    fn type_of(&self, schema: &'a Value) -> String {
        if let Some(items) = schema.get("items") {
            return format!("[]{}", self.type_of(items));
        }
        if let Some(more) = schema.get("additionalProperties").filter(|more| more.is_object()) {
            return format!("map[string]{}", self.type_of(more));
        }
        if let Some((name, referred)) = self.referred(schema) {
            return match text(referred, "/type") {
                "" | "object" => name.to_owned(),
                simple => simple.to_owned(),
            };
        }
        match text(schema, "/type") {
            "object" | "" => "Object".to_owned(),
            simple => simple.to_owned(),
        }
    }

    /// What is said about a field, and about what it refers to.
    fn descriptions(&self, schema: &'a Value) -> Vec<&'a str> {
        let mut all = Vec::new();
        let mut next = Some(schema);
        while let Some(schema) = next {
            all.extend(Some(text(schema, "/description")).filter(|text| !text.is_empty()));
            next = schema
                .get("items")
                .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
                .or_else(|| self.referred(schema).map(|(_, referred)| referred));
        }
        all
    }
}

/// How much is explained.
pub(super) struct Explained<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) recursive: bool,
    /// How deep; 0 is all the way.
    pub(super) depth: usize,
}

impl<'a> Explained<'a> {
    /// The text about a field of a schema, or about the schema itself.
    pub(super) fn text(&self, root: &'a Value, fields: &[&str]) -> anyhow::Result<String> {
        let (mut out, mut schema) = (String::new(), root);
        for field in fields {
            let within = self.document.inner(schema);
            match within.get("properties").and_then(|all| all.get(*field)) {
                Some(next) => schema = next,
                None => bail!("field {field:?} does not exist"),
            }
        }
        if let Some(last) = fields.last() {
            _ = writeln!(out, "FIELD: {last} <{}>", self.document.type_of(schema));
            let values: Vec<String> = items(schema, "/enum").map(plain).collect();
            if values.is_empty() {
                out.push('\n');
            } else {
                out.push_str("ENUM:\n");
                for value in values {
                    _ = writeln!(out, "    {value}");
                }
            }
            out.push('\n');
        }
        out.push_str("DESCRIPTION:\n");
        let descriptions = self.document.descriptions(schema);
        if descriptions.is_empty() {
            out.push_str("    <empty>\n");
        }
        for text in descriptions {
            describe(&mut out, 4, text);
        }
        out.push_str("    \n");
        if self.document.inner(schema).get("properties").is_some() {
            out.push_str("FIELDS:\n");
            self.fields(&mut out, schema, 1, &mut Vec::new());
        }
        out.push('\n');
        Ok(out)
    }

    fn fields(
        &self,
        out: &mut String,
        schema: &'a Value,
        level: usize,
        above: &mut Vec<&'a Value>,
    ) {
        let within = self.document.inner(schema);
        // A schema within itself is not opened again.
        if above.iter().any(|known| std::ptr::eq(*known, within)) {
            return;
        }
        above.push(within);
        let margin = "  ".repeat(level);
        let required: Vec<&str> = items(within, "/required").filter_map(Value::as_str).collect();
        let all = within.get("properties").and_then(Value::as_object);
        for (name, field) in all.into_iter().flatten() {
            let kind = self.document.type_of(field);
            let mark = if required.contains(&name.as_str()) { " -required-" } else { "" };
            _ = writeln!(out, "{margin}{name}\t<{kind}>{mark}");
            let shown = |value: &Value| match value.as_str() {
                Some("") => "\"\"".to_owned(),
                _ => plain(value),
            };
            let values: Vec<String> = items(field, "/enum").map(shown).collect();
            if !values.is_empty() {
                let mut shown = values[..values.len().min(SHOWN_VALUES)].join(", ");
                if values.len() > SHOWN_VALUES {
                    shown += ", ....";
                }
                _ = writeln!(out, "{margin}enum: {shown}");
            }
            if !self.recursive {
                match text(field, "/description") {
                    "" => out.push_str("    <no description>\n"),
                    description => describe(out, 2 * level + 2, description),
                }
                out.push('\n');
            } else if self.depth == 0 || level < self.depth {
                self.fields(out, field, level + 1, above);
            }
        }
        above.pop();
    }
}

/// A text in lines of bounded width; its own line breaks and margins stay.
fn describe(out: &mut String, margin: usize, text: &str) {
    let margin = " ".repeat(margin);
    for line in text.trim_end().split('\n') {
        let mut current = String::new();
        let mut first = true;
        for word in line.split(' ') {
            let fits = current.chars().count() + 1 + word.chars().count() <= WIDTH;
            if first {
                first = false;
            } else if fits || word.is_empty() {
                current.push(' ');
            } else {
                _ = writeln!(out, "{margin}{}", current.trim_end());
                current.clear();
            }
            current.push_str(word);
        }
        _ = writeln!(out, "{margin}{current}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"components": {"schemas": {
            "a.Pod": {
                "description": "A pod.", "type": "object", "required": ["spec"],
                "properties": {
                    "spec": {"description": "Its spec.", "allOf": [{"$ref": "#/components/schemas/a.Spec"}]},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}}},
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}]},
            "a.Spec": {"description": "A spec.", "type": "object", "properties": {
                "policy": {"type": "string", "enum": ["A", "B"]},
                "self": {"type": "array", "items": {"$ref": "#/components/schemas/a.Spec"}}}}}}})
    }

    #[track_caller]
    fn check(fields: &[&str], recursive: bool, expected: &str) {
        let document = document();
        let document = Document::new(&document);
        let root = document.root(&crate::kinds::built_in("pods").unwrap()).unwrap();
        let explained = Explained { document: &document, recursive, depth: 0 };
        assert_eq!(explained.text(root, fields).unwrap(), expected);
    }

    #[test]
    fn fields_are_explained() {
        check(
            &[],
            false,
            "DESCRIPTION:\n    A pod.\n    \nFIELDS:\n  labels\t<map[string]string>\n    \
             <no description>\n\n  spec\t<Spec> -required-\n    Its spec.\n\n\n",
        );
        check(
            &["spec"],
            true,
            "FIELD: spec <Spec>\n\n\nDESCRIPTION:\n    Its spec.\n    A spec.\n    \nFIELDS:\n  \
             policy\t<string>\n  enum: A, B\n  self\t<[]Spec>\n\n",
        );
        check(
            &["spec", "policy"],
            false,
            "FIELD: policy <string>\nENUM:\n    A\n    B\n\nDESCRIPTION:\n    <empty>\n    \n\n",
        );
    }

    #[test]
    fn lines_are_broken_between_words() {
        let mut out = String::new();
        describe(&mut out, 2, &format!("{} bb\n\n - c", "a".repeat(75)));
        assert_eq!(out, format!("  {}\n  bb\n  \n   - c\n", "a".repeat(75)));
    }
}
