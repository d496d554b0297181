//! From the text of a file to a pod of this node. Pure.
//!
//! Spec: <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>

use k8s_openapi::api::core::v1::{Pod, PodSpec, Volume};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use wk_api::well_known::DEFAULT_NAMESPACE;

/// The annotation of a static pod with the hash of its source.
pub(super) const CONFIG_HASH_ANNOTATION: &str = "kubernetes.io/config.hash";
/// The annotation of a static pod with the time at which its source was read.
const CONFIG_SEEN_ANNOTATION: &str = "kubernetes.io/config.seen";
/// The annotation of a pod with the kind of its source.
const CONFIG_SOURCE_ANNOTATION: &str = "kubernetes.io/config.source";

/// Where and when a file was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) node_name: &'a str,
    /// The path of the file.
    pub(super) file: &'a str,
    pub(super) now: jiff::Timestamp,
}

/// A pod as a file has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest {
    pub(super) pod: Pod,
    /// What the file has beside that and nobody understands.
    pub(super) warnings: Vec<String>,
}

/// Why a file holds no pod that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ManifestError {
    /// The text is neither JSON nor YAML, or has the wrong form.
    #[error("couldn't parse as pod: {0}")]
    Text(String),
    /// It is something else.
    #[error("invalid pod: it is a `{kind}` of `{api_version}` and not a `Pod` of `v1`")]
    Kind {
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// The API would not take it.
    #[error("invalid pod: {0}")]
    Invalid(String),
    /// It needs something that only the API has.
    #[error("static pods may not reference {0}")]
    Reference(&'static str),
}

/// Reads a pod, completes it as the API would, and makes it one of this node.
///
/// # Errors
/// [`ManifestError`]; the faults of a pod are told all at once.
pub(super) fn read(text: &[u8], origin: Origin<'_>) -> Result<Manifest, ManifestError> {
    let definition = wk_resources::definition("", "v1", "Pod").expect("the API has pods");
    let message = definition.message.expect("the schema has pods");
    let unreadable = |error: &dyn std::fmt::Display| ManifestError::Text(error.to_string());
    // JSON is YAML too. The kind comes first: the rest is read as what it is.
    let document = wk_yaml::first(text).map_err(|error| unreadable(&error))?;
    if let Some(twice) = document.duplicates.first() {
        return Err(unreadable(twice));
    }
    let all = wk_yaml::documents(&String::from_utf8_lossy(text), wk_yaml::Dialect::Kubernetes);
    match all {
        Ok(all) if all.len() > 1 => return Err(unreadable(&"there is more than one document")),
        Ok(_) => {}
        Err(error) => return Err(unreadable(&error)),
    }
    let plain = document.value;
    let word = |field: &str| plain[field].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (word("apiVersion"), word("kind"));
    if (api_version.as_str(), kind.as_str()) != ("v1", "Pod") {
        return Err(ManifestError::Kind { api_version, kind });
    }
    let (mut value, warnings) =
        wk_schema::decode_value(plain, message).map_err(|error| unreadable(&error))?;
    become_of_node(&mut value, origin)?;
    definition.default(&mut value);
    let faults = definition.validate_create(&value);
    if !faults.is_empty() {
        return Err(ManifestError::Invalid(wk_api::fault::aggregate(&faults)));
    }
    value["status"] = json!({"phase": "Pending", "qosClass": wk_resources::qos_class(&value)});
    let pod: Pod = serde_json::from_value(value).map_err(|error| unreadable(&error))?;
    if let Some(what) = pod.spec.as_ref().and_then(reference) {
        return Err(ManifestError::Reference(what));
    }
    Ok(Manifest { pod, warnings: warnings.iter().map(ToString::to_string).collect() })
}

/// Gives the pod the name, the identity and the marks that tell whose it is.
fn become_of_node(value: &mut Value, origin: Origin<'_>) -> Result<(), ManifestError> {
    let map = |value: &mut Value, field: &str| -> Map<String, Value> {
        match value.get_mut(field).map(Value::take) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        }
    };
    let hash = hash(value, origin);
    if let Value::Object(object) = &mut *value {
        object.remove("status");
    }
    let mut metadata = map(value, "metadata");
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(ManifestError::Invalid(
            "metadata.name: Required value: name or generateName is required".to_owned(),
        ));
    }
    let name = format!("{name}-{}", origin.node_name.to_lowercase());
    let namespace = metadata.get("namespace").and_then(Value::as_str);
    let namespace = namespace.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_NAMESPACE);
    let namespace = namespace.to_owned();
    let mut annotations = match metadata.remove("annotations") {
        Some(Value::Object(annotations)) => annotations,
        _ => Map::new(),
    };
    annotations.insert(CONFIG_HASH_ANNOTATION.to_owned(), hash.clone().into());
    annotations.insert(CONFIG_SEEN_ANNOTATION.to_owned(), origin.now.to_string().into());
    annotations.insert(CONFIG_SOURCE_ANNOTATION.to_owned(), "file".into());
    // What the API alone gives is not for files to say.
    for field in ["generateName", "resourceVersion", "selfLink", "managedFields"] {
        metadata.remove(field);
    }
    metadata.insert("name".to_owned(), name.into());
    metadata.insert("namespace".to_owned(), namespace.into());
    metadata.insert("uid".to_owned(), hash.into());
    metadata.insert("annotations".to_owned(), Value::Object(annotations));
    value["metadata"] = Value::Object(metadata);
    let mut spec = map(value, "spec");
    spec.insert("nodeName".to_owned(), origin.node_name.into());
    // It belongs to the node, whatever becomes of that.
    let stays = json!({"operator": "Exists", "effect": "NoExecute"});
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if let Value::Array(tolerations) = tolerations
        && !tolerations.contains(&stays)
    {
        tolerations.push(stays);
    }
    value["spec"] = Value::Object(spec);
    Ok(())
}

