//! JSON of any form, with what was given twice in it.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{FieldFault, MAX_WARNINGS, Warning};

/// Reads one value; the last of duplicate fields counts.
pub(super) struct Plain<'a> {
    /// Where the value is.
    pub(super) path: &'a mut String,
    pub(super) warnings: &'a mut Vec<Warning>,
}

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let Self { path, warnings } = self;
        let mut map = Map::new();
        let length = path.len();
        while let Some(name) = fields.next_key::<String>()? {
            if length > 0 {
                path.push('.');
            }
            path.push_str(&name);
            let inner = Plain { path: &mut *path, warnings: &mut *warnings };
            let value = fields.next_value_seed(inner)?;
            if map.insert(name, value).is_some() && warnings.len() < MAX_WARNINGS {
                warnings.push(Warning { fault: FieldFault::Duplicate, path: path.clone() });
            }
            path.truncate(length);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Self { path, warnings } = self;
        let mut list = Vec::new();
        let length = path.len();
        loop {
            // Writing to a string cannot fail.
            let _ = write!(path, "[{}]", list.len());
            let inner = Plain { path: &mut *path, warnings: &mut *warnings };
            let item = items.next_element_seed(inner)?;
            path.truncate(length);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
}
