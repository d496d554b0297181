//! Kinds that keep pods running: deployments, replica sets, daemon sets, stateful sets.

use serde_json::Value;

use super::template::{self, is_true, items, or, time, value};
use super::text::Text;
use super::{Related, controller, head, metadata, selector, state_table};
use crate::kinds::text;
use crate::output::jsonpath::plain;

pub(super) fn deployment(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    out.pair(0, "CreationTimestamp:", time(object, "/metadata/creationTimestamp"));
    metadata(out, object);
    out.pair(0, "Selector:", selector(object.pointer("/spec/selector")));
    let count = |pointer: &str| object.pointer(pointer).map_or("0".to_owned(), plain);
    out.pair(
        0,
        "Replicas:",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            count("/spec/replicas"),
            count("/status/updatedReplicas"),
            count("/status/replicas"),
            count("/status/availableReplicas"),
            count("/status/unavailableReplicas")
        ),
    );
    out.pair(0, "StrategyType:", text(object, "/spec/strategy/type"));
    out.pair(0, "MinReadySeconds:", count("/spec/minReadySeconds"));
    if let Some(rolling) = object.pointer("/spec/strategy/rollingUpdate") {
        let (unavailable, surge) = (value(rolling, "/maxUnavailable"), value(rolling, "/maxSurge"));
        out.pair(
            0,
            "RollingUpdateStrategy:",
            format!("{unavailable} max unavailable, {surge} max surge"),
        );
    }
    let own = object.pointer("/spec/template");
    template::describe(out, own);
    state_table(out, object, &[("Type", "/type"), ("Status", "/status"), ("Reason", "/reason")]);
    let (new, old) = replica_sets(own, &related.owned);
    let named = |set: &&Value| {
        let count = |pointer: &str| set.pointer(pointer).map_or("0".to_owned(), plain);
        let (there, wanted) = (count("/status/replicas"), count("/spec/replicas"));
        format!("{} ({there}/{wanted} replicas created)", text(set, "/metadata/name"))
    };
    let old: Vec<String> = old.iter().map(named).collect();
    out.pair(0, "OldReplicaSets:", or(&old.join(", "), "<none>"));
    out.pair(0, "NewReplicaSet:", new.as_ref().map_or("<none>".to_owned(), named));
}

/// The replica set of the template, and the others, oldest first.
fn replica_sets<'a>(
    own: Option<&Value>,
    owned: &'a [Value],
) -> (Option<&'a Value>, Vec<&'a Value>) {
    let mut all: Vec<&Value> = owned.iter().collect();
    all.sort_by_key(|set| (text(set, "/metadata/creationTimestamp"), text(set, "/metadata/name")));
    let mut old = Vec::new();
    let mut new = None;
    for set in all {
        let mut template = set.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(labels) =
            template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut)
        {
            labels.remove("pod-template-hash");
        }
        if new.is_none() && Some(&template) == own {
            new = Some(set);
        } else {
            old.push(set);
        }
    }
    (new, old)
}

pub(super) fn replica_set(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    let labels = object.pointer("/spec/selector");
    out.pair(0, "Selector:", selector(labels));
    metadata(out, object);
    controller(out, object);
    let count = |pointer: &str| object.pointer(pointer).map_or("0".to_owned(), plain);
    let (there, wanted) = (count("/status/replicas"), count("/spec/replicas"));
    out.pair(0, "Replicas:", format!("{there} current / {wanted} desired"));
    pods_status(out, &related.pods);
    template::describe(out, object.pointer("/spec/template"));
    state_table(out, object, &[("Type", "/type"), ("Status", "/status"), ("Reason", "/reason")]);
}

/// How many pods are in which phase.
fn pods_status(out: &mut Text, pods: &[Value]) {
    let count = |phase: &str| pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count();
    out.pair(
        0,
        "Pods Status:",
        format!(
            "{} Running / {} Waiting / {} Succeeded / {} Failed",
            count("Running"),
            count("Pending"),
            count("Succeeded"),
            count("Failed")
        ),
    );
}

pub(super) fn daemon_set(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    out.pair(0, "Selector:", selector(object.pointer("/spec/selector")));
    let nodes = object.pointer("/spec/template/spec/nodeSelector");
    out.pair(0, "Node-Selector:", selector(nodes));
    metadata(out, object);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        let count = object.pointer(&format!("/status/{field}")).map_or("0".to_owned(), plain);
        out.line(0, format!("{title}: {count}"));
    }
    pods_status(out, &related.pods);
    template::describe(out, object.pointer("/spec/template"));
}

