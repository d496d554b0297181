//! Where pods are in the network, kept for the next process.
//!
//! Containers outlive the kubelet, and with them the addresses that they use: the next kubelet claims
//! all of them before it gives any to a new pod. What is in the API is not enough for that, since a
//! container may run before anybody was told its address. So each pod's folder holds it, from before
//! the first of its containers starts until the pod has given all back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;
use wk_network::{PodNetwork, SandboxRequest};
use wk_runtime::PodRef;

use crate::shared::Shared;

const FILE: &str = "sandbox.json";

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    pod: PodRef,
    ip: IpAddr,
    hostname: String,
    host_network: bool,
    host_aliases: BTreeMap<String, Vec<IpAddr>>,
}

impl Shared {
    fn sandbox_file(&self, uid: &str) -> PathBuf {
        self.pod_folder(uid).join(FILE)
    }

    /// Keeps the address that a pod was given. Blocking, and quick.
    pub(crate) fn keep_address(&self, request: &SandboxRequest, ip: IpAddr) {
        let kept = Kept {
            pod: request.pod.clone(),
            ip,
            hostname: request.hostname.clone(),
            host_network: request.host_network,
            host_aliases: request.host_aliases.clone(),
        };
        let file = self.sandbox_file(&request.pod.uid);
        // A disk that is full must not stop a pod.
        if let Err(error) = write(&file, &kept) {
            warn!(file = %file.display(), %error, "address of a pod could not be kept");
        }
    }

    /// The address that a pod was given by an earlier process. Blocking, and quick.
    pub(crate) fn kept_address(&self, uid: &str) -> Option<IpAddr> {
        read(&self.sandbox_file(uid)).map(|kept| kept.ip)
    }

    /// Claims the addresses of all pods of an earlier process.
    pub(crate) async fn claim_addresses(&self, network: &dyn PodNetwork) {
        let folder = self.config.data_dir.join("pods");
        let kept = tokio::task::spawn_blocking(move || all(&folder)).await.unwrap_or_default();
        for Kept { pod, ip, hostname, host_network, host_aliases } in kept {
            let preferred = Some(ip);
            let request = SandboxRequest { pod, hostname, host_network, host_aliases, preferred };
            let uid = &request.pod.uid;
            match network.setup(&request).await {
                Ok(sandbox) if sandbox.ip == ip => {}
                Ok(sandbox) => {
                    warn!(uid, %ip, now = %sandbox.ip, "a pod cannot have its address any more");
                }
                Err(error) => warn!(uid, %ip, %error, "address of a pod could not be claimed"),
            }
        }
    }

    /// Gives back the address of a pod that is gone.
    pub(crate) async fn give_back_address(&self, uid: &str) {
        if let Some(network) = self.network.get()
            && let Err(error) = network.teardown(uid).await
        {
            warn!(uid, %error, "network of a pod could not be torn down");
        }
    }
}

/// Writes a file whole or not at all.
fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(kept)?)?;
    fs::rename(&fresh, file)
}

fn read(file: &Path) -> Option<Kept> {
    let json = match fs::read(file) {
        Ok(json) => json,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                warn!(file = %file.display(), %error, "address of a pod could not be read");
            }
            return None;
        }
    };
    serde_json::from_slice(&json)
        .inspect_err(|error| warn!(file = %file.display(), %error, "kept address is broken"))
        .ok()
}

fn all(folder: &Path) -> Vec<Kept> {
    let pods = fs::read_dir(folder).into_iter().flatten().flatten();
    pods.filter_map(|pod| read(&pod.path().join(FILE))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |uid: &str| Kept {
            pod: PodRef { namespace: "d".into(), name: "web".into(), uid: uid.into() },
            ip: "127.64.0.7".parse().unwrap(),
            hostname: "web".into(),
            host_network: false,
            host_aliases: BTreeMap::from([("a".to_owned(), vec!["10.0.0.1".parse().unwrap()])]),
        };
        for uid in ["u-1", "u-2"] {
            write(&folder.path().join(uid).join(FILE), &kept(uid)).unwrap();
        }
        fs::create_dir(folder.path().join("u-3")).unwrap();
        fs::write(folder.path().join("u-2").join(FILE), "{").unwrap();
        assert_eq!(all(folder.path()), [kept("u-1")], "half a file is none");
    }
}
