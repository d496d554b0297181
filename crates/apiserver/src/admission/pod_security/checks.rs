//! The controls of the standards: each looks at one thing that a pod can ask for. Pure.
//!
//! Spec: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

mod fields;

use std::collections::BTreeSet;

use serde_json::Value;

use self::fields::{containers, named, plural, quoted, setters};
use super::{SECCOMP_CONTAINER, SECCOMP_POD};
use crate::admission::{items, text};

/// What a pod asks for and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) reason: String,
    pub(super) detail: String,
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a check gives")]
fn violation(reason: &str, detail: String) -> Option<Violation> {
    Some(Violation { reason: reason.to_owned(), detail })
}

/// The names of the containers of which something holds.
fn bad(spec: &Value, is_bad: impl Fn(&Value) -> bool) -> Vec<String> {
    let found = containers(spec).filter(|container| is_bad(container));
    found.map(|container| text(container, "name").to_owned()).collect()
}

/// A violation by containers that ask for what they must not, told as `container "a" REST`.
fn by_containers(reason: &str, names: &[String], rest: &str) -> Option<Violation> {
    if names.is_empty() { None } else { violation(reason, format!("{} {rest}", named(names))) }
}

/// Whether a pod is one for Windows, of which some controls of Linux are not asked.
fn is_windows(spec: &Value) -> bool {
    spec["os"]["name"] == "windows"
}

/// Whether the users of a pod are not those of its node, so that root in it is nobody outside.
fn has_own_users(spec: &Value) -> bool {
    spec["hostUsers"] == false
}

pub(super) fn app_armor(metadata: &Value, spec: &Value) -> Option<Violation> {
    let profile = |context: &Value| context["appArmorProfile"]["type"].as_str().map(str::to_owned);
    let allowed = |profile: &str| matches!(profile, "RuntimeDefault" | "Localhost");
    let (mut setters, values) = setters(spec, profile, allowed);
    let mut values: Vec<String> = values.into_iter().collect();
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let forbidden: BTreeSet<String> = annotations
        .filter(|(key, _)| key.starts_with("container.apparmor.security.beta.kubernetes.io/"))
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .filter(|(_, value)| {
            !value.is_empty() && *value != "runtime/default" && !value.starts_with("localhost/")
        })
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    if !forbidden.is_empty() {
        setters.push(plural("annotation", "annotations", forbidden.len()).to_owned());
        values.extend(forbidden);
    }
    if setters.is_empty() {
        return None;
    }
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    let setters = setters.join(" and ");
    violation(
        reason,
        format!("{setters} must not set AppArmor profile type to {}", quoted(&values)),
    )
}

/// Capabilities that containers may have added.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The containers that have capabilities added beyond some, and which.
fn added(spec: &Value, allowed: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut found = BTreeSet::new();
    let names = bad(spec, |container| {
        let added = items(&container["securityContext"]["capabilities"], "add").iter();
        added.filter_map(Value::as_str).any(|one| !allowed.contains(&one))
    });
    for container in containers(spec) {
        let added = items(&container["securityContext"]["capabilities"], "add").iter();
        let beyond = added.filter_map(Value::as_str).filter(|one| !allowed.contains(one));
        found.extend(beyond.map(str::to_owned));
    }
    (names, found.into_iter().collect())
}

pub(super) fn capabilities_baseline(_: &Value, spec: &Value) -> Option<Violation> {
    let (names, found) = added(spec, &CAPABILITIES);
    let rest = format!("must not include {} in securityContext.capabilities.add", quoted(&found));
    by_containers("non-default capabilities", &names, &rest)
}

pub(super) fn capabilities_restricted(_: &Value, spec: &Value) -> Option<Violation> {
    let keeping = bad(spec, |container| {
        let dropped = items(&container["securityContext"]["capabilities"], "drop");
        !dropped.iter().any(|one| one == "ALL")
    });
    let (adding, found) = added(spec, &["NET_BIND_SERVICE"]);
    let mut details = Vec::new();
    if !keeping.is_empty() {
        let keeping = named(&keeping);
        details.push(format!("{keeping} must set securityContext.capabilities.drop=[\"ALL\"]"));
    }
    if !adding.is_empty() {
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            named(&adding),
            quoted(&found)
        ));
    }
    if details.is_empty() {
        return None;
    }
    violation("unrestricted capabilities", details.join("; "))
}

