//! The table row of a pod.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::parse_time;

use crate::look::Look;
use crate::table;

/// What the containers of a pod tell together.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

/// The cells of the row.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = summary(pod);
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let restarts = match summary.last_restart.filter(|_| summary.restarts != 0) {
        None => summary.restarts.to_string(),
        Some(last) => {
            let ago = wk_api::time::human_duration(now.as_second() - last.as_second());
            format!("{} ({ago} ago)", summary.restarts)
        }
    };
    let ip = status.items("podIPs").first().map_or("", |ip| ip.text("ip"));
    let gates = spec.items("readinessGates");
    let met = gates
        .iter()
        .filter(|gate| condition(status, gate.text("conditionType")) == Some("True"))
        .count();
    vec![
        table::name(pod),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        restarts.into(),
        table::age(pod, now),
        table::or_none(if ip.is_empty() { status.text("podIP") } else { ip }),
        table::or_none(spec.text("nodeName")),
        table::or_none(status.text("nominatedNodeName")),
        if gates.is_empty() { "<none>".into() } else { format!("{met}/{}", gates.len()).into() },
    ]
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a str> {
    let found = status.items("conditions").iter().find(|c| c.text("type") == kind);
    found.map(|condition| condition.text("status"))
}

fn summary(pod: &Value) -> Summary {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let mut reason = status.text("phase").to_owned();
    if !status.lacks("reason") {
        status.text("reason").clone_into(&mut reason);
    }
    let gated = status.items("conditions").iter().any(|condition| {
        condition.text("type") == "PodScheduled" && condition.text("reason") == "SchedulingGated"
    });
    if gated {
        "SchedulingGated".clone_into(&mut reason);
    }
    let restartable = |name: &str| {
        spec.items("initContainers")
            .iter()
            .any(|c| c.text("name") == name && c.text("restartPolicy") == "Always")
    };
    let sidecars =
        spec.items("initContainers").iter().filter(|c| c.text("restartPolicy") == "Always");
    let mut summary = Summary {
        ready: 0,
        total: spec.items("containers").len() + sidecars.count(),
        reason,
        restarts: 0,
        last_restart: None,
    };
    let mut sidecar_restarts = (0, None);
    let mut initializing = false;
    for (index, container) in status.items("initContainerStatuses").iter().enumerate() {
        summary.restarts += container.int("restartCount").unwrap_or(0);
        summary.last_restart = summary.last_restart.max(ended(container));
        let sidecar = restartable(container.text("name"));
        if sidecar {
            sidecar_restarts.0 += container.int("restartCount").unwrap_or(0);
            sidecar_restarts.1 = sidecar_restarts.1.max(ended(container));
        }
        let state = &container["state"];
        let terminated = &state["terminated"];
        if terminated.is_object() && terminated.int("exitCode").unwrap_or(0) == 0 {
            continue;
        }
        if sidecar && container.is("started") {
            summary.ready += usize::from(container.is("ready"));
            continue;
        }
        let waiting = state["waiting"].text("reason");
        summary.reason = if terminated.is_object() {
            format!("Init:{}", terminated_reason(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", spec.items("initContainers").len())
        };
        initializing = true;
        break;
    }
    if !initializing || condition(status, "Initialized") == Some("True") {
        (summary.restarts, summary.last_restart) = sidecar_restarts;
        regular(status, &mut summary);
    }
    let deleted = pod["metadata"].has("deletionTimestamp");
    let terminal = matches!(status.text("phase"), "Succeeded" | "Failed");
    if deleted && status.text("reason") == "NodeLost" {
        "Unknown".clone_into(&mut summary.reason);
    } else if deleted && !terminal {
        "Terminating".clone_into(&mut summary.reason);
    }
    summary
}

fn regular(status: &Value, summary: &mut Summary) {
    let mut running = false;
    // The first container has the last word.
    for container in status.items("containerStatuses").iter().rev() {
        summary.restarts += container.int("restartCount").unwrap_or(0);
        summary.last_restart = summary.last_restart.max(ended(container));
        let state = &container["state"];
        let waiting = state["waiting"].text("reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if state["terminated"].is_object() {
            summary.reason = terminated_reason(&state["terminated"]);
        } else if container.is("ready") && state.has("running") {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" && running {
        let ready = condition(status, "Ready") == Some("True");
        (if ready { "Running" } else { "NotReady" }).clone_into(&mut summary.reason);
    }
}

fn terminated_reason(terminated: &Value) -> String {
    let reason = terminated.text("reason");
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match terminated.int("signal").unwrap_or(0) {
        0 => format!("ExitCode:{}", terminated.int("exitCode").unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

/// When a container ended before it was started again.
fn ended(container: &Value) -> Option<Timestamp> {
    parse_time(container["lastState"]["terminated"].text("finishedAt"))
}
