//! The signals that ask a daemon to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT (Ctrl-C) or SIGTERM and returns the name of the one that came.
///
/// From the first call on, neither of the two ends the process by itself any more.
///
/// # Errors
/// If the handlers cannot be installed.
pub async fn termination() -> io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok("SIGINT"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}
