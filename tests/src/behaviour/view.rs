//! A pod's status in fewer words, for what is expected of it. Pure.

use serde_json::{Map, Value, json};

/// The phase and its companions, the conditions' statuses and reasons by type, and each container by its
/// name; the whole pod is below `pod`.
pub fn view(pod: &Value) -> Value {
    let status = &pod["status"];
    let of_conditions = |field: &str| -> Value {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .filter_map(|one| Some((one["type"].as_str()?.to_owned(), one[field].clone())))
            .collect::<Map<_, _>>()
            .into()
    };
    let mut view = json!({
        "phase": status["phase"], "reason": status["reason"], "message": status["message"],
        "qos": status["qosClass"], "ip": status["podIP"],
        "conditions": of_conditions("status"), "why": of_conditions("reason"), "pod": pod,
    });
    for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        for one in status[list].as_array().into_iter().flatten() {
            if let Some(name) = one["name"].as_str() {
                view[name] = container(one);
            }
        }
    }
    view
}

fn container(status: &Value) -> Value {
    let mut view = state(&status["state"]);
    for (name, field) in [
        ("ready", "ready"),
        ("started", "started"),
        ("restarts", "restartCount"),
        ("image", "image"),
        ("id", "containerID"),
    ] {
        view[name] = status[field].clone();
    }
    let last = state(&status["lastState"]);
    if last["state"].is_string() {
        view["last"] = last;
    }
    view
}

/// `waiting`, `running` or `terminated`, and what is said of it.
fn state(state: &Value) -> Value {
    let Some((name, said)) = state.as_object().and_then(|state| state.iter().next()) else {
        return json!({});
    };
    json!({
        "state": name, "reason": said["reason"], "message": said["message"],
        "code": said["exitCode"], "signal": said["signal"],
        "from": said["startedAt"], "to": said["finishedAt"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_found_by_their_names() {
        let pod = json!({"status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            "containerStatuses": [{
                "name": "main", "restartCount": 1, "ready": false,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 42}},
            }],
        }});
        let view = view(&pod);
        assert_eq!(view["conditions"]["Ready"], "False");
        assert_eq!(view["why"]["Ready"], "ContainersNotReady");
        let main = &view["main"];
        assert_eq!((&main["state"], &main["restarts"]), (&json!("waiting"), &json!(1)));
        assert_eq!(
            (&main["last"]["state"], &main["last"]["code"]),
            (&json!("terminated"), &json!(42))
        );
    }
}
