//! Events: of the core group as they are stored, of `events.k8s.io` as a view of the same objects.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::{Look, is_empty};
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

    fn name(&self, name: &str) -> Vec<String> {
        if self.view { names::dns1123_subdomain(name) } else { names::path_segment(name) }
    }

    fn validate(&self, event: &Value, faults: &mut Faults) {
        let event = &self.core(event);
        if event.has("eventTime") {
            timed(event, faults);
        } else {
            untimed(event, faults);
        }
    }

    fn validate_create(&self, event: &Value, faults: &mut Faults) {
        if self.view {
            modern(&self.core(event), faults);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        // Events of the core group may be changed freely.
        if !self.view {
            return;
        }
        let (new, old) = (&self.core(new), &self.core(old));
        if new.get("series") != old.get("series") {
            series(new, faults);
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
            let value = |event: &Value| {
                event.get(field).filter(|value| !is_empty(value)).cloned().unwrap_or_default()
            };
            let (after, before) = (value(new), value(old));
            if after != before {
                let root = FieldPath::Root;
                let shown =
                    if field == "reportingComponent" { "reportingController" } else { field };
                faults.push(Fault::invalid(&root.child(shown), after, "field is immutable"));
            }
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

/// An event lives in the namespace of what it is about.
fn misplaced(event: &Value) -> Fault {
    let root = FieldPath::Root;
    let path = root.child("involvedObject.namespace");
    let involved = event["involvedObject"].text("namespace");
    Fault::invalid(&path, involved, "does not match event.namespace")
}

/// Checks an event that does not say when it happened, as older programs make them.
fn untimed(event: &Value, faults: &mut Faults) {
    let own = event["metadata"].text("namespace");
    let involved = event["involvedObject"].text("namespace");
    let fits = if involved.is_empty() { matches!(own, "" | "default") } else { own == involved };
    if !fits {
        faults.push(misplaced(event));
    }
}

/// The most bytes of short texts, and of the message.
const TEXT_MAX: usize = 128;
const MESSAGE_MAX: usize = 1024;

/// Checks an event that says when it happened.
fn timed(event: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let own = event["metadata"].text("namespace");
    if event["involvedObject"].lacks("namespace") && !matches!(own, "default" | "kube-system") {
        faults.push(misplaced(event));
    }
    let controller = root.child("reportingController");
    let reporter = event.text("reportingComponent");
    if reporter.is_empty() {
        faults.push(Fault::required(&controller, ""));
    }
    check::invalid(&controller, reporter, names::qualified_name(reporter), faults);
    for field in ["reportingInstance", "action", "reason"] {
        check::required(event, field, &root, faults);
        short(event, field, TEXT_MAX, faults);
    }
    short(event, "message", MESSAGE_MAX, faults);
}

fn short(event: &Value, field: &str, max: usize, faults: &mut Faults) {
    if event.text(field).len() > max {
        let detail = format!("can have at most {max} characters");
        faults.push(Fault::invalid(&FieldPath::Root.child(field), "", detail));
    }
}

/// Checks how often an event happened again.
fn series(event: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let (series, path) = (&event["series"], root.child("series"));
    if !series.is_object() {
        return;
    }
    if series.int("count").unwrap_or(0) < 2 {
        faults.push(Fault::invalid(&path.child("count"), "", "should be at least 2"));
    }
    check::required(series, "lastObservedTime", &path, faults);
}

/// Checks what events of `events.k8s.io` must say, and may not say any more.
fn modern(event: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    series(event, faults);
    check::required(event, "eventTime", &root, faults);
    let kind = event.text("type");
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        faults.push(Fault::invalid(&root.child("type"), "", detail));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        let value = &event[field];
        let is_set = match field {
            "source" => !value.lacks("component") || !value.lacks("host"),
            _ => !is_empty(value) && *value != 0,
        };
        if is_set {
            faults.push(Fault::invalid(&root.child(field), "", "needs to be unset"));
        }
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
