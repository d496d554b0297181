//! `wait`: until a condition holds, an object is gone, or a field has a value.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use tokio::time::Instant;

use super::following::Following;
use super::select::{self, Found, SelectArgs};
use super::writing;
use crate::duration;
use crate::error::{all_good, hinted};
use crate::kinds::text;
use crate::manifest::FileArgs;
use crate::output::jsonpath::{Template, plain};
use crate::session::Session;

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// TYPE NAME..., TYPE/NAME..., or TYPE
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// All objects of the type
    #[arg(long)]
    all: bool,
    /// condition=NAME[=VALUE], delete, create, or jsonpath={PATH}[=VALUE]; several are waited for
    /// one after the other
    #[arg(long = "for", value_name = "WHAT")]
    goals: Vec<String>,
    /// How long to wait for each object, such as `1m`; 0 looks once
    #[arg(long, default_value = "30s", allow_hyphen_values = true)]
    timeout: String,
    /// Print the objects in this format instead of a line, such as `name`
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// The object of this uid is gone; any, if it is empty.
    Gone {
        uid: String,
    },
    Exists,
    Condition {
        name: String,
        value: String,
    },
    Field {
        path: Template,
        value: Option<String>,
    },
}

impl Goal {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let lower = text.to_lowercase();
        if lower == "delete" {
            return Ok(Self::Gone { uid: String::new() });
        }
        if lower == "create" {
            return Ok(Self::Exists);
        }
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
            return Ok(Self::Condition { name: name.to_owned(), value: value.to_owned() });
        }
        if let Some(expression) = text.strip_prefix("jsonpath=") {
            // Filters in the path have equals signs, too.
            let quoted = expression.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
            let (path, value) = quoted.unwrap_or_else(|| {
                expression.split_at(if expression.starts_with('{') {
                    expression.rfind('}').map_or(expression.len(), |at| at + 1)
                } else {
                    expression.find('=').unwrap_or(expression.len())
                })
            });
            let value = match value.strip_prefix('=') {
                Some("") => bail!("jsonpath wait value cannot be empty"),
                Some(value) => Some(value.trim_matches(['\'', '"']).to_owned()),
                None if value.is_empty() => None,
                None => bail!("jsonpath wait expression must be in the format {{PATH}}=VALUE"),
            };
            return Ok(Self::Field { path: Template::parse_relaxed(path)?, value });
        }
        bail!("unrecognized condition: \"{text}\"")
    }

    /// Whether an object, or the lack of one, is what was waited for.
    fn is_met(&self, object: Option<&Value>) -> bool {
        match (self, object) {
            (Self::Gone { .. }, None) | (Self::Exists, Some(_)) => true,
            (Self::Gone { uid }, Some(object)) => {
                !uid.is_empty() && text(object, "/metadata/uid") != uid
            }
            (_, None) => false,
            (Self::Condition { name, value }, Some(object)) => holds(object, name, value),
            (Self::Field { path, value }, Some(object)) => {
                let found = path.values(object);
                match value {
                    None => !found.is_empty(),
                    Some(value) => found.iter().any(|found| plain(found) == *value),
                }
            }
        }
    }
}

/// Whether a condition has a value, and was judged from what the object is now.
fn holds(object: &Value, name: &str, value: &str) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let is_old = |observed: Option<&Value>| match (observed.and_then(Value::as_i64), generation) {
        (Some(observed), Some(generation)) => observed < generation,
        _ => false,
    };
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let observed = condition
            .get("observedGeneration")
            .or_else(|| object.pointer("/status/observedGeneration"));
        text(condition, "/type").eq_ignore_ascii_case(name)
            && text(condition, "/status").eq_ignore_ascii_case(value)
            && !is_old(observed)
    })
}

pub(crate) async fn run(session: &Session, args: WaitArgs) -> anyhow::Result<()> {
    if args.goals.is_empty() {
        bail!("unrecognized condition: []");
    }
    let goals: Vec<Goal> =
        args.goals.iter().map(|goal| Goal::parse(goal)).collect::<anyhow::Result<_>>()?;
    // As with kubectl, less than nothing is for ever: a week.
    let timeout = match args.timeout.strip_prefix('-') {
        Some(_) => Duration::from_hours(7 * 24),
        None => duration::parse(&args.timeout)?,
    };
    let mut errors = Vec::new();
    for goal in &goals {
        errors.extend(args.wait(session, goal, timeout).await.err());
        if !errors.is_empty() {
            break;
        }
    }
    all_good(errors)
}

