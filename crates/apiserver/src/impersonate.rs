//! Acting as somebody else: who may is asked for each part of whom they want to be.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>

use std::fmt::Write as _;

use http::HeaderMap;
use wk_api::{ApiError, names};
use wk_auth::User;

use crate::route::{ResourcePath, decoded};
use crate::server::ApiServer;
use crate::{audit, authorize};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// One part of an identity that somebody wants to have, and where leave to have it is asked for.
#[derive(Debug)]
enum Part {
    ServiceAccount { namespace: String, name: String },
    User(String),
    Group(String),
    Extra { key: String, value: String },
    Uid(String),
}

impl Part {
    /// What `impersonate` is asked on.
    fn place(&self) -> ResourcePath {
        let (group, resource, namespace, name, subresource) = match self {
            Self::ServiceAccount { namespace, name } => {
                ("", "serviceaccounts", &**namespace, name, "")
            }
            Self::User(name) => ("", "users", "", name, ""),
            Self::Group(name) => ("", "groups", "", name, ""),
            Self::Extra { key, value } => {
                ("authentication.k8s.io", "userextras", "", value, &**key)
            }
            Self::Uid(uid) => ("authentication.k8s.io", "uids", "", uid, ""),
        };
        ResourcePath {
            group: group.to_owned(),
            version: if group.is_empty() { "" } else { "v1" }.to_owned(),
            namespace: namespace.to_owned(),
            resource: resource.to_owned(),
            name: name.clone(),
            subresource: subresource.to_owned(),
            ..ResourcePath::default()
        }
    }

    /// The part in the words of an error: kind, namespace, name, uid, version, revision and field.
    fn words(&self) -> String {
        let (kind, namespace, name, version, field) = match self {
            Self::ServiceAccount { namespace, name } => {
                ("ServiceAccount", &**namespace, name, "", "")
            }
            Self::User(name) => ("User", "", name, "", ""),
            Self::Group(name) => ("Group", "", name, "", ""),
            Self::Extra { key, value } => {
                ("UserExtra", "", value, "authentication.k8s.io/v1", &**key)
            }
            Self::Uid(uid) => ("UID", "", uid, "authentication.k8s.io/v1", ""),
        };
        format!("{{{kind} {namespace} {name}  {version}  {field}}}")
    }
}

/// The values of a header, in order.
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let found = headers.get_all(name).into_iter();
    found.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// The service account that a user name stands for.
fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid =
        names::dns1123_label(namespace).is_empty() && names::dns1123_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

/// Whom the headers ask for; empty if they ask for nobody.
fn parts(headers: &HeaderMap) -> Result<Vec<Part>, ApiError> {
    let mut parts = Vec::new();
    let first = |name| values(headers, name).into_iter().next().filter(|text| !text.is_empty());
    let user = first(USER);
    if let Some(user) = &user {
        parts.push(match account(user) {
            Some((namespace, name)) => {
                Part::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }
            }
            None => Part::User(user.clone()),
        });
    }
    parts.extend(values(headers, GROUP).into_iter().map(Part::Group));
    for name in headers.keys() {
        let Some(key) = name.as_str().strip_prefix(EXTRA) else { continue };
        for value in values(headers, name.as_str()) {
            parts.push(Part::Extra { key: decoded(key), value });
        }
    }
    parts.extend(first(UID).map(Part::Uid));
    if user.is_none() && !parts.is_empty() {
        let mut wanted = String::new();
        for (index, part) in parts.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(wanted, "{space}{}", part.words());
        }
        return Err(ApiError::bad_request(format!(
            "requested [{wanted}] without impersonating a user"
        )));
    }
    Ok(parts)
}

/// Whom a request is to be handled for: the one who makes it, or whom that one wants to be and may.
/// The headers that ask for it go no further.
pub(crate) async fn acting(
    server: &ApiServer,
    user: User,
    headers: &mut HeaderMap,
) -> Result<User, ApiError> {
    let parts = parts(headers)?;
    if parts.is_empty() {
        audit::asked_by(&user, None);
        return Ok(user);
    }
    for part in &parts {
        authorize::action(server, &user, "impersonate", &part.place()).await?;
    }
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let other = other(parts);
    audit::asked_by(&user, Some(&other));
    Ok(other)
}

fn other(parts: Vec<Part>) -> User {
    let mut user = User::default();
    let mut own_groups = Vec::new();
    for part in parts {
        match part {
            Part::ServiceAccount { namespace, name } => {
                let account = User::service_account(&namespace, &name);
                user.name = account.name;
                // Those that everybody has come last.
                own_groups = account.groups;
                own_groups.retain(|group| group != User::AUTHENTICATED);
            }
            Part::User(name) => user.name = name,
            Part::Group(group) => user.groups.push(group),
            Part::Extra { key, value } => user.extra.entry(key).or_default().push(value),
            Part::Uid(uid) => user.uid = uid,
        }
    }
    if user.groups.is_empty() {
        user.groups = own_groups;
    }
    let unknown = user.is_in(User::UNAUTHENTICATED);
    if user.name == User::ANONYMOUS {
        if !unknown {
            user.groups.push(User::UNAUTHENTICATED.to_owned());
        }
    } else if !unknown && !user.is_in(User::AUTHENTICATED) {
        user.groups.push(User::AUTHENTICATED.to_owned());
    }
    user
}
