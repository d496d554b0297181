//! What pods and pod templates consist of: containers, volumes, and where they may run.

use serde_json::Value;

use super::text::Text;
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// The items of a list in an object.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A text, or what stands for nothing.
pub(super) fn or<'a>(text: &'a str, nothing: &'a str) -> &'a str {
    if text.is_empty() { nothing } else { text }
}

/// A time in the words of kubectl.
pub(super) fn time(object: &Value, pointer: &str) -> String {
    match wk_api::parse_time(text(object, pointer)) {
        Some(time) => time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        None => text(object, pointer).to_owned(),
    }
}

/// A value as text; empty if it is not there.
pub(super) fn value(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).map_or(String::new(), plain)
}

/// Whether a field is there and true.
pub(super) fn is_true(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).is_some_and(|value| value == true)
}

/// A pod template, as `describe` and `rollout history` show it.
pub(crate) fn describe(out: &mut Text, template: Option<&Value>) {
    out.line(0, "Pod Template:");
    let Some(template) = template else {
        return out.line(1, "<unset>");
    };
    out.map(1, "Labels:", template.pointer("/metadata/labels"), "=");
    let annotations = template.pointer("/metadata/annotations");
    if annotations.and_then(Value::as_object).is_some_and(|all| !all.is_empty()) {
        out.annotations(1, annotations);
    }
    let spec = template.get("spec").unwrap_or(&Value::Null);
    out.pair_if(1, "Service Account:", text(spec, "/serviceAccountName"));
    let nested = Place { margin: "  ", name: "   ", pod: None };
    if items(spec, "/initContainers").next().is_some() {
        containers(out, "Init Containers:", items(spec, "/initContainers"), &[], nested);
    }
    containers(out, "Containers:", items(spec, "/containers"), &[], nested);
    volumes(out, spec, nested);
    topology(out, 1, spec);
    out.pair_if(1, "Priority Class Name:", text(spec, "/priorityClassName"));
    out.map(1, "Node-Selectors:", spec.get("nodeSelector"), "=");
    tolerations(out, 1, spec);
}

/// Where containers and volumes are: blanks before titles and names, of which a template has more,
/// and the pod, if they are those of one.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) margin: &'static str,
    pub(super) name: &'static str,
    pub(super) pod: Option<&'a Value>,
}

/// Containers, with their statuses where there are any.
pub(super) fn containers<'a>(
    out: &mut Text,
    title: &str,
    specs: impl Iterator<Item = &'a Value>,
    statuses: &[&Value],
    place: Place<'_>,
) {
    out.line(0, format!("{}{title}", place.margin));
    for spec in specs {
        let name = text(spec, "/name");
        out.line(0, format!("{}{name}:", place.name));
        let status = statuses.iter().copied().find(|status| text(status, "/name") == name);
        container(out, spec, status, place.pod);
    }
}

fn container(out: &mut Text, spec: &Value, status: Option<&Value>, pod: Option<&Value>) {
    if let Some(status) = status {
        out.pair(2, "Container ID:", text(status, "/containerID"));
    }
    out.pair(2, "Image:", text(spec, "/image"));
    if let Some(status) = status {
        out.pair(2, "Image ID:", text(status, "/imageID"));
    }
    for (title, field) in [("Port", "/containerPort"), ("Host Port", "/hostPort")] {
        let port = |port: &Value| {
            let number = port.pointer(field).map_or("0".to_owned(), plain);
            let name = match text(port, "/name") {
                "" => String::new(),
                name => format!(" ({name})"),
            };
            format!("{number}/{}{name}", or(text(port, "/protocol"), "TCP"))
        };
        let ports: Vec<String> = items(spec, "/ports").map(port).collect();
        let plural = if ports.len() > 1 { "s:" } else { ":" };
        out.pair(2, &format!("{title}{plural}"), or(&ports.join(", "), "<none>"));
    }
    seccomp(out, 2, spec);
    for (title, field) in [("Command:", "/command"), ("Args:", "/args")] {
        if items(spec, field).next().is_some() {
            out.line(2, title);
            items(spec, field).for_each(|word| {
                plain(word).split('\n').for_each(|line| out.line(3, line));
            });
        }
    }
    if let Some(status) = status {
        state(out, "State:", status.get("state"));
        if status.pointer("/lastState/terminated").is_some() {
            state(out, "Last State:", status.get("lastState"));
        }
        out.pair(2, "Ready:", if is_true(status, "/ready") { "True" } else { "False" });
        out.pair(2, "Restart Count:", status.get("restartCount").map_or("0".to_owned(), plain));
    }
    resources(out, 2, spec.get("resources"));
    for (title, field) in [
        ("Liveness:", "livenessProbe"),
        ("Readiness:", "readinessProbe"),
        ("Startup:", "startupProbe"),
    ] {
        if let Some(described) = spec.get(field).map(probe) {
            out.pair(2, title, described);
        }
    }
    environment(out, spec, pod);
    mounts(out, spec);
}

