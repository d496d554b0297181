//! One HTTPS request, with a choice of whom to trust.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wk_auth::UnverifiedServer;

use super::JoinError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: usize = 1 << 20;

/// The address of an API server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    url: String,
    host: String,
    port: u16,
}

impl Server {
    pub(super) fn parse(text: &str) -> Result<Self, JoinError> {
        let bad = || JoinError::Address { server: text.to_owned() };
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| bad())?;
        if uri.scheme_str() != Some("https") || !matches!(uri.path(), "" | "/") {
            return Err(bad());
        }
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let url = text.trim_end_matches('/').to_owned();
        Ok(Self { url, host, port: uri.port_u16().unwrap_or(443) })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn answer(&self, request: &'static str, answer: String) -> JoinError {
        JoinError::Answer { server: self.url.clone(), request, answer }
    }

    fn unreachable(&self, source: io::Error) -> JoinError {
        JoinError::Unreachable { server: self.url.clone(), source }
    }
}

/// Whose certificate the server may show.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// Anybody's: for what is checked by other means and holds no secret.
    Anybody,
    /// One that this CA has signed.
    Ca(&'a str),
}

/// Sends one request to `path` and returns the answer's status and body.
pub(super) async fn exchange(
    server: &Server,
    trust: Trust<'_>,
    path: &'static str,
    mut request: Request<Bytes>,
) -> Result<(StatusCode, Bytes), JoinError> {
    let authority = server.url.trim_start_matches("https://");
    let host = HeaderValue::from_str(authority)
        .map_err(|_| JoinError::Address { server: server.url.clone() })?;
    request.headers_mut().insert(http::header::HOST, host);
    *request.uri_mut() = Uri::from_static(path);
    let config = tls(trust).map_err(|error| server.answer("the handshake", error.to_string()))?;
    let exchange = async {
        let stream =
            timed(CONNECT_TIMEOUT, TcpStream::connect((server.host.as_str(), server.port)));
        let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
        let stream = stream.await?;
        let tls = timed(CONNECT_TIMEOUT, TlsConnector::from(config).connect(name, stream)).await?;
        timed(ANSWER_TIMEOUT, speak(tls, request)).await
    };
    exchange.await.map_err(|error| server.unreachable(error))
}

async fn speak(
    stream: tokio_rustls::client::TlsStream<TcpStream>,
    request: Request<Bytes>,
) -> io::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let answer = async {
        let response =
            sender.send_request(request.map(Full::new)).await.map_err(io::Error::other)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT);
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok((status, body))
    };
    // The connection moves only while it is polled; it ends after the answer, or instead of it.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        end = &mut connection => match end {
            Ok(()) => answer.await,
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

async fn timed<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {limit:?}"));
    tokio::time::timeout(limit, work).await.map_err(|_| late())?
}

fn tls(trust: Trust<'_>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match trust {
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(UnverifiedServer::new(provider)))
            .with_no_client_auth(),
        Trust::Ca(pem) => {
            let mut roots = RootCertStore::empty();
            let der = CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|error| rustls::Error::General(error.to_string()))?;
            roots.add(der)?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}
