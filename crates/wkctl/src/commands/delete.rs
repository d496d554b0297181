//! `delete`: objects go, and the command waits until they are gone.

use std::time::Duration;

use anyhow::bail;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::select::{self, Found, SelectArgs};
use super::wait::{self, Goal};
use super::writing::{DryRun, WriteArgs};
use crate::client::Call;
use crate::duration;
use crate::error::{all_good, found};
use crate::kinds::text;
use crate::manifest::FileArgs;
use crate::session::Session;

/// What kubectl takes for ever to be: a week.
const FOR_EVER: Duration = Duration::from_hours(7 * 24);

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// TYPE NAME..., or TYPE/NAME...
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// All objects of the type
    #[arg(long)]
    all: bool,
    /// Whether to wait until the objects are gone
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    wait: bool,
    /// How long to wait, such as `1m`; 0 is as long as it takes
    #[arg(long, default_value = "0s")]
    timeout: String,
    /// Seconds that the objects have to end; -1 is what they ask for
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// Give the objects one second to end
    #[arg(long)]
    now: bool,
    /// With `--grace-period=0`: do not wait until the node has stopped the object
    #[arg(long)]
    force: bool,
    /// Objects that do not exist are no error
    #[arg(long)]
    ignore_not_found: bool,
    /// What becomes of what belongs to the objects: `background`, `foreground` or `orphan`
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_value = "background", default_missing_value = "background")]
    cascade: String,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(session: &Session, args: DeleteArgs) -> anyhow::Result<()> {
    let ignore = args.ignore_not_found || args.all || !args.select.is_empty();
    let deletion = Deletion {
        options: args.options()?,
        ignore_not_found: ignore,
        pretend: args.write.dry_run()?,
        output: args.write.output.clone(),
        quiet: false,
        wait: args.wait && args.grace_period != 0,
        timeout: timeout(&args.timeout)?,
    };
    let named = select::named(session, &args.words, &args.files, &args.select, args.all).await?;
    let mut objects = Vec::new();
    for (resource, namespace, name) in named {
        match name {
            Some(name) => objects.push(Found { resource, namespace, name, object: Value::Null }),
            None => objects.extend(select::list(session, &resource, &args.select).await?),
        }
    }
    if objects.is_empty() {
        session.console.line("No resources found")?;
    }
    all(session, &deletion, &objects).await
}

fn timeout(text: &str) -> anyhow::Result<Duration> {
    let timeout = duration::parse(text)?;
    Ok(if timeout.is_zero() { FOR_EVER } else { timeout })
}

/// How objects are deleted.
#[derive(Debug)]
pub(crate) struct Deletion {
    /// The body of the requests.
    options: Value,
    ignore_not_found: bool,
    pretend: DryRun,
    output: Option<String>,
    /// Say nothing of what is deleted.
    pub(crate) quiet: bool,
    wait: bool,
    timeout: Duration,
}

impl Deletion {
    /// One that waits until the objects are gone, if they are there at all.
    pub(crate) fn of(cascade: &str, grace_period: i64, timeout: &str) -> anyhow::Result<Self> {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": policy(cascade)?});
        if grace_period >= 0 {
            options["gracePeriodSeconds"] = json!(grace_period);
        }
        Ok(Self {
            options,
            ignore_not_found: true,
            pretend: DryRun::No,
            output: None,
            quiet: false,
            wait: true,
            timeout: self::timeout(timeout)?,
        })
    }
}

/// Deletes objects and waits until they are gone, if it is to be waited.
pub(crate) async fn all(
    session: &Session,
    deletion: &Deletion,
    objects: &[Found],
) -> anyhow::Result<()> {
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        match delete(session, deletion, object).await {
            Ok(Some(uid)) => deleted.push((object, uid)),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    session.console.flush()?;
    if deletion.wait && deletion.pretend == DryRun::No {
        let deadline = Instant::now() + deletion.timeout;
        for (object, uid) in deleted {
            let gone = wait::until(session, object, &Goal::Gone { uid }, deadline).await;
            errors.extend(gone.err());
        }
    }
    all_good(errors)
}

fn policy(cascade: &str) -> anyhow::Result<&'static str> {
    Ok(match cascade {
        "background" | "true" => "Background",
        "foreground" => "Foreground",
        "orphan" | "false" => "Orphan",
        other => bail!(
            "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
        ),
    })
}

