//! Speaks with registries: authenticated GETs of manifests and blobs, with limits, and the
//! `oci-client` that does logins and uploads.
//!
//! Downloads are requests of our own, because `oci-client` reads manifests of any size into memory
//! and hides the status and range of an answer, on which limits, errors and resumption depend.

mod errors;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation, client as oci};
use parking_lot::Mutex;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE,
};
use reqwest::{Response, StatusCode};

use self::errors::{message_of, root_cause};
use crate::credentials::{Credentials, Login};
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::manifest::ACCEPTED_MANIFESTS;
use crate::reference::{DEFAULT_REGISTRY, ImageReference, host_of};

const USER_AGENT: &str = concat!("wk/", env!("CARGO_PKG_VERSION"));
/// Enough of an error's body to find its message.
const MAX_ERROR_BODY: u64 = 16 << 10;

/// How registries are spoken to.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Registries without TLS, as `host` (any port) or `host:port`. Those on loopback always are.
    pub insecure: Vec<String>,
    /// More certificate authorities to trust, in PEM, beside those of the system.
    pub extra_authorities: Vec<Vec<u8>>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a registry may be silent in the middle of an answer.
    pub read_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            extra_authorities: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// Connections to any number of registries. Clones share them.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    /// Without proxies and certificates: for registries on this machine or declared insecure.
    plain: reqwest::Client,
    /// Made when first needed: it fails on machines without any certificate authority.
    secure: OnceLock<Result<reqwest::Client, String>>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for registries could not be set up")]
pub struct ClientError(#[source] reqwest::Error);

impl RegistryClient {
    /// A client; nothing is connected yet.
    ///
    /// Installs the process-wide TLS provider if there is none, because `oci-client` takes no other.
    ///
    /// # Errors
    /// [`ClientError`] if the HTTP client cannot be set up.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // An error means that another thread was faster, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let plain =
            builder(&config).no_proxy().tls_certs_only(Vec::new()).build().map_err(ClientError)?;
        Ok(Self { shared: Arc::new(Shared { config, plain, secure: OnceLock::new() }) })
    }

    /// The repository of `reference`, with the login that `credentials` have for it.
    pub(crate) fn repository(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<Repository, RegistryError> {
        let insecure = self.is_insecure(reference);
        let http = if insecure {
            self.shared.plain.clone()
        } else {
            let secure = self.shared.secure.get_or_init(|| secure(&self.shared.config));
            secure.clone().map_err(|cause| RegistryError::Unreachable {
                what: format!("image `{reference}`"),
                registry: reference.registry().to_owned(),
                cause,
            })?
        };
        let host = match reference.registry() {
            DEFAULT_REGISTRY => "registry-1.docker.io",
            host => host,
        };
        let scheme = if insecure { "http" } else { "https" };
        Ok(Repository {
            shared: Arc::new(RepositoryShared {
                base: format!("{scheme}://{host}/v2/{}", reference.repository()),
                reference: reference.clone(),
                login: credentials.login_for(reference).cloned(),
                http,
                insecure,
                config: self.shared.config.clone(),
                authorization: Mutex::new(None),
                oci: OnceLock::new(),
            }),
        })
    }

    fn is_insecure(&self, reference: &ImageReference) -> bool {
        let (registry, host) = (reference.registry(), host_of(reference.registry()));
        reference.is_loopback()
            || self.shared.config.insecure.iter().any(|name| name == registry || name == host)
    }
}

fn builder(config: &ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.read_timeout)
}

fn secure(config: &ClientConfig) -> Result<reqwest::Client, String> {
    let mut authorities = Vec::new();
    for pem in &config.extra_authorities {
        authorities.push(reqwest::Certificate::from_pem(pem).map_err(|error| root_cause(&error))?);
    }
    builder(config).tls_certs_merge(authorities).build().map_err(|error| root_cause(&error))
}

/// One repository of one registry, with one login. Clones share what was learnt about logging in.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    shared: Arc<RepositoryShared>,
}

struct RepositoryShared {
    reference: ImageReference,
    base: String,
    login: Option<Login>,
    http: reqwest::Client,
    insecure: bool,
    config: ClientConfig,
    /// What the registry wanted to see, once it had asked.
    authorization: Mutex<Option<HeaderValue>>,
    oci: OnceLock<oci::Client>,
}

