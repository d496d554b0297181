//! What a pod's security context and resources mean for Linux containers, and what of that a
//! WebAssembly program cannot have. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, Pod, PodSpec, SeccompProfile, SecurityContext,
};
use wk_api::Quantity;
use wk_runtime::{ContainerId, LinuxPod, LinuxSpec, PortProtocol, PublishedPort, Sandbox, Seccomp};

use crate::config::LinuxDefaults;

/// What is known beside the pod.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) sandbox: &'a Sandbox,
    /// The user that the image wants: `user`, `uid`, `user:group` or `uid:gid`.
    pub(crate) image_user: Option<&'a str>,
    pub(crate) defaults: &'a LinuxDefaults,
    /// Memory of the node, in bytes.
    pub(crate) node_memory: i64,
    /// The container that an ephemeral one is to look into.
    pub(crate) target: Option<&'a ContainerId>,
    /// Reads a profile of the node by its name.
    pub(crate) seccomp_profile: &'a dyn Fn(&str) -> Result<String, String>,
}

/// The Linux part of a container's specification.
///
/// # Errors
/// In words for the container's status.
pub(crate) fn spec(
    spec: &PodSpec,
    container: &Container,
    given: Given<'_>,
) -> Result<LinuxSpec, String> {
    let default = SecurityContext::default();
    let own = container.security_context.as_ref().unwrap_or(&default);
    let pod = spec.security_context.clone().unwrap_or_default();
    let user = own.run_as_user.or(pod.run_as_user);
    let group = own.run_as_group.or(pod.run_as_group);
    if own.run_as_non_root.or(pod.run_as_non_root) == Some(true) {
        check_non_root(user, container, given)?;
    }
    let groups = pod.supplemental_groups.into_iter().flatten().chain(pod.fs_group);
    let capabilities = own.capabilities.clone().unwrap_or_default();
    let plain = |names: Option<Vec<String>>| -> Vec<String> {
        let names = names.unwrap_or_default().into_iter();
        names.map(|name| name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)).collect()
    };
    let privileged = own.privileged == Some(true);
    let resources = container.resources.as_ref();
    let request = |name: &str| {
        let requests = resources.and_then(|resources| resources.requests.as_ref())?;
        Quantity::parse(&requests.get(name)?.0).ok()
    };
    let cpu_request = request("cpu").and_then(|cpu| u64::try_from(cpu.milli()).ok());
    let memory_request = request("memory").map_or(0, Quantity::value);
    let seccomp = own.seccomp_profile.as_ref().or(pod.seccomp_profile.as_ref());
    let apparmor = own.app_armor_profile.as_ref().or(pod.app_armor_profile.as_ref());
    Ok(LinuxSpec {
        user: engine_user(user, group, given.image_user),
        groups: groups.filter_map(|group| u32::try_from(group).ok()).collect(),
        privileged,
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        read_only_root: own.read_only_root_filesystem == Some(true),
        add_capabilities: plain(capabilities.add),
        drop_capabilities: plain(capabilities.drop),
        seccomp: if privileged { Seccomp::Unconfined } else { seccomp_of(seccomp, given)? },
        apparmor: apparmor.and_then(apparmor_of),
        unmasked_proc: own.proc_mount.as_deref() == Some("Unmasked"),
        cpu_request_millis: cpu_request,
        max_pids: given.defaults.max_pids,
        oom_score_adj: oom_score(spec, given, memory_request),
        target: given.target.cloned(),
        pod: of_pod(spec, given.sandbox),
    })
}

