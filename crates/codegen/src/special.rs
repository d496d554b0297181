//! What the two sources do not say, or say differently.

use crate::join::{Field, Presence};
use crate::json_types::JsonType;

/// The table's type for schemas that are not structures.
pub(crate) fn scalar(name: &str) -> Option<&'static str> {
    Some(match name {
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => "Time",
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => "MicroTime",
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => "Quantity",
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => "IntOrString",
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"
        | "io.k8s.apimachinery.pkg.runtime.RawExtension"
        | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON" => "Any",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray" => {
            "SchemaOr(SchemaChoice::Schemas)"
        }
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool" => {
            "SchemaOr(SchemaChoice::Bool)"
        }
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray" => {
            "SchemaOr(SchemaChoice::Strings)"
        }
        _ => return None,
    })
}

/// Numbers of fields that the protobuf source does not have yet, as the tags of Go's structures in a
/// newer `kubectl` tell them.
pub(crate) fn number(message: &str, field: &str) -> Option<u32> {
    let short = message.rsplit_once('.').map_or(message, |(_, short)| short);
    Some(match (short, field) {
        ("ImageVolumeStatus", "imageRef")
        | ("NodeAllocatableResourceClaimStatus", "resourceClaimName")
        | ("PodSchedulingGroup", "podGroupName")
        | ("ShardInfo", "selector")
        | ("VolumeStatus", "image") => 1,
        ("NodeAllocatableResourceClaimStatus", "containers") => 2,
        ("NodeAllocatableResourceClaimStatus", "resources") => 3,
        ("ListMeta", "shardInfo") | ("VolumeMountStatus", "volumeStatus") => 5,
        ("DeviceAttribute", "ints") | ("ResourceHealth", "message") => 6,
        ("DeviceAttribute", "bools") => 7,
        ("DeviceAttribute", "strings") => 8,
        ("DeviceAttribute", "versions") => 9,
        ("CSIDriverSpec", "preventPodSchedulingIfMissing") => 11,
        ("PodStatus", "nodeAllocatableResourceClaimStatuses") => 21,
        ("PodSpec", "schedulingGroup") => 43,
        _ => return None,
    })
}

/// Markers of such fields.
pub(crate) fn markers(message: &str, field: &str) -> &'static [(&'static str, &'static str)] {
    match (message, field) {
        ("io.k8s.api.core.v1.PodStatus", "nodeAllocatableResourceClaimStatuses") => &[
            ("patchStrategy", "merge"),
            ("patchMergeKey", "resourceClaimName"),
            ("listType", "map"),
            ("listMapKey", "resourceClaimName"),
        ],
        _ => &[],
    }
}

/// How Go holds fields that `kubectl` does not know: the server's own types, and those of this
/// release that were changed in the next.
pub(crate) fn presence(message: &str, json: &str, field: &Field) -> Option<Presence> {
    const POINTERS: &[&str] = &[
        "deprecationWarning",
        "labelSelectorPath",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "optionalOldSelf",
        "path",
        "port",
        "reason",
        "url",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
    ];
    let is_collection = matches!(field.ty, JsonType::List(_) | JsonType::Map(_));
    if json == "apiVersion" || json == "kind" || message.ends_with("version.Info") {
        return Some(Presence::OmitEmpty);
    }
    let is_list = message.ends_with("List") && (json == "items" || json == "metadata");
    if is_list || field.required {
        return Some(Presence::Always);
    }
    let is_servers = message.starts_with("io.k8s.apiextensions-apiserver.")
        || message.starts_with("io.k8s.kube-aggregator.");
    let is_pointer = matches!(field.ty, JsonType::Reference(_)) && json != "metadata"
        || POINTERS.contains(&json);
    match (is_servers, is_pointer) {
        (true, true) => Some(Presence::Pointer),
        (true, false) => Some(Presence::OmitEmpty),
        (false, _) => is_collection.then_some(Presence::OmitEmpty),
    }
}

/// Schemas that are no type of their own: a patch is whatever its media type says.
pub(crate) fn is_left_out(name: &str) -> bool {
    name == "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
}

/// Fields that have no protobuf form: the type of a whole object stands in its envelope, and the
/// version is JSON only.
pub(crate) fn is_json_only(message: &str, json: &str) -> bool {
    json == "apiVersion" || json == "kind" || message == "io.k8s.apimachinery.pkg.version.Info"
}
