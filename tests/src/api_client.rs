//! A client of the API server that costs next to nothing: one HTTP connection over TLS, and bodies that
//! are made beforehand. For benchmarks, in which a client must not be what is measured.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wk_process::TaskGroup;

/// Where a server is and who asks.
#[derive(Clone)]
pub struct ApiAccess {
    address: String,
    tls: Arc<rustls::ClientConfig>,
    tasks: TaskGroup,
}

impl std::fmt::Debug for ApiAccess {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ApiAccess").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A connection that carries one request at a time.
#[derive(Debug)]
pub struct ApiConnection {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
}

impl ApiAccess {
    /// What a kubeconfig with certificates says.
    ///
    /// # Panics
    /// If it is not one.
    pub fn of(kubeconfig: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).expect("there is a kubeconfig");
        let config: serde_yaml::Value = serde_yaml::from_str(&text).expect("it is YAML");
        let pem = |value: &serde_yaml::Value| {
            let text = value.as_str().expect("the kubeconfig holds certificates");
            STANDARD.decode(text).expect("they are Base64")
        };
        let cluster = &config["clusters"][0]["cluster"];
        let user = &config["users"][0]["user"];
        let mut roots = rustls::RootCertStore::empty();
        let authority = pem(&cluster["certificate-authority-data"]);
        roots
            .add(CertificateDer::from_pem_slice(&authority).expect("the authority is PEM"))
            .expect("the authority is a certificate");
        let own = pem(&user["client-certificate-data"]);
        let chain = CertificateDer::pem_slice_iter(&own).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(&pem(&user["client-key-data"]));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default protocols")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.expect("PEM"), key.expect("PEM"))
            .expect("key and certificate match");
        let server = cluster["server"].as_str().expect("the kubeconfig names a server");
        let address = server.trim_start_matches("https://").to_owned();
        Self { address, tls: Arc::new(tls), tasks: TaskGroup::new("connections") }
    }

    async fn connect(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("it is a TCP connection");
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).expect("it is a name");
        TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("TLS works")
    }

    /// A new connection.
    ///
    /// # Panics
    /// If there is none to be had.
    pub async fn open(&self) -> ApiConnection {
        let stream = TokioIo::new(self.connect(b"http/1.1").await);
        let (sender, connection) = http1::handshake(stream).await.expect("HTTP works");
        self.tasks.spawn_quiet("connection", async {
            // How it ends is seen by whoever uses it.
            _ = connection.await;
        });
        ApiConnection { sender, host: self.address.clone() }
    }

    /// As many watches as asked for, a hundred on each connection.
    ///
    /// # Panics
    /// If one is refused.
    pub async fn watches(&self, path: &str, count: usize) -> Vec<Incoming> {
        let mut bodies = Vec::new();
        let mut sender = None;
        for number in 0..count {
            if number % 100 == 0 {
                let stream = TokioIo::new(self.connect(b"h2").await);
                let executor = TokioExecutor::new();
                let (new, connection) =
                    http2::handshake(executor, stream).await.expect("HTTP/2 works");
                self.tasks.spawn_quiet("connection", async {
                    _ = connection.await;
                });
                sender = Some(new);
            }
            let sender: &mut http2::SendRequest<Full<Bytes>> =
                sender.as_mut().expect("the first one connects");
            let url = format!("https://{}{path}", self.address);
            let request = Request::get(url).body(Full::default()).expect("it is a path");
            sender.ready().await.expect("the connection is open");
            let response = sender.send_request(request).await.expect("the server answers");
            assert_eq!(response.status(), StatusCode::OK);
            bodies.push(response.into_body());
        }
        bodies
    }
}

impl ApiConnection {
    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// If none comes.
    pub async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.host)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("it is a request");
        self.sender.ready().await.expect("the connection is open");
        let response = self.sender.send_request(request).await.expect("the server answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the answer comes whole").to_bytes();
        Response::from_parts(head, body)
    }
}
