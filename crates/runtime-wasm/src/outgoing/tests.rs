//! Requests over TLS, against a server of the test's own.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http_body_util::Empty;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use wk_runtime::{HostNetwork, Limits, LogLimits, Sandbox};

use super::*;
use crate::console::Console;
use crate::environment::Variables;
use crate::log::ContainerLog;
use crate::meter::Meter;
use crate::tls::Trust;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn scope(roots: Vec<Vec<u8>>) -> Scope {
    let log = Arc::new(ContainerLog::new("/dev/null".into(), LogLimits::default()));
    Scope {
        args: Vec::new(),
        env: Variables::default(),
        working_dir: None,
        preopens: Vec::new(),
        console: Console::new(Some(Arc::clone(&log)), false, false),
        log,
        meter: Arc::new(Meter::new(Limits::default(), CancellationToken::new())),
        network: Arc::new(HostNetwork),
        sandbox: Arc::new(Sandbox {
            pod_uid: "uid".to_owned(),
            namespace: "test".to_owned(),
            hostname: "pod".to_owned(),
            ip: LOCALHOST,
            loopback: LOCALHOST,
            netns: None,
            host_network: false,
            host_aliases: std::collections::BTreeMap::new(),
        }),
        namespace: None,
        trust: Arc::new(Trust::new(Some(roots))),
    }
}

/// Answers one request, if the client gets as far as sending one.
async fn serve_once(listener: TcpListener, key: CertifiedKey<rcgen::KeyPair>) {
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
    let mut head = [0; 1024];
    let read = stream.read(&mut head).await.unwrap();
    assert!(head[..read].starts_with(b"GET /page HTTP/1.1\r\n"));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    stream.shutdown().await.unwrap();
}

/// The answer of a server called `name` to a client that trusts it, or nobody.
async fn answer(name: &str, trusted: bool) -> Result<Bytes, Error> {
    let key = generate_simple_self_signed([name.to_owned()]).unwrap();
    let roots = if trusted { vec![key.cert.der().to_vec()] } else { Vec::new() };
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request = Request::get(format!("https://localhost:{port}/page")).body(body).unwrap();
    let exchange = async {
        let (response, progress) = send(&scope(roots), request, RequestOptions::default()).await?;
        let (body, _progress) =
            tokio::join!(response.into_body().collect(), Box::into_pin(progress));
        Ok(body?.to_bytes())
    };
    tokio::join!(exchange, serve_once(listener, key)).0
}

#[tokio::test]
async fn https_reaches_a_server_that_proves_its_name() {
    assert_eq!(answer("localhost", true).await.unwrap(), "hi");
}

#[tokio::test]
async fn https_refuses_strangers() {
    let outcome = answer("localhost", false).await;
    assert!(matches!(outcome, Err(Error::Tls(_))), "nobody vouches for it: {outcome:?}");
    let outcome = answer("other.example", true).await;
    assert!(matches!(outcome, Err(Error::Tls(_))), "it has another name: {outcome:?}");
}
