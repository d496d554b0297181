//! Pods.

use serde_json::Value;

use super::text::Text;
use super::{head, metadata};
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// The items of a list in an object.
pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A text, or what stands for nothing.
fn or<'a>(text: &'a str, nothing: &'a str) -> &'a str {
    if text.is_empty() { nothing } else { text }
}

/// A time in the words of kubectl.
fn time(object: &Value, pointer: &str) -> String {
    match wk_api::parse_time(text(object, pointer)) {
        Some(time) => time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        None => text(object, pointer).to_owned(),
    }
}

pub(super) fn describe(out: &mut Text, pod: &Value) {
    head(out, pod);
    let priority = pod.pointer("/spec/priority").map_or("0".to_owned(), plain);
    out.pair(0, "Priority:", priority);
    out.pair_if(0, "Priority Class Name:", text(pod, "/spec/priorityClassName"));
    out.pair_if(0, "Runtime Class Name:", text(pod, "/spec/runtimeClassName"));
    out.pair(0, "Service Account:", or(text(pod, "/spec/serviceAccountName"), "default"));
    match (text(pod, "/spec/nodeName"), text(pod, "/status/hostIP")) {
        ("", _) => out.pair(0, "Node:", "<none>"),
        (node, "") => out.pair(0, "Node:", node),
        (node, address) => out.pair(0, "Node:", format!("{node}/{address}")),
    }
    out.pair_if(0, "Start Time:", &time(pod, "/status/startTime"));
    metadata(out, pod);
    if text(pod, "/metadata/deletionTimestamp").is_empty() {
        out.pair(0, "Status:", or(text(pod, "/status/phase"), "Unknown"));
    } else {
        let since = time(pod, "/metadata/deletionTimestamp");
        out.pair(0, "Status:", format!("Terminating (since {since})"));
        let grace =
            pod.pointer("/metadata/deletionGracePeriodSeconds").map_or(String::new(), plain);
        out.pair(0, "Termination Grace Period:", format!("{grace}s"));
    }
    out.pair_if(0, "Reason:", text(pod, "/status/reason"));
    out.pair_if(0, "Message:", text(pod, "/status/message"));
    out.pair(0, "IP:", text(pod, "/status/podIP"));
    let addresses: Vec<&str> =
        items(pod, "/status/podIPs").map(|address| text(address, "/ip")).collect();
    if addresses.is_empty() {
        out.pair(0, "IPs:", "<none>");
    } else {
        out.line(0, "IPs:");
        for address in addresses {
            out.pair(1, "IP:", address);
        }
    }
    let owner = items(pod, "/metadata/ownerReferences")
        .find(|owner| owner.get("controller").is_some_and(|controller| controller == true));
    if let Some(owner) = owner {
        out.pair(0, "Controlled By:", format!("{}/{}", text(owner, "/kind"), text(owner, "/name")));
    }
    containers(out, pod, "Init Containers:", "initContainers", "initContainerStatuses");
    containers(out, pod, "Containers:", "containers", "containerStatuses");
    conditions(out, pod);
    volumes(out, pod);
    out.pair(0, "QoS Class:", or(text(pod, "/status/qosClass"), "BestEffort"));
    out.map(0, "Node-Selectors:", pod.pointer("/spec/nodeSelector"), "=");
    let tolerations: Vec<String> = items(pod, "/spec/tolerations").map(toleration).collect();
    out.pair(0, "Tolerations:", or(&tolerations.join("\n"), "<none>"));
}

fn containers(out: &mut Text, pod: &Value, title: &str, field: &str, status_field: &str) {
    let specs: Vec<&Value> = items(pod, &format!("/spec/{field}")).collect();
    if specs.is_empty() {
        return;
    }
    out.line(0, title);
    for spec in specs {
        let name = text(spec, "/name");
        let status = items(pod, &format!("/status/{status_field}"))
            .find(|status| text(status, "/name") == name)
            .unwrap_or(&Value::Null);
        out.line(1, format!("{name}:"));
        container(out, spec, status);
    }
}

