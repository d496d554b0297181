//! Creating and changing objects.

use std::sync::Arc;

use jiff::Timestamp;
use rand::Rng as _;
use serde_json::Value;
use uuid::Uuid;
use wk_api::{ApiError, Fault, FieldPath, GroupKind, Uid};
use wk_auth::User;
use wk_resources::{RequestContext, Requester, Update, metadata};

use crate::admission::{self, Attributes, Charge};
use crate::apply;
use crate::catalog::Resource;
use crate::handle::Call;
use crate::object::{Object, to_stored};
use crate::options::WriteOptions;
use crate::server::ApiServer;
use crate::storage::Unwritten;
use crate::warnings;

/// How often a generated name is tried, and a change without a revision.
const ATTEMPTS: usize = 8;

/// What came of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The object is new.
    Created(Arc<Object>),
    /// The object was changed, or is already as it was to be.
    Updated(Arc<Object>),
    /// It was only tried.
    Dry {
        /// What would have been stored.
        value: Value,
        /// Whether it would have been new.
        created: bool,
    },
}

impl Written {
    /// Whether the object is new.
    pub(crate) fn created(&self) -> bool {
        match self {
            Self::Created(_) => true,
            Self::Updated(_) => false,
            Self::Dry { created, .. } => *created,
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Makes sure that an object has metadata that can be looked into.
pub(crate) fn with_metadata(value: &mut Value) -> Result<(), ApiError> {
    let Value::Object(map) = value else {
        return Err(ApiError::bad_request("the body is not an object"));
    };
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(serde_json::Map::new());
    }
    if metadata.is_object() {
        Ok(())
    } else {
        Err(ApiError::bad_request("metadata is not an object"))
    }
}

/// What is made, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Creation<'a> {
    pub(crate) resource: &'a Resource,
    /// Empty for objects of the cluster.
    pub(crate) namespace: &'a str,
    pub(crate) options: &'a WriteOptions,
    pub(crate) user: &'a User,
    /// Who comes to own the fields; `None` for an apply, which has written that down.
    pub(crate) manager: Option<&'a str>,
}

/// Creates an object.
pub(crate) async fn create(
    server: &ApiServer,
    creation: &Creation<'_>,
    mut object: Value,
) -> Result<Written, ApiError> {
    let Creation { resource, namespace, .. } = *creation;
    with_metadata(&mut object)?;
    let own = text(&object, "/metadata/namespace");
    if resource.definition.namespaced && !own.is_empty() && own != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !text(&object, "/metadata/resourceVersion").is_empty() {
        return Err(ApiError::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let generated = text(&object, "/metadata/name").is_empty()
        && !text(&object, "/metadata/generateName").is_empty();
    let attempts = if generated { ATTEMPTS } else { 1 };
    let mut name = String::new();
    for _ in 0..attempts {
        match create_once(server, creation, object.clone(), &mut name).await {
            Err(Unwritten::Failed(error)) => return Err(error),
            Err(Unwritten::Conflict) => {}
            Ok(written) => return Ok(written),
        }
    }
    if generated {
        return Err(ApiError::generate_name_conflict(&resource.gr, &name));
    }
    Err(ApiError::already_exists(&resource.gr, &name))
}

async fn create_once(
    server: &ApiServer,
    creation: &Creation<'_>,
    mut object: Value,
    name: &mut String,
) -> Result<Written, Unwritten> {
    let Creation { resource, namespace, options, user, manager } = *creation;
    let definition = &resource.definition;
    definition.default(&mut object);
    if let Some(manager) = manager {
        apply::begun(resource, manager, &mut object);
    }
    let attributes = Attributes::create(server, resource, namespace, user, options.dry_run);
    server.admission.mutate(&attributes, &mut object).await.map_err(Unwritten::Failed)?;
    let suffix = name_suffix();
    definition.prepare_create(
        &mut object,
        &RequestContext {
            now: Timestamp::now(),
            uid: Uid::new(Uuid::new_v4().to_string()),
            namespace: definition.namespaced.then_some(namespace),
            user: &user.name,
            requester: Requester { uid: &user.uid, groups: &user.groups, extra: Some(&user.extra) },
            name_suffix: &suffix,
        },
    );
    text(&object, "/metadata/name").clone_into(name);
    let faults = definition.validate_create(&object);
    if !faults.is_empty() {
        let error = ApiError::invalid(&definition.group_kind(), name, &faults);
        return Err(Unwritten::Failed(error));
    }
    warn(definition.warnings(&object, None));
    let key = resource.key(namespace, name);
    let reserved = admission::reserve(server, resource, &key, &mut object, options.dry_run)
        .map_err(Unwritten::Failed)?;
    let charge = server.admission.validate(&attributes, &object).await;
    let charge = charge.map_err(Unwritten::Failed)?;
    if options.dry_run {
        if resource.shelf.get(&key).is_some() {
            return Err(Unwritten::Conflict);
        }
        return Ok(Written::Dry { value: object, created: true });
    }
    if resource.view {
        definition.to_stored(&mut object);
    }
    let json = to_stored(&mut object);
    if !charge.is_good() {
        charge.settle(server, false).await;
        return Err(Unwritten::Failed(late()));
    }
    let created = server.storage.create(&resource.shelf, &key, json).await;
    if let Ok(object) = &created {
        server.admission.wrote(resource, None, object);
        reserved.keep();
    }
    charge.settle(server, created.is_ok()).await;
    created.map(Written::Created)
}

/// Warns the client of what a kind has to say of an object that is fine.
fn warn(own: Vec<String>) {
    own.into_iter().for_each(warnings::add);
}

fn name_suffix() -> String {
    let mut rng = rand::rng();
    let alphabet = metadata::NAME_SUFFIX_ALPHABET;
    (0..metadata::NAME_SUFFIX_LENGTH)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
        .collect()
}

/// What a change makes of an object.
pub(crate) struct Changed {
    pub(crate) value: Value,
    /// Whether the change is meant for the revision it was made from, and no other.
    pub(crate) conditional: bool,
}

/// Which object is changed, and which part of it.
pub(crate) struct Change<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) part: Update,
    pub(crate) dry_run: bool,
    /// Who asks for it; `None` for writes of the server itself.
    pub(crate) user: Option<&'a User>,
    /// Who comes to own the fields that change, where owners are kept; `None` for an apply, which
    /// keeps them itself, and for writes of the server.
    pub(crate) manager: Option<&'a str>,
}

/// Replaces an object by the one in the body, or its status.
pub(crate) async fn replace(
    call: &Call,
    object: Value,
    options: &WriteOptions,
) -> Result<Written, ApiError> {
    replace_part(call, object, Update::Whole, options).await
}

/// Replaces a part of an object by that of the one in the body.
pub(crate) async fn replace_part(
    call: &Call,
    mut object: Value,
    part: Update,
    options: &WriteOptions,
) -> Result<Written, ApiError> {
    with_metadata(&mut object)?;
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    check_place(call, &mut object)?;
    let key = call.resource.key(namespace, name);
    if part == Update::Whole
        && creates_on_update(&call.resource)
        && call.resource.shelf.get(&key).is_none()
    {
        object["metadata"]["resourceVersion"] = Value::Null;
        let creation = Creation {
            resource: &call.resource,
            namespace,
            options,
            user: &call.user,
            manager: Some(call.manager(options)),
        };
        return create(&call.server, &creation, object).await;
    }
    let conditional = !text(&object, "/metadata/resourceVersion").is_empty();
    let change = Change {
        resource: &call.resource,
        namespace,
        name,
        part,
        dry_run: options.dry_run,
        user: Some(&call.user),
        manager: Some(call.manager(options)),
    };
    self::change(&call.server, &change, |old| {
        let uid = text(&object, "/metadata/uid");
        // That it is about another object of the name is told first.
        let same = uid.is_empty() || uid == text(old, "/metadata/uid");
        let definition = &call.resource.definition;
        if same && !conditional && !definition.replaces_any_revision() {
            let root = FieldPath::Root;
            let path = root.child("metadata.resourceVersion");
            let fault = Fault::invalid(&path, 0, "must be specified for an update");
            // Here alone it is the resource that is called invalid.
            let kind = GroupKind::new(&*definition.group, &*definition.plural);
            return Err(ApiError::invalid(&kind, name, &[fault]));
        }
        Ok(Changed { value: object.clone(), conditional })
    })
    .await
}

/// Checks that an object is the one in the path, and says so where it says nothing.
pub(crate) fn check_place(call: &Call, object: &mut Value) -> Result<(), ApiError> {
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    let own = text(object, "/metadata/name");
    if own.is_empty() {
        object["metadata"]["name"] = name.into();
    } else if own != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        )));
    }
    let own = text(object, "/metadata/namespace");
    if !own.is_empty() && own != namespace && call.resource.definition.namespaced {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Whether an update of an object that is not there makes it, as in Kubernetes.
fn creates_on_update(resource: &Resource) -> bool {
    let definition = &resource.definition;
    match definition.group.as_ref() {
        "" => matches!(&*definition.plural, "services" | "endpoints" | "events" | "limitranges"),
        "coordination.k8s.io" | "rbac.authorization.k8s.io" | "events.k8s.io" => true,
        _ => false,
    }
}

/// Changes an object: what `make` makes of it is stored.
///
/// A change that is not meant for one revision is made anew when somebody else was faster.
pub(crate) async fn change(
    server: &ApiServer,
    change: &Change<'_>,
    make: impl Fn(&Value) -> Result<Changed, ApiError>,
) -> Result<Written, ApiError> {
    let resource = change.resource;
    for _ in 0..ATTEMPTS {
        let current = resource.get(change.namespace, change.name)?;
        let old = resource.value(&current);
        let mut made = make(&old)?;
        with_metadata(&mut made.value)?;
        check_identity(change, &made, &old)?;
        let (new, charge) = prepared(server, change, made.value, &old).await?;
        if !charge.is_good() {
            charge.settle(server, false).await;
            return Err(late());
        }
        let stored = store(server, change, &current, new).await;
        charge.settle(server, stored.is_ok()).await;
        match stored {
            Ok(written) => return Ok(written),
            Err(Unwritten::Failed(error)) => return Err(error),
            Err(Unwritten::Conflict) if made.conditional => break,
            Err(Unwritten::Conflict) => {}
        }
    }
    Err(ApiError::modified(&resource.gr, change.name))
}

/// A change that names a revision or a uid is about no other.
fn check_identity(change: &Change<'_>, made: &Changed, old: &Value) -> Result<(), ApiError> {
    let resource = &change.resource.gr;
    let revision = text(&made.value, "/metadata/resourceVersion");
    if !revision.is_empty() && revision != text(old, "/metadata/resourceVersion") {
        return Err(ApiError::modified(resource, change.name));
    }
    let (uid, own) = (text(&made.value, "/metadata/uid"), text(old, "/metadata/uid"));
    if !uid.is_empty() && uid != own {
        let why =
            format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {own}");
        return Err(ApiError::conflict(resource, change.name, &why));
    }
    Ok(())
}

/// The object as it will be stored, checked, and what its namespace was charged for it.
async fn prepared(
    server: &ApiServer,
    change: &Change<'_>,
    mut new: Value,
    old: &Value,
) -> Result<(Value, Charge), ApiError> {
    let definition = &change.resource.definition;
    definition.default(&mut new);
    definition.prepare_update(&mut new, old, change.part);
    definition.stamp(&mut new, old, Timestamp::now());
    let attributes = Attributes {
        server,
        resource: change.resource,
        namespace: change.namespace,
        part: change.part,
        old: Some(old),
        user: change.user,
        dry_run: change.dry_run,
    };
    server.admission.mutate(&attributes, &mut new).await?;
    if let Some(manager) = change.manager {
        new = apply::tracked(change, manager, old, new);
    }
    let faults = definition.validate_update(&new, old, change.part);
    if !faults.is_empty() {
        return Err(ApiError::invalid(&definition.group_kind(), change.name, &faults));
    }
    if change.part == Update::Whole {
        warn(definition.warnings(&new, Some(old)));
    }
    let charge = server.admission.validate(&attributes, &new).await?;
    Ok((new, charge))
}

/// Stores a changed object, or ends its deletion if this was what it waited for.
pub(crate) async fn store(
    server: &ApiServer,
    change: &Change<'_>,
    current: &Arc<Object>,
    mut new: Value,
) -> Result<Written, Unwritten> {
    let resource = change.resource;
    let reserved = admission::reserve(server, resource, current.key(), &mut new, change.dry_run)
        .map_err(Unwritten::Failed)?;
    if change.dry_run {
        new["metadata"]["resourceVersion"] = current.revision.to_string().into();
        return Ok(Written::Dry { value: new, created: false });
    }
    if resource.view {
        resource.definition.to_stored(&mut new);
    }
    let json = to_stored(&mut new);
    if json == *current.stored() {
        return Ok(Written::Updated(Arc::clone(current)));
    }
    if deletion_is_over(&new) {
        let revision = server.storage.delete(current.key(), current.revision).await?;
        admission::release(server, resource, current, None);
        let last = resource.shelf.read(Arc::clone(current.key()), json, revision);
        return last.map(|object| Written::Updated(Arc::new(object))).map_err(|damaged| {
            Unwritten::Failed(ApiError::internal(crate::error::chain(&damaged)))
        });
    }
    let updated =
        server.storage.update(&resource.shelf, current.key(), json, current.revision).await;
    if let Ok(object) = &updated {
        server.admission.wrote(resource, Some(current), object);
        reserved.keep();
        admission::release(server, resource, current, Some(object));
    }
    updated.map(Written::Updated)
}

/// 504: so much time went by between the charge of quotas and the write that it counts no more.
fn late() -> ApiError {
    ApiError::timeout("the request took too long to be admitted; try again")
}

/// Whether nothing holds back an object that is being deleted.
fn deletion_is_over(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let holds = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    !text(object, "/metadata/deletionTimestamp").is_empty()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && !holds(&metadata["finalizers"])
        // Those of namespaces.
        && !holds(&object["spec"]["finalizers"])
}
