//! What is remembered of a run of a container as it begins.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tracing::{info, warn};
use wk_runtime::{PodRef, RuntimeError};

use super::super::hooks::{Hook, Target};
use super::Starting;
use crate::images;
use crate::logs;
use crate::plan::next_backoff;
use crate::report;
use crate::shared::Shared;
use crate::state::{Ailment, Phase, Termination, container_id};
use crate::termination::{self, Place};

impl Starting<'_> {
    /// The number of the run that begins now.
    pub(super) fn next_attempt(&self) -> u32 {
        let inner = self.entry.lock();
        inner.records.get(self.index).map_or(0, |record| match record.phase {
            Phase::NotStarted => record.attempt,
            Phase::Running { .. } | Phase::Exited(_) => record.attempt + 1,
        })
    }

    /// Notes the run before it starts, so that an end that comes at once is not missed. Returns how
    /// the container was.
    pub(super) fn begin(
        &self,
        id: &wk_runtime::ContainerId,
        attempt: u32,
        image: &wk_oci::Image,
        linux: bool,
        message_place: Place,
    ) -> Option<crate::state::Record> {
        self.shared.images.mark_used(&image.reference, SystemTime::now());
        let mut inner = self.entry.lock();
        let record = inner.records.get_mut(self.index)?;
        let before = record.clone();
        let phase = Phase::Running { id: id.clone(), since: Timestamp::now() };
        if let Phase::Exited(end) = std::mem::replace(&mut record.phase, phase) {
            record.last = Some(end);
        }
        record.attempt = attempt;
        record.hold = None;
        record.unhealthy = None;
        record.outdated = false;
        record.linux = linux;
        record.message_place = Some(Box::new(message_place));
        record.image_id = images::image_id(image).into();
        record.pre_stop = false;
        record.post_start = Hook::post_start(self.container).is_some();
        record.started = self.container.startup_probe.is_none() && !record.post_start;
        record.ready = record.started && self.container.readiness_probe.is_none();
        Some(before)
    }

    /// The runtime refused: the run did not happen, or counts as one that failed.
    pub(super) fn take_back(
        &self,
        id: &wk_runtime::ContainerId,
        before: Option<crate::state::Record>,
        error: &RuntimeError,
    ) {
        let mut inner = self.entry.lock();
        let Some(record) = inner.records.get_mut(self.index) else { return };
        if record.running_id() != Some(id) {
            return;
        }
        if !matches!(error, RuntimeError::StartFailed { .. }) {
            if let Some(before) = before {
                *record = before;
            }
            return;
        }
        let now = Timestamp::now();
        record.backoff = Some(next_backoff(record.backoff, Duration::ZERO));
        record.ready = false;
        record.started = false;
        record.phase = Phase::Exited(Box::new(Termination {
            container_id: format!("{}://{id}", self.shared.scheme(record.linux)).into(),
            exit_code: 128,
            reason: "StartError".into(),
            message: error.to_string().into(),
            started_at: Some(now),
            finished_at: now,
        }));
    }

    pub(super) fn started(&self, id: &wk_runtime::ContainerId) {
        let name = &self.container.name;
        self.note("Created", &format!("Created container: {name}"));
        self.note("Started", &format!("Started container {name}"));
        let key = &self.entry.key;
        info!(pod = %key.name, namespace = %key.namespace, container = %name, %id, "started");
    }

    /// Does what the specification has done after a start; only then the container has started.
    pub(super) async fn post_start(&self, id: &wk_runtime::ContainerId, linux: bool) {
        if let Some(hook) = Hook::post_start(self.container) {
            report::ask(self.shared, self.entry);
            let mut exits = self.shared.exits.subscribe();
            let ip = self.shared.reach(self.entry);
            let (key, container) = (&self.entry.key, self.container.name.as_str());
            let target = Target { key, container, role: self.role, id, linux, ip };
            let ended = async {
                while self.runs(id) {
                    // One that lags has missed something, perhaps this.
                    if let Err(RecvError::Closed) = exits.recv().await {
                        return;
                    }
                }
            };
            let done = tokio::select! {
                biased;
                done = hook.run(self.shared, target) => done,
                () = ended => Ok(()),
            };
            if let Err(message) = done {
                info!(pod = %key.name, container, message, "hook after the start failed");
                // What a server said may be a secret, so that the event is silent about it.
                self.warn("FailedPostStartHook", "PostStartHook failed");
                let mut inner = self.entry.lock();
                if let Some(record) = inner.records.get_mut(self.index)
                    && record.running_id() == Some(id)
                {
                    record.unhealthy = Some(Ailment::PostStart(message.into()));
                }
                return;
            }
        }
        let started = self.container.startup_probe.is_none();
        {
            let mut inner = self.entry.lock();
            let Some(record) = inner.records.get_mut(self.index) else { return };
            if record.running_id() != Some(id) {
                return;
            }
            record.post_start = false;
            record.started = started;
            record.ready = started && self.container.readiness_probe.is_none();
        }
        self.shared.probes.watch(self.entry, self.container, id, started);
    }

    fn runs(&self, id: &wk_runtime::ContainerId) -> bool {
        let inner = self.entry.lock();
        inner.records.get(self.index).and_then(|record| record.running_id()) == Some(id)
    }

    /// Lets go of the run before this one, as soon as the API knows how it ended.
    pub(super) async fn let_go_of_run_before(&self, attempt: u32) {
        let Some(old) = attempt.checked_sub(1) else { return };
        let (older, linux) = {
            let mut inner = self.entry.lock();
            let Some(record) = inner.records.get_mut(self.index) else { return };
            (record.stale.replace(old), record.linux)
        };
        // Where the API is away, only the last one is told of when it is back.
        if let Some(older) = older.filter(|older| *older != old) {
            let run = (&*self.container.name, older);
            forget_run(self.shared, &self.entry.key, run, linux).await;
        }
    }
}

/// Drops what is kept of a container's run but its log, and the log of the run before that.
pub(crate) async fn forget_run(
    shared: &Shared,
    key: &PodRef,
    (container, old): (&str, u32),
    linux: bool,
) {
    let id = container_id(&key.uid, container, old);
    if let Err(error) = shared.runtime(linux).remove(&id).await {
        warn!(container = %id, %error, "ended container could not be removed");
    }
    let message = termination::own_file(&shared.pod_folder(&key.uid), container, old);
    // One that never was, or cannot go, goes with the pod.
    let _removed = tokio::fs::remove_file(message).await;
    if let Some(older) = old.checked_sub(1) {
        let path = shared.log_path(key, container, older);
        let removed = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || logs::remove(&path)).await
        };
        if let Ok(Err(error)) = removed {
            warn!(path = %path.display(), %error, "old log could not be removed");
        }
    }
}
