//! Config maps and secrets made from texts and files, and the hashes at the end of their names.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wk_oci::Digest;

use super::file::{Folder, Generator, GeneratorOptions, Kustomization};
use super::item::Item;

/// Length of the lines of long base64 texts.
const LINE: usize = 70;
/// Length of the hash in a name.
const HASH: usize = 10;

/// Makes what the kustomization generates, or merges it into what is there.
pub(super) fn run(
    folder: &Folder,
    kustomization: &Kustomization,
    items: &mut Vec<Item>,
) -> anyhow::Result<()> {
    let all = &kustomization.generator_options;
    for (kind, generators) in [
        ("ConfigMap", &kustomization.config_map_generator),
        ("Secret", &kustomization.secret_generator),
    ] {
        for generator in generators {
            let made = made(folder, kind, generator, all)
                .with_context(|| format!("cannot generate {kind} `{}`", generator.name))?;
            absorb(&generator.behavior, made, items)?;
        }
    }
    Ok(())
}

fn made(
    folder: &Folder,
    kind: &str,
    generator: &Generator,
    all: &GeneratorOptions,
) -> anyhow::Result<Item> {
    if generator.name.is_empty() {
        bail!("kustomization.yaml must give it a name");
    }
    let mut object =
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": generator.name}});
    if !generator.namespace.is_empty() {
        object["metadata"]["namespace"] = json!(generator.namespace);
    }
    if kind == "Secret" {
        let written = generator.secret_type.as_str();
        object["type"] = json!(if written.is_empty() { "Opaque" } else { written });
    } else if !generator.secret_type.is_empty() {
        bail!("only secrets have a `type`");
    }
    for (key, value) in data(folder, generator)? {
        let (field, value) = match String::from_utf8(value) {
            Ok(text) if kind == "ConfigMap" => ("data", text),
            Ok(text) => ("data", encoded(text.as_bytes())),
            Err(bytes) if kind == "ConfigMap" => ("binaryData", encoded(bytes.as_bytes())),
            Err(bytes) => ("data", encoded(bytes.as_bytes())),
        };
        object[field][key] = json!(value);
    }
    let own = &generator.options;
    for (field, all, own) in
        [("labels", &all.labels, &own.labels), ("annotations", &all.annotations, &own.annotations)]
    {
        for (key, value) in all.iter().chain(own) {
            object["metadata"][field][key] = json!(value);
        }
    }
    if all.immutable || own.immutable {
        object["immutable"] = json!(true);
    }
    let needs_hash = !all.disable_name_suffix_hash && !own.disable_name_suffix_hash;
    Ok(Item { needs_hash, ..Item::new(object) })
}

/// All that the generator holds.
fn data(folder: &Folder, generator: &Generator) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut data = BTreeMap::new();
    let mut add = |key: &str, value: Vec<u8>| {
        if key.is_empty() {
            bail!("a key is empty");
        }
        if data.insert(key.to_owned(), value).is_some() {
            bail!("cannot add key {key}, another key by that name already exists");
        }
        Ok(())
    };
    let envs = generator.envs.iter().chain([&generator.env]);
    for file in envs.filter(|file| !file.is_empty()) {
        let text = folder.text(file)?;
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim_start) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                bail!("`{file}` names the variable `{line}` without a value");
            };
            add(key, value.as_bytes().to_vec())?;
        }
    }
    for file in &generator.files {
        let (key, path) = match file.split_once('=') {
            Some((key, path)) => (key, path),
            None => (base_name(file), file.as_str()),
        };
        add(key, folder.bytes(path)?)?;
    }
    for literal in &generator.literals {
        let Some((key, value)) = literal.split_once('=') else {
            bail!("invalid literal source {literal}, expected key=value");
        };
        add(key, value.trim_matches(['"', '\'']).as_bytes().to_vec())?;
    }
    Ok(data)
}

fn base_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// Base64, in lines if it is long.
fn encoded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() <= LINE {
        return text;
    }
    let mut lines = String::new();
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines.push('\n');
    lines
}

/// Adds what was generated, or puts it in the place of what has its name.
fn absorb(behavior: &str, mut made: Item, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let id = made.id();
    let found = items.iter_mut().find(|item| item.ids().any(|own| own.is_same(&id)));
    let merges = match behavior {
        "" | "unspecified" | "create" => {
            if found.is_some() {
                bail!("id {id} exists; behavior must be merge or replace");
            }
            items.push(made);
            return Ok(());
        }
        "replace" => false,
        "merge" => true,
        other => bail!("the behavior {other:?} of {id} is none of create, merge and replace"),
    };
    let Some(old) = found else { bail!("id {id} does not exist; cannot merge or replace") };
    let fields: &[&str] = if merges {
        &["/metadata/labels", "/metadata/annotations", "/data", "/binaryData"]
    } else {
        &["/metadata/labels", "/metadata/annotations"]
    };
    for pointer in fields {
        let mut both = map_at(&old.object, pointer);
        both.extend(map_at(&made.object, pointer));
        if !both.is_empty() {
            match pointer.strip_prefix("/metadata/") {
                Some(field) => made.object["metadata"][field] = Value::Object(both),
                None => made.object[&pointer[1..]] = Value::Object(both),
            }
        }
    }
    made.object["metadata"]["name"] = json!(old.name());
    if !old.namespace().is_empty() {
        made.object["metadata"]["namespace"] = json!(old.namespace());
    }
    let needs_hash = made.needs_hash || old.needs_hash;
    *old = Item { object: made.object, needs_hash, ..old.clone() };
    Ok(())
}

fn map_at(object: &Value, pointer: &str) -> Map<String, Value> {
    object.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Ends names with hashes where they are to have one.
pub(super) fn add_hashes(items: &mut [Item]) -> anyhow::Result<()> {
    for item in items.iter_mut().filter(|item| item.needs_hash) {
        let hash = hash(&item.object)?;
        let name = format!("{}-{hash}", item.name());
        item.rename(&name);
    }
    Ok(())
}

/// The hash of what a config map or secret holds, in letters that spell no words.
fn hash(object: &Value) -> anyhow::Result<String> {
    let held = |field: &str| object.get(field).cloned().unwrap_or_else(|| json!(""));
    let mut content = json!({
        "kind": object["kind"],
        // The name is left out of it, so that equal contents have equal hashes.
        "name": "",
        "data": held("data"),
    });
    let more: &[&str] = if object["kind"] == "Secret" { &["stringData"] } else { &["binaryData"] };
    if object["kind"] == "Secret" {
        content["type"] = held("type");
    }
    for field in more {
        if object.get(field).is_some() {
            content[*field] = held(field);
        }
    }
    let text = serde_json::to_string(&content)?
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    let digest = Digest::of(text.as_bytes());
    let letter = |digit| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    Ok(digest.hex().chars().take(HASH).map(letter).collect())
}
