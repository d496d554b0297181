//! What the cluster has to be like when nothing is changed any more. Pure.

use serde_json::Value;

/// Whether all is as it is wanted, of objects of all kinds with their kinds (`apps/v1/ReplicaSet`).
///
/// # Errors
/// What is not.
pub fn settled(all: &[(&str, Value)]) -> Result<(), String> {
    for (kind, object) in all {
        is_settled(kind, object).map_err(|why| {
            format!("{kind} {}: {why}: {}", object["metadata"]["name"], object["status"])
        })?;
    }
    let uids: Vec<&Value> = all.iter().map(|(_, object)| &object["metadata"]["uid"]).collect();
    for (kind, object) in all {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let name = &object["metadata"]["name"];
        if *kind == "v1/Pod" && owners.is_none_or(Vec::is_empty) {
            return Err(format!("pod {name} has no owner"));
        }
        if let Some(gone) =
            owners.into_iter().flatten().find(|owner| !uids.contains(&&owner["uid"]))
        {
            return Err(format!("the owner of {kind} {name} is gone: {gone}"));
        }
    }
    let count = |owner: &str| {
        let of = |object: &&(&str, Value)| {
            object.0 == "v1/Pod" && object.1["metadata"]["labels"]["app"] == owner
        };
        u64::try_from(all.iter().filter(of).count()).unwrap_or(u64::MAX)
    };
    for (_, object) in all.iter().filter(|(_, one)| one["spec"]["template"].is_object()) {
        let Some(app) = object["spec"]["selector"]["matchLabels"]["app"].as_str() else {
            continue;
        };
        let is_top = object["metadata"]["ownerReferences"].is_null();
        let wanted = object["spec"]["replicas"].as_u64().unwrap_or(0);
        let there = count(app);
        if is_top && there != wanted {
            return Err(format!("{app} has {there} pods and wants {wanted}"));
        }
    }
    Ok(())
}

/// Whether all pods of silent nodes have been sent away, and run elsewhere as far as that may be; how
/// many of them were sent away for that.
///
/// Nobody can tell whether they still run where they were, so that the pods of a `StatefulSet`, whose
/// names are taken, have to wait.
///
/// # Errors
/// What is not so.
pub fn evicted(all: &[(&str, Value)], is_silent: impl Fn(&str) -> bool) -> Result<usize, String> {
    let pods = || all.iter().filter(|(kind, _)| *kind == "v1/Pod").map(|(_, pod)| pod);
    let is_there = |pod: &Value| pod["spec"]["nodeName"].as_str().is_some_and(&is_silent);
    let is_ending = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
    let mut sent_away = 0;
    for pod in pods().filter(|pod| is_there(pod) && pod["status"]["phase"] != "Succeeded") {
        if !is_ending(pod) {
            return Err(format!("{} stays on a silent node", pod["metadata"]["name"]));
        }
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        sent_away += usize::from(conditions.any(|one| one["reason"] == "DeletionByTaintManager"));
    }
    for (_, deployment) in all.iter().filter(|(kind, _)| *kind == "apps/v1/Deployment") {
        let app = &deployment["metadata"]["name"];
        let live = pods().filter(|pod| pod["metadata"]["labels"]["app"] == *app);
        let live = live.filter(|pod| !is_ending(pod) && !is_there(pod));
        let ready = live.filter(|pod| is_settled("v1/Pod", pod).is_ok()).count();
        if u64::try_from(ready).ok() != deployment["spec"]["replicas"].as_u64() {
            return Err(format!("{app} has {ready} pods elsewhere"));
        }
    }
    Ok(sent_away)
}

/// Whether an object is as it should be, taken for itself.
fn is_settled(kind: &str, object: &Value) -> Result<(), &'static str> {
    let (spec, status) = (&object["spec"], &object["status"]);
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Err("is being deleted");
    }
    let holds = |name: &str| {
        let conditions = status["conditions"].as_array();
        let mut all = conditions.into_iter().flatten();
        all.any(|one| one["type"] == name && one["status"] == "True")
    };
    let is_seen = || status["observedGeneration"] == object["metadata"]["generation"];
    let counted = |names: &[&str]| {
        let wanted = spec["replicas"].as_u64();
        names.iter().all(|name| status[name].as_u64().unwrap_or(0) == wanted.unwrap_or(0))
    };
    match kind {
        "v1/Node" if !holds("Ready") => Err("is not ready"),
        "v1/Pod" if status["phase"] != "Succeeded" && !holds("Ready") => Err("is not ready"),
        "apps/v1/Deployment" | "apps/v1/StatefulSet" if !is_seen() => Err("was not looked at"),
        "apps/v1/Deployment" | "apps/v1/StatefulSet"
            if !counted(&["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]) =>
        {
            Err("has not what it wants")
        }
        "apps/v1/StatefulSet" if status["currentRevision"] != status["updateRevision"] => {
            Err("has pods of an older revision")
        }
        "apps/v1/ReplicaSet" if !counted(&["replicas", "readyReplicas"]) => {
            Err("has not what it wants")
        }
        "batch/v1/Job" if !holds("Complete") => Err("is not complete"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, is_sent_away: bool) -> (&'static str, Value) {
        let mut pod = json!({
            "metadata": {"name": "p", "labels": {"app": "web"}},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        if is_sent_away {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            pod["status"]["conditions"] = json!([{"reason": "DeletionByTaintManager"}]);
        }
        ("v1/Pod", pod)
    }

    #[test]
    fn pods_of_silent_nodes_have_to_go_and_run_elsewhere() {
        let deployment = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1}});
        let found = |pods: &[(&'static str, Value)]| {
            let all = [&[("apps/v1/Deployment", deployment.clone())], pods].concat();
            evicted(&all, |node| node == "lost")
        };
        assert!(found(&[pod("lost", false)]).is_err(), "it stays");
        assert!(found(&[pod("lost", true)]).is_err(), "it runs nowhere else");
        assert_eq!(found(&[pod("lost", true), pod("well", false)]), Ok(1));
        assert_eq!(found(&[pod("well", false)]), Ok(0));
    }
}
