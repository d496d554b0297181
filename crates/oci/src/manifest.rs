//! Manifests, indexes and image configurations, as far as we read them, and their media types.
//!
//! Unknown fields are ignored, as the specification asks. The exact bytes are what a digest names,
//! so manifests are stored as received and never written from these types.
//! Spec: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What is sent as `Accept`: a registry answers 404 for a type that is not listed.
pub(crate) const ACCEPTED_MANIFESTS: [&str; 4] =
    [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// The CNCF artifact's configuration, the only one we push.
/// Spec: <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM_LAYER: &str = "application/wasm";
/// Types that older tools push; accepted, never written.
pub(crate) const OLD_WASM_CONFIGS: [&str; 1] = ["application/vnd.wasm.config.v1+json"];
pub(crate) const OLD_WASM_LAYERS: [&str; 2] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// A reference to content by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is; may be empty where a producer left it out.
    #[serde(default)]
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// The content's length, in bytes.
    pub size: u64,
    /// The platform of an index entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free-form remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// An operating system and an architecture, in Go's words, such as `linux/amd64` or `wasip2/wasm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `wasip2`, …
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`, `wasm`, …
    #[serde(default)]
    pub architecture: String,
}

/// The manifest of one image or artifact.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) layers: Vec<Descriptor>,
}

/// A list of manifests, mostly one for each platform.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Index {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) manifests: Vec<Descriptor>,
}

/// Either of the two things that a reference may lead to.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// Why bytes are not a manifest we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DocumentFault {
    Malformed(String),
    MediaType(String),
}

impl Document {
    /// Reads a manifest or an index. The type is what the document says of itself, else what the
    /// registry said of it, else what its fields show.
    pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, DocumentFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            schema_version: Option<u64>,
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
            config: Option<serde::de::IgnoredAny>,
        }
        let malformed = |error: serde_json::Error| DocumentFault::Malformed(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
        if head.schema_version != Some(2) {
            let version = head.schema_version.map_or("missing".to_owned(), |v| v.to_string());
            return Err(DocumentFault::Malformed(format!("schemaVersion is {version}, not 2")));
        }
        let known = |media_type: &&str| ACCEPTED_MANIFESTS.contains(media_type);
        let media_type = match head.media_type.as_deref().filter(|own| !own.is_empty()) {
            Some(own) => own,
            None => content_type
                .map(|content_type| content_type.split(';').next().unwrap_or_default().trim())
                .filter(known)
                .unwrap_or(match (&head.manifests, &head.config) {
                    (Some(_), None) => OCI_INDEX,
                    _ => OCI_MANIFEST,
                }),
        };
        match media_type {
            OCI_INDEX | DOCKER_LIST => {
                serde_json::from_slice(bytes).map(Self::Index).map_err(malformed)
            }
            OCI_MANIFEST | DOCKER_MANIFEST => {
                serde_json::from_slice(bytes).map(Self::Manifest).map_err(malformed)
            }
            other => Err(DocumentFault::MediaType(other.to_owned())),
        }
    }
}

/// The configuration blob of an OCI or Docker image.
/// Spec: <https://github.com/opencontainers/image-spec/blob/main/config.md>
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ImageConfigFile {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) config: ExecutionConfig,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) rootfs: RootFs,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExecutionConfig {
    #[serde(deserialize_with = "or_default")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) working_dir: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) user: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) stop_signal: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RootFs {
    #[serde(deserialize_with = "or_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

/// Go writes empty lists, maps and structs as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_comes_from_the_document_then_the_header_then_the_fields() {
        let digest = Digest::of(b"");
        let config = format!(r#""config":{{"mediaType":"x","digest":"{digest}","size":0}}"#);
        for (text, header, expected) in [
            (format!(r#"{{"schemaVersion":2,{config}}}"#), None, "manifest"),
            (r#"{"schemaVersion":2,"manifests":null}"#.to_owned(), Some(OCI_INDEX), "index"),
            (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), Some("text/plain"), "index"),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}",{config}}}"#),
                Some(OCI_INDEX),
                "manifest",
            ),
            (r#"{"schemaVersion":1}"#.to_owned(), None, "schemaVersion is 1, not 2"),
            (r#"{"schemaVersion":2,"mediaType":"a/b"}"#.to_owned(), None, "a/b"),
        ] {
            let found = match Document::parse(text.as_bytes(), header) {
                Ok(Document::Manifest(_)) => "manifest".to_owned(),
                Ok(Document::Index(_)) => "index".to_owned(),
                Err(DocumentFault::Malformed(fault) | DocumentFault::MediaType(fault)) => fault,
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn nulls_of_docker_are_empty() {
        let json =
            br#"{"config":{"Entrypoint":null,"Env":null,"ExposedPorts":null,"Labels":null}}"#;
        let file: ImageConfigFile = serde_json::from_slice(json).unwrap();
        assert!(file.config.entrypoint.is_empty() && file.config.env.is_empty());
    }
}
