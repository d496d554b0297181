//! From a specification to what the engine is asked to make. Pure.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, PortBinding,
};
use wk_runtime::{
    ContainerId, ContainerSpec, LinuxPod, PodRef, PortProtocol, Propagation, Recursive, Sandbox,
    Seccomp,
};

use crate::engine::Facts;
use crate::labels;

/// Bytes of each of the two files in which the engine keeps a program's output until it is in the
/// pod's log: what may be written while this process is away without anything being lost.
const ENGINE_LOG_BYTES: &str = "16m";
const ENGINE_LOG_FILES: &str = "2";
/// Microseconds in which a container may use up its share of processor time.
const CPU_PERIOD: i64 = 100_000;
/// The least that the kernel takes.
const MIN_CPU_QUOTA: i64 = 1000;
const MIN_CPU_SHARES: u64 = 2;
const MAX_CPU_SHARES: u64 = 262_144;
/// A sandbox ends last of all, as in Kubernetes.
const SANDBOX_OOM_SCORE: i64 = -998;

/// What the engine calls a container of this id.
pub(crate) fn container_name(owner: &str, id: &ContainerId) -> String {
    format!("wk-{owner}-{id}")
}

/// What the engine calls a pod's sandbox.
pub(crate) fn sandbox_name(owner: &str, pod_uid: &str) -> String {
    format!("wk-{owner}-{pod_uid}-sandbox")
}

/// The container that holds a pod's namespaces.
pub(crate) fn sandbox(
    owner: &str,
    image: String,
    (of, network, pod): (&PodRef, &Sandbox, &LinuxPod),
    facts: &Facts,
) -> ContainerCreateBody {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for published in &pod.published {
        let protocol = match published.protocol {
            PortProtocol::Tcp => "tcp",
            PortProtocol::Udp => "udp",
            PortProtocol::Sctp => "sctp",
        };
        let binding = PortBinding {
            host_ip: Some(published.node.ip().to_string()),
            host_port: Some(published.node.port().to_string()),
        };
        let port = format!("{}/{protocol}", published.port);
        bindings.entry(port).or_default().get_or_insert_default().push(binding);
    }
    let mut exposed: Vec<String> = bindings.keys().cloned().collect();
    exposed.sort();
    let host_mode = |host: bool, otherwise: &str| {
        Some(if host { "host" } else { otherwise }.to_owned()).filter(|mode| !mode.is_empty())
    };
    let aliases = network.host_aliases.iter();
    let hosts = aliases.flat_map(|(name, ips)| ips.iter().map(move |ip| format!("{name}:{ip}")));
    let sysctls: HashMap<String, String> = pod.sysctls.clone().into_iter().collect();
    let host_config = HostConfig {
        network_mode: host_mode(network.host_network, "bridge"),
        ipc_mode: host_mode(pod.host_ipc, "shareable"),
        pid_mode: host_mode(pod.host_pid, ""),
        port_bindings: Some(bindings),
        extra_hosts: Some(hosts.collect()),
        sysctls: Some(sysctls),
        cpu_shares: i64::try_from(MIN_CPU_SHARES).ok(),
        oom_score_adj: facts.may_prefer.then_some(SANDBOX_OOM_SCORE),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(image),
        // The host's own name belongs to its network.
        hostname: (!network.host_network).then(|| network.hostname.clone()),
        exposed_ports: Some(exposed),
        labels: Some(labels::of_sandbox(owner, of)),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

/// A container of the pod whose sandbox the engine knows as `sandbox`.
pub(crate) fn container(
    owner: &str,
    id: &ContainerId,
    image: String,
    sandbox: &str,
    spec: &ContainerSpec,
    facts: &Facts,
) -> ContainerCreateBody {
    let some = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
    // A later value of one name wins.
    let env: BTreeMap<&str, &str> =
        spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ContainerCreateBody {
        image: Some(image),
        user: spec.linux.user.clone(),
        entrypoint: some(&spec.command),
        // With a command of the pod's own the engine leaves the image's arguments out.
        cmd: some(&spec.args),
        env: Some(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()),
        working_dir: spec.working_dir.clone(),
        tty: Some(spec.stdio.tty),
        open_stdin: Some(spec.stdio.stdin),
        stdin_once: Some(spec.stdio.stdin && spec.stdio.stdin_once),
        // Probes of the pod are the only ones.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        labels: Some(labels::of_container(owner, id, spec)),
        host_config: Some(host_config((owner, sandbox), spec, facts)),
        ..ContainerCreateBody::default()
    }
}

fn host_config((owner, sandbox): (&str, &str), spec: &ContainerSpec, facts: &Facts) -> HostConfig {
    let (linux, pod, limits) = (&spec.linux, &spec.linux.pod, spec.limits);
    let of_sandbox = format!("container:{sandbox}");
    let memory = limits.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let quota = limits.cpu_millis.map(|millis| {
        let quota = i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(CPU_PERIOD / 1000);
        quota.max(MIN_CPU_QUOTA)
    });
    let shares = linux.cpu_request_millis.or(limits.cpu_millis).unwrap_or_default();
    let shares = shares.saturating_mul(1024) / 1000;
    let score = i64::from(linux.oom_score_adj);
    let log = [("max-size", ENGINE_LOG_BYTES), ("max-file", ENGINE_LOG_FILES)];
    let log = log.map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfig {
        network_mode: Some(of_sandbox.clone()),
        ipc_mode: Some(if pod.host_ipc { "host".to_owned() } else { of_sandbox.clone() }),
        pid_mode: if pod.host_pid {
            Some("host".to_owned())
        } else if pod.share_processes {
            Some(of_sandbox)
        } else {
            linux.target.as_ref().map(|id| format!("container:{}", container_name(owner, id)))
        },
        memory,
        // No swap: the limit is one of memory and swap together.
        memory_swap: memory,
        cpu_period: quota.map(|_| CPU_PERIOD),
        cpu_quota: quota,
        cpu_shares: i64::try_from(shares.clamp(MIN_CPU_SHARES, MAX_CPU_SHARES)).ok(),
        pids_limit: linux.max_pids.map(i64::from),
        oom_score_adj: Some(score).filter(|score| facts.may_prefer || *score >= 0),
        mounts: Some(spec.mounts.iter().map(|one| mount(one, facts)).collect()),
        cap_add: Some(linux.add_capabilities.clone()),
        cap_drop: Some(linux.drop_capabilities.clone()),
        group_add: Some(linux.groups.iter().map(u32::to_string).collect()),
        privileged: Some(linux.privileged),
        readonly_rootfs: Some(linux.read_only_root),
        security_opt: Some(security_options(spec)),
        masked_paths: linux.unmasked_proc.then(Vec::new),
        readonly_paths: linux.unmasked_proc.then(Vec::new),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(log.into()),
        }),
        ..HostConfig::default()
    }
}