/// The filter of system calls, if the security context names one.
pub(super) fn seccomp(out: &mut Text, level: usize, spec: &Value) {
    let Some(profile) = spec.pointer("/securityContext/seccompProfile") else { return };
    out.pair(level, "SeccompProfile:", text(profile, "/type"));
    out.pair_if(level, "LocalhostProfile:", text(profile, "/localhostProfile"));
}

/// Limits and requests.
pub(super) fn resources(out: &mut Text, level: usize, resources: Option<&Value>) {
    for (title, field) in [("Limits:", "limits"), ("Requests:", "requests")] {
        let amounts = resources.and_then(|all| all.get(field)).and_then(Value::as_object);
        if let Some(amounts) = amounts.filter(|amounts| !amounts.is_empty()) {
            out.line(level, title);
            for (name, amount) in amounts {
                out.pair(level + 1, &format!("{name}:"), plain(amount));
            }
        }
    }
}

fn state(out: &mut Text, title: &str, state: Option<&Value>) {
    let state = state.and_then(Value::as_object).and_then(|state| state.iter().next());
    let Some((name, details)) = state else { return out.pair(2, title, "Waiting") };
    let mut word = name.clone();
    word[..1].make_ascii_uppercase();
    out.pair(2, title, word);
    out.pair_if(3, "Reason:", text(details, "/reason"));
    match name.as_str() {
        "running" => out.pair(3, "Started:", time(details, "/startedAt")),
        "terminated" => {
            out.pair_if(3, "Message:", text(details, "/message"));
            out.pair(3, "Exit Code:", value(details, "/exitCode"));
            if let Some(signal) = details.get("signal").filter(|signal| **signal != 0) {
                out.pair(3, "Signal:", plain(signal));
            }
            out.pair(3, "Started:", time(details, "/startedAt"));
            out.pair(3, "Finished:", time(details, "/finishedAt"));
        }
        _ => {}
    }
}

fn probe(probe: &Value) -> String {
    let number =
        |field: &str, default: i64| probe.get(field).and_then(Value::as_i64).unwrap_or(default);
    let times = format!(
        "delay={}s timeout={}s period={}s successThreshold={} failureThreshold={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    let what = if let Some(get) = probe.get("httpGet") {
        let scheme = or(text(get, "/scheme"), "HTTP").to_lowercase();
        let (host, port) = (text(get, "/host"), value(get, "/port"));
        format!("http-get {scheme}://{host}:{port}{}", text(get, "/path"))
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!("tcp-socket {}:{}", text(socket, "/host"), value(socket, "/port"))
    } else if let Some(exec) = probe.get("exec") {
        let words: Vec<String> = items(exec, "/command").map(plain).collect();
        format!("exec [{}]", words.join(" "))
    } else if let Some(grpc) = probe.get("grpc") {
        format!("grpc <pod>:{} {}", value(grpc, "/port"), text(grpc, "/service"))
    } else {
        "unknown".to_owned()
    };
    format!("{what} {times}")
}

