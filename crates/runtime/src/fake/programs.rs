//! The programs that a fake container has: enough to see whether streams are connected.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncWriteExt as _, copy};

use crate::{ExecCommand, Streams};

/// A program of a test: a command and its streams to an exit code.
pub(super) type Program =
    Arc<dyn Fn(ExecCommand, Streams) -> BoxFuture<'static, i32> + Send + Sync>;

/// Programs by name.
#[derive(Clone, Default)]
pub(super) struct Programs(BTreeMap<String, Program>);

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Programs {
    /// `cat`, `echo WORDS`, `warn WORDS` (to standard error), `exit CODE`, `size` (waits for the
    /// size of the terminal and prints it) and `sleep` (for ever).
    pub(super) fn standard() -> Self {
        let mut programs = Self::default();
        programs.insert("cat", |_, streams| Box::pin(cat(streams)));
        programs.insert("echo", |command, streams| {
            Box::pin(async move { say(streams.stdout, &words(&command)).await })
        });
        programs.insert("warn", |command, streams| {
            Box::pin(async move { say(streams.stderr, &words(&command)).await })
        });
        programs.insert("exit", |command, _| {
            let code = command.argv.get(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            Box::pin(std::future::ready(code))
        });
        programs.insert("size", |_, streams| Box::pin(size(streams)));
        programs.insert("sleep", |_, streams| {
            Box::pin(async move {
                let _held = streams;
                std::future::pending().await
            })
        });
        programs
    }

    pub(super) fn insert(
        &mut self,
        name: &str,
        program: impl Fn(ExecCommand, Streams) -> BoxFuture<'static, i32> + Send + Sync + 'static,
    ) {
        self.0.insert(name.to_owned(), Arc::new(program));
    }

    pub(super) fn find(&self, name: &str) -> Option<Program> {
        self.0.get(name).map(Arc::clone)
    }
}

fn words(command: &ExecCommand) -> String {
    format!("{}\n", command.argv.get(1..).unwrap_or_default().join(" "))
}

async fn cat(streams: Streams) -> i32 {
    if let (Some(mut stdin), Some(mut stdout)) = (streams.stdin, streams.stdout) {
        // Somebody who has gone reads nothing.
        let _copied = copy(&mut stdin, &mut stdout).await;
        let _flushed = stdout.flush().await;
    }
    0
}

async fn say(output: Option<crate::Output>, text: &str) -> i32 {
    let Some(mut output) = output else { return 0 };
    let written = async {
        output.write_all(text.as_bytes()).await?;
        output.flush().await
    };
    i32::from(written.await.is_err())
}

async fn size(mut streams: Streams) -> i32 {
    let size = match streams.size.wait_for(Option::is_some).await {
        Ok(size) => *size,
        Err(_) => None,
    };
    match size {
        Some(size) => say(streams.stdout, &format!("{}x{}\n", size.width, size.height)).await,
        None => 1,
    }
}
