//! `wait`: until a condition holds, an object is gone, or a field has a value.

use anyhow::bail;
use serde_json::Value;
use tokio::time::Instant;

use super::select::{self, Found, SelectArgs};
use crate::client::{Call, JSON};
use crate::duration;
use crate::error::{StatusError, all_good, hinted};
use crate::kinds::{query, text};
use crate::manifest::FileArgs;
use crate::output::jsonpath::{Template, plain};
use crate::session::Session;
use crate::watch::{Pauses, Watch};

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
    /// condition=NAME[=VALUE], delete, create, or jsonpath={PATH}[=VALUE]
    #[arg(long = "for", value_name = "WHAT")]
    goal: String,
    /// How long to wait for each object, such as `1m`; 0 looks once
    #[arg(long, default_value = "30s")]
    timeout: String,
    /// Print names only
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
    let goal = Goal::parse(&args.goal)?;
    let timeout = duration::parse(&args.timeout)?;
    let named = select::named(session, &args.words, &args.files, &args.select, args.all).await?;
    let (mut objects, mut errors) = (Vec::new(), Vec::new());
    for (resource, namespace, name) in named {
        match name {
            Some(name) => {
                objects.push(Found { resource, namespace, name, object: Value::Null });
            }
            None => objects.extend(select::list(session, &resource, &args.select).await?),
        }
    }
    if objects.is_empty() && !matches!(goal, Goal::Gone { .. }) {
        bail!("no matching resources found");
    }
    for object in objects {
        let goal = match &goal {
            Goal::Gone { .. } => {
                Goal::Gone { uid: text(&object.object, "/metadata/uid").to_owned() }
            }
            other => other.clone(),
        };
        match until(session, &object, &goal, Instant::now() + timeout).await {
            Ok(()) if args.output.as_deref() == Some("name") => {
                session.console.line(object.named())?;
            }
            Ok(()) => session.console.line(format!("{} condition met", object.named()))?,
            Err(error) => errors.push(error),
        }
        session.console.flush()?;
    }
    all_good(errors)
}

/// Waits until an object is as it should be.
pub(crate) async fn until(
    session: &Session,
    object: &Found,
    goal: &Goal,
    deadline: Instant,
) -> anyhow::Result<()> {
    // The first look is always taken, however short the time.
    let first = look(session, object, goal).await?;
    let Some(revision) = first else { return Ok(()) };
    let watched = tokio::time::timeout_at(deadline, follow(session, object, goal, revision)).await;
    watched.unwrap_or_else(|_| {
        Err(hinted(
            format!(
                "timed out waiting for the condition on {}/{}",
                object.resource.plural_with_group(),
                object.name
            ),
            format!("`wkctl describe {}` may say why", object.named()),
        ))
    })
}

fn selection(object: &Found) -> String {
    format!("metadata.name={}", object.name)
}

/// Looks at the object; `None` if it is as it should be, else the revision to watch from.
async fn look(session: &Session, object: &Found, goal: &Goal) -> anyhow::Result<Option<String>> {
    let path = object.resource.path(Some(&object.namespace));
    let query = query(&[("fieldSelector", Some(&selection(object)))]);
    let list = session.ask(&object.resource, Call::get(format!("{path}{query}"))).await?;
    let item = list.pointer("/items/0");
    if goal.is_met(item) {
        return Ok(None);
    }
    if item.is_none() && !matches!(goal, Goal::Exists) {
        // The GET fails with the words for an object that is missing.
        select::one(session, &object.resource, &object.namespace, &object.name).await?;
    }
    Ok(Some(text(&list, "/metadata/resourceVersion").to_owned()))
}

async fn follow(
    session: &Session,
    object: &Found,
    goal: &Goal,
    mut revision: String,
) -> anyhow::Result<()> {
    let path = object.resource.path(Some(&object.namespace));
    let mut pauses = Pauses::default();
    loop {
        let query = query(&[
            ("watch", Some("true")),
            ("resourceVersion", Some(&revision)),
            ("fieldSelector", Some(&selection(object))),
        ]);
        let before = revision.clone();
        let client = session.client().await?;
        let watch = Watch::start(client, format!("{path}{query}"), JSON).await;
        match changes(watch, goal, &mut revision).await {
            Ok(true) => return Ok(()),
            // The server ends watches from time to time.
            Ok(false) => pauses.after(revision != before).await,
            Err(error) if is_expired(&error) => match look(session, object, goal).await? {
                None => return Ok(()),
                Some(latest) => revision = latest,
            },
            Err(error) => return Err(error),
        }
    }
}

/// Reads a watch until the goal is met; `false` if it ends before.
async fn changes(
    watch: anyhow::Result<Watch>,
    goal: &Goal,
    revision: &mut String,
) -> anyhow::Result<bool> {
    let mut watch = watch?;
    while let Some(change) = watch.next().await? {
        let latest = text(&change.object, "/metadata/resourceVersion");
        if !latest.is_empty() {
            latest.clone_into(revision);
        }
        let object = (change.event != "DELETED").then_some(&change.object);
        if change.event != "BOOKMARK" && goal.is_met(object) {
            return Ok(true);
        }
        if object.is_none() && !matches!(goal, Goal::Exists) {
            let name = text(&change.object, "/metadata/name");
            return Err(hinted(
                format!("{name} was deleted before the condition was met"),
                "`--for=delete` waits for deletions",
            ));
        }
    }
    Ok(false)
}

fn is_expired(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StatusError>().is_some_and(|status| status.code == 410)
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
