//! The scale of whatever an autoscaler is about, found by its kind.

use std::collections::HashMap;

use http::Request;
use k8s_openapi::api::autoscaling::v2::CrossVersionObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;

use super::plan::Scale;
use super::read::{explained, get, segment};

/// Kinds remembered; beyond, all are looked up anew.
const REMEMBERED: usize = 256;

/// How often a write is tried whose object changes all the time.
const ATTEMPTS: u32 = 5;

/// Where kinds are served: `apis/apps/v1` and `deployments`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    base: String,
    plural: String,
}

/// Finds scales by the kind that they are of.
pub(super) struct Targets {
    client: Client,
    places: Mutex<HashMap<(String, String), Place>>,
}

/// A scale with what is needed in order to write it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    path: String,
    object: Value,
}

impl Found {
    /// The scale as plans see it.
    pub(super) fn scale(&self) -> Scale {
        let number = |value: &Value| {
            value.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or_default()
        };
        Scale {
            wanted: number(&self.object["spec"]["replicas"]),
            there: number(&self.object["status"]["replicas"]),
            selector: self.object["status"]["selector"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Targets {
    pub(super) fn new(client: Client) -> Self {
        Self { client, places: Mutex::default() }
    }

    /// The scale of an object.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(super) async fn find(
        &self,
        namespace: &str,
        target: &CrossVersionObjectReference,
    ) -> Result<Found, String> {
        let api_version = target.api_version.clone().unwrap_or_default();
        let key = (api_version, target.kind.clone());
        let known = self.places.lock().get(&key).cloned();
        let place = match known {
            Some(place) => place,
            None => self.look_up(&key.0, &key.1).await?,
        };
        let path = format!(
            "/{}/namespaces/{}/{}/{}/scale",
            place.base,
            segment(namespace),
            place.plural,
            segment(&target.name)
        );
        match get::<Value>(&self.client, &path).await {
            Ok(object) => {
                let mut places = self.places.lock();
                if places.len() >= REMEMBERED {
                    places.clear();
                }
                places.insert(key, place);
                Ok(Found { path, object })
            }
            Err(error) => {
                // The kind may be served elsewhere by now.
                self.places.lock().remove(&key);
                Err(explained(&error, ""))
            }
        }
    }

    /// Writes a number of replicas into a scale as it was read, and no other. Where only the rest of
    /// its object has changed meanwhile, as it does all the time while pods come up, the scale still
    /// counts as read.
    ///
    /// # Errors
    /// Why it was refused, for people.
    pub(super) async fn scale(&self, mut found: Found, replicas: i32) -> Result<(), String> {
        let before = found.scale().wanted;
        let mut attempts = ATTEMPTS;
        loop {
            found.object["spec"]["replicas"] = replicas.into();
            let request = Request::put(&found.path)
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(found.object.to_string().into_bytes())
                .map_err(|error| error.to_string())?;
            let conflict = match self.client.request::<Value>(request).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => status.message,
                Err(error) => return Err(explained(&error, "")),
            };
            let newer = get(&self.client, &found.path).await;
            found.object = newer.map_err(|error| explained(&error, ""))?;
            attempts -= 1;
            if attempts == 0 || found.scale().wanted != before {
                return Err(conflict);
            }
        }
    }

    async fn look_up(&self, api_version: &str, kind: &str) -> Result<Place, String> {
        let (group, version) = match api_version.split('/').collect::<Vec<_>>()[..] {
            [version] => ("", version),
            [group, version] => (group, version),
            _ => return Err(format!("unexpected GroupVersion string: {api_version}")),
        };
        let bases = if group.is_empty() {
            vec!["api/v1".to_owned()]
        } else {
            self.bases(group, version).await?
        };
        for base in bases {
            let list = match get::<APIResourceList>(&self.client, &format!("/{base}")).await {
                Ok(list) => list,
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                Err(error) => return Err(explained(&error, "")),
            };
            let mut objects = list.resources.into_iter().filter(|one| !one.name.contains('/'));
            if let Some(found) = objects.find(|one| one.kind == kind) {
                return Ok(Place { base, plural: found.name });
            }
        }
        Err(format!("no matches for kind {kind:?} in group {group:?}"))
    }

    /// The versions of a group that are served, the one asked for first.
    async fn bases(&self, group: &str, version: &str) -> Result<Vec<String>, String> {
        let found = get::<Value>(&self.client, &format!("/apis/{}", segment(group))).await;
        let found = match found {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(explained(&error, "")),
        };
        let all = found["versions"].as_array().into_iter().flatten();
        let mut versions: Vec<&str> = all.filter_map(|one| one["version"].as_str()).collect();
        versions.sort_by_key(|own| *own != version);
        Ok(versions.into_iter().map(|version| format!("apis/{group}/{version}")).collect())
    }
}
