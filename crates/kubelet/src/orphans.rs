//! What pods leave behind that went while nobody looked, and its removal.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{debug, info, warn};
use wk_runtime::RuntimeError;

use crate::shared::Shared;
use crate::state::Found;
use crate::worker::ending::{remove_folder, remove_pod_folder};

/// Removes what was left by pods that were deleted while this node was away: all that the API does
/// not list, but for the pods of files.
pub(crate) async fn after_list(shared: &Arc<Shared>, listed: &HashSet<String>, found: &Found) {
    let saved = shared.saved.clone();
    let read = move || {
        let uids = saved.uids().into_iter();
        uids.map(|uid| (saved.is_static(&uid), uid)).collect::<Vec<_>>()
    };
    let saved = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    let statics: HashSet<&str> =
        saved.iter().filter(|(is_static, _)| *is_static).map(|(_, uid)| uid.as_str()).collect();
    // A pod may have come since the list.
    let is_lost =
        |uid: &str| !listed.contains(uid) && !statics.contains(uid) && shared.entry(uid).is_none();
    remove(shared, found, is_lost).await;
    for (_, uid) in saved.iter().filter(|(_, uid)| is_lost(uid)) {
        shared.saved.forget(uid);
    }
    shared.knows_pods.store(true, Ordering::Release);
    shared.lost_sandboxes.lock().clear();
    clean_engine(shared).await;
}

/// The same for pods of files that went meanwhile: all but `wanted`.
pub(crate) async fn of_files(shared: &Arc<Shared>, wanted: &[&str], found: &Found) {
    let saved = shared.saved.clone();
    let read = move || saved.uids().into_iter().filter(|uid| saved.is_static(uid)).collect();
    let mut lost: HashSet<String> = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    lost.retain(|uid| !wanted.contains(&uid.as_str()) && shared.entry(uid).is_none());
    if lost.is_empty() {
        return;
    }
    remove(shared, found, |uid| lost.contains(uid)).await;
    for uid in &lost {
        if let Some(linux) = &shared.runtimes.linux
            && let Err(error) = linux.remove_pod(uid).await
        {
            warn!(uid, %error, "sandbox of a static pod could not be removed");
        }
        shared.saved.forget(uid);
    }
}

/// Removes the containers, volumes and logs of lost pods.
async fn remove(shared: &Shared, found: &Found, is_lost: impl Fn(&str) -> bool) {
    for (state, linux) in found.all().filter(|(state, _)| is_lost(&state.pod.uid)) {
        if let Err(error) = shared.runtime(linux).remove(&state.id).await {
            warn!(container = %state.id, %error, "orphan could not be removed");
        }
    }
    let uid_of_log = |name: &str| name.rsplit('_').next().map(str::to_owned);
    let roots = [(shared.config.data_dir.join("pods"), false), (shared.logs_root(), true)];
    for (root, is_logs) in roots {
        let Ok(mut entries) = tokio::fs::read_dir(&root).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let uid = if is_logs { uid_of_log(name) } else { Some(name.to_owned()) };
            if uid.is_none_or(|uid| is_lost(&uid)) {
                info!(folder = %entry.path().display(), "removing what a deleted pod left");
                if is_logs {
                    remove_folder(entry.path()).await;
                } else {
                    shared.give_back_address(name).await;
                    remove_pod_folder(entry.path()).await;
                }
            }
        }
    }
}

/// Has the container engine forget pods that are not here any more.
pub(crate) async fn clean_engine(shared: &Arc<Shared>) {
    let Some(linux) = &shared.runtimes.linux else { return };
    // Until then a pod that is not here may be one that nobody has told of yet.
    if !shared.knows_pods.load(Ordering::Acquire) {
        return;
    }
    let kept = match linux.pods().await {
        Ok(kept) => kept,
        // The node's status says so all the time.
        Err(error @ RuntimeError::Unavailable { .. }) => return debug!(%error, "not cleaned"),
        Err(error) => return warn!(%error, "container engine could not be asked for its pods"),
    };
    for uid in kept {
        // After the list: what is made for a new pod is made after that is known here.
        let saved = shared.saved.clone();
        let of_file = uid.clone();
        let is_static = tokio::task::spawn_blocking(move || saved.is_static(&of_file));
        if shared.entry(&uid).is_some() || is_static.await.unwrap_or(true) {
            continue;
        }
        info!(uid, "removing what a deleted pod left in the container engine");
        if let Err(error) = linux.remove_pod(&uid).await {
            warn!(uid, %error, "what a deleted pod left could not be removed");
        }
    }
}
