//! The messages of `io.k8s.api.autoscaling.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.autoscaling.v1.CrossVersionObjectReference`.
pub(crate) static CROSS_VERSION_OBJECT_REFERENCE: Message = Message {
    name: "io.k8s.api.autoscaling.v1.CrossVersionObjectReference",
    fields: &[
        Field::new("apiVersion", 3, Type::String).omit_empty(),
        Field::new("kind", 1, Type::String).always().required(),
        Field::new("name", 2, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER: Message = Message {
    name: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
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

/// `io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerList`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_LIST: Message = Message {
    name: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerList",
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

/// `io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_SPEC: Message = Message {
    name: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec",
    fields: &[
        Field::new("maxReplicas", 3, Type::Int32).always().required(),
        Field::new("minReplicas", 2, Type::Int32),
        Field::new("scaleTargetRef", 1, Type::Message(&CROSS_VERSION_OBJECT_REFERENCE))
            .always()
            .required(),
        Field::new("targetCPUUtilizationPercentage", 4, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerStatus`.
pub(crate) static HORIZONTAL_POD_AUTOSCALER_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerStatus",
    fields: &[
        Field::new("currentCPUUtilizationPercentage", 5, Type::Int32),
        Field::new("currentReplicas", 3, Type::Int32).always().required(),
        Field::new("desiredReplicas", 4, Type::Int32).always().required(),
        Field::new("lastScaleTime", 2, Type::Time),
        Field::new("observedGeneration", 1, Type::Int64),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v1.Scale`.
pub(crate) static SCALE: Message = Message {
    name: "io.k8s.api.autoscaling.v1.Scale",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SCALE_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&SCALE_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v1.ScaleSpec`.
pub(crate) static SCALE_SPEC: Message = Message {
    name: "io.k8s.api.autoscaling.v1.ScaleSpec",
    fields: &[Field::new("replicas", 1, Type::Int32).omit_empty().default("0")],
    atomic: false,
};

/// `io.k8s.api.autoscaling.v1.ScaleStatus`.
pub(crate) static SCALE_STATUS: Message = Message {
    name: "io.k8s.api.autoscaling.v1.ScaleStatus",
    fields: &[
        Field::new("replicas", 1, Type::Int32).always().required(),
        Field::new("selector", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};
