//! Pods.

use serde_json::Value;

use super::template::{self, Place, items, or, time, value};
use super::text::Text;
use super::{controller, head, metadata};
use crate::commands::events::age;
use crate::kinds::text;

pub(super) fn describe(out: &mut Text, pod: &Value) {
    head(out, pod);
    out.pair_if(0, "Priority:", &value(pod, "/spec/priority"));
    out.pair_if(0, "Priority Class Name:", text(pod, "/spec/priorityClassName"));
    out.pair_if(0, "Runtime Class Name:", text(pod, "/spec/runtimeClassName"));
    out.pair_if(0, "Service Account:", text(pod, "/spec/serviceAccountName"));
    match text(pod, "/spec/nodeName") {
        "" => out.pair(0, "Node:", "<none>"),
        node => out.pair(0, "Node:", format!("{node}/{}", text(pod, "/status/hostIP"))),
    }
    out.pair_if(0, "Start Time:", &time(pod, "/status/startTime"));
    metadata(out, pod);
    if text(pod, "/metadata/deletionTimestamp").is_empty() {
        out.pair(0, "Status:", text(pod, "/status/phase"));
    } else {
        let since = age(wk_api::parse_time(text(pod, "/metadata/deletionTimestamp")));
        out.pair(0, "Status:", format!("Terminating (lasts {since})"));
        let grace = value(pod, "/metadata/deletionGracePeriodSeconds");
        out.pair(0, "Termination Grace Period:", format!("{grace}s"));
    }
    out.pair_if(0, "Reason:", text(pod, "/status/reason"));
    out.pair_if(0, "Message:", text(pod, "/status/message"));
    template::seccomp(out, 0, pod.get("spec").unwrap_or(&Value::Null));
    out.pair(0, "IP:", text(pod, "/status/podIP"));
    if items(pod, "/status/podIPs").next().is_none() {
        out.pair(0, "IPs:", "<none>");
    } else {
        out.line(0, "IPs:");
        items(pod, "/status/podIPs").for_each(|one| out.pair(1, "IP:", text(one, "/ip")));
    }
    controller(out, pod);
    out.pair_if(0, "NominatedNodeName:", text(pod, "/status/nominatedNodeName"));
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    if let Some(resources) = spec.get("resources") {
        out.line(0, "Resources:");
        template::resources(out, 1, Some(resources));
    }
    let place = Place { margin: "", name: "  ", pod: Some(pod) };
    for (title, field, status) in [
        ("Init Containers:", "/initContainers", "/status/initContainerStatuses"),
        ("Containers:", "/containers", "/status/containerStatuses"),
        ("Ephemeral Containers:", "/ephemeralContainers", "/status/ephemeralContainerStatuses"),
    ] {
        if items(spec, field).next().is_some() {
            let statuses: Vec<&Value> = items(pod, status).collect();
            template::containers(out, title, items(spec, field), &statuses, place);
        }
    }
    conditions(out, pod, spec);
    template::volumes(out, spec, place);
    out.pair_if(0, "QoS Class:", text(pod, "/status/qosClass"));
    out.map(0, "Node-Selectors:", spec.get("nodeSelector"), "=");
    template::tolerations(out, 0, spec);
    template::topology(out, 0, spec);
}

fn conditions(out: &mut Text, pod: &Value, spec: &Value) {
    if items(spec, "/readinessGates").next().is_some() {
        out.line(0, "Readiness Gates:");
        out.row(1, ["Type", "Status"]);
        for gate in items(spec, "/readinessGates") {
            let kind = text(gate, "/conditionType");
            let status = items(pod, "/status/conditions")
                .find(|condition| text(condition, "/type") == kind)
                .map_or("", |condition| text(condition, "/status"));
            out.line(1, format!("{kind} \t{} ", or(status, "<none>")));
        }
    }
    if items(pod, "/status/conditions").next().is_some() {
        out.line(0, "Conditions:");
        out.row(1, ["Type", "Status"]);
        for condition in items(pod, "/status/conditions") {
            let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
            out.line(1, format!("{kind} \t{status} "));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_reads_as_kubectl_describes_it() {
        let pod = json!({
            "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
            "spec": {
                "nodeName": "n1", "priority": 0, "serviceAccountName": "default",
                "containers": [{
                    "name": "main", "image": "x:1",
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "args": ["a"], "env": [{"name": "A", "value": "B"},
                        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "resources": {"limits": {"memory": "64Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}]}],
                "volumes": [{"name": "v", "configMap": {"name": "cm"}}],
                "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300}]},
            "status": {
                "phase": "Running", "hostIP": "127.0.0.1", "podIP": "127.64.0.2",
                "qosClass": "Burstable",
                "startTime": "2026-01-02T03:04:05Z", "podIPs": [{"ip": "127.64.0.2"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "main", "ready": true, "restartCount": 1,
                    "state": {"running": {"startedAt": "2026-01-02T03:04:06Z"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled",
                        "startedAt": "2026-01-02T03:04:05Z",
                        "finishedAt": "2026-01-02T03:04:06Z"}}}]}
        });
        let mut out = Text::default();
        describe(&mut out, &pod);
        let expected = "\
Name:             web
Namespace:        default
Priority:         0
Service Account:  default
Node:             n1/127.0.0.1
Start Time:       Fri, 02 Jan 2026 03:04:05 +0000
Labels:           app=web
Annotations:      <none>
Status:           Running
IP:               127.64.0.2
IPs:
  IP:  127.64.0.2
Containers:
  main:
    Container ID:  
    Image:         x:1
    Image ID:      
    Port:          8080/TCP (http)
    Host Port:     0/TCP (http)
    Args:
      a
    State:          Running
      Started:      Fri, 02 Jan 2026 03:04:06 +0000
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
      Started:      Fri, 02 Jan 2026 03:04:05 +0000
      Finished:     Fri, 02 Jan 2026 03:04:06 +0000
    Ready:          True
    Restart Count:  1
    Limits:
      memory:   64Mi
    Readiness:  http-get http://:8080/ delay=0s timeout=1s period=10s successThreshold=1 failureThreshold=3
    Environment:
      A:  B
      N:  web (v1:metadata.name)
    Mounts:
      /v from v (ro)
Conditions:
  Type    Status
  Ready   True 
Volumes:
  v:
    Type:        ConfigMap (a volume populated by a ConfigMap)
    Name:        cm
    Optional:    false
QoS Class:       Burstable
Node-Selectors:  <none>
Tolerations:     k:NoExecute op=Exists for 300s
";
        assert_eq!(out.finish(), expected);
    }
}
