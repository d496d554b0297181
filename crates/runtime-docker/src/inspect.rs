//! What the engine says of a container, in the words of runtimes. Pure.

use std::time::SystemTime;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use wk_runtime::{ContainerExit, ContainerState, ContainerStatus, ExitReason};

use crate::labels::{self, Labelled};

/// A container that was started, and what is needed to go on with it.
#[derive(Clone, Debug)]
pub(crate) struct Inspected {
    pub(crate) labelled: Labelled,
    pub(crate) state: ContainerState,
    pub(crate) tty: bool,
}

/// Where a container of the engine is in its life.
#[derive(Clone, Debug)]
pub(crate) enum Life {
    /// It was made and never started, or could not be.
    Created,
    /// It was started.
    Started(Box<Inspected>),
}

/// Reads an answer; `None` for sandboxes, and for what was not made here.
pub(crate) fn read(answer: &ContainerInspectResponse) -> Option<Life> {
    let config = answer.config.as_ref()?;
    let labelled = labels::read(config.labels.as_ref()?)?;
    let engine = answer.state.as_ref()?;
    let started_at = engine.started_at.as_deref().and_then(time);
    let is_created = engine.status == Some(ContainerStateStatusEnum::CREATED);
    let Some(started_at) = started_at.filter(|_| !is_created) else {
        return Some(Life::Created);
    };
    let running = engine.running == Some(true);
    let status = if running {
        ContainerStatus::Running
    } else {
        let code = engine.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(255);
        let reason = match code {
            _ if engine.oom_killed == Some(true) => ExitReason::OomKilled,
            0 => ExitReason::Completed,
            _ => ExitReason::Error,
        };
        let finished_at = engine.finished_at.as_deref().and_then(time).unwrap_or(started_at);
        let message = engine.error.clone().unwrap_or_default();
        ContainerStatus::Exited(ContainerExit { code, reason, message, finished_at })
    };
    let state = ContainerState {
        id: labelled.id.clone(),
        pod: labelled.pod.clone(),
        name: labelled.name.clone(),
        attempt: labelled.attempt,
        image_digest: labelled.image_digest.clone(),
        started_at,
        status,
    };
    Some(Life::Started(Box::new(Inspected { labelled, state, tty: config.tty == Some(true) })))
}

/// A time of the engine; `None` for the year 1, by which it means never.
fn time(text: &str) -> Option<SystemTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    (time.as_second() > 0).then(|| time.into())
}
