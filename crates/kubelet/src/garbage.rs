//! Removes images, and code compiled from them, that no container uses when their disk is nearly full.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::ObjectReference;
use tracing::{info, warn};
use wk_client::EventType;
use wk_oci::{Digest, GarbagePolicy, GarbageReport, Image};

use crate::config::ImageGarbage;
use crate::machine::Machine;
use crate::shared::Shared;

/// Looks at the disk again and again, until cancelled.
pub(crate) async fn run(shared: Arc<Shared>) {
    let token = shared.tasks.token();
    let mut times = tokio::time::interval(shared.config.image_garbage.period);
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first look is due only after a while: what the pods need is found out until then.
    times.reset();
    while token.run_until_cancelled(times.tick()).await.is_some() {
        let _ended = token.run_until_cancelled(collect(&shared)).await;
    }
}

async fn collect(shared: &Arc<Shared>) {
    // Without its network the node has not looked at its pods yet.
    if shared.network.get().is_none() || shared.frozen.load(Ordering::Acquire) {
        return;
    }
    crate::orphans::clean_engine(shared).await;
    let config = shared.config.image_garbage;
    let now = SystemTime::now();
    let in_use = in_use(shared);
    let images = shared.images.list();
    for image in &images {
        if in_use.contains(&image.manifest_digest) {
            shared.images.mark_used(&image.reference, now);
        }
    }
    let folder = shared.images.layout();
    let Ok(machine) = tokio::task::spawn_blocking(move || Machine::read(&folder)).await else {
        return;
    };
    let excess = excess(machine.disk_bytes, machine.disk_available_bytes, config);
    let policy = GarbagePolicy {
        now,
        keep_bytes: excess.map(|excess| total_bytes(&images).saturating_sub(excess)),
        minimum_age: config.minimum_age,
    };
    let keep_code = if excess.is_some() { 0 } else { config.code_cache_bytes };
    for runtime in shared.runtimes.all() {
        match runtime.trim_cache(keep_code).await {
            Ok(0) => {}
            Ok(bytes) => info!(bytes, "compiled code removed"),
            Err(error) => warn!(%error, "compiled code could not be removed"),
        }
    }
    match shared.images.collect_garbage(in_use, policy).await {
        Ok(report) => told(shared, excess, report),
        Err(error) => {
            warn!(%error, "images could not be removed");
            node_event(shared, "ImageGCFailed", format!("failed to remove images: {error}"));
        }
    }
}

fn told(shared: &Shared, excess: Option<u64>, report: GarbageReport) {
    let GarbageReport { images, blobs, bytes } = report;
    if images > 0 || blobs > 0 {
        info!(images, blobs, bytes, "images removed");
    }
    if let Some(excess) = excess.filter(|excess| bytes < *excess) {
        let message = format!(
            "Failed to garbage collect required amount of images. Attempted to free {excess} \
             bytes, but only found {bytes} bytes eligible to free."
        );
        warn!(excess, bytes, "too few images can be removed");
        node_event(shared, "FreeDiskSpaceFailed", message);
    }
}

/// Removes all images, and all code compiled from them, that no container uses.
pub(crate) async fn free_all(shared: &Arc<Shared>) {
    let policy =
        GarbagePolicy { now: SystemTime::now(), keep_bytes: Some(0), minimum_age: Duration::ZERO };
    for runtime in shared.runtimes.all() {
        if let Err(error) = runtime.trim_cache(0).await {
            warn!(%error, "compiled code could not be removed");
        }
    }
    match shared.images.collect_garbage(in_use(shared), policy).await {
        Ok(report) => told(shared, None, report),
        Err(error) => warn!(%error, "images could not be removed"),
    }
}

pub(crate) fn node_event(shared: &Shared, reason: &str, message: String) {
    let name = &shared.config.node_name;
    let node = ObjectReference {
        kind: Some("Node".to_owned()),
        name: Some(name.clone()),
        // As in Kubernetes, where a kubelet knows its node by name alone.
        uid: Some(name.clone()),
        ..ObjectReference::default()
    };
    shared.events.publish(node, EventType::Warning, reason, message);
}

/// The manifests of the images that containers of this node use or will use again.
fn in_use(shared: &Shared) -> HashSet<Digest> {
    let mut digests = HashSet::new();
    for entry in shared.entries() {
        let inner = entry.lock();
        if inner.released {
            continue;
        }
        let ids = inner.records.iter().filter_map(|record| record.image_id.rsplit_once('@'));
        digests.extend(ids.filter_map(|(_, digest)| digest.parse().ok()));
    }
    digests
}

/// Bytes of all images; several references to one image count once.
fn total_bytes(images: &[Arc<Image>]) -> u64 {
    let mut counted = HashSet::new();
    let once = images.iter().filter(|image| counted.insert(&image.manifest_digest));
    once.map(|image| image.size_bytes).sum()
}

/// How much has to be freed; `None` while there is room. Pure.
fn excess(disk_bytes: u64, available_bytes: u64, config: ImageGarbage) -> Option<u64> {
    if disk_bytes == 0 || config.high_percent >= 100 {
        return None;
    }
    let percent = |part: u64| u128::from(part) * 100 / u128::from(disk_bytes);
    let used_percent = 100 - percent(available_bytes.min(disk_bytes));
    if used_percent < u128::from(config.high_percent) {
        return None;
    }
    let free_percent = u128::from(100 - config.low_percent.min(100));
    let wanted = u128::from(disk_bytes) * free_percent / 100;
    let excess = wanted.saturating_sub(available_bytes.into());
    Some(u64::try_from(excess).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_freed_from_the_high_mark_down_to_the_low_one() {
        let config = ImageGarbage::default();
        let cases = [(160, None), (159, Some(41)), (150, Some(50)), (0, Some(200)), (1000, None)];
        for (available, expected) in cases {
            assert_eq!(excess(1000, available, config), expected, "{available} of 1000");
        }
        assert_eq!(excess(0, 0, config), None, "a disk that tells nothing");
        let never = ImageGarbage { high_percent: 100, ..config };
        assert_eq!(excess(1000, 0, never), None);
    }
}
