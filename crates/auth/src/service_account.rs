//! Tokens of service accounts: signed statements of who holds them, for how long and for whom.
//!
//! A token is a JWT with exactly one algorithm, ES256, so that nothing about how it is checked is
//! taken from the token itself. What a token is bound to may be gone before it expires: whoever
//! checks one looks that up, which needs the objects and is not done here.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{User, write_private};

const KEY_FILE: &str = "sa.key";
const ALGORITHM: &str = "ES256";
/// The most bytes of a token that is looked at.
const MAX_TOKEN: usize = 16 << 10;
/// How far the clocks of signer and checker may be apart, in seconds.
const LEEWAY: i64 = 60;
/// What stands before the point in the DER form of a public key on P-256.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why there is no key to sign tokens with.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no key of the right kind.
    #[error("`{path}` holds no ECDSA key on P-256")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no randomness.
    #[error("cannot make a key")]
    Random,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no token of this form, or somebody else's.
    #[error("invalid bearer token")]
    Foreign,
    /// Its time is over.
    #[error("service account token has expired")]
    Expired,
    /// Its time has not come.
    #[error("service account token is not valid yet")]
    NotYet,
    /// What it is bound to is gone, or is another one of the same name.
    #[error("service account token has been invalidated")]
    Invalidated,
    /// It is for others.
    #[error("token audiences are not among those of this server")]
    Audience,
}

/// A name and what it stood for when the token was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// The uid; empty for a node that was not there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// Whose token it is, and what it lives and dies with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The namespace of the account and of what the token is bound to.
    pub namespace: String,
    /// The node of the pod, or the node that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    /// The pod that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// The secret that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// The account.
    pub serviceaccount: Reference,
    /// When the holder should have fetched a new one, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

/// What a token says. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For whom it is.
    #[serde(default, deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it expires.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Who made it.
    pub iss: String,
    /// Its own name.
    #[serde(default)]
    pub jti: String,
    /// Whose it is.
    #[serde(rename = "kubernetes.io")]
    pub binding: Binding,
    /// From when on it is good.
    #[serde(default)]
    pub nbf: i64,
    /// The user: `system:serviceaccount:NAMESPACE:NAME`.
    pub sub: String,
}

/// JWT allows a single audience without a list.
fn one_or_many<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(input)? {
        Either::One(one) => vec![one],
        Either::Many(many) => many,
    })
}

impl Claims {
    /// The user that the token stands for.
    pub fn user(&self) -> User {
        let Binding { namespace, node, pod, serviceaccount, .. } = &self.binding;
        let mut user = User::service_account(namespace, &serviceaccount.name);
        user.uid.clone_from(&serviceaccount.uid);
        let mut say = |key: &str, value: &str| {
            if !value.is_empty() {
                let key = format!("authentication.kubernetes.io/{key}");
                user.extra.insert(key, vec![value.to_owned()]);
            }
        };
        if let Some(pod) = pod {
            say("pod-name", &pod.name);
            say("pod-uid", &pod.uid);
        }
        if let Some(node) = node {
            say("node-name", &node.name);
            say("node-uid", &node.uid);
        }
        if !self.jti.is_empty() {
            user.extra.insert(User::CREDENTIAL_ID.to_owned(), vec![format!("JTI={}", self.jti)]);
        }
        user
    }
}

