//! The token with which a machine joins a cluster.
//!
//! It carries the hash of the cluster's CA certificate, so that the machine that joins can tell
//! the real server from an impostor before it sends the secret.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;

use crate::User;

const PREFIX: &str = "wk1";
const SECRET_BYTES: usize = 24;

/// What lets a machine join: which CA to trust, and a secret that buys a certificate from it.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    ca_hash: String,
    secret: String,
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have the form `wk1.HASH.SECRET`.
    #[error("join token does not have the form `{PREFIX}.HASH.SECRET`")]
    Form,
    /// The middle part is not a SHA-256 hash in hexadecimal.
    #[error("join token holds no valid CA hash")]
    Hash,
}

impl BootstrapToken {
    /// A new token with a random secret for the CA whose certificate has this SHA-256 hash in
    /// lower-case hexadecimal.
    pub fn generate(ca_hash: impl Into<String>) -> Self {
        let mut bytes = [0_u8; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self { ca_hash: ca_hash.into(), secret: URL_SAFE_NO_PAD.encode(bytes) }
    }

    /// SHA-256 of the CA certificate's DER form, in lower-case hexadecimal.
    pub fn ca_hash(&self) -> &str {
        &self.ca_hash
    }

    /// The secret to show to the server.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether `presented` is this token's secret; takes the same time whatever it is.
    pub fn accepts(&self, presented: &str) -> bool {
        let (own, presented) = (self.secret.as_bytes(), presented.as_bytes());
        let mut difference = own.len() ^ presented.len();
        for (index, byte) in own.iter().enumerate() {
            difference |= usize::from(byte ^ presented.get(index).copied().unwrap_or(!*byte));
        }
        difference == 0
    }
}

impl fmt::Display for BootstrapToken {
    /// The text form, secret included: for the token's file only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}", self.ca_hash, self.secret)
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapToken").field("ca_hash", &self.ca_hash).finish_non_exhaustive()
    }
}

impl FromStr for BootstrapToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(hash), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Form);
        };
        if secret.is_empty() {
            return Err(TokenError::Form);
        }
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if hash.len() != 64 || !hash.chars().all(is_hex) {
            return Err(TokenError::Hash);
        }
        Ok(Self { ca_hash: hash.to_owned(), secret: secret.to_owned() })
    }
}

/// What a machine or program that joins wants to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootstrapRole {
    /// The kubelet of the node with this name.
    Node(String),
    /// A scheduler.
    Scheduler,
    /// The controllers.
    ControllerManager,
    /// The cloud controllers.
    CloudControllerManager,
    /// A service proxy.
    Proxy,
    /// What acts as many nodes that run nothing.
    NodeSimulator,
}

impl BootstrapRole {
    /// The role as named on the wire; `node_name` counts for nodes only.
    ///
    /// `None` for a role that no token buys, or a node without a name.
    pub fn parse(role: &str, node_name: Option<&str>) -> Option<Self> {
        match role {
            "node" => node_name.filter(|name| !name.is_empty()).map(|n| Self::Node(n.to_owned())),
            "scheduler" => Some(Self::Scheduler),
            "controller-manager" => Some(Self::ControllerManager),
            "cloud-controller-manager" => Some(Self::CloudControllerManager),
            "proxy" => Some(Self::Proxy),
            "node-simulator" => Some(Self::NodeSimulator),
            _ => None,
        }
    }

    /// The role's name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Node(_) => "node",
            Self::Scheduler => "scheduler",
            Self::ControllerManager => "controller-manager",
            Self::CloudControllerManager => "cloud-controller-manager",
            Self::Proxy => "proxy",
            Self::NodeSimulator => "node-simulator",
        }
    }

    /// The identity that the certificate carries.
    pub fn user(&self) -> User {
        let none: [&str; 0] = [];
        match self {
            Self::Node(name) => User::node(name),
            Self::Scheduler => User::authenticated("system:kube-scheduler", none),
            Self::ControllerManager => User::authenticated("system:kube-controller-manager", none),
            Self::CloudControllerManager => {
                User::authenticated("system:cloud-controller-manager", none)
            }
            Self::Proxy => User::authenticated("system:kube-proxy", none),
            Self::NodeSimulator => User::authenticated("system:node-simulator", none),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_form() {
        let token = BootstrapToken::generate("ab".repeat(32));
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert!(token.accepts(token.secret()));
    }

    #[test]
    fn only_the_whole_secret_is_accepted() {
        let token = BootstrapToken::generate("ab".repeat(32));
        for wrong in ["", "x", &token.secret()[1..], &format!("{}x", token.secret())] {
            assert!(!token.accepts(wrong), "{wrong}");
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let hash = "ab".repeat(32);
        for (text, error) in [
            (String::new(), TokenError::Form),
            ("wk1.zz.s".to_owned(), TokenError::Hash),
            (format!("wk2.{hash}.s"), TokenError::Form),
            (format!("wk1.{hash}."), TokenError::Form),
            (format!("wk1.{hash}.s.t"), TokenError::Form),
        ] {
            assert_eq!(text.parse::<BootstrapToken>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_token_is_not_in_its_debug_form() {
        let token = BootstrapToken::generate("ab".repeat(32));
        assert!(!format!("{token:?}").contains(token.secret()));
    }
}
