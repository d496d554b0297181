//! `rollout status`: how far a change has come, until it is done.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use tokio::time::Instant;

use super::workloads;
use crate::commands::following::Following;
use crate::commands::select::{Found, WhatArgs};
use crate::duration;
use crate::error::all_good;
use crate::kinds::text;
use crate::session::Session;

/// Arguments of `rollout status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Whether to go on until the change is done
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    watch: bool,
    /// How long to wait, such as `1m`; 0 is as long as it takes
    #[arg(long, default_value = "0s")]
    timeout: String,
    /// Only of this revision; it is an error if another one is rolled out
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    revision: i64,
}

/// What is to be said, and whether that is all.
type Progress = (String, bool);

pub(super) async fn run(session: &Session, args: StatusArgs) -> anyhow::Result<()> {
    let timeout = duration::parse(&args.timeout)?;
    if args.revision < 0 {
        bail!("revision must be a positive integer: {}", args.revision);
    }
    let (objects, mut errors) = workloads(session, &args.what).await?;
    for found in &objects {
        let told = tell(session, &args, found);
        let told = if timeout == Duration::ZERO {
            told.await
        } else {
            let told = tokio::time::timeout_at(Instant::now() + timeout, told).await;
            told.unwrap_or_else(|_| bail!("timed out waiting for the condition"))
        };
        errors.extend(told.err());
    }
    all_good(errors)
}

async fn tell(session: &Session, args: &StatusArgs, found: &Found) -> anyhow::Result<()> {
    let Some(progress) = viewer(found) else {
        bail!("no status viewer has been implemented for {}", found.kind());
    };
    let (mut following, mut now) = Following::start(session, found).await?;
    let mut last = String::new();
    loop {
        let Some(object) = now else { bail!("object has been deleted") };
        let (line, done) = progress(&object, args.revision)?;
        // Not every change of the object is progress.
        if line != last {
            session.console.line(&line)?;
            session.console.flush()?;
        }
        if done || !args.watch {
            return Ok(());
        }
        last = line;
        now = following.next().await?;
    }
}