pub(super) fn capabilities_linux(metadata: &Value, spec: &Value) -> Option<Violation> {
    if is_windows(spec) { None } else { capabilities_restricted(metadata, spec) }
}

pub(super) fn host_namespaces(_: &Value, spec: &Value) -> Option<Violation> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter();
    let shared: Vec<String> =
        shared.filter(|field| spec[*field] == true).map(|field| format!("{field}=true")).collect();
    if shared.is_empty() { None } else { violation("host namespaces", shared.join(", ")) }
}

pub(super) fn host_path_volumes(_: &Value, spec: &Value) -> Option<Violation> {
    let volumes = items(spec, "volumes").iter().filter(|volume| volume["hostPath"].is_object());
    let names: Vec<String> = volumes.map(|volume| text(volume, "name").to_owned()).collect();
    if names.is_empty() {
        return None;
    }
    let word = plural("volume", "volumes", names.len());
    violation("hostPath volumes", format!("{word} {}", quoted(&names)))
}

pub(super) fn host_ports(_: &Value, spec: &Value) -> Option<Violation> {
    let ports = |container: &Value| -> Vec<String> {
        let ports = items(container, "ports").iter();
        let ports = ports.filter_map(|port| port["hostPort"].as_i64()).filter(|port| *port != 0);
        ports.map(|port| port.to_string()).collect()
    };
    let names = bad(spec, |container| !ports(container).is_empty());
    if names.is_empty() {
        return None;
    }
    let found: BTreeSet<String> = containers(spec).flat_map(ports).collect();
    let found: Vec<String> = found.into_iter().collect();
    let (verb, word) =
        (plural("uses", "use", names.len()), plural("hostPort", "hostPorts", found.len()));
    violation("hostPort", format!("{} {verb} {word} {}", named(&names), found.join(", ")))
}

pub(super) fn host_probes(_: &Value, spec: &Value) -> Option<Violation> {
    let hosts = |container: &Value| -> Vec<String> {
        let probes = ["livenessProbe", "readinessProbe", "startupProbe"];
        let probes = probes.iter().map(|probe| &container[*probe]);
        let hooks = ["postStart", "preStop"].iter().map(|hook| &container["lifecycle"][*hook]);
        let actions = probes.chain(hooks).flat_map(|one| [&one["httpGet"], &one["tcpSocket"]]);
        let hosts = actions.map(|action| text(action, "host")).filter(|host| !host.is_empty());
        hosts.map(str::to_owned).collect()
    };
    let names: BTreeSet<String> =
        bad(spec, |container| !hosts(container).is_empty()).into_iter().collect();
    let names: Vec<String> = names.into_iter().collect();
    if names.is_empty() {
        return None;
    }
    let found: BTreeSet<String> = containers(spec).flat_map(hosts).collect();
    let found: Vec<String> = found.into_iter().collect();
    let (verb, word) = (
        plural("uses", "use", names.len()),
        plural("probe or lifecycle host", "probe or lifecycle hosts", found.len()),
    );
    let detail = format!("{} {verb} {word} {}", named(&names), quoted(&found));
    violation("probe or lifecycle host", detail)
}

pub(super) fn privileged(_: &Value, spec: &Value) -> Option<Violation> {
    let names = bad(spec, |container| container["securityContext"]["privileged"] == true);
    by_containers("privileged", &names, "must not set securityContext.privileged=true")
}

pub(super) fn proc_mount(_: &Value, spec: &Value) -> Option<Violation> {
    let mount = |container: &Value| {
        let mount = container["securityContext"]["procMount"].as_str();
        mount.filter(|mount| *mount != "Default").map(str::to_owned)
    };
    let names = bad(spec, |container| mount(container).is_some());
    let found: BTreeSet<String> = containers(spec).filter_map(mount).collect();
    let found: Vec<String> = found.into_iter().collect();
    let rest = format!("must not set securityContext.procMount to {}", quoted(&found));
    by_containers("procMount", &names, &rest)
}

pub(super) fn proc_mount_of_hosts_users(metadata: &Value, spec: &Value) -> Option<Violation> {
    if has_own_users(spec) { None } else { proc_mount(metadata, spec) }
}

pub(super) fn selinux(_: &Value, spec: &Value) -> Option<Violation> {
    selinux_with(spec, &["", "container_t", "container_init_t", "container_kvm_t"])
}

pub(super) fn selinux_1_31(_: &Value, spec: &Value) -> Option<Violation> {
    let types = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
    selinux_with(spec, &types)
}

