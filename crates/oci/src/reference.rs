//! Image references as people write them: `web`, `localhost:5000/team/web:1`, `web@sha256:…`.
//!
//! Defaults follow Docker: no registry means `docker.io`, no namespace there means `library/`,
//! neither tag nor digest means `latest`. A host with a port or a dot, or `localhost`, is a registry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestError};

/// The registry that a reference without one means.
pub const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// Names one image in one registry; at least one of tag and digest is always there. Cheap to clone.
///
/// Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    parts: Arc<Parts>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("the image reference is empty")]
    Empty,
    /// The registry's host or port is malformed.
    #[error("image `{text}`: `{host}` is not a registry of the form `host` or `host:port`")]
    Registry {
        /// The whole text.
        text: String,
        /// The part at fault.
        host: String,
    },
    /// The repository breaks the grammar.
    #[error(
        "image `{text}`: `{name}` is not a repository: lower-case letters and digits, with `.`, `_`, \
         `__` or `-` between them, in parts divided by `/`"
    )]
    Repository {
        /// The whole text.
        text: String,
        /// The part at fault.
        name: String,
    },
    /// The tag breaks the grammar.
    #[error(
        "image `{text}`: `{tag}` is not a tag: at most 128 letters, digits, `_`, `.` and `-`, and \
         neither `.` nor `-` first"
    )]
    Tag {
        /// The whole text.
        text: String,
        /// The part at fault.
        tag: String,
    },
    /// What follows `@` is not a digest.
    #[error("image `{text}`")]
    Digest {
        /// The whole text.
        text: String,
        /// What is wrong with the digest.
        source: DigestError,
    },
}

impl ImageReference {
    /// The registry as written, with its port, such as `localhost:5000`; `docker.io` by default.
    pub fn registry(&self) -> &str {
        &self.parts.registry
    }

    /// The repository inside the registry, such as `library/web`.
    pub fn repository(&self) -> &str {
        &self.parts.repository
    }

    /// The tag, if one was written or neither tag nor digest was.
    pub fn tag(&self) -> Option<&str> {
        self.parts.tag.as_deref()
    }

    /// The digest, which wins over the tag when both are there.
    pub fn digest(&self) -> Option<&Digest> {
        self.parts.digest.as_ref()
    }

    /// What a registry is asked for: the digest, or else the tag.
    pub fn target(&self) -> &str {
        match (&self.parts.digest, &self.parts.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => DEFAULT_TAG,
        }
    }

    /// The same repository at `digest`, without a tag.
    #[must_use]
    pub fn at(&self, digest: &Digest) -> Self {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        Self {
            parts: Arc::new(Parts {
                registry,
                repository,
                tag: None,
                digest: Some(digest.clone()),
            }),
        }
    }

    /// The same, tag and all, but fixed to `digest`.
    #[must_use]
    pub fn fixed(&self, digest: &Digest) -> Self {
        let digest = Some(digest.clone());
        Self { parts: Arc::new(Parts { digest, ..(*self.parts).clone() }) }
    }

    /// Whether the other names the same tag of the same repository, whatever their digests.
    pub(crate) fn has_tag_of(&self, other: &Self) -> bool {
        let of =
            |parts: &Parts| (parts.registry.clone(), parts.repository.clone(), parts.tag.clone());
        self.parts.tag.is_some() && of(&self.parts) == of(&other.parts)
    }

