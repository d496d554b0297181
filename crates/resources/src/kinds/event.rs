//! Events: of the core group as they are stored, of `events.k8s.io` as a view of the same objects.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::Look;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind in the core group.
pub(super) fn definition() -> Definition {
    define("", "v1", "Event")
        .short(&["ev"])
        .columns(columns())
        .selectable(selectable())
        .rules(Events { view: false })
}

/// The definition of the kind in `events.k8s.io`.
pub(super) fn view() -> Definition {
    let mut view = define("events.k8s.io", "v1", "Event")
        .short(&["ev"])
        .columns(columns())
        .selectable(selectable_of_view())
        .rules(Events { view: true });
    view.stored_as = Some(("", "v1", "Event"));
    view
}

fn columns() -> Vec<Column> {
    vec![
        Column::text("Last Seen", "The time at which the most recent occurrence was recorded."),
        Column::text("Type", "Type of this event (Normal, Warning), new types could be added."),
        Column::text("Reason", "A short, machine understandable string that gives the reason."),
        Column::text("Object", "The object that this event is about."),
        Column::text("Subobject", "The part of the object that this event is about.").wide(),
        Column::text("Source", "The component reporting this event.").wide(),
        Column::text("Message", "A human-readable description of the status of this operation."),
        Column::text("First Seen", "The time at which the event was first recorded.").wide(),
        Column::text("Count", "The number of times this event has occurred.").wide(),
        Column { priority: 1, ..Column::NAME },
    ]
}

fn selectable() -> Vec<SelectableField> {
    vec![
        SelectableField::new("involvedObject.kind"),
        SelectableField::new("involvedObject.namespace"),
        SelectableField::new("involvedObject.name"),
        SelectableField::new("involvedObject.uid"),
        SelectableField::new("involvedObject.apiVersion"),
        SelectableField::new("involvedObject.resourceVersion"),
        SelectableField::new("involvedObject.fieldPath"),
        SelectableField::new("reason"),
        SelectableField::new("reportingComponent"),
        SelectableField::alias("source", "source.component").or_field("reportingComponent"),
        SelectableField::new("type"),
    ]
}

fn selectable_of_view() -> Vec<SelectableField> {
    vec![
        SelectableField::new("regarding.kind"),
        SelectableField::new("regarding.namespace"),
        SelectableField::new("regarding.name"),
        SelectableField::new("regarding.uid"),
        SelectableField::new("regarding.apiVersion"),
        SelectableField::new("regarding.resourceVersion"),
        SelectableField::new("regarding.fieldPath"),
        SelectableField::new("reason"),
        SelectableField::new("reportingController"),
        SelectableField::new("type"),
    ]
}

/// What a field is called in the core group and in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

#[derive(Debug)]
struct Events {
    /// Whether objects have the form of `events.k8s.io`.
    view: bool,
}

impl Events {
    /// The event in the form of the core group.
    fn core(&self, event: &Value) -> Value {
        let mut event = event.clone();
        if self.view {
            self.to_stored(&mut event);
        }
        event
    }
}

fn rename(event: &mut Value, pairs: impl Iterator<Item = (&'static str, &'static str)>) {
    let Value::Object(map) = event else { return };
    for (from, to) in pairs {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

impl KindRules for Events {
    fn default(&self, event: &mut Value) {
        let Value::Object(map) = event else { return };
        if self.view {
            return;
        }
        // These are written whether they say something or not.
        map.entry("source").or_insert_with(|| Value::Object(Map::new()));
        for field in ["reportingComponent", "reportingInstance"] {
            map.entry(field).or_insert_with(|| "".into());
        }
    }

    fn validate(&self, event: &Value, faults: &mut Faults) {
        let event = &self.core(event);
        let root = FieldPath::Root;
        let own = event["metadata"].text("namespace");
        let involved = event["involvedObject"].text("namespace");
        let matches = if involved.is_empty() {
            matches!(own, "" | "default" | "kube-system")
        } else {
            own == involved
        };
        if !matches {
            let detail = "does not match event.namespace";
            let path = root.child("involvedObject.namespace");
            faults.push(Fault::invalid(&path, involved, detail));
        }
    }

    fn validate_create(&self, event: &Value, faults: &mut Faults) {
        let event = &self.core(event);
        if event.has("eventTime") || self.view {
            modern(event, faults);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let (new, old) = (&self.core(new), &self.core(old));
        // Events of the older form may be changed freely.
        if !old.has("eventTime") {
            return;
        }
        for field in [
            "involvedObject",
            "reason",
            "message",
            "source",
            "firstTimestamp",
            "lastTimestamp",
            "count",
            "type",
            "eventTime",
            "action",
            "related",
            "reportingComponent",
            "reportingInstance",
        ] {
            crate::metadata::immutable(new, old, field, &FieldPath::Root, faults);
        }
    }

    fn row(&self, event: &Value, now: Timestamp) -> Vec<Value> {
        row(&self.core(event), now)
    }

    fn to_view(&self, event: &mut Value) {
        if self.view {
            rename(event, NAMES.into_iter());
            event["apiVersion"] = "events.k8s.io/v1".into();
        }
    }

    fn to_stored(&self, event: &mut Value) {
        if self.view {
            rename(event, NAMES.into_iter().map(|(core, view)| (view, core)));
            event["apiVersion"] = "v1".into();
        }
    }
}

/// Checks what events of the newer form must say.
fn modern(event: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    if !event.has("eventTime") {
        faults.push(Fault::required(&root.child("eventTime"), ""));
    }
    let kind = event.text("type");
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        faults.push(Fault::invalid(&root.child("type"), "", detail));
    }
    let controller = root.child("reportingController");
    let reporter = event.text("reportingComponent");
    if reporter.is_empty() {
        faults.push(Fault::required(&controller, ""));
    } else {
        check::invalid(&controller, reporter, names::qualified_name(reporter), faults);
    }
    for (field, max) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
        let path = root.child(field);
        let text = event.text(field);
        if text.is_empty() {
            faults.push(Fault::required(&path, ""));
        } else if text.len() > max {
            let detail = format!("can have at most {max} characters");
            faults.push(Fault::invalid(&path, "", detail));
        }
    }
    if event.text("message").len() > 1024 {
        let detail = "can have at most 1024 characters";
        faults.push(Fault::invalid(&root.child("message"), "", detail));
    }
}

fn row(event: &Value, now: Timestamp) -> Vec<Value> {
    let first = match event.text("firstTimestamp") {
        "" => table::since(event.text("eventTime"), now),
        time => table::since(time, now),
    };
    let mut last = match event.text("lastTimestamp") {
        "" => first.clone(),
        time => table::since(time, now),
    };
    let mut count = event.int("count").unwrap_or(0).max(1);
    if event.has("series") {
        last = table::since(event["series"].text("lastObservedTime"), now);
        count = event["series"].int("count").unwrap_or(count);
    }
    let object = &event["involvedObject"];
    let kind = object.text("kind").to_lowercase();
    let target = match object.text("name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either = |first: &str, second: &str| -> String {
        if first.is_empty() { second.to_owned() } else { first.to_owned() }
    };
    let source = &event["source"];
    let component = either(source.text("component"), event.text("reportingComponent"));
    let host = either(source.text("host"), event.text("reportingInstance"));
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        last,
        event.text("type").into(),
        event.text("reason").into(),
        target.into(),
        object.text("fieldPath").into(),
        source.into(),
        event.text("message").trim().into(),
        first,
        json!(count),
        table::name(event),
    ]
}
