//! Claims that name no class get the cluster's default one.

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;

use super::{Attributes, Place, Plugin, text};

pub(super) const CLASSES: Place = ("storage.k8s.io", "v1", "storageclasses");
/// The annotations, of today and of old, that make a class the default one.
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
/// The annotation in which old claims name their class.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

#[derive(Debug)]
pub(super) struct DefaultStorageClass;

#[async_trait]
impl Plugin for DefaultStorageClass {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && attributes.is("", "persistentvolumeclaims")
    }

    async fn mutate(&self, attributes: &Attributes<'_>, claim: &mut Value) -> Result<(), ApiError> {
        // A claim with an empty class wants no class.
        if claim["spec"]["storageClassName"].is_string()
            || claim["metadata"]["annotations"][BETA_CLASS].is_string()
        {
            return Ok(());
        }
        if let Some(name) = default(&attributes.list(CLASSES, ""), &DEFAULT) {
            claim["spec"]["storageClassName"] = name.into();
        }
        Ok(())
    }
}

/// The default among classes: the newest that is marked, of equally old ones the first by name.
pub(super) fn default(classes: &[Value], marks: &[&str]) -> Option<String> {
    let marked = classes.iter().filter(|class| {
        let annotations = &class["metadata"]["annotations"];
        marks.iter().any(|mark| annotations[*mark] == "true")
    });
    let age = |class: &&Value| {
        let metadata = &class["metadata"];
        let created = text(metadata, "creationTimestamp").to_owned();
        (created, std::cmp::Reverse(text(metadata, "name").to_owned()))
    };
    marked.max_by_key(age).map(|class| text(&class["metadata"], "name").to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(name: &str, created: &str, marked: &str) -> Value {
        let created = format!("2026-01-01T00:00:0{created}Z");
        json!({"metadata": {
            "name": name, "creationTimestamp": created, "annotations": {DEFAULT[0]: marked},
        }})
    }

    #[test]
    fn the_newest_marked_class_is_the_default() {
        let chosen = |classes: &[Value]| default(classes, &DEFAULT).unwrap_or_default();
        assert_eq!(chosen(&[]), "");
        assert_eq!(chosen(&[class("a", "1", "false")]), "");
        assert_eq!(chosen(&[class("a", "1", "true"), class("b", "2", "true")]), "b");
        assert_eq!(chosen(&[class("b", "1", "true"), class("a", "1", "true")]), "a");
        assert_eq!(chosen(&[class("a", "1", "true"), class("b", "2", "false")]), "a");
    }
}
