//! Server-side apply: whoever sets a field owns it, and nobody takes it away unasked.
//!
//! An object's `metadata.managedFields` says which manager owns which fields. [`apply`] lays a
//! configuration over the live object: fields that others own and that would change are conflicts
//! unless forced; fields that the manager applied before and no longer does are removed if nobody
//! else owns them. [`update`] keeps the book for every other write.
//!
//! This follows the rules of Kubernetes' structured merge, with the granularity of each field from
//! `wk-schema`; where a kind has no table, maps are granular and lists are atomic.
//!
//! Spec: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

mod created;
mod field_set;
mod managed;
mod typed;

use serde_json::{Map, Value};
use wk_schema::Message;

use crate::PatchError;
use crate::limits::check_depth;
use managed::{Managers, Owned};
use typed::Node;

pub use field_set::{FieldSet, FieldSetError, PathElement};
pub use managed::{Manager, Operation};

/// How many managers that update, and do not apply, are kept apart; older ones are joined.
pub const MAX_UPDATE_MANAGERS: usize = 10;

/// The manager that owns what an object had before anybody managed its fields.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Who writes what, and when.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The kind's fields; `None` for kinds without a table.
    pub message: Option<&'static Message>,
    /// The name of the manager.
    pub manager: &'a str,
    /// The version of the request: `apps/v1`.
    pub api_version: &'a str,
    /// The subresource written through; empty for the object itself.
    pub subresource: &'a str,
    /// The time, RFC 3339 with seconds.
    pub now: &'a str,
    /// Fields that this endpoint does not write (`status` of the object itself, all else of
    /// `/status`): nobody comes to own them here.
    pub ignored: &'a FieldSet,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The object, with its new `managedFields`.
    pub object: Value,
    /// Whether it differs from the live one in anything but times of managers.
    pub changed: bool,
}

/// Why a configuration was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration cannot be applied; a `BadRequest`.
    #[error("{0}")]
    Malformed(String),
    /// Others own fields that would change; a `Conflict` with a cause for each.
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration is nested too deeply.
    #[error(transparent)]
    Limit(#[from] PatchError),
}

/// A field that another manager owns. As a cause of the status its reason is
/// `FieldManagerConflict`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner.
    pub manager: Manager,
    /// The field: `.spec.replicas`.
    pub field: String,
}

impl Conflict {
    /// The text of the cause: `conflict with "kubectl" using apps/v1`.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager.described())
    }
}

fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [conflict] = conflicts {
        return format!("Apply failed with 1 conflict: {}: {}", conflict.message(), conflict.field);
    }
    let mut lines = Vec::new();
    let mut last = None;
    for conflict in conflicts {
        if last != Some(&conflict.manager) {
            lines.push(format!("conflicts with {}:", conflict.manager.described()));
            last = Some(&conflict.manager);
        }
        lines.push(format!("- {}", conflict.field));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

/// Applies a configuration to the live object, `None` if there is none yet.
///
/// The configuration is decoded (known fields, canonical scalars); the result is to be defaulted,
/// validated and stored as any other write. Applying the same again changes nothing.
///
/// # Errors
/// [`ApplyError`] by variant.
pub fn apply(
    context: &Context<'_>,
    live: Option<&Value>,
    config: &Value,
    force: bool,
) -> Result<Applied, ApplyError> {
    check_depth(config)?;
    if config.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::Malformed("metadata.managedFields must be nil".to_owned()));
    }
    let node = Node::of(context.message);
    typed::check(node, config, "").map_err(|fault| unfit(config, &fault))?;
    let empty = Value::Object(Map::new());
    let (live_bare, mut managers) = opened(live.unwrap_or(&empty));
    check_depth(&live_bare)?;
    if live.is_some() && managers.0.is_empty() {
        managers = before_first_apply(context, &live_bare);
    }
    let before = managers.clone();

    let merged = typed::merged(node, &live_bare, config);
    let manager = context.manager(Operation::Apply);
    let last = managers.0.get(&manager).cloned();
    let set = context.tracked(&typed::field_set(node, config));
    managers.0.insert(
        manager.clone(),
        Owned {
            set,
            api_version: context.api_version.to_owned(),
            time: last.as_ref().and_then(|last| last.time.clone()),
        },
    );
    let object = match &last {
        Some(last) => pruned(node, &merged, &managers, &last.set),
        None => merged,
    };
    let comparison = typed::compare(node, &live_bare, &object);
    settle(context, &mut managers, &comparison, &manager, force)?;

    let changed = live.is_none() || object != live_bare || managers != before;
    if changed && let Some(owned) = managers.0.get_mut(&manager) {
        owned.time = Some(context.now.to_owned());
    }
    Ok(Applied { object: closed(object, &managers), changed })
}