/// Signs tokens, and knows its own again.
pub struct TokenSigner {
    key: EcdsaKeyPair,
    random: SystemRandom,
    key_id: String,
    issuer: String,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner")
            .field("key_id", &self.key_id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl TokenSigner {
    /// Loads the key of `folder` (`sa.key`), or makes one there at the first call. `issuer` is the
    /// URL that tokens say they come from; it is the audience of tokens that name none, too.
    ///
    /// # Errors
    /// [`TokenKeyError`] by variant. An existing key is never replaced.
    pub fn load_or_create(folder: &Path, issuer: &str) -> Result<Self, TokenKeyError> {
        let path = folder.join(KEY_FILE);
        if !path.exists() {
            let pem = to_pem(&new_key(&SystemRandom::new())?);
            write_private(&path, pem.as_bytes())
                .map_err(|source| TokenKeyError::File { path: path.clone(), source })?;
        }
        let pem =
            fs::read(&path).map_err(|source| TokenKeyError::File { path: path.clone(), source })?;
        let damaged = || TokenKeyError::Damaged { path: path.clone() };
        let (_rest, pem) = x509_parser::pem::parse_x509_pem(&pem).map_err(|_| damaged())?;
        Self::from_pkcs8(&pem.contents, issuer).ok_or_else(damaged)
    }

    /// A signer whose key lives as long as it does.
    ///
    /// # Errors
    /// [`TokenKeyError::Random`].
    pub fn ephemeral(issuer: &str) -> Result<Self, TokenKeyError> {
        let key = new_key(&SystemRandom::new())?;
        Self::from_pkcs8(&key, issuer).ok_or(TokenKeyError::Random)
    }

    fn from_pkcs8(key: &[u8], issuer: &str) -> Option<Self> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).ok()?;
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(key.public_key().as_ref());
        let key_id = URL_SAFE_NO_PAD.encode(Sha256::digest(&der));
        Some(Self { key, random, key_id, issuer: issuer.to_owned() })
    }

    /// Who the tokens say made them.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token that says this.
    ///
    /// # Errors
    /// [`TokenKeyError::Random`] if the system gives no randomness.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenKeyError> {
        let header = json!({"alg": ALGORITHM, "kid": self.key_id});
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(json!(claims).to_string(), &mut token);
        let signature = self
            .key
            .sign(&self.random, token.as_bytes())
            .map_err(|ring::error::Unspecified| TokenKeyError::Random)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }

    /// What a token of this signer says, at a time in seconds since 1970. Whether it is for the
    /// caller, and whether what it is bound to is still there, is for the caller to look at.
    ///
    /// # Errors
    /// [`TokenFault`] by variant.
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, TokenFault> {
        let claims = self.opened(token).ok_or(TokenFault::Foreign)?;
        if now - LEEWAY >= claims.exp {
            return Err(TokenFault::Expired);
        }
        if now + LEEWAY < claims.nbf.max(claims.iat) {
            return Err(TokenFault::NotYet);
        }
        Ok(claims)
    }

    /// The claims of a token that this key signed.
    fn opened(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header["alg"] != ALGORITHM {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (claims.iss == self.issuer).then_some(claims)
    }

    /// The key that others check tokens with, as a set of JSON Web Keys.
    pub fn key_set(&self) -> Value {
        let public = self.key.public_key().as_ref();
        // A byte that says that both coordinates follow, and 32 bytes for each.
        let coordinate =
            |from: usize| URL_SAFE_NO_PAD.encode(public.get(from..from + 32).unwrap_or_default());
        json!({"keys": [{
            "use": "sig",
            "kty": "EC",
            "kid": self.key_id,
            "crv": "P-256",
            "alg": ALGORITHM,
            "x": coordinate(1),
            "y": coordinate(33),
        }]})
    }

    /// What tells others where the keys are.
    pub fn discovery(&self, keys_at: &str) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": keys_at,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        })
    }
}

fn new_key(random: &SystemRandom) -> Result<Vec<u8>, TokenKeyError> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)
        .map_err(|ring::error::Unspecified| TokenKeyError::Random)?;
    Ok(key.as_ref().to_vec())
}