impl std::fmt::Debug for RepositoryShared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A manifest as it came, not yet verified against anything.
#[derive(Debug)]
pub(crate) struct ManifestAnswer {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: Option<String>,
    /// What the registry says its digest is.
    pub(crate) claimed: Option<Digest>,
}

/// The answer to a request for a blob from some offset on.
#[derive(Debug)]
pub(crate) enum BlobAnswer {
    /// The whole blob, from its first byte.
    Whole(Response),
    /// What was asked for.
    Rest(Response),
    /// The blob does not reach to the offset.
    OutOfRange,
}

impl Repository {
    pub(crate) fn reference(&self) -> &ImageReference {
        &self.shared.reference
    }

    /// Fetches the manifest of a tag or digest, of at most `limit` bytes.
    pub(crate) async fn manifest(
        &self,
        target: &str,
        limit: u64,
    ) -> Result<ManifestAnswer, RegistryError> {
        let what = self.image();
        let accept = HeaderValue::from_str(&ACCEPTED_MANIFESTS.join(", "))
            .expect("media types are valid in a header");
        let headers = HeaderMap::from_iter([(ACCEPT, accept)]);
        let answer = self.get(&format!("manifests/{target}"), headers, &what).await?;
        let answer = self.successful(answer, &what).await?;
        let text = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let content_type = text(CONTENT_TYPE.as_str());
        let claimed = text("docker-content-digest").and_then(|digest| digest.parse().ok());
        let bytes = self.body(answer, limit, &what).await?;
        Ok(ManifestAnswer { bytes, content_type, claimed })
    }

