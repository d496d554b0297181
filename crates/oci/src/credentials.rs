//! Who we are to a registry: the `auths` of a docker `config.json`, which is also what the Secrets
//! behind `imagePullSecrets` hold.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use serde::Deserialize;

use crate::reference::{DEFAULT_REGISTRY, ImageReference};

/// Logins for any number of registries; empty means anonymous everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Host with port; labels may hold `*`.
    host: String,
    /// Path prefix inside the registry, without slashes around it; empty for all of it.
    path: String,
    login: Login,
}

/// How to identify oneself to one registry. Its `Debug` form holds no secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Login {
    /// User name and password.
    Basic {
        /// User name.
        username: String,
        /// Password or access token.
        password: String,
    },
    /// A bearer token that the registry takes as it is.
    Bearer(String),
}

/// Why a docker configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It is not JSON of the expected shape.
    #[error("the registry credentials are not a docker `config.json`")]
    Malformed(#[source] serde_json::Error),
    /// One `auth` value is not base64 of `user:password`.
    #[error("the `auth` of registry `{registry}` is not base64 of `user:password`")]
    Auth {
        /// The key under `auths`.
        registry: String,
    },
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: Option<BTreeMap<String, DockerAuth>>,
}

#[derive(Deserialize)]
struct DockerAuth {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    registrytoken: Option<String>,
}

impl Credentials {
    /// No login anywhere.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Reads a docker `config.json` (`{"auths": {...}}`, type `kubernetes.io/dockerconfigjson`) or
    /// the older form without `auths` (`kubernetes.io/dockercfg`).
    ///
    /// Entries without a password or token, which credential helpers leave behind, are passed over.
    ///
    /// # Errors
    /// [`CredentialsError::Malformed`] or [`CredentialsError::Auth`].
    pub fn from_docker_config(json: &[u8]) -> Result<Self, CredentialsError> {
        let config: DockerConfig =
            serde_json::from_slice(json).map_err(CredentialsError::Malformed)?;
        let auths = match config.auths {
            Some(auths) => auths,
            // Other keys of a modern file (`credsStore`) are no logins, so a file that does not
            // read as a map of logins is simply one without any.
            None => serde_json::from_slice(json).unwrap_or_default(),
        };
        let mut credentials = Self::default();
        for (registry, auth) in auths {
            if let Some(login) = login_of(&registry, auth)? {
                credentials.insert(&registry, login);
            }
        }
        Ok(credentials)
    }

    /// Adds one login. `registry` may be a URL, hold a path prefix, and have `*` in its host labels.
    #[must_use]
    pub fn with(mut self, registry: &str, login: Login) -> Self {
        self.insert(registry, login);
        self
    }

    /// Adds all logins of `other`; on equal registries those already here win.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.sort();
        self
    }

    /// The login for an image, the most specific entry first; `None` is anonymous.
    pub fn login_for(&self, reference: &ImageReference) -> Option<&Login> {
        self.entries
            .iter()
            .find(|entry| {
                host_matches(&entry.host, reference.registry())
                    && path_matches(&entry.path, reference.repository())
            })
            .map(|entry| &entry.login)
    }

    fn insert(&mut self, registry: &str, login: Login) {
        let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/');
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
            host => host,
        };
        // The API version at the end of old-style keys is no path prefix.
        let path = if matches!(path, "v1" | "v2") { "" } else { path };
        self.entries.push(Entry { host: host.to_owned(), path: path.to_owned(), login });
        self.sort();
    }

    /// Longest path first, then exact hosts before patterns; stable, so earlier entries win.
    fn sort(&mut self) {
        self.entries
            .sort_by_key(|entry| (std::cmp::Reverse(entry.path.len()), entry.host.contains('*')));
    }
}

fn login_of(registry: &str, auth: DockerAuth) -> Result<Option<Login>, CredentialsError> {
    if let Some(token) = auth.registrytoken.filter(|token| !token.is_empty()) {
        return Ok(Some(Login::Bearer(token)));
    }
    if let (Some(username), Some(password)) = (auth.username, auth.password) {
        return Ok(Some(Login::Basic { username, password }));
    }
    let Some(encoded) = auth.auth.filter(|auth| !auth.is_empty()) else { return Ok(None) };
    let fault = || CredentialsError::Auth { registry: registry.to_owned() };
    let decoded =
        base64::engine::general_purpose::STANDARD.decode(encoded.trim()).map_err(|_| fault())?;
    let text = String::from_utf8(decoded).map_err(|_| fault())?;
    let (username, password) = text.trim_end_matches('\0').split_once(':').ok_or_else(fault)?;
    Ok(Some(Login::Basic { username: username.to_owned(), password: password.to_owned() }))
}

fn host_matches(pattern: &str, host: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == host;
    }
    let (pattern, host): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern.iter().zip(host).all(|(pattern, label)| match pattern.split_once('*') {
            None => *pattern == label,
            Some((before, after)) => {
                label.len() >= before.len() + after.len()
                    && label.starts_with(before)
                    && label.ends_with(after)
            }
        })
}

fn path_matches(prefix: &str, repository: &str) -> bool {
    prefix.is_empty()
        || repository
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, password: _ } => {
                write!(f, "Basic {{ username: {username:?}, password: … }}")
            }
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(credentials: &Credentials, image: &str) -> Option<String> {
        let reference: ImageReference = image.parse().unwrap();
        credentials.login_for(&reference).map(|login| match login {
            Login::Basic { username, password } => format!("{username}/{password}"),
            Login::Bearer(token) => token.clone(),
        })
    }

    #[test]
    fn a_docker_configuration_is_read() {
        let json = br#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
            "localhost:5000": {"username": "local", "password": "p:w"},
            "*.example.com": {"registrytoken": "token"},
            "r.example.com/team/a": {"username": "a", "password": "1"},
            "r.example.com/team": {"username": "team", "password": "2"},
            "helper.example.org": {}
        }, "credsStore": "desktop"}"#;
        let credentials = Credentials::from_docker_config(json).unwrap();
        for (image, expected) in [
            ("web", Some("hub/secret")),
            ("localhost:5000/x", Some("local/p:w")),
            ("localhost:5001/x", None),
            ("r.example.com/team/a", Some("a/1")),
            ("r.example.com/team/ab", Some("team/2")),
            ("r.example.com/other", Some("token")),
            ("x.y.example.com/other", None),
            ("helper.example.org/x", None),
        ] {
            assert_eq!(user(&credentials, image).as_deref(), expected, "{image}");
        }
    }

    #[test]
    fn the_older_form_has_no_auths() {
        let json = br#"{"r.io": {"username": "u", "password": "p"}}"#;
        let credentials = Credentials::from_docker_config(json).unwrap();
        assert_eq!(user(&credentials, "r.io/x").as_deref(), Some("u/p"));
    }

    #[test]
    fn what_is_malformed_is_refused_and_no_secret_is_shown() {
        assert!(Credentials::from_docker_config(b"[1]").is_err());
        let error = Credentials::from_docker_config(br#"{"auths":{"r.io":{"auth":"!!"}}}"#);
        assert_eq!(
            error.unwrap_err().to_string(),
            "the `auth` of registry `r.io` is not base64 of `user:password`"
        );
        let login = Login::Basic { username: "u".to_owned(), password: "hush".to_owned() };
        assert!(!format!("{:?}", Credentials::default().with("r.io", login)).contains("hush"));
    }
}
