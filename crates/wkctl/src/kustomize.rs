//! Kustomizations: folders whose `kustomization.yaml` says which objects there are and how they differ
//! from how they were written.
//!
//! # Invariants
//! - What is built is what `kubectl kustomize` builds, byte for byte; a field that is not supported is
//!   an error that names it, and never left out in silence.
//! - References to objects by name are followed once, at the very end, by the names that the objects
//!   had before: so that a base and its overlays each use the names they know.
//!
//! Spec: <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>

mod fields;
mod file;
mod generate;
mod item;
mod order;
mod patch;
mod pattern;
mod references;
#[cfg(test)]
mod tests;
mod transform;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use self::file::{Folder, Kustomization};
use self::item::Item;
use crate::{manifest, yaml};

/// The objects of a folder with a kustomization, in the order in which they are to be created.
pub(crate) fn build(folder: &Path) -> anyhow::Result<Vec<Value>> {
    let mut items = accumulated(folder, &mut Vec::new())?;
    generate::add_hashes(&mut items)?;
    references::follow(&mut items)?;
    let mut objects: Vec<Value> = items.into_iter().map(|item| item.object).collect();
    objects.retain(|object| {
        let annotations = object.pointer("/metadata/annotations");
        annotations.is_none_or(|all| all.get("config.kubernetes.io/local-config").is_none())
    });
    for object in &mut objects {
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        let Some(metadata) = metadata else { continue };
        let none = |all: &Value| all.as_object().is_some_and(serde_json::Map::is_empty);
        if metadata.get("annotations").is_some_and(none) {
            metadata.remove("annotations");
        }
    }
    order::sort(&mut objects);
    Ok(objects)
}

/// The objects of one folder and its bases, changed as the folder says. `above` are the folders that
/// led here.
fn accumulated(folder: &Path, above: &mut Vec<PathBuf>) -> anyhow::Result<Vec<Item>> {
    let (folder, kustomization) = Folder::open(folder)?;
    if above.contains(&folder.root) {
        bail!("cycle detected: `{}` is among its own resources", folder.root.display());
    }
    above.push(folder.root.clone());
    let mut items = Vec::new();
    for resource in &kustomization.resources {
        let path = folder.root.join(resource);
        let more = if path.is_dir() {
            accumulated(&path, above)?
        } else {
            let text = folder.text(resource).context("accumulating resources")?;
            let documents = yaml::kustomize_documents(&text)
                .with_context(|| format!("accumulating resources from '{resource}'"))?;
            let objects = manifest::objects(resource, documents)?;
            objects.into_iter().map(|one| Item::new(one.object)).collect()
        };
        for item in more {
            add(&mut items, item)?;
        }
    }
    above.pop();
    generate::run(&folder, &kustomization, &mut items)?;
    change(&folder, &kustomization, &mut items)?;
    Ok(items)
}

fn add(items: &mut Vec<Item>, item: Item) -> anyhow::Result<()> {
    let id = item.id();
    if items.iter().any(|other| other.id().is_same(&id)) {
        bail!("may not add resource with an already registered id: {id}");
    }
    items.push(item);
    Ok(())
}

/// Carries out what the kustomization says of all its objects; the order matters.
fn change(
    folder: &Folder,
    kustomization: &Kustomization,
    items: &mut Vec<Item>,
) -> anyhow::Result<()> {
    for patch in &kustomization.patches {
        patch::apply(folder, patch, items)?;
    }
    transform::namespace(&kustomization.namespace, items)?;
    transform::names(&kustomization.name_prefix, &kustomization.name_suffix, items);
    for labels in &kustomization.labels {
        transform::labels(labels, items);
    }
    transform::common_labels(&kustomization.common_labels, items);
    transform::annotations(&kustomization.common_annotations, items);
    for replica in &kustomization.replicas {
        transform::replicas(replica, items)?;
    }
    for image in &kustomization.images {
        transform::image(image, items);
    }
    Ok(())
}
