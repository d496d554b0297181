//! Pods that files of the node describe, with a control plane or without.
//!
//! A file that appears is a pod that starts, a file that goes is one that ends, and a file that
//! changes is both. The API shows them as *mirror pods*: objects that the kubelet makes, that nobody
//! schedules, and whose deletion changes nothing but themselves.
//!
//! Spec: <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>

mod changes;
mod folder;
mod manifest;
pub(crate) mod mirror;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::Notify;
use tracing::{info, warn};

use self::changes::Watched;
use self::folder::FoundFile;
use self::mirror::Mirrors;
use self::plan::{FullName, StaticPod, Step};
use crate::shared::Shared;
use crate::state::Found;
use crate::{garbage, orphans, pods};

/// Where pods of this node's own are described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodManifests {
    /// A folder with a pod in each file, in JSON or YAML, or one such file. It need not be there yet.
    pub path: PathBuf,
    /// How often it is looked at for changes that the system has not told of.
    pub period: Duration,
}

/// What is known of static pods beside their entries.
#[derive(Debug, Default)]
pub(crate) struct StaticPods {
    /// Told when a static pod has gone.
    pub(crate) gone: Notify,
    pub(crate) mirrors: Mirrors,
}

/// What the files held when they were last read.
#[derive(Debug, Default)]
struct Files {
    /// The pod of each file that has one.
    pods: BTreeMap<PathBuf, Pod>,
    /// What is wrong with files, and was told.
    faults: BTreeMap<PathBuf, String>,
}

/// What there is to do on a node without such files: removing what older ones have left.
pub(crate) async fn without_files(shared: Arc<Shared>, found: Arc<Found>) {
    orphans::of_files(&shared, &[], &found).await;
    shared.static_pods.mirrors.files_read();
    shared.tasks.token().cancelled().await;
}

/// Follows the files until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, manifests: PodManifests, found: Arc<Found>) {
    let token = shared.tasks.token();
    let mut times = tokio::time::interval(manifests.period);
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut watched = None;
    let mut files: Option<Files> = None;
    loop {
        // Before the look, so that no change falls in between.
        if watched.is_none() {
            watched = Watched::open(&manifests.path).ok();
        }
        let notices = async {
            match &watched {
                Some(watched) => watched.changed().await,
                None => std::future::pending().await,
            }
        };
        let (mut reads, mut is_prompt) = (true, false);
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            goes_on = notices => {
                is_prompt = true;
                if !goes_on {
                    watched = None;
                }
            }
            () = shared.static_pods.gone.notified() => reads = false,
            _ = times.tick() => {}
        }
        if shared.frozen.load(Ordering::Acquire) {
            return;
        }
        if reads {
            read(&shared, &manifests.path, is_prompt, &mut files, &found).await;
        }
        if let Some(files) = &files {
            reconcile(&shared, files, &found).await;
        }
    }
}

/// Reads the files. One that was fine and is not any more may be half written: after word of a
/// change it stays what it was, until the next look finds it like that.
async fn read(
    shared: &Arc<Shared>,
    path: &Path,
    is_prompt: bool,
    files: &mut Option<Files>,
    found: &Found,
) {
    let (from, node) = (path.to_owned(), shared.config.node_name.clone());
    let now = Timestamp::now();
    let reading = tokio::task::spawn_blocking(move || folder::read(&from, &node, now));
    let all = match reading.await {
        Ok(Ok(all)) => all,
        Ok(Err(error)) => {
            return warn!(path = %path.display(), %error, "pod manifests cannot be read");
        }
        Err(error) => return warn!(%error, "pod manifests were not read"),
    };
    let first = files.is_none();
    let before = files.take().unwrap_or_default();
    let kept = |path: &PathBuf| before.pods.get(path).filter(|_| is_prompt).cloned();
    // Of two files with one pod that counts which was there before.
    let mut all = all;
    all.sort_by_key(|found| {
        let now = found.outcome.as_ref().ok().and_then(|manifest| uid(&manifest.pod));
        now.is_none() || before.pods.get(&found.path).and_then(uid) != now
    });
    let mut read = Files::default();
    for FoundFile { path, outcome } in all {
        match outcome {
            Ok(manifest) => {
                if before.pods.get(&path).and_then(uid) != uid(&manifest.pod) {
                    for warning in &manifest.warnings {
                        warn!(file = %path.display(), %warning, "pod manifest");
                    }
                }
                let name = full_name(&manifest.pod);
                if let Some((other, _)) = read.pods.iter().find(|(_, pod)| full_name(pod) == name) {
                    let fault = format!(
                        "pod \"{}/{}\" is described by `{}` already",
                        name.0,
                        name.1,
                        other.display()
                    );
                    read.faults.insert(path, fault);
                } else {
                    read.pods.insert(path, manifest.pod);
                }
            }
            Err(fault) => {
                if let Some(pod) = kept(&path) {
                    read.pods.insert(path.clone(), pod);
                }
                read.faults.insert(path, fault);
            }
        }
    }
    for (file, fault) in &read.faults {
        if before.faults.get(file) != Some(fault) {
            let file = file.display();
            warn!(%file, fault, "file holds no pod that can be run");
            garbage::node_event(shared, "InvalidStaticPod", format!("file `{file}`: {fault}"));
        }
    }
    if first {
        let wanted: Vec<&str> = read.pods.values().filter_map(uid).collect();
        orphans::of_files(shared, &wanted, found).await;
    }
    *files = Some(read);
}

fn uid(pod: &Pod) -> Option<&str> {
    pod.metadata.uid.as_deref()
}

fn full_name(pod: &Pod) -> FullName {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    (of(&pod.metadata.namespace), of(&pod.metadata.name))
}

async fn reconcile(shared: &Arc<Shared>, files: &Files, found: &Found) {
    let wanted = files.pods.values();
    let wanted: Vec<_> =
        wanted.filter_map(|pod| Some((uid(pod)?.to_owned(), full_name(pod)))).collect();
    for step in plan::pods(&wanted, &here(shared)) {
        match step {
            Step::Start(started) => {
                let pod = files.pods.values().find(|pod| uid(pod) == Some(&started));
                let Some(pod) = pod else { continue };
                info!(pod = ?pod.metadata.name, "static pod");
                let pod = as_it_was(shared, pod.clone(), started).await;
                pods::accept_static(shared, pod, found);
            }
            Step::Stop(stopped) => {
                let Some(entry) = shared.entry(&stopped) else { continue };
                info!(pod = %entry.key.name, "static pod ends, its file has changed or gone");
                pods::gone(shared, &entry);
            }
        }
    }
    shared.static_pods.mirrors.files_read();
}

/// A pod of a file with what this node knows of it from before it was started again.
async fn as_it_was(shared: &Shared, mut pod: Pod, uid: String) -> Pod {
    let saved = shared.saved.clone();
    let read = tokio::task::spawn_blocking(move || saved.static_pod(&uid)).await;
    if let Some(status) = read.ok().flatten().and_then(|saved| saved.status) {
        pod.status = Some(status);
    }
    pod
}

/// The static pods that this node has.
fn here(shared: &Shared) -> Vec<StaticPod> {
    let entries = shared.entries();
    let statics = entries.iter().filter(|entry| entry.is_static);
    let pods = statics.map(|entry| StaticPod {
        uid: entry.key.uid.clone(),
        name: (entry.key.namespace.clone(), entry.key.name.clone()),
        ends: entry.lock().gone,
    });
    pods.collect()
}
