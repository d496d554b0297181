//! `exec` and `attach`: another program in a container, or the one that it runs.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::following::Following;
use super::select::Found;
use super::streams::{self, Asked, Local, terminal};
use crate::client::Call;
use crate::duration;
use crate::error::{StatusError, hinted};
use crate::kinds::{query, text};
use crate::manifest::{self, FileArgs};
use crate::session::Session;

/// What both commands take.
#[derive(Debug, clap::Args)]
pub(crate) struct TalkArgs {
    /// Container; the first one if not said
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Standard input is a terminal
    #[arg(short, long)]
    tty: bool,
    /// Print only what the program prints
    #[arg(short, long)]
    quiet: bool,
    /// How long to wait for a pod to come, such as `1m`
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pod_running_timeout: String,
}

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// POD, or TYPE/NAME
    #[arg(value_name = "POD")]
    words: Vec<String>,
    #[command(flatten)]
    talk: TalkArgs,
    #[command(flatten)]
    files: FileArgs,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Arguments of `attach`.
#[derive(Debug, clap::Args)]
pub(crate) struct AttachArgs {
    /// POD, or TYPE/NAME
    #[arg(value_name = "POD")]
    words: Vec<String>,
    #[command(flatten)]
    talk: TalkArgs,
}

pub(crate) async fn exec(session: &Session, args: ExecArgs) -> anyhow::Result<()> {
    let from_file = match manifest::read(&args.files) {
        _ if args.files.is_empty() => None,
        Ok(found) => found.into_iter().next(),
        Err(error) => return Err(error),
    };
    let word = match (args.words.as_slice(), &from_file) {
        ([word], None) => word.clone(),
        ([], Some(object)) => {
            let kind = text(&object.object, "/kind").to_ascii_lowercase();
            format!("{kind}/{}", text(&object.object, "/metadata/name"))
        }
        ([], None) => bail!("pod, type/name or --filename must be specified"),
        ([_, ..], _) => {
            return Err(hinted(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
                "everything after `--` is the command",
            ));
        }
    };
    if args.command.is_empty() {
        bail!("you must specify at least one command for the container");
    }
    let pod = streams::pod(session, &word, args.talk.patience()?).await?;
    streams::check_alive(&pod, "exec into")?;
    let container =
        streams::container(session, &pod, args.talk.container.as_deref(), args.talk.quiet)?;
    let asked = Asked {
        pod: &pod,
        subresource: "exec",
        container: text(&container, "/name"),
        command: &args.command,
    };
    let talk = args.talk.talk();
    let tty = talk.terminal(session, talk.tty);
    talk.run(session, &asked, tty).await
}

pub(crate) async fn attach(session: &Session, args: AttachArgs) -> anyhow::Result<()> {
    let [word] = args.words.as_slice() else {
        bail!("at least 1 argument is required for attach");
    };
    let pod = streams::pod(session, word, args.talk.patience()?).await?;
    streams::check_alive(&pod, "attach to")?;
    let talk = &args.talk;
    let container = streams::container(session, &pod, talk.container.as_deref(), talk.quiet)?;
    attach_to(session, &pod, text(&container, "/name"), talk.talk()).await
}

/// Connects with the program of a container that runs.
async fn attach_to(session: &Session, pod: &Found, name: &str, talk: Talk) -> anyhow::Result<()> {
    let container = streams::container(session, pod, Some(name), talk.quiet)?;
    let has_tty = container.get("tty").and_then(Value::as_bool) == Some(true);
    if talk.tty && !has_tty && !talk.quiet {
        let message = format!("Unable to use a TTY - container {name} did not allocate one");
        session.console.note(message);
    }
    // A program with a terminal has one output, whoever attaches.
    let tty = has_tty && talk.terminal(session, talk.stdin && terminal::is_present());
    if !talk.quiet {
        session.console.note(
            "All commands and output from this session will be recorded in container logs, \
             including credentials and sensitive information passed through the command prompt.",
        );
        session.console.note("If you don't see a command prompt, try pressing enter.");
    }
    let asked = Asked { pod, subresource: "attach", container: name, command: &[] };
    talk.run(session, &asked, tty).await?;
    if tty && !talk.quiet && text(&pod.object, "/spec/restartPolicy") == "Always" {
        let pod = &pod.name;
        session.console.note(format!(
            "Session ended, resume using 'wkctl attach {pod} -c {name} -i -t' command when the \
             pod is running"
        ));
    }
    Ok(())
}

