//! What a pushed manifest says: its type, what it refers to, and what its referrers' list shows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::digest::Digest;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A manifest or index that can be stored, if what it refers to is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) media_type: String,
    /// Blobs that have to be in the repository: configuration and layers.
    pub(crate) blobs: Vec<Digest>,
    /// Blobs that may be there, but that clients fetch from elsewhere.
    pub(crate) foreign: Vec<Digest>,
    /// Manifests that have to be in the repository: the entries of an index.
    pub(crate) manifests: Vec<Digest>,
    /// What it is about; need not be there.
    pub(crate) subject: Option<Digest>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    /// Read so that a descriptor without a size is refused.
    #[serde(rename = "size")]
    _size: u64,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

/// Reads a manifest; the error says what is wrong with it.
pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Parsed, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if document.schema_version != Some(2) {
        return Err("its `schemaVersion` is not 2".to_owned());
    }
    let content_type = content_type
        .map(|text| text.split(';').next().unwrap_or_default().trim().to_owned())
        .filter(|text| !text.is_empty() && text != "application/json");
    let media_type = match (document.media_type.filter(|own| !own.is_empty()), content_type) {
        (Some(own), Some(sent)) if own != sent => {
            return Err(format!("its `mediaType` is `{own}`, its `Content-Type` `{sent}`"));
        }
        (Some(own), _) => own,
        (None, Some(sent)) => sent,
        (None, None) if document.manifests.is_some() => OCI_INDEX.to_owned(),
        (None, None) => OCI_MANIFEST.to_owned(),
    };
    let is_index = match media_type.as_str() {
        OCI_MANIFEST | DOCKER_MANIFEST => false,
        OCI_INDEX | DOCKER_LIST => true,
        other => return Err(format!("media type `{other}` is not supported")),
    };
    let mut parsed = Parsed {
        media_type,
        blobs: Vec::new(),
        foreign: Vec::new(),
        manifests: Vec::new(),
        subject: document.subject.map(|subject| subject.digest),
        artifact_type: document.artifact_type.filter(|own| !own.is_empty()),
        annotations: document.annotations.unwrap_or_default(),
    };
    if is_index {
        if document.layers.is_some() || document.config.is_some() {
            return Err("an index has neither `config` nor `layers`".to_owned());
        }
        let entries = document.manifests.ok_or("an index needs `manifests`")?;
        parsed.manifests = entries.into_iter().map(|entry| entry.digest).collect();
    } else {
        if document.manifests.is_some() {
            return Err("a manifest has no `manifests`".to_owned());
        }
        let config = document.config.ok_or("a manifest needs a `config`")?;
        if parsed.artifact_type.is_none() && !config.media_type.is_empty() {
            parsed.artifact_type = Some(config.media_type.clone());
        }
        for blob in std::iter::once(config).chain(document.layers.unwrap_or_default()) {
            if is_foreign(&blob) {
                parsed.foreign.push(blob.digest);
            } else {
                parsed.blobs.push(blob.digest);
            }
        }
    }
    Ok(parsed)
}

/// Layers whose licence forbids distribution, such as Windows' base layers.
fn is_foreign(blob: &Descriptor) -> bool {
    blob.urls.as_ref().is_some_and(|urls| !urls.is_empty())
        || blob.media_type.contains(".nondistributable.")
        || blob.media_type.contains(".foreign.")
}

impl Parsed {
    /// The entry in the list of its subject's referrers.
    /// Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
    pub(crate) fn referrer(&self, digest: &Digest, size: usize) -> serde_json::Value {
        let mut entry = json!({
            "mediaType": self.media_type,
            "digest": digest.as_str(),
            "size": size,
        });
        if let Some(artifact_type) = &self.artifact_type {
            entry["artifactType"] = artifact_type.as_str().into();
        }
        if !self.annotations.is_empty() {
            entry["annotations"] = json!(self.annotations);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(name: &str, more: &str) -> String {
        let digest = Digest::of(name.as_bytes());
        format!(r#"{{"mediaType":"{name}","digest":"{digest}","size":1{more}}}"#)
    }

    #[test]
    fn references_of_a_manifest_are_found() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{},{}],"subject":{}}}"#,
            descriptor("config", ""),
            descriptor("layer", ""),
            descriptor("far", r#","urls":["https://example.com/x"]"#),
            descriptor("subject", "")
        );
        let parsed = parse(text.as_bytes(), Some(OCI_MANIFEST)).unwrap();
        assert_eq!(parsed.blobs, [Digest::of(b"config"), Digest::of(b"layer")]);
        assert_eq!(parsed.foreign, [Digest::of(b"far")]);
        assert_eq!(parsed.subject, Some(Digest::of(b"subject")));
        let referrer = parsed.referrer(&Digest::of(b"x"), 7);
        assert_eq!(referrer["artifactType"], "config", "falls back to the configuration's type");
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let config = descriptor("config", "");
        for (text, content_type, expected) in [
            ("{".to_owned(), None, "it cannot be read"),
            ("[]".to_owned(), None, "it cannot be read"),
            (r#"{"schemaVersion":1}"#.to_owned(), None, "its `schemaVersion` is not 2"),
            (r#"{"schemaVersion":2}"#.to_owned(), None, "a manifest needs a `config`"),
            (r#"{"schemaVersion":2}"#.to_owned(), Some(OCI_INDEX), "an index needs `manifests`"),
            (
                format!(r#"{{"schemaVersion":2,"config":{config}}}"#),
                Some("text/plain"),
                "media type",
            ),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{config}}}"#),
                Some(DOCKER_MANIFEST),
                "its `mediaType` is",
            ),
            (
                r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:x","size":1}}"#
                    .to_owned(),
                None,
                "it cannot be read",
            ),
            (
                format!(r#"{{"schemaVersion":2,"manifests":[],"config":{config}}}"#),
                Some(OCI_INDEX),
                "an index has neither",
            ),
        ] {
            let fault = parse(text.as_bytes(), content_type).unwrap_err();
            assert!(fault.starts_with(expected), "{text}: {fault}");
        }
    }
}
