//! The schema-directed reader behind [`super::decode()`].

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{DecodeError, FieldFault, MAX_DEPTH, MAX_WARNINGS, Warning};
use crate::scalar;
use crate::table::{Message, SchemaChoice, Type};

/// Where the reader is, and what it found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    path: Vec<Step>,
    /// The structures around the current value, innermost last.
    structures: Vec<&'static Message>,
    warnings: Vec<Warning>,
    fault: Option<String>,
}

#[derive(Debug)]
enum Step {
    Field(&'static str),
    Key(String),
    Index(usize),
}

impl Reader {
    /// The outcome: the value if nothing has a wrong type.
    pub(super) fn finish(self, root: Option<Value>) -> Result<(Value, Vec<Warning>), DecodeError> {
        match self.fault {
            Some(fault) => Err(DecodeError::Type(fault)),
            None => Ok((root.unwrap_or_else(|| Value::Object(Map::new())), self.warnings)),
        }
    }

    /// Remembers the first fault; the rest of the body is still read for syntax.
    fn fault(&mut self, fault: impl FnOnce(&Self) -> String) {
        if self.fault.is_none() {
            self.fault = Some(fault(self));
        }
    }

    /// A value of the wrong type, in the words of Go's `UnmarshalTypeError`.
    fn mismatch(&mut self, found: &str, wanted: &str) {
        self.fault(|reader| {
            let mut text = format!("json: cannot unmarshal {found} into Go ");
            let fields: Vec<&str> = reader
                .path
                .iter()
                .filter_map(|step| match step {
                    Step::Field(name) => Some(*name),
                    Step::Key(_) | Step::Index(_) => None,
                })
                .collect();
            let _ = match reader.structures.last().filter(|_| !fields.is_empty()) {
                Some(structure) => {
                    write!(text, "struct field {}.{}", structure.short_name(), fields.join("."))
                }
                None => write!(text, "value"),
            };
            let _ = write!(text, " of type {wanted}");
            text
        });
    }

    fn warn(&mut self, fault: FieldFault, field: &str) {
        if self.warnings.len() >= MAX_WARNINGS {
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            let _ = match step {
                Step::Field(name) => push_name(&mut path, name),
                Step::Key(name) => push_name(&mut path, name),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        let _ = push_name(&mut path, field);
        let warning = Warning { fault, path };
        // What is wrong in one way twice is told once.
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn push_name(path: &mut String, name: &str) -> fmt::Result {
    if !path.is_empty() {
        path.push('.');
    }
    path.write_str(name)
}

/// Reads one value of a type; `None` for `null` and for what was faulty.
pub(super) struct ValueSeed<'a> {
    reader: &'a mut Reader,
    ty: Type,
    depth: usize,
}

impl<'a> ValueSeed<'a> {
    pub(super) fn root(reader: &'a mut Reader, message: &'static Message) -> Self {
        Self { reader, ty: Type::Message(message), depth: 0 }
    }

    fn inner(&mut self, ty: Type) -> ValueSeed<'_> {
        ValueSeed { reader: self.reader, ty, depth: self.depth + 1 }
    }

    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth < MAX_DEPTH { Ok(()) } else { Err(E::custom("exceeded max depth")) }
    }

    fn text(self, text: Cow<'_, str>) -> Option<Value> {
        let canonical = match self.ty {
            Type::String | Type::Any | Type::IntOrString => Ok(text.into_owned()),
            Type::Bytes => scalar::bytes(&text).map(|bytes| scalar::base64(&bytes)),
            Type::Quantity => scalar::quantity(&text),
            Type::Duration => scalar::duration(&text).map(|_| text.into_owned()),
            Type::Time => scalar::timestamp(&text, scalar::TIME_LAYOUT).map(wk_api::rfc3339),
            Type::MicroTime => {
                scalar::timestamp(&text, scalar::MICRO_TIME_LAYOUT).map(wk_api::micro_time)
            }
            Type::Bool
            | Type::Int32
            | Type::Int64
            | Type::Double
            | Type::Message(_)
            | Type::List(_)
            | Type::Map(_)
            | Type::SchemaOr(_) => {
                self.reader.mismatch("string", &go_type(self.ty));
                return None;
            }
        };
        match canonical {
            Ok(text) => Some(Value::String(text)),
            Err(fault) => {
                self.reader.fault(|_| fault);
                None
            }
        }
    }

    fn number(self, number: Number) -> Option<Value> {
        let fits = match self.ty {
            Type::Any | Type::Double => true,
            Type::Int32 | Type::IntOrString => {
                number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            Type::Int64 => number.is_i64(),
            Type::Quantity => {
                return match scalar::quantity(&number.to_string()) {
                    Ok(text) => Some(Value::String(text)),
                    Err(fault) => {
                        self.reader.fault(|_| fault);
                        None
                    }
                };
            }
            Type::String
            | Type::Bool
            | Type::Bytes
            | Type::Time
            | Type::MicroTime
            | Type::Duration
            | Type::Message(_)
            | Type::List(_)
            | Type::Map(_)
            | Type::SchemaOr(_) => {
                self.reader.mismatch("number", &go_type(self.ty));
                return None;
            }
        };
        if !fits {
            self.reader.mismatch(&format!("number {number}"), &go_type(self.ty));
        }
        fits.then_some(Value::Number(number))
    }

    fn list<'de, A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Option<Value>, A::Error> {
        self.check_depth()?;
        let item = match self.ty {
            Type::List(item) => *item,
            Type::Any => Type::Any,
            Type::SchemaOr(SchemaChoice::Schemas) => schema_type(),
            Type::SchemaOr(SchemaChoice::Strings) => Type::String,
            _ => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                self.wrong_shape("array");
                return Ok(None);
            }
        };
        let mut list = Vec::new();
        loop {
            self.reader.path.push(Step::Index(list.len()));
            let next = items.next_element_seed(self.inner(item))?;
            self.reader.path.pop();
            let Some(value) = next else { return Ok(Some(Value::Array(list))) };
            list.push(value.unwrap_or_else(|| empty(item)));
        }
    }

