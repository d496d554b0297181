//! What the cache wants to know of an encoded object, read in one pass.
//!
//! A value of a whole object costs many times as much as looking at the few fields that selectors
//! ask for, and it is what a start with a full store would mostly do.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use wk_resources::{Definition, SelectableField};

/// The fields of a kind's objects that selectors ask for.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    root: Node,
    fields: Vec<Wanted>,
    slots: usize,
}

/// A selectable field, and in which slots what it is made of is found.
#[derive(Debug)]
struct Wanted {
    field: SelectableField,
    own: usize,
    otherwise: Option<usize>,
}

/// Part of the tree of wanted fields; there are few, so that they are looked through in turn.
#[derive(Debug, Default)]
struct Node {
    slot: Option<usize>,
    inner: Vec<(String, Self)>,
}

impl Node {
    fn child(&self, name: &str) -> Option<&Self> {
        self.inner.iter().find(|(own, _)| own == name).map(|(_, node)| node)
    }

    fn slot_of(&mut self, path: &str, slots: &mut usize) -> usize {
        if path.is_empty() {
            return *self.slot.get_or_insert_with(|| {
                *slots += 1;
                *slots - 1
            });
        }
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let place = self.inner.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
            self.inner.push((name.to_owned(), Self::default()));
            self.inner.len() - 1
        });
        self.inner[place].1.slot_of(rest, slots)
    }

    /// Takes the wanted fields out of a value.
    fn take(&self, value: Value, found: &mut [Option<Value>]) {
        for (name, node) in &self.inner {
            if let Some(inner) = value.get(name) {
                node.take(inner.clone(), found);
            }
        }
        if let Some(slot) = self.slot {
            found[slot] = Some(value).filter(|value| !value.is_null());
        }
    }
}

impl Outline {
    /// The outline of objects of a kind.
    pub(crate) fn of(definition: &Definition) -> Self {
        let mut outline = Self::default();
        for field in &definition.selectable {
            let own = outline.root.slot_of(&field.path, &mut outline.slots);
            let otherwise = (!field.otherwise.is_empty())
                .then(|| outline.root.slot_of(&field.otherwise, &mut outline.slots));
            outline.fields.push(Wanted { field: field.clone(), own, otherwise });
        }
        outline
    }

    /// The metadata of an object as they are written, and the values of its selectable fields in
    /// the order of the definition.
    pub(crate) fn read<'a>(
        &self,
        json: &'a [u8],
    ) -> Result<(&'a RawValue, Vec<String>), serde_json::Error> {
        let mut found = vec![None; self.slots];
        let mut metadata = None;
        let mut input = serde_json::Deserializer::from_slice(json);
        let root = Whole { node: &self.root, found: &mut found, metadata: &mut metadata };
        input.deserialize_map(root)?;
        input.end()?;
        let metadata: &RawValue =
            metadata.ok_or_else(|| serde::de::Error::missing_field("metadata"))?;
        if let Some(node) = self.root.child("metadata") {
            node.take(serde_json::from_str(metadata.get())?, &mut found);
        }
        let fields = self.fields.iter().map(|wanted| {
            let otherwise = wanted.otherwise.and_then(|slot| found[slot].as_ref());
            wanted.field.text(found[wanted.own].as_ref(), otherwise)
        });
        Ok((metadata, fields.collect()))
    }
}

/// What the name of a field leads to.
enum Next<'n> {
    Metadata,
    Wanted(&'n Node),
    Other,
}

/// Reads the name of a field.
struct Name<'n> {
    node: &'n Node,
    is_root: bool,
}

impl<'de, 'n> DeserializeSeed<'de> for Name<'n> {
    type Value = Next<'n>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Next<'n>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Next<'n>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Next<'n>, E> {
        if self.is_root && name == "metadata" {
            return Ok(Next::Metadata);
        }
        Ok(self.node.child(name).map_or(Next::Other, Next::Wanted))
    }
}

/// Reads a whole object.
struct Whole<'n, 'f, 'de> {
    node: &'n Node,
    found: &'f mut [Option<Value>],
    metadata: &'f mut Option<&'de RawValue>,
}

impl<'de> Visitor<'de> for Whole<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(next) = map.next_key_seed(Name { node: self.node, is_root: true })? {
            match next {
                Next::Metadata => *self.metadata = Some(map.next_value()?),
                Next::Wanted(node) => map.next_value_seed(Part { node, found: self.found })?,
                Next::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a field that is wanted, or has wanted ones in it.
struct Part<'n, 'f> {
    node: &'n Node,
    found: &'f mut [Option<Value>],
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        if self.node.slot.is_some() {
            let value = <Value as serde::Deserialize>::deserialize(input)?;
            self.node.take(value, self.found);
            return Ok(());
        }
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(next) = map.next_key_seed(Name { node: self.node, is_root: false })? {
            match next {
                Next::Wanted(node) => map.next_value_seed(Part { node, found: self.found })?,
                Next::Metadata | Next::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(case: &str, kind: (&str, &str, &str), object: &Value) {
        let definition = wk_resources::definition(kind.0, kind.1, kind.2).unwrap();
        let expected: Vec<String> =
            definition.fields(object).into_iter().map(|(_, value)| value).collect();
        let text = object.to_string();
        let (metadata, found) = Outline::of(definition).read(text.as_bytes()).unwrap();
        assert_eq!(found, expected, "{case}");
        assert_eq!(serde_json::from_str::<Value>(metadata.get()).unwrap(), object["metadata"]);
    }

    #[test]
    fn it_tells_what_a_value_of_the_whole_would() {
        let pod = ("", "v1", "Pod");
        check("an empty one", pod, &json!({"metadata": {}}));
        check(
            "a pod",
            pod,
            &json!({
                "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "b"}},
                "spec": {
                    "nodeName": "n", "restartPolicy": "Always", "hostNetwork": true,
                    "containers": [{"name": "c", "spec": {"nodeName": "other"}}],
                    "serviceAccountName": "a\"b\u{e4}\n",
                },
                "status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "1"}]},
            }),
        );
        check("other types", pod, &json!({"metadata": {}, "spec": 7, "status": {"phase": [1.5]}}));
        check("null", pod, &json!({"metadata": {}, "spec": null, "status": {"phase": null}}));
        check("texts and lists", pod, &json!({"metadata": {}, "spec": "x", "status": [true]}));
        let event = ("", "v1", "Event");
        for source in [json!({"component": "k"}), json!({}), json!({"component": ""})] {
            let object = json!({
                "metadata": {"name": "e"}, "source": source, "reportingComponent": "r",
                "involvedObject": {"kind": "Pod", "name": "p"},
            });
            check("one field instead of another", event, &object);
        }
        check("none", ("", "v1", "ConfigMap"), &json!({"metadata": {"name": "a"}, "data": {}}));
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        let outline = Outline::of(wk_resources::definition("", "v1", "Pod").unwrap());
        for text in ["", "7", "[]", "{}", "{\"metadata\":{}", "{\"metadata\":{}}x", "{\"spec\":{}}"]
        {
            assert!(outline.read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
