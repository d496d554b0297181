//! Patches: parts of objects to merge in, and lists of JSON operations.

mod merge;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::file::{Folder, Patch, PatchOptions, Target};
use super::item::{Id, Item};
use super::pattern;
use crate::yaml;

/// Applies one patch.
pub(super) fn apply(folder: &Folder, patch: &Patch, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let text = match (patch.path.as_str(), patch.inline.as_str()) {
        ("", "") => bail!("must specify one of patch and path in a patch"),
        (path, "") => folder.text(path)?,
        ("", text) => text.to_owned(),
        _ => bail!("patch and path can't be set at the same time"),
    };
    let documents = yaml::kustomize_documents(&text).context("unable to parse a patch")?;
    for document in documents {
        if document.is_array() {
            let Some(target) = &patch.target else {
                bail!("must specify a target for JSON patch {text}");
            };
            operations(&document, target, items)?;
        } else {
            part(&document, patch, items)?;
        }
    }
    Ok(())
}

fn operations(patch: &Value, target: &Target, items: &mut [Item]) -> anyhow::Result<()> {
    for item in items {
        if is_meant(target, item)? {
            let id = item.id();
            let object = wk_patch::json::apply(item.object.clone(), patch.clone())
                .with_context(|| format!("cannot patch {id}"))?;
            if Id::of(&object) != id {
                item.past.push(id);
            }
            item.object = object;
        }
    }
    Ok(())
}

fn part(document: &Value, patch: &Patch, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let id = Id::of(document);
    let mut meant = Vec::new();
    for item in items.iter() {
        meant.push(match &patch.target {
            Some(target) => is_meant(target, item)?,
            None => item.ids().any(|own| own.is_same(&id)),
        });
    }
    if patch.target.is_none() {
        if id.kind.is_empty() || id.name.is_empty() {
            bail!("a patch without a target must have apiVersion, kind and metadata.name");
        }
        match meant.iter().filter(|meant| **meant).count() {
            0 => {
                bail!("no resource matches strategic merge patch \"{id}\": no matches for Id {id}")
            }
            1 => {}
            _ => bail!("multiple resources match strategic merge patch \"{id}\""),
        }
    }
    let mut kept = Vec::new();
    for (mut item, meant) in std::mem::take(items).into_iter().zip(meant) {
        if !meant || merged(&mut item, document, &patch.options)? {
            kept.push(item);
        }
    }
    *items = kept;
    Ok(())
}

/// Merges a part into an object; `false` if the object is to go.
fn merged(item: &mut Item, part: &Value, options: &PatchOptions) -> anyhow::Result<bool> {
    let id = item.id();
    let schema = wk_schema::kind(&id.group, &id.version, &id.kind);
    let merged = merge::merge(item.object.clone(), part, schema);
    let merged = merged.with_context(|| format!("cannot patch {id}"))?;
    let Some(mut object) = merged else { return Ok(false) };
    if !options.allow_kind_change {
        object["apiVersion"] = item.object["apiVersion"].clone();
        object["kind"] = json!(id.kind);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if !options.allow_name_change {
            metadata.insert("name".to_owned(), json!(id.name));
        }
        if id.namespace.is_empty() {
            metadata.remove("namespace");
        } else {
            metadata.insert("namespace".to_owned(), json!(id.namespace));
        }
    }
    if Id::of(&object) != id {
        item.past.push(id);
    }
    item.object = object;
    Ok(true)
}

/// Whether a patch of this target changes the item.
fn is_meant(target: &Target, item: &Item) -> anyhow::Result<bool> {
    for (selector, pointer) in [
        (&target.label_selector, "/metadata/labels"),
        (&target.annotation_selector, "/metadata/annotations"),
    ] {
        if !selector.is_empty() {
            let selector = wk_api::LabelSelector::parse(selector)?;
            if !selector.matches(item.object.pointer(pointer).unwrap_or(&Value::Null)) {
                return Ok(false);
            }
        }
    }
    let now = item.id();
    for (pattern, text) in
        [(&target.group, &now.group), (&target.version, &now.version), (&target.kind, &now.kind)]
    {
        if !pattern::matches(pattern, text)? {
            return Ok(false);
        }
    }
    for id in item.ids() {
        let place = if id.namespace.is_empty() { "default" } else { &id.namespace };
        let near = pattern::matches(&target.namespace, &id.namespace)?
            || pattern::matches(&target.namespace, place)?;
        if near && pattern::matches(&target.name, &id.name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
