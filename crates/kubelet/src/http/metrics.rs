//! Figures of the kubelet itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::shared::Shared;

/// An answer in the text format of Prometheus.
pub(super) fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

/// `/metrics`.
pub(super) async fn own(State(shared): State<Arc<Shared>>) -> Response {
    let entries = shared.entries();
    let (mut running, mut restarts) = (0, 0_u64);
    for entry in &entries {
        let inner = entry.lock();
        running += inner.records.iter().filter(|record| record.running_id().is_some()).count();
        restarts += inner.records.iter().map(|record| u64::from(record.attempt)).sum::<u64>();
    }
    text(format!(
        "# HELP kubelet_running_pods Pods on this node.\n\
         # TYPE kubelet_running_pods gauge\n\
         kubelet_running_pods {}\n\
         # HELP kubelet_running_containers Containers that run.\n\
         # TYPE kubelet_running_containers gauge\n\
         kubelet_running_containers{{container_state=\"running\"}} {running}\n\
         # HELP kubelet_container_restarts Restarts of the containers of pods on this node.\n\
         # TYPE kubelet_container_restarts gauge\n\
         kubelet_container_restarts {restarts}\n\
         # HELP kubelet_events_dropped_total Events that were not written because of their number.\n\
         # TYPE kubelet_events_dropped_total counter\n\
         kubelet_events_dropped_total {}\n\
         # HELP process_resident_memory_bytes Resident memory of this process.\n\
         # TYPE process_resident_memory_bytes gauge\n\
         process_resident_memory_bytes {}\n",
        entries.len(),
        shared.events.dropped(),
        wk_process::resident_bytes(),
    ))
}

/// `/metrics/probes`.
pub(super) async fn probes(State(shared): State<Arc<Shared>>) -> Response {
    text(shared.probe_figures.text())
}
