//! Containers: regular, init and ephemeral.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, names};

use super::volume::Volumes;
use super::{env, probe, resources, security, volume};
use crate::check::{self, Faults};
use crate::look::{Look, always, default_to};
use crate::walk::TypeRule;

const ZEROS: &[&str] = &[
    "image",
    "imagePullPolicy",
    "stdin",
    "stdinOnce",
    "targetContainerName",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "workingDir",
];

pub(super) const CONTAINER: TypeRule =
    TypeRule { zeros: ZEROS, default: default_container, ..TypeRule::NONE };
pub(super) const EPHEMERAL: TypeRule = CONTAINER;
pub(super) const PORT: TypeRule =
    TypeRule { zeros: &["hostIP", "hostPort", "name", "protocol"], ..TypeRule::NONE };

fn default_container(container: &mut Map<String, Value>) {
    let policy = pull_policy(container.text("image"));
    default_to(container, "imagePullPolicy", policy);
    default_to(container, "terminationMessagePath", "/dev/termination-log");
    default_to(container, "terminationMessagePolicy", "File");
    always(container, "resources");
}

/// The pull policy of an image that names none: `Always` for the tag `latest`, which is also the
/// tag of images that name neither tag nor digest.
pub(crate) fn pull_policy(image: &str) -> &'static str {
    let (named, digest) = match image.split_once('@') {
        Some((named, _)) => (named, true),
        None => (image, false),
    };
    let last = named.rsplit_once('/').map_or(named, |(_, last)| last);
    let latest = match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest && !last.is_empty(),
    };
    if latest { "Always" } else { "IfNotPresent" }
}

/// What all containers of a pod are checked against.
pub(super) struct Surroundings<'a> {
    pub(super) volumes: Volumes<'a>,
    pub(super) claims: Vec<&'a str>,
    pub(super) grace: Option<i64>,
    pub(super) restart_policy: &'a str,
    pub(super) host_users: bool,
}

/// Checks all containers of a pod spec.
pub(super) fn validate_all(
    spec: &Value,
    around: &Surroundings<'_>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    regular(spec, around, path, faults);
    init(spec, around, path, faults);
    ephemeral(spec, around, path, faults);
}

