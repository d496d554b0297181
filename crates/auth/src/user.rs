//! Identities.

use std::collections::BTreeMap;

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::ca::sha256;

/// Who makes a request, as Kubernetes names it.
///
/// Spec: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/>
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// Unique name: `system:node:edge-1`, `admin`.
    pub name: String,
    /// Identifies the user across renames; empty where the source has none.
    pub uid: String,
    /// Groups the user belongs to, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// More facts about the user, by key.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The name of somebody who showed no identity.
    pub const ANONYMOUS: &'static str = "system:anonymous";
    /// The group of everybody who showed an identity.
    pub const AUTHENTICATED: &'static str = "system:authenticated";
    /// The group of everybody who did not.
    pub const UNAUTHENTICATED: &'static str = "system:unauthenticated";
    /// The group that may do everything.
    pub const MASTERS: &'static str = "system:masters";
    /// The group of the nodes.
    pub const NODES: &'static str = "system:nodes";

    /// The group of all service accounts; those of a namespace have one with its name, too.
    pub const SERVICE_ACCOUNTS: &'static str = "system:serviceaccounts";

    /// The fact that tells which certificate or token was shown.
    pub const CREDENTIAL_ID: &'static str = "authentication.kubernetes.io/credential-id";

    /// A user who proved to be `name`, with `system:authenticated` added to the groups.
    pub fn authenticated<I, S>(name: impl Into<String>, groups: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let mut groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        groups.push(Self::AUTHENTICATED.to_owned());
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// Somebody who showed no identity.
    pub fn anonymous() -> Self {
        Self {
            name: Self::ANONYMOUS.to_owned(),
            groups: vec![Self::UNAUTHENTICATED.to_owned()],
            ..Self::default()
        }
    }

    /// The identity of the kubelet on `node`.
    pub fn node(node: &str) -> Self {
        Self::authenticated(format!("system:node:{node}"), [Self::NODES])
    }

    /// The identity of a service account.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::authenticated(
            format!("system:serviceaccount:{namespace}:{name}"),
            [Self::SERVICE_ACCOUNTS.to_owned(), format!("{}:{namespace}", Self::SERVICE_ACCOUNTS)],
        )
    }

    /// Whether the user belongs to `group`.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// The user that a verified client certificate stands for: its common name and organisations, and
/// as a fact the hash of the certificate.
///
/// `None` if the certificate cannot be read or has no common name.
pub fn user_from_certificate(der: &[u8]) -> Option<User> {
    let (_rest, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
    let mut user = User::authenticated(name, groups);
    let id = format!("X509SHA256={}", sha256(der));
    user.extra.insert(User::CREDENTIAL_ID.to_owned(), vec![id]);
    Some(user)
}
