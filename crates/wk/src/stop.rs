//! Running until something ends it, and ending well.

use std::time::Duration;

use anyhow::bail;
use wk_process::TaskGroup;

/// How long the parts of the program may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Waits for a signal or a failed task, then stops everything.
///
/// `stopping` is called once, when the end begins.
pub(crate) async fn run_until_stopped(
    tasks: &TaskGroup,
    stopping: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let failure = tokio::select! {
        signal = wk_process::termination() => {
            stopping(signal?);
            None
        }
        failure = tasks.failed() => Some(failure),
    };
    let leftover = tasks.shutdown(GRACE).await;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if !leftover.is_empty() {
        bail!("did not stop within {GRACE:?}: {}", leftover.join(", "));
    }
    Ok(())
}
