//! The network namespace of pods whose containers are of both kinds.
//!
//! It is that of the container engine's sandbox, and Wasm programs have their sockets in it. A pod may
//! turn out to need one late, when an image that could not be asked about is there: then it begins
//! again. Which one its Wasm containers are in is kept in the pod's folder, as they may outlive the
//! kubelet.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use tokio::net::{TcpSocket, TcpStream};
use tracing::warn;
use wk_client::EventType;
use wk_runtime::{NetworkNamespace, RuntimeError};

use crate::linux;
use crate::shared::Shared;
use crate::state::{PodEntry, Record};
use crate::worker::sandbox_request;

/// What the pod's event says, in Kubernetes' words.
pub(crate) const SANDBOX_CHANGED: &str = "Pod sandbox changed, it will be killed and re-created.";

/// Whether a container runs in the Wasm runtime.
fn is_running_wasm(record: &Record) -> bool {
    !record.linux && record.running_id().is_some()
}

impl Shared {
    fn namespace_file(&self, uid: &str) -> PathBuf {
        self.pod_folder(uid).join("netns")
    }

    /// The namespace that the Wasm containers of a pod were last started in.
    pub(crate) fn kept_namespace(&self, uid: &str) -> Option<u64> {
        fs::read_to_string(self.namespace_file(uid)).ok()?.trim().parse().ok()
    }

    /// Takes note of the namespace that a pod's containers share; false if Wasm containers run
    /// elsewhere, so that all of them begin again in there.
    pub(crate) fn enter(&self, entry: &PodEntry, inode: u64) -> bool {
        let moves = {
            let mut inner = entry.lock();
            if inner.namespace.replace(inode) == Some(inode) {
                return true;
            }
            let moves = inner.records.iter().any(is_running_wasm);
            inner.sandbox_lost |= moves;
            moves
        };
        let file = self.namespace_file(&entry.key.uid);
        let kept = || {
            fs::create_dir_all(self.pod_folder(&entry.key.uid))?;
            fs::write(&file, inode.to_string())
        };
        if let Err(error) = kept() {
            warn!(file = %file.display(), %error, "the pod's namespace could not be noted");
        }
        if moves {
            self.event(&entry.key, None, EventType::Normal, "SandboxChanged", SANDBOX_CHANGED);
        }
        !moves
    }

    /// The namespace of a pod with Linux containers.
    async fn open_pod(
        &self,
        entry: &PodEntry,
        pod: &Pod,
    ) -> Result<Option<NetworkNamespace>, RuntimeError> {
        let parts = (self.runtimes.linux.as_ref(), self.network.get(), &pod.spec);
        let (Some(engine), Some(network), Some(spec)) = parts else { return Ok(None) };
        let sandbox = network.setup(&sandbox_request(&entry.key, pod, spec)).await;
        let sandbox = sandbox.map_err(|error| RuntimeError::Internal {
            doing: "looking for the pod's address".into(),
            reason: error.to_string(),
        })?;
        engine.open_pod(&entry.key, &sandbox, &linux::of_pod(spec, &sandbox)).await
    }

    /// Connects to a port of a pod's own `localhost`; `None` where that is no namespace's, or it
    /// cannot be entered.
    ///
    /// # Errors
    /// As for any connection, or if the container engine does not answer.
    pub(crate) async fn connect_inside(
        &self,
        entry: &PodEntry,
        port: u16,
    ) -> Option<io::Result<TcpStream>> {
        let pod = entry.pod();
        let is_linux = {
            let inner = entry.lock();
            let runs = |record: &Record| record.linux && record.running_id().is_some();
            !inner.is_stopping(&pod) && inner.records.iter().any(runs)
        };
        if !is_linux || !self.config.linux.enters_namespaces {
            return None;
        }
        let namespace = match self.open_pod(entry, &pod).await {
            Ok(namespace) => namespace?,
            Err(error) => return Some(Err(io::Error::other(error))),
        };
        let made = namespace.open().and_then(|namespace| namespace.within(TcpSocket::new_v4));
        let localhost = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match made {
            Ok(socket) => Some(socket.connect(localhost).await),
            Err(error) => Some(Err(error)),
        }
    }
}
