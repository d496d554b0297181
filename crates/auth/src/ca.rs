//! The cluster's certificate authority.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
    SerialNumber,
};
use sha2::{Digest as _, Sha256};

use crate::{User, write_private};

/// How long certificates are good for; rotation comes long before.
const LEAF_LIFE: Duration = Duration::from_hours(24 * 365);
const CA_LIFE: Duration = Duration::from_hours(24 * 3650);
/// Certificates are valid from a little before they are made, for clocks that are behind.
pub(crate) const BACKDATED: Duration = Duration::from_mins(5);

const CERTIFICATE_FILE: &str = "ca.crt";
const KEY_FILE: &str = "ca.key";

/// Why the authority could not be had or could not sign.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// One of its files could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its key or certificate is damaged, or they do not belong together.
    #[error("certificate authority in `{folder}` is damaged")]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// Certificate and key are of different authorities.
    #[error("key `{key}` does not belong to certificate `{certificate}`")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A certificate could not be made.
    #[error("cannot issue a certificate for `{subject}`")]
    Issue {
        /// Who it was for.
        subject: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// A certificate request could not be read.
    #[error("certificate request is not valid")]
    Request(#[source] rcgen::Error),
    /// A certificate cannot be for this.
    #[error("unrecognized usage `{usage}`")]
    Usage {
        /// What was asked for.
        usage: String,
    },
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key, PKCS #8.
    pub key_pem: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// The names and addresses under which a server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// DNS names.
    pub names: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// A key and certificate request made by whoever will hold the certificate.
#[derive(Clone)]
pub struct CertificateRequest {
    /// The request, PEM; its subject counts for nothing: the issuer decides who it is for.
    pub request_pem: String,
    /// The private key, PKCS #8 PEM; stays with its maker.
    pub key_pem: String,
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRequest")
            .field("request_pem", &self.request_pem)
            .finish_non_exhaustive()
    }
}

impl CertificateRequest {
    /// A new key and a request for it.
    ///
    /// # Errors
    /// [`CaError::Issue`] if no key can be made.
    pub fn generate(subject: &str) -> Result<Self, CaError> {
        let issue = |source| CaError::Issue { subject: subject.to_owned(), source };
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, subject);
        let request = params.serialize_request(&key).map_err(issue)?;
        Ok(Self { request_pem: request.pem().map_err(issue)?, key_pem: key.serialize_pem() })
    }
}

/// A certificate authority that lives in a folder.
pub struct Ca {
    certificate_pem: String,
    certificate_der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

impl Ca {
    /// Loads the authority of `folder` (`ca.crt`, `ca.key`), or makes one there at the first call.
    ///
    /// # Errors
    /// [`CaError::File`] and [`CaError::Damaged`]. An existing authority is never replaced.
    pub fn load_or_create(folder: &Path) -> Result<Self, CaError> {
        let certificate = folder.join(CERTIFICATE_FILE);
        let key = folder.join(KEY_FILE);
        if !certificate.exists() {
            let (certificate_pem, key_pem) = Self::create().map_err(|source| CaError::Issue {
                subject: "certificate authority".to_owned(),
                source,
            })?;
            let file = |path: &Path| {
                let path = path.to_owned();
                move |source| CaError::File { path, source }
            };
            // The certificate comes last: where it is, the key is too.
            write_private(&key, key_pem.as_bytes()).map_err(file(&key))?;
            write_private(&certificate, certificate_pem.as_bytes()).map_err(file(&certificate))?;
        }
        let certificate_pem = read(&certificate)?;
        let key_pem = read(&key)?;
        Self::from_pem(certificate_pem, &key_pem)
            .map_err(|source| CaError::Damaged { folder: folder.to_owned(), source })
    }

    fn create() -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "wk-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        set_life(&mut params, CA_LIFE);
        let certificate = params.self_signed(&key)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn from_pem(certificate_pem: String, key_pem: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(key_pem)?;
        let certificate_der = pem_to_der(&certificate_pem)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)?;
        Ok(Self { certificate_pem, certificate_der, issuer })
    }

