//! The two kinds that keep a number of pods: one is the older form of the other.

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{
    ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus,
};
use k8s_openapi::api::core::v1::{
    ReplicationController, ReplicationControllerCondition, ReplicationControllerSpec,
    ReplicationControllerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wk_client::Decode;

use crate::meta::OwnerKind;

/// A kind that can be seen as a ReplicaSet.
pub(crate) trait SetKind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Decode
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    const KIND: OwnerKind;
    /// Whether its status tells how many pods are ending.
    const COUNTS_TERMINATING: bool;

    fn as_set(&self) -> ReplicaSet;

    fn from_set(set: ReplicaSet) -> Self;
}

impl SetKind for ReplicaSet {
    const KIND: OwnerKind = OwnerKind { api_version: "apps/v1", kind: "ReplicaSet" };
    const COUNTS_TERMINATING: bool = true;

    fn as_set(&self) -> ReplicaSet {
        self.clone()
    }

    fn from_set(set: ReplicaSet) -> Self {
        set
    }
}

impl SetKind for ReplicationController {
    const KIND: OwnerKind = OwnerKind { api_version: "v1", kind: "ReplicationController" };
    const COUNTS_TERMINATING: bool = false;

    fn as_set(&self) -> ReplicaSet {
        let spec = self.spec.clone().map(|spec| ReplicaSetSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: spec.replicas,
            selector: LabelSelector { match_labels: spec.selector, match_expressions: None },
            template: spec.template,
        });
        let status = self.status.clone().map(|status| ReplicaSetStatus {
            available_replicas: status.available_replicas,
            conditions: status.conditions.map(|all| all.into_iter().map(condition).collect()),
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
            terminating_replicas: None,
        });
        ReplicaSet { metadata: self.metadata.clone(), spec, status }
    }

    fn from_set(set: ReplicaSet) -> Self {
        let spec = set.spec.map(|spec| ReplicationControllerSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: spec.replicas,
            selector: spec.selector.match_labels,
            template: spec.template,
        });
        let status = set.status.map(|status| ReplicationControllerStatus {
            available_replicas: status.available_replicas,
            conditions: status.conditions.map(|all| all.into_iter().map(older).collect()),
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
        });
        Self { metadata: set.metadata, spec, status }
    }
}

fn condition(one: ReplicationControllerCondition) -> ReplicaSetCondition {
    ReplicaSetCondition {
        last_transition_time: one.last_transition_time,
        message: one.message,
        reason: one.reason,
        status: one.status,
        type_: one.type_,
    }
}

fn older(one: ReplicaSetCondition) -> ReplicationControllerCondition {
    ReplicationControllerCondition {
        last_transition_time: one.last_transition_time,
        message: one.message,
        reason: one.reason,
        status: one.status,
        type_: one.type_,
    }
}
