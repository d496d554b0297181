//! What a container that starts finds on the node's disk: its volumes, a place for its last words, the
//! folder of its log, and for Linux programs how names are looked up.

use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use wk_client::EventType;
use wk_runtime::Mount;

use super::{Fault, Starting};
use crate::resolv::{self, RESOLV_CONF};
use crate::state::WaitReason;
use crate::termination::{self, Place};

/// All of that.
pub(super) struct OnDisk {
    pub(super) mounts: Vec<Mount>,
    pub(super) log_path: PathBuf,
    pub(super) message_path: String,
    pub(super) message_place: Place,
}

/// The places that are known before anything is there.
struct Places {
    volumes: PathBuf,
    /// Where parts of volumes are mounted for runtimes that go by names.
    binds: Option<PathBuf>,
    log: PathBuf,
    message: PathBuf,
    /// The pod's own file for looking names up, if it wants one.
    resolv: Option<PathBuf>,
}

impl Starting<'_> {
    /// Makes and looks up what the container is to find, on a thread that may block.
    pub(super) async fn on_disk(
        &self,
        env: &[(String, String)],
        linux: bool,
        attempt: u32,
    ) -> Result<OnDisk, Fault> {
        let (shared, key) = (self.shared, &self.entry.key);
        let (folder, name) = (shared.pod_folder(&key.uid), &self.container.name);
        let places = Places {
            volumes: shared.volumes_folder(&key.uid),
            binds: linux.then(|| shared.subpaths_folder(&key.uid)),
            log: shared.log_path(key, name, attempt),
            message: termination::own_file(&folder, name, attempt),
            resolv: (linux && resolv::is_wanted(self.spec)).then(|| folder.join("resolv.conf")),
        };
        let (pod, container, env) = (Arc::clone(self.pod), self.container.clone(), env.to_vec());
        let work = tokio::task::spawn_blocking(move || {
            let spec = pod.spec.as_ref().ok_or_else(|| failed("the pod has no specification"))?;
            make(spec, &container, &env, places)
        });
        let made = work.await.unwrap_or_else(|error| Err(failed(error.to_string())));
        let (on_disk, omitted) = made?;
        for message in omitted {
            shared.event(key, None, EventType::Warning, "DNSConfigForming", message);
        }
        Ok(on_disk)
    }
}

fn failed(message: impl Into<String>) -> Fault {
    Fault::new(WaitReason::CreateContainerError, message)
}

/// Blocking.
fn make(
    spec: &PodSpec,
    container: &Container,
    env: &[(String, String)],
    places: Places,
) -> Result<(OnDisk, Vec<String>), Fault> {
    let binds = places.binds.as_deref();
    let mut mounts = crate::volumes::mounts(&places.volumes, spec, container, env, binds)
        .map_err(|message| Fault::missing(WaitReason::CreateContainerConfigError, message))?;
    let message_path = container.termination_message_path.clone().filter(|path| !path.is_empty());
    let message_path = message_path.unwrap_or_else(|| "/dev/termination-log".to_owned());
    let message_place = termination::place(&message_path, &mounts, places.message);
    let mount = message_place
        .prepare(&message_path)
        .map_err(|error| failed(format!("termination message file could not be made: {error}")))?;
    mounts.extend(mount);
    let mut omitted = Vec::new();
    let has_own = mounts.iter().any(|mount| mount.container_path == RESOLV_CONF);
    if let Some(path) = places.resolv.filter(|_| !has_own) {
        let written =
            resolv::write(spec, &std::fs::read_to_string(RESOLV_CONF).unwrap_or_default());
        std::fs::write(&path, written.text).map_err(|error| {
            failed(format!("`{}` could not be written: {error}", path.display()))
        })?;
        omitted = written.omitted;
        mounts.push(Mount {
            host_path: path,
            container_path: RESOLV_CONF.to_owned(),
            ..Mount::default()
        });
    }
    if let Some(folder) = places.log.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            failed(format!("log folder `{}` could not be made: {error}", folder.display()))
        })?;
    }
    Ok((OnDisk { mounts, log_path: places.log, message_path, message_place }, omitted))
}
