//! A container's output, from the engine's log into the pod's.
//!
//! The engine keeps the output with the time of each line, and this process follows it. The pod's
//! log is the only record of how far that went: who starts again reads its last lines, asks the
//! engine for everything since a moment before them, and leaves out what is there already. Nothing
//! is lost or doubled by the end of this process, however it ends.

mod entries;
mod position;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tracing::{debug, warn};
use wk_runtime::LogFile;

use self::entries::{Entries, Entry};
use self::position::Position;
use crate::container::Container;
use crate::engine::is_absent;
use crate::frames::Source;
use crate::raw::{self, RawError};
use crate::runtime::Shared;

/// How long to wait until the engine is asked again that did not answer.
const RETRY: Duration = Duration::from_millis(500);

/// Writes the log of a container until all of its output is there, or it is removed.
pub(crate) async fn write(shared: Arc<Shared>, container: Arc<Container>) {
    let token = shared.tasks.token();
    let mut writer = Writer { file: None, failed: false, container: Arc::clone(&container) };
    let copying = async {
        while !copy(&shared, &container, &mut writer).await {
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::select! {
        biased;
        () = token.cancelled() => return,
        () = container.gone.cancelled() => {}
        () = copying => {}
    }
    container.logged.cancel();
}

/// Copies what there is and what comes; true if nothing more can come.
async fn copy(shared: &Shared, container: &Container, writer: &mut Writer) -> bool {
    let Ok(docker) = shared.engine.docker().await else { return false };
    let versioned = |path: &str| raw::versioned(&docker, path);
    if !copy_part(shared, container, writer, true, versioned).await {
        return false;
    }
    let ended = match docker.inspect_container(&container.engine_id, None).await {
        Ok(found) => found.state.and_then(|state| state.running) != Some(true),
        Err(error) => is_absent(&error),
    };
    // Engines leave the last line out for those who follow if the program has not ended it.
    ended && copy_part(shared, container, writer, false, versioned).await
}

/// Copies what there is, and with `follows` what comes until the container ends; false if that could not
/// be read.
async fn copy_part(
    shared: &Shared,
    container: &Container,
    writer: &mut Writer,
    follows: bool,
    versioned: impl Fn(&str) -> String,
) -> bool {
    let Some(mut position) = writer.position().await else { return false };
    let (id, since, follow) = (&container.engine_id, position.since(), u8::from(follows));
    let path = format!(
        "/containers/{id}/logs?follow={follow}&stdout=1&stderr=1&timestamps=1&since={since}"
    );
    let body = match raw::follow(shared.engine.socket(), &versioned(&path), &shared.tasks).await {
        Ok(body) => body,
        Err(RawError::Refused { status: 404, .. }) => return true,
        Err(error) => {
            debug!(container = id, ?error, "log cannot be read");
            return false;
        }
    };
    read(body, container.tty, &mut position, writer).await;
    true
}

async fn read(mut body: Incoming, tty: bool, position: &mut Position, writer: &mut Writer) {
    let mut entries = Entries::new(tty);
    let mut found = Vec::new();
    loop {
        let frame = body.frame().await;
        let bytes: Option<Bytes> = match frame {
            Some(Ok(frame)) => frame.into_data().ok(),
            // The engine has no more, or went away, which is found out by asking it.
            Some(Err(_)) | None => None,
        };
        let is_last = bytes.is_none();
        match bytes {
            Some(bytes) => entries.push(bytes, &mut found),
            None => entries.finish(&mut found),
        }
        let mut lines = Vec::new();
        for entry in found.drain(..).filter(|entry| position.is_new(entry)) {
            append(&mut lines, &entry);
        }
        writer.append(lines).await;
        if is_last {
            return;
        }
    }
}

/// One line in the text format of container logs.
/// Spec: <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>
fn append(lines: &mut Vec<u8>, entry: &Entry) {
    let source = match entry.source {
        Source::Stdout => "stdout",
        Source::Stderr => "stderr",
    };
    let tag = if entry.whole { 'F' } else { 'P' };
    // Writing to memory cannot fail.
    let _written = write!(lines, "{} {source} {tag} ", entry.time);
    lines.extend_from_slice(&entry.text);
    lines.push(b'\n');
}

/// The pod's log, written on threads that may block.
struct Writer {
    /// `None` only while a thread has it.
    file: Option<LogFile>,
    failed: bool,
    container: Arc<Container>,
}

impl Writer {
    /// Where the log ends; `None` if that cannot be read now. A line that was cut off is removed.
    async fn position(&mut self) -> Option<Position> {
        let path = self.container.log_path.clone();
        self.file = None;
        let read = tokio::task::spawn_blocking(move || position::read(&path)).await;
        match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(position) => Some(position),
            Err(error) => {
                self.complain(&error);
                None
            }
        }
    }

    /// Appends whole lines. A log that cannot be written is no reason to end a program: the lines
    /// are lost, and the first loss is reported.
    async fn append(&mut self, lines: Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        let container = &self.container;
        let mut file = self
            .file
            .take()
            .unwrap_or_else(|| LogFile::new(container.log_path.clone(), container.log_limits));
        let work = tokio::task::spawn_blocking(move || {
            let written = file.append(&lines);
            (file, written)
        });
        let Ok((file, written)) = work.await else { return };
        self.file = Some(file);
        match written {
            Ok(()) => self.failed = false,
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.failed {
            let path = self.container.log_path.display();
            warn!(%path, %error, "container log cannot be written");
        }
        self.failed = true;
    }
}
