//! Properties that hold for every kind and every value that the decoder can let through.

use proptest::prelude::*;
use serde_json::{Map, Value};
use wk_api::{Uid, parse_time};
use wk_resources::{DeleteRequest, RequestContext, Update, builtin};
use wk_schema::{Message, Type};

/// Random values along a schema.
struct Chaos {
    state: u64,
}

impl Chaos {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*: good enough to pick fields with.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let random = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(random).expect("31 bits fit") % bound
    }

    fn text(&mut self) -> Value {
        const TEXTS: [&str; 24] = [
            "",
            "a",
            "web",
            "A_",
            "Always",
            "Never",
            "ClusterFirst",
            "TCP",
            "80",
            "1Gi",
            "-1",
            "100m",
            "25%",
            "None",
            "*",
            "/etc/../x",
            "..data",
            "ä\n",
            "example.com/x",
            "RollingUpdate",
            "2026-01-02T03:04:05Z",
            "10.0.0.1",
            "[\u{0}]",
            "In",
        ];
        TEXTS[self.below(TEXTS.len())].into()
    }

    fn number(&mut self) -> Value {
        [0, 1, -1, 80, 65_536, i64::from(i32::MAX), i64::from(i32::MIN)][self.below(7)].into()
    }

    fn value(&mut self, ty: Type, depth: usize) -> Value {
        match ty {
            Type::String | Type::Time | Type::MicroTime | Type::Duration | Type::Bytes => {
                self.text()
            }
            Type::Bool => (self.below(2) == 0).into(),
            Type::Int32 | Type::Int64 => self.number(),
            Type::Double => 0.5.into(),
            Type::Quantity => ["0", "1", "-1", "100m", "1Gi", "1500m", "9223372036854775807"]
                [self.below(7)]
            .into(),
            Type::IntOrString => {
                if self.below(2) == 0 {
                    self.number()
                } else {
                    self.text()
                }
            }
            Type::Any | Type::SchemaOr(_) => Value::Object(Map::new()),
            Type::Message(message) => self.object(message, depth),
            Type::List(item) => {
                let length = if depth == 0 { 0 } else { self.below(4) };
                (0..length).map(|_| self.value(*item, depth - 1)).collect()
            }
            Type::Map(item) => {
                let length = if depth == 0 { 0 } else { self.below(3) };
                let entries = (0..length).map(|_| {
                    let key = self.text().as_str().unwrap_or_default().to_owned();
                    (key, self.value(*item, depth - 1))
                });
                Value::Object(entries.collect())
            }
        }
    }

    fn object(&mut self, message: &'static Message, depth: usize) -> Value {
        let mut map = Map::new();
        if depth == 0 {
            return Value::Object(map);
        }
        let wanted = message.fields.len().min(8);
        for field in message.fields {
            if self.below(message.fields.len()) < wanted || field.json == "spec" {
                map.insert(field.json.to_owned(), self.value(field.ty, depth - 1));
            }
        }
        Value::Object(map)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_object_makes_a_rule_panic(seed in 1_u64..u64::MAX) {
        let mut chaos = Chaos { state: seed };
        let now = parse_time("2026-01-02T03:04:05Z").unwrap();
        for definition in builtin() {
            let message = definition.message.unwrap();
            let mut object = chaos.object(message, 9);
            let _ = definition.row(&object, now);
            let _ = definition.validate_create(&object);
            definition.default(&mut object);
            let mut again = object.clone();
            definition.default(&mut again);
            prop_assert_eq!(&again, &object, "{} is defaulted once and for all", definition.kind);
            let context = RequestContext {
                now,
                uid: Uid::new("u"),
                namespace: definition.namespaced.then_some("default"),
                user: "somebody",
                requester: wk_resources::Requester::default(),
                name_suffix: "x7b9k",
            };
            definition.prepare_create(&mut object, &context);
            let _ = definition.validate_create(&object);
            let _ = definition.warnings(&object, None);
            let cells = definition.row(&object, now);
            prop_assert_eq!(cells.len(), definition.columns.len(), "{}", definition.kind);
            let _ = definition.fields(&object);
            for update in [
                Update::Whole,
                Update::Status,
                Update::Subresource("resize"),
                Update::Subresource("ephemeralcontainers"),
                Update::Subresource("approval"),
            ] {
                let mut new = chaos.object(message, 9);
                definition.default(&mut new);
                definition.prepare_update(&mut new, &object, update);
                let _ = definition.validate_update(&new, &object, update);
            }
            let mut unchanged = object.clone();
            definition.prepare_update(&mut unchanged, &object, Update::Whole);
            let generation = |object: &Value| object["metadata"].get("generation").cloned();
            prop_assert_eq!(generation(&unchanged), generation(&object), "{}", definition.kind);
            let mut viewed = object.clone();
            definition.to_stored(&mut viewed);
            definition.from_stored(&mut viewed);
            let request = DeleteRequest { now, grace_seconds: None };
            let _ = definition.delete(&mut object, &request);
            let _ = definition.delete(&mut object, &request);
        }
    }
}

#[test]
fn plurals_and_kinds_are_unique_and_every_stored_kind_lists() {
    let mut seen = std::collections::BTreeSet::new();
    for definition in builtin() {
        assert!(seen.insert((definition.gvr(), definition.gvk())), "{}", definition.kind);
        let mut verbs = definition.verbs.to_vec();
        verbs.sort_unstable();
        assert_eq!(verbs, definition.verbs.to_vec(), "{}", definition.kind);
    }
    let missing: Vec<&str> = wk_schema::kinds()
        .iter()
        .filter(|kind| kind.scope != wk_schema::Scope::Subresource && !kind.plural.is_empty())
        .filter(|kind| wk_resources::definition(kind.group, kind.version, kind.kind).is_none())
        .map(|kind| kind.kind)
        .collect();
    // It needs the server to do more than to store it.
    assert_eq!(missing, ["APIService"]);
}