/// The error for a configuration whose lists have items without keys, or two of one key.
fn unfit(config: &Value, fault: &str) -> ApplyError {
    let text = |path: &str| config.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let version = text("/apiVersion");
    let group_version =
        if version.contains('/') { version.to_owned() } else { format!("/{version}") };
    let kind = text("/kind");
    ApplyError::Malformed(format!(
        "failed to create typed patch object ({namespace}/{name}; {group_version}, Kind={kind}): \
         {fault}"
    ))
}

/// Begins the book of a new object: `new`, as it was sent and with its defaults, is the manager's.
///
/// `managedFields` that the object comes with count as in [`update`].
pub fn create(context: &Context<'_>, new: &mut Value) {
    let has_owners = new.pointer("/metadata/managedFields").is_some();
    let fields =
        if has_owners { None } else { created::fields(context.message, new, context.ignored) };
    let Some(fields) = fields else {
        *new = update(context, None, new.take());
        return;
    };
    if fields.is_empty() {
        return;
    }
    let manager = context.manager(Operation::Update);
    let (version, now) = (context.api_version, Some(context.now));
    let entry = managed::entry_with(&manager, version, now, Value::Object(fields));
    put_entries(new, Value::Array(vec![entry]));
}

/// Keeps the book for a write that is not an apply: `new` is what will be stored, after defaults.
///
/// What the write changed is the manager's from now on. `managedFields` of `new` count if they can
/// be read, so that clients may edit them; `[{}]` there forgets all owners, and an object without
/// owners stays so.
pub fn update(context: &Context<'_>, live: Option<&Value>, mut new: Value) -> Value {
    let node = Node::of(context.message);
    if check_depth(&new).is_err() {
        return new;
    }
    let sent = take_entries(&mut new);
    let unset = |value: &Value| value.is_null() || *value == "";
    let is_reset = sent.as_ref().and_then(Value::as_array).is_some_and(
        |entries| matches!(entries.as_slice(), [Value::Object(only)] if only.values().all(unset)),
    );
    let kept = live.and_then(|live| live.pointer("/metadata/managedFields"));
    let mut managers = Managers::default();
    if !is_reset {
        if context.subresource.is_empty() && sent.as_ref() != kept {
            managers = sent.as_ref().map(read_entries).unwrap_or_default();
        }
        if managers.0.is_empty() {
            managers = kept.map(read_entries).unwrap_or_default();
        }
    }
    if live.is_some() && managers.0.is_empty() {
        return new;
    }
    let nothing = live.is_none().then(|| typed::unset(context.message));
    // The owners themselves are never compared: the new object has none here, and nobody owns them.
    let comparison = match (live, &nothing) {
        (Some(live), _) => typed::compare(node, live, &new),
        (None, Some(nothing)) => typed::compare(node, nothing, &new),
        (None, None) => typed::Comparison::default(),
    };
    let manager = context.manager(Operation::Update);
    // Forced, this cannot fail.
    if settle(context, &mut managers, &comparison, &manager, true).is_err() {
        return closed(new, &managers);
    }
    let comparison = comparison.without(context.ignored);
    let written = context.tracked(&comparison.modified.union(&comparison.added));
    let (before, time) = match managers.0.remove(&manager) {
        Some(owned) => (owned.set, owned.time),
        None => (FieldSet::default(), None),
    };
    let set = context.tracked(&before.difference(&comparison.removed).union(&written));
    if !set.is_empty() {
        let time = if written.is_empty() { time } else { Some(context.now.to_owned()) };
        let api_version = context.api_version.to_owned();
        managers.0.insert(manager, Owned { set, api_version, time });
        managers.cap_updaters(MAX_UPDATE_MANAGERS);
    }
    closed(new, &managers)
}