/// What the Linux containers of a pod have in common.
pub(crate) fn of_pod(spec: &PodSpec, sandbox: &Sandbox) -> LinuxPod {
    let sysctls = spec.security_context.iter().flat_map(|pod| pod.sysctls.iter().flatten());
    LinuxPod {
        published: published(spec, sandbox),
        host_pid: spec.host_pid == Some(true),
        host_ipc: spec.host_ipc == Some(true),
        share_processes: spec.share_process_namespace == Some(true),
        own_users: spec.host_users == Some(false),
        sysctls: sysctls
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// Refuses a WebAssembly program that asks for what only Linux programs have. What changes nothing
/// for it, such as the user that it runs as, is no reason.
///
/// # Errors
/// What cannot be had.
pub(crate) fn check_wasm(spec: &PodSpec, container: &Container) -> Result<(), String> {
    let own = container.security_context.as_ref();
    let added = own.and_then(|own| own.capabilities.as_ref()?.add.as_ref());
    // It has none, and needs none for any port of its pod's address, nor to look into processes,
    // which is what `kubectl debug` always asks for.
    let needless = |name: &String| {
        let name = name.strip_prefix("CAP_").unwrap_or(name);
        matches!(name, "NET_BIND_SERVICE" | "SYS_PTRACE")
    };
    let mut ephemeral = spec.ephemeral_containers.iter().flatten();
    let targets = ephemeral.any(|one| {
        one.name == container.name
            && one.target_container_name.as_ref().is_some_and(|name| !name.is_empty())
    });
    let sysctls = spec.security_context.as_ref().and_then(|pod| pod.sysctls.as_ref());
    let asked = [
        (own.and_then(|own| own.privileged) == Some(true), "securityContext.privileged"),
        (
            added.is_some_and(|names| !names.iter().all(needless)),
            "securityContext.capabilities.add",
        ),
        (targets, "targetContainerName"),
        (spec.host_pid == Some(true), "hostPID"),
        (spec.host_ipc == Some(true), "hostIPC"),
        (spec.share_process_namespace == Some(true), "shareProcessNamespace"),
        (sysctls.is_some_and(|all| !all.is_empty()), "securityContext.sysctls"),
    ];
    let dns = spec.dns_config.as_ref();
    let lists = |list: Option<&Vec<String>>| list.is_some_and(|list| !list.is_empty());
    let resolves = spec.dns_policy.as_deref() == Some("None")
        || lists(dns.and_then(|dns| dns.nameservers.as_ref()))
        || lists(dns.and_then(|dns| dns.searches.as_ref()));
    if resolves {
        return Err(
            "dnsPolicy `None`, and nameservers and searches of dnsConfig, are not possible \
                    for a WebAssembly program, for which the node looks names up; use a Linux image"
                .to_owned(),
        );
    }
    match asked.iter().find(|(is_asked, _)| *is_asked) {
        Some((_, field)) => Err(format!(
            "{field} is not possible for a WebAssembly program, which has no processes, \
             capabilities or kernel settings; use a Linux image"
        )),
        None => Ok(()),
    }
}

fn check_non_root(
    user: Option<i64>,
    container: &Container,
    given: Given<'_>,
) -> Result<(), String> {
    let meta = &given.pod.metadata;
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let pod = format!("{}_{}({})", of(&meta.name), of(&meta.namespace), of(&meta.uid));
    let place = format!("(pod: \"{pod}\", container: {})", container.name);
    if let Some(user) = user {
        return if user == 0 {
            Err(format!("container's runAsUser breaks non-root policy {place}"))
        } else {
            Ok(())
        };
    }
    let image = given.image_user.unwrap_or_default().split(':').next().unwrap_or_default();
    match image.parse::<i64>() {
        Ok(0) => {}
        Ok(_) => return Ok(()),
        Err(_) if image.is_empty() => {}
        Err(_) => {
            return Err(format!(
                "container has runAsNonRoot and image has non-numeric user ({image}), cannot \
                 verify user is non-root {place}"
            ));
        }
    }
    Err(format!("container has runAsNonRoot and image will run as root {place}"))
}

/// The user in the words of engines; `None` leaves it to the image.
fn engine_user(user: Option<i64>, group: Option<i64>, image: Option<&str>) -> Option<String> {
    match (user, group) {
        (None, None) => None,
        (Some(user), None) => Some(user.to_string()),
        (Some(user), Some(group)) => Some(format!("{user}:{group}")),
        (None, Some(group)) => {
            let image = image.and_then(|image| image.split(':').next());
            let image = image.filter(|user| !user.is_empty()).unwrap_or("0");
            Some(format!("{image}:{group}"))
        }
    }
}

fn seccomp_of(profile: Option<&SeccompProfile>, given: Given<'_>) -> Result<Seccomp, String> {
    let Some(profile) = profile else {
        return Ok(if given.defaults.seccomp_default {
            Seccomp::EngineDefault
        } else {
            Seccomp::Unconfined
        });
    };
    match profile.type_.as_str() {
        "RuntimeDefault" => Ok(Seccomp::EngineDefault),
        "Localhost" => {
            let name = profile.localhost_profile.as_deref().unwrap_or_default();
            (given.seccomp_profile)(name).map(Seccomp::Profile)
        }
        _ => Ok(Seccomp::Unconfined),
    }
}

fn apparmor_of(profile: &AppArmorProfile) -> Option<String> {
    match profile.type_.as_str() {
        "Unconfined" => Some("unconfined".to_owned()),
        "Localhost" => profile.localhost_profile.clone(),
        _ => None,
    }
}

/// Who ends first when the node runs out of memory.
/// Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior>
fn oom_score(spec: &PodSpec, given: Given<'_>, memory_request: i64) -> i32 {
    let class = given.pod.status.as_ref().and_then(|status| status.qos_class.as_deref());
    // What the cluster needs as a whole can run elsewhere.
    if spec.priority_class_name.as_deref() == Some("system-node-critical") {
        return -997;
    }
    match class {
        Some("Guaranteed") => -997,
        Some("Burstable") => {
            let share = i128::from(memory_request) * 1000 / i128::from(given.node_memory.max(1));
            i32::try_from(1000 - share).unwrap_or_default().clamp(3, 999)
        }
        _ => 1000,
    }
}

/// The ports that the pod declares, and those of the node that lead to them.
fn published(spec: &PodSpec, sandbox: &Sandbox) -> Vec<PublishedPort> {
    if sandbox.host_network || sandbox.netns.is_some() {
        return Vec::new();
    }
    let mut all = BTreeSet::new();
    let init = spec.init_containers.iter().flatten();
    for container in spec.containers.iter().chain(init) {
        for port in container.ports.iter().flatten() {
            let Ok(number) = u16::try_from(port.container_port) else { continue };
            let protocol = match port.protocol.as_deref() {
                Some("UDP") => PortProtocol::Udp,
                Some("SCTP") => PortProtocol::Sctp,
                _ => PortProtocol::Tcp,
            };
            let mut publish = |ip: IpAddr, node: u16| {
                let node = SocketAddr::new(ip, node);
                all.insert(PublishedPort { node, port: number, protocol });
            };
            publish(sandbox.ip, number);
            let host_port = port.host_port.and_then(|port| u16::try_from(port).ok());
            if let Some(host_port) = host_port.filter(|port| *port > 0) {
                let ip = port.host_ip.as_deref().and_then(|ip| ip.parse().ok());
                publish(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), host_port);
            }
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;