pub(super) fn stateful_set(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    out.pair(0, "CreationTimestamp:", time(object, "/metadata/creationTimestamp"));
    out.pair(0, "Selector:", selector(object.pointer("/spec/selector")));
    metadata(out, object);
    out.pair(0, "Service Name:", text(object, "/spec/serviceName"));
    out.pair(0, "Pod Management Policy:", text(object, "/spec/podManagementPolicy"));
    let count = |pointer: &str| object.pointer(pointer).map_or("0".to_owned(), plain);
    let (wanted, there) = (count("/spec/replicas"), count("/status/replicas"));
    out.pair(0, "Replicas:", format!("{wanted} desired | {there} total"));
    out.pair(0, "Update Strategy:", text(object, "/spec/updateStrategy/type"));
    if let Some(rolling) = object.pointer("/spec/updateStrategy/rollingUpdate") {
        out.pair_if(1, "Partition:", &value(rolling, "/partition"));
        out.pair_if(1, "MaxUnavailable:", &value(rolling, "/maxUnavailable"));
    }
    if let Some(policy) = object.pointer("/spec/persistentVolumeClaimRetentionPolicy") {
        out.line(0, "Persistent Volume Claim Retention Policy:");
        out.pair(1, "WhenDeleted:", text(policy, "/whenDeleted"));
        out.pair(1, "WhenScaled:", text(policy, "/whenScaled"));
    }
    pods_status(out, &related.pods);
    template::describe(out, object.pointer("/spec/template"));
    if items(object, "/spec/volumeClaimTemplates").next().is_none() {
        return out.pair(0, "Volume Claims:", "<none>");
    }
    out.line(0, "Volume Claims:");
    for claim in items(object, "/spec/volumeClaimTemplates") {
        out.pair(1, "Name:", text(claim, "/metadata/name"));
        out.pair(1, "StorageClass:", text(claim, "/spec/storageClassName"));
        out.map(1, "Labels:", claim.pointer("/metadata/labels"), "=");
        out.annotations(1, claim.pointer("/metadata/annotations"));
        let capacity = value(claim, "/spec/resources/requests/storage");
        out.pair(1, "Capacity:", or(&capacity, "<default>"));
        let modes: Vec<String> = items(claim, "/spec/accessModes").map(plain).collect();
        out.pair(1, "Access Modes:", format!("[{}]", modes.join(" ")));
    }
}

pub(super) fn job(out: &mut Text, object: &Value) {
    head(out, object);
    if let Some(labels) = object.pointer("/spec/selector") {
        out.pair(0, "Selector:", selector(Some(labels)));
    }
    metadata(out, object);
    controller(out, object);
    let spec = |field: &str| value(object, &format!("/spec/{field}"));
    out.pair_if(0, "Parallelism:", &spec("parallelism"));
    out.pair(0, "Completions:", or(&spec("completions"), "<unset>"));
    out.pair_if(0, "Completion Mode:", &spec("completionMode"));
    out.pair_if(0, "Suspend:", &spec("suspend"));
    out.pair_if(0, "Backoff Limit:", &spec("backoffLimit"));
    out.pair_if(0, "TTL Seconds After Finished:", &spec("ttlSecondsAfterFinished"));
    out.pair_if(0, "Start Time:", &time(object, "/status/startTime"));
    out.pair_if(0, "Completed At:", &time(object, "/status/completionTime"));
    let moment = |field: &str| wk_api::parse_time(text(object, &format!("/status/{field}")));
    if let (Some(start), Some(end)) = (moment("startTime"), moment("completionTime")) {
        let seconds = end.duration_since(start).as_secs();
        out.pair(0, "Duration:", wk_api::time::human_duration(seconds));
    }
    if let Some(deadline) = object.pointer("/spec/activeDeadlineSeconds") {
        out.pair(0, "Active Deadline Seconds:", format!("{}s", plain(deadline)));
    }
    let count =
        |field: &str| object.pointer(&format!("/status/{field}")).map_or("0".to_owned(), plain);
    let ready = match object.pointer("/status/ready") {
        Some(ready) => format!(" ({} Ready)", plain(ready)),
        None => String::new(),
    };
    let (active, succeeded, failed) = (count("active"), count("succeeded"), count("failed"));
    let line = format!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed");
    out.pair(0, "Pods Statuses:", line);
    if spec("completionMode") == "Indexed" {
        let indexes = or(text(object, "/status/completedIndexes"), "<none>");
        out.pair(0, "Completed Indexes:", indexes);
    }
    template::describe(out, object.pointer("/spec/template"));
}

pub(super) fn cron_job(out: &mut Text, object: &Value) {
    head(out, object);
    metadata(out, object);
    let spec = |field: &str| value(object, &format!("/spec/{field}"));
    let or_unset = |text: String| or(&text, "<unset>").to_owned();
    out.pair(0, "Schedule:", spec("schedule"));
    out.pair(0, "Concurrency Policy:", spec("concurrencyPolicy"));
    let suspended = match object.pointer("/spec/suspend") {
        None => "<unset>",
        Some(_) if is_true(object, "/spec/suspend") => "True",
        Some(_) => "False",
    };
    out.pair(0, "Suspend:", suspended);
    out.pair(0, "Time Zone:", or_unset(spec("timeZone")));
    out.pair(0, "Successful Job History Limit:", or_unset(spec("successfulJobsHistoryLimit")));
    out.pair(0, "Failed Job History Limit:", or_unset(spec("failedJobsHistoryLimit")));
    let deadline = match spec("startingDeadlineSeconds") {
        seconds if seconds.is_empty() => seconds,
        seconds => format!("{seconds}s"),
    };
    out.pair(0, "Starting Deadline Seconds:", or_unset(deadline));
    let labels = object.pointer("/spec/jobTemplate/spec/selector");
    let labels = labels.map_or("<unset>".to_owned(), |labels| selector(Some(labels)));
    out.pair(0, "Selector:", labels);
    out.pair(0, "Parallelism:", or_unset(spec("jobTemplate/spec/parallelism")));
    out.pair(0, "Completions:", or_unset(spec("jobTemplate/spec/completions")));
    if let Some(deadline) = object.pointer("/spec/jobTemplate/spec/activeDeadlineSeconds") {
        out.pair(0, "Active Deadline Seconds:", format!("{}s", plain(deadline)));
    }
    template::describe(out, object.pointer("/spec/jobTemplate/spec/template"));
    out.pair(0, "Last Schedule Time:", or_unset(time(object, "/status/lastScheduleTime")));
    let active: Vec<&str> = items(object, "/status/active").map(|job| text(job, "/name")).collect();
    out.pair(0, "Active Jobs:", or(&active.join(", "), "<none>"));
}