/// The same for the same content of the same file on the same node, and for nothing else.
fn hash(value: &Value, origin: Origin<'_>) -> String {
    let Origin { node_name, file, now: _ } = origin;
    let mut hasher = Sha256::new();
    hasher.update(value.to_string());
    hasher.update(format!("host:{node_name}file:{file}"));
    let mut text = format!("{:x}", hasher.finalize());
    text.truncate(32);
    text
}

/// What of the API a pod needs, which may be away when it is to run.
fn reference(spec: &PodSpec) -> Option<&'static str> {
    let volumes = || spec.volumes.iter().flatten();
    let containers = || {
        let init = spec.init_containers.iter().flatten();
        init.chain(&spec.containers)
    };
    let env = || {
        let env = containers().flat_map(|container| container.env.iter().flatten());
        env.filter_map(|var| var.value_from.as_ref())
    };
    let env_from = || containers().flat_map(|container| container.env_from.iter().flatten());
    let has_account = spec.service_account_name.as_ref().is_some_and(|name| !name.is_empty());
    let pulls = spec.image_pull_secrets.as_ref().is_some_and(|all| !all.is_empty());
    let secrets = pulls
        || env().any(|source| source.secret_key_ref.is_some())
        || env_from().any(|source| source.secret_ref.is_some())
        || volumes().any(needs_secret);
    let config_maps = env().any(|source| source.config_map_key_ref.is_some())
        || env_from().any(|source| source.config_map_ref.is_some())
        || volumes().any(|volume| {
            volume.config_map.is_some()
                || projected(volume).any(|source| source.config_map.is_some())
        });
    let asked = [
        (has_account, "serviceaccounts"),
        (secrets, "secrets"),
        (config_maps, "configmaps"),
        (
            volumes().any(|volume| projected(volume).any(|one| one.cluster_trust_bundle.is_some())),
            "clustertrustbundles",
        ),
        (
            volumes()
                .any(|volume| projected(volume).any(|one| one.service_account_token.is_some())),
            "serviceaccounts",
        ),
        (
            volumes().any(|volume| {
                volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some()
            }),
            "persistentvolumeclaims",
        ),
        (spec.resource_claims.as_ref().is_some_and(|all| !all.is_empty()), "resourceclaims"),
    ];
    asked.into_iter().find(|(is_asked, _)| *is_asked).map(|(_, what)| what)
}

fn projected(
    volume: &Volume,
) -> impl Iterator<Item = &k8s_openapi::api::core::v1::VolumeProjection> {
    volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten())
}

