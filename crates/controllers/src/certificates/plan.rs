//! Which certificate requests are approved by themselves, which are signed, and how long they are
//! kept.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};
use wk_auth::RequestedNames;

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
const LEGACY: &str = "kubernetes.io/legacy-unknown";

const NODES: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";
const DIGITAL_SIGNATURE: &str = "digital signature";
const KEY_ENCIPHERMENT: &str = "key encipherment";
const CLIENT_AUTH: &str = "client auth";
const SERVER_AUTH: &str = "server auth";

/// No certificate is shorter than twice what certificates are backdated by.
const SHORTEST: Duration = Duration::from_mins(10);
/// How long a request is kept that has been answered.
const ANSWERED: SignedDuration = SignedDuration::from_hours(1);
/// How long a request is kept that nobody answers.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

/// What a requester has to be allowed so that a request is approved by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Approval {
    /// The subresource of certificate requests that it must be allowed to create.
    pub(super) subresource: &'static str,
    pub(super) message: &'static str,
}

const OWN_CLIENT: Approval = Approval {
    subresource: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
};
const NEW_CLIENT: Approval = Approval {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
};

/// The condition of a type, whatever its status.
pub(super) fn condition<'a>(
    request: &'a CertificateSigningRequest,
    kind: &str,
) -> Option<&'a CertificateSigningRequestCondition> {
    let conditions = request.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether it holds a certificate.
pub(super) fn is_issued(request: &CertificateSigningRequest) -> bool {
    let certificate = request.status.as_ref().and_then(|status| status.certificate.as_ref());
    certificate.is_some_and(|certificate| !certificate.0.is_empty())
}

/// The PEM request.
pub(super) fn pem(request: &CertificateSigningRequest) -> String {
    String::from_utf8_lossy(&request.spec.request.0).into_owned()
}

/// Whether nobody has said yes or no.
pub(super) fn is_open(request: &CertificateSigningRequest) -> bool {
    let is_answered = ["Approved", "Denied"].iter().any(|kind| condition(request, kind).is_some());
    !is_answered && !is_issued(request)
}

/// As what a request may be approved by itself: only kubelets' client certificates are.
pub(super) fn approvals(
    request: &CertificateSigningRequest,
    names: &RequestedNames,
) -> Vec<Approval> {
    if request.spec.signer_name != KUBELET_CLIENT || kubelet_client(request, names).is_err() {
        return Vec::new();
    }
    let is_own = request.spec.username.as_deref() == Some(names.common_name.as_str());
    if is_own { vec![OWN_CLIENT, NEW_CLIENT] } else { vec![NEW_CLIENT] }
}

/// Whether a request waits for a certificate of ours.
pub(super) fn is_to_sign(request: &CertificateSigningRequest) -> bool {
    let holds = |kind| condition(request, kind).is_some_and(|one| one.status == "True");
    let signers = [CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY];
    holds("Approved")
        && !holds("Denied")
        && !holds("Failed")
        && !is_issued(request)
        && signers.contains(&request.spec.signer_name.as_str())
}

/// Checks a request by the rules of its signer.
///
/// Spec: <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>
///
/// # Errors
/// What it breaks, in the words of Kubernetes.
pub(super) fn validate(
    request: &CertificateSigningRequest,
    names: &RequestedNames,
) -> Result<(), String> {
    match request.spec.signer_name.as_str() {
        CLIENT => client_usages(request),
        KUBELET_CLIENT => kubelet_client(request, names),
        KUBELET_SERVING => kubelet_serving(request, names),
        _ => Ok(()),
    }
}

fn usages(request: &CertificateSigningRequest) -> Vec<&str> {
    request.spec.usages.iter().flatten().map(String::as_str).collect()
}

fn client_usages(request: &CertificateSigningRequest) -> Result<(), String> {
    let usages = usages(request);
    let known = [DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, CLIENT_AUTH];
    if let Some(other) = usages.iter().find(|usage| !known.contains(usage)) {
        return Err(format!("invalid usage for client certificate: {other}"));
    }
    if !usages.contains(&CLIENT_AUTH) {
        return Err(format!("missing required usage for client certificate: {CLIENT_AUTH}"));
    }
    Ok(())
}

/// The usages of a kubelet's certificate: just these, and those without which RSA cannot do.
fn kubelet_usages(request: &CertificateSigningRequest, auth: &str) -> Result<(), String> {
    let mut usages = usages(request);
    usages.retain(|usage| *usage != KEY_ENCIPHERMENT);
    usages.sort_unstable();
    let mut expected = [auth, DIGITAL_SIGNATURE];
    expected.sort_unstable();
    if usages != expected {
        let mut shown = [auth, DIGITAL_SIGNATURE, KEY_ENCIPHERMENT];
        shown.sort_unstable();
        return Err(format!("usages did not match [{}]", shown.join(" ")));
    }
    Ok(())
}

