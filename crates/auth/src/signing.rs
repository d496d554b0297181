//! What a certificate signing request asks for, and certificates that are just that.
//!
//! Here the subject is the requester's, unlike in [`Ca::sign`]: whoever approved the request has
//! judged it, and the signer's own rules have been checked.

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateSigningRequestParams, ExtendedKeyUsagePurpose as Extended, IsCa,
    KeyUsagePurpose as Usage, SerialNumber, SigningKey as _,
};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

use crate::ca::{BACKDATED, Ca, CaError};

/// Certificates that live shorter than this get their whole time in spite of being backdated.
const SHORT: Duration = Duration::from_hours(8);
/// The field of a certificate's signed part that names whom it is for.
const SUBJECT_FIELD: usize = 5;

/// When the first certificate of a PEM text ends; `None` if there is none.
pub fn certificate_end(pem: &[u8]) -> Option<SystemTime> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&pem.contents).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Whom a request is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedNames {
    /// The common name of the subject; empty if it has none.
    pub common_name: String,
    /// The organisations of the subject, which are the groups of a user.
    pub organizations: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// How many IP addresses there are.
    pub addresses: usize,
}

impl RequestedNames {
    /// Reads a PEM request; its signature is not looked at.
    ///
    /// `None` if it is no request.
    pub fn of_request(pem: &str) -> Option<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
        let subject = &request.certification_request_info.subject;
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().map(str::to_owned).unwrap_or_default()
        };
        let mut names = Self {
            // As elsewhere, the last one counts.
            common_name: subject.iter_common_name().last().map(text).unwrap_or_default(),
            organizations: subject.iter_organization().map(text).collect(),
            ..Self::default()
        };
        for extension in request.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(others) = extension else { continue };
            for name in &others.general_names {
                match name {
                    GeneralName::DNSName(name) => names.dns_names.push((*name).to_owned()),
                    GeneralName::RFC822Name(name) => names.emails.push((*name).to_owned()),
                    GeneralName::URI(name) => names.uris.push((*name).to_owned()),
                    GeneralName::IPAddress(_) => names.addresses += 1,
                    _ => {}
                }
            }
        }
        Some(names)
    }
}

impl Ca {
    /// Signs what a PEM request asks for: its subject and its alternative names, for these usages
    /// (as the Kubernetes API calls them) and for `life`, but not longer than the authority lives.
    ///
    /// # Errors
    /// [`CaError::Request`] if the request cannot be read, is not signed by its own key or asks for
    /// extensions that are not known; [`CaError::Usage`]; [`CaError::Issue`].
    pub fn sign_request(
        &self,
        request_pem: &str,
        usages: &[String],
        life: Duration,
    ) -> Result<String, CaError> {
        let mut request =
            CertificateSigningRequestParams::from_pem(request_pem).map_err(CaError::Request)?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(request_pem.as_bytes())
            .map_err(|_| CaError::Request(rcgen::Error::CouldNotParseCertificationRequest))?;
        let (_, parsed) = X509CertificationRequest::from_der(&pem.contents)
            .map_err(|_| CaError::Request(rcgen::Error::CouldNotParseCertificationRequest))?;
        let subject = parsed.certification_request_info.subject.as_raw();

        let params = &mut request.params;
        params.key_usages.clear();
        params.extended_key_usages.clear();
        for usage in usages {
            match usage_of(usage).ok_or_else(|| CaError::Usage { usage: usage.clone() })? {
                Meant::Key(one) if !params.key_usages.contains(&one) => params.key_usages.push(one),
                Meant::Extended(one) if !params.extended_key_usages.contains(&one) => {
                    params.extended_key_usages.push(one);
                }
                Meant::Key(_) | Meant::Extended(_) => {}
            }
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&rand::random::<[u8; 16]>()));
        let (from, until) = validity(SystemTime::now(), life, self.ends());
        params.not_before = from.into();
        params.not_after = until.into();
        let issue = |source| CaError::Issue {
            subject: parsed.certification_request_info.subject.to_string(),
            source,
        };
        let made = request.signed_by(self.issuer()).map_err(issue)?;
        let der = self.with_subject(made.der(), subject).map_err(issue)?;
        Ok(pem_of(&der))
    }

    /// The same certificate for another subject, signed anew: rcgen's own names keep one value of
    /// each kind, and a user has as many organisations as groups.
    fn with_subject(&self, der: &[u8], subject: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let damaged = |_| rcgen::Error::CouldNotParseCertificate;
        let (mut fields, algorithm) = yasna::parse_der(der, |reader| {
            reader.read_sequence(|reader| {
                let mut fields = Vec::new();
                reader.next().read_sequence_of(|field| {
                    fields.push(field.read_der()?);
                    Ok(())
                })?;
                let algorithm = reader.next().read_der()?;
                reader.next().read_der()?;
                Ok((fields, algorithm))
            })
        })
        .map_err(damaged)?;
        let field = fields.get_mut(SUBJECT_FIELD);
        subject.clone_into(field.ok_or(rcgen::Error::CouldNotParseCertificate)?);
        let signed = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                for field in &fields {
                    writer.next().write_der(field);
                }
            });
        });
        let signature = self.issuer().key().sign(&signed)?;
        Ok(yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&signed);
                writer.next().write_der(&algorithm);
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        }))
    }
}

