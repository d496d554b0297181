//! A pod that was just made, and whoever wants to talk to its program.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::super::delete::{self, Deletion};
use super::super::exec::{Talk, attend, container_status, started};
use super::super::following::Following;
use super::super::select::Found;
use crate::error::{Told, all_good};
use crate::kinds::text;
use crate::session::Session;

/// How to talk to the pod, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) talk: Talk,
    /// How long the pod may take to run.
    pub(super) patience: Duration,
    /// Delete it afterwards.
    pub(super) remove: bool,
    /// Do not wait for its end: others may come.
    pub(super) leave_open: bool,
}

/// Talks to the only container of a pod, and ends as that does.
pub(super) async fn visit(session: &Session, pod: &Found, visit: Visit) -> anyhow::Result<()> {
    let outcome = stay(session, pod, visit).await;
    if !visit.remove {
        return outcome;
    }
    let mut deletion = Deletion::of("background", -1, "0")?;
    deletion.quiet = visit.talk.quiet;
    let deleted = delete::all(session, &deletion, std::slice::from_ref(pod)).await;
    match (outcome, deleted) {
        (outcome, Ok(())) => outcome,
        (Ok(()), Err(error)) => Err(error),
        (Err(first), Err(second)) => all_good(vec![first, second]),
    }
}

async fn stay(session: &Session, pod: &Found, visit: Visit) -> anyhow::Result<()> {
    let container = text(&pod.object, "/spec/containers/0/name");
    let started = tokio::time::timeout(visit.patience, started(session, pod, container));
    started.await.ok().context("timed out waiting for the condition")??;
    attend(session, pod, container, visit.talk).await?;
    if visit.leave_open || text(&pod.object, "/spec/restartPolicy") == "Always" {
        return Ok(());
    }
    let last = ended(session, pod).await?;
    judge(pod, &last, container)
}

/// The pod when all is over.
async fn ended(session: &Session, pod: &Found) -> anyhow::Result<Value> {
    let (mut following, mut now) = Following::start(session, pod).await?;
    while let Some(object) = now {
        if matches!(text(&object, "/status/phase"), "Succeeded" | "Failed") {
            return Ok(object);
        }
        now = following.next().await?;
    }
    bail!("pods \"{}\" not found", pod.name)
}

/// Takes over the exit code of a program that failed.
fn judge(pod: &Found, last: &Value, container: &str) -> anyhow::Result<()> {
    if text(last, "/status/phase") == "Succeeded" {
        return Ok(());
    }
    let (namespace, name) = (&pod.namespace, &pod.name);
    let end = container_status(last, container).pointer("/state/terminated");
    let code = end.and_then(|end| end.get("exitCode")).and_then(Value::as_u64);
    let code = code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    let (Some(end), Some(code)) = (end, code) else {
        bail!("pod {namespace}/{name} failed with unknown exit code");
    };
    let (reason, message) = (text(end, "/reason"), text(end, "/message"));
    let said = format!("pod {namespace}/{name} terminated ({reason})");
    let texts = if message.is_empty() { vec![said] } else { vec![said, message.to_owned()] };
    Err(Told { texts, code }.into())
}
