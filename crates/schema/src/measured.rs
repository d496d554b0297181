//! The messages of kinds that are measured: `metrics.k8s.io` and `custom.metrics.k8s.io`.
//!
//! They are served beside the API of Kubernetes and not by it, and so the generator's sources do not
//! have them. Names and numbers are those of the servers that clients know.

use crate::generated::meta_v1::{LABEL_SELECTOR, LIST_META, OBJECT_META};
use crate::table::{Field, Kind, Message, Scope, Type};

/// Kinds of these groups, sorted by group, version and kind.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        group: "custom.metrics.k8s.io",
        version: "v1beta1",
        kind: "MetricValue",
        plural: "pods",
        scope: Scope::Subresource,
        message: &OLD_METRIC_VALUE,
        list: Some(&OLD_METRIC_VALUE_LIST),
    },
    Kind {
        group: "custom.metrics.k8s.io",
        version: "v1beta2",
        kind: "MetricValue",
        plural: "pods",
        scope: Scope::Subresource,
        message: &METRIC_VALUE,
        list: Some(&METRIC_VALUE_LIST),
    },
    Kind {
        group: "metrics.k8s.io",
        version: "v1beta1",
        kind: "NodeMetrics",
        plural: "nodes",
        scope: Scope::Cluster,
        message: &NODE_METRICS,
        list: Some(&NODE_METRICS_LIST),
    },
    Kind {
        group: "metrics.k8s.io",
        version: "v1beta1",
        kind: "PodMetrics",
        plural: "pods",
        scope: Scope::Namespaced,
        message: &POD_METRICS,
        list: Some(&POD_METRICS_LIST),
    },
];

const KIND: Field = Field::new("kind", 0, Type::String).omit_empty();
const API_VERSION: Field = Field::new("apiVersion", 0, Type::String).omit_empty();
const METADATA: Field = Field::new("metadata", 1, Type::Message(&OBJECT_META)).omit_empty();
const LIST_METADATA: Field = Field::new("metadata", 1, Type::Message(&LIST_META)).omit_empty();

const fn usage(number: u32) -> Field {
    Field::new("usage", number, Type::Map(&Type::Quantity)).always().required()
}

const fn required(name: &'static str, number: u32, ty: Type) -> Field {
    Field::new(name, number, ty).always().required()
}

static CONTAINER_METRICS: Message = Message {
    name: "io.k8s.metrics.pkg.apis.metrics.v1beta1.ContainerMetrics",
    fields: &[required("name", 1, Type::String), usage(2)],
    atomic: false,
};

static NODE_METRICS: Message = Message {
    name: "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics",
    fields: &[
        API_VERSION,
        KIND,
        METADATA,
        required("timestamp", 2, Type::Time),
        usage(4),
        required("window", 3, Type::Duration),
    ],
    atomic: false,
};

static NODE_METRICS_LIST: Message = Message {
    name: "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetricsList",
    fields: &[
        API_VERSION,
        required("items", 2, Type::List(&Type::Message(&NODE_METRICS))),
        KIND,
        LIST_METADATA,
    ],
    atomic: false,
};

static POD_METRICS: Message = Message {
    name: "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics",
    fields: &[
        API_VERSION,
        required("containers", 4, Type::List(&Type::Message(&CONTAINER_METRICS))),
        KIND,
        METADATA,
        required("timestamp", 2, Type::Time),
        required("window", 3, Type::Duration),
    ],
    atomic: false,
};

static POD_METRICS_LIST: Message = Message {
    name: "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetricsList",
    fields: &[
        API_VERSION,
        required("items", 2, Type::List(&Type::Message(&POD_METRICS))),
        KIND,
        LIST_METADATA,
    ],
    atomic: false,
};

static OLD_METRIC_VALUE: Message = Message {
    name: "io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValue",
    fields: &[
        API_VERSION,
        required("describedObject", 1, REFERENCE),
        KIND,
        required("metricName", 2, Type::String),
        Field::new("selector", 6, Type::Message(&LABEL_SELECTOR)),
        required("timestamp", 3, Type::Time),
        required("value", 5, Type::Quantity),
        Field::new("window", 4, Type::Int64),
    ],
    atomic: false,
};

static OLD_METRIC_VALUE_LIST: Message = Message {
    name: "io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueList",
    fields: &[
        API_VERSION,
        required("items", 2, Type::List(&Type::Message(&OLD_METRIC_VALUE))),
        KIND,
        LIST_METADATA,
    ],
    atomic: false,
};

static METRIC_IDENTIFIER: Message = Message {
    name: "io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricIdentifier",
    fields: &[
        required("name", 1, Type::String),
        Field::new("selector", 2, Type::Message(&LABEL_SELECTOR)),
    ],
    atomic: false,
};

static METRIC_VALUE: Message = Message {
    name: "io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValue",
    fields: &[
        API_VERSION,
        required("describedObject", 1, REFERENCE),
        KIND,
        required("metric", 2, Type::Message(&METRIC_IDENTIFIER)),
        required("timestamp", 3, Type::Time),
        required("value", 5, Type::Quantity),
        Field::new("windowSeconds", 4, Type::Int64),
    ],
    atomic: false,
};

static METRIC_VALUE_LIST: Message = Message {
    name: "io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList",
    fields: &[
        API_VERSION,
        required("items", 2, Type::List(&Type::Message(&METRIC_VALUE))),
        KIND,
        LIST_METADATA,
    ],
    atomic: false,
};

const REFERENCE: Type = Type::Message(&crate::generated::core_v1::OBJECT_REFERENCE);

/// What a message is, for people; empty for messages of other groups.
pub(crate) fn text(message: &Message) -> &'static str {
    match message.short_name() {
        "ContainerMetrics" => "ContainerMetrics is what one container of a pod uses.",
        "NodeMetrics" => "NodeMetrics is what a node uses.",
        "NodeMetricsList" => "NodeMetricsList is a list of NodeMetrics.",
        "PodMetrics" => "PodMetrics is what the containers of a pod use.",
        "PodMetricsList" => "PodMetricsList is a list of PodMetrics.",
        "MetricIdentifier" => "MetricIdentifier names a metric, and series of it.",
        "MetricValue" => "MetricValue is the value of a metric for some object.",
        "MetricValueList" => "MetricValueList is the values of a metric for some objects.",
        _ => "",
    }
}

/// What a field of these messages is, for people.
pub(crate) fn field_text(field: &Field) -> &'static str {
    match field.json {
        "apiVersion" => "The version of this form of the object: group and version.",
        "kind" => "What the object is, as the API calls it.",
        "metadata" => {
            "What all objects have: name, namespace and labels are those of what is measured."
        }
        "items" => "The entries of the list.",
        "containers" => "What each container uses.",
        "describedObject" => "The object that the value is about.",
        "metric" => "The metric.",
        "metricName" => "The name of the metric.",
        "name" => "The name.",
        "selector" => {
            "The labels of the series that were asked for; all of them where it is absent."
        }
        "timestamp" => "When it was measured: the end of the window.",
        "usage" => {
            "What is used, by resource: `cpu` in cores, on average over the window, and `memory` in bytes."
        }
        "value" => "The value of the metric.",
        "window" | "windowSeconds" => "The time over which rates were taken.",
        _ => "",
    }
}
