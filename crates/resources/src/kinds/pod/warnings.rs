//! What is deprecated or without effect in a pod or a template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wk_api::fault::quote;
use wk_api::names;

use super::annotations::{APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD};
use crate::check;
use crate::look::Look;
use crate::types::operating_system::containers;

/// What is said of labels of nodes that have had their time.
const OLD_LABELS: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

/// What is said of a label of nodes, if it has had its time.
pub(in crate::kinds) fn old_label(label: &str) -> Option<&'static str> {
    OLD_LABELS.iter().find(|(old, _)| *old == label).map(|(_, text)| *text)
}

/// What is said of the name of an object whose pods are called after it.
pub(in crate::kinds) fn name(object: &Value, of: &str) -> Option<String> {
    let faults = names::dns1123_label(object["metadata"].text("name"));
    (!faults.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in {of}, which can result in surprising behavior; a DNS \
             label is recommended: [{}]",
            faults.join(" ")
        )
    })
}

/// The warnings of a pod or, under `prefix`, of a template.
pub(in crate::kinds) fn of(metadata: &Value, spec: &Value, prefix: &str) -> Vec<String> {
    let mut all = Collected { prefix, warnings: Vec::new() };
    all.placement(spec);
    all.annotations(metadata);
    all.volumes(spec);
    all.names(spec);
    all.add_fractions(&json!({"": spec["overhead"]}), "overhead");
    all.profiles(metadata, spec);
    for (list, index, container) in containers(spec) {
        all.container(metadata, spec, container, &format!("{list}[{index}]"));
    }
    all.ports(spec);
    if spec.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let text = "must be >= 0; negative values are invalid and will be treated as 1";
        all.add("terminationGracePeriodSeconds", text);
    }
    all.warnings
}

struct Collected<'a> {
    prefix: &'a str,
    warnings: Vec<String>,
}