/// Attaches to a container once it runs. What cannot be attached to, because it has ended, has its log
/// printed instead.
pub(super) async fn attend(
    session: &Session,
    pod: &Found,
    container: &str,
    talk: Talk,
) -> anyhow::Result<()> {
    let Some(running) = started(session, pod, container).await? else {
        return print_log(session, pod, container).await;
    };
    let attached = attach_to(session, &running, container, talk).await;
    let refused = match &attached {
        Err(error) => error.downcast_ref::<StatusError>(),
        Ok(()) => None,
    };
    let Some(refused) = refused else { return attached };
    let why = refused.message.trim_start_matches("Internal error occurred: ");
    session.console.note(format!(
        "warning: couldn't attach to pod/{}, falling back to streaming logs: {why}",
        pod.name
    ));
    print_log(session, pod, container).await
}

async fn print_log(session: &Session, pod: &Found, container: &str) -> anyhow::Result<()> {
    let query = query(&[("container", Some(container))]);
    let call = Call::get(format!("{}/log{query}", pod.path())).accept("*/*");
    Ok(session.console.print(session.client().await?.bytes(call).await?)?)
}

/// Waits until a container runs, and gives its pod as it is then; `None` for one that has ended.
pub(super) async fn started(
    session: &Session,
    pod: &Found,
    container: &str,
) -> anyhow::Result<Option<Found>> {
    let (mut following, mut now) = Following::start(session, pod).await?;
    while let Some(object) = now {
        let found = Found::of(&pod.resource, object);
        let status = container_status(&found.object, container);
        if status.pointer("/state/running").is_some() {
            return Ok(Some(found));
        }
        if status.pointer("/state/terminated").is_some() {
            return Ok(None);
        }
        let why = text(status, "/state/waiting/message");
        if !why.is_empty() {
            session.console.warn(&format!("container {container}: {why}"));
        }
        now = following.next().await?;
    }
    bail!("pods \"{}\" not found", pod.name)
}

/// What a pod's status says about a container; `null` if it says nothing.
pub(super) fn container_status<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let sorts = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let all = sorts.iter().filter_map(|sort| pod["status"][*sort].as_array()).flatten();
    all.into_iter().find(|one| text(one, "/name") == name).unwrap_or(&Value::Null)
}

impl TalkArgs {
    fn patience(&self) -> anyhow::Result<Duration> {
        let patience = duration::parse(&self.pod_running_timeout)?;
        if patience.is_zero() {
            bail!("--pod-running-timeout must be higher than zero");
        }
        Ok(patience)
    }

    fn talk(&self) -> Talk {
        Talk { stdin: self.stdin, tty: self.tty, quiet: self.quiet }
    }
}

/// How to talk to a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    pub(super) stdin: bool,
    pub(super) tty: bool,
    pub(super) quiet: bool,
}

impl Talk {
    /// Whether there is a terminal to use, if one is wanted.
    fn terminal(self, session: &Session, wanted: bool) -> bool {
        if wanted && self.stdin && !terminal::is_present() {
            let message = "Unable to use a TTY - input is not a terminal or the right kind of file";
            if !self.quiet {
                session.console.note(message);
            }
        }
        wanted && self.stdin && terminal::is_present()
    }

    async fn run(self, session: &Session, asked: &Asked<'_>, tty: bool) -> anyhow::Result<()> {
        let local = Local {
            stdin: if self.stdin { Some(terminal::Stdin::open()?) } else { None },
            stdout: Some(tokio::io::stdout()),
            stderr: if tty { None } else { Some(tokio::io::stderr()) },
            sizes: if tty { Some(terminal::Sizes::follow()?) } else { None },
        };
        let raw = if tty { Some(terminal::Raw::enter()?) } else { None };
        let outcome = asked.talk(session, local).await;
        drop(raw);
        streams::good(outcome?)
    }
}