impl Context<'_> {
    fn manager(&self, operation: Operation) -> Manager {
        Manager {
            name: self.manager.to_owned(),
            operation,
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => self.api_version.to_owned(),
            },
            subresource: self.subresource.to_owned(),
        }
    }

    /// The paths of a set that somebody may own.
    fn tracked(&self, set: &FieldSet) -> FieldSet {
        set.without(self.ignored).difference(&never_owned())
    }
}

/// What says which object it is, and what the server keeps: nobody owns these.
fn never_owned() -> FieldSet {
    FieldSet::of_fields(&[
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ])
}

/// An object without its `managedFields`, and those.
fn opened(object: &Value) -> (Value, Managers) {
    let mut object = object.clone();
    let entries = take_entries(&mut object);
    (object, entries.as_ref().map(read_entries).unwrap_or_default())
}

/// Takes the `managedFields` out of an object.
fn take_entries(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata").and_then(Value::as_object_mut)?.remove("managedFields")
}

/// The managers that `managedFields` tell of. Those that cannot be read are forgotten, as they would
/// be in Kubernetes.
fn read_entries(entries: &Value) -> Managers {
    if check_depth(entries).is_err() {
        return Managers::default();
    }
    Managers::parse(entries).unwrap_or_default()
}

fn put_entries(object: &mut Value, entries: Value) {
    if let Value::Object(fields) = object {
        let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(metadata) = metadata {
            metadata.insert("managedFields".to_owned(), entries);
        }
    }
}

/// The reverse of [`opened`].
fn closed(mut object: Value, managers: &Managers) -> Value {
    if !managers.0.is_empty() {
        put_entries(&mut object, managers.to_value());
    }
    object
}

/// The owner of everything in an object that has no owners yet, so that a first apply shows what it
/// would take over.
fn before_first_apply(context: &Context<'_>, live: &Value) -> Managers {
    let node = Node::of(context.message);
    let comparison = typed::compare(node, &typed::unset(context.message), live);
    let set = context.tracked(&comparison.added.union(&comparison.modified));
    let mut managers = Managers::default();
    let manager = Manager {
        name: BEFORE_FIRST_APPLY.to_owned(),
        operation: Operation::Update,
        api_version: context.api_version.to_owned(),
        subresource: String::new(),
    };
    let api_version = context.api_version.to_owned();
    managers.0.insert(manager, Owned { set, api_version, time: Some(context.now.to_owned()) });
    managers.drop_empty();
    managers
}

/// Takes what a write changed from the others, or tells the conflicts if it may not.
fn settle(
    context: &Context<'_>,
    managers: &mut Managers,
    comparison: &typed::Comparison,
    writer: &Manager,
    force: bool,
) -> Result<(), ApplyError> {
    let comparison = comparison.without(context.ignored);
    let changed = comparison.modified.union(&comparison.added);
    if !force {
        let others = managers.0.iter().filter(|(manager, _)| *manager != writer);
        let conflicts: Vec<Conflict> = others
            .flat_map(|(manager, owned)| {
                let fields = owned.set.intersection(&changed).paths().into_iter();
                fields.map(|field| Conflict { manager: manager.clone(), field })
            })
            .collect();
        if !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
    }
    for (manager, owned) in &mut managers.0 {
        if manager != writer {
            owned.set = owned.set.difference(&changed).difference(&comparison.removed);
        }
    }
    managers.drop_empty();
    Ok(())
}

/// Removes what the manager applied last time, no longer applies, and nobody else owns.
fn pruned(node: Node, merged: &Value, managers: &Managers, last: &FieldSet) -> Value {
    let named = |set: &FieldSet| typed::with_named_fields(node, set);
    let without = |set: &FieldSet| {
        typed::removed(node, merged, set).unwrap_or_else(|| Value::Object(Map::new()))
    };
    let last = named(last);
    let everything = named(&typed::field_set(node, merged));
    // What is left without all of it, and then with everything that somebody owns.
    let left = named(&typed::field_set(node, &without(&last)));
    let owned = managers.0.values().fold(FieldSet::default(), |all, owned| all.union(&owned.set));
    let kept = without(&everything.difference(&left.union(&named(&owned))));
    // What nobody owns stays too, unless it was applied.
    let kept = named(&typed::field_set(node, &kept));
    let gone = everything.difference(&kept).intersection(&last);
    without(&gone)
}

#[cfg(test)]
mod tests;
