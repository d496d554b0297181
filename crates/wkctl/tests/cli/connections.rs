//! Reaching the server: TLS, certificates, and servers that are not there.

use std::sync::Arc;

use base64::Engine as _;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, run};

/// An authority, and a certificate for `127.0.0.1` and one for a client, signed by it.
struct Authority {
    acceptor: TlsAcceptor,
    root: String,
    client: (String, String),
}

fn authority() -> Authority {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let signed = |usage: rcgen::ExtendedKeyUsagePurpose| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = signed(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let (client, client_key) = signed(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    Authority {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        root: root.pem(),
        client: (client.pem(), client_key.serialize_pem()),
    }
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn certificates_are_shown_and_checked() {
    let authority = authority();
    let (certificate, key) = &authority.client;
    let credentials = format!(
        "certificate-authority-data: {}|client-certificate-data: {}, client-key-data: {}",
        encoded(&authority.root),
        encoded(certificate),
        encoded(key)
    );
    let server = Server::start_with(Some(authority.acceptor), &credentials, |_| {
        json!({"gitVersion": "v1.36.0"}).into()
    });
    let version = env!("CARGO_PKG_VERSION");
    server.run("version").prints(&format!("Client Version: v{version}\nServer Version: v1.36.0\n"));

    // A server that somebody else's authority vouches for.
    let other = encoded(&self::authority().root);
    let config = std::fs::read_to_string(server.folder.path().join("kubeconfig")).unwrap();
    let config = config.replace(&encoded(&authority.root), &other);
    std::fs::write(server.folder.path().join("kubeconfig"), config).unwrap();
    let run = server.run("get pods");
    assert!(run.err.starts_with("Unable to connect to the server https://127.0.0.1:"), "{run:?}");
    assert!(run.err.contains("hint: the address and the certificates are from"), "{run:?}");
    server.run("get pods --insecure-skip-tls-verify -o name").prints("");
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_way_to_start_one() {
    let folder = tempfile::TempDir::new().unwrap();
    // A port that was free a moment ago, and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = format!(
        "{{current-context: c, contexts: [{{name: c, context: {{cluster: k}}}}],\
         clusters: [{{name: k, cluster: {{server: \"http://{address}\"}}}}]}}"
    );
    std::fs::write(folder.path().join("kubeconfig"), config).unwrap();
    let run = run(folder.path(), &["get", "pods"]);
    assert!(
        run.err.starts_with(&format!(
            "The connection to the server {address} was refused - did you specify the right host \
             or port?\nhint: "
        )),
        "{run:?}"
    );
    assert!(run.err.contains("wk up") && run.code == 1, "{run:?}");
}

#[test]
fn without_a_cluster_the_message_says_how_to_get_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let run = run(folder.path(), &["get", "pods"]);
    assert!(run.err.contains("kubeconfig") && run.err.contains("wk up"), "{run:?}");
    assert_eq!(run.code, 1);
}