fn is_of_node(names: &RequestedNames) -> Result<(), String> {
    if !names.common_name.starts_with(NODE_PREFIX) {
        return Err("subject common name does not begin with system:node:".to_owned());
    }
    Ok(())
}

fn refuse(is_refused: bool, why: &str) -> Result<(), String> {
    if is_refused { Err(why.to_owned()) } else { Ok(()) }
}

fn kubelet_client(
    request: &CertificateSigningRequest,
    names: &RequestedNames,
) -> Result<(), String> {
    refuse(names.organizations != [NODES], "subject organization is not system:nodes")?;
    refuse(!names.dns_names.is_empty(), "DNS subjectAltNames are not allowed")?;
    refuse(!names.emails.is_empty(), "Email subjectAltNames are not allowed")?;
    refuse(names.addresses > 0, "IP subjectAltNames are not allowed")?;
    refuse(!names.uris.is_empty(), "URI subjectAltNames are not allowed")?;
    is_of_node(names)?;
    kubelet_usages(request, CLIENT_AUTH)
}

fn kubelet_serving(
    request: &CertificateSigningRequest,
    names: &RequestedNames,
) -> Result<(), String> {
    refuse(names.organizations != [NODES], "subject organization is not system:nodes")?;
    let has_none = names.dns_names.is_empty() && names.addresses == 0;
    refuse(has_none, "DNS or IP subjectAltName is required")?;
    refuse(!names.emails.is_empty(), "Email subjectAltNames are not allowed")?;
    refuse(!names.uris.is_empty(), "URI subjectAltNames are not allowed")?;
    kubelet_usages(request, SERVER_AUTH)?;
    is_of_node(names)
}

/// How long a certificate lives: as asked, within bounds.
pub(super) fn life(request: &CertificateSigningRequest, longest: Duration) -> Duration {
    let Some(seconds) = request.spec.expiration_seconds else { return longest };
    let asked = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    asked.max(SHORTEST).min(longest)
}

/// When a request has been kept for long enough; `None` if not before it changes. One whose certificate
/// has ended is of no use to anybody.
pub(super) fn ends(request: &CertificateSigningRequest) -> Option<Timestamp> {
    let certificate = request.status.as_ref().and_then(|status| status.certificate.as_ref());
    let ended = certificate
        .and_then(|certificate| wk_auth::certificate_end(&certificate.0))
        .and_then(|end| Timestamp::try_from(end).ok());
    [ended, kept_until(request)].into_iter().flatten().min()
}