fn viewer(found: &Found) -> Option<fn(&Value, i64) -> anyhow::Result<Progress>> {
    match found.resource.kind.as_str() {
        "Deployment" if found.resource.group == "apps" => Some(deployment),
        "DaemonSet" if found.resource.group == "apps" => Some(daemon_set),
        "StatefulSet" if found.resource.group == "apps" => Some(stateful_set),
        _ => None,
    }
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn is_observed(object: &Value) -> bool {
    number(object, "/metadata/generation") <= number(object, "/status/observedGeneration")
}

fn deployment(object: &Value, revision: i64) -> anyhow::Result<Progress> {
    if revision > 0 {
        let annotation = "/metadata/annotations/deployment.kubernetes.io~1revision";
        let running: i64 = text(object, annotation).parse().unwrap_or_default();
        if running != revision {
            bail!(
                "desired revision ({revision}) is different from the running revision ({running})"
            );
        }
    }
    let name = text(object, "/metadata/name");
    if !is_observed(object) {
        return Ok(("Waiting for deployment spec update to be observed...".to_owned(), false));
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let late = conditions.into_iter().flatten().any(|condition| {
        text(condition, "/type") == "Progressing"
            && text(condition, "/reason") == "ProgressDeadlineExceeded"
    });
    if late {
        bail!("deployment {name:?} exceeded its progress deadline");
    }
    let wanted = number(object, "/spec/replicas");
    let updated = number(object, "/status/updatedReplicas");
    let (all, available) =
        (number(object, "/status/replicas"), number(object, "/status/availableReplicas"));
    let what = if updated < wanted {
        format!("{updated} out of {wanted} new replicas have been updated...")
    } else if all > updated {
        format!("{} old replicas are pending termination...", all - updated)
    } else if available < updated {
        format!("{available} of {updated} updated replicas are available...")
    } else {
        return Ok((format!("deployment {name:?} successfully rolled out"), true));
    };
    Ok((format!("Waiting for deployment {name:?} rollout to finish: {what}"), false))
}

fn check_strategy(object: &Value) -> anyhow::Result<()> {
    let rolling = "RollingUpdate";
    if text(object, "/spec/updateStrategy/type") != rolling {
        bail!("rollout status is only available for {rolling} strategy type");
    }
    Ok(())
}

fn daemon_set(object: &Value, _revision: i64) -> anyhow::Result<Progress> {
    check_strategy(object)?;
    let name = text(object, "/metadata/name");
    if !is_observed(object) {
        return Ok(("Waiting for daemon set spec update to be observed...".to_owned(), false));
    }
    let wanted = number(object, "/status/desiredNumberScheduled");
    let updated = number(object, "/status/updatedNumberScheduled");
    let available = number(object, "/status/numberAvailable");
    let what = if updated < wanted {
        format!("{updated} out of {wanted} new pods have been updated...")
    } else if available < wanted {
        format!("{available} of {wanted} updated pods are available...")
    } else {
        return Ok((format!("daemon set {name:?} successfully rolled out"), true));
    };
    Ok((format!("Waiting for daemon set {name:?} rollout to finish: {what}"), false))
}

fn stateful_set(object: &Value, _revision: i64) -> anyhow::Result<Progress> {
    check_strategy(object)?;
    if number(object, "/status/observedGeneration") == 0 || !is_observed(object) {
        return Ok(("Waiting for statefulset spec update to be observed...".to_owned(), false));
    }
    let wanted = number(object, "/spec/replicas");
    let ready = number(object, "/status/readyReplicas");
    let updated = number(object, "/status/updatedReplicas");
    if ready < wanted {
        return Ok((format!("Waiting for {} pods to be ready...", wanted - ready), false));
    }
    if object.pointer("/spec/updateStrategy/rollingUpdate").is_some() {
        let kept = number(object, "/spec/updateStrategy/rollingUpdate/partition");
        let renewed = wanted - kept;
        return Ok(if updated < renewed {
            let what = format!("{updated} out of {renewed} new pods have been updated...");
            (format!("Waiting for partitioned roll out to finish: {what}"), false)
        } else {
            (
                format!("partitioned roll out complete: {updated} new pods have been updated..."),
                true,
            )
        });
    }
    let update = text(object, "/status/updateRevision");
    let current = text(object, "/status/currentRevision");
    Ok(if update == current {
        let pods = number(object, "/status/currentReplicas");
        let line =
            format!("statefulset rolling update complete {pods} pods at revision {current}...");
        (line, true)
    } else {
        let what = format!("{updated} pods at revision {update}...");
        (format!("waiting for statefulset rolling update to complete {what}"), false)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(
        view: fn(&Value, i64) -> anyhow::Result<Progress>,
        object: &Value,
        expected: Result<(&str, bool), &str>,
    ) {
        match (view(object, 0), expected) {
            (Ok((line, done)), Ok(expected)) => assert_eq!((line.as_str(), done), expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (progress, _) => panic!("{progress:?}"),
        }
    }

    fn object(spec: &Value, status: &Value) -> Value {
        json!({"metadata": {"name": "web", "generation": 2}, "spec": spec, "status": status})
    }

    #[test]
    fn deployments_roll_out_step_by_step() {
        let spec = json!({"replicas": 3});
        let check = |status: &Value, expected: Result<(&str, bool), &str>| {
            check(deployment, &object(&spec, status), expected);
        };
        check(
            &json!({"observedGeneration": 1}),
            Ok(("Waiting for deployment spec update to be observed...", false)),
        );
        let wait = |what: &str| format!("Waiting for deployment \"web\" rollout to finish: {what}");
        check(
            &json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 4}),
            Ok((&wait("1 out of 3 new replicas have been updated..."), false)),
        );
        check(
            &json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 4}),
            Ok((&wait("1 old replicas are pending termination..."), false)),
        );
        check(
            &json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3,
                "availableReplicas": 2}),
            Ok((&wait("2 of 3 updated replicas are available..."), false)),
        );
        check(
            &json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3,
                "availableReplicas": 3}),
            Ok(("deployment \"web\" successfully rolled out", true)),
        );
        check(
            &json!({"observedGeneration": 2, "conditions": [
                {"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}),
            Err("deployment \"web\" exceeded its progress deadline"),
        );
    }

    #[test]
    fn daemon_sets_and_stateful_sets_need_rolling_updates() {
        let delete = json!({"updateStrategy": {"type": "OnDelete"}});
        let refused = Err("rollout status is only available for RollingUpdate strategy type");
        check(daemon_set, &object(&delete, &json!({})), refused);
        check(stateful_set, &object(&delete, &json!({})), refused);
    }

    #[test]
    fn daemon_sets_count_nodes() {
        let spec = json!({"updateStrategy": {"type": "RollingUpdate"}});
        let status = |updated: i64, available: i64| {
            json!({"observedGeneration": 2, "desiredNumberScheduled": 2,
                "updatedNumberScheduled": updated, "numberAvailable": available})
        };
        let wait = "Waiting for daemon set \"web\" rollout to finish: ";
        let updating = format!("{wait}1 out of 2 new pods have been updated...");
        check(daemon_set, &object(&spec, &status(1, 1)), Ok((&updating, false)));
        let starting = format!("{wait}1 of 2 updated pods are available...");
        check(daemon_set, &object(&spec, &status(2, 1)), Ok((&starting, false)));
        let done = "daemon set \"web\" successfully rolled out";
        check(daemon_set, &object(&spec, &status(2, 2)), Ok((done, true)));
    }

    #[test]
    fn stateful_sets_keep_a_partition() {
        let spec = json!({"replicas": 3, "updateStrategy": {
            "type": "RollingUpdate", "rollingUpdate": {"partition": 1}}});
        let status = |ready: i64, updated: i64| json!({"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": updated});
        let line = "Waiting for 1 pods to be ready...";
        check(stateful_set, &object(&spec, &status(2, 0)), Ok((line, false)));
        let line =
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...";
        check(stateful_set, &object(&spec, &status(3, 1)), Ok((line, false)));
        let line = "partitioned roll out complete: 2 new pods have been updated...";
        check(stateful_set, &object(&spec, &status(3, 2)), Ok((line, true)));
    }
}