impl WaitArgs {
    async fn wait(&self, session: &Session, goal: &Goal, timeout: Duration) -> anyhow::Result<()> {
        let named =
            select::named(session, &self.words, &self.files, &self.select, self.all).await?;
        let (mut objects, mut errors) = (Vec::new(), Vec::new());
        for (resource, namespace, name) in named {
            match name {
                Some(name) => {
                    objects.push(Found { resource, namespace, name, object: Value::Null });
                }
                None => objects.extend(select::list(session, &resource, &self.select).await?),
            }
        }
        if objects.is_empty() && !matches!(goal, Goal::Gone { .. }) {
            bail!("no matching resources found");
        }
        for object in objects {
            let goal = match goal {
                Goal::Gone { .. } => {
                    Goal::Gone { uid: text(&object.object, "/metadata/uid").to_owned() }
                }
                other => other.clone(),
            };
            match until(session, &object, &goal, Instant::now() + timeout).await {
                // What was never there is not worth a word.
                Ok(false) if matches!(goal, Goal::Gone { .. }) => {}
                Ok(_) => self.tell(session, &object).await?,
                Err(error) => errors.push(error),
            }
            session.console.flush()?;
        }
        all_good(errors)
    }

    async fn tell(&self, session: &Session, object: &Found) -> anyhow::Result<()> {
        let console = &session.console;
        match self.output.as_deref() {
            None => Ok(console.line(format!("{} condition met", object.named()))?),
            Some("name") => Ok(console.line(object.named())?),
            Some(format) => {
                let now = select::one(session, &object.resource, &object.namespace, &object.name);
                writing::show(session, format, false, &object.resource, now.await?.object)
            }
        }
    }
}

/// Waits until an object is as it should be; the result is whether it existed at first.
pub(crate) async fn until(
    session: &Session,
    object: &Found,
    goal: &Goal,
    deadline: Instant,
) -> anyhow::Result<bool> {
    // The first look is always taken, however short the time.
    let (mut following, now) = Following::start(session, object).await?;
    if goal.is_met(now.as_ref()) {
        return Ok(now.is_some());
    }
    if now.is_none() && !matches!(goal, Goal::Exists) {
        // The GET fails with the words for an object that is missing.
        select::one(session, &object.resource, &object.namespace, &object.name).await?;
    }
    let changes = async {
        loop {
            let next = following.next().await?;
            if goal.is_met(next.as_ref()) {
                return Ok(true);
            }
            if next.is_none() && !matches!(goal, Goal::Exists) {
                return Err(hinted(
                    format!("{} was deleted before the condition was met", object.name),
                    "`--for=delete` waits for deletions",
                ));
            }
        }
    };
    tokio::time::timeout_at(deadline, changes).await.unwrap_or_else(|_| {
        let what = format!("{}/{}", object.resource.plural, object.name);
        Err(hinted(
            match goal {
                Goal::Exists => "timed out waiting for the condition".to_owned(),
                _ => format!("timed out waiting for the condition on {what}"),
            },
            format!("`wkctl describe {}` may say why", object.named()),
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(goal: &str, object: Option<&Value>, expected: bool) {
        let goal = Goal::parse(goal).unwrap();
        assert_eq!(goal.is_met(object), expected, "{goal:?} {object:?}");
    }

    #[test]
    fn goals_look_at_objects() {
        let pod = |ready: &str| {
            json!({
                "metadata": {"generation": 2},
                "status": {"phase": "Running", "conditions": [
                    {"type": "Ready", "status": ready, "observedGeneration": 2},
                    {"type": "Old", "status": "True", "observedGeneration": 1}]}})
        };
        check("condition=Ready", Some(&pod("True")), true);
        check("condition=ready=false", Some(&pod("False")), true);
        check("condition=Ready", Some(&pod("False")), false);
        check("condition=Ready", None, false);
        check("condition=Old", Some(&pod("True")), false);
        check("delete", None, true);
        check("delete", Some(&pod("True")), false);
        check("create", None, false);
        check("create", Some(&pod("True")), true);
        check("jsonpath={.status.phase}=Running", Some(&pod("True")), true);
        check("jsonpath='{.status.phase}'=Running", Some(&pod("True")), true);
        check("jsonpath=.status.phase=Pending", Some(&pod("True")), false);
        check("jsonpath={.status.phase}", Some(&pod("True")), true);
        check("jsonpath={.status.nothing}", Some(&pod("True")), false);
        let filter = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}=True"#;
        check(filter, Some(&pod("True")), true);
        check(filter, Some(&pod("False")), false);
    }

    #[test]
    fn another_object_of_the_name_means_that_the_first_is_gone() {
        let goal = Goal::Gone { uid: "1".to_owned() };
        assert!(goal.is_met(Some(&json!({"metadata": {"uid": "2"}}))));
        assert!(!goal.is_met(Some(&json!({"metadata": {"uid": "1"}}))));
    }

    #[test]
    fn unknown_goals_are_refused() {
        for goal in ["", "ready", "jsonpath={.a}=", "jsonpath={.a}b", "jsonpath={.a"] {
            assert!(Goal::parse(goal).is_err(), "{goal}");
        }
    }
}
