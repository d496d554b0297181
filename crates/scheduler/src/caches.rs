//! The watches that feed the scheduler, each reduced to what decisions are made from.

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{
    Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass};
use kube::runtime::watcher;
use kube::{Api, Client};
use wk_client::Informer;
use wk_process::TaskGroup;

use crate::budgets::Budget;
use crate::demand::{Demand, Shared};
use crate::inbox::{Inbox, Kind};
use crate::labels::{Labels, Selector};
use crate::offer::Offer;
use crate::owners::of_service;
use crate::storage::{Capacity, Claim, Class, Driver, Limits, Volume};

/// What the scheduler watches.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) namespaces: Informer<Labels>,
    pub(crate) classes: Informer<Class>,
    pub(crate) drivers: Informer<Driver>,
    pub(crate) capacities: Informer<Capacity>,
    pub(crate) limits: Informer<Limits>,
    pub(crate) volumes: Informer<Volume>,
    pub(crate) claims: Informer<Claim>,
    pub(crate) budgets: Informer<Budget>,
    pub(crate) services: Informer<Selector>,
    pub(crate) replication_controllers: Informer<Selector>,
    pub(crate) replica_sets: Informer<Selector>,
    pub(crate) stateful_sets: Informer<Selector>,
    pub(crate) nodes: Informer<Offer>,
    pub(crate) pods: Informer<Demand>,
}

impl Caches {
    /// Starts all watches, in tasks of `group`.
    pub(crate) fn start(client: Client, group: &TaskGroup) -> Self {
        let shared = Shared::default();
        let watch = watcher::Config::default;
        macro_rules! watch {
            ($kind:ty, $project:expr) => {
                Informer::projected(Api::<$kind>::all(client.clone()), watch(), group, $project)
            };
        }
        Self {
            namespaces: watch!(Namespace, |one| Some(Labels::new(one.metadata.labels))),
            classes: watch!(StorageClass, |one| Some(Class::of(one))),
            drivers: watch!(CSIDriver, |one| Some(Driver::of(&one))),
            capacities: watch!(CSIStorageCapacity, |one| Some(Capacity::of(one))),
            limits: watch!(CSINode, Limits::of),
            volumes: watch!(PersistentVolume, |one| Some(Volume::of(one))),
            claims: watch!(PersistentVolumeClaim, |one| Some(Claim::of(one))),
            budgets: watch!(PodDisruptionBudget, Budget::of),
            services: watch!(Service, of_service),
            replication_controllers: watch!(ReplicationController, |one| {
                Some(Selector::of_labels(one.spec?.selector?))
            }),
            replica_sets: watch!(ReplicaSet, |one| Some(Selector::new(Some(one.spec?.selector)))),
            stateful_sets: watch!(StatefulSet, |one| {
                Some(Selector::new(Some(one.spec?.selector)))
            }),
            nodes: watch!(Node, |one| Some(Offer::of(one))),
            pods: Informer::projected(Api::<Pod>::all(client), watch(), group, move |one| {
                Demand::of(one, &shared)
            }),
        }
    }

    /// Waits until all of them are full. Cancel safe.
    pub(crate) async fn ready(&self) {
        self.namespaces.ready().await;
        self.classes.ready().await;
        self.drivers.ready().await;
        self.capacities.ready().await;
        self.limits.ready().await;
        self.volumes.ready().await;
        self.claims.ready().await;
        self.budgets.ready().await;
        self.services.ready().await;
        self.replication_controllers.ready().await;
        self.replica_sets.ready().await;
        self.stateful_sets.ready().await;
        self.nodes.ready().await;
        self.pods.ready().await;
    }

    /// What changes in any of them from now on, beginning with all that they hold.
    pub(crate) fn inbox(&self) -> Inbox {
        let inbox = Inbox::default();
        inbox.follow(Kind::Namespace, &self.namespaces);
        inbox.follow(Kind::Class, &self.classes);
        inbox.follow(Kind::Driver, &self.drivers);
        inbox.follow(Kind::Capacity, &self.capacities);
        inbox.follow(Kind::CsiNode, &self.limits);
        inbox.follow(Kind::Volume, &self.volumes);
        inbox.follow(Kind::Claim, &self.claims);
        inbox.follow(Kind::Budget, &self.budgets);
        inbox.follow(Kind::Service, &self.services);
        inbox.follow(Kind::ReplicationController, &self.replication_controllers);
        inbox.follow(Kind::ReplicaSet, &self.replica_sets);
        inbox.follow(Kind::StatefulSet, &self.stateful_sets);
        inbox.follow(Kind::Node, &self.nodes);
        inbox.follow(Kind::Pod, &self.pods);
        inbox
    }
}
