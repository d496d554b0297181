//! Golden pairs: what a client sends, and what it reads back after the create.
//!
//! A case is `tests/golden/NAME.input.yaml` with `NAME.output.yaml` beside it. With
//! `UPDATE_GOLDEN=1` the outputs are written instead of compared.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wk_api::{GroupVersion, Uid, parse_time};
use wk_resources::{Definition, RequestContext, definition};

fn created(input: &str) -> Value {
    let value: Value = serde_yaml::from_str(input).expect("the input is YAML");
    let version =
        value["apiVersion"].as_str().and_then(GroupVersion::parse).expect("an apiVersion");
    let kind = value["kind"].as_str().expect("a kind");
    let definition: &Definition =
        definition(&version.group, &version.version, kind).expect("the kind is built in");
    let message = definition.message.expect("built-in kinds have a message");
    let (mut object, warnings) =
        wk_schema::decode_value(value.clone(), message).expect("it decodes");
    assert_eq!(warnings, []);
    definition.default(&mut object);
    let context = RequestContext {
        now: parse_time("2026-01-02T03:04:05Z").expect("a time"),
        uid: Uid::new("11111111-2222-3333-4444-555555555555"),
        namespace: definition.namespaced.then_some("default"),
        user: "somebody",
        requester: wk_resources::Requester::default(),
        name_suffix: "x7b9k",
    };
    definition.prepare_create(&mut object, &context);
    let faults: Vec<String> =
        definition.validate_create(&object).iter().map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new());
    let mut again = object.clone();
    definition.default(&mut again);
    assert_eq!(again, object, "defaulting twice is defaulting once");
    object
}

#[test]
fn objects_read_back_as_kubernetes_gives_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.to_string_lossy().ends_with(".input.yaml"));
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().replace(".input.yaml", "");
        println!("{name}");
        let output = created(&std::fs::read_to_string(&case).unwrap());
        let path = folder.join(format!("{name}.output.yaml"));
        if update {
            std::fs::write(&path, serde_yaml::to_string(&output).unwrap()).unwrap();
            continue;
        }
        let expected: Value =
            serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(output, expected, "{name}");
    }
}