impl DeleteArgs {
    /// The body of the requests.
    fn options(&self) -> anyhow::Result<Value> {
        let policy = policy(&self.cascade)?;
        let mut options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy});
        let grace = match (self.now, self.force, self.grace_period) {
            (true, _, period) if period != -1 => {
                bail!("--now and --grace-period cannot be specified together")
            }
            // A period of zero without force lets the object go in its own time, but at once.
            (true, ..) | (false, false, 0) => Some(1),
            (false, true, -1) => Some(0),
            (false, true, period) if period > 0 => {
                bail!("--force and --grace-period greater than 0 cannot be specified together")
            }
            (false, _, -1) => None,
            (false, _, period) => Some(period),
        };
        if let Some(seconds) = grace {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        if self.write.dry_run()? == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        Ok(options)
    }
}

/// Deletes one object; the result is its uid, or `None` if it did not exist and that is fine.
async fn delete(
    session: &Session,
    deletion: &Deletion,
    object: &Found,
) -> anyhow::Result<Option<String>> {
    let immediate = deletion.options.get("gracePeriodSeconds").is_some_and(|seconds| *seconds == 0);
    if immediate {
        session.console.warn(
            "Immediate deletion does not wait for confirmation that the running resource has been \
             terminated. The resource may continue to run on the cluster indefinitely.",
        );
    }
    let call = match deletion.pretend {
        DryRun::Client => Call::get(object.path()),
        DryRun::No | DryRun::Server => Call::with(Method::DELETE, object.path(), &deletion.options),
    };
    let answer = session.ask(&object.resource, call).await;
    let answer = if deletion.ignore_not_found { found(answer)? } else { Some(answer?) };
    let Some(answer) = answer else { return Ok(None) };
    let what = object.resource.singular_with_group();
    let done = if immediate { "force deleted" } else { "deleted" };
    let from = match object.namespace.as_str() {
        namespace if object.resource.namespaced => format!(" from {namespace} namespace"),
        _ => String::new(),
    };
    let suffix = deletion.pretend.suffix();
    match deletion.output.as_deref() {
        _ if deletion.quiet => {}
        None => session.console.line(format!("{what} {:?} {done}{from}{suffix}", object.name))?,
        Some("name") => session.console.line(object.named())?,
        Some(other) => bail!("unexpected -o output mode: {other}. We only support '-o name'"),
    }
    // The object as it is while it ends, or a `Status` about it.
    let uid = [text(&answer, "/metadata/uid"), text(&answer, "/details/uid")];
    let uid = uid.into_iter().find(|uid| !uid.is_empty()).unwrap_or_default();
    Ok(Some(uid.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::commands::Command;

    #[track_caller]
    fn check(flags: &str, expected: Option<i64>) {
        let words = format!("wkctl delete pod web {flags}");
        let args = cli::parse(words.split_whitespace().map(Into::into)).unwrap();
        let Command::Delete(args) = args.command else { panic!("{flags}") };
        let options = args.options().unwrap();
        let seconds = options.get("gracePeriodSeconds").and_then(Value::as_i64);
        assert_eq!(seconds, expected, "{flags}");
    }

    #[test]
    fn flags_say_how_long_objects_may_take() {
        check("", None);
        check("--now", Some(1));
        check("--force", Some(0));
        check("--grace-period=0 --force", Some(0));
        check("--grace-period=0", Some(1));
        check("--grace-period=5", Some(5));
        check("--grace-period=-1", None);
    }
}
