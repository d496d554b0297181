//! Other programs in a running container, and connections to the main one.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::exec::CreateExecOptions;
use bollard::query_parameters::{ResizeContainerTTYOptionsBuilder, ResizeExecOptionsBuilder};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tracing::{debug, warn};
use wk_runtime::{ContainerId, ExecCommand, RuntimeError, Streams, TerminalSize};

use crate::container::Container;
use crate::engine::{chain, is_absent, status};
use crate::frames::Piece;
use crate::raw::{self, RawError};
use crate::runtime::Shared;
use crate::streams::{Listeners, ProgramOutput, feed, next_size};

/// How the engine begins what it says, in the program's place, of one that could not be started.
const REFUSAL: &[u8] = b"OCI runtime exec failed";
/// The most of that which is kept.
const REFUSAL_BYTES: usize = 4096;
/// Keys that detach a terminal; engines have a default, which would swallow Ctrl-P. Nobody types
/// these one after the other.
const DETACH_KEYS: &str = "ctrl-^,ctrl-_,ctrl-^,ctrl-_";
/// How often, and for how long, the engine is asked for what it is about to know.
const SOON: Duration = Duration::from_millis(10);
const SOON_TRIES: u32 = 500;
/// How often it is asked for what it has told by then, if it tells.
const LATER: Duration = Duration::from_secs(1);