    /// Asks for a blob from byte `offset` on.
    pub(crate) async fn blob(
        &self,
        digest: &Digest,
        offset: u64,
    ) -> Result<BlobAnswer, RegistryError> {
        let what = self.part(digest);
        let mut headers = HeaderMap::new();
        if offset > 0 {
            headers.insert(
                RANGE,
                HeaderValue::from_str(&format!("bytes={offset}-"))
                    .expect("digits are valid in a header"),
            );
        }
        let answer = self.get(&format!("blobs/{digest}"), headers, &what).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, offset) => {
                Ok(BlobAnswer::Rest(answer))
            }
            StatusCode::PARTIAL_CONTENT => Err(RegistryError::Refused {
                what,
                registry: self.registry(),
                answer: format!("it answered another range than the asked one from byte {offset}"),
            }),
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => Ok(BlobAnswer::OutOfRange),
            _ => self.successful(answer, &what).await.map(BlobAnswer::Whole),
        }
    }

    /// The client for uploads, with its own login handling, and our repository in its words.
    pub(crate) async fn uploads(&self) -> Result<(&oci::Client, Reference), RegistryError> {
        let reference = &self.shared.reference;
        let client = self.oci()?;
        client.store_auth_if_needed(self.oci_reference().resolve_registry(), &self.auth()).await;
        let (registry, repository) =
            (reference.registry().to_owned(), reference.repository().to_owned());
        let target = match (reference.tag(), reference.digest()) {
            (None, Some(digest)) => {
                Reference::with_digest(registry, repository, digest.to_string())
            }
            (tag, _) => {
                Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned())
            }
        };
        Ok((client, target))
    }

    /// An error of the connection while a body was read.
    pub(crate) fn interrupted(&self, digest: &Digest, cause: String) -> RegistryError {
        RegistryError::Interrupted { what: self.part(digest), registry: self.registry(), cause }
    }

    /// The innermost reason why a body ended early.
    pub(crate) fn cause(error: &reqwest::Error) -> String {
        root_cause(error)
    }

    fn image(&self) -> String {
        format!("image `{}`", self.shared.reference)
    }

    fn part(&self, digest: &Digest) -> String {
        format!("blob `{digest}` of image `{}`", self.shared.reference)
    }

    fn registry(&self) -> String {
        self.shared.reference.registry().to_owned()
    }

    /// GETs below the repository; logs in when, and only when, the registry asks for it.
    async fn get(
        &self,
        path: &str,
        headers: HeaderMap,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let url = format!("{}/{path}", self.shared.base);
        let send = async |authorization: Option<HeaderValue>| {
            let mut request = self.shared.http.get(&url).headers(headers.clone());
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            request.send().await.map_err(|error| self.transport(&error, what.to_owned()))
        };
        let known = self.shared.authorization.lock().clone();
        let answer = send(known).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // Not asked before, or the token has expired in the meantime.
        match self.log_in(what).await? {
            None => Ok(answer),
            Some(authorization) => {
                *self.shared.authorization.lock() = Some(authorization.clone());
                send(Some(authorization)).await
            }
        }
    }

    /// What to send as `Authorization`; `None` if there is nothing to send.
    async fn log_in(&self, what: &str) -> Result<Option<HeaderValue>, RegistryError> {
        let token = self
            .oci()?
            .auth(&self.oci_reference(), &self.auth(), RegistryOperation::Pull)
            .await
            .map_err(|error| self.upload_error(what.to_owned(), error))?;
        let text = match (token.as_ref(), &self.shared.login) {
            (Some(token), _) | (None, Some(Login::Bearer(token))) => format!("Bearer {token}"),
            (None, Some(Login::Basic { username, password })) => {
                let pair = format!("{username}:{password}");
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
            (None, None) => return Ok(None),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| RegistryError::Unauthorized {
            what: what.to_owned(),
            registry: self.registry(),
            reason: "the credentials hold characters that cannot be sent".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn auth(&self) -> RegistryAuth {
        match &self.shared.login {
            None => RegistryAuth::Anonymous,
            Some(Login::Basic { username, password }) => {
                RegistryAuth::Basic(username.clone(), password.clone())
            }
            Some(Login::Bearer(token)) => RegistryAuth::Bearer(token.clone()),
        }
    }

    fn oci_reference(&self) -> Reference {
        let reference = &self.shared.reference;
        Reference::with_tag(
            reference.registry().to_owned(),
            reference.repository().to_owned(),
            "latest".to_owned(),
        )
    }

    fn oci(&self) -> Result<&oci::Client, RegistryError> {
        if let Some(client) = self.shared.oci.get() {
            return Ok(client);
        }
        let config = &self.shared.config;
        let insecure = self.shared.insecure;
        let authorities = config.extra_authorities.iter().map(|pem| oci::Certificate {
            encoding: oci::CertificateEncoding::Pem,
            data: pem.clone(),
        });
        let client = oci::Client::try_from(oci::ClientConfig {
            protocol: if insecure { oci::ClientProtocol::Http } else { oci::ClientProtocol::Https },
            use_monolithic_push: true,
            extra_root_certificates: authorities.collect(),
            platform_resolver: None,
            read_timeout: Some(config.read_timeout),
            connect_timeout: Some(config.connect_timeout),
            user_agent: USER_AGENT,
            // A proxy that is never used, as there is no other way to leave the environment's out.
            http_proxy: insecure.then(|| "http://127.0.0.1:9".to_owned()),
            no_proxy: insecure.then(|| "*,0.0.0.0/0,::/0".to_owned()),
            ..oci::ClientConfig::default()
        })
        .map_err(|error| self.upload_error(self.image(), error))?;
        Ok(self.shared.oci.get_or_init(|| client))
    }

    /// Passes a 2xx answer on and turns every other into an error.
    async fn successful(&self, answer: Response, what: &str) -> Result<Response, RegistryError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let (what, registry) = (what.to_owned(), self.registry());
        if status == StatusCode::NOT_FOUND {
            return Err(RegistryError::NotFound { what, registry });
        }
        let body = self.body(answer, MAX_ERROR_BODY, &what).await.unwrap_or_default();
        let answer = format!("{status}: {}", message_of(&body));
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                RegistryError::Unauthorized { what, registry, reason: answer }
            }
            _ => RegistryError::Refused { what, registry, answer },
        })
    }

    /// Reads a whole body of at most `limit` bytes.
    async fn body(
        &self,
        mut answer: Response,
        limit: u64,
        what: &str,
    ) -> Result<Bytes, RegistryError> {
        let too_long =
            || RegistryError::TooLong { what: what.to_owned(), registry: self.registry(), limit };
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    return Err(RegistryError::Interrupted {
                        what: what.to_owned(),
                        registry: self.registry(),
                        cause: root_cause(&error),
                    });
                }
            }
            if body.len() as u64 > limit {
                return Err(too_long());
            }
        }
    }
}

/// Whether `Content-Range: bytes START-…` has the asked-for start.
fn starts_at(answer: &Response, offset: u64) -> bool {
    answer
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .is_some_and(|(start, _)| start.trim().parse() == Ok(offset))
}