fn needs_secret(volume: &Volume) -> bool {
    volume.secret.is_some()
        || projected(volume).any(|source| source.secret.is_some())
        || volume.csi.as_ref().is_some_and(|csi| csi.node_publish_secret_ref.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin<'static> {
        Origin { node_name: "edge-1", file: "/pods/web.yaml", now: jiff::Timestamp::UNIX_EPOCH }
    }

    const PLAIN: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {a: b}}\n\
        spec:\n  containers:\n  - {name: c, image: 'web:1', ports: [{containerPort: 80}]}\n";

    #[test]
    fn a_file_becomes_a_pod_of_the_node() {
        let manifest = read(PLAIN.as_bytes(), origin()).unwrap();
        let meta = &manifest.pod.metadata;
        assert_eq!(meta.name.as_deref(), Some("web-edge-1"));
        assert_eq!(meta.namespace.as_deref(), Some("default"));
        let annotations = meta.annotations.as_ref().unwrap();
        assert_eq!(annotations[CONFIG_SOURCE_ANNOTATION], "file");
        assert_eq!(Some(&annotations[CONFIG_HASH_ANNOTATION]), meta.uid.as_ref());
        assert_eq!(annotations["a"], "b");
        let spec = manifest.pod.spec.as_ref().unwrap();
        assert_eq!(spec.node_name.as_deref(), Some("edge-1"));
        assert_eq!(spec.restart_policy.as_deref(), Some("Always"), "defaults of the API");
        let tolerations = spec.tolerations.as_ref().unwrap();
        assert_eq!(tolerations[0].effect.as_deref(), Some("NoExecute"));
        let status = manifest.pod.status.as_ref().unwrap();
        assert_eq!(status.qos_class.as_deref(), Some("BestEffort"));
        assert!(manifest.warnings.is_empty());
    }

    #[test]
    fn the_identity_follows_content_file_and_node_alone() {
        let uid = |text: &str, origin: Origin<'_>| {
            read(text.as_bytes(), origin).unwrap().pod.metadata.uid.unwrap()
        };
        let first = uid(PLAIN, origin());
        assert_eq!(first.len(), 32);
        let later = Origin { now: jiff::Timestamp::from_second(9).unwrap(), ..origin() };
        assert_eq!(first, uid(&format!("# a remark\n{PLAIN}"), later));
        let json = r#"{"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": "web", "annotations": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "web:1",
                                     "ports": [{"containerPort": 80}]}]}}"#;
        assert_eq!(first, uid(json, origin()));
        assert_ne!(first, uid(&PLAIN.replace("web:1", "web:2"), origin()));
        assert_ne!(first, uid(PLAIN, Origin { file: "/pods/x", ..origin() }));
        assert_ne!(first, uid(PLAIN, Origin { node_name: "edge-2", ..origin() }));
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        let fault = |text: &str| read(text.as_bytes(), origin()).unwrap_err().to_string();
        let not_text = fault("{");
        assert!(not_text.starts_with("couldn't parse as pod: "), "{not_text}");
        assert!(fault("").contains("not a `Pod`"), "{}", fault(""));
        let service = PLAIN.replace("kind: Pod", "kind: Service");
        assert!(fault(&service).contains("`Service`"));
        let twice = fault(&format!("{PLAIN}---\n{PLAIN}"));
        assert!(twice.starts_with("couldn't parse as pod: "), "{twice}");
        let invalid = fault(&PLAIN.replace("name: c", "name: C_").replace("80", "70000"));
        assert!(invalid.contains("spec.containers[0].name"), "{invalid}");
        assert!(invalid.contains("containerPort"), "{invalid}");
        assert!(fault(&PLAIN.replace("name: web, ", "")).contains("metadata.name: Required"));
        for (more, what) in [
            ("serviceAccountName: x", "serviceaccounts"),
            ("imagePullSecrets: [{name: x}]", "secrets"),
            ("volumes: [{name: v, secret: {secretName: x}}]", "secrets"),
            ("volumes: [{name: v, configMap: {name: x}}]", "configmaps"),
            (
                "volumes: [{name: v, persistentVolumeClaim: {claimName: x}}]",
                "persistentvolumeclaims",
            ),
        ] {
            let text = format!("{PLAIN}  {more}\n");
            assert_eq!(fault(&text), format!("static pods may not reference {what}"));
        }
        let odd = read(format!("{PLAIN}  colour: blue\n").as_bytes(), origin()).unwrap();
        assert_eq!(odd.warnings, ["unknown field \"spec.colour\""]);
    }
}
