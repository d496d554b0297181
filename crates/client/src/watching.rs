//! Watches whose objects are read by code that exists once for each kind.
//!
//! The watch of `kube` is generic over the object: each kind would bring a copy of the whole
//! machinery, and another reader of its fields for each form that machinery buffers them in. Here
//! one watch carries objects [as they came](Unread), and [`Decode`] reads them where this crate is
//! compiled, not where it is used. That is worth megabytes of program.

mod kinds;

use std::borrow::Cow;
use std::fmt;

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicResourceScope;
use kube::discovery::ApiResource;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object of a kind that this program watches.
pub trait Decode: Resource<DynamicType = ()> + Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// If the text is not an object of this kind.
    fn decode(json: &str) -> Result<Self, serde_json::Error>;
}

/// An object as the server sent it, but for `managedFields`: no component reads those, and they would
/// take as long to read as the rest.
#[derive(Clone)]
pub(crate) struct Unread {
    /// Only what places it: name, namespace and version.
    meta: ObjectMeta,
    json: Box<str>,
}

impl Unread {
    /// Reads it.
    pub(crate) fn read<K: Decode>(&self) -> watcher::Result<K> {
        K::decode(&self.json)
            .map_err(|error| watcher::Error::WatchFailed(kube::Error::SerdeError(error)))
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("name", &self.meta.name).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    metadata: Place<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let head: Head<'_> = serde_json::from_str(json.get()).map_err(serde::de::Error::custom)?;
        let Place { name, namespace, resource_version, managed_fields } = head.metadata;
        let rest = managed_fields.and_then(|part| without(json.get(), part.get()));
        let meta = ObjectMeta { name, namespace, resource_version, ..ObjectMeta::default() };
        Ok(Self { meta, json: rest.unwrap_or_else(|| json.into()) })
    }
}

/// A text with `null` in place of a `part` of it, which must be a slice of it.
fn without(text: &str, part: &str) -> Option<Box<str>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (before, after) = (text.get(..start)?, text.get(start + part.len()..)?);
    Some([before, "null", after].concat().into())
}

impl Resource for Unread {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Watches what `api` and `config` select, beginning with a streamed list. It never ends; pauses
/// after errors are the caller's, as with [`watcher::watcher`]. An object that cannot be read is an
/// error and is left out.
pub fn watch<K: Decode>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    unread(api, config).map(|event| read(event?))
}

/// The same, with objects that nobody has read yet.
pub(crate) fn unread<K: Decode>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<Unread>>> + Send + 'static {
    let resource = ApiResource::erase::<K>(&());
    let namespace = api.namespace().map(str::to_owned);
    let client = api.into_client();
    let api: Api<Unread> = match namespace {
        Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    watcher::watcher(api, config.streaming_lists())
}

fn read<K: Decode>(event: Event<Unread>) -> watcher::Result<Event<K>> {
    Ok(match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(object.read()?),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(object.read()?),
        Event::Delete(object) => Event::Delete(object.read()?),
    })
}

/// Watches one object: what it is whenever that may have changed, `None` while there is none.
pub fn watch_object<K: Decode>(
    api: Api<K>,
    name: &str,
) -> impl Stream<Item = watcher::Result<Option<K>>> + Send {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    watch(api, config).flat_map(move |event| {
        let told = match event {
            Ok(Event::Init) => {
                listed = None;
                None
            }
            Ok(Event::InitApply(object)) => {
                listed = Some(object);
                None
            }
            Ok(Event::InitDone) => Some(Ok(listed.take())),
            Ok(Event::Apply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        };
        stream::iter(told)
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::WatchEvent;

    use super::*;

    #[test]
    fn an_object_is_placed_without_being_read() {
        let line = r#"{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a",
            "namespace":"b","resourceVersion":"7","labels":{"c":"d"}},"data":{"e":"f"}}}"#;
        let WatchEvent::Added(unread) = serde_json::from_str::<WatchEvent<Unread>>(line).unwrap()
        else {
            panic!("an object is added");
        };
        assert_eq!(unread.meta.resource_version.as_deref(), Some("7"));
        let Event::Apply(read) = read::<ConfigMap>(Event::Apply(unread)).unwrap() else {
            panic!("it stays what it was");
        };
        assert_eq!(read.data.unwrap()["e"], "f");
        assert_eq!(read.metadata.labels.unwrap()["c"], "d");
    }

    #[test]
    fn managed_fields_are_left_out_and_nothing_else() {
        let text = r#"{"metadata":{"managedFields":[{"manager":"x","fieldsV1":{"f:a":{}}}],
            "name":"a","labels":{"managedFields":"kept"}},"data":{"e":"f"}}"#;
        let unread: Unread = serde_json::from_str(text).unwrap();
        assert!(!unread.json.contains("fieldsV1"), "{}", unread.json);
        let read: ConfigMap = unread.read().unwrap();
        assert_eq!(read.metadata.managed_fields, None, "none, and not an empty list");
        assert_eq!(read.metadata.labels.unwrap()["managedFields"], "kept");
        assert_eq!(read.data.unwrap()["e"], "f");
    }

    #[test]
    fn an_object_of_another_form_is_an_error() {
        let unread: Unread = serde_json::from_str(r#"{"metadata":{"name":"a"},"data":7}"#).unwrap();
        assert!(read::<ConfigMap>(Event::InitApply(unread)).is_err());
    }
}
