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
    let options = args.options()?;
    let ignore = args.ignore_not_found || args.all || !args.select.is_empty();
    let named = select::named(session, &args.words, &args.files, &args.select, args.all).await?;
    let (mut deleted, mut errors, mut any) = (Vec::new(), Vec::new(), false);
    for (resource, namespace, name) in named {
        let objects = match name {
            Some(name) => vec![Found { resource, namespace, name, object: Value::Null }],
            None => select::list(session, &resource, &args.select).await?,
        };
        for object in objects {
            any = true;
            match delete(session, &args, &options, &object).await {
                Ok(Some(uid)) => deleted.push((object, uid)),
                Ok(None) if ignore => {}
                Ok(None) => unreachable!("what is missing is an error"),
                Err(error) => errors.push(error),
            }
        }
    }
    if !any {
        session.console.line("No resources found")?;
    }
    session.console.flush()?;
    let timeout = duration::parse(&args.timeout)?;
    let timeout = if timeout.is_zero() { FOR_EVER } else { timeout };
    let pretended = args.write.dry_run()? != DryRun::No;
    if args.wait && !pretended && args.grace_period != 0 {
        let deadline = Instant::now() + timeout;
        for (object, uid) in deleted {
            let gone = wait::until(session, &object, &Goal::Gone { uid }, deadline).await;
            if let Err(error) = gone {
                errors.push(error);
            }
        }
    }
    all_good(errors)
}

impl DeleteArgs {
    /// The body of the requests.
    fn options(&self) -> anyhow::Result<Value> {
        let policy = match self.cascade.as_str() {
            "background" | "true" => "Background",
            "foreground" => "Foreground",
            "orphan" | "false" => "Orphan",
            other => bail!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            ),
        };
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
    args: &DeleteArgs,
    options: &Value,
    object: &Found,
) -> anyhow::Result<Option<String>> {
    let immediate = options.get("gracePeriodSeconds").is_some_and(|seconds| seconds == 0);
    if immediate {
        session.console.warn(
            "Immediate deletion does not wait for confirmation that the running resource has been \
             terminated. The resource may continue to run on the cluster indefinitely.",
        );
    }
    let answer = match args.write.dry_run()? {
        DryRun::Client => session.ask(&object.resource, Call::get(object.path())).await,
        DryRun::No | DryRun::Server => {
            let call = Call::with(Method::DELETE, object.path(), options);
            session.ask(&object.resource, call).await
        }
    };
    let answer = if args.ignore_not_found || args.all || !args.select.is_empty() {
        found(answer)?
    } else {
        Some(answer?)
    };
    let Some(answer) = answer else { return Ok(None) };
    let what = object.resource.singular_with_group();
    let done = if immediate { "force deleted" } else { "deleted" };
    let suffix = match args.write.dry_run()? {
        DryRun::No => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    match args.write.output.as_deref() {
        None => session.console.line(format!("{what} \"{}\" {done}{suffix}", object.name))?,
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
