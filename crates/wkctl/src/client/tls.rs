//! TLS as a kubeconfig wants it: its own authority, its own certificate.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use wk_auth::UnverifiedServer;

use crate::error::hinted;
use crate::kubeconfig::Access;

/// Where systems keep the authorities that everybody trusts.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(super) fn connector(access: &Access) -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if access.insecure {
        Arc::new(UnverifiedServer::new(Arc::clone(&provider)))
    } else {
        let roots = Arc::new(authorities(access)?);
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &access.identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let wrong = || format!("malformed client certificate or key in {}", access.source);
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
            let key = PrivateKeyDer::from_pem_slice(key).with_context(wrong)?;
            config.with_client_auth_cert(chain.with_context(wrong)?, key).with_context(wrong)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn authorities(access: &Access) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let pem = match &access.authority {
        Some(pem) => pem.clone(),
        None => SYSTEM_AUTHORITIES.iter().find_map(|path| std::fs::read(path).ok()).ok_or_else(
            || {
                hinted(
                    format!("{} names no certificate authority", access.source),
                    "name one with `--certificate-authority`",
                )
            },
        )?,
    };
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let wrong = || format!("malformed certificate authority in {}", access.source);
        let added = roots.add(certificate.with_context(wrong)?);
        if access.authority.is_some() {
            added.with_context(wrong)?;
        }
    }
    if roots.is_empty() {
        bail!("the certificate authority in {} holds no certificate", access.source);
    }
    Ok(roots)
}