fn selinux_with(spec: &Value, types: &[&str]) -> Option<Violation> {
    let is_set = |context: &Value, field: &str| !text(&context["seLinuxOptions"], field).is_empty();
    let bad_type = |context: &Value| !types.contains(&text(&context["seLinuxOptions"], "type"));
    let is_bad =
        |context: &Value| bad_type(context) || is_set(context, "user") || is_set(context, "role");
    let contexts: Vec<&Value> = std::iter::once(&spec["securityContext"])
        .chain(containers(spec).map(|container| &container["securityContext"]))
        .collect();
    let mut setters = Vec::new();
    if is_bad(&spec["securityContext"]) {
        setters.push("pod".to_owned());
    }
    let names = bad(spec, |container| is_bad(&container["securityContext"]));
    if !names.is_empty() {
        setters.push(named(&names));
    }
    if setters.is_empty() {
        return None;
    }
    let found: BTreeSet<String> = contexts
        .iter()
        .filter(|context| bad_type(context))
        .map(|context| text(&context["seLinuxOptions"], "type").to_owned())
        .collect();
    let found: Vec<String> = found.into_iter().collect();
    let mut data = Vec::new();
    if !found.is_empty() {
        data.push(format!("{} {}", plural("type", "types", found.len()), quoted(&found)));
    }
    for field in ["user", "role"] {
        if contexts.iter().any(|context| is_set(context, field)) {
            data.push(format!("{field} may not be set"));
        }
    }
    let detail = format!(
        "{} set forbidden securityContext.seLinuxOptions: {}",
        setters.join(" and "),
        data.join("; ")
    );
    violation("seLinuxOptions", detail)
}

pub(super) fn seccomp_annotations(metadata: &Value, spec: &Value) -> Option<Violation> {
    let keys = containers(spec).map(|one| format!("{SECCOMP_CONTAINER}{}", text(one, "name")));
    let forbidden: BTreeSet<String> = std::iter::once(SECCOMP_POD.to_owned())
        .chain(keys)
        .filter_map(|key| {
            let value = metadata["annotations"][&key].as_str()?;
            let allowed = matches!(value, "runtime/default" | "docker/default")
                || value.starts_with("localhost/");
            (!allowed).then(|| format!("{key}={value:?}"))
        })
        .collect();
    if forbidden.is_empty() {
        return None;
    }
    let word = plural("annotation", "annotations", forbidden.len());
    let forbidden: Vec<String> = forbidden.into_iter().collect();
    violation("seccompProfile", format!("forbidden {word} {}", forbidden.join(", ")))
}

