//! What a request is about, read off its method and path.
//!
//! Spec: <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>

use http::Method;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Objects of a kind.
    Resource(ResourcePath),
    /// Anything else; the path has no slash at its end.
    Path(String),
}

/// The parts of a path that names objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResourcePath {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The namespace; empty for none and for all.
    pub namespace: String,
    /// The plural of the kind.
    pub resource: String,
    /// The name of the object; empty for the collection.
    pub name: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// What follows the subresource, for `proxy`.
    pub rest: String,
    /// Whether the path is one of the old `/watch/` ones.
    pub watch: bool,
}

impl Target {
    /// Reads a path. Slashes at the end and repeated ones are forgiven.
    pub(crate) fn parse(path: &str) -> Self {
        let parts: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let resource = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => resource("", version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                resource(group, version, rest)
            }
            _ => None,
        };
        if let Some(resource) = resource {
            return Self::Resource(resource);
        }
        let trimmed = path.trim_end_matches('/');
        Self::Path(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Option<ResourcePath> {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut path = ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        watch,
        ..ResourcePath::default()
    };
    let rest = match rest {
        // `status` and `finalize` are of the namespace itself, everything else is in it.
        ["namespaces", namespace, rest @ ..]
            if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) =>
        {
            (*namespace).clone_into(&mut path.namespace);
            rest
        }
        rest => rest,
    };
    (*rest.first()?).clone_into(&mut path.resource);
    rest.get(1).copied().unwrap_or_default().clone_into(&mut path.name);
    rest.get(2).copied().unwrap_or_default().clone_into(&mut path.subresource);
    path.rest = rest.get(3..).map(|rest| rest.join("/")).unwrap_or_default();
    Some(path)
}

/// A part of a path, or a name or value of a query, without percent signs.
pub(crate) fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte =
            hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// What is done to objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The verb of a request; `None` for methods that mean nothing here.
    pub(crate) fn of(method: &Method, named: bool, watch: bool) -> Option<Self> {
        Some(match *method {
            Method::GET | Method::HEAD if watch => Self::Watch,
            Method::GET | Method::HEAD if named => Self::Get,
            Method::GET | Method::HEAD => Self::List,
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE if named => Self::Delete,
            Method::DELETE => Self::DeleteCollection,
            _ => return None,
        })
    }

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let shown = match Target::parse(path) {
            Target::Path(path) => path,
            Target::Resource(found) => format!(
                "{}|{}|{}|{}|{}|{}",
                found.group,
                found.version,
                found.namespace,
                found.resource,
                found.name,
                found.subresource
            ),
        };
        assert_eq!(shown, expected, "{path}");
    }

    #[test]
    fn paths_are_taken_apart() {
        check("/api/v1/pods", "|v1||pods||");
        check("/api/v1/namespaces/a/pods/b/log", "|v1|a|pods|b|log");
        check("/api/v1/namespaces/a/pods/", "|v1|a|pods||");
        check("/api/v1/namespaces/a", "|v1||namespaces|a|");
        check("/api/v1/namespaces/a/finalize", "|v1||namespaces|a|finalize");
        check(
            "/apis/apps/v1/namespaces/a/deployments/b%2Dc/scale",
            "apps|v1|a|deployments|b-c|scale",
        );
        check("/apis/apps/v1", "/apis/apps/v1");
        check("/version/", "/version");
        check("/", "/");
        check("/api/v1/namespaces/a/pods/%zz", "|v1|a|pods|%zz|");
    }
}
