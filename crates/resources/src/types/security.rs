//! Security contexts of pods and containers.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::operating_system;
use crate::check::{self, Faults};
use crate::look::Look;

/// The largest user or group id.
const ID_MAX: i64 = 0x7fff_ffff;

/// Checks the security context of a pod spec.
pub(super) fn of_pod(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let context = &spec["securityContext"];
    let path = path.child("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        check::in_range(context, field, 0, ID_MAX, &path, faults);
    }
    let groups = path.child("supplementalGroups");
    for (index, group) in context.items("supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or(0);
        if !(0..=ID_MAX).contains(&group) {
            faults.push(Fault::invalid(&groups.index(index), group, names::between(0, ID_MAX)));
        }
    }
    if spec.is("shareProcessNamespace") && spec.is("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        faults.push(Fault::invalid(&path.child("shareProcessNamespace"), true, detail));
    }
    sysctls(spec, context, &path, faults);
    let policies = ["Always", "OnRootMismatch"];
    check::one_of(context, "fsGroupChangePolicy", &policies, &path, faults);
    profile(context, "seccomp", &path, faults);
    operating_system::windows_options(context, &path, faults);
    profile(context, "AppArmor", &path, faults);
    let policies = ["Merge", "Strict"];
    check::one_of(context, "supplementalGroupsPolicy", &policies, &path, faults);
    let policies = ["MountOption", "Recursive"];
    check::one_of(context, "seLinuxChangePolicy", &policies, &path, faults);
}

fn sysctls(spec: &Value, context: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("sysctls");
    let mut seen = BTreeSet::new();
    for (index, sysctl) in context.items("sysctls").iter().enumerate() {
        let path = list.index(index);
        let path = path.child("name");
        let name = sysctl.text("name");
        if name.is_empty() {
            faults.push(Fault::required(&path, ""));
        } else if !is_sysctl(name) {
            let segment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
            let detail = format!(
                "must have at most 253 characters and match regex \
                 ^({segment}[\\./])*{segment}$"
            );
            faults.push(Fault::invalid(&path, name, detail));
        } else if !seen.insert(name) {
            faults.push(Fault::duplicate(&path, name));
        }
        let dotted = name.replace('/', ".");
        let shares = |host: &str| spec.is(host);
        if dotted.starts_with("net.") && shares("hostNetwork") {
            let detail = "may not be specified when 'hostNetwork' is true";
            faults.push(Fault::invalid(&path, name, detail));
        }
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|prefix| dotted.starts_with(prefix));
        if (of_ipc || dotted == "kernel.sem") && shares("hostIPC") {
            let detail = "may not be specified when 'hostIPC' is true";
            faults.push(Fault::invalid(&path, name, detail));
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|b| edge(b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

/// The longest path of a profile: what Linux takes.
const PROFILE_MAX: usize = 4095;

fn profile(context: &Value, what: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let field = if what == "seccomp" { "seccompProfile" } else { "appArmorProfile" };
    if !context.has(field) {
        return;
    }
    let (profile, path) = (&context[field], path.child(field));
    let local = path.child("localhostProfile");
    let file = profile.text("localhostProfile");
    match profile.text("type") {
        "Localhost" => {
            if !profile.has("localhostProfile") || (what == "AppArmor" && file.is_empty()) {
                let detail = format!("must be set when {what} type is Localhost");
                faults.push(Fault::required(&local, detail));
            } else if what == "seccomp" {
                check::descending_path(file, &local, faults);
            } else {
                if file.trim() != file {
                    let detail = "must not be padded with whitespace";
                    faults.push(Fault::invalid(&local, file, detail));
                }
                if file.len() > PROFILE_MAX {
                    faults.push(Fault::too_long(&local, PROFILE_MAX));
                }
            }
            return;
        }
        "RuntimeDefault" | "Unconfined" => {}
        "" => {
            let detail = format!("type is required when {field} is set");
            faults.push(Fault::required(&path.child("type"), detail));
        }
        other => {
            let supported = ["Localhost", "RuntimeDefault", "Unconfined"];
            faults.push(Fault::not_supported(&path.child("type"), other, &supported));
        }
    }
    let known = matches!(profile.text("type"), "RuntimeDefault" | "Unconfined");
    if profile.has("localhostProfile") && (known || what == "seccomp") {
        let detail = format!("can only be set when {what} type is Localhost");
        // Of a seccomp profile all is shown.
        let value = if what == "seccomp" { profile.clone() } else { file.into() };
        faults.push(Fault::invalid(&local, value, detail));
    }
}

/// Checks the security context of a container.
pub(super) fn of_container(
    container: &Value,
    host_users: bool,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let context = &container["securityContext"];
    if !context.is_object() {
        return;
    }
    let path = path.child("securityContext");
    for field in ["runAsUser", "runAsGroup"] {
        check::in_range(context, field, 0, ID_MAX, &path, faults);
    }
    check::one_of(context, "procMount", &["Default", "Unmasked"], &path, faults);
    if host_users && context.text("procMount") == "Unmasked" {
        let detail = "`hostUsers` must be false to use `Unmasked`";
        faults.push(Fault::invalid(&path.child("procMount"), "Unmasked", detail));
    }
    profile(context, "seccomp", &path, faults);
    if context.flag("allowPrivilegeEscalation") == Some(false) {
        if context.is("privileged") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            faults.push(Fault::invalid(&path, context.clone(), detail));
        }
        let added = context["capabilities"].items("add");
        if added.iter().any(|capability| capability == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                          CAP_SYS_ADMIN";
            faults.push(Fault::invalid(&path, context.clone(), detail));
        }
    }
    operating_system::windows_options(context, &path, faults);
    profile(context, "AppArmor", &path, faults);
}

/// Checks that a pod in a user namespace of its own shares no namespace of the host.
pub(super) fn host_users(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.flag("hostUsers") != Some(false) {
        return;
    }
    // Kubernetes spells two of these paths with a capital.
    for (field, shown) in
        [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
    {
        if spec.is(field) {
            let detail = "when `pod.Spec.HostUsers` is false";
            faults.push(Fault::forbidden(&path.child(shown), detail));
        }
    }
}