    fn object<'de, A: MapAccess<'de>>(mut self, entries: A) -> Result<Option<Value>, A::Error> {
        self.check_depth()?;
        match self.ty {
            Type::Message(message) => self.structure(message, entries).map(Some),
            Type::Map(value) => self.map(*value, entries).map(Some),
            Type::Any => self.map(Type::Any, entries).map(Some),
            Type::SchemaOr(_) => match schema_type() {
                Type::Message(message) => self.structure(message, entries).map(Some),
                _ => self.map(Type::Any, entries).map(Some),
            },
            _ => {
                let mut entries = entries;
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                self.wrong_shape("object");
                Ok(None)
            }
        }
    }

    /// A list or object where a scalar is wanted.
    fn wrong_shape(&mut self, found: &str) {
        match self.ty {
            // Kubernetes hands the raw text to the quantity parser, whatever it is.
            Type::Quantity => {
                let fault = scalar::quantity("{").err().unwrap_or_default();
                self.reader.fault(|_| fault);
            }
            ty => self.reader.mismatch(found, &go_type(ty)),
        }
    }

    fn structure<'de, A: MapAccess<'de>>(
        &mut self,
        message: &'static Message,
        mut entries: A,
    ) -> Result<Value, A::Error> {
        let mut object = Map::new();
        self.reader.structures.push(message);
        while let Some(Key(name)) = entries.next_key()? {
            let Some(field) = message.field(&name) else {
                self.reader.warn(FieldFault::Unknown, &name);
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if object.contains_key(field.json) {
                self.reader.warn(FieldFault::Duplicate, field.json);
            }
            self.reader.path.push(Step::Field(field.json));
            let value = entries.next_value_seed(self.inner(field.ty))?;
            self.reader.path.pop();
            match value {
                Some(value) if field.is_absence(&value) => {
                    object.remove(field.json);
                }
                Some(value) => {
                    object.insert(field.json.to_owned(), value);
                }
                None => {}
            }
        }
        self.reader.structures.pop();
        Ok(Value::Object(object))
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, ty: Type, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(Key(name)) = entries.next_key()? {
            let name = name.into_owned();
            if object.contains_key(&name) {
                self.reader.warn(FieldFault::Duplicate, &name);
            }
            self.reader.path.push(Step::Key(name));
            let value = entries.next_value_seed(self.inner(ty))?;
            if let Some(Step::Key(name)) = self.reader.path.pop() {
                object.insert(name, value.unwrap_or_else(|| empty(ty)));
            }
        }
        Ok(Value::Object(object))
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        match self.ty {
            Type::Bool | Type::Any | Type::SchemaOr(SchemaChoice::Bool) => {
                return Ok(Some(Value::Bool(value)));
            }
            Type::Quantity => {
                let fault = scalar::quantity(if value { "true" } else { "false" });
                self.reader.fault(|_| fault.err().unwrap_or_default());
            }
            ty => self.reader.mismatch("bool", &go_type(ty)),
        }
        Ok(None)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(self.number(number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.text(Cow::Borrowed(value)))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Self::Value, E> {
        Ok(self.text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.object(entries)
    }
}

/// A key, borrowed from the text where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }

            fn visit_string<E>(self, key: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key)))
            }
        }

        input.deserialize_str(KeyVisitor)
    }
}

/// What Go leaves in a list or map for a `null`: the empty value of the type.
pub(crate) fn empty(ty: Type) -> Value {
    match ty {
        Type::String | Type::Bytes => Value::String(String::new()),
        Type::Quantity => Value::String("0".to_owned()),
        Type::Bool => Value::Bool(false),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => Value::from(0),
        Type::Message(_) | Type::Map(_) => Value::Object(Map::new()),
        Type::List(_) => Value::Array(Vec::new()),
        Type::Time | Type::MicroTime | Type::Duration | Type::Any | Type::SchemaOr(_) => {
            Value::Null
        }
    }
}

/// The type of a JSON schema in a `CustomResourceDefinition`.
pub(crate) fn schema_type() -> Type {
    crate::message("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
        .map_or(Type::Any, Type::Message)
}

/// The name of a type in Go's messages.
fn go_type(ty: Type) -> Cow<'static, str> {
    Cow::Borrowed(match ty {
        // Times are read as strings first, and fail there.
        Type::String | Type::Time | Type::MicroTime | Type::Duration => "string",
        Type::Bool => "bool",
        Type::Int32 | Type::IntOrString => "int32",
        Type::Int64 => "int64",
        Type::Double => "float64",
        Type::Bytes => "[]uint8",
        Type::Quantity => "resource.Quantity",
        Type::Any => "runtime.RawExtension",
        Type::Message(message) => message.go_name(),
        Type::SchemaOr(SchemaChoice::Schemas) => "v1.JSONSchemaPropsOrArray",
        Type::SchemaOr(SchemaChoice::Bool) => "v1.JSONSchemaPropsOrBool",
        Type::SchemaOr(SchemaChoice::Strings) => "v1.JSONSchemaPropsOrStringArray",
        Type::List(item) => return Cow::Owned(format!("[]{}", go_type(*item))),
        Type::Map(value) => return Cow::Owned(format!("map[string]{}", go_type(*value))),
    })
}
