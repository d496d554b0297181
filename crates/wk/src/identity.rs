//! The cluster's own certificates, and the files that let others in.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wk_auth::{BootstrapToken, Ca, ServerNames, User, write_private};

/// Name of the person that the kubeconfig stands for.
const ADMIN: &str = "admin";

/// The address that a client on this machine uses for a server that listens on `listen`.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => [127, 0, 0, 1].into(),
        IpAddr::V6(ip) if ip.is_unspecified() => [0, 0, 0, 0, 0, 0, 0, 1].into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// All names and addresses for the API server's certificate.
pub(crate) fn server_names(
    listen: SocketAddr,
    service_ip: IpAddr,
    further: &[String],
) -> ServerNames {
    let mut names: Vec<String> = ["localhost", "kubernetes", "kubernetes.default"]
        .into_iter()
        .chain(["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"])
        .map(str::to_owned)
        .collect();
    let mut addresses = vec![[127, 0, 0, 1].into(), reachable(listen).ip(), service_ip];
    for name in further {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => names.push(name.clone()),
        }
    }
    names.push(host_name());
    names.dedup();
    addresses.sort();
    addresses.dedup();
    ServerNames { names, addresses }
}

/// The name of this machine, in lower case, fit for a node's name.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Writes a kubeconfig that stands for the administrator: whole, absolute, readable by its owner
/// only.
pub(crate) fn write_kubeconfig(path: &Path, ca: &Ca, server: SocketAddr) -> anyhow::Result<()> {
    let admin = ca.issue_client(&User::authenticated(ADMIN, [User::MASTERS]))?;
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "wk",
        "preferences": {},
        "clusters": [{
            "name": "wk",
            "cluster": {
                "server": format!("https://{server}"),
                "certificate-authority-data": STANDARD.encode(ca.certificate_pem()),
            },
        }],
        "contexts": [{"name": "wk", "context": {"cluster": "wk", "user": ADMIN}}],
        "users": [{
            "name": ADMIN,
            "user": {
                "client-certificate-data": STANDARD.encode(admin.certificate_pem),
                "client-key-data": STANDARD.encode(admin.key_pem),
            },
        }],
    });
    write_private(path, wk_yaml::text(&config).as_bytes())
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// The join token kept in `path`, made at the first call or when the CA has changed.
pub(crate) fn join_token(path: &Path, ca: &Ca) -> anyhow::Result<BootstrapToken> {
    if let Ok(text) = std::fs::read_to_string(path) {
        let token: BootstrapToken =
            text.parse().with_context(|| format!("`{}` is damaged", path.display()))?;
        if token.ca_hash() == ca.hash() {
            return Ok(token);
        }
    }
    let token = BootstrapToken::generate(ca.hash());
    write_private(path, format!("{token}\n").as_bytes())
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(token)
}
