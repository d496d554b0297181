//! `label` and `annotate`: keys and values in an object's metadata.

use anyhow::bail;
use serde_json::{Value, json};

use super::select::{self, SelectArgs};
use super::writing::{DryRun, WriteArgs, report};
use crate::client::Call;
use crate::error::all_good;
use crate::kinds::query;
use crate::manifest::FileArgs;
use crate::session::Session;

/// Arguments of `label`.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelArgs {
    #[command(flatten)]
    common: CommonArgs,
}

/// Arguments of `annotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct AnnotateArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    /// TYPE NAME... or TYPE/NAME..., then KEY=VALUE to set and KEY- to remove
    #[arg(value_name = "WHAT", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// All objects of the type
    #[arg(long)]
    all: bool,
    /// Change values that are there
    #[arg(long)]
    overwrite: bool,
    /// Show what is there
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn label(session: &Session, args: LabelArgs) -> anyhow::Result<()> {
    args.common.run(session, "labels", "label").await
}

pub(crate) async fn annotate(session: &Session, args: AnnotateArgs) -> anyhow::Result<()> {
    args.common.run(session, "annotations", "annotation").await
}

/// What to do with a key: set it, or remove it.
type Change = (String, Option<String>);

/// Takes the changes off the end of the words.
fn split(words: &[String]) -> (Vec<String>, Vec<Change>) {
    let change = |word: &String| match word.split_once('=') {
        Some((key, value)) => Some((key.to_owned(), Some(value.to_owned()))),
        None => word.strip_suffix('-').map(|key| (key.to_owned(), None)),
    };
    // The type comes first, whatever it ends in.
    let (what, rest) = words.split_at(words.len().min(1));
    let (changes, names): (Vec<_>, Vec<_>) = rest.iter().partition(|word| change(word).is_some());
    let words = what.iter().chain(names).cloned().collect();
    (words, changes.into_iter().filter_map(change).collect())
}

impl CommonArgs {
    async fn run(&self, session: &Session, field: &str, noun: &str) -> anyhow::Result<()> {
        let (words, changes) = split(&self.words);
        if changes.is_empty() && !self.list {
            bail!("at least one {noun} update is required");
        }
        let (objects, mut errors) =
            select::objects(session, &words, &self.files, &self.select, self.all).await?;
        for object in objects {
            let current = object.object.pointer(&format!("/metadata/{field}"));
            if self.list {
                let pairs = current.and_then(Value::as_object).into_iter().flatten();
                for (key, value) in pairs {
                    let value = value.as_str().unwrap_or_default();
                    session.console.line(format!("{key}={value}"))?;
                }
                continue;
            }
            match self.patch(current, &changes, noun) {
                Err(error) => errors.push(error.context(object.named())),
                Ok(None) => {
                    let done = if noun == "label" { "not labeled" } else { "annotated" };
                    report(session, &self.write, &object.resource, object.object, done)?;
                }
                Ok(Some(patch)) => {
                    let patch = json!({"metadata": {field: patch}});
                    let removed = changes.iter().all(|(_, value)| value.is_none());
                    let done = match noun {
                        "label" if removed => "unlabeled",
                        "label" => "labeled",
                        _ => "annotated",
                    };
                    if self.write.dry_run()? == DryRun::Client {
                        report(session, &self.write, &object.resource, object.object, done)?;
                        continue;
                    }
                    let manager = self.write.field_manager.as_deref();
                    let query = query(&[
                        ("dryRun", self.write.dry_run_parameter()?),
                        ("fieldManager", Some(manager.unwrap_or("kubectl-label"))),
                    ]);
                    let call = Call::patch(
                        format!("{}{query}", object.path()),
                        "application/merge-patch+json",
                        patch.to_string(),
                    );
                    match session.ask(&object.resource, call).await {
                        Ok(changed) => {
                            report(session, &self.write, &object.resource, changed, done)?;
                        }
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        all_good(errors)
    }

    /// The merge patch of the field; `None` if nothing changes.
    fn patch(
        &self,
        current: Option<&Value>,
        changes: &[Change],
        noun: &str,
    ) -> anyhow::Result<Option<Value>> {
        let mut patch = serde_json::Map::new();
        for (key, value) in changes {
            let there = current.and_then(|current| current.get(key)).and_then(Value::as_str);
            match (value, there) {
                (Some(value), Some(there)) if value == there => {}
                (Some(_), Some(there)) if !self.overwrite => {
                    bail!("'{key}' already has a value ({there}), and --overwrite is false");
                }
                (None, None) if noun == "label" => bail!("label \"{key}\" not found."),
                (None, None) => {}
                (value, _) => drop(patch.insert(key.clone(), json!(value))),
            }
        }
        Ok(Some(Value::Object(patch)).filter(|patch| *patch != json!({})))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_off_the_words() {
        let words: Vec<String> = ["pod", "web", "a=b", "c-", "db"].map(str::to_owned).into();
        let (words, changes) = split(&words);
        assert_eq!(words, ["pod", "web", "db"]);
        let expected = [("a".to_owned(), Some("b".to_owned())), ("c".to_owned(), None)];
        assert_eq!(changes, expected);
    }
}
