//! Running until something ends it, and ending well.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wk_process::{TaskGroup, Terminations};

/// How long the parts of the program may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Waits for a signal or a failed task, then stops everything.
///
/// `stopping` is called once with the name of the signal. The end begins with what it returns,
/// which may take its time while everything else still works: requests in flight are answered, and
/// programs end as they should. A second signal cuts that short, and ends all at once.
pub(crate) async fn run_until_stopped<F>(
    tasks: &TaskGroup,
    stopping: impl FnOnce(&str) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = ()>,
{
    run_until_asked(tasks, pending::<Infallible>(), |asked| match asked {
        Asked::Signal(signal) => stopping(signal),
    })
    .await
}

/// Who wants the program to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<T> {
    /// Whoever sent this signal.
    Signal(&'static str),
    /// Somebody else, with this to say.
    Otherwise(T),
}

/// The same for a program that can also be asked to end in another way.
pub(crate) async fn run_until_asked<T, F>(
    tasks: &TaskGroup,
    asked: impl Future<Output = T>,
    stopping: impl FnOnce(Asked<T>) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = ()>,
{
    let mut signals = Terminations::listen().context("cannot listen for signals")?;
    let asked = tokio::select! {
        signal = signals.next() => Ok(Asked::Signal(signal)),
        asked = asked => Ok(Asked::Otherwise(asked)),
        failure = tasks.failed() => Err(failure),
    };
    let failure = match asked {
        Ok(asked) => {
            let drain = stopping(asked);
            tokio::select! {
                () = drain => None,
                again = signals.next() => return Err(cut_short(tasks, again)),
                // Worth telling, and no reason to hurry the others.
                failure = tasks.failed() => Some(failure),
            }
        }
        Err(failure) => Some(failure),
    };
    let leftover = tokio::select! {
        leftover = tasks.shutdown(GRACE) => leftover,
        again = signals.next() => return Err(cut_short(tasks, again)),
    };
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if !leftover.is_empty() {
        bail!("did not stop within {GRACE:?}: {}", leftover.join(", "));
    }
    Ok(())
}

fn cut_short(tasks: &TaskGroup, signal: &str) -> anyhow::Error {
    tasks.token().cancel();
    anyhow::anyhow!("{signal} for the second time: ended at once")
}
