//! Requests for certificates.

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;
use wk_auth::Ca;
use wk_controllers::Signer;

use super::*;

fn request(name: &str, signer: &str, usages: &[&str], subject: (&str, &str)) -> Value {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, subject.0);
    params.distinguished_name.push(DnType::OrganizationName, subject.1);
    let pem = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    json!({"metadata": {"name": name}, "spec": {
        "request": ByteString(pem.into_bytes()),
        "signerName": format!("kubernetes.io/{signer}"),
        "usages": usages,
    }})
}

fn find<'a>(
    all: &'a [Arc<CertificateSigningRequest>],
    name: &str,
) -> Option<&'a CertificateSigningRequest> {
    all.iter().map(|one| &**one).find(|one| one.metadata.name.as_deref() == Some(name))
}

fn reasons(request: &CertificateSigningRequest) -> Vec<String> {
    let conditions = request.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .map(|one| format!("{} {}", one.type_, one.reason.as_deref().unwrap_or_default()))
        .collect()
}

fn is_issued(request: &CertificateSigningRequest) -> bool {
    request.status.as_ref().is_some_and(|status| status.certificate.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_approved_signed_and_refused_by_the_rules_of_their_signers() {
    let group = TaskGroup::new("test");
    let (_router, client) = server(&group).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = Arc::new(Ca::load_or_create(folder.path()).unwrap());
    let config = ControllersConfig {
        signer: Some(Signer::new(Arc::clone(&ca))),
        ..ControllersConfig::rootless(ca.certificate_pem().to_owned())
    };
    Controllers::run(|_user| client.clone(), config, &group);
    let requests = Api::<CertificateSigningRequest>::all(client.clone());

    let usages = ["digital signature", "client auth"];
    let node = ("system:node:edge", "system:nodes");
    let kubelet = "kube-apiserver-client-kubelet";
    create(requests.clone(), request("kubelet", kubelet, &usages, node)).await;
    until::<CertificateSigningRequest>(&client, &group, |all| {
        find(all, "kubelet")
            .is_some_and(|one| reasons(one) == ["Approved AutoApproved"] && is_issued(one))
    })
    .await;

    let jane = ("jane", "developers");
    create(requests.clone(), request("jane", "kube-apiserver-client", &usages, jane)).await;
    create(requests.clone(), request("other", "kube-apiserver-client", &["server auth"], jane))
        .await;
    for name in ["jane", "other"] {
        assert!(!is_issued(&requests.get(name).await.unwrap()), "nobody approved it");
        let approved = json!({"status": {"conditions": [
            {"type": "Approved", "status": "True", "reason": "Seen", "message": "by eye"},
        ]}});
        let params = PatchParams::default();
        requests.patch_approval(name, &params, &Patch::Strategic(approved)).await.unwrap();
    }
    until::<CertificateSigningRequest>(&client, &group, |all| {
        let (jane, other) = (find(all, "jane"), find(all, "other"));
        jane.is_some_and(|one| reasons(one) == ["Approved Seen"] && is_issued(one))
            && other.is_some_and(|one| {
                reasons(one) == ["Approved Seen", "Failed SignerValidationFailure"]
                    && !is_issued(one)
            })
    })
    .await;
}
