//! Joining, over real TLS.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wk_auth::{Ca, ServerNames};
use wk_process::TaskGroup;

use super::*;

struct Cluster {
    ca: Arc<Ca>,
    url: String,
    token: BootstrapToken,
    group: TaskGroup,
    _folder: tempfile::TempDir,
}

/// A server with the two bootstrap paths.
async fn cluster() -> Cluster {
    let folder = tempfile::tempdir().unwrap();
    let ca = Arc::new(Ca::load_or_create(folder.path()).unwrap());
    let token = BootstrapToken::generate(ca.hash());
    let local = "127.0.0.1".parse().unwrap();
    let names = ServerNames { names: vec![], addresses: vec![local] };
    let issued = ca.issue_server("server", &names).unwrap();
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let group = TaskGroup::new("server");
    let (ca_in, token_in) = (Arc::clone(&ca), token.clone());
    group.spawn("server", async move {
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        loop {
            let (stream, _) = listener.accept().await?;
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(|request| answer(&ca_in, &token_in, request));
            let http = hyper::server::conn::http1::Builder::new();
            // One connection at a time is enough here, and an error is the client's to see.
            let _end = http.serve_connection(TokioIo::new(stream), service).await;
        }
    });
    Cluster { ca, url, token, group, _folder: folder }
}

async fn answer(
    ca: &Ca,
    token: &BootstrapToken,
    request: Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    if request.uri().path() == "/bootstrap/v1/ca" {
        return Ok(http::Response::new(Full::from(ca.certificate_pem().to_owned())));
    }
    let secret = request.headers()["authorization"].to_str().unwrap().replace("Bearer ", "");
    if !token.accepts(&secret) {
        let refusal = http::Response::builder().status(401);
        return Ok(refusal.body(Full::from(r#"{"message": "Unauthorized"}"#)).unwrap());
    }
    let body = request.into_body().collect().await?.to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let addresses = serde_json::from_value(body["addresses"].clone()).unwrap();
    let role = BootstrapRole::parse(body["role"].as_str().unwrap(), body["nodeName"].as_str());
    let names = ServerNames { names: vec![], addresses };
    let csr = body["csr"].as_str().unwrap();
    let certificate = ca.sign(csr, &role.unwrap().user(), &names).unwrap();
    let answer = json!({"certificate": certificate, "ca": ca.certificate_pem()});
    Ok(http::Response::new(Full::from(answer.to_string())))
}

fn node() -> BootstrapRole {
    BootstrapRole::Node("edge-1".to_owned())
}

#[tokio::test]
async fn a_machine_joins_once_and_is_known_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let (cluster, folder) = (cluster().await, tempfile::tempdir().unwrap());
    let folder = folder.path().join("pki");
    let addresses = ["127.0.0.1".parse().unwrap()];
    let token = cluster.token.to_string();
    let first = join(&cluster.url, &token, &node(), &addresses, &folder).await.unwrap();
    let mode = std::fs::metadata(&first.key_path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(first.ca_pem, cluster.ca.certificate_pem());
    // The server is gone, and is not needed.
    cluster.group.token().cancel();
    let second = join("https://127.0.0.1:1", &token, &node(), &addresses, &folder).await.unwrap();
    assert_eq!(second.certificate_pem, first.certificate_pem);
    // Other addresses need another certificate.
    let others = ["10.0.0.1".parse().unwrap()];
    let moved = join("https://127.0.0.1:1", &token, &node(), &others, &folder).await;
    assert!(matches!(moved.unwrap_err(), JoinError::Unreachable { .. }));
}

#[tokio::test]
async fn a_wrong_ca_is_called_what_it_may_be() {
    let (cluster, folder) = (cluster().await, tempfile::tempdir().unwrap());
    let token = BootstrapToken::generate("ab".repeat(32)).to_string();
    let error = join(&cluster.url, &token, &node(), &[], folder.path()).await.unwrap_err();
    assert!(matches!(error, JoinError::WrongCa { .. }), "{error}");
    assert!(error.to_string().contains("man in the middle"), "{error}");
}

#[tokio::test]
async fn a_refused_token_says_so() {
    let (cluster, folder) = (cluster().await, tempfile::tempdir().unwrap());
    let token = BootstrapToken::generate(cluster.ca.hash()).to_string();
    let error = join(&cluster.url, &token, &node(), &[], folder.path()).await.unwrap_err();
    let expected = format!("server `{}` refused the join token: Unauthorized", cluster.url);
    assert_eq!(error.to_string(), expected);
    assert!(!folder.path().join("node.key").exists());
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let token = BootstrapToken::generate("ab".repeat(32)).to_string();
    let error = join("https://127.0.0.1:1", &token, &node(), &[], folder.path()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot reach server `https://127.0.0.1:1`");
    for bad in ["http://a:1", "a", "https://", "https://a/b"] {
        let error = join(bad, &token, &node(), &[], folder.path()).await.unwrap_err();
        assert!(matches!(error, JoinError::Address { .. }), "{bad}: {error}");
    }
}