fn seccomp(context: &Value) -> Option<String> {
    let profile = context["seccompProfile"].as_object()?;
    Some(profile.get("type").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn is_seccomp_allowed(profile: &str) -> bool {
    matches!(profile, "RuntimeDefault" | "Localhost")
}

pub(super) fn seccomp_baseline(_: &Value, spec: &Value) -> Option<Violation> {
    let (setters, values) = setters(spec, seccomp, is_seccomp_allowed);
    if setters.is_empty() {
        return None;
    }
    let values: Vec<String> = values.into_iter().collect();
    let detail = format!(
        "{} must not set securityContext.seccompProfile.type to {}",
        setters.join(" and "),
        quoted(&values)
    );
    violation("seccompProfile", detail)
}

pub(super) fn seccomp_restricted(metadata: &Value, spec: &Value) -> Option<Violation> {
    if let Some(set) = seccomp_baseline(metadata, spec) {
        return Some(set);
    }
    if seccomp(&spec["securityContext"]).is_some() {
        return None;
    }
    let names = bad(spec, |container| seccomp(&container["securityContext"]).is_none());
    if names.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
         \"Localhost\"",
        named(&names)
    );
    violation("seccompProfile", detail)
}

pub(super) fn seccomp_linux(metadata: &Value, spec: &Value) -> Option<Violation> {
    if is_windows(spec) { None } else { seccomp_restricted(metadata, spec) }
}

/// Settings of the kernel that pods have for themselves; each later version adds some at the end.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

fn sysctls_with(spec: &Value, allowed: &[&str]) -> Option<Violation> {
    let asked = items(&spec["securityContext"], "sysctls").iter().map(|one| text(one, "name"));
    let forbidden: Vec<&str> = asked.filter(|name| !allowed.contains(name)).collect();
    if forbidden.is_empty() {
        return None;
    }
    violation("forbidden sysctls", forbidden.join(", "))
}

pub(super) fn sysctls(_: &Value, spec: &Value) -> Option<Violation> {
    sysctls_with(spec, &SYSCTLS[..5])
}

pub(super) fn sysctls_1_27(_: &Value, spec: &Value) -> Option<Violation> {
    sysctls_with(spec, &SYSCTLS[..6])
}

pub(super) fn sysctls_1_29(_: &Value, spec: &Value) -> Option<Violation> {
    sysctls_with(spec, &SYSCTLS[..10])
}

pub(super) fn sysctls_1_32(_: &Value, spec: &Value) -> Option<Violation> {
    sysctls_with(spec, &SYSCTLS)
}

pub(super) fn host_process(_: &Value, spec: &Value) -> Option<Violation> {
    let is_bad = |context: &Value| context["windowsOptions"]["hostProcess"] == true;
    let setters = fields::setters_where(spec, is_bad);
    if setters.is_empty() {
        return None;
    }
    let setters = setters.join(" and ");
    let detail = format!("{setters} must not set securityContext.windowsOptions.hostProcess=true");
    violation("hostProcess", detail)
}

pub(super) fn privilege_escalation(_: &Value, spec: &Value) -> Option<Violation> {
    let names =
        bad(spec, |container| container["securityContext"]["allowPrivilegeEscalation"] != false);
    let rest = "must set securityContext.allowPrivilegeEscalation=false";
    by_containers("allowPrivilegeEscalation != false", &names, rest)
}

pub(super) fn privilege_escalation_linux(metadata: &Value, spec: &Value) -> Option<Violation> {
    if is_windows(spec) { None } else { privilege_escalation(metadata, spec) }
}

/// The kinds of volumes that everybody may have.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

pub(super) fn restricted_volumes(_: &Value, spec: &Value) -> Option<Violation> {
    // A volume is of the kind of its only source.
    let kind = |volume: &Value| -> Option<String> {
        let fields = volume.as_object()?.iter().filter(|(_, source)| !source.is_null());
        let kinds: Vec<&String> = fields.map(|(key, _)| key).filter(|key| *key != "name").collect();
        if kinds.iter().any(|kind| VOLUMES.contains(&kind.as_str())) {
            return None;
        }
        Some(kinds.first().map_or_else(|| "unknown".to_owned(), |kind| (*kind).clone()))
    };
    let volumes = items(spec, "volumes");
    let bad: Vec<&Value> = volumes.iter().filter(|volume| kind(volume).is_some()).collect();
    if bad.is_empty() {
        return None;
    }
    let names: Vec<String> = bad.iter().map(|volume| text(volume, "name").to_owned()).collect();
    let kinds: BTreeSet<String> = bad.iter().filter_map(|volume| kind(volume)).collect();
    let kinds: Vec<String> = kinds.into_iter().collect();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        quoted(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", kinds.len()),
        quoted(&kinds),
    );
    violation("restricted volume types", detail)
}

pub(super) fn run_as_non_root(_: &Value, spec: &Value) -> Option<Violation> {
    let setters = fields::setters_where(spec, |context| context["runAsNonRoot"] == false);
    if !setters.is_empty() {
        let setters = setters.join(" and ");
        let detail = format!("{setters} must not set securityContext.runAsNonRoot=false");
        return violation("runAsNonRoot != true", detail);
    }
    if spec["securityContext"]["runAsNonRoot"] == true {
        return None;
    }
    let names = bad(spec, |container| container["securityContext"]["runAsNonRoot"] != true);
    if names.is_empty() {
        return None;
    }
    let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", named(&names));
    violation("runAsNonRoot != true", detail)
}

pub(super) fn run_as_non_root_of_hosts_users(metadata: &Value, spec: &Value) -> Option<Violation> {
    if has_own_users(spec) { None } else { run_as_non_root(metadata, spec) }
}

pub(super) fn run_as_user(_: &Value, spec: &Value) -> Option<Violation> {
    let setters = fields::setters_where(spec, |context| context["runAsUser"] == 0);
    if setters.is_empty() {
        return None;
    }
    violation("runAsUser=0", format!("{} must not set runAsUser=0", setters.join(" and ")))
}

pub(super) fn run_as_user_of_hosts_users(metadata: &Value, spec: &Value) -> Option<Violation> {
    if has_own_users(spec) { None } else { run_as_user(metadata, spec) }
}
