//! Encryption of guests' outgoing requests, and whom they trust.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::warn;

/// The certificate authorities that guests trust, read when the first of them needs them.
pub(crate) struct Trust {
    roots: Option<Vec<Vec<u8>>>,
    connector: OnceCell<TlsConnector>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("own", &self.roots.is_some()).finish_non_exhaustive()
    }
}

impl Trust {
    /// Trusts `roots` (in DER), or what the machine trusts.
    pub(crate) fn new(roots: Option<Vec<Vec<u8>>>) -> Self {
        Self { roots, connector: OnceCell::new() }
    }

    /// Encrypts a connection to `host`, a name or an address, which has to prove that it is it.
    ///
    /// # Errors
    /// If it does not, or the handshake fails otherwise.
    pub(crate) async fn encrypt(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = self.connector.get_or_try_init(|| self.load()).await?;
        connector.connect(name, stream).await
    }

    async fn load(&self) -> io::Result<TlsConnector> {
        let certificates = match &self.roots {
            Some(roots) => roots.iter().cloned().map(CertificateDer::from).collect(),
            None => tokio::task::spawn_blocking(of_the_machine).await?,
        };
        let mut roots = RootCertStore::empty();
        let (_added, ignored) = roots.add_parsable_certificates(certificates);
        if ignored > 0 {
            warn!(ignored, "some trusted certificates cannot be parsed");
        }
        if roots.is_empty() {
            warn!(
                "no certificate authority is trusted: guests' https fails; install ca-certificates"
            );
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn of_the_machine() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!(%error, "certificates of the machine cannot be read");
    }
    found.certs
}
