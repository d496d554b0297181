//! Clients of an API server: in this process, or over TLS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Service, ServiceExt as _};
use wk_auth::User;

/// How long a server may take to accept a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take to begin its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How many requests wait for the beginning of their answers at once; each needs a connection of its
/// own, and connections are kept. More wait their turn: a thousand pods that start together must not
/// leave a hundred connections behind.
const REQUESTS_AT_ONCE: usize = 16;
/// How long an answer may pause; longer than any watch, which servers end after five minutes.
const READ_TIMEOUT: Duration = Duration::from_secs(330);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig is missing, unreadable or incomplete.
    #[error("cannot use kubeconfig `{path}`")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// Address, certificates and key do not make an identity.
    #[error("cannot use the address or certificates for server `{server}`")]
    Identity {
        /// The server's URL.
        server: String,
        /// What is wrong.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The client's TLS could not be set up.
    #[error("cannot set up TLS for server `{server}`")]
    Tls {
        /// The server's URL.
        server: String,
        /// What is wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

/// A client that calls `service`, the API server's router, as `user`, without a socket.
///
/// The user goes into the extensions of every request, where a TLS listener would put the one of
/// the client's certificate. Must be called within a Tokio runtime.
pub fn in_process<S, B>(service: S, user: User) -> Client
where
    S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = service.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(user.clone());
        request
    });
    ClientBuilder::new(service, "default").with_layer(&TimeoutLayer::new(ANSWER_TIMEOUT)).build()
}

/// A client for the current context of a kubeconfig file.
///
/// # Errors
/// [`ConnectError::Kubeconfig`] and [`ConnectError::Tls`]. The server is not asked anything yet.
pub async fn from_kubeconfig(path: &Path) -> Result<Client, ConnectError> {
    let failed =
        |source| ConnectError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    build(config)
}

/// A client that trusts `ca_pem` only and shows the given certificate.
///
/// # Errors
/// [`ConnectError::Identity`] and [`ConnectError::Tls`]. The server is not asked anything yet.
///
/// # Panics
/// Never: what it expects of itself is a literal.
pub async fn with_certificates(
    server: &str,
    ca_pem: &str,
    certificate_pem: &str,
    key_pem: &str,
) -> Result<Client, ConnectError> {
    use base64::Engine as _;
    let encode = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
    let kubeconfig = json!({
        "current-context": "wk",
        "contexts": [{"name": "wk", "context": {"cluster": "wk", "user": "wk"}}],
        "clusters": [{"name": "wk", "cluster": {
            "server": server,
            "certificate-authority-data": encode(ca_pem),
        }}],
        "users": [{"name": "wk", "user": {
            "client-certificate-data": encode(certificate_pem),
            "client-key-data": encode(key_pem),
        }}],
    });
    let kubeconfig: Kubeconfig =
        serde_json::from_value(kubeconfig).expect("the literal above is a kubeconfig");
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(
            |source| ConnectError::Identity { server: server.to_owned(), source: Box::new(source) },
        )?;
    build(config)
}

fn build(mut config: Config) -> Result<Client, ConnectError> {
    install_crypto();
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    let server = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config)
        .map_err(|source| ConnectError::Tls { server, source: Box::new(source) })?;
    let turns = ConcurrencyLimitLayer::new(REQUESTS_AT_ONCE);
    Ok(builder.with_layer(&TimeoutLayer::new(ANSWER_TIMEOUT)).with_layer(&turns).build())
}

/// Names ring as the process's TLS implementation, which rustls demands where a build has several.
pub(crate) fn install_crypto() {
    // An error means that one is installed already, which is what was wanted.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;

    use super::*;

    #[tokio::test]
    async fn a_request_in_the_process_carries_its_user() {
        let service = tower::service_fn(|request: Request<Body>| async move {
            let user = request.extensions().get::<User>().map(|user| user.name.clone());
            let body = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "c", "namespace": "default"},
                "data": {"user": user, "path": request.uri().path()}});
            Ok::<_, Infallible>(Response::new(Body::from(body.to_string().into_bytes())))
        });
        let client = in_process(service, User::node("edge-1"));
        let map = Api::<ConfigMap>::default_namespaced(client).get("c").await.unwrap();
        let data = map.data.unwrap();
        assert_eq!(data["user"], "system:node:edge-1");
        assert_eq!(data["path"], "/api/v1/namespaces/default/configmaps/c");
    }

    #[tokio::test]
    async fn a_missing_kubeconfig_is_named() {
        let error = from_kubeconfig(Path::new("/nowhere/config")).await.err().unwrap();
        assert_eq!(error.to_string(), "cannot use kubeconfig `/nowhere/config`");
    }
}
