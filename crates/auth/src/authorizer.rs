//! May a user do something: the seam, and the rule that admits everybody known.

use async_trait::async_trait;

use crate::User;

/// What a request wants to do.
///
/// Spec: <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#review-your-request-attributes>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for
    /// other paths the HTTP method in lower case.
    pub verb: &'a str,
    /// API group; empty for the core group and for paths outside the API.
    pub group: &'a str,
    /// API version; empty for paths outside the API.
    pub version: &'a str,
    /// Plural name of the kind; empty for paths outside the API.
    pub resource: &'a str,
    /// `status`, `log`, ...; empty for the object itself.
    pub subresource: &'a str,
    /// Namespace; empty for cluster-scoped kinds and for all namespaces.
    pub namespace: &'a str,
    /// Name of the object; empty where the request names none.
    pub name: &'a str,
    /// The path, for requests outside the API; empty otherwise.
    pub path: &'a str,
}

/// The answer of an [`Authorizer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may go on.
    Allow,
    /// It may not; the reason is shown to the user and may be empty.
    Deny(String),
}

/// Decides whether a user may do something.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Decides about one request; the same request may be asked again and again.
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision;
}

/// Paths that need no identity.
const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/bootstrap/v1/"];

/// Allows everything to everybody who showed an identity, and health and version to all.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAuthenticated;

#[async_trait]
impl Authorizer for AllowAuthenticated {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.is_in(User::AUTHENTICATED) || is_public(attributes.path) {
            return Decision::Allow;
        }
        Decision::Deny(String::new())
    }
}

fn is_public(path: &str) -> bool {
    PUBLIC.iter().any(|public| {
        let path = path.strip_suffix('/').filter(|_| !public.ends_with('/')).unwrap_or(path);
        path == *public
            || (public.ends_with('/') && path.starts_with(public))
            || path.strip_prefix(public).is_some_and(|rest| rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_health_version_and_bootstrap_are_public() {
        for path in
            ["/healthz", "/readyz/", "/livez/ping", "/version", "/version/", "/bootstrap/v1/ca"]
        {
            assert!(is_public(path), "{path}");
        }
        for path in ["/", "/api", "/apis", "/versions", "/healthzz", "/bootstrap", "/metrics"] {
            assert!(!is_public(path), "{path}");
        }
    }
}