fn regular(spec: &Value, around: &Surroundings<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("containers");
    let containers = spec.items("containers");
    if containers.is_empty() {
        faults.push(Fault::required(&list, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = list.index(index);
        common(container, around, &path, faults);
        let name = container.text("name");
        if !seen.insert(name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        probe::lifecycle(container, around, &path, faults);
        probe::probes(container, &path, faults);
        restart_policy(container, &path, faults);
    }
    host_ports(containers, &list, 0, faults);
}

fn init(spec: &Value, around: &Surroundings<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("initContainers");
    let mut seen: BTreeSet<&str> =
        spec.items("containers").iter().map(|container| container.text("name")).collect();
    for (index, container) in spec.items("initContainers").iter().enumerate() {
        let path = list.index(index);
        common(container, around, &path, faults);
        restart_policy(container, &path, faults);
        let name = container.text("name");
        if !seen.insert(name) && !name.is_empty() {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        host_ports(std::slice::from_ref(container), &list, index, faults);
        if container.text("restartPolicy") == "Always" {
            probe::lifecycle(container, around, &path, faults);
            probe::probes(container, &path, faults);
            continue;
        }
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if container.has(field) {
                let detail = "may not be set for init containers without restartPolicy=Always";
                faults.push(Fault::forbidden(&path.child(field), detail));
            }
        }
    }
}

fn ephemeral(spec: &Value, around: &Surroundings<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("ephemeralContainers");
    let others: BTreeSet<&str> = spec
        .items("containers")
        .iter()
        .chain(spec.items("initContainers"))
        .map(|container| container.text("name"))
        .collect();
    let mut seen = others.clone();
    for (index, container) in spec.items("ephemeralContainers").iter().enumerate() {
        let path = list.index(index);
        common(container, around, &path, faults);
        image_padding(container, &path, faults);
        let name = container.text("name");
        if !seen.insert(name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        let target = container.text("targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            faults.push(Fault::not_found(&path.child("targetContainerName"), target));
        }
        let detail = "cannot be set for an Ephemeral Container";
        for field in [
            "ports",
            "resources",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
            "restartPolicy",
            "restartPolicyRules",
            "resizePolicy",
        ] {
            if !container.lacks(field) {
                faults.push(Fault::forbidden(&path.child(field), detail));
            }
        }
        let mounts = path.child("volumeMounts");
        for (index, mount) in container.items("volumeMounts").iter().enumerate() {
            let path = mounts.index(index);
            for field in ["subPath", "subPathExpr"] {
                if !mount.lacks(field) {
                    faults.push(Fault::forbidden(&path.child(field), detail));
                }
            }
        }
    }
}

fn common(container: &Value, around: &Surroundings<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_text(container, "name", names::dns1123_label, path, faults);
    check::required(container, "image", path, faults);
    let policies = ["File", "FallbackToLogsOnError"];
    check::required_one_of(container, "terminationMessagePolicy", &policies, path, faults);
    ports(container, path, faults);
    env::variables(container, path, faults);
    env::sources(container, path, faults);
    volume::mounts(container, &around.volumes, path, faults);
    volume::devices(container, &around.volumes, path, faults);
    let policies = ["Always", "IfNotPresent", "Never"];
    check::required_one_of(container, "imagePullPolicy", &policies, path, faults);
    resources::requirements(
        &container["resources"],
        &around.claims,
        resources::container_name,
        &path.child("resources"),
        faults,
    );
    resize_policies(container, around.restart_policy, path, faults);
    security::of_container(container, around.host_users, path, faults);
}

fn ports(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("ports");
    let mut seen = BTreeSet::new();
    for (index, port) in container.items("ports").iter().enumerate() {
        let path = list.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            let messages = names::port_name(name);
            if messages.is_empty() && !seen.insert(name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
            check::invalid(&path.child("name"), name, messages, faults);
        }
        match port.int("containerPort").unwrap_or(0) {
            0 => faults.push(Fault::required(&path.child("containerPort"), "")),
            number => {
                let messages = names::port_number(number);
                check::invalid(&path.child("containerPort"), number, messages, faults);
            }
        }
        if let Some(number) = port.int("hostPort").filter(|number| *number != 0) {
            let messages = names::port_number(number);
            check::invalid(&path.child("hostPort"), number, messages, faults);
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        check::required_one_of(port, "protocol", &protocols, &path, faults);
    }
}

/// Checks that no two ports take the same port of the host; `first` is the index of the first
/// container in its list.
fn host_ports(containers: &[Value], list: &FieldPath<'_>, first: usize, faults: &mut Faults) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = list.index(first + index);
        let path = path.child("ports");
        for (index, port) in container.items("ports").iter().enumerate() {
            let number = port.int("hostPort").unwrap_or(0);
            if number == 0 {
                continue;
            }
            let text = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if !taken.insert(text.clone()) {
                faults.push(Fault::duplicate(&path.index(index).child("hostPort"), text));
            }
        }
    }
}

/// The most rules of when a container starts again, and exit codes of one rule.
const MAX_RESTART_RULES: usize = 20;
const MAX_EXIT_CODES: usize = 255;

fn restart_policy(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let policies = ["Always", "Never", "OnFailure"];
    check::one_of(container, "restartPolicy", &policies, path, faults);
    let list = path.child("restartPolicyRules");
    let rules = container.items("restartPolicyRules");
    if !rules.is_empty() && !container.has("restartPolicy") {
        let detail = "must specify restartPolicy when restart rules are used";
        faults.push(Fault::required(&path.child("restartPolicy"), detail));
    }
    if rules.len() > MAX_RESTART_RULES {
        faults.push(Fault::too_many(&list, rules.len(), MAX_RESTART_RULES));
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = list.index(index);
        let actions = ["Restart", "RestartAllContainers"];
        check::required_one_of(rule, "action", &actions, &path, faults);
        let (codes, path) = (&rule["exitCodes"], path.child("exitCodes"));
        if !codes.is_object() {
            faults.push(Fault::required(&path, "must be specified"));
            continue;
        }
        let (operator, operators) = (codes.text("operator"), ["In", "NotIn"]);
        if !operators.contains(&operator) {
            faults.push(Fault::not_supported(&path.child("operator"), operator, &operators));
        }
        let count = codes.items("values").len();
        if count > MAX_EXIT_CODES {
            faults.push(Fault::too_many(&path.child("values"), count, MAX_EXIT_CODES));
        }
    }
}

fn resize_policies(
    container: &Value,
    restart_policy: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let list = path.child("resizePolicy");
    let mut seen = BTreeSet::new();
    for (index, policy) in container.items("resizePolicy").iter().enumerate() {
        let (resource, restart) = (policy.text("resourceName"), policy.text("restartPolicy"));
        if !seen.insert(resource) {
            faults.push(Fault::duplicate(&list.index(index), resource));
        }
        for (value, supported) in
            [(resource, ["cpu", "memory"]), (restart, ["NotRequired", "RestartContainer"])]
        {
            if value.is_empty() {
                faults.push(Fault::required(&list, ""));
            } else if !supported.contains(&value) {
                faults.push(Fault::not_supported(&list, value, &supported));
            }
        }
        if restart_policy == "Never" && restart != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            faults.push(Fault::invalid(&list, restart, detail));
        }
    }
}

/// Checks what only containers of a pod, and not of a template, must not have.
pub(crate) fn image_padding(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let image = container.text("image");
    if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        faults.push(Fault::invalid(&path.child("image"), image, detail));
    }
}