fn container(out: &mut Text, spec: &Value, status: &Value) {
    out.pair(2, "Container ID:", text(status, "/containerID"));
    out.pair(2, "Image:", text(spec, "/image"));
    out.pair(2, "Image ID:", text(status, "/imageID"));
    let ports: Vec<String> = items(spec, "/ports")
        .map(|port| {
            let number = port.get("containerPort").map_or(String::new(), plain);
            format!("{number}/{}", or(text(port, "/protocol"), "TCP"))
        })
        .collect();
    let title = if ports.len() > 1 { "Ports:" } else { "Port:" };
    out.pair(2, title, or(&ports.join(", "), "<none>"));
    for (title, field) in [("Command:", "/command"), ("Args:", "/args")] {
        let words: Vec<&Value> = items(spec, field).collect();
        if !words.is_empty() {
            out.line(2, title);
            for word in words {
                out.line(3, plain(word));
            }
        }
    }
    state(out, "State:", status.get("state"));
    state(out, "Last State:", status.get("lastState"));
    let is_ready = status.get("ready").is_some_and(|ready| ready == true);
    out.pair(2, "Ready:", if is_ready { "True" } else { "False" });
    out.pair(2, "Restart Count:", status.get("restartCount").map_or("0".to_owned(), plain));
    for (title, field) in [("Limits:", "limits"), ("Requests:", "requests")] {
        let resources = spec.pointer(&format!("/resources/{field}")).and_then(Value::as_object);
        if let Some(resources) = resources.filter(|resources| !resources.is_empty()) {
            out.line(2, title);
            resources.iter().for_each(|(name, value)| {
                out.pair(3, &format!("{name}:"), plain(value));
            });
        }
    }
    for (title, field) in [
        ("Liveness:", "livenessProbe"),
        ("Readiness:", "readinessProbe"),
        ("Startup:", "startupProbe"),
    ] {
        if let Some(described) = spec.get(field).map(probe) {
            out.pair(2, title, described);
        }
    }
    environment(out, spec);
    let mounts: Vec<String> = items(spec, "/volumeMounts")
        .map(|mount| {
            let mode =
                if mount.get("readOnly").is_some_and(|only| only == true) { "ro" } else { "rw" };
            format!("{} from {} ({mode})", text(mount, "/mountPath"), text(mount, "/name"))
        })
        .collect();
    if mounts.is_empty() {
        out.pair(2, "Mounts:", "<none>");
    } else {
        out.line(2, "Mounts:");
        for mount in mounts {
            out.line(3, mount);
        }
    }
}

fn state(out: &mut Text, title: &str, state: Option<&Value>) {
    let state = state.and_then(Value::as_object).and_then(|state| state.iter().next());
    let Some((name, details)) = state else {
        if title == "State:" {
            out.pair(2, title, "Waiting");
        }
        return;
    };
    let mut word = name.clone();
    word[..1].make_ascii_uppercase();
    out.pair(2, title, word);
    out.pair_if(3, "Reason:", text(details, "/reason"));
    out.pair_if(3, "Message:", text(details, "/message"));
    if name == "terminated" {
        out.pair(3, "Exit Code:", details.get("exitCode").map_or(String::new(), plain));
        if let Some(signal) = details.get("signal").filter(|signal| **signal != 0) {
            out.pair(3, "Signal:", plain(signal));
        }
    }
    out.pair_if(3, "Started:", &time(details, "/startedAt"));
    out.pair_if(3, "Finished:", &time(details, "/finishedAt"));
}

fn probe(probe: &Value) -> String {
    let number =
        |field: &str, default: i64| probe.get(field).and_then(Value::as_i64).unwrap_or(default);
    let times = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    let what = if let Some(get) = probe.get("httpGet") {
        let port = get.get("port").map_or(String::new(), plain);
        let scheme = or(text(get, "/scheme"), "HTTP").to_lowercase();
        format!("http-get {scheme}://{}:{port}{}", text(get, "/host"), text(get, "/path"))
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!("tcp-socket :{}", socket.get("port").map_or(String::new(), plain))
    } else if let Some(exec) = probe.get("exec") {
        let words: Vec<String> = items(exec, "/command").map(plain).collect();
        format!("exec [{}]", words.join(" "))
    } else if let Some(grpc) = probe.get("grpc") {
        format!("grpc <pod>:{}", grpc.get("port").map_or(String::new(), plain))
    } else {
        "unknown".to_owned()
    };
    format!("{what} {times}")
}

