//! From the nodes of a document to its value.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number, Value};

use crate::fault::{self, Error};
use crate::scalar::{self, Scalar};
use crate::tree::{Id, Kind, Node, Tree};
use crate::{Dialect, Document, MAX_DEPTH};

/// So many nodes may come from aliases without anybody counting the others.
const FEW_REPEATED: usize = 100;

/// Documents of so many nodes may consist of repetitions, almost.
const SMALL: f64 = 400_000.0;

/// Documents of so many nodes must not repeat more than a tenth.
const LARGE: f64 = 4_000_000.0;

/// A field that was given twice. Displays in the words of the API server's warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The line of the later value, counted from one.
    pub line: usize,
    /// The field's name; in quotes unless it is a number or a boolean.
    pub key: String,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: key {} already set in map", self.line, self.key)
    }
}

/// The value of a document.
pub(crate) fn document(tree: &Tree, dialect: Dialect) -> Result<Document, Error> {
    let mut converter = Converter {
        tree,
        dialect,
        aliases: Vec::new(),
        converted: 0,
        repeated: 0,
        duplicates: Vec::new(),
        refused: Vec::new(),
    };
    let value = converter.value(Tree::ROOT, 0)?;
    if !converter.refused.is_empty() {
        return Err(fault::syntax(format!("unmarshal errors:\n{}", converter.refused.join("\n"))));
    }
    Ok(Document { value, duplicates: converter.duplicates })
}

pub(crate) fn too_deep() -> Error {
    fault::syntax(format!("exceeded max depth of {MAX_DEPTH}"))
}

struct Converter<'a> {
    tree: &'a Tree,
    dialect: Dialect,
    /// The aliases within which we are.
    aliases: Vec<Id>,
    /// How many nodes were converted, and how many of these within aliases.
    converted: usize,
    repeated: usize,
    duplicates: Vec<Duplicate>,
    /// Fields that must not be there twice, each a line of the error.
    refused: Vec<String>,
}

