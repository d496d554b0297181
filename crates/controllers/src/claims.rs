//! Which objects a controller manages: those it owns and selects. It adopts what it selects and
//! nobody manages, and releases what it owns and no longer selects.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use wk_api::LabelSelector;
use wk_api::names::Uid;

use crate::meta::Meta;
use crate::unless_gone;

/// What a controller does about an object that it could manage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It manages it.
    Ours,
    /// It selects it, and nobody manages it.
    Adopt,
    /// It managed it so far.
    Release,
    /// It is none of its business.
    Ignore,
}

/// Who claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant<'a> {
    pub(crate) uid: &'a str,
    /// One that is being deleted keeps what it has, and takes nothing.
    pub(crate) is_terminating: bool,
    pub(crate) selector: &'a LabelSelector,
}

impl<'a> Claimant<'a> {
    pub(crate) fn of(meta: &'a ObjectMeta, selector: &'a LabelSelector) -> Self {
        Self {
            uid: meta.uid.as_deref().unwrap_or_default(),
            is_terminating: meta.deletion_timestamp.is_some(),
            selector,
        }
    }

    pub(crate) fn claim(&self, meta: &Meta, labels: &BTreeMap<String, String>) -> Claim {
        let matches = self.selector.matches_map(labels);
        match meta.controller() {
            Some(owner) if owner.uid.as_str() != self.uid => Claim::Ignore,
            Some(_) if matches => Claim::Ours,
            Some(_) if self.is_terminating => Claim::Ignore,
            Some(_) => Claim::Release,
            None if matches && !self.is_terminating && !meta.is_terminating => Claim::Adopt,
            None => Claim::Ignore,
        }
    }
}

/// Makes `owner` the controller of an object, and gives it `finalizer`.
///
/// The server refuses it if another controller was faster, and the uid guards against an object
/// that was made anew.
pub(crate) async fn adopt<K>(
    api: &Api<K>,
    name: &str,
    uid: &Uid,
    owner: &OwnerReference,
    finalizer: Option<&str>,
) -> Result<Option<String>, kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut patch = json!({"metadata": {"uid": uid, "ownerReferences": [owner]}});
    if let Some(finalizer) = finalizer {
        patch["metadata"]["finalizers"] = json!([finalizer]);
    }
    written(api.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await)
}

/// Ends `owner`'s control of an object, and takes `finalizer` away.
pub(crate) async fn release<K>(
    api: &Api<K>,
    name: &str,
    uid: &Uid,
    owner: &str,
    finalizer: Option<&str>,
) -> Result<Option<String>, kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let reference = json!({"$patch": "delete", "uid": owner});
    let mut patch = json!({"metadata": {"uid": uid, "ownerReferences": [reference]}});
    if let Some(finalizer) = finalizer {
        patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = json!([finalizer]);
    }
    written(api.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await)
}

/// The version of what was written; `None` if the object is gone.
pub(crate) fn written<K: Resource>(
    result: Result<K, kube::Error>,
) -> Result<Option<String>, kube::Error> {
    match result {
        Ok(object) => Ok(object.meta().resource_version.clone()),
        Err(error) => unless_gone::<K>(Err(error)).map(|()| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::Owner;

    #[track_caller]
    fn check(case: &str, is_terminating: bool, label: &str, owner: Option<&str>, expected: Claim) {
        let selector = LabelSelector::from_labels([("app", "web")]);
        let claimant = Claimant { uid: "me", is_terminating, selector: &selector };
        let owners = owner.map(|uid| Owner {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "web".into(),
            uid: Uid::new(uid),
            is_controller: true,
            blocks: true,
        });
        let meta = Meta {
            uid: Uid::new("pod"),
            owners: owners.into_iter().collect(),
            is_terminating: false,
            has_foreground: false,
            has_orphan: false,
        };
        let labels = BTreeMap::from([("app".to_owned(), label.to_owned())]);
        assert_eq!(claimant.claim(&meta, &labels), expected, "{case}");
    }

    #[test]
    fn a_controller_claims_what_it_selects() {
        check("owned and selected", false, "web", Some("me"), Claim::Ours);
        check("owned and no longer selected", false, "db", Some("me"), Claim::Release);
        check("the owner ends", true, "db", Some("me"), Claim::Ignore);
        check("selected, another's", false, "web", Some("you"), Claim::Ignore);
        check("selected, nobody's", false, "web", None, Claim::Adopt);
        check("selected by one that ends", true, "web", None, Claim::Ignore);
        check("nobody's", false, "db", None, Claim::Ignore);
    }
}