/// From when until when a certificate is good that is made now.
fn validity(now: SystemTime, life: Duration, ca_ends: SystemTime) -> (SystemTime, SystemTime) {
    let from = now - BACKDATED;
    let until = if life < SHORT { now + life } else { from + life };
    (from, until.min(ca_ends))
}

fn pem_of(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

enum Meant {
    Key(Usage),
    Extended(Extended),
}

/// What a usage of the Kubernetes API means in a certificate.
fn usage_of(usage: &str) -> Option<Meant> {
    let key = Meant::Key;
    let extended = Meant::Extended;
    let other = |oid: &[u64]| Meant::Extended(Extended::Other(oid.to_vec()));
    Some(match usage {
        "signing" | "digital signature" => key(Usage::DigitalSignature),
        "content commitment" => key(Usage::ContentCommitment),
        "key encipherment" => key(Usage::KeyEncipherment),
        "key agreement" => key(Usage::KeyAgreement),
        "data encipherment" => key(Usage::DataEncipherment),
        "cert sign" => key(Usage::KeyCertSign),
        "crl sign" => key(Usage::CrlSign),
        "encipher only" => key(Usage::EncipherOnly),
        "decipher only" => key(Usage::DecipherOnly),
        "any" => extended(Extended::Any),
        "server auth" => extended(Extended::ServerAuth),
        "client auth" => extended(Extended::ClientAuth),
        "code signing" => extended(Extended::CodeSigning),
        "email protection" | "s/mime" => extended(Extended::EmailProtection),
        "timestamping" => extended(Extended::TimeStamping),
        "ocsp signing" => extended(Extended::OcspSigning),
        "ipsec end system" => other(&[1, 3, 6, 1, 5, 5, 7, 3, 5]),
        "ipsec tunnel" => other(&[1, 3, 6, 1, 5, 5, 7, 3, 6]),
        "ipsec user" => other(&[1, 3, 6, 1, 5, 5, 7, 3, 7]),
        "microsoft sgc" => other(&[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
        "netscape sgc" => other(&[2, 16, 840, 1, 113_730, 4, 1]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use x509_parser::prelude::X509Certificate;

    use super::*;

    fn request(common_name: &str, dns: &[&str]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        // The same attribute by its number: how rcgen can be made to write two of them.
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 10]), "more");
        for name in dns {
            params.subject_alt_names.push(SanType::DnsName((*name).try_into().unwrap()));
        }
        params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
    }

    fn usages(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_request_tells_whom_it_is_for() {
        let names = RequestedNames::of_request(&request("system:node:a", &["a.example"])).unwrap();
        assert_eq!(names.common_name, "system:node:a");
        assert_eq!(names.organizations, ["system:nodes", "more"]);
        assert_eq!(names.dns_names, ["a.example"]);
        assert_eq!(RequestedNames::of_request("nonsense"), None);
    }

    #[test]
    fn a_signed_request_has_the_subject_names_and_usages_that_were_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(folder.path()).unwrap();
        let asked = usages(&["digital signature", "signing", "client auth", "ipsec user"]);
        let pem = request("jane", &["jane.example"]);
        let signed = ca.sign_request(&pem, &asked, Duration::from_hours(1)).unwrap();
        let (_, block) = x509_parser::pem::parse_x509_pem(signed.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&block.contents).unwrap();
        let user = crate::user_from_certificate(&block.contents).unwrap();
        assert_eq!(user.name, "jane");
        assert_eq!(user.groups[..2], ["system:nodes", "more"]);
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.client_auth && !extended.server_auth && extended.other.len() == 1);
        assert!(certificate.key_usage().unwrap().unwrap().value.digital_signature());
        assert!(certificate.subject_alternative_name().unwrap().is_some());
        assert!(!certificate.is_ca());
        let life = certificate.validity().not_after.timestamp()
            - certificate.validity().not_before.timestamp();
        assert_eq!(life, 3600 + 300, "an hour from now, and backdated");
        let wrong = ca.sign_request(&pem, &usages(&["flying"]), Duration::from_hours(1));
        assert!(matches!(wrong, Err(CaError::Usage { .. })));
    }

    #[test]
    fn a_certificate_never_outlives_its_authority() {
        let now = SystemTime::now();
        let hour = Duration::from_hours(1);
        let (from, until) = validity(now, hour * 24, now + hour * 100);
        assert_eq!((from, until), (now - BACKDATED, now - BACKDATED + hour * 24));
        assert_eq!(validity(now, hour * 24, now + hour).1, now + hour);
    }

    #[test]
    fn the_signature_is_the_authoritys() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(folder.path()).unwrap();
        let signed =
            ca.sign_request(&request("jane", &[]), &usages(&["client auth"]), SHORT).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        let der = |pem: &str| {
            let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
            rustls::pki_types::CertificateDer::from(pem.contents)
        };
        roots.add(der(ca.certificate_pem())).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            std::sync::Arc::new(roots),
            provider,
        )
        .build()
        .unwrap();
        let now = rustls::pki_types::UnixTime::now();
        verifier.verify_client_cert(&der(&signed), &[], now).unwrap();
    }
}