impl Converter<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        self.count()?;
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let tree = self.tree;
        let node = tree.node(id);
        match &node.kind {
            Kind::Scalar { .. } => {
                let (scalar, text) = self.scalar(node)?;
                self.json(&scalar, text)
            }
            Kind::Sequence(items) => {
                let items = items.iter().map(|item| self.value(*item, depth + 1));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Kind::Mapping(fields) => {
                let mut map = Map::new();
                match self.dialect {
                    Dialect::Kubernetes => self.fields(fields, &mut map, depth)?,
                    Dialect::Kustomize => self.unique_fields(fields, &mut map, depth)?,
                }
                Ok(Value::Object(map))
            }
            Kind::Alias { name, target } => {
                self.within(id, name, |inner| inner.value(*target, depth))
            }
        }
    }

    /// Does something within an alias.
    fn within<T>(
        &mut self,
        alias: Id,
        name: &str,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.aliases.contains(&alias) {
            return Err(fault::syntax(format!("anchor '{name}' value contains itself")));
        }
        self.aliases.push(alias);
        let result = inner(self);
        self.aliases.pop();
        result
    }

    /// Counts a node. Small documents may repeat almost all they have, large ones little.
    fn count(&mut self) -> Result<(), Error> {
        self.converted += 1;
        self.repeated += usize::from(!self.aliases.is_empty());
        if self.repeated <= FEW_REPEATED || self.converted <= 10 * FEW_REPEATED {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of nodes are far below 2^52")]
        let (converted, repeated) = (self.converted as f64, self.repeated as f64);
        let size = ((converted - SMALL) / (LARGE - SMALL)).clamp(0.0, 1.0);
        if repeated > converted * (0.99 - 0.89 * size) {
            return Err(fault::syntax("document contains excessive aliasing"));
        }
        Ok(())
    }

    /// What a scalar is, and its text.
    fn scalar(&self, node: &Node) -> Result<(Scalar, String), Error> {
        let Kind::Scalar { text, plain } = &node.kind else {
            unreachable!("only asked for scalars");
        };
        match &node.tag {
            Some(tag) => scalar::tagged(text, tag, self.dialect),
            None if *plain => Ok((scalar::plain(text, self.dialect), text.clone())),
            None => Ok((Scalar::Text, text.clone())),
        }
    }

    fn json(&self, scalar: &Scalar, text: String) -> Result<Value, Error> {
        Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => (*value).into(),
            Scalar::Integer(number) => (*number).into(),
            Scalar::Unsigned(number) => (*number).into(),
            Scalar::Float(number) => float(*number)?,
            Scalar::Time if self.dialect == Dialect::Kustomize => scalar::moment(&text).into(),
            Scalar::Time | Scalar::Text => text.into(),
        })
    }

    /// Fills a map in the order of the text: what comes later counts, also what is merged in.
    fn fields(
        &mut self,
        fields: &[(Id, Id)],
        into: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        for (key, value) in fields {
            if is_merge(self.tree.node(*key)) {
                self.merge(*value, into, depth)?;
                continue;
            }
            let (key, shown) = self.key(*key, *value, depth)?;
            let line = self.tree.node(*value).line;
            let value = self.value(*value, depth + 1)?;
            if into.insert(key, value).is_some() {
                self.duplicates.push(Duplicate { line, key: shown });
            }
        }
        Ok(())
    }

    fn merge(&mut self, id: Id, into: &mut Map<String, Value>, depth: usize) -> Result<(), Error> {
        let tree = self.tree;
        match &tree.node(id).kind {
            // Earlier maps of a list win, and so come last.
            Kind::Sequence(maps) => {
                maps.iter().rev().try_for_each(|map| self.merge_map(*map, into, depth))
            }
            _ => self.merge_map(id, into, depth),
        }
    }

    fn merge_map(
        &mut self,
        id: Id,
        into: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        self.count()?;
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let tree = self.tree;
        match &tree.node(id).kind {
            Kind::Mapping(fields) => self.fields(fields, into, depth + 1),
            Kind::Alias { name, target } if is_map(tree, *target) => {
                self.within(id, name, |inner| inner.merge_map(*target, into, depth))
            }
            _ => Err(no_map()),
        }
    }

    /// As [`Self::fields`], but fields count before what is merged in, and none may be there twice.
    fn unique_fields(
        &mut self,
        fields: &[(Id, Id)],
        into: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        let tree = self.tree;
        let (mut lines, refused) = (BTreeMap::new(), self.refused.len());
        for (key, _) in fields {
            let Node { line, kind: Kind::Scalar { text, .. }, .. } = tree.node(*key) else {
                continue;
            };
            if let Some(first) = lines.insert(text, line) {
                self.refused.push(format!(
                    "  line {line}: mapping key {text:?} already defined at line {first}"
                ));
            }
        }
        if self.refused.len() > refused {
            return Ok(());
        }
        let mut merged = Vec::new();
        for (key, value) in fields {
            if is_merge(tree.node(*key)) {
                merged.push(*value);
                continue;
            }
            let key = self.text_key(*key, depth)?;
            let value = self.value(*value, depth + 1)?;
            into.insert(key, value);
        }
        for id in merged {
            let maps = match &tree.node(id).kind {
                Kind::Sequence(maps) => maps.as_slice(),
                _ => &[id],
            };
            for map in maps {
                let target = match &tree.node(*map).kind {
                    Kind::Alias { target, .. } => *target,
                    _ => *map,
                };
                if !is_map(tree, target) {
                    return Err(no_map());
                }
                let Value::Object(more) = self.value(*map, depth + 1)? else {
                    return Err(no_map());
                };
                for (key, value) in more {
                    into.entry(key).or_insert(value);
                }
            }
        }
        Ok(())
    }

    /// The text of a key where only texts are keys, except at the top, where all are texts.
    fn text_key(&mut self, id: Id, depth: usize) -> Result<String, Error> {
        let node = self.tree.node(id);
        let is_text = match &node.kind {
            Kind::Scalar { text, .. } if depth == 0 => return Ok(text.clone()),
            Kind::Scalar { .. } => self.scalar(node)?.0 == Scalar::Text,
            Kind::Alias { .. } => true,
            Kind::Sequence(_) | Kind::Mapping(_) => false,
        };
        match self.value(id, depth + 1)? {
            Value::String(text) if is_text => Ok(text),
            _ => Err(Error::NotJson(
                "json: unsupported type: map[interface {}]interface {}".to_owned(),
            )),
        }
    }

    /// A key as a text, and as errors show it.
    fn key(&mut self, id: Id, value: Id, depth: usize) -> Result<(String, String), Error> {
        let tree = self.tree;
        let node = tree.node(id);
        match &node.kind {
            Kind::Alias { name, target } if is_scalar(tree, *target) => {
                self.count()?;
                return self.within(id, name, |inner| inner.key(*target, value, depth));
            }
            Kind::Scalar { .. } => self.count()?,
            _ => {
                let key = self.value(id, depth + 1)?;
                return Err(fault::syntax(format!("invalid map key: {}", in_go(&key))));
            }
        }
        let (scalar, text) = self.scalar(node)?;
        let unsupported = |this: &mut Self, kind: &str, key: &str| {
            let value = this.value(value, depth + 1)?;
            Err(Error::NotJson(format!(
                "unsupported map key of type: {kind}, key: {key}, value: {}",
                in_go(&value)
            )))
        };
        Ok(match scalar {
            Scalar::Null => return unsupported(self, "%!s(<nil>)", "<nil>"),
            Scalar::Unsigned(number) => {
                return unsupported(self, "uint64", &format!("{number:#x}"));
            }
            Scalar::Bool(value) => (value.to_string(), value.to_string()),
            Scalar::Integer(number) => (number.to_string(), number.to_string()),
            Scalar::Float(number) => (float_key(number), float_key(number)),
            Scalar::Time | Scalar::Text => {
                let shown = format!("{text:?}");
                (text, shown)
            }
        })
    }
}