fn kept_until(request: &CertificateSigningRequest) -> Option<Timestamp> {
    let conditions = request.status.as_ref().and_then(|status| status.conditions.as_ref());
    let updated = |kind: &str| condition(request, kind)?.last_update_time.as_ref().map(|at| at.0);
    let approved = updated("Approved").filter(|_| is_issued(request));
    let answered = [approved, updated("Denied"), updated("Failed")].into_iter().flatten().min();
    if let Some(answered) = answered {
        return answered.checked_add(ANSWERED).ok();
    }
    if conditions.is_some_and(|all| !all.is_empty()) {
        return None;
    }
    let created = request.metadata.creation_timestamp.as_ref()?.0;
    created.checked_add(PENDING).ok()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn request(signer: &str, usages: &[&str], status: Value) -> CertificateSigningRequest {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "creationTimestamp": "1970-01-01T00:00:00Z"},
            "spec": {
                "request": "", "signerName": format!("kubernetes.io/{signer}"), "usages": usages,
                "username": "system:node:a",
            },
            "status": status,
        }))
        .unwrap()
    }

    fn node(name: &str) -> RequestedNames {
        RequestedNames {
            common_name: format!("system:node:{name}"),
            organizations: vec![NODES.to_owned()],
            ..RequestedNames::default()
        }
    }

    const USAGES: [&str; 3] = [KEY_ENCIPHERMENT, DIGITAL_SIGNATURE, CLIENT_AUTH];
    const SERVING: [&str; 2] = [DIGITAL_SIGNATURE, SERVER_AUTH];

    #[test]
    fn only_kubelets_clients_are_approved_by_themselves() {
        let client = request("kube-apiserver-client-kubelet", &USAGES, json!({}));
        assert_eq!(approvals(&client, &node("a")), [OWN_CLIENT, NEW_CLIENT]);
        assert_eq!(approvals(&client, &node("b")), [NEW_CLIENT], "asked by another");
        let admin =
            RequestedNames { organizations: vec!["system:masters".to_owned()], ..node("a") };
        assert_eq!(approvals(&client, &admin), []);
        let serving = request("kubelet-serving", &SERVING, json!({}));
        assert_eq!(approvals(&serving, &node("a")), []);
        let other = request("kube-apiserver-client", &USAGES, json!({}));
        assert_eq!(approvals(&other, &node("a")), []);
    }

    #[track_caller]
    fn check(signer: &str, usages: &[&str], names: &RequestedNames, expected: &str) {
        let found = validate(&request(signer, usages, json!({})), names);
        assert_eq!(found.err().unwrap_or_default(), expected, "{signer} {usages:?} {names:?}");
    }

    #[test]
    fn each_signer_has_its_rules() {
        let names = |change: &dyn Fn(&mut RequestedNames)| {
            let mut names = node("a");
            change(&mut names);
            names
        };
        let kubelet = "kube-apiserver-client-kubelet";
        check(kubelet, &USAGES, &node("a"), "");
        check(kubelet, &USAGES[1..], &node("a"), "");
        let wrong = "usages did not match [client auth digital signature key encipherment]";
        check(kubelet, &SERVING, &node("a"), wrong);
        let with_dns = names(&|names| names.dns_names.push("a".to_owned()));
        check(kubelet, &USAGES, &with_dns, "DNS subjectAltNames are not allowed");
        let with_ip = names(&|names| names.addresses = 1);
        check(kubelet, &USAGES, &with_ip, "IP subjectAltNames are not allowed");
        let jane = names(&|names| names.common_name = "jane".to_owned());
        let not_node = "subject common name does not begin with system:node:";
        check(kubelet, &USAGES, &jane, not_node);
        let more = names(&|names| names.organizations.push("more".to_owned()));
        check(kubelet, &USAGES, &more, "subject organization is not system:nodes");

        let serving = "kubelet-serving";
        check(serving, &SERVING, &with_ip, "");
        check(serving, &SERVING, &node("a"), "DNS or IP subjectAltName is required");
        let with_uri = names(&|names| {
            names.addresses = 1;
            names.uris.push("a:b".to_owned());
        });
        check(serving, &SERVING, &with_uri, "URI subjectAltNames are not allowed");

        let client = "kube-apiserver-client";
        check(client, &[CLIENT_AUTH], &jane, "");
        let server = "invalid usage for client certificate: server auth";
        check(client, &[CLIENT_AUTH, SERVER_AUTH], &jane, server);
        let none = "missing required usage for client certificate: client auth";
        check(client, &[DIGITAL_SIGNATURE], &jane, none);
        check("legacy-unknown", &["cert sign"], &jane, "");
    }

    #[test]
    fn what_is_approved_and_ours_is_signed_once() {
        let with = |kinds: &[&str], certificate: &str, signer: &str| {
            let condition = |kind: &&str| json!({"type": kind, "status": "True"});
            let conditions: Vec<_> = kinds.iter().map(condition).collect();
            let status = json!({"conditions": conditions, "certificate": certificate});
            is_to_sign(&request(signer, &USAGES, status))
        };
        assert!(with(&["Approved"], "", "kube-apiserver-client"));
        assert!(!with(&[], "", "kube-apiserver-client"));
        assert!(!with(&["Approved", "Failed"], "", "kube-apiserver-client"));
        assert!(!with(&["Approved"], "eA==", "kube-apiserver-client"));
        assert!(!with(&["Approved"], "", "somebody-else"));
    }

    #[test]
    fn a_certificate_lives_as_asked_within_bounds() {
        let of = |seconds: Option<i32>| {
            let mut request = request("kube-apiserver-client", &USAGES, json!({}));
            request.spec.expiration_seconds = seconds;
            life(&request, Duration::from_hours(24)).as_secs()
        };
        assert_eq!(of(None), 24 * 3600);
        assert_eq!(of(Some(3600)), 3600);
        assert_eq!(of(Some(1)), 600);
        assert_eq!(of(Some(i32::MAX)), 24 * 3600);
    }

    #[test]
    fn old_requests_go() {
        let of = |status: Value| {
            let request = request("kube-apiserver-client", &USAGES, status);
            ends(&request).map(Timestamp::as_second)
        };
        let with = |kind: &str, certificate: &str| {
            let at = "1970-01-01T01:00:00Z";
            let condition = json!({"type": kind, "status": "True", "lastUpdateTime": at});
            json!({"conditions": [condition], "certificate": certificate})
        };
        assert_eq!(of(json!({})), Some(24 * 3600), "nobody answers");
        assert_eq!(of(with("Approved", "eA==")), Some(2 * 3600));
        assert_eq!(of(with("Approved", "")), None, "its signer has time");
        assert_eq!(of(with("Denied", "")), Some(2 * 3600));
        assert_eq!(of(with("Failed", "")), Some(2 * 3600));
    }

    #[test]
    fn a_request_goes_when_its_certificate_has_ended() {
        let mut params = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
        params.not_after = std::time::SystemTime::UNIX_EPOCH.into();
        params.not_after += Duration::from_mins(70);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let condition =
            json!({"type": "Approved", "status": "True", "lastUpdateTime": "1970-01-01T01:00:00Z"});
        let mut request =
            request("kube-apiserver-client", &USAGES, json!({"conditions": [condition]}));
        let status = request.status.as_mut().unwrap();
        status.certificate = Some(ByteString(certificate.pem().into_bytes()));
        assert_eq!(ends(&request).map(Timestamp::as_second), Some(70 * 60));
    }
}
