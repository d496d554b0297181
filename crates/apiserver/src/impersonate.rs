//! Acting as somebody else: who may is asked for each part of whom they want to be.
//!
//! There are several ways to be allowed to. In the newer ones two things are asked: whether one may do
//! *this* as somebody of that sort, and whether one may be that one. In the older one it is only
//! the latter, and then all that they may do is open.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::HeaderMap;
use parking_lot::Mutex;
use wk_api::{ApiError, names};
use wk_auth::User;

use crate::authorize::Asked;
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

/// The node that a user name stands for.
fn node(user: &str) -> Option<&str> {
    let name = user.strip_prefix("system:node:")?;
    names::dns1123_subdomain(name).is_empty().then_some(name)
}

/// A way to be allowed to act as somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A program in a pod acts as the node that it is on.
    AssociatedNode,
    /// Somebody acts as a node.
    ArbitraryNode,
    /// Somebody acts as a service account.
    ServiceAccount,
    /// Somebody acts as a user of another sort.
    UserInfo,
    /// Who may be somebody may do all that they may.
    Unconstrained,
}

/// In the order in which they are tried.
const MODES: [Mode; 5] = [
    Mode::AssociatedNode,
    Mode::ArbitraryNode,
    Mode::ServiceAccount,
    Mode::UserInfo,
    Mode::Unconstrained,
];

impl Mode {
    /// The name in verbs; `None` for the one whose verb has no name.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::AssociatedNode => Some("associated-node"),
            Self::ArbitraryNode => Some("arbitrary-node"),
            Self::ServiceAccount => Some("serviceaccount"),
            Self::UserInfo => Some("user-info"),
            Self::Unconstrained => None,
        }
    }

    /// Whether this is a way to be whom somebody wants to be.
    fn leads_to(self, parts: &[Part], asker: &User) -> bool {
        // Nodes and service accounts are what they are; nothing more can be said of them.
        let name = match parts {
            [Part::User(name)] => Some(name.as_str()),
            _ => None,
        };
        let is_node = |part: &Part| matches!(part, Part::User(name) if node(name).is_some());
        match self {
            Self::AssociatedNode => {
                let own = asker.extra.get(NODE_NAME).map(Vec::as_slice);
                let on = name.and_then(node);
                account(&asker.name).is_some()
                    && on.is_some_and(|on| matches!(own, Some([own]) if own == on))
            }
            Self::ArbitraryNode => name.and_then(node).is_some(),
            Self::ServiceAccount => matches!(parts, [Part::ServiceAccount { .. }]),
            Self::UserInfo => !parts
                .iter()
                .any(|part| is_node(part) || matches!(part, Part::ServiceAccount { .. })),
            Self::Unconstrained => true,
        }
    }

    /// What leave is asked on for a part of whom somebody wants to be.
    fn place(self, part: &Part) -> ResourcePath {
        const OWN: &str = "authentication.k8s.io";
        let general = if self == Self::Unconstrained { "" } else { OWN };
        let (group, resource, namespace, name, subresource) = match part {
            Part::ServiceAccount { namespace, name } => {
                (general, "serviceaccounts", &**namespace, name.as_str(), "")
            }
            Part::User(name) => match node(name).filter(|_| self != Self::Unconstrained) {
                // Who may be the node that they are on may be it wherever they are.
                Some(_) if self == Self::AssociatedNode => (OWN, "nodes", "", "*", ""),
                Some(node) => (OWN, "nodes", "", node, ""),
                None => (general, "users", "", name.as_str(), ""),
            },
            Part::Group(name) => (general, "groups", "", name.as_str(), ""),
            Part::Extra { key, value } => (OWN, "userextras", "", value.as_str(), &**key),
            Part::Uid(uid) => (OWN, "uids", "", uid.as_str(), ""),
        };
        ResourcePath {
            group: group.to_owned(),
            version: if group.is_empty() { "" } else { "v1" }.to_owned(),
            namespace: namespace.to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            ..ResourcePath::default()
        }
    }

    /// Asks whether somebody may act as another in this way, and do this.
    async fn allows(
        self,
        server: &ApiServer,
        asker: &User,
        parts: &[Part],
        asked: &Asked<'_>,
    ) -> Result<(), ApiError> {
        let mut known = asker.clone();
        if self == Self::AssociatedNode {
            // What is said of a program on a node counts on all of them alike.
            let keys = asker.extra.keys().cloned().collect();
            known.extra = BTreeMap::from([(NODE_KEYS.to_owned(), keys)]);
        }
        let verb = match self.name() {
            Some(name) => {
                let verb = format!("impersonate-on:{name}:{}", asked.verb());
                asked.allowed(server, &known, &verb).await?;
                format!("impersonate:{name}")
            }
            None => "impersonate".to_owned(),
        };
        for part in parts {
            authorize::action(server, &known, &verb, &self.place(part)).await?;
        }
        if self.name().is_some() {
            audit::detail("authenticationMetadata.impersonationConstraint", verb);
        }
        Ok(())
    }
}

/// The node that a program in a pod is on, as its token tells.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// What else its token tells, by name only.
const NODE_KEYS: &str = "authentication.kubernetes.io/associated-node-keys";

/// The way that led somebody to somebody else the last time: it is tried first the next time.
#[derive(Debug, Default)]
pub(crate) struct LastModes(Mutex<BTreeMap<String, Mode>>);

impl LastModes {
    /// Of how many users this is remembered.
    const MOST: usize = 1024;

    fn of(&self, user: &User) -> Option<Mode> {
        self.0.lock().get(&user.name).copied()
    }

    fn remember(&self, user: &User, mode: Mode) {
        let mut known = self.0.lock();
        if known.len() >= Self::MOST && !known.contains_key(&user.name) {
            // Whoever is forgotten pays with a question more.
            known.pop_first();
        }
        known.insert(user.name.clone(), mode);
    }
}

/// Whom a request is to be handled for: the one who makes it, or whom that one wants to be and may.
/// The headers that ask for it go no further.
pub(crate) async fn acting(
    server: &ApiServer,
    user: User,
    headers: &mut HeaderMap,
    asked: &Asked<'_>,
) -> Result<User, ApiError> {
    let parts = parts(headers)?;
    if parts.is_empty() {
        audit::asked_by(&user, None);
        return Ok(user);
    }
    let last = server.impersonation.of(&user);
    let others = MODES.into_iter().filter(|mode| Some(*mode) != last);
    let mut refused = None;
    let mut found = None;
    for mode in last.into_iter().chain(others) {
        if !mode.leads_to(&parts, &user) {
            continue;
        }
        match mode.allows(server, &user, &parts, asked).await {
            Ok(()) => {
                found = Some(mode);
                break;
            }
            // The first word counts.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let Some(mode) = found else {
        let nowhere = || ApiError::internal("there is no way to act as somebody else");
        return Err(refused.unwrap_or_else(nowhere));
    };
    server.impersonation.remember(&user, mode);
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let other = other(parts, mode);
    audit::asked_by(&user, Some(&other));
    Ok(other)
}

fn other(parts: Vec<Part>, mode: Mode) -> User {
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
            Part::User(name) => {
                if mode != Mode::Unconstrained && node(&name).is_some() {
                    own_groups = vec![User::NODES.to_owned()];
                }
                user.name = name;
            }
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