fn is_merge(node: &Node) -> bool {
    let Kind::Scalar { text, plain } = &node.kind else { return false };
    text == "<<"
        && match node.tag.as_deref() {
            None => *plain,
            Some(tag) => tag == "!!merge" || tag == "!",
        }
}

fn is_map(tree: &Tree, id: Id) -> bool {
    matches!(tree.node(id).kind, Kind::Mapping(_))
}

fn is_scalar(tree: &Tree, id: Id) -> bool {
    matches!(tree.node(id).kind, Kind::Scalar { .. })
}

fn no_map() -> Error {
    fault::syntax("map merge requires map or sequence of maps as the value")
}

/// A float in JSON, where whole numbers are integers.
fn float(number: f64) -> Result<Value, Error> {
    // What is written without an exponent and fits is read as an integer.
    const FITS: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    if number.fract().abs() < f64::MIN_POSITIVE && FITS.contains(&number) {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
        return Ok((number as i64).into());
    }
    Number::from_f64(number).map(Value::Number).ok_or_else(|| {
        let shown = match number {
            f64::INFINITY => "+Inf",
            f64::NEG_INFINITY => "-Inf",
            _ => "NaN",
        };
        Error::NotJson(format!("json: unsupported value: {shown}"))
    })
}

/// A float as a key: the shortest digits that a float of 32 bits needs.
fn float_key(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "so that keys are alike")]
    let number = number as f32;
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let short = format!("{number:e}");
    let Some((mantissa, exponent)) = short.split_once('e') else { return short };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}

/// A value as Go writes it in its sources.
fn in_go(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_go).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key:?}:{}", in_go(value)));
            let fields: Vec<String> = fields.collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
