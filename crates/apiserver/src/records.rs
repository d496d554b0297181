//! Whether what is stored is what this server would have stored.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use wk_resources::Definition;
use wk_store::Key;

use crate::cache::ROOT;
use crate::error;
use crate::object::{Object, Outline};

/// Looks at stored records of the built-in kinds.
#[derive(Debug)]
pub struct Records {
    /// By `group/plural`.
    kinds: HashMap<String, Arc<Definition>>,
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl Records {
    /// Knows the built-in kinds.
    pub fn new() -> Self {
        let stored = wk_resources::builtin().iter().filter(|kind| kind.stored_as.is_none());
        let kinds = stored.map(|definition| {
            let group = if definition.group.is_empty() { "core" } else { &definition.group };
            (format!("{group}/{}", definition.plural), Arc::clone(definition))
        });
        Self { kinds: kinds.collect() }
    }

    /// Whether a record is an object, of the kind and name that its key says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, key: &str, value: &[u8]) -> Result<(), String> {
        let path = key.strip_prefix(ROOT).ok_or("the key is none of this server's")?;
        let mut parts = path.splitn(3, '/');
        let (Some(group), Some(plural), Some(_)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("the key names no object".to_owned());
        };
        let own: Value = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        // Kinds that are not built in have a name and are objects, too.
        let name = own.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if key.rsplit('/').next() != Some(name) {
            return Err(format!("the object's name is `{name}`"));
        }
        let Some(definition) = self.kinds.get(&format!("{group}/{plural}")) else { return Ok(()) };
        let prefix = format!("{ROOT}{group}/{plural}/");
        let bytes = bytes::Bytes::copy_from_slice(value);
        let object = Object::read(&Outline::of(definition), &prefix, Key::from(key), bytes, 0)
            .map_err(|damaged| error::chain(&damaged))?;
        let namespace = own.pointer("/metadata/namespace").and_then(Value::as_str);
        if namespace.unwrap_or_default() != object.namespace() {
            return Err(format!("the object's namespace is `{}`", namespace.unwrap_or_default()));
        }
        if let Some(message) = definition.message {
            wk_schema::decode(value, message).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, key: &str, value: &str, expected: bool) {
        let found = Records::new().check(key, value.as_bytes());
        assert_eq!(found.is_ok(), expected, "{case}: {found:?}");
    }

    #[test]
    fn a_record_is_the_object_that_its_key_names() {
        let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"a"},"data":{"x":"y"}}"#;
        check("as stored", "/registry/core/configmaps/a/b", map, true);
        check("another name", "/registry/core/configmaps/a/c", map, false);
        check("another namespace", "/registry/core/configmaps/c/b", map, false);
        check("not JSON", "/registry/core/configmaps/a/b", "{", false);
        let wrong = map.replace("{\"x\":\"y\"}", "7");
        check("wrong types", "/registry/core/configmaps/a/b", &wrong, false);
        check("not of this server", "/elsewhere", map, false);
        let own = r#"{"metadata":{"name":"b"}}"#;
        check("a kind of the user's", "/registry/example.org/things/b", own, true);
    }
}