    /// Loads an authority from a PEM certificate and its PEM key; nothing is made.
    ///
    /// # Errors
    /// [`CaError::File`], [`CaError::Damaged`], [`CaError::Pair`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CaError> {
        let (certificate_pem, key_pem) = (read(certificate)?, read(key)?);
        let damaged = |source| CaError::Damaged { folder: certificate.to_owned(), source };
        let ca = Self::from_pem(certificate_pem, &key_pem).map_err(damaged)?;
        if !ca.is_pair() {
            let (certificate, key) = (certificate.to_owned(), key.to_owned());
            return Err(CaError::Pair { certificate, key });
        }
        Ok(ca)
    }

    /// Whether the key is the certificate's.
    fn is_pair(&self) -> bool {
        let own = self.issuer.key().subject_public_key_info();
        x509_parser::parse_x509_certificate(&self.certificate_der)
            .is_ok_and(|(_, certificate)| certificate.public_key().raw == own)
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// When the authority's certificate ends.
    pub(crate) fn ends(&self) -> SystemTime {
        let seconds = x509_parser::parse_x509_certificate(&self.certificate_der)
            .map_or(0, |(_, certificate)| certificate.validity().not_after.timestamp());
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// The authority's certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// SHA-256 of the certificate's DER form, in lower-case hexadecimal.
    pub fn hash(&self) -> String {
        sha256(&self.certificate_der)
    }

    /// A client certificate with a new key for `user`.
    ///
    /// # Errors
    /// [`CaError::Issue`].
    pub fn issue_client(&self, user: &User) -> Result<Issued, CaError> {
        self.issue(params_for(user, &ServerNames::default()), &user.name)
    }

    /// A server certificate with a new key.
    ///
    /// # Errors
    /// [`CaError::Issue`] if a name is not a valid DNS name.
    pub fn issue_server(&self, name: &str, reached_as: &ServerNames) -> Result<Issued, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        finish(&mut params, reached_as)
            .map_err(|source| CaError::Issue { subject: name.to_owned(), source })?;
        self.issue(Ok(params), name)
    }

    /// Signs somebody's key: a certificate for `user`, who is also a server where `reached_as` has
    /// names or addresses. Subject and extensions of the request count for nothing.
    ///
    /// # Errors
    /// [`CaError::Request`] if the request cannot be read or is not signed by its own key,
    /// [`CaError::Issue`].
    pub fn sign(
        &self,
        request_pem: &str,
        user: &User,
        reached_as: &ServerNames,
    ) -> Result<String, CaError> {
        let mut request =
            CertificateSigningRequestParams::from_pem(request_pem).map_err(CaError::Request)?;
        let issue = |source| CaError::Issue { subject: user.name.clone(), source };
        request.params = params_for(user, reached_as).map_err(issue)?;
        Ok(request.signed_by(&self.issuer).map_err(issue)?.pem())
    }

    fn issue(
        &self,
        params: Result<CertificateParams, rcgen::Error>,
        subject: &str,
    ) -> Result<Issued, CaError> {
        let issued = || {
            let key = KeyPair::generate()?;
            let certificate = params?.signed_by(&key, &self.issuer)?;
            Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
        };
        issued().map_err(|source| CaError::Issue { subject: subject.to_owned(), source })
    }
}

/// The SHA-256 of bytes, in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn params_for(user: &User, reached_as: &ServerNames) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user.name.as_str());
    // One organisation: rcgen keeps one value per attribute type, and none of our users has more.
    let groups = user.groups.iter().filter(|group| *group != User::AUTHENTICATED);
    for group in groups.take(1) {
        params.distinguished_name.push(DnType::OrganizationName, group.as_str());
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if *reached_as != ServerNames::default() {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    finish(&mut params, reached_as)?;
    Ok(params)
}

fn finish(params: &mut CertificateParams, reached_as: &ServerNames) -> Result<(), rcgen::Error> {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.serial_number = Some(SerialNumber::from_slice(&rand::random::<[u8; 16]>()));
    for name in &reached_as.names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    let addresses = reached_as.addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    set_life(params, LEAF_LIFE);
    Ok(())
}

fn set_life(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
}

fn pem_to_der(pem: &str) -> Result<Vec<u8>, rcgen::Error> {
    let (_rest, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
        .map_err(|_error| rcgen::Error::CouldNotParseCertificate)?;
    Ok(pem.contents)
}

fn read(path: &Path) -> Result<String, CaError> {
    fs::read_to_string(path).map_err(|source| CaError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_from_certificate;

    fn der(pem: &str) -> Vec<u8> {
        pem_to_der(pem).unwrap()
    }

    #[test]
    fn a_second_load_finds_the_same_authority() {
        let folder = tempfile::tempdir().unwrap();
        let first = Ca::load_or_create(folder.path()).unwrap().hash();
        assert_eq!(Ca::load_or_create(folder.path()).unwrap().hash(), first);
    }

    #[test]
    fn a_damaged_authority_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        Ca::load_or_create(folder.path()).unwrap();
        fs::write(folder.path().join(KEY_FILE), "nonsense").unwrap();
        let error = Ca::load_or_create(folder.path()).unwrap_err();
        assert!(matches!(error, CaError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_client_certificate_carries_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(folder.path()).unwrap();
        let issued = ca.issue_client(&User::node("edge-1")).unwrap();
        let certificate = der(&issued.certificate_pem);
        let mut user = user_from_certificate(&certificate).unwrap();
        let id = user.extra.remove(User::CREDENTIAL_ID).unwrap();
        assert_eq!(user, User::node("edge-1"));
        assert_eq!(id, [format!("X509SHA256={}", sha256(&certificate))]);
    }

    #[test]
    fn the_issuer_decides_who_a_request_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(folder.path()).unwrap();
        let request = CertificateRequest::generate("system:masters").unwrap();
        let signed =
            ca.sign(&request.request_pem, &User::node("edge-1"), &ServerNames::default()).unwrap();
        let mut user = user_from_certificate(&der(&signed)).unwrap();
        user.extra.clear();
        assert_eq!(user, User::node("edge-1"));
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Ca::load_or_create(one.path()).unwrap();
        Ca::load_or_create(other.path()).unwrap();
        let certificate = one.path().join(CERTIFICATE_FILE);
        let loaded = Ca::load(&certificate, &one.path().join(KEY_FILE)).unwrap();
        assert_eq!(loaded.hash(), first.hash());
        let error = Ca::load(&certificate, &other.path().join(KEY_FILE)).unwrap_err();
        assert!(matches!(error, CaError::Pair { .. }), "{error}");
    }

    #[test]
    fn nonsense_is_no_request() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(folder.path()).unwrap();
        let outcome = ca.sign("nonsense", &User::node("n"), &ServerNames::default());
        assert!(matches!(outcome, Err(CaError::Request(_))));
    }
}