impl Shared {
    /// See [`wk_runtime::Runtime::exec`].
    pub(crate) async fn exec(
        self: &Arc<Self>,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        let container = self.running(id).await?;
        let docker = self.engine.docker().await?;
        let program = command.argv.first().cloned().unwrap_or_default();
        let refused =
            |reason: String| RuntimeError::ExecFailed { program: program.clone(), reason };
        let options = CreateExecOptions {
            attach_stdin: Some(streams.stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(!command.tty),
            tty: Some(command.tty),
            detach_keys: Some(DETACH_KEYS.to_owned()),
            cmd: Some(command.argv.clone()),
            ..CreateExecOptions::default()
        };
        let exec = match docker.create_exec(&container.engine_id, options).await {
            Ok(made) => made.id,
            Err(error) if is_absent(&error) => {
                return Err(RuntimeError::NoSuchContainer { id: id.clone() });
            }
            Err(error) if status(&error) == Some(409) => {
                return Err(RuntimeError::NotRunning { id: id.clone() });
            }
            Err(error) => return Err(self.engine.failed("running a program", &error)),
        };
        let ends = self.exec_ends.subscribe();
        let mut running =
            Running { shared: self, docker: &docker, exec, container, ends, over: false };
        let path = raw::versioned(&docker, &format!("/exec/{}/start", running.exec));
        let body = json!({"Detach": false, "Tty": command.tty}).to_string();
        let connection = raw::hijack(self.engine.socket(), &path, body, &self.tasks).await;
        let connection = connection.map_err(|error| match error {
            RawError::Connection(reason) => self.engine.unavailable(reason),
            RawError::Refused { message, .. } => refused(message),
        })?;
        let (from, to) = tokio::io::split(connection);
        let mut listeners = Listeners { stdout: streams.stdout, stderr: streams.stderr };
        let mut withheld: Vec<Piece> = Vec::new();
        let hearing = async {
            let mut output = ProgramOutput::new(from, command.tty);
            while let Some(piece) = output.next().await {
                if begins_refusal(&withheld, &piece) {
                    withheld.push(piece);
                    continue;
                }
                for piece in withheld.drain(..).chain([piece]) {
                    listeners.hear(piece.source, &piece.bytes).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = hearing => {}
            () = feed(streams.stdin, to, true) => {}
            () = running.follow_size(streams.size), if command.tty => {}
        }
        let (code, was_started) = running.ended().await?;
        running.over = true;
        let said: Vec<u8> = withheld.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
        if !was_started || (!said.is_empty() && matches!(code, 126 | 127)) {
            return Err(refused(String::from_utf8_lossy(&said).trim().to_owned()));
        }
        for piece in withheld {
            listeners.hear(piece.source, &piece.bytes).await;
        }
        Ok(code)
    }

    /// See [`wk_runtime::Runtime::attach`].
    pub(crate) async fn attach(
        self: &Arc<Self>,
        id: &ContainerId,
        streams: Streams,
    ) -> Result<(), RuntimeError> {
        let container = self.running(id).await?;
        if streams.stdin.is_none() && streams.stdout.is_none() && streams.stderr.is_none() {
            container.ended().await;
            return Ok(());
        }
        let docker = self.engine.docker().await?;
        let engine_id = &container.engine_id;
        let mut sizes = streams.size;
        let size = *sizes.borrow_and_update();
        // The program has it before it reads anything.
        if let Some(size) = size.filter(|_| container.tty) {
            resize_main(&docker, engine_id, size).await;
        }
        let path = format!(
            "/containers/{engine_id}/attach?stream=1&stdin={}&stdout={}&stderr={}&detachKeys={}",
            u8::from(streams.stdin.is_some()),
            u8::from(streams.stdout.is_some()),
            u8::from(streams.stderr.is_some()),
            DETACH_KEYS.replace('^', "%5E"),
        );
        let path = raw::versioned(&docker, &path);
        let connection = raw::hijack(self.engine.socket(), &path, String::new(), &self.tasks).await;
        let connection = connection.map_err(|error| match error {
            RawError::Connection(reason) => self.engine.unavailable(reason),
            RawError::Refused { status: 404, .. } => {
                RuntimeError::NoSuchContainer { id: id.clone() }
            }
            RawError::Refused { status: 409, .. } => RuntimeError::NotRunning { id: id.clone() },
            RawError::Refused { message, .. } => {
                RuntimeError::Internal { doing: "attaching".into(), reason: message }
            }
        })?;
        let (from, to) = tokio::io::split(connection);
        let mut listeners = Listeners { stdout: streams.stdout, stderr: streams.stderr };
        let copying = async {
            let mut output = ProgramOutput::new(from, container.tty);
            while let Some(piece) = output.next().await {
                listeners.hear(piece.source, &piece.bytes).await;
            }
            container.ended().await;
        };
        tokio::select! {
            biased;
            () = copying => {}
            () = feed(streams.stdin, to, true) => {}
            () = follow_size(&docker, engine_id, sizes), if container.tty => {}
        }
        Ok(())
    }

    /// The container, if it runs.
    async fn running(self: &Arc<Self>, id: &ContainerId) -> Result<Arc<Container>, RuntimeError> {
        let container = self.find(id).await?;
        let container =
            container.ok_or_else(|| RuntimeError::NoSuchContainer { id: id.clone() })?;
        if container.has_ended() {
            return Err(RuntimeError::NotRunning { id: id.clone() });
        }
        Ok(container)
    }
}

/// Gives the terminal of a container's main program every size that it is to have from now on; never
/// returns.
async fn follow_size(
    docker: &Docker,
    engine_id: &str,
    mut size: watch::Receiver<Option<TerminalSize>>,
) {
    loop {
        let now = next_size(&mut size).await;
        resize_main(docker, engine_id, now).await;
    }
}

async fn resize_main(docker: &Docker, engine_id: &str, size: TerminalSize) {
    let (height, width) = (size.height.into(), size.width.into());
    let options = ResizeContainerTTYOptionsBuilder::new().h(height).w(width).build();
    if let Err(error) = docker.resize_container_tty(engine_id, options).await {
        debug!(container = engine_id, %error, "terminal not resized");
    }
}

/// Whether a piece of output may be the engine's word instead of the program's.
fn begins_refusal(withheld: &[Piece], piece: &Piece) -> bool {
    let known: usize = withheld.iter().map(|piece| piece.bytes.len()).sum();
    if known + piece.bytes.len() > REFUSAL_BYTES {
        return false;
    }
    let mut said: Vec<u8> = withheld.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    said.extend_from_slice(&piece.bytes);
    let common = said.len().min(REFUSAL.len());
    said[..common] == REFUSAL[..common] && (known > 0 || common == REFUSAL.len())
}

/// A program that was started beside the main one; ended when dropped before it is over.
struct Running<'a> {
    shared: &'a Arc<Shared>,
    docker: &'a Docker,
    exec: String,
    container: Arc<Container>,
    ends: broadcast::Receiver<String>,
    over: bool,
}

impl Running<'_> {
    /// Gives its terminal every size that it is to have; never returns.
    async fn follow_size(&self, mut size: watch::Receiver<Option<TerminalSize>>) {
        // The size it has already counts.
        size.mark_changed();
        loop {
            let now = next_size(&mut size).await;
            self.resize(now).await;
        }
    }

    async fn resize(&self, size: TerminalSize) {
        let options =
            ResizeExecOptionsBuilder::new().h(size.height.into()).w(size.width.into()).build();
        // The terminal is there a moment after the connection.
        for _ in 0..SOON_TRIES {
            match self.docker.resize_exec(&self.exec, options.clone()).await {
                Ok(()) => return,
                Err(error) => debug!(exec = self.exec, %error, "terminal not resized yet"),
            }
            tokio::time::sleep(SOON).await;
        }
    }

    /// Waits until the program has ended, whatever became of its output; the exit code, and whether
    /// there was a process at all.
    async fn ended(&mut self) -> Result<(i32, bool), RuntimeError> {
        let mut delay = SOON;
        loop {
            match self.docker.inspect_exec(&self.exec).await {
                Ok(found) if found.running == Some(true) && !self.container.has_ended() => {}
                Ok(found) => {
                    let code = found.exit_code.and_then(|code| i32::try_from(code).ok());
                    let was_started = found.pid.is_some_and(|pid| pid > 0);
                    // One that went down with its container is not told.
                    return Ok((code.unwrap_or(137), was_started));
                }
                // The container was removed, and all in it.
                Err(error) if is_absent(&error) => return Ok((137, true)),
                Err(error) => return Err(self.shared.engine.failed("running a program", &error)),
            }
            // Engines differ in whether and how they tell: they are asked now and then all the same.
            tokio::select! {
                biased;
                () = told(&mut self.ends, &self.exec) => {}
                () = self.container.ended() => {}
                () = tokio::time::sleep(delay) => delay = (delay * 2).min(LATER),
            }
        }
    }
}

/// Waits until the engine has told that a program has ended, or something that may have been that.
async fn told(ends: &mut broadcast::Receiver<String>, exec: &str) {
    loop {
        match ends.recv().await {
            Ok(ended) if ended != exec => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // Unreachable: whoever runs a program holds the sender.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (docker, exec) = (self.docker.clone(), self.exec.clone());
        let engine_id = self.container.engine_id.clone();
        self.shared.tasks.spawn_quiet("program's end", async move {
            end(&docker, &exec, &engine_id).await;
        });
    }
}

/// Ends a program that nobody waits for any more. Engines have no call for that: it takes a signal
/// to the process, which only root on the engine's machine can send.
async fn end(docker: &Docker, exec: &str, engine_id: &str) {
    let found = match docker.inspect_exec(exec).await {
        Ok(found) if found.running == Some(true) => found,
        Ok(_) => return,
        Err(error) => {
            debug!(exec, error = chain(&error), "program not looked at");
            return;
        }
    };
    let pid = found.pid.and_then(|pid| i32::try_from(pid).ok());
    let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { return };
    // The number may mean another process where the engine is elsewhere.
    let groups = tokio::fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).await;
    let is_ours = groups.is_ok_and(|groups| groups.contains(engine_id));
    let killed =
        is_ours.then(|| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok());
    if killed != Some(true) {
        warn!(exec, pid = %pid.as_raw_nonzero(), "program cannot be ended from here: it ends with its container");
    }
}
