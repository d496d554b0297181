//! Certificates by request, with the stock client.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;
use wk_tests::{ControlPlane, Daemon, eventually, wk_path};

/// A request for a client certificate, with the key that it is for.
fn ask(cluster: &ControlPlane, name: &str) -> KeyPair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    let request = json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": STANDARD.encode(pem),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "expirationSeconds": 3600,
        },
    });
    let file = cluster.scratch(&format!("{name}.json"));
    std::fs::write(&file, request.to_string()).unwrap();
    cluster.kubectl(&["create", "-f", &file.display().to_string()]).ok();
    key
}

fn condition(cluster: &ControlPlane, name: &str) -> String {
    let shown = cluster.kubectl(&["get", "csr", name, "--no-headers"]).ok();
    shown.split_whitespace().last().unwrap_or_default().to_owned()
}

#[test]
fn an_approved_request_gets_a_certificate_that_the_server_knows() {
    let cluster = ControlPlane::start("server");
    let key = ask(&cluster, "jane");
    assert_eq!(condition(&cluster, "jane"), "Pending");
    cluster.kubectl(&["certificate", "approve", "jane"]).ok();
    eventually("it is issued", || (condition(&cluster, "jane") == "Approved,Issued").then_some(()));
    let path = "jsonpath={.status.certificate}";
    let certificate = cluster.kubectl(&["get", "csr", "jane", "-o", path]).ok();
    let (certificate_file, key_file) = (cluster.scratch("jane.crt"), cluster.scratch("jane.key"));
    std::fs::write(&certificate_file, STANDARD.decode(certificate.trim()).unwrap()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let whoami = cluster.kubectl(&[
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
        "--client-certificate",
        &certificate_file.display().to_string(),
        "--client-key",
        &key_file.display().to_string(),
    ]);
    assert_eq!(whoami.ok(), "jane");

    ask(&cluster, "john");
    cluster.kubectl(&["certificate", "deny", "john"]).ok();
    assert_eq!(condition(&cluster, "john"), "Denied");
}

/// Controllers in a process of their own.
fn controllers(cluster: &ControlPlane, name: &str, arguments: &[String]) -> Daemon {
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let config: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let mut command = Command::new(wk_path());
    command.args(["controller-manager", "--server", server, "--log", "info"]).args(arguments);
    command.arg("--token-file").arg(cluster.data_dir().join("token"));
    command.arg("--data-dir").arg(cluster.scratch(name));
    Daemon::start(command, &cluster.scratch(&format!("{name}.log")))
}

#[test]
fn controllers_without_a_key_say_so_and_with_one_sign() {
    let cluster = ControlPlane::start("apiserver");
    let mut without = controllers(&cluster, "without", &[]);
    eventually("they say that they cannot sign", || {
        without.output().contains("they sign no certificates").then_some(())
    });
    ask(&cluster, "jane");
    cluster.kubectl(&["certificate", "approve", "jane"]).ok();
    assert_eq!(condition(&cluster, "jane"), "Approved");
    without.stop();

    let file = |name: &str| cluster.data_dir().join("pki").join(name).display().to_string();
    let signing = [
        format!("--cluster-signing-cert-file={}", file("ca.crt")),
        format!("--cluster-signing-key-file={}", file("ca.key")),
    ];
    let _with = controllers(&cluster, "with", &signing);
    eventually("it is issued", || (condition(&cluster, "jane") == "Approved,Issued").then_some(()));
}