fn to_pem(pkcs8: &[u8]) -> String {
    let text = STANDARD.encode(pkcs8);
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + "-----END PRIVATE KEY-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

    fn claims() -> Claims {
        let reference =
            |name: &str| Reference { name: name.to_owned(), uid: format!("uid-{name}") };
        Claims {
            aud: vec![ISSUER.to_owned()],
            exp: 2000,
            iat: 1000,
            iss: ISSUER.to_owned(),
            jti: "j".to_owned(),
            binding: Binding {
                namespace: "shop".to_owned(),
                node: Some(reference("edge-1")),
                pod: Some(reference("web")),
                secret: None,
                serviceaccount: reference("cart"),
                warnafter: None,
            },
            nbf: 1000,
            sub: "system:serviceaccount:shop:cart".to_owned(),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_for_as_long_as_it_was_meant() {
        let signer = TokenSigner::ephemeral(ISSUER).unwrap();
        let token = signer.sign(&claims()).unwrap();
        assert_eq!(signer.verify(&token, 1500), Ok(claims()));
        assert_eq!(signer.verify(&token, 2000 + LEEWAY - 1), Ok(claims()));
        assert_eq!(signer.verify(&token, 2000 + LEEWAY), Err(TokenFault::Expired));
        assert_eq!(signer.verify(&token, 1000 - LEEWAY - 1), Err(TokenFault::NotYet));
    }

    #[test]
    fn what_others_made_or_changed_is_foreign() {
        let signer = TokenSigner::ephemeral(ISSUER).unwrap();
        let token = signer.sign(&claims()).unwrap();
        let other = TokenSigner::ephemeral(ISSUER).unwrap();
        assert_eq!(other.verify(&token, 1500), Err(TokenFault::Foreign));
        let parts: Vec<&str> = token.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let hmac = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let root = Claims { sub: "system:admin".to_owned(), ..claims() };
        let root = URL_SAFE_NO_PAD.encode(json!(root).to_string());
        for wrong in [
            String::new(),
            "a.b.c".to_owned(),
            "x".repeat(MAX_TOKEN + 1),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{hmac}.{}.{}", parts[1], parts[2]),
            format!("{}.{root}.{}", parts[0], parts[2]),
            format!("{token}A"),
        ] {
            assert_eq!(signer.verify(&wrong, 1500), Err(TokenFault::Foreign), "{wrong}");
        }
        let elsewhere = Claims { iss: "https://elsewhere.test".to_owned(), ..claims() };
        let token = signer.sign(&elsewhere).unwrap();
        assert_eq!(signer.verify(&token, 1500), Err(TokenFault::Foreign));
    }

    #[test]
    fn the_holder_of_a_token_is_its_account() {
        let user = claims().user();
        assert_eq!((user.name.as_str(), user.uid.as_str()), (claims().sub.as_str(), "uid-cart"));
        let groups = ["system:serviceaccounts", "system:serviceaccounts:shop", User::AUTHENTICATED];
        assert_eq!(user.groups, groups);
        let extra = |key: &str| user.extra[&format!("authentication.kubernetes.io/{key}")].clone();
        assert_eq!(extra("pod-name"), ["web"]);
        assert_eq!(extra("node-uid"), ["uid-edge-1"]);
        assert_eq!(extra("credential-id"), ["JTI=j"]);
    }

    #[test]
    fn the_key_is_kept_and_shown() {
        let folder = tempfile::tempdir().unwrap();
        let first = TokenSigner::load_or_create(folder.path(), ISSUER).unwrap();
        let token = first.sign(&claims()).unwrap();
        let second = TokenSigner::load_or_create(folder.path(), ISSUER).unwrap();
        assert_eq!(second.verify(&token, 1500), Ok(claims()));
        let key = &second.key_set()["keys"][0];
        assert_eq!(key["kid"], second.key_id.as_str());
        for coordinate in ["x", "y"] {
            let text = key[coordinate].as_str().unwrap();
            assert_eq!(URL_SAFE_NO_PAD.decode(text).unwrap().len(), 32);
        }
        fs::write(folder.path().join(KEY_FILE), "nonsense").unwrap();
        let error = TokenSigner::load_or_create(folder.path(), ISSUER).unwrap_err();
        assert!(matches!(error, TokenKeyError::Damaged { .. }), "{error}");
    }
}
