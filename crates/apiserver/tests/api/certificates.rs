//! Requests for certificates: who may approve and sign them, and what nobody may ask for.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde_json::{Value, json};
use wk_auth::{Attributes, Authorizer, CertificateRequest, Decision, User};

use crate::cluster::Cluster;

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// `judge` approves for one signer, `notary` signs for all of its domain, nobody else does either.
struct Rules;

#[async_trait]
impl Authorizer for Rules {
    async fn authorize(&self, asked: &Attributes<'_>) -> Decision {
        let allowed = match (asked.resource, asked.verb, asked.user.name.as_str()) {
            ("signers", "approve", "judge") => asked.name == "example.com/web",
            ("signers", "sign", "notary") => asked.name == "example.com/*",
            ("signers", ..) => false,
            _ => true,
        };
        if allowed { Decision::Allow } else { Decision::Deny(String::new()) }
    }
}

fn request(name: &str, signer: &str, pem: &str) -> Value {
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": STANDARD.encode(pem), "signerName": signer, "usages": ["client auth"]},
    })
}

async fn by(cluster: &Cluster, user: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    request.extensions_mut().insert(User::authenticated(user, ["people"]));
    let answer = cluster.send_as_is(request).await;
    (answer.code, answer.json())
}

#[tokio::test]
async fn requests_are_approved_and_signed_by_who_may_for_the_signer() {
    let cluster = Cluster::authorized(Arc::new(Rules)).await;
    let pem = CertificateRequest::generate("jane").unwrap().request_pem;
    for (name, signer) in [("a", "example.com/web"), ("b", "example.com/mail")] {
        let (code, made) =
            by(&cluster, "jane", "POST", REQUESTS, &request(name, signer, &pem)).await;
        assert_eq!(code, 201, "{made}");
        assert_eq!(
            (&made["spec"]["username"], &made["spec"]["groups"][0]),
            (&json!("jane"), &json!("people"))
        );
    }
    let verdict = |mut of: Value| {
        of["status"]["conditions"] =
            json!([{"type": "Approved", "status": "True", "reason": "Test", "message": "m"}]);
        of
    };
    for (user, name, code, message) in [
        (
            "jane",
            "a",
            403,
            "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: user not permitted to approve requests with signerName \"example.com/web\"",
        ),
        (
            "judge",
            "b",
            403,
            "certificatesigningrequests.certificates.k8s.io \"b\" is forbidden: user not permitted to approve requests with signerName \"example.com/mail\"",
        ),
        ("judge", "a", 200, ""),
    ] {
        let path = format!("{REQUESTS}/{name}");
        let (_, found) = cluster.get(&path).await;
        let (found_code, answer) =
            by(&cluster, user, "PUT", &format!("{path}/approval"), &verdict(found)).await;
        assert_eq!(found_code, code, "{user} {name}: {answer}");
        assert_eq!(answer["message"].as_str().unwrap_or_default(), message);
    }
    let status = format!("{REQUESTS}/a/status");
    let (_, approved) = cluster.get(&status).await;
    assert_eq!(approved["status"]["conditions"][0]["type"], "Approved");
    let mut signed = approved.clone();
    // Who changes neither certificate nor conditions signs nothing.
    assert_eq!(by(&cluster, "judge", "PUT", &status, &approved).await.0, 200);
    signed["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "Failed", "status": "True", "reason": "Test", "message": "m"}));
    let (code, refused) = by(&cluster, "judge", "PUT", &status, &signed).await;
    let why = "user not permitted to sign requests with signerName \"example.com/web\"";
    assert_eq!(code, 403);
    assert!(refused["message"].as_str().unwrap().ends_with(why), "{refused}");
    assert_eq!(by(&cluster, "notary", "PUT", &status, &signed).await.0, 200);
    let (_, failed) = cluster.get(&status).await;
    assert_eq!(failed["status"]["conditions"].as_array().unwrap().len(), 2, "{failed}");
    // An approval does not touch what signers say, nor a signer the approval.
    let mut undone = failed.clone();
    undone["status"]["conditions"] = json!([]);
    let (code, refused) = by(&cluster, "notary", "PUT", &status, &undone).await;
    assert_eq!(code, 422, "{refused}");
}

#[tokio::test]
async fn nobody_asks_for_a_certificate_of_an_administrator() {
    let cluster = Cluster::start().await;
    let mut made = rcgen_request("jane", "system:masters");
    let client = "kubernetes.io/kube-apiserver-client";
    let (code, refused) = cluster.json("POST", REQUESTS, &request("root", client, &made)).await;
    assert_eq!(
        (code, refused["message"].as_str().unwrap()),
        (
            403,
            "certificatesigningrequests.certificates.k8s.io \"root\" is forbidden: use of \
             kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
        )
    );
    // Another signer may have other rules.
    let (code, _) =
        cluster.json("POST", REQUESTS, &request("root", "example.com/web", &made)).await;
    assert_eq!(code, 201);
    made = rcgen_request("jane", "devs");
    let (code, _) = cluster.json("POST", REQUESTS, &request("dev", client, &made)).await;
    assert_eq!(code, 201);
}

/// A request whose subject names a group.
fn rcgen_request(name: &str, group: &str) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, group);
    let key = rcgen::KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}
