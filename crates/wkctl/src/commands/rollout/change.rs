//! `rollout pause`, `resume` and `restart`.

use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::workloads;
use crate::commands::changing::Changes;
use crate::commands::select::{Found, WhatArgs};
use crate::commands::writing::WriteArgs;
use crate::error::all_good;
use crate::session::Session;

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Arguments of all three.
#[derive(Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// What an object is to be, or why it cannot be.
type Wanted = fn(&Found) -> anyhow::Result<Value>;

pub(super) async fn pause(session: &Session, args: ChangeArgs) -> anyhow::Result<()> {
    args.run(session, "paused", paused).await
}

pub(super) async fn resume(session: &Session, args: ChangeArgs) -> anyhow::Result<()> {
    args.run(session, "resumed", resumed).await
}

pub(super) async fn restart(session: &Session, args: ChangeArgs) -> anyhow::Result<()> {
    args.run(session, "restarted", |found| restarted(found, Timestamp::now())).await
}

impl ChangeArgs {
    async fn run(&self, session: &Session, done: &str, wanted: Wanted) -> anyhow::Result<()> {
        let (objects, mut errors) = workloads(session, &self.what).await?;
        let changes = Changes { session, write: &self.write, manager: "kubectl-rollout" };
        for found in objects {
            let changed = match wanted(&found) {
                Ok(wanted) => changes.make_and_report(&found, &wanted, done).await,
                Err(error) => Err(error),
            };
            errors.extend(changed.err());
        }
        all_good(errors)
    }
}

fn is_paused(found: &Found) -> bool {
    found.object.pointer("/spec/paused").is_some_and(|paused| paused == true)
}

fn paused(found: &Found) -> anyhow::Result<Value> {
    if !found.is("apps", "Deployment") {
        bail!("{} pausing is not supported", found.quoted());
    }
    if is_paused(found) {
        bail!("{} is already paused", found.quoted());
    }
    let mut wanted = found.object.clone();
    wanted["spec"]["paused"] = json!(true);
    Ok(wanted)
}

fn resumed(found: &Found) -> anyhow::Result<Value> {
    if !found.is("apps", "Deployment") {
        bail!("{} resuming is not supported", found.quoted());
    }
    if !is_paused(found) {
        bail!("{} is not paused", found.quoted());
    }
    let mut wanted = found.object.clone();
    if let Some(spec) = wanted.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("paused");
    }
    Ok(wanted)
}

/// Pods are started anew when their template changes, so its annotations say when that was.
fn restarted(found: &Found, now: Timestamp) -> anyhow::Result<Value> {
    let restarts = ["Deployment", "DaemonSet", "StatefulSet"];
    if !restarts.iter().any(|kind| found.is("apps", kind)) {
        bail!("{} restarting is not supported", found.quoted());
    }
    if found.is("apps", "Deployment") && is_paused(found) {
        bail!("{} can't restart paused deployment (run rollout resume first)", found.quoted());
    }
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut wanted = found.object.clone();
    let annotations = &mut wanted["spec"]["template"]["metadata"]["annotations"];
    if annotations.get(RESTARTED_AT).is_some_and(|last| *last == now) {
        bail!(
            "{} if restart has already been triggered within the past second, please wait before \
             attempting to trigger another",
            found.quoted()
        );
    }
    annotations[RESTARTED_AT] = now.into();
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::built_in;

    #[track_caller]
    fn check(kind: &str, paused: bool, wanted: Wanted, expected: Result<Value, &str>) {
        let object = json!({"metadata": {"name": "web"}, "spec": {"paused": paused}});
        let found = Found::of(&built_in(kind).unwrap(), object);
        match (wanted(&found), expected) {
            (Ok(wanted), Ok(expected)) => assert_eq!(wanted["spec"], expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (wanted, _) => panic!("{kind} {wanted:?}"),
        }
    }

    #[test]
    fn only_deployments_pause_and_only_once() {
        check("deploy", false, paused, Ok(json!({"paused": true})));
        check("deploy", true, paused, Err("deployments.apps \"web\" is already paused"));
        check("ds", false, paused, Err("daemonsets.apps \"web\" pausing is not supported"));
        check("deploy", true, resumed, Ok(json!({})));
        check("deploy", false, resumed, Err("deployments.apps \"web\" is not paused"));
    }

    #[test]
    fn a_restart_notes_when_it_was() {
        let now = |found: &Found| restarted(found, Timestamp::UNIX_EPOCH);
        let noted = json!({"kubectl.kubernetes.io/restartedAt": "1970-01-01T00:00:00Z"});
        let expected = json!({"paused": false, "template": {"metadata": {"annotations": noted}}});
        check("sts", false, now, Ok(expected));
        check("pod", false, now, Err("pods \"web\" restarting is not supported"));
        let paused =
            "deployments.apps \"web\" can't restart paused deployment (run rollout resume first)";
        check("deploy", true, now, Err(paused));
    }
}
