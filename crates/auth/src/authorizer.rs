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

/// One thing that a user may do. `*` stands for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The verbs.
    pub verbs: Vec<String>,
    /// The API groups; empty for rules about paths.
    pub groups: Vec<String>,
    /// The plural names of kinds, `pods` or `pods/log`; empty for rules about paths.
    pub resources: Vec<String>,
    /// The names of objects; empty for all.
    pub names: Vec<String>,
    /// The paths outside the API; empty for rules about resources.
    pub paths: Vec<String>,
}

/// What a user may do in a namespace, as far as it can be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rules.
    pub rules: Vec<Rule>,
    /// Whether there may be more than is listed; then the user is told this.
    pub incomplete: Option<String>,
}

/// Decides whether a user may do something.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Decides about one request; the same request may be asked again and again.
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision;

    /// What a user may do in a namespace. Decisions are never taken from it.
    async fn rules(&self, _user: &User, _namespace: &str) -> Rules {
        let reason = "the authorizer does not support user rule resolution";
        Rules { rules: Vec::new(), incomplete: Some(reason.to_owned()) }
    }
}

/// Paths that need no identity.
const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/bootstrap/v1/"];

/// Allows everything to everybody who showed an identity, and health and version to all; only
/// administrators act as somebody else, since that could be an administrator.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAuthenticated;

#[async_trait]
impl Authorizer for AllowAuthenticated {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let user = attributes.user;
        let allowed = match attributes.verb {
            // In whichever way: to be somebody, or to do something as somebody.
            verb if verb.starts_with("impersonate") => user.is_in(User::MASTERS),
            _ => user.is_in(User::AUTHENTICATED) || is_public(attributes.path),
        };
        if allowed { Decision::Allow } else { Decision::Deny(String::new()) }
    }

    async fn rules(&self, user: &User, _namespace: &str) -> Rules {
        let all = || vec!["*".to_owned()];
        let get = || vec!["get".to_owned()];
        let public = PUBLIC.iter().map(|path| (*path).to_owned()).collect();
        let mut rules = vec![Rule { verbs: get(), paths: public, ..Rule::default() }];
        if user.is_in(User::AUTHENTICATED) {
            rules.push(Rule { verbs: all(), groups: all(), resources: all(), ..Rule::default() });
            rules.push(Rule { verbs: all(), paths: all(), ..Rule::default() });
        }
        Rules { rules, incomplete: None }
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
