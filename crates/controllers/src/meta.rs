//! What of an object's metadata tells whose it is and whether it is ending.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use wk_api::names::Uid;
use wk_api::well_known::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER};

/// One owner of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Uid,
    pub(crate) is_controller: bool,
    /// Whether the owner cannot go before this object, if it waits at all.
    pub(crate) blocks: bool,
}

/// The identity of an object, its owners and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) uid: Uid,
    pub(crate) owners: Box<[Owner]>,
    pub(crate) is_terminating: bool,
    /// It has the finalizer under which it waits until its dependents are gone.
    pub(crate) has_foreground: bool,
    /// It has the finalizer under which it waits until its dependents have no owner.
    pub(crate) has_orphan: bool,
}

impl Meta {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        let has = |wanted: &str| meta.finalizers.iter().flatten().any(|one| one == wanted);
        Self {
            uid: Uid::new(meta.uid.clone().unwrap_or_default()),
            owners: meta.owner_references.iter().flatten().map(Owner::of).collect(),
            is_terminating: meta.deletion_timestamp.is_some(),
            has_foreground: has(FOREGROUND_FINALIZER),
            has_orphan: has(ORPHAN_FINALIZER),
        }
    }

    /// The owner that manages it.
    pub(crate) fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.is_controller)
    }

    /// Whether it ends as soon as its dependents have.
    pub(crate) fn waits_for_dependents(&self) -> bool {
        self.is_terminating && self.has_foreground
    }

    /// Whether it ends as soon as its dependents have forgotten it.
    pub(crate) fn orphans_dependents(&self) -> bool {
        self.is_terminating && self.has_orphan
    }
}

impl Owner {
    fn of(reference: &OwnerReference) -> Self {
        Self {
            api_version: reference.api_version.as_str().into(),
            kind: reference.kind.as_str().into(),
            name: reference.name.as_str().into(),
            uid: Uid::new(reference.uid.as_str()),
            is_controller: reference.controller == Some(true),
            blocks: reference.block_owner_deletion == Some(true),
        }
    }

    /// The API group of its kind; empty for the core group.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it is of this kind.
    pub(crate) fn is_a(&self, kind: &OwnerKind) -> bool {
        *self.kind == *kind.kind && self.group() == kind.group()
    }
}

/// A kind whose objects own others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnerKind {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
}

impl OwnerKind {
    pub(crate) fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The reference by which an object of this kind controls another.
    pub(crate) fn controls(&self, meta: &ObjectMeta) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version.to_owned(),
            kind: self.kind.to_owned(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// The reference by which events are about an object of this kind.
    pub(crate) fn event_reference(
        &self,
        meta: &ObjectMeta,
    ) -> k8s_openapi::api::core::v1::ObjectReference {
        k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(self.api_version.to_owned()),
            kind: Some(self.kind.to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            field_path: None,
        }
    }
}
