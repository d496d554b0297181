//! `taint`: what keeps pods off nodes.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::changing::Changes;
use super::describe::items;
use super::select::{self, Found, SelectArgs};
use super::writing::{WriteArgs, report};
use crate::error::{all_good, usage};
use crate::kinds::text;
use crate::session::Session;

/// Arguments of `taint`.
#[derive(Debug, clap::Args)]
pub(crate) struct TaintArgs {
    /// node NAME..., then KEY=VALUE:EFFECT to set and KEY- or KEY:EFFECT- to remove
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    /// Only nodes whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// All nodes
    #[arg(long)]
    all: bool,
    /// Change taints that are there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// One taint; as one to remove, it may be without an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    fn parse(spec: &str) -> anyhow::Result<Self> {
        let mut parts = spec.split(':');
        let (first, effect, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if more.is_some() {
            bail!("invalid taint spec: {spec}");
        }
        let (key, value) = match effect {
            None => (first, ""),
            Some(effect) => {
                if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
                    bail!("invalid taint effect: {effect}, unsupported taint effect");
                }
                first.split_once('=').unwrap_or((first, ""))
            }
        };
        let mut faults = wk_api::names::label_value(value);
        faults.extend(wk_api::names::qualified_name(key));
        if !faults.is_empty() {
            bail!("invalid taint spec: {spec}, {}", faults.join("; "));
        }
        let owned = |text: &str| text.to_owned();
        Ok(Self { key: owned(key), value: owned(value), effect: owned(effect.unwrap_or_default()) })
    }

    fn of(taint: &Value) -> Self {
        let part = |pointer: &str| text(taint, pointer).to_owned();
        Self { key: part("/key"), value: part("/value"), effect: part("/effect") }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.key == other.key && self.effect == other.effect
    }

    /// Whether this, as a taint to remove, means the other one.
    fn means(&self, other: &Self) -> bool {
        self.key == other.key && (self.effect.is_empty() || self.effect == other.effect)
    }

    fn named(&self) -> String {
        match self.effect.as_str() {
            "" => self.key.clone(),
            effect => format!("{}:{effect}", self.key),
        }
    }

    fn object(&self) -> Value {
        let mut taint = Map::new();
        taint.insert("key".to_owned(), json!(self.key));
        taint.insert("effect".to_owned(), json!(self.effect));
        if !self.value.is_empty() {
            taint.insert("value".to_owned(), json!(self.value));
        }
        taint.into()
    }
}

/// What is to be set and to be removed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Updates {
    set: Vec<Taint>,
    removed: Vec<Taint>,
}

/// Takes the changes off the end of the words.
fn split(words: &[String]) -> anyhow::Result<(&[String], &[String])> {
    let is_change = |word: &String| word.contains('=') || word.contains(':') || word.ends_with('-');
    let first = words.iter().position(is_change).unwrap_or(words.len());
    let (nodes, changes) = words.split_at(first);
    if let Some(word) = changes.iter().find(|word| !is_change(word)) {
        bail!("all resources must be specified before taint changes: {word}");
    }
    if nodes.is_empty() {
        bail!("one or more resources must be specified as <resource> <name>");
    }
    if changes.is_empty() {
        bail!("at least one taint update is required");
    }
    Ok((nodes, changes))
}

fn updates(words: &[String]) -> anyhow::Result<Updates> {
    let mut updates = Updates::default();
    for word in words {
        if let Some(spec) = word.strip_suffix('-') {
            updates.removed.push(Taint::parse(spec)?);
            continue;
        }
        let taint = Taint::parse(word)?;
        if taint.effect.is_empty() {
            bail!("invalid taint spec: {word}");
        }
        if updates.set.iter().any(|known| known.is_same(&taint)) {
            let Taint { key, value, effect } = taint;
            bail!(
                "duplicated taints with the same key and effect: {{{key} {value} {effect} <nil>}}"
            );
        }
        updates.set.push(taint);
    }
    Ok(updates)
}

pub(crate) async fn run(session: &Session, args: TaintArgs) -> anyhow::Result<()> {
    let (nodes, changes) = split(&args.words)?;
    let updates = updates(changes).map_err(|error| usage(&error, "taint"))?;
    let both: Vec<String> = updates
        .removed
        .iter()
        .filter(|gone| updates.set.iter().any(|set| gone.means(set)))
        .map(|gone| format!("{}={}", gone.key, gone.effect))
        .collect();
    if !both.is_empty() {
        let both = both.join(",");
        bail!("can not both modify and remove the following taint(s) in the same command: {both}");
    }
    let resource = session.resource(nodes[0].as_str()).await?;
    if resource.kind != "Node" {
        bail!("invalid resource type {}, only node types are supported", nodes[0]);
    }
    let select = SelectArgs { selector: args.selector.clone(), ..SelectArgs::default() };
    let no_files = crate::manifest::FileArgs::default();
    let (objects, mut errors) =
        select::objects(session, nodes, &no_files, &select, args.all).await?;
    for node in objects {
        errors.extend(args.taint(session, &node, &updates).await.err());
    }
    all_good(errors)
}