/// Refuses what an engine cannot do and would leave out.
///
/// # Errors
/// What it is, and what would help.
pub(crate) fn check(spec: &ContainerSpec, facts: &Facts) -> Result<(), String> {
    if spec.linux.pod.own_users && !facts.maps_users {
        return Err(
            "hostUsers: false is not possible: this container engine maps users for all of its \
             containers or for none, and has been told to do it for none (Docker's setting is \
             `userns-remap`)"
                .to_owned(),
        );
    }
    let recursive = spec.mounts.iter().find(|mount| mount.recursive_read_only == Recursive::Yes);
    match recursive.filter(|_| !facts.mounts_recursively) {
        Some(mount) => Err(format!(
            "recursiveReadOnly: Enabled of `{}` is not possible: the container engine is too old, \
             it has to speak version 1.44 of Docker's API",
            mount.container_path
        )),
        None => Ok(()),
    }
}

fn mount(mount: &wk_runtime::Mount, facts: &Facts) -> Mount {
    let propagation = match mount.propagation {
        Propagation::None => None,
        Propagation::HostToContainer => Some(MountBindOptionsPropagationEnum::RSLAVE),
        Propagation::Bidirectional => Some(MountBindOptionsPropagationEnum::RSHARED),
    };
    let recursive = mount.recursive_read_only;
    // Engines that know the difference make it by themselves where they are not told.
    let knows = mount.read_only && facts.mounts_recursively;
    let options = MountBindOptions {
        propagation,
        read_only_non_recursive: (knows && recursive == Recursive::No).then_some(true),
        read_only_force_recursive: (knows && recursive == Recursive::Yes).then_some(true),
        ..MountBindOptions::default()
    };
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.host_path.display().to_string()),
        target: Some(mount.container_path.clone()),
        read_only: Some(mount.read_only),
        bind_options: (options != MountBindOptions::default()).then_some(options),
        ..Mount::default()
    }
}

fn security_options(spec: &ContainerSpec) -> Vec<String> {
    let linux = &spec.linux;
    let mut options = Vec::new();
    if linux.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &linux.seccomp {
        Seccomp::EngineDefault => {}
        Seccomp::Unconfined => options.push("seccomp=unconfined".to_owned()),
        Seccomp::Profile(profile) => options.push(format!("seccomp={profile}")),
    }
    options.extend(linux.apparmor.as_ref().map(|profile| format!("apparmor={profile}")));
    options
}

#[cfg(test)]
mod tests;
