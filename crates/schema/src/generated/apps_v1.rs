//! The messages of `io.k8s.api.apps.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.apps.v1.ControllerRevision`.
pub(crate) static CONTROLLER_REVISION: Message = Message {
    name: "io.k8s.api.apps.v1.ControllerRevision",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("data", 2, Type::Any).always(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("revision", 3, Type::Int64).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ControllerRevisionList`.
pub(crate) static CONTROLLER_REVISION_LIST: Message = Message {
    name: "io.k8s.api.apps.v1.ControllerRevisionList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CONTROLLER_REVISION)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSet`.
pub(crate) static DAEMON_SET: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSet",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&DAEMON_SET_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&DAEMON_SET_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSetCondition`.
pub(crate) static DAEMON_SET_CONDITION: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSetCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSetList`.
pub(crate) static DAEMON_SET_LIST: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSetList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&DAEMON_SET))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSetSpec`.
pub(crate) static DAEMON_SET_SPEC: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSetSpec",
    fields: &[
        Field::new("minReadySeconds", 4, Type::Int32).omit_empty(),
        Field::new("revisionHistoryLimit", 6, Type::Int32),
        Field::new("selector", 1, Type::Message(&super::meta_v1::LABEL_SELECTOR)).required(),
        Field::new("template", 2, Type::Message(&super::core_v1::POD_TEMPLATE_SPEC))
            .always()
            .required(),
        Field::new("updateStrategy", 3, Type::Message(&DAEMON_SET_UPDATE_STRATEGY)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSetStatus`.
pub(crate) static DAEMON_SET_STATUS: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSetStatus",
    fields: &[
        Field::new("collisionCount", 9, Type::Int32),
        Field::new("conditions", 10, Type::List(&Type::Message(&DAEMON_SET_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("currentNumberScheduled", 1, Type::Int32).always().required(),
        Field::new("desiredNumberScheduled", 3, Type::Int32).always().required(),
        Field::new("numberAvailable", 7, Type::Int32).omit_empty(),
        Field::new("numberMisscheduled", 2, Type::Int32).always().required(),
        Field::new("numberReady", 4, Type::Int32).always().required(),
        Field::new("numberUnavailable", 8, Type::Int32).omit_empty(),
        Field::new("observedGeneration", 5, Type::Int64).omit_empty(),
        Field::new("updatedNumberScheduled", 6, Type::Int32).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DaemonSetUpdateStrategy`.
pub(crate) static DAEMON_SET_UPDATE_STRATEGY: Message = Message {
    name: "io.k8s.api.apps.v1.DaemonSetUpdateStrategy",
    fields: &[
        Field::new("rollingUpdate", 2, Type::Message(&ROLLING_UPDATE_DAEMON_SET)),
        Field::new("type", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.Deployment`.
pub(crate) static DEPLOYMENT: Message = Message {
    name: "io.k8s.api.apps.v1.Deployment",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&DEPLOYMENT_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&DEPLOYMENT_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DeploymentCondition`.
pub(crate) static DEPLOYMENT_CONDITION: Message = Message {
    name: "io.k8s.api.apps.v1.DeploymentCondition",
    fields: &[
        Field::new("lastTransitionTime", 7, Type::Time).omit_empty(),
        Field::new("lastUpdateTime", 6, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DeploymentList`.
pub(crate) static DEPLOYMENT_LIST: Message = Message {
    name: "io.k8s.api.apps.v1.DeploymentList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&DEPLOYMENT))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DeploymentSpec`.
pub(crate) static DEPLOYMENT_SPEC: Message = Message {
    name: "io.k8s.api.apps.v1.DeploymentSpec",
    fields: &[
        Field::new("minReadySeconds", 5, Type::Int32).omit_empty(),
        Field::new("paused", 7, Type::Bool).omit_empty(),
        Field::new("progressDeadlineSeconds", 9, Type::Int32),
        Field::new("replicas", 1, Type::Int32),
        Field::new("revisionHistoryLimit", 6, Type::Int32),
        Field::new("selector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)).required(),
        Field::new("strategy", 4, Type::Message(&DEPLOYMENT_STRATEGY))
            .omit_empty()
            .merge(&MergeRule { retain_keys: true, ..MergeRule::PLAIN }),
        Field::new("template", 3, Type::Message(&super::core_v1::POD_TEMPLATE_SPEC))
            .always()
            .required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DeploymentStatus`.
pub(crate) static DEPLOYMENT_STATUS: Message = Message {
    name: "io.k8s.api.apps.v1.DeploymentStatus",
    fields: &[
        Field::new("availableReplicas", 4, Type::Int32).omit_empty(),
        Field::new("collisionCount", 8, Type::Int32),
        Field::new("conditions", 6, Type::List(&Type::Message(&DEPLOYMENT_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("observedGeneration", 1, Type::Int64).omit_empty(),
        Field::new("readyReplicas", 7, Type::Int32).omit_empty(),
        Field::new("replicas", 2, Type::Int32).omit_empty(),
        Field::new("terminatingReplicas", 9, Type::Int32),
        Field::new("unavailableReplicas", 5, Type::Int32).omit_empty(),
        Field::new("updatedReplicas", 3, Type::Int32).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.DeploymentStrategy`.
pub(crate) static DEPLOYMENT_STRATEGY: Message = Message {
    name: "io.k8s.api.apps.v1.DeploymentStrategy",
    fields: &[
        Field::new("rollingUpdate", 2, Type::Message(&ROLLING_UPDATE_DEPLOYMENT)),
        Field::new("type", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ReplicaSet`.
pub(crate) static REPLICA_SET: Message = Message {
    name: "io.k8s.api.apps.v1.ReplicaSet",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&REPLICA_SET_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&REPLICA_SET_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ReplicaSetCondition`.
pub(crate) static REPLICA_SET_CONDITION: Message = Message {
    name: "io.k8s.api.apps.v1.ReplicaSetCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ReplicaSetList`.
pub(crate) static REPLICA_SET_LIST: Message = Message {
    name: "io.k8s.api.apps.v1.ReplicaSetList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&REPLICA_SET))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ReplicaSetSpec`.
pub(crate) static REPLICA_SET_SPEC: Message = Message {
    name: "io.k8s.api.apps.v1.ReplicaSetSpec",
    fields: &[
        Field::new("minReadySeconds", 4, Type::Int32).omit_empty(),
        Field::new("replicas", 1, Type::Int32),
        Field::new("selector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)).required(),
        Field::new("template", 3, Type::Message(&super::core_v1::POD_TEMPLATE_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.ReplicaSetStatus`.
pub(crate) static REPLICA_SET_STATUS: Message = Message {
    name: "io.k8s.api.apps.v1.ReplicaSetStatus",
    fields: &[
        Field::new("availableReplicas", 5, Type::Int32).omit_empty(),
        Field::new("conditions", 6, Type::List(&Type::Message(&REPLICA_SET_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("fullyLabeledReplicas", 2, Type::Int32).omit_empty(),
        Field::new("observedGeneration", 3, Type::Int64).omit_empty(),
        Field::new("readyReplicas", 4, Type::Int32).omit_empty(),
        Field::new("replicas", 1, Type::Int32).always().required(),
        Field::new("terminatingReplicas", 7, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.RollingUpdateDaemonSet`.
pub(crate) static ROLLING_UPDATE_DAEMON_SET: Message = Message {
    name: "io.k8s.api.apps.v1.RollingUpdateDaemonSet",
    fields: &[
        Field::new("maxSurge", 2, Type::IntOrString),
        Field::new("maxUnavailable", 1, Type::IntOrString),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.RollingUpdateDeployment`.
pub(crate) static ROLLING_UPDATE_DEPLOYMENT: Message = Message {
    name: "io.k8s.api.apps.v1.RollingUpdateDeployment",
    fields: &[
        Field::new("maxSurge", 2, Type::IntOrString),
        Field::new("maxUnavailable", 1, Type::IntOrString),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy`.
pub(crate) static ROLLING_UPDATE_STATEFUL_SET_STRATEGY: Message = Message {
    name: "io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy",
    fields: &[
        Field::new("maxUnavailable", 2, Type::IntOrString),
        Field::new("partition", 1, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSet`.
pub(crate) static STATEFUL_SET: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSet",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&STATEFUL_SET_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&STATEFUL_SET_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetCondition`.
pub(crate) static STATEFUL_SET_CONDITION: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetList`.
pub(crate) static STATEFUL_SET_LIST: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&STATEFUL_SET))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetOrdinals`.
pub(crate) static STATEFUL_SET_ORDINALS: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetOrdinals",
    fields: &[Field::new("start", 1, Type::Int32).always()],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy`.
pub(crate) static STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
    fields: &[
        Field::new("whenDeleted", 1, Type::String).omit_empty(),
        Field::new("whenScaled", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetSpec`.
pub(crate) static STATEFUL_SET_SPEC: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetSpec",
    fields: &[
        Field::new("minReadySeconds", 9, Type::Int32).omit_empty(),
        Field::new("ordinals", 11, Type::Message(&STATEFUL_SET_ORDINALS)),
        Field::new(
            "persistentVolumeClaimRetentionPolicy",
            10,
            Type::Message(&STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY),
        ),
        Field::new("podManagementPolicy", 6, Type::String).omit_empty(),
        Field::new("replicas", 1, Type::Int32),
        Field::new("revisionHistoryLimit", 8, Type::Int32),
        Field::new("selector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)).required(),
        Field::new("serviceName", 5, Type::String).always(),
        Field::new("template", 3, Type::Message(&super::core_v1::POD_TEMPLATE_SPEC))
            .always()
            .required(),
        Field::new("updateStrategy", 7, Type::Message(&STATEFUL_SET_UPDATE_STRATEGY)).omit_empty(),
        Field::new(
            "volumeClaimTemplates",
            4,
            Type::List(&Type::Message(&super::core_v1::PERSISTENT_VOLUME_CLAIM)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetStatus`.
pub(crate) static STATEFUL_SET_STATUS: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetStatus",
    fields: &[
        Field::new("availableReplicas", 11, Type::Int32).always(),
        Field::new("collisionCount", 9, Type::Int32),
        Field::new("conditions", 10, Type::List(&Type::Message(&STATEFUL_SET_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("type"),
                list: ListType::Map(&["type"]),
                ..MergeRule::PLAIN
            }),
        Field::new("currentReplicas", 4, Type::Int32).omit_empty(),
        Field::new("currentRevision", 6, Type::String).omit_empty(),
        Field::new("observedGeneration", 1, Type::Int64).omit_empty(),
        Field::new("readyReplicas", 3, Type::Int32).omit_empty(),
        Field::new("replicas", 2, Type::Int32).always().required(),
        Field::new("updateRevision", 7, Type::String).omit_empty(),
        Field::new("updatedReplicas", 5, Type::Int32).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.apps.v1.StatefulSetUpdateStrategy`.
pub(crate) static STATEFUL_SET_UPDATE_STRATEGY: Message = Message {
    name: "io.k8s.api.apps.v1.StatefulSetUpdateStrategy",
    fields: &[
        Field::new("rollingUpdate", 2, Type::Message(&ROLLING_UPDATE_STATEFUL_SET_STRATEGY)),
        Field::new("type", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};
