//! `label` and `annotate`: keys and values in an object's metadata.

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::changing::{Changes, MERGE_PATCH};
use super::select::{self, Found, SelectArgs, WhatArgs};
use super::writing::{DryRun, WriteArgs, report};
use crate::error::all_good;
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
    #[arg(value_name = "WHAT")]
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
    /// Ask no server; change what the files have, and print it
    #[arg(long)]
    local: bool,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// What differs between both commands.
struct Kind {
    field: &'static str,
    noun: &'static str,
    manager: &'static str,
}

const LABELS: Kind = Kind { field: "labels", noun: "label", manager: "kubectl-label" };
const ANNOTATIONS: Kind =
    Kind { field: "annotations", noun: "annotation", manager: "kubectl-annotate" };

pub(crate) async fn label(session: &Session, args: LabelArgs) -> anyhow::Result<()> {
    args.common.run(session, &LABELS).await
}

pub(crate) async fn annotate(session: &Session, args: AnnotateArgs) -> anyhow::Result<()> {
    args.common.run(session, &ANNOTATIONS).await
}

/// What to do with a key: set it, or remove it.
type Change = (String, Option<String>);

/// Takes the changes off the end of the words.
fn split(words: &[String], noun: &str) -> anyhow::Result<(Vec<String>, Vec<Change>)> {
    let change = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Some((key.to_owned(), Some(value.to_owned()))),
        Some(_) => None,
        None => word.strip_suffix('-').map(|key| (key.to_owned(), None)),
    };
    // The type comes first, whatever it ends in.
    let typed = words.first().is_some_and(|first| !first.contains('='));
    let (what, rest) = words.split_at(usize::from(typed));
    let first = rest.iter().position(|word| change(word).is_some()).unwrap_or(rest.len());
    let (names, changes) = rest.split_at(first);
    if let Some(word) = changes.iter().find(|word| change(word).is_none()) {
        bail!("all resources must be specified before {noun} changes: {word}");
    }
    let words = what.iter().chain(names).cloned().collect();
    Ok((words, changes.iter().filter_map(change).collect()))
}

/// Refuses changes that contradict each other or can never be.
fn check(changes: &[Change], kind: &Kind) -> anyhow::Result<()> {
    let mut both: Vec<&str> = changes
        .iter()
        .filter(|(key, value)| {
            value.is_none() && changes.iter().any(|(other, set)| other == key && set.is_some())
        })
        .map(|(key, _)| key.as_str())
        .collect();
    both.sort_unstable();
    match (both.is_empty(), kind.noun) {
        (true, _) => {}
        (false, "label") => bail!("can not both modify and remove a label in the same command"),
        (false, _) => bail!(
            "can not both modify and remove the following annotation(s) in the same command: {}",
            both.join(", ")
        ),
    }
    for (key, value) in changes {
        let Some(value) = value else { continue };
        let faults =
            if kind.noun == "label" { wk_api::names::label_value(value) } else { Vec::new() };
        if !faults.is_empty() {
            let pair = format!("{key}={value}");
            bail!("invalid label value: {pair:?}: {}", faults.join("; "));
        }
    }
    Ok(())
}

impl CommonArgs {
    async fn run(&self, session: &Session, kind: &Kind) -> anyhow::Result<()> {
        let (words, changes) = split(&self.words, kind.noun)?;
        if words.is_empty() && self.files.is_empty() {
            bail!(
                "one or more resources must be specified as <resource> <name> or <resource>/<name>"
            );
        }
        if changes.is_empty() && !self.list {
            bail!("at least one {} update is required", kind.noun);
        }
        check(&changes, kind)?;
        let (objects, mut errors) = if self.local {
            let files = self.files.clone();
            let what = WhatArgs { words, files, selector: self.select.selector.clone() };
            (what.local(session).await?, Vec::new())
        } else {
            select::objects(session, &words, &self.files, &self.select, self.all).await?
        };
        if objects.len() > 1 && self.resource_version.is_some() {
            bail!("--resource-version may only be used with a single resource");
        }
        let several = objects.len() > 1;
        for found in objects {
            if self.list {
                show(session, kind, &found, several)?;
            } else {
                errors.extend(self.change(session, kind, &found, &changes).await.err());
            }
        }
        all_good(errors)
    }

