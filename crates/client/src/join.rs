//! How a machine becomes part of a cluster: a token buys a certificate.
//!
//! The token names the hash of the cluster's CA. The CA's certificate is fetched over a connection
//! that proves nothing, compared with that hash, and from then on is all that is trusted; only then
//! is the token's secret shown. The private key is made here and never leaves.

mod identity;
mod transport;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tracing::info;
use wk_auth::{BootstrapRole, BootstrapToken, CertificateRequest, TokenError};

pub use identity::Identity;
use identity::{ca_hash, check};
use transport::{Server, Trust, exchange};

/// Why a machine could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The token is no token.
    #[error("cannot read the join token")]
    Token(#[from] TokenError),
    /// The server's address is no `https://HOST:PORT`.
    #[error("`{server}` is not the address of a server, which looks like `https://HOST:6443`")]
    Address {
        /// What was given.
        server: String,
    },
    /// Nobody answers there, or not in TLS, or not in time.
    #[error("cannot reach server `{server}`")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// What happened.
        source: std::io::Error,
    },
    /// The server's CA is not the one that the token names.
    #[error(
        "server `{server}` has another CA than the one that the join token names: it is another \
         cluster, or somebody is between this machine and the server (man in the middle); \
         expected CA hash {expected}, found {found}"
    )]
    WrongCa {
        /// The server's URL.
        server: String,
        /// The hash in the token.
        expected: String,
        /// The hash of what the server presented.
        found: String,
    },
    /// The server does not accept the token.
    #[error("server `{server}` refused the join token: {message}")]
    Refused {
        /// The server's URL.
        server: String,
        /// The server's words.
        message: String,
    },
    /// The server's answer makes no sense.
    #[error("server `{server}` gave an unexpected answer to {request}: {answer}")]
    Answer {
        /// The server's URL.
        server: String,
        /// What was asked.
        request: &'static str,
        /// What came.
        answer: String,
    },
    /// The key could not be made.
    #[error("cannot make a key")]
    Key(#[from] wk_auth::CaError),
    /// The identity could not be stored.
    #[error("cannot write `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The identity of `role` in the cluster of `server` (`https://HOST:PORT`), kept in `folder`.
///
/// An identity that is stored there already is used if it is of the token's CA, for this role and
/// these addresses, and not about to expire; the server is not asked then. `addresses` are what a
/// node's own server is reached by. Calling again after any failure is safe.
///
/// # Errors
/// Each variant of [`JoinError`] says what to look at; nothing is stored unless all went well.
pub async fn join(
    server: &str,
    token: &str,
    role: &BootstrapRole,
    addresses: &[IpAddr],
    folder: &Path,
) -> Result<Identity, JoinError> {
    let token: BootstrapToken = token.parse()?;
    let server = Server::parse(server)?;
    if let Some(identity) = Identity::load(folder, role, server.url()) {
        match check(&identity, token.ca_hash(), role, addresses, Timestamp::now()) {
            Ok(()) => return Ok(identity),
            Err(why) => info!(%why, "stored identity is not used, joining again"),
        }
    }
    let ca_pem = fetch_ca(&server, &token).await?;
    let request = CertificateRequest::generate(&role.user().name)?;
    let certificate_pem =
        fetch_certificate(&server, &token, &ca_pem, role, addresses, &request.request_pem).await?;
    let identity =
        Identity::new(folder, role, server.url(), ca_pem, certificate_pem, request.key_pem);
    if let Err(why) = check(&identity, token.ca_hash(), role, addresses, Timestamp::now()) {
        let answer = format!("a certificate that cannot be used: {why}");
        return Err(server.answer("the certificate request", answer));
    }
    identity.store()?;
    Ok(identity)
}

async fn fetch_ca(server: &Server, token: &BootstrapToken) -> Result<String, JoinError> {
    const WHAT: &str = "the request for its CA";
    let request = Request::new(Bytes::new());
    let (status, body) = exchange(server, Trust::Anybody, "/bootstrap/v1/ca", request).await?;
    if status != StatusCode::OK {
        return Err(server.answer(WHAT, message_of(status, &body)));
    }
    let pem = String::from_utf8_lossy(&body).into_owned();
    let Some(found) = ca_hash(&pem) else {
        return Err(server.answer(WHAT, "not a PEM certificate".to_owned()));
    };
    if found == token.ca_hash() {
        Ok(pem)
    } else {
        Err(JoinError::WrongCa {
            server: server.url().to_owned(),
            expected: token.ca_hash().to_owned(),
            found,
        })
    }
}

async fn fetch_certificate(
    server: &Server,
    token: &BootstrapToken,
    ca_pem: &str,
    role: &BootstrapRole,
    addresses: &[IpAddr],
    request_pem: &str,
) -> Result<String, JoinError> {
    const WHAT: &str = "the certificate request";
    #[derive(Deserialize)]
    struct Answer {
        certificate: String,
    }
    let node_name = match role {
        BootstrapRole::Node(name) => Some(name),
        BootstrapRole::Scheduler
        | BootstrapRole::ControllerManager
        | BootstrapRole::CloudControllerManager
        | BootstrapRole::Proxy
        | BootstrapRole::NodeSimulator => None,
    };
    let body = json!({
        "csr": request_pem,
        "role": role.as_str(),
        "nodeName": node_name,
        "addresses": addresses,
    });
    let request = Request::builder()
        .method(Method::POST)
        .header(http::header::AUTHORIZATION, format!("Bearer {}", token.secret()))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|_error| TokenError::Form)?;
    let path = "/bootstrap/v1/certificate";
    let (status, body) = exchange(server, Trust::Ca(ca_pem), path, request).await?;
    match status {
        StatusCode::OK | StatusCode::CREATED => serde_json::from_slice::<Answer>(&body)
            .map(|answer| answer.certificate)
            .map_err(|error| server.answer(WHAT, error.to_string())),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(JoinError::Refused {
            server: server.url().to_owned(),
            message: message_of(status, &body),
        }),
        _ => Err(server.answer(WHAT, message_of(status, &body))),
    }
}

/// The message of a `Status`, or the beginning of whatever else came.
fn message_of(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    if let Ok(Message { message }) = serde_json::from_slice(body) {
        return message;
    }
    let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
    if text.is_empty() { status.to_string() } else { format!("{status}: {text}") }
}

#[cfg(test)]
mod tests;
