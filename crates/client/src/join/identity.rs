//! A machine's certificate and key, and whether they can still be used.

use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use wk_auth::{BootstrapRole, user_from_certificate, write_private};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::JoinError;

/// A certificate that ends sooner than this is replaced.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Who a machine is in a cluster, and whom it trusts there.
#[derive(Clone)]
pub struct Identity {
    /// The API server's URL.
    pub server: String,
    /// The cluster's CA, PEM.
    pub ca_pem: String,
    /// The certificate, PEM; a node's serves its own API too.
    pub certificate_pem: String,
    /// The private key, PKCS #8 PEM.
    pub key_pem: String,
    /// Where the CA is stored.
    pub ca_path: PathBuf,
    /// Where the certificate is stored.
    pub certificate_path: PathBuf,
    /// Where the key is stored, readable by its owner only.
    pub key_path: PathBuf,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("server", &self.server)
            .field("certificate_path", &self.certificate_path)
            .finish_non_exhaustive()
    }
}

impl Identity {
    pub(super) fn new(
        folder: &Path,
        role: &BootstrapRole,
        server: &str,
        ca_pem: String,
        certificate_pem: String,
        key_pem: String,
    ) -> Self {
        let [ca_path, certificate_path, key_path] = paths(folder, role);
        let server = server.to_owned();
        Self { server, ca_pem, certificate_pem, key_pem, ca_path, certificate_path, key_path }
    }

    /// What is stored; `None` unless all parts are there.
    pub(super) fn load(folder: &Path, role: &BootstrapRole, server: &str) -> Option<Self> {
        let [ca, certificate, key] = paths(folder, role).map(|path| fs::read_to_string(path).ok());
        Some(Self::new(folder, role, server, ca?, certificate?, key?))
    }

    pub(super) fn store(&self) -> Result<(), JoinError> {
        if let Some(folder) = self.key_path.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| JoinError::File { path: folder.to_owned(), source })?;
        }
        // A crash in between leaves a key without its certificate, which the next start notices.
        for (path, pem) in [
            (&self.key_path, &self.key_pem),
            (&self.ca_path, &self.ca_pem),
            (&self.certificate_path, &self.certificate_pem),
        ] {
            write_private(path, pem.as_bytes())
                .map_err(|source| JoinError::File { path: path.clone(), source })?;
        }
        Ok(())
    }

    /// A client that acts as this identity.
    ///
    /// # Errors
    /// If the stored certificates cannot be used.
    pub async fn client(&self) -> Result<kube::Client, crate::connect::ConnectError> {
        let Self { server, ca_pem, certificate_pem, key_pem, .. } = self;
        crate::connect::with_certificates(server, ca_pem, certificate_pem, key_pem).await
    }
}

fn paths(folder: &Path, role: &BootstrapRole) -> [PathBuf; 3] {
    let name = role.as_str();
    ["ca.crt".to_owned(), format!("{name}.crt"), format!("{name}.key")]
        .map(|file| folder.join(file))
}

fn der(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// SHA-256 of a certificate's DER form, in lower-case hexadecimal; `None` if it is no certificate.
pub(super) fn ca_hash(pem: &str) -> Option<String> {
    let der = der(pem)?;
    X509Certificate::from_der(&der).ok()?;
    Some(Sha256::digest(&der).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    }))
}

/// Whether the identity can be used; the error says what is wrong with it.
pub(super) fn check(
    identity: &Identity,
    wanted_ca: &str,
    role: &BootstrapRole,
    addresses: &[IpAddr],
    now: Timestamp,
) -> Result<(), &'static str> {
    if ca_hash(&identity.ca_pem).as_deref() != Some(wanted_ca) {
        return Err("it is of another CA");
    }
    let ca = der(&identity.ca_pem).ok_or("its CA cannot be read")?;
    let (_, ca) = X509Certificate::from_der(&ca).map_err(|_| "its CA cannot be read")?;
    let own = der(&identity.certificate_pem).ok_or("its certificate cannot be read")?;
    let (_, certificate) =
        X509Certificate::from_der(&own).map_err(|_| "its certificate cannot be read")?;
    if certificate.issuer().as_raw() != ca.subject().as_raw() {
        return Err("its certificate is of another CA");
    }
    if user_from_certificate(&own).map(|user| user.name) != Some(role.user().name) {
        return Err("its certificate is for somebody else");
    }
    if certificate.validity().not_after.timestamp() < (now + MARGIN).as_second() {
        return Err("its certificate has expired");
    }
    let key = KeyPair::from_pem(&identity.key_pem).map_err(|_| "its key cannot be read")?;
    if certificate.public_key().subject_public_key.data != key.public_key_raw() {
        return Err("its key is another's");
    }
    let named = named_addresses(&certificate);
    if addresses.iter().any(|address| !named.contains(address)) {
        return Err("the machine has other addresses now");
    }
    Ok(())
}

fn named_addresses(certificate: &X509Certificate<'_>) -> Vec<IpAddr> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let addresses = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d])),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        },
        _ => None,
    });
    addresses.collect()
}
