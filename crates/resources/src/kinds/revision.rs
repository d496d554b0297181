//! Templates of pods, and the histories that controllers keep.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::{define, pod};
use crate::check::Faults;
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        define("", "v1", "PodTemplate")
            .generation()
            .columns(vec![
                Column::NAME,
                Column::text("Containers", "The names of the containers."),
                Column::text("Images", "The images of the containers."),
                Column::text("Pod Labels", "The labels of the pods."),
            ])
            .rules(Templates),
        define("apps", "v1", "ControllerRevision")
            .shows([
                Column::text("Controller", "The object whose state this was."),
                Column::int("Revision", "The number of the state."),
            ])
            .rules(Revisions),
    ]
}

#[derive(Debug)]
struct Templates;

impl KindRules for Templates {
    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("template") != old.get("template")
    }

    fn warnings(&self, object: &Value, _old: Option<&Value>) -> Vec<String> {
        let template = &object["template"];
        pod::warnings::of(&template["metadata"], &template["spec"], "template.")
    }

    fn row(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        let template = &object["template"];
        let (containers, images) = table::containers(&template["spec"]);
        let labels = table::labels(template["metadata"].get("labels"));
        vec![table::name(object), containers, images, labels]
    }
}

#[derive(Debug)]
struct Revisions;

impl KindRules for Revisions {
    fn validate(&self, revision: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        if !revision.has("data") {
            faults.push(Fault::required(&root.child("data"), "data is mandatory"));
        }
        metadata::non_negative(revision, "revision", &root, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "data", &FieldPath::Root, faults);
    }

    fn row(&self, revision: &Value, now: Timestamp) -> Vec<Value> {
        let owners = revision["metadata"].items("ownerReferences");
        let owner = owners.iter().find(|owner| owner.is("controller"));
        let owner = owner.map_or("<none>".to_owned(), |owner| {
            let kind = owner.text("kind").to_lowercase();
            match owner.text("apiVersion").split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", owner.text("name")),
                None => format!("{kind}/{}", owner.text("name")),
            }
        });
        vec![
            table::name(revision),
            owner.into(),
            table::int(revision, "revision"),
            table::age(revision, now),
        ]
    }
}
