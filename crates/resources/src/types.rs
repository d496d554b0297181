//! The rules of message types, looked up by the name of the message.

use wk_schema::Message;

use crate::walk::TypeRule;

pub(crate) mod affinity;
pub(crate) mod apps;
pub(crate) mod claim;
pub(crate) mod container;
pub(crate) mod env;
pub(crate) mod label_selector;
pub(crate) mod operating_system;
pub(crate) mod pod_spec;
pub(crate) mod probe;
pub(crate) mod resources;
pub(crate) mod security;
pub(crate) mod volume;

/// The rule of a message; [`TypeRule::NONE`] for those without.
pub(crate) fn rule(message: &Message) -> &'static TypeRule {
    let Some(name) = message.name.strip_prefix("io.k8s.") else { return &TypeRule::NONE };
    if let Some(core) = name.strip_prefix("api.core.v1.") {
        return core_rule(core);
    }
    match name {
        "apimachinery.pkg.apis.meta.v1.LabelSelector" => &label_selector::RULE,
        "apimachinery.pkg.apis.meta.v1.ObjectMeta" => &OBJECT_META,
        _ => apps::rule(name),
    }
}

const OBJECT_META: TypeRule = TypeRule {
    zeros: &[
        "generateName",
        "generation",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    ],
    ..TypeRule::NONE
};

fn core_rule(name: &str) -> &'static TypeRule {
    match name {
        "Container" => &container::CONTAINER,
        "ContainerPort" => &container::PORT,
        "DownwardAPIVolumeSource" | "ProjectedVolumeSource" | "ConfigMapVolumeSource" => {
            &volume::WITH_MODE
        }
        "EnvVar" => &env::VAR,
        "EphemeralContainer" => &container::EPHEMERAL,
        "HTTPGetAction" => &probe::HTTP_GET,
        "HostPathVolumeSource" => &volume::HOST_PATH,
        "Lifecycle" => &probe::LIFECYCLE,
        "ObjectFieldSelector" => &env::OBJECT_FIELD,
        "PersistentVolumeClaimSpec" => &volume::CLAIM,
        "PodSpec" => &pod_spec::RULE,
        "PodTemplateSpec" => &pod_spec::TEMPLATE,
        "Probe" => &probe::PROBE,
        "ResourceFieldSelector" => &env::RESOURCE_FIELD,
        "SecretVolumeSource" => &volume::SECRET,
        "ServiceAccountTokenProjection" => &volume::TOKEN,
        "Toleration" => &affinity::TOLERATION,
        "Volume" => &volume::VOLUME,
        "VolumeMount" => &volume::MOUNT,
        _ => &TypeRule::NONE,
    }
}
