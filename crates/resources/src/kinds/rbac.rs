//! Roles and who has them.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::{Look, default_to};
use crate::rules::{KindRules, Update};
use crate::table;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The definitions of the four kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let created = || {
        vec![Column::NAME, Column { name: "Created At".into(), kind: "date".into(), ..Column::AGE }]
    };
    let binding = || {
        vec![
            Column::NAME,
            Column::text("Role", "The role that the subjects get."),
            Column::AGE,
            Column::text("Users", "Users in the roleBinding").wide(),
            Column::text("Groups", "Groups in the roleBinding").wide(),
            Column::text("ServiceAccounts", "ServiceAccounts in the roleBinding").wide(),
        ]
    };
    vec![
        define(GROUP, "v1", "ClusterRole").columns(created()).rules(Roles),
        define(GROUP, "v1", "ClusterRoleBinding")
            .columns(binding())
            .rules(Bindings { cluster: true }),
        define(GROUP, "v1", "Role").columns(created()).rules(Roles),
        define(GROUP, "v1", "RoleBinding").columns(binding()).rules(Bindings { cluster: false }),
    ]
}

#[derive(Debug)]
struct Roles;

impl KindRules for Roles {
    fn name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, role: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        if role.has("aggregationRule") && role["aggregationRule"].lacks("clusterRoleSelectors") {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            let path = root.child("aggregationRule.clusterRoleSelectors");
            faults.push(Fault::required(&path, detail));
        }
        let namespaced = role.text("kind") == "Role";
        let list = root.child("rules");
        for (index, rule) in role.items("rules").iter().enumerate() {
            let path = list.index(index);
            if rule.lacks("verbs") {
                let detail = "verbs must contain at least one value";
                faults.push(Fault::required(&path.child("verbs"), detail));
            }
            if !rule.lacks("nonResourceURLs") {
                if namespaced {
                    let detail = "namespaced rules cannot apply to non-resource URLs";
                    let value = rule["nonResourceURLs"].clone();
                    faults.push(Fault::invalid(&path.child("nonResourceURLs"), value, detail));
                }
                let mixed = ["apiGroups", "resources", "resourceNames"]
                    .iter()
                    .any(|field| !rule.lacks(field));
                if mixed {
                    let detail = "rules cannot apply to both regular resources and non-resource \
                                  URLs";
                    let value = rule["nonResourceURLs"].clone();
                    faults.push(Fault::invalid(&path.child("nonResourceURLs"), value, detail));
                }
                continue;
            }
            if rule.lacks("apiGroups") {
                let detail = "resource rules must supply at least one api group";
                faults.push(Fault::required(&path.child("apiGroups"), detail));
            }
            if rule.lacks("resources") {
                let detail = "resource rules must supply at least one resource";
                faults.push(Fault::required(&path.child("resources"), detail));
            }
        }
    }
}

#[derive(Debug)]
struct Bindings {
    /// Whether the binding holds in the whole cluster.
    cluster: bool,
}

impl KindRules for Bindings {
    fn name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn default(&self, binding: &mut Value) {
        if let Some(Value::Object(role)) = binding.get_mut("roleRef") {
            default_to(role, "apiGroup", GROUP);
        }
        let Some(Value::Array(subjects)) = binding.get_mut("subjects") else { return };
        for subject in subjects.iter_mut().filter_map(Value::as_object_mut) {
            if subject.text("kind") != "ServiceAccount" {
                default_to(subject, "apiGroup", GROUP);
            }
        }
    }

    fn validate(&self, binding: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let role = &binding["roleRef"];
        let path = root.child("roleRef");
        if role.text("apiGroup") != GROUP {
            let group = role.text("apiGroup");
            faults.push(Fault::not_supported(&path.child("apiGroup"), group, &[GROUP]));
        }
        let kinds: &[&str] = if self.cluster { &["ClusterRole"] } else { &["Role", "ClusterRole"] };
        let kind = role.text("kind");
        if !kinds.contains(&kind) {
            faults.push(Fault::not_supported(&path.child("kind"), kind, kinds));
        }
        check::required_text(role, "name", names::path_segment, &path, faults);
        let list = root.child("subjects");
        for (index, subject) in binding.items("subjects").iter().enumerate() {
            self.subject(subject, &list.index(index), faults);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        if new.get("roleRef") != old.get("roleRef") {
            let value = new.get("roleRef").cloned().unwrap_or_default();
            let detail = "cannot change roleRef";
            faults.push(Fault::invalid(&FieldPath::Root.child("roleRef"), value, detail));
        }
    }

    fn row(&self, binding: &Value, now: Timestamp) -> Vec<Value> {
        let role = &binding["roleRef"];
        let of = |kind: &str| {
            let named: Vec<String> = binding
                .items("subjects")
                .iter()
                .filter(|subject| subject.text("kind") == kind)
                .map(|subject| match (kind, subject.text("namespace")) {
                    ("ServiceAccount", namespace) if !namespace.is_empty() => {
                        format!("{namespace}/{}", subject.text("name"))
                    }
                    _ => subject.text("name").to_owned(),
                })
                .collect();
            Value::from(named.join(", "))
        };
        vec![
            table::name(binding),
            format!("{}/{}", role.text("kind"), role.text("name")).into(),
            table::age(binding, now),
            of("User"),
            of("Group"),
            of("ServiceAccount"),
        ]
    }
}

impl Bindings {
    fn subject(&self, subject: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
        check::required(subject, "name", path, faults);
        let group = subject.text("apiGroup");
        match subject.text("kind") {
            "ServiceAccount" => {
                check::text(subject, "name", names::dns1123_subdomain, path, faults);
                if !group.is_empty() {
                    faults.push(Fault::not_supported(&path.child("apiGroup"), group, &[""]));
                }
                if self.cluster && subject.lacks("namespace") {
                    faults.push(Fault::required(&path.child("namespace"), ""));
                }
            }
            "User" | "Group" => {
                if group != GROUP {
                    faults.push(Fault::not_supported(&path.child("apiGroup"), group, &[GROUP]));
                }
            }
            other => {
                let supported = ["ServiceAccount", "User", "Group"];
                faults.push(Fault::not_supported(&path.child("kind"), other, &supported));
            }
        }
    }
}