fn environment(out: &mut Text, spec: &Value) {
    let from: Vec<String> = items(spec, "/envFrom")
        .map(|source| match source.get("configMapRef") {
            Some(map) => format!("{}  ConfigMap", text(map, "/name")),
            None => format!("{}  Secret", text(source, "/secretRef/name")),
        })
        .collect();
    if !from.is_empty() {
        out.line(2, "Environment Variables from:");
        for source in from {
            out.line(3, source);
        }
    }
    let variables: Vec<&Value> = items(spec, "/env").collect();
    if variables.is_empty() {
        out.pair(2, "Environment:", "<none>");
        return;
    }
    out.line(2, "Environment:");
    for variable in variables {
        let name = format!("{}:", text(variable, "/name"));
        let reference = |kind: &str, what: &str| {
            let source = variable.pointer(&format!("/valueFrom/{kind}"))?;
            let (key, name) = (text(source, "/key"), text(source, "/name"));
            Some(format!("<set to the key '{key}' in {what} '{name}'>"))
        };
        let value = reference("secretKeyRef", "secret")
            .or_else(|| reference("configMapKeyRef", "config map"))
            .or_else(|| {
                let field = variable.pointer("/valueFrom/fieldRef")?;
                Some(format!(
                    "({}:{})",
                    or(text(field, "/apiVersion"), "v1"),
                    text(field, "/fieldPath")
                ))
            })
            .unwrap_or_else(|| text(variable, "/value").to_owned());
        out.pair(3, &name, value);
    }
}

fn conditions(out: &mut Text, pod: &Value) {
    let conditions: Vec<&Value> = items(pod, "/status/conditions").collect();
    if conditions.is_empty() {
        return;
    }
    out.line(0, "Conditions:");
    out.row(1, ["Type", "Status"]);
    for condition in conditions {
        out.row(1, [text(condition, "/type"), text(condition, "/status")]);
    }
}

fn volumes(out: &mut Text, pod: &Value) {
    let volumes: Vec<&Value> = items(pod, "/spec/volumes").collect();
    if volumes.is_empty() {
        out.pair(0, "Volumes:", "<none>");
        return;
    }
    out.line(0, "Volumes:");
    for volume in volumes {
        out.line(1, format!("{}:", text(volume, "/name")));
        let source = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
        let Some((kind, source)) = source else { continue };
        let mut title = kind.clone();
        title[..1].make_ascii_uppercase();
        out.pair(2, "Type:", title);
        let fields = source.as_object().into_iter().flatten();
        for (name, value) in fields.filter(|(_, value)| !value.is_array() && !value.is_object()) {
            let mut name = format!("{name}:");
            name[..1].make_ascii_uppercase();
            out.pair(2, &name, plain(value));
        }
    }
}

fn toleration(toleration: &Value) -> String {
    let mut out = text(toleration, "/key").to_owned();
    let value = text(toleration, "/value");
    if !value.is_empty() {
        out += "=";
        out += value;
    }
    let effect = text(toleration, "/effect");
    if !effect.is_empty() {
        out += ":";
        out += effect;
    }
    if text(toleration, "/operator") == "Exists" {
        out.push_str(if out.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration.get("tolerationSeconds") {
        out = format!("{out} for {}s", plain(seconds));
    }
    out
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
                "nodeName": "n1",
                "containers": [{
                    "name": "main", "image": "x:1", "ports": [{"containerPort": 8080}],
                    "args": ["a"], "env": [{"name": "A", "value": "B"}],
                    "resources": {"limits": {"memory": "64Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}]}],
                "volumes": [{"name": "v", "configMap": {"name": "cm"}}],
                "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300}]},
            "status": {
                "phase": "Running", "hostIP": "127.0.0.1", "podIP": "127.64.0.2",
                "startTime": "2026-01-02T03:04:05Z", "podIPs": [{"ip": "127.64.0.2"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "main", "ready": true, "restartCount": 1,
                    "state": {"running": {"startedAt": "2026-01-02T03:04:06Z"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}
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
    Port:          8080/TCP
    Args:
      a
    State:          Running
      Started:      Fri, 02 Jan 2026 03:04:06 +0000
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
    Ready:          True
    Restart Count:  1
    Limits:
      memory:   64Mi
    Readiness:  http-get http://:8080/ delay=0s timeout=1s period=10s #success=1 #failure=3
    Environment:
      A:  B
    Mounts:
      /v from v (ro)
Conditions:
  Type   Status
  Ready  True
Volumes:
  v:
    Type:        ConfigMap
    Name:        cm
QoS Class:       BestEffort
Node-Selectors:  <none>
Tolerations:     k:NoExecute op=Exists for 300s
";
        assert_eq!(out.finish(), expected);
    }
}
