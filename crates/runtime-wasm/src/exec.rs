//! Further programs in a running container, and connections to its main one.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;
use wk_runtime::{ContainerId, ExecCommand, Input, RuntimeError, Streams};

use crate::command;
use crate::console::{Console, Feed, Listening};
use crate::container::Container;
use crate::files::host_path;
use crate::log::Source;
use crate::programs::{Entry, Program, Programs};
use crate::scope::Scope;
use crate::terminal::Terminal;
use crate::trap::{CODE_INTERRUPTED, CODE_KILLED, Ending};

/// How much input is handed on at once.
const INPUT_BYTES: usize = 16 << 10;

/// A program that is ready to run in a container.
pub(crate) struct Prepared {
    program: Arc<Program>,
    scope: Arc<Scope>,
    slot: OwnedSemaphorePermit,
}

/// Finds the program of a command: the container's own by its name, or a module by the absolute
/// path of a file that the container sees.
///
/// # Errors
/// [`RuntimeError::ExecFailed`], and those of preparing an image for the node's faults.
pub(crate) async fn program(
    programs: &Arc<Programs>,
    container: &Container,
    command: &ExecCommand,
) -> Result<Arc<Program>, RuntimeError> {
    let name = command.argv.first().map_or("", String::as_str);
    let refused = |reason: String| RuntimeError::ExecFailed { program: name.to_owned(), reason };
    let own = container.scope.args.first().map_or("", String::as_str);
    let program = match host_path(&container.scope.preopens, name) {
        Some(file) => module(programs, file, name).await?,
        None if name == own => Arc::clone(&container.program),
        None => {
            return Err(refused(format!(
                "there is no such file or directory; the container has its own program, `{own}`, \
                 and modules by their absolute path"
            )));
        }
    };
    match program.entry {
        Entry::Command(_) => Ok(program),
        Entry::Http(_) => Err(refused(
            "it serves requests and cannot be run: give the absolute path of a command".to_owned(),
        )),
    }
}

async fn module(
    programs: &Arc<Programs>,
    file: PathBuf,
    name: &str,
) -> Result<Arc<Program>, RuntimeError> {
    let refused = |reason: String| RuntimeError::ExecFailed { program: name.to_owned(), reason };
    let unreadable = |error: std::io::Error| refused(format!("it cannot be read: {error}"));
    let adopted = programs.adopt(file).await.map_err(unreadable)?;
    let image = adopted.image(name).await.map_err(unreadable)?;
    let prepared = async {
        programs.prepare(&image).await?;
        programs.program(&image).await
    };
    prepared.await.map_err(|error| match error {
        RuntimeError::InvalidImage { reason, .. } | RuntimeError::PrepareLimit { reason, .. } => {
            refused(reason)
        }
        other => other,
    })
}