impl TaintArgs {
    async fn taint(
        &self,
        session: &Session,
        node: &Found,
        updates: &Updates,
    ) -> anyhow::Result<()> {
        let old: Vec<Taint> = items(&node.object, "/spec/taints").map(Taint::of).collect();
        let (taints, done) = changed(&node.name, &old, updates, self.overwrite)?;
        // Those that stay keep what else they have, such as the time when they were added.
        let object = |taint: &Taint| {
            let known = items(&node.object, "/spec/taints").find(|one| Taint::of(one) == *taint);
            known.cloned().unwrap_or_else(|| taint.object())
        };
        let taints: Vec<Value> = taints.iter().map(object).collect();
        let mut wanted = node.object.clone();
        let spec = wanted.get_mut("spec").and_then(Value::as_object_mut);
        let spec = spec.context("the node has no spec")?;
        if taints.is_empty() {
            spec.remove("taints");
        } else {
            spec.insert("taints".to_owned(), taints.into());
        }
        let changes = Changes { session, write: &self.write, manager: "kubectl-taint" };
        let tainted = changes.make(node, &wanted).await?.unwrap_or(wanted);
        // As with kubectl, a dry run does not show.
        report(session, &self.write.unpretending(), &node.resource, tainted, done)
    }
}

/// The taints that a node is to have, and what that makes of it.
fn changed(
    node: &str,
    old: &[Taint],
    updates: &Updates,
    overwrite: bool,
) -> anyhow::Result<(Vec<Taint>, &'static str)> {
    let there: Vec<&str> = updates
        .set
        .iter()
        .filter(|taint| old.iter().any(|known| known.is_same(taint)))
        .map(|taint| taint.key.as_str())
        .collect();
    if !there.is_empty() && !overwrite {
        let there = there.join(",");
        bail!(
            "node {node} already has {there} taint(s) with same effect(s) and --overwrite is false"
        );
    }
    let mut taints = updates.set.clone();
    taints.extend(
        old.iter().filter(|known| !updates.set.iter().any(|set| set.is_same(known))).cloned(),
    );
    let added = taints.len() != old.len();
    let mut errors = Vec::new();
    for gone in &updates.removed {
        let before = taints.len();
        taints.retain(|taint| !gone.means(taint));
        if taints.len() == before {
            errors.push(anyhow::anyhow!("taint {:?} not found", gone.named()));
        }
    }
    all_good(errors)?;
    let deleted = !updates.removed.is_empty();
    let done = match (added, deleted) {
        (true, true) => "modified",
        _ if overwrite => "modified",
        (true, false) => "tainted",
        (false, _) => "untainted",
    };
    Ok((taints, done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(old: &str, line: &str, overwrite: bool, expected: Result<(&str, &str), &str>) {
        let old: Vec<Taint> = words(old).iter().map(|spec| Taint::parse(spec).unwrap()).collect();
        let outcome = updates(&words(line))
            .and_then(|updates| changed("n", &old, &updates, overwrite))
            .map(|(taints, done)| {
                let specs = taints.iter().map(|taint| match taint.value.as_str() {
                    "" => format!("{}:{}", taint.key, taint.effect),
                    value => format!("{}={value}:{}", taint.key, taint.effect),
                });
                (specs.collect::<Vec<_>>().join(" "), done)
            });
        match (&outcome, expected) {
            (Ok((taints, done)), Ok(expected)) => assert_eq!((taints.as_str(), *done), expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            _ => panic!("{line}: {outcome:?}"),
        }
    }

    #[test]
    fn taints_are_set_and_removed() {
        check("", "a=b:NoSchedule", false, Ok(("a=b:NoSchedule", "tainted")));
        check("x:NoExecute", "a:NoSchedule", false, Ok(("a:NoSchedule x:NoExecute", "tainted")));
        check("a=b:NoSchedule", "a=c:NoSchedule", true, Ok(("a=c:NoSchedule", "modified")));
        check("a:NoSchedule a:NoExecute", "a-", false, Ok(("", "untainted")));
        check("a:NoSchedule a:NoExecute", "a:NoExecute-", false, Ok(("a:NoSchedule", "untainted")));
        let refusal = "node n already has a taint(s) with same effect(s) and --overwrite is false";
        check("a=b:NoSchedule", "a=c:NoSchedule", false, Err(refusal));
        check("", "a-", false, Err("taint \"a\" not found"));
        check("", "a:Foo", false, Err("invalid taint effect: Foo, unsupported taint effect"));
        check(
            "",
            "a=b",
            false,
            Err(
                "invalid taint spec: a=b, name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            ),
        );
    }

    #[test]
    fn nodes_come_before_changes() {
        let all = words("node a b k=v:NoSchedule x-");
        let (nodes, changes) = split(&all).unwrap();
        assert_eq!((nodes.len(), changes.len()), (3, 2));
        for line in ["node a", "a=b:NoSchedule", "node a-b- c"] {
            assert!(split(&words(line)).is_err(), "{line}");
        }
    }
}
