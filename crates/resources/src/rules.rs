//! What is particular to a kind, as a trait whose every part has a plain default.

use std::fmt::Debug;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, names, parse_time};

use crate::definition::{RequestContext, keep_metadata_of_status, no_metadata_of_status};
use crate::look::{Look, map_mut};
use crate::metadata::mark_deleted;
use crate::table;

/// Which part of an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Update {
    /// All but the status.
    Whole,
    /// The status only.
    Status,
    /// What a named subresource is about: `ephemeralcontainers`, `resize`, `finalize`, `approval`,
    /// `scale`.
    Subresource(&'static str),
}

/// How an object is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteRequest {
    /// The time of the request.
    pub now: Timestamp,
    /// `gracePeriodSeconds` of the delete options; `None` leaves it to the object.
    pub grace_seconds: Option<i64>,
}

/// What a deletion comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// The object is to be removed at once.
    Now,
    /// The object was marked and is to be stored; somebody removes it later.
    Marked,
    /// The object is marked already, and nothing changes.
    Pending,
}

/// What is particular to a kind. Everything has a default that suits a plain kind.
pub trait KindRules: Debug + Send + Sync {
    /// The faults of a name.
    fn name(&self, name: &str) -> Vec<String> {
        names::dns1123_subdomain(name)
    }

    /// Fills in defaults that need the whole object; those of its parts are filled in before.
    fn default(&self, _object: &mut Value) {}

    /// Whether a new object keeps the status it comes with.
    fn creates_with_status(&self) -> bool {
        false
    }

    /// Makes an object ready to be stored as a new one.
    fn prepare_create(&self, _object: &mut Value, _context: &RequestContext<'_>) {}

    /// Checks what needs the whole object, on creation and on change.
    fn validate(&self, _object: &Value, _faults: &mut Vec<Fault>) {}

    /// Checks what matters only on creation.
    fn validate_create(&self, _object: &Value, _faults: &mut Vec<Fault>) {}

    /// Whether a write of a named subresource keeps the whole status.
    fn keeps_status(&self, _subresource: &str) -> bool {
        true
    }

    /// Whether an object may be replaced by one that does not say which revision it is made of.
    fn replaces_any_revision(&self) -> bool {
        true
    }

    /// Makes an object ready to replace another.
    fn prepare_update(&self, _new: &mut Value, _old: &Value, _update: Update) {}

    /// Writes the time of a change where nobody gave one.
    fn stamp(&self, _new: &mut Value, _old: &Value, _now: Timestamp) {}

    /// Checks whether a change is allowed.
    fn validate_update(
        &self,
        _new: &Value,
        _old: &Value,
        _update: Update,
        _faults: &mut Vec<Fault>,
    ) {
    }

    /// Whether a change is one of what is wanted, which `metadata.generation` counts.
    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("spec") != old.get("spec")
    }

    /// Takes over what a write of the status may change in the metadata. `kept` is the metadata
    /// of the stored object. Most kinds keep nothing but what is wanted from being written there.
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        let fields = ["annotations", "finalizers", "labels", "ownerReferences"];
        keep_metadata_of_status(kept, sent, &fields);
        no_metadata_of_status(kept, sent);
    }

    /// What a client is warned of who makes an object, or makes it of `old`.
    fn warnings(&self, _object: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// The seconds a deletion is to wait; `None` for kinds that are removed at once.
    fn grace_seconds(&self, _object: &Value, _asked: Option<i64>) -> Option<i64> {
        None
    }

    /// Begins, hastens or ends a deletion.
    fn delete(&self, object: &mut Value, request: &DeleteRequest) -> Deletion {
        let metadata = &object["metadata"];
        if let Some(until) = parse_time(metadata.text("deletionTimestamp")) {
            // A deletion under way can only be hastened.
            let Some(grace) = metadata.int("deletionGracePeriodSeconds") else {
                return Deletion::Now;
            };
            let Some(asked) = request.grace_seconds.map(|asked| asked.max(0)) else {
                return Deletion::Pending;
            };
            if asked == 0 {
                return Deletion::Now;
            }
            if asked >= grace {
                return Deletion::Pending;
            }
            let begun = until.as_second().saturating_sub(grace);
            let until = begun.saturating_add(asked);
            let until = Timestamp::from_second(until).unwrap_or(request.now);
            let metadata = map_mut(object, "metadata");
            metadata.insert("deletionTimestamp".to_owned(), wk_api::rfc3339(until).into());
            metadata.insert("deletionGracePeriodSeconds".to_owned(), asked.into());
            return Deletion::Marked;
        }
        match self.grace_seconds(object, request.grace_seconds) {
            None | Some(0) => Deletion::Now,
            Some(grace) => {
                mark_deleted(object, request.now, grace);
                Deletion::Marked
            }
        }
    }

    /// The cells of the table row of an object.
    fn row(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        vec![table::name(object), object["metadata"].text("creationTimestamp").into()]
    }

    /// Turns an object as it is stored into this kind, for kinds that are views of others.
    fn to_view(&self, _object: &mut Value) {}

    /// Turns an object of this kind into what is stored, for kinds that are views of others.
    fn to_stored(&self, _object: &mut Value) {}
}

/// A kind without anything particular.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl KindRules for Plain {}