    async fn change(
        &self,
        session: &Session,
        kind: &Kind,
        found: &Found,
        changes: &[Change],
    ) -> anyhow::Result<()> {
        let before = found.object.pointer(&format!("/metadata/{}", kind.field));
        let before = before.and_then(Value::as_object).cloned().unwrap_or_default();
        self.check_overwriting(kind, &before, changes)?;
        let (mut after, mut patch) = (before.clone(), Map::new());
        for (key, value) in changes {
            match value {
                Some(value) => drop(after.insert(key.clone(), json!(value))),
                None if after.remove(key).is_none() && kind.noun == "label" => {
                    session.console.line(format!("label {key:?} not found."))?;
                }
                None => {}
            }
            patch.insert(key.clone(), json!(value));
        }
        let size = |map: &Map<String, Value>| Value::Object(map.clone()).to_string().len();
        let done = match kind.noun {
            "label" if after == before => "not labeled",
            "label" if !self.overwrite && size(&after) < size(&before) => "unlabeled",
            "label" => "labeled",
            _ => "annotated",
        };
        let unchanged = after == before && self.resource_version.is_none();
        if self.local || unchanged || self.write.dry_run()? == DryRun::Client {
            let mut wanted = found.object.clone();
            if !unchanged {
                wanted["metadata"][kind.field] = after.into();
            }
            return report(session, &self.write, &found.resource, wanted, done);
        }
        let mut patch = json!({"metadata": {kind.field: patch}});
        if let Some(version) = &self.resource_version {
            patch["metadata"]["resourceVersion"] = json!(version);
        }
        let sender = Changes { session, write: &self.write, manager: kind.manager };
        let changed = sender.patch(found, "", MERGE_PATCH, &patch).await?;
        report(session, &self.write, &found.resource, changed, done)
    }

    /// Refuses to change what is there, unless that is wanted.
    fn check_overwriting(
        &self,
        kind: &Kind,
        before: &Map<String, Value>,
        changes: &[Change],
    ) -> anyhow::Result<()> {
        let mut there = Vec::new();
        for (key, value) in changes {
            let known = before.get(key).and_then(Value::as_str);
            if let (Some(value), Some(known)) = (value, known)
                && value != known
                && !self.overwrite
            {
                there.push(format!("'{key}' already has a value ({known})"));
            }
        }
        match (there.is_empty(), kind.noun) {
            (true, _) => Ok(()),
            (false, "label") => bail!("{}, and --overwrite is false", there[0]),
            (false, _) => bail!(
                "--overwrite is false but found the following declared annotation(s): {}",
                there.join("; ")
            ),
        }
    }
}

/// Prints what an object has.
fn show(session: &Session, kind: &Kind, found: &Found, several: bool) -> anyhow::Result<()> {
    let mut margin = "";
    if several {
        margin = " ";
        let (own, group) = (&found.resource.kind, &found.resource.group);
        let title = format!("Listing {} for {own}.{group}/{}:", kind.field, found.name);
        session.console.line(title)?;
    }
    let pairs = found.object.pointer(&format!("/metadata/{}", kind.field));
    for (key, value) in pairs.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        session.console.line(format!("{margin}{key}={value}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn changes_are_taken_off_the_words() {
        let (rest, changes) = split(&words("pod web a=b c-"), "label").unwrap();
        assert_eq!(rest, ["pod", "web"]);
        let expected = [("a".to_owned(), Some("b".to_owned())), ("c".to_owned(), None)];
        assert_eq!(changes, expected);
        let error = split(&words("pod web a=b db"), "label").unwrap_err().to_string();
        assert_eq!(error, "all resources must be specified before label changes: db");
    }

    #[test]
    fn changes_do_not_contradict_each_other() {
        let checked = |line: &str, kind: &Kind| {
            let (_, changes) = split(&words(line), kind.noun).unwrap();
            check(&changes, kind).map_err(|error| error.to_string())
        };
        assert_eq!(checked("pod web a=b c-", &LABELS), Ok(()));
        let error = "can not both modify and remove a label in the same command";
        assert_eq!(checked("pod web a=b a-", &LABELS), Err(error.to_owned()));
        assert!(checked("pod web a=b\u{fc}", &LABELS).is_err());
        assert_eq!(checked("pod web a=b\u{fc}", &ANNOTATIONS), Ok(()));
    }
}