    /// Whether the registry is on this machine: `localhost`, 127.0.0.0/8 or `[::1]`. Such a registry
    /// is spoken to without TLS.
    pub fn is_loopback(&self) -> bool {
        let host = host_of(self.registry());
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// The host without its port and without the brackets of an IPv6 address.
pub(crate) fn host_of(registry: &str) -> &str {
    if let Some(rest) = registry.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    registry.rsplit_once(':').map_or(registry, |(host, _)| host)
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => {
                let digest = digest
                    .parse()
                    .map_err(|source| ReferenceError::Digest { text: text.to_owned(), source })?;
                (rest, Some(digest))
            }
        };
        let (registry, rest) = match rest.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DEFAULT_REGISTRY, rest),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        if !is_valid_host(registry) {
            let host = registry.to_owned();
            return Err(ReferenceError::Registry { text: text.to_owned(), host });
        }
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (rest, None),
        };
        let repository = if registry == DEFAULT_REGISTRY && !name.contains('/') {
            format!("library/{name}")
        } else {
            name.to_owned()
        };
        if !is_repository(&repository) {
            let name = name.to_owned();
            return Err(ReferenceError::Repository { text: text.to_owned(), name });
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag { text: text.to_owned(), tag: tag.to_owned() });
        }
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        let registry = registry.to_owned();
        Ok(Self { parts: Arc::new(Parts { registry, repository, tag, digest }) })
    }
}

/// Whether the part before the first `/` names a registry rather than a namespace of `docker.io`.
fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':', '['])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_valid_host(registry: &str) -> bool {
    let port_is_valid = |port: &str| port.parse::<u16>().is_ok();
    if let Some(rest) = registry.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.strip_prefix(':').is_some_and(port_is_valid))
        });
    }
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    port.is_none_or(port_is_valid)
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn is_repository(name: &str) -> bool {
    name.len() <= MAX_NAME && name.split('/').all(is_repository_part)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_repository_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().copied().is_some_and(is_word) || !bytes.last().copied().is_some_and(is_word) {
        return false;
    }
    part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.len() <= MAX_TAG
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

impl TryFrom<String> for ImageReference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ImageReference {
    /// The complete form, with every default written out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry(), self.repository())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest() {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, complete: &str) {
        let reference: ImageReference =
            text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(reference.to_string(), complete, "{text}");
        let again: ImageReference = complete.parse().unwrap();
        assert_eq!(again, reference, "the complete form of {text} means the same");
    }

    #[test]
    fn defaults_are_those_of_docker() {
        check("web", "docker.io/library/web:latest");
        check("team/web:1", "docker.io/team/web:1");
        check("index.docker.io/web", "docker.io/library/web:latest");
        check("docker.io/team/web", "docker.io/team/web:latest");
    }

    #[test]
    fn a_registry_keeps_its_port() {
        check("localhost:5000/x", "localhost:5000/x:latest");
        check("localhost/x", "localhost/x:latest");
        check("127.0.0.1:5000/x:tag", "127.0.0.1:5000/x:tag");
        check("[::1]:5000/a/b:2", "[::1]:5000/a/b:2");
        check("ghcr.io/team/web_app.x--y:v1.2_3", "ghcr.io/team/web_app.x--y:v1.2_3");
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let digest = Digest::of(b"x");
        check(&format!("r.io/x@{digest}"), &format!("r.io/x@{digest}"));
        check(&format!("r.io/x:1@{digest}"), &format!("r.io/x:1@{digest}"));
        let reference: ImageReference = format!("r.io/x:1@{digest}").parse().unwrap();
        assert_eq!(reference.target(), digest.as_str());
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for bad in [
            "",
            "Web",
            "web:",
            "web:-x",
            "web@sha256:short",
            "a//b",
            "../etc",
            "r.io/../x",
            "r.io/a___b",
            "r.io/.a",
            "r.io/",
            "localhost:99999/x",
            "bad_host:1/x",
            "web:tag with space",
            "r.io/x@@",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
        assert!(format!("r.io/{}", "a".repeat(300)).parse::<ImageReference>().is_err());
    }

    #[test]
    fn loopback_registries_are_known() {
        for (text, loopback) in [
            ("localhost:5000/x", true),
            ("127.3.2.1:80/x", true),
            ("[::1]:5000/x", true),
            ("10.0.0.1:5000/x", false),
            ("localhost.example.com/x", false),
            ("x", false),
        ] {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!(reference.is_loopback(), loopback, "{text}");
        }
    }
}