fn environment(out: &mut Text, spec: &Value, pod: Option<&Value>) {
    if items(spec, "/envFrom").next().is_some() {
        out.line(2, "Environment Variables from:");
    }
    for source in items(spec, "/envFrom") {
        let (what, from) = match source.get("configMapRef") {
            Some(map) => ("ConfigMap", map),
            None => ("Secret", source.get("secretRef").unwrap_or(&Value::Null)),
        };
        let prefix = match text(source, "/prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = is_true(from, "/optional");
        let name = text(from, "/name");
        out.line(3, format!("{name}\t{what}{prefix}\tOptional: {optional}"));
    }
    if items(spec, "/env").next().is_none() {
        return out.pair(2, "Environment:", "<none>");
    }
    out.line(2, "Environment:");
    for variable in items(spec, "/env") {
        let name = format!("{}:", text(variable, "/name"));
        let from = |kind: &str| variable.pointer(&format!("/valueFrom/{kind}"));
        let key = |source: &Value, within: &str| {
            format!(
                "<set to the key '{}' {within} '{}'>\tOptional: {}",
                text(source, "/key"),
                text(source, "/name"),
                is_true(source, "/optional")
            )
        };
        let described = if let Some(source) = from("secretKeyRef") {
            key(source, "in secret")
        } else if let Some(source) = from("configMapKeyRef") {
            key(source, "of config map")
        } else if let Some(field) = from("fieldRef") {
            let version = or(text(field, "/apiVersion"), "v1");
            let path = text(field, "/fieldPath");
            let now = pod.map_or(String::new(), |pod| field_of(pod, path));
            format!("{now} ({version}:{path})")
        } else if let Some(resource) = from("resourceFieldRef") {
            format!("{} ({})", amount(spec, resource), text(resource, "/resource"))
        } else {
            let mut lines = text(variable, "/value").split('\n');
            out.line(3, format!("{name}\t{}", lines.next().unwrap_or_default()));
            lines.for_each(|line| out.line(3, format!("\t{line}")));
            continue;
        };
        out.line(3, format!("{name}\t{described}"));
    }
}

/// What a reference to a field of a pod resolves to, where that is known beforehand. Single labels and
/// annotations are not looked up.
fn field_of(pod: &Value, path: &str) -> String {
    match path.strip_prefix("metadata.") {
        Some(rest) if !rest.contains('[') => value(pod, &format!("/metadata/{rest}")),
        _ => String::new(),
    }
}

/// What a reference to a limit or request of the container resolves to.
fn amount(spec: &Value, reference: &Value) -> String {
    let Some((list, name)) = text(reference, "/resource").split_once('.') else {
        return String::new();
    };
    let quantity = |text: &str| wk_api::Quantity::parse(text).map_or(0.0, wk_api::Quantity::as_f64);
    let whole = quantity(&value(spec, &format!("/resources/{list}/{name}")));
    let divisor = match quantity(&value(reference, "/divisor")) {
        0.0 => 1.0,
        divisor => divisor,
    };
    (whole / divisor).ceil().to_string()
}

fn mounts(out: &mut Text, spec: &Value) {
    let mut mounts: Vec<&Value> = items(spec, "/volumeMounts").collect();
    if mounts.is_empty() {
        out.pair(2, "Mounts:", "<none>");
    } else {
        out.line(2, "Mounts:");
    }
    mounts.sort_by_key(|mount| text(mount, "/mountPath"));
    for mount in mounts {
        let mode = if is_true(mount, "/readOnly") { "ro" } else { "rw" };
        let path = match text(mount, "/subPath") {
            "" => String::new(),
            path => format!(",path={path:?}"),
        };
        let (at, name) = (text(mount, "/mountPath"), text(mount, "/name"));
        out.line(3, format!("{at} from {name} ({mode}{path})"));
    }
    if items(spec, "/volumeDevices").next().is_some() {
        out.line(2, "Devices:");
        for device in items(spec, "/volumeDevices") {
            out.line(3, format!("{} from {}", text(device, "/devicePath"), text(device, "/name")));
        }
    }
}

/// The volumes of a pod.
pub(super) fn volumes(out: &mut Text, spec: &Value, place: Place<'_>) {
    let margin = place.margin;
    if items(spec, "/volumes").next().is_none() {
        return out.line(0, format!("{margin}Volumes:\t<none>"));
    }
    out.line(0, format!("{margin}Volumes:"));
    for volume in items(spec, "/volumes") {
        out.line(0, format!("{}{}:", place.name, text(volume, "/name")));
        super::volume::describe(out, volume);
    }
}

/// How pods are to be spread.
pub(super) fn topology(out: &mut Text, level: usize, spec: &Value) {
    let mut all: Vec<&Value> = items(spec, "/topologySpreadConstraints").collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|constraint| text(constraint, "/topologyKey"));
    let lines: Vec<String> = all
        .into_iter()
        .map(|constraint| {
            let selector = match constraint.get("labelSelector") {
                Some(selector) => format!(" for selector {}", super::selector(Some(selector))),
                None => String::new(),
            };
            format!(
                "{}:{} when max skew {} is exceeded{selector}",
                text(constraint, "/topologyKey"),
                text(constraint, "/whenUnsatisfiable"),
                value(constraint, "/maxSkew")
            )
        })
        .collect();
    out.list(level, "Topology Spread Constraints:", &lines);
}

/// Which taints are tolerated.
pub(super) fn tolerations(out: &mut Text, level: usize, spec: &Value) {
    let mut all: Vec<&Value> = items(spec, "/tolerations").collect();
    all.sort_by_key(|toleration| text(toleration, "/key"));
    let lines: Vec<String> = all.into_iter().map(toleration).collect();
    out.list(level, "Tolerations:", &lines);
}

fn toleration(toleration: &Value) -> String {
    let mut out = text(toleration, "/key").to_owned();
    for (before, field) in [("=", "/value"), (":", "/effect")] {
        let value = text(toleration, field);
        if !value.is_empty() {
            out.extend([before, value]);
        }
    }
    if text(toleration, "/operator") == "Exists" && text(toleration, "/value").is_empty() {
        out.push_str(if out.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration.get("tolerationSeconds") {
        out = format!("{out} for {}s", plain(seconds));
    }
    out
}