impl Prepared {
    /// Puts a program into a container's surroundings, with streams of its own.
    pub(crate) fn new(
        container: &Container,
        program: Arc<Program>,
        command: &ExecCommand,
        streams: &Streams,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let console = Console::new(None, streams.stdin.is_some(), command.tty);
        let scope = Arc::new(container.scope.beside(command.argv.clone(), console));
        Self { program, scope, slot }
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Runs it on the calling executor until it ends, `cancelled`, or the container does.
    pub(crate) async fn run(
        self,
        container: Arc<Container>,
        cancelled: CancellationToken,
        ended: oneshot::Sender<Ending>,
    ) {
        let Entry::Command(entry) = &self.program.entry else { return };
        let run = command::run(&self.program.machine, entry, &self.scope);
        let ending = tokio::select! {
            biased;
            () = self.scope.meter.kill.cancelled() => Ending::code(CODE_KILLED),
            () = container.ended() => Ending::code(CODE_KILLED),
            () = cancelled.cancelled() => Ending::code(CODE_INTERRUPTED),
            ending = run => ending,
        };
        drop(self.slot);
        // Nobody waits if the call was dropped.
        let _sent = ended.send(ending);
    }
}

/// Connects streams to a program until `ending` answers and all of its output is handed on.
///
/// With `ends_input` the end of `streams`' input, or of this call, is the end of the program's.
pub(crate) async fn converse<T>(
    scope: &Scope,
    streams: Streams,
    ends_input: bool,
    interrupt: &CancellationToken,
    ending: impl Future<Output = T>,
    explain: impl FnOnce(&T) -> Option<String>,
) -> T {
    let terminal = scope.console.is_terminal();
    let taps = &scope.console.taps;
    let Streams { stdin, mut stdout, mut stderr, size: _ } = streams;
    let out = stdout.is_some().then(|| taps.listen(Source::Stdout, terminal));
    let err = stderr.is_some().then(|| taps.listen(Source::Stderr, terminal));
    let ended = async {
        let answer = {
            let input = feed(scope, stdin, ends_input, out.as_ref(), interrupt);
            let input = std::pin::pin!(input);
            let ending = std::pin::pin!(ending);
            match select(ending, input).await {
                Either::Left((answer, _)) => answer,
                // Input that ends, or that nobody takes, does not end the program.
                Either::Right(((), ending)) => ending.await,
            }
        };
        if let Some(text) = explain(&answer) {
            let source = if terminal { Source::Stdout } else { Source::Stderr };
            taps.push(source, format!("{text}\n").as_bytes());
        }
        for listening in [&out, &err].into_iter().flatten() {
            listening.end();
        }
        answer
    };
    let pump = async |listening: &Option<Listening>, output: Option<&mut wk_runtime::Output>| {
        if let Some(listening) = listening {
            listening.pump(output).await;
        }
    };
    let (answer, (), ()) =
        tokio::join!(ended, pump(&out, stdout.as_mut()), pump(&err, stderr.as_mut()));
    answer
}

/// Hands input on to the program until it ends or the program takes no more.
async fn feed(
    scope: &Scope,
    stdin: Option<Input>,
    ends_input: bool,
    screen: Option<&Listening>,
    interrupt: &CancellationToken,
) {
    let (Some(mut stdin), Some(feed)) = (stdin, scope.console.feed()) else { return };
    let _end = ends_input.then(|| EndsInput(&scope.console));
    let mut keyboard = scope.console.is_terminal().then(Terminal::default);
    let mut buffer = vec![0; INPUT_BYTES];
    loop {
        let bytes = match stdin.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => &buffer[..read],
        };
        let Some(keyboard) = &mut keyboard else {
            if send(&feed, bytes).await.is_err() {
                return;
            }
            continue;
        };
        let typed = keyboard.keys(bytes);
        if let Some(screen) = screen {
            screen.show(&typed.echo);
        }
        if send(&feed, &typed.input).await.is_err() {
            return;
        }
        if typed.interrupt {
            interrupt.cancel();
        }
        if typed.end || typed.interrupt {
            scope.console.end_input();
            return;
        }
    }
}

/// Ends a program's input when it is dropped: whoever fed it has gone.
struct EndsInput<'a>(&'a Console);

impl Drop for EndsInput<'_> {
    fn drop(&mut self) {
        self.0.end_input();
    }
}

async fn send(feed: &Feed, bytes: &[u8]) -> std::io::Result<()> {
    feed.lock().await.write_all(bytes).await
}

/// The container, if it runs.
///
/// # Errors
/// [`RuntimeError::NotRunning`], [`RuntimeError::NoSuchContainer`].
pub(crate) fn running(
    container: Option<Arc<Container>>,
    id: &ContainerId,
) -> Result<Arc<Container>, RuntimeError> {
    match container {
        None => Err(RuntimeError::NoSuchContainer { id: id.clone() }),
        Some(container) if container.has_ended() => {
            Err(RuntimeError::NotRunning { id: id.clone() })
        }
        Some(container) => Ok(container),
    }
}
