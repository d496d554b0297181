//! What a pod may say for the operating system that it is made for.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::Look;

/// The most bytes of a credential of Windows, its domain and its user.
const CREDENTIAL_MAX_KIB: usize = 64;
const DOMAIN_MAX: usize = 256;
const USER_MAX: usize = 104;

/// The containers of a specification of all kinds, each with the list it is in and its index there.
pub(crate) fn containers(spec: &Value) -> impl Iterator<Item = (&'static str, usize, &Value)> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|list| {
        spec.items(list).iter().enumerate().map(move |(index, container)| (list, index, container))
    })
}

/// Checks `os` of a pod spec and that everything else suits it.
pub(super) fn check(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !spec.has("os") {
        return;
    }
    let own = path.child("os");
    match spec["os"].text("name") {
        "" => faults.push(Fault::required(&own.child("name"), "cannot be empty")),
        "linux" => linux(spec, path, faults),
        "windows" => windows(spec, path, faults),
        other => faults.push(Fault::not_supported(&own, other, &["linux", "windows"])),
    }
}

fn forbidden(
    context: &Value,
    fields: &[&str],
    detail: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    for field in fields.iter().filter(|field| context.has(field)) {
        faults.push(Fault::forbidden(&path.child(field), detail));
    }
}

fn linux(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let detail = "windows options cannot be set for a linux pod";
    let context = &spec["securityContext"];
    forbidden(context, &["windowsOptions"], detail, &path.child("securityContext"), faults);
    for (list, index, container) in containers(spec) {
        let path = path.child(list);
        let path = path.index(index);
        let context = &container["securityContext"];
        forbidden(context, &["windowsOptions"], detail, &path.child("securityContext"), faults);
    }
}

fn windows(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let detail = "cannot be set for a windows pod";
    let context = &spec["securityContext"];
    let own = path.child("securityContext");
    forbidden(context, &["appArmorProfile", "seLinuxOptions"], detail, &own, faults);
    forbidden(spec, &["hostUsers"], detail, path, faults);
    for field in ["hostPID", "hostIPC"] {
        if spec.is(field) {
            faults.push(Fault::forbidden(&path.child(field), detail));
        }
    }
    let fields = ["seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"];
    forbidden(context, &fields, detail, &own, faults);
    forbidden(spec, &["shareProcessNamespace"], detail, path, faults);
    let fields = [
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ];
    forbidden(context, &fields, detail, &own, faults);
    for (list, index, container) in containers(spec) {
        let path = path.child(list);
        let path = path.index(index);
        let fields = [
            "appArmorProfile",
            "seLinuxOptions",
            "seccompProfile",
            "capabilities",
            "readOnlyRootFilesystem",
            "privileged",
            "allowPrivilegeEscalation",
            "procMount",
            "runAsUser",
            "runAsGroup",
        ];
        let context = &container["securityContext"];
        forbidden(context, &fields, detail, &path.child("securityContext"), faults);
    }
}

/// Checks that containers that run as processes of a Windows host do so together.
pub(super) fn host_processes(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let of = |context: &Value| context["windowsOptions"].flag("hostProcess");
    let pod = of(&spec["securityContext"]);
    let (mut count, mut on_host) = (0, 0);
    for (list, index, container) in containers(spec) {
        count += 1;
        let own = of(&container["securityContext"]);
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let path = path.child(list);
            let path = path.index(index);
            let path = path.child("securityContext.windowsOptions.hostProcess");
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            faults.push(Fault::invalid(&path, own, detail));
        }
        if own.or(pod) == Some(true) {
            on_host += 1;
        }
    }
    if on_host == 0 {
        return;
    }
    if on_host != count {
        let detail = "If pod contains any hostProcess containers then all containers must be \
                      HostProcess containers";
        faults.push(Fault::invalid(path, "", detail));
    }
    if !spec.is("hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        faults.push(Fault::invalid(&path.child("hostNetwork"), false, detail));
    }
}

/// Checks `windowsOptions` of a security context.
pub(super) fn windows_options(context: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let options = &context["windowsOptions"];
    if !options.is_object() {
        return;
    }
    let path = path.child("windowsOptions");
    if options.has("gmsaCredentialSpecName") {
        let name = options.text("gmsaCredentialSpecName");
        let messages = names::dns1123_subdomain(name);
        check::invalid(&path.child("gmsaCredentialSpecName"), name, messages, faults);
    }
    if options.has("gmsaCredentialSpec") {
        let (credential, path) =
            (options.text("gmsaCredentialSpec"), path.child("gmsaCredentialSpec"));
        if credential.is_empty() {
            let detail = "gmsaCredentialSpec cannot be an empty string";
            faults.push(Fault::invalid(&path, credential, detail));
        } else if credential.len() > CREDENTIAL_MAX_KIB * 1024 {
            let detail = format!("gmsaCredentialSpec size must be under {CREDENTIAL_MAX_KIB} KiB");
            faults.push(Fault::invalid(&path, credential, detail));
        }
    }
    if options.has("runAsUserName") {
        let name = options.text("runAsUserName");
        check::invalid(&path.child("runAsUserName"), name, user_name(name), faults);
    }
}

/// The faults of the name of a Windows user: `USER` or `DOMAIN\USER`.
fn user_name(name: &str) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    if name.is_empty() {
        return one("runAsUserName cannot be an empty string");
    }
    if name.bytes().any(|b| b.is_ascii_control()) {
        return one("runAsUserName cannot contain control characters");
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let (domain, user) = match parts[..] {
        [user] => (None, user),
        [domain, user] => (Some(domain), user),
        _ => return one("runAsUserName cannot contain more than one backslash"),
    };
    let mut faults = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= DOMAIN_MAX {
            faults.push(format!(
                "runAsUserName's Domain length must be under {DOMAIN_MAX} characters"
            ));
        }
        if !is_domain(domain) {
            let text = "runAsUserName's Domain doesn't match the NetBios nor the DNS format";
            faults.push(text.to_owned());
        }
    }
    if user.is_empty() {
        faults.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > USER_MAX {
        faults.push(format!(
            "runAsUserName's User length must not be longer than {USER_MAX} characters"
        ));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        faults.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user.chars().any(|c| "\"/\\:;|=,+*?<>@[]".contains(c)) {
        let text = "runAsUserName's User cannot contain the following characters: \
                    \"/\\:;|=,+*?<>@[]";
        faults.push(text.to_owned());
    }
    faults
}

/// Whether a domain is a `NetBIOS` name or a DNS name.
fn is_domain(domain: &str) -> bool {
    let length = domain.chars().count();
    let net_bios = (1..=15).contains(&length)
        && !domain.starts_with('.')
        && !domain.chars().any(|c| "\\/:*?\"<>|".contains(c));
    let label = |label: &str| {
        let bytes = label.as_bytes();
        label.len() <= 63
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    net_bios || domain.split('.').all(label)
}