impl Collected<'_> {
    /// Adds what is said of a field of the specification.
    fn add(&mut self, field: &str, text: &str) {
        self.warnings.push(format!("{}spec.{field}: {text}", self.prefix));
    }

    fn placement(&mut self, spec: &Value) {
        for (key, _) in spec.entries("nodeSelector") {
            if let Some(text) = old_label(key) {
                self.add(&format!("nodeSelector[{key}]"), text);
            }
        }
        let affinity = &spec["affinity"]["nodeAffinity"];
        let field = "requiredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in affinity[field].items("nodeSelectorTerms").iter().enumerate() {
            self.term(term, &format!("affinity.nodeAffinity.{field}.nodeSelectorTerms[{index}]"));
        }
        let field = "preferredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in affinity.items(field).iter().enumerate() {
            let path = format!("affinity.nodeAffinity.{field}[{index}].preference");
            self.term(&term["preference"], &path);
            for (at, expression) in term["preference"].items("matchExpressions").iter().enumerate()
            {
                for (nth, value) in expression.items("values").iter().enumerate() {
                    let value = value.as_str().unwrap_or_default();
                    for fault in names::label_value(value) {
                        let field = format!("{path}.matchExpressions[{at}].values[{nth}]");
                        self.add(&field, &format!("{value} is invalid, {fault}"));
                    }
                }
            }
        }
        for (index, constraint) in spec.items("topologySpreadConstraints").iter().enumerate() {
            let path = format!("topologySpreadConstraints[{index}]");
            let key = constraint.text("topologyKey");
            if let Some(text) = old_label(key) {
                self.add(&format!("{path}.topologyKey"), &format!("{key} is {text}"));
            }
            if !constraint.has("labelSelector") {
                let text = "a null labelSelector results in matching no pod";
                self.add(&format!("{path}.labelSelector"), text);
            }
        }
    }

    fn term(&mut self, term: &Value, path: &str) {
        for (index, expression) in term.items("matchExpressions").iter().enumerate() {
            let key = expression.text("key");
            if let Some(text) = old_label(key) {
                let field = format!("{path}.matchExpressions[{index}].key");
                self.add(&field, &format!("{key} is {text}"));
            }
        }
    }

    fn annotated(&mut self, key: &str, text: &str) {
        self.warnings.push(format!("{}metadata.annotations[{key}]: {text}", self.prefix));
    }

    fn annotations(&mut self, metadata: &Value) {
        for (key, text) in [
            (
                "scheduler.alpha.kubernetes.io/critical-pod",
                "non-functional in v1.16+; use the \"priorityClassName\" field instead",
            ),
            (
                "security.alpha.kubernetes.io/sysctls",
                "non-functional in v1.11+; use the \"sysctls\" field instead",
            ),
            (
                "security.alpha.kubernetes.io/unsafe-sysctls",
                "non-functional in v1.11+; use the \"sysctls\" field instead",
            ),
        ] {
            if metadata["annotations"].has(key) {
                self.annotated(key, text);
            }
        }
    }

    fn volumes(&mut self, spec: &Value) {
        for (index, volume) in spec.items("volumes").iter().enumerate() {
            for (source, shown, text) in [
                (
                    "photonPersistentDisk",
                    "photonPersistentDisk",
                    "deprecated in v1.11, non-functional in v1.16+",
                ),
                ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
                ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
                ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
                ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
                ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
                ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
                ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
                ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
            ] {
                if volume.has(source) {
                    self.add(&format!("volumes[{index}].{shown}"), text);
                }
            }
            let template = &volume["ephemeral"]["volumeClaimTemplate"]["spec"];
            let field =
                format!("{}spec.volumes[{index}].ephemeral.volumeClaimTemplate.spec", self.prefix);
            self.warnings.extend(claim(template, &field));
        }
        self.paths_of_tokens(spec);
    }

    /// Files of other sources that have the place of a token.
    fn paths_of_tokens(&mut self, spec: &Value) {
        let sources = |volume: &Value| volume["projected"].items("sources").to_vec();
        let tokens: BTreeSet<String> = spec
            .items("volumes")
            .iter()
            .flat_map(sources)
            .filter(|source| source.has("serviceAccountToken"))
            .map(|source| source["serviceAccountToken"].text("path").to_owned())
            .collect();
        for (index, volume) in spec.items("volumes").iter().enumerate() {
            for source in sources(volume) {
                for (field, shown) in [
                    ("configMap", "configMap"),
                    ("secret", "secrets"),
                    ("downwardAPI", "downwardAPI"),
                ] {
                    for (at, item) in source[field].items("items").iter().enumerate() {
                        if tokens.contains(item.text("path")) {
                            let path = quote(item.text("path"));
                            self.add(
                                &format!("volumes[{index}].projected.sources.{shown}[{at}]"),
                                &format!("has duplicated path with ServiceAccountToken {path}"),
                            );
                        }
                    }
                }
                let bundle = &source["clusterTrustBundle"];
                if bundle.is_object() && tokens.contains(bundle.text("path")) {
                    let path = quote(bundle.text("path"));
                    self.add(
                        &format!("volumes[{index}].projected.sources.ClusterTrustBundle"),
                        &format!("has duplicated path with ServiceAccountToken {path}"),
                    );
                }
            }
        }
    }

    /// Names that are given twice or not at all.
    fn names(&mut self, spec: &Value) {
        for (list, field, what) in
            [("hostAliases", "ip", "duplicate ip"), ("imagePullSecrets", "name", "duplicate name")]
        {
            let mut seen = BTreeSet::new();
            for (index, item) in spec.items(list).iter().enumerate() {
                let value = item.text(field);
                if !seen.insert(value) {
                    let text = format!("{what} {}", quote(value));
                    self.add(&format!("{list}[{index}].{field}"), &text);
                }
            }
        }
        for (index, secret) in spec.items("imagePullSecrets").iter().enumerate() {
            if secret.lacks("name") {
                self.add(&format!("imagePullSecrets[{index}].name"), "invalid empty name \"\"");
            }
        }
    }

    /// Adds the bytes that are no whole numbers.
    fn add_fractions(&mut self, resources: &Value, path: &str) {
        for name in ["memory", "ephemeral-storage"] {
            for kind in ["", "limits", "requests"] {
                let Some(amount) = check::quantity(&resources[kind], name) else { continue };
                if !amount.is_whole() {
                    let dot = if kind.is_empty() { "" } else { "." };
                    let shown = quote(&amount.to_string());
                    let text =
                        format!("fractional byte value {shown} is invalid, must be an integer");
                    self.add(&format!("{path}{dot}{kind}[{name}]"), &text);
                }
            }
        }
    }

    fn profiles(&mut self, metadata: &Value, spec: &Value) {
        let annotated = metadata["annotations"].has(SECCOMP_POD);
        if annotated && !spec["securityContext"].has("seccompProfile") {
            let text = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
            self.annotated(SECCOMP_POD, text);
        }
    }

    fn container(&mut self, metadata: &Value, spec: &Value, container: &Value, path: &str) {
        let annotations = &metadata["annotations"];
        let context = &container["securityContext"];
        let key = format!("{SECCOMP_CONTAINER}{}", container.text("name"));
        if annotations.has(&key) && !context.has("seccompProfile") {
            let text = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
            self.annotated(&key, text);
        }
        let key = format!("{APP_ARMOR}{}", container.text("name"));
        let has = context.has("appArmorProfile") || spec["securityContext"].has("appArmorProfile");
        if annotations.has(&key) && !has {
            let text = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            self.annotated(&key, text);
        }
        self.add_fractions(&container["resources"], &format!("{path}.resources"));
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (index, variable) in container.items("env").iter().enumerate() {
            let (name, value) = (variable.text("name"), variable.text("value"));
            let own = format!("$({name})");
            // A variable that builds on its own earlier value is repeated on purpose.
            let hides = variable.has("valueFrom") || value == own || !value.contains(&own);
            if !seen.insert(name) && hides {
                let name = quote(name);
                let text = format!(
                    "hides previous definition of {name}, which may be dropped when using apply"
                );
                self.add(&format!("{path}.env[{index}]"), &text);
            }
        }
    }

    /// Ports that several containers, or one of them twice, say they listen on.
    fn ports(&mut self, spec: &Value) {
        let mut taken: BTreeMap<(i64, &str), Vec<(String, &Value)>> = BTreeMap::new();
        for (list, index, container) in containers(spec) {
            for (at, port) in container.items("ports").iter().enumerate() {
                let field = format!("{list}[{index}].ports[{at}]");
                let host = |port: &Value| port.int("hostPort").unwrap_or(0);
                let number = port.int("containerPort").unwrap_or(0);
                let others = taken.entry((number, port.text("protocol"))).or_default();
                for (other_field, other) in others.iter() {
                    let same = port.text("hostIP") == other.text("hostIP");
                    let word = if same && host(port) == host(other) {
                        "duplicate"
                    } else if host(port) == 0 || host(other) == 0 {
                        "overlapping"
                    } else if host(port) == host(other)
                        && (port.lacks("hostIP") || other.lacks("hostIP"))
                    {
                        "dangerously ambiguous"
                    } else {
                        continue;
                    };
                    let at = format!("{}spec.{other_field}", self.prefix);
                    self.add(&field, &format!("{word} port definition with {at}"));
                }
                others.push((field, port));
            }
        }
    }
}

/// What is said of the specification of a claim at `path`.
pub(in crate::kinds) fn claim(spec: &Value, path: &str) -> Vec<String> {
    let amount = check::quantity(&spec["resources"]["requests"], "storage");
    let broken = amount.filter(|amount| !amount.is_whole()).map(|amount| {
        let shown = quote(&amount.to_string());
        format!(
            "{path}.resources.requests[storage]: fractional byte value {shown} is invalid, must be \
             an integer"
        )
    });
    broken.into_iter().collect()
}
