//! TLS configurations from PEM texts.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
};
use wk_auth::{User, user_from_certificate};

/// The API server's side: clients may show a certificate of `ca`; without one they are anonymous.
pub(crate) fn api_server(
    ca: &str,
    certificate: &str,
    key: &str,
) -> anyhow::Result<Arc<ServerConfig>> {
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots(ca)?)).allow_unauthenticated();
    let verifier = verifier.build().context("cannot use the cluster's CA")?;
    let mut config = server(verifier, certificate, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The kubelet's side: only the API server and administrators come in. A certificate of `ca` is not
/// enough, since every node has one, and no node may read the logs of another.
pub(crate) fn kubelet_server(
    ca: &str,
    certificate: &str,
    key: &str,
) -> anyhow::Result<Arc<ServerConfig>> {
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots(ca)?));
    let verifier = verifier.build().context("cannot use the cluster's CA")?;
    Ok(Arc::new(server(Arc::new(MastersOnly(verifier)), certificate, key)?))
}

fn server(
    verifier: Arc<dyn ClientCertVerifier>,
    certificate: &str,
    key: &str,
) -> anyhow::Result<ServerConfig> {
    ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(certificate)?, private_key(key)?)
        .context("cannot use the server's certificate")
}

/// Refuses, in the handshake, everybody outside `system:masters`.
#[derive(Debug)]
struct MastersOnly(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for MastersOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        match user_from_certificate(end_entity) {
            Some(user) if user.is_in(User::MASTERS) => Ok(verified),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A client that shows `certificate` and trusts servers of `ca` alone.
pub(crate) fn client(ca: &str, certificate: &str, key: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let config = ClientConfig::builder()
        .with_root_certificates(roots(ca)?)
        .with_client_auth_cert(chain(certificate)?, private_key(key)?)
        .context("cannot use the client's certificate")?;
    Ok(Arc::new(config))
}

fn roots(ca: &str) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(ca)? {
        roots.add(certificate).context("cannot use the cluster's CA")?;
    }
    Ok(roots)
}

fn chain(pem: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .context("cannot read a certificate")
}

fn private_key(pem: &str) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).context("cannot read a private key")
}
