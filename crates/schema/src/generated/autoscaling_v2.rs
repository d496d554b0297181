//! The messages of `io.k8s.api.autoscaling.v2`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.autoscaling.v2.ContainerResourceMetricSource`.
pub(crate) static CONTAINER_RESOURCE_METRIC_SOURCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ContainerResourceMetricSource",
    fields: &[
        Field::new("container", 3, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("target", 2, Type::Message(&METRIC_TARGET)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ContainerResourceMetricStatus`.
pub(crate) static CONTAINER_RESOURCE_METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ContainerResourceMetricStatus",
    fields: &[
        Field::new("container", 3, Type::String).always().required(),
        Field::new("current", 2, Type::Message(&METRIC_VALUE_STATUS)).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.CrossVersionObjectReference`.
pub(crate) static CROSS_VERSION_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.CrossVersionObjectReference",
    fields: &[
        Field::new("apiVersion", 3, Type::String).omit_empty(),
        Field::new("kind", 1, Type::String).always().required(),
        Field::new("name", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ExternalMetricSource`.
pub(crate) static EXTERNAL_METRIC_SOURCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ExternalMetricSource",
    fields: &[
        Field::new("metric", 1, Type::Message(&METRIC_IDENTIFIER)).always().required(),
        Field::new("target", 2, Type::Message(&METRIC_TARGET)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ExternalMetricStatus`.
pub(crate) static EXTERNAL_METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ExternalMetricStatus",
    fields: &[
        Field::new("current", 2, Type::Message(&METRIC_VALUE_STATUS)).always().required(),
        Field::new("metric", 1, Type::Message(&METRIC_IDENTIFIER)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HPAScalingPolicy`.
pub(crate) static HPA_SCALING_POLICY: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HPAScalingPolicy",
    fields: &[
        Field::new("periodSeconds", 3, Type::Int32).always().required(),
        Field::new("type", 1, Type::String).always().required(),
        Field::new("value", 2, Type::Int32).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HPAScalingRules`.
pub(crate) static HPA_SCALING_RULES: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HPAScalingRules",
    fields: &[
        Field::new("policies", 2, Type::List(&Type::Message(&HPA_SCALING_POLICY))).omit_empty(),
        Field::new("selectPolicy", 1, Type::String),
        Field::new("stabilizationWindowSeconds", 3, Type::Int32),
        Field::new("tolerance", 4, Type::Quantity),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&HORIZONTAL_POD_AUTOSCALER_SPEC))
            .omit_empty()
            .required(),
        Field::new("status", 3, Type::Message(&HORIZONTAL_POD_AUTOSCALER_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_BEHAVIOR: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior",
    fields: &[
        Field::new("scaleDown", 2, Type::Message(&HPA_SCALING_RULES)),
        Field::new("scaleUp", 1, Type::Message(&HPA_SCALING_RULES)),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerCondition`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_CONDITION: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerList`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_LIST: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&HORIZONTAL_POD_AUTOSCALER)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_SPEC: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
    fields: &[
        Field::new("behavior", 5, Type::Message(&HORIZONTAL_POD_AUTOSCALER_BEHAVIOR)),
        Field::new("maxReplicas", 3, Type::Int32).always().required(),
        Field::new("metrics", 4, Type::List(&Type::Message(&METRIC_SPEC))).omit_empty(),
        Field::new("minReplicas", 2, Type::Int32),
        Field::new("scaleTargetRef", 1, Type::Message(&CROSS_VERSION_OBJECT_REFERENCE))
            .always()
            .required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus",
    fields: &[
        Field::new(
            "conditions",
            6,
            Type::List(&Type::Message(&HORIZONTAL_POD_AUTOSCALER_CONDITION)),
        )
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("type"),
            list: ListType::Map(&["type"]),
            ..MergeRule::PLAIN
        }),
        Field::new("currentMetrics", 5, Type::List(&Type::Message(&METRIC_STATUS))).always(),
        Field::new("currentReplicas", 3, Type::Int32).omit_empty(),
        Field::new("desiredReplicas", 4, Type::Int32).always().required(),
        Field::new("lastScaleTime", 2, Type::Time),
        Field::new("observedGeneration", 1, Type::Int64),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.MetricIdentifier`.
pub(crate) static METRIC_IDENTIFIER: Message = Message {
    name: "io.k8s.api.autoscaling.v2.MetricIdentifier",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("selector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.MetricSpec`.
pub(crate) static METRIC_SPEC: Message = Message {
    name: "io.k8s.api.autoscaling.v2.MetricSpec",
    fields: &[
        Field::new("containerResource", 7, Type::Message(&CONTAINER_RESOURCE_METRIC_SOURCE)),
        Field::new("external", 5, Type::Message(&EXTERNAL_METRIC_SOURCE)),
        Field::new("object", 2, Type::Message(&OBJECT_METRIC_SOURCE)),
        Field::new("pods", 3, Type::Message(&PODS_METRIC_SOURCE)),
        Field::new("resource", 4, Type::Message(&RESOURCE_METRIC_SOURCE)),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.MetricStatus`.
pub(crate) static METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.MetricStatus",
    fields: &[
        Field::new("containerResource", 7, Type::Message(&CONTAINER_RESOURCE_METRIC_STATUS)),
        Field::new("external", 5, Type::Message(&EXTERNAL_METRIC_STATUS)),
        Field::new("object", 2, Type::Message(&OBJECT_METRIC_STATUS)),
        Field::new("pods", 3, Type::Message(&PODS_METRIC_STATUS)),
        Field::new("resource", 4, Type::Message(&RESOURCE_METRIC_STATUS)),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.MetricTarget`.
pub(crate) static METRIC_TARGET: Message = Message {
    name: "io.k8s.api.autoscaling.v2.MetricTarget",
    fields: &[
        Field::new("averageUtilization", 4, Type::Int32),
        Field::new("averageValue", 3, Type::Quantity),
        Field::new("type", 1, Type::String).always().required(),
        Field::new("value", 2, Type::Quantity),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.MetricValueStatus`.
pub(crate) static METRIC_VALUE_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.MetricValueStatus",
    fields: &[
        Field::new("averageUtilization", 3, Type::Int32),
        Field::new("averageValue", 2, Type::Quantity),
        Field::new("value", 1, Type::Quantity),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ObjectMetricSource`.
pub(crate) static OBJECT_METRIC_SOURCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ObjectMetricSource",
    fields: &[
        Field::new("describedObject", 1, Type::Message(&CROSS_VERSION_OBJECT_REFERENCE))
            .always()
            .required(),
        Field::new("metric", 3, Type::Message(&METRIC_IDENTIFIER)).always().required(),
        Field::new("target", 2, Type::Message(&METRIC_TARGET)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ObjectMetricStatus`.
pub(crate) static OBJECT_METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ObjectMetricStatus",
    fields: &[
        Field::new("current", 2, Type::Message(&METRIC_VALUE_STATUS)).always().required(),
        Field::new("describedObject", 3, Type::Message(&CROSS_VERSION_OBJECT_REFERENCE))
            .always()
            .required(),
        Field::new("metric", 1, Type::Message(&METRIC_IDENTIFIER)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.PodsMetricSource`.
pub(crate) static PODS_METRIC_SOURCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.PodsMetricSource",
    fields: &[
        Field::new("metric", 1, Type::Message(&METRIC_IDENTIFIER)).always().required(),
        Field::new("target", 2, Type::Message(&METRIC_TARGET)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.PodsMetricStatus`.
pub(crate) static PODS_METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.PodsMetricStatus",
    fields: &[
        Field::new("current", 2, Type::Message(&METRIC_VALUE_STATUS)).always().required(),
        Field::new("metric", 1, Type::Message(&METRIC_IDENTIFIER)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ResourceMetricSource`.
pub(crate) static RESOURCE_METRIC_SOURCE: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ResourceMetricSource",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("target", 2, Type::Message(&METRIC_TARGET)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v2.ResourceMetricStatus`.
pub(crate) static RESOURCE_METRIC_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v2.ResourceMetricStatus",
    fields: &[
        Field::new("current", 2, Type::Message(&METRIC_VALUE_STATUS)).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};
