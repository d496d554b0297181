//! Which kinds are served, by the paths they are served under.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;
use wk_api::{ApiError, GroupResource};
use wk_resources::Definition;

use crate::cache::{Cache, Shelf};
use crate::object::{Object, Selection};

/// A kind as it is served.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) definition: Arc<Definition>,
    pub(crate) shelf: Arc<Shelf>,
    /// The resource as errors name it.
    pub(crate) gr: GroupResource,
    /// `apiVersion` of its objects.
    pub(crate) api_version: String,
    /// Whether its objects are stored as another kind's.
    pub(crate) view: bool,
}

impl Resource {
    /// The key of an object.
    pub(crate) fn key(&self, namespace: &str, name: &str) -> String {
        let prefix = &self.shelf.prefix;
        if self.definition.namespaced {
            format!("{prefix}{namespace}/{name}")
        } else {
            format!("{prefix}{name}")
        }
    }

    /// What the keys of a namespace's objects begin with; of all objects for an empty namespace.
    pub(crate) fn range(&self, namespace: &str) -> String {
        let prefix = &self.shelf.prefix;
        if namespace.is_empty() { prefix.clone() } else { format!("{prefix}{namespace}/") }
    }

    /// The object of this name; a 404 without it.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Result<Arc<Object>, ApiError> {
        self.shelf
            .get(&self.key(namespace, name))
            .ok_or_else(|| ApiError::not_found(&self.gr, name))
    }

    /// An object as a value of this kind.
    pub(crate) fn value(&self, object: &Object) -> Value {
        self.value_at(object, object.revision)
    }

    /// An object as a value of this kind, with another revision.
    pub(crate) fn value_at(&self, object: &Object, revision: u64) -> Value {
        let mut value = object.value_at(revision);
        if self.view {
            self.definition.from_stored(&mut value);
            if let Value::Object(map) = &mut value {
                map.insert("apiVersion".to_owned(), self.api_version.as_str().into());
                map.insert("kind".to_owned(), self.definition.kind.as_ref().into());
            }
        }
        value
    }

    /// Whether the selectors select an object.
    pub(crate) fn selects(&self, selection: &Selection, object: &Object) -> bool {
        if !self.view || selection.fields.is_empty() {
            return object.matches(selection, &self.definition);
        }
        let labels = Selection { fields: wk_api::FieldSelector::default(), ..selection.clone() };
        if !object.matches(&labels, &self.definition) {
            return false;
        }
        let value = self.value(object);
        selection.fields.requirements().iter().all(|requirement| {
            let own = self.definition.field(&value, &requirement.field).unwrap_or_default();
            let equal = own == requirement.value;
            equal == (requirement.operator == wk_api::fields::FieldOperator::Equals)
        })
    }

    /// Whether a verb is answered on the kind itself.
    pub(crate) fn has_verb(&self, verb: &str) -> bool {
        self.definition.verbs.contains(&verb)
    }
}

/// The versions of a group, most preferred first, and their kinds.
pub(crate) type Versions<'a> = Vec<(&'a str, Vec<&'a Arc<Resource>>)>;

/// The kinds served at one moment.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    by_path: HashMap<String, Arc<Resource>>,
    /// In the order of discovery: by group (core first), version, plural.
    pub(crate) all: Vec<Arc<Resource>>,
}

/// All kinds. Some can come while the server runs: who looks twice may see more.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<Arc<Kinds>>);

fn path(group: &str, version: &str, plural: &str) -> String {
    format!("{group}/{version}/{plural}")
}

/// Where the kind is that another one is a view of: group, version, kind.
pub(crate) type StoredAs = (&'static str, &'static str, &'static str);

fn resource(definition: &Arc<Definition>, shelf: Arc<Shelf>) -> Arc<Resource> {
    Arc::new(Resource {
        shelf,
        definition: Arc::clone(definition),
        gr: definition.group_resource(),
        api_version: definition.api_version(),
        view: definition.stored_as.is_some(),
    })
}

impl Catalog {
    /// The catalogue of these definitions, with a shelf in the cache for each stored kind.
    pub(crate) fn new(definitions: &[Arc<Definition>], cache: &Cache) -> Self {
        let mut kinds = Kinds::default();
        for definition in definitions {
            let stored = definition
                .stored_as
                .and_then(|place| definitions.iter().find(|definition| is_at(definition, place)));
            let shelf = cache.shelf(stored.unwrap_or(definition));
            kinds.insert(resource(definition, shelf));
        }
        Self(RwLock::new(Arc::new(kinds)))
    }

    /// The kinds as they are now.
    pub(crate) fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.0.read())
    }

    /// The kind served under a path.
    pub(crate) fn get(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.0.read().by_path.get(&path(group, version, plural)).map(Arc::clone)
    }

    /// Serves one kind more, unless another one is served under its path; says whether.
    pub(crate) fn add(&self, definition: &Arc<Definition>, shelf: Arc<Shelf>) -> bool {
        let mut kinds = self.0.write();
        let path = path(&definition.group, &definition.version, &definition.plural);
        if kinds.by_path.contains_key(&path) {
            return false;
        }
        let mut more = Kinds { by_path: kinds.by_path.clone(), all: kinds.all.clone() };
        more.insert(resource(definition, shelf));
        *kinds = Arc::new(more);
        true
    }
}

fn is_at(definition: &Definition, (group, version, kind): StoredAs) -> bool {
    definition.group == group && definition.version == version && definition.kind == kind
}

impl Kinds {
    fn insert(&mut self, resource: Arc<Resource>) {
        let order = |resource: &Resource| {
            let gvr = resource.definition.gvr();
            (gvr.group, gvr.version, gvr.resource)
        };
        let own = order(&resource);
        let gvr = resource.definition.gvr();
        let path = path(&gvr.group, &gvr.version, &gvr.resource);
        let at = self.all.partition_point(|other| order(other) < own);
        self.all.insert(at, Arc::clone(&resource));
        self.by_path.insert(path, resource);
    }

    /// The kind of this group, version and kind.
    pub(crate) fn find(&self, place: StoredAs) -> Option<&Arc<Resource>> {
        self.all.iter().find(|resource| is_at(&resource.definition, place))
    }

    /// The groups, each with its versions, most preferred first, and their kinds.
    pub(crate) fn groups(&self) -> BTreeMap<&str, Versions<'_>> {
        let mut groups: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
        for resource in &self.all {
            let definition = &resource.definition;
            let versions = groups.entry(&definition.group).or_default();
            match versions.iter_mut().find(|(version, _)| *version == definition.version) {
                Some((_, kinds)) => kinds.push(resource),
                None => versions.push((&definition.version, vec![resource])),
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|(version, _)| std::cmp::Reverse(preference(version)));
        }
        groups
    }
}

/// Orders versions as Kubernetes does: stable before beta before alpha, higher numbers first.
fn preference(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let rest = version.strip_prefix('v').unwrap_or(version);
    for (word, rank) in [("beta", 1), ("alpha", 0)] {
        if let Some((major, minor)) = rest.split_once(word) {
            return (rank, number(major), number(minor));
        }
    }
    (2, number(rest), 0)
}
