//! What debugging containers may do, by profile.

use serde_json::{Value, json};

/// What is made to look into something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A container in a running pod.
    Ephemeral,
    /// A copy of a pod.
    Copy,
    /// A pod on a node.
    Node,
}

/// What a debugging container may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Profile {
    /// What nodes need, and nothing for pods
    Legacy,
    /// Trace other processes; all of the node
    General,
    /// What the baseline Pod Security Standard allows
    Baseline,
    /// What the restricted Pod Security Standard allows
    Restricted,
    /// Change the network
    Netadmin,
    /// Everything
    Sysadmin,
}

/// Fields of a copy that are as in the pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub(super) annotations: bool,
    pub(super) init_containers: bool,
    pub(super) labels: bool,
    pub(super) liveness: bool,
    pub(super) readiness: bool,
    pub(super) startup: bool,
}

impl Profile {
    /// Gives the container called `name` of a pod what it may do, and its pod what that needs.
    pub(super) fn apply(self, style: Style, pod: &mut Value, name: &str, keep: Keep) {
        match (style, self) {
            (Style::Copy, Self::Legacy) => remove(&mut pod["metadata"], "labels"),
            (Style::Copy, _) => keep.strip(pod),
            (Style::Ephemeral | Style::Node, _) => {}
        }
        match self {
            Self::Legacy => {
                if style == Style::Node {
                    see_the_node(pod, name);
                    share_with_node(pod);
                }
                return;
            }
            Self::General if style == Style::Node => {
                see_the_node(pod, name);
                clear(pod, name);
                share_with_node(pod);
            }
            Self::General => add_capabilities(pod, name, &["SYS_PTRACE"]),
            Self::Baseline => clear(pod, name),
            Self::Restricted => {
                clear(pod, name);
                let context = json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": true,
                    "seccompProfile": {"type": "RuntimeDefault"},
                });
                on_container(pod, name, |one| one["securityContext"] = context);
            }
            Self::Netadmin => {
                add_capabilities(pod, name, &["NET_ADMIN", "NET_RAW"]);
                if style == Style::Node {
                    share_with_node(pod);
                }
            }
            Self::Sysadmin => {
                on_container(pod, name, |one| one["securityContext"]["privileged"] = json!(true));
                if style == Style::Node {
                    see_the_node(pod, name);
                    share_with_node(pod);
                }
            }
        }
        if style == Style::Copy && pod["spec"]["shareProcessNamespace"].is_null() {
            pod["spec"]["shareProcessNamespace"] = json!(true);
        }
    }
}

impl Keep {
    fn strip(self, pod: &mut Value) {
        for (field, kept) in [("annotations", self.annotations), ("labels", self.labels)] {
            if !kept {
                remove(&mut pod["metadata"], field);
            }
        }
        if !self.init_containers {
            remove(&mut pod["spec"], "initContainers");
        }
        let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            for (probe, kept) in [
                ("livenessProbe", self.liveness),
                ("readinessProbe", self.readiness),
                ("startupProbe", self.startup),
            ] {
                if !kept {
                    remove(container, probe);
                }
            }
        }
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// Does something to the container of this name, of whatever sort it is.
pub(super) fn on_container(pod: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    let sorts = ["containers", "initContainers", "ephemeralContainers"];
    let at = sorts.iter().find_map(|sort| {
        let all = pod["spec"][*sort].as_array()?;
        Some((*sort, all.iter().position(|one| one["name"] == name)?))
    });
    if let Some((sort, at)) = at {
        change(&mut pod["spec"][sort][at]);
    }
}

fn clear(pod: &mut Value, name: &str) {
    on_container(pod, name, |one| remove(one, "securityContext"));
}

fn add_capabilities(pod: &mut Value, name: &str, more: &[&str]) {
    on_container(pod, name, |one| {
        let added = &mut one["securityContext"]["capabilities"]["add"];
        let mut all = added.as_array().cloned().unwrap_or_default();
        for capability in more {
            if !all.contains(&json!(capability)) {
                all.push(json!(capability));
            }
        }
        *added = all.into();
    });
}

/// Mounts the node's files.
fn see_the_node(pod: &mut Value, name: &str) {
    const VOLUME: &str = "host-root";
    let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    volumes.push(json!({"name": VOLUME, "hostPath": {"path": "/"}}));
    pod["spec"]["volumes"] = volumes.into();
    on_container(pod, name, |one| {
        one["volumeMounts"] = json!([{"name": VOLUME, "mountPath": "/host"}]);
    });
}

fn share_with_node(pod: &mut Value) {
    for namespace in ["hostIPC", "hostNetwork", "hostPID"] {
        pod["spec"][namespace] = json!(true);
    }
}
