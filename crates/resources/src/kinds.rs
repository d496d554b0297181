//! The kinds that are always there, one module each.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use wk_api::GroupVersionKind;
use wk_schema::Scope;

use crate::definition::{Column, Definition, SelectableField, Subresource};
use crate::rules::{KindRules, Plain};

mod admission_registration;
mod autoscaler;
mod binding;
pub(crate) mod certificates;
mod component_status;
mod config_map;
mod cron_job;
mod csi;
mod custom_resource_definition;
mod daemon_set;
mod deployment;
mod dynamic_resources;
mod endpoint_slice;
mod endpoints;
mod event;
mod flow_control;
mod ingress;
mod job;
mod lease;
mod limit_range;
pub(crate) mod measured;
mod namespace;
mod network_policy;
mod networking;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
pub(crate) mod pod;
mod pod_disruption_budget;
mod priority_class;
mod rbac;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod revision;
mod runtime_class;
mod secret;
mod service;
mod service_account;
mod stateful_set;
mod storage;
mod various;
mod workload;

const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The definitions of all built-in kinds, the core group first.
pub fn builtin() -> &'static [Arc<Definition>] {
    static BUILTIN: LazyLock<Vec<Arc<Definition>>> = LazyLock::new(|| {
        let mut all = vec![
            pod::definition(),
            node::definition(),
            namespace::definition(),
            config_map::definition(),
            secret::definition(),
            service::definition(),
            service_account::definition(),
            event::definition(),
            event::view(),
            lease::definition(),
            endpoints::definition(),
            endpoint_slice::definition(),
            binding::definition(),
            component_status::definition(),
            persistent_volume::definition(),
            persistent_volume_claim::definition(),
            replication_controller::definition(),
            deployment::definition(),
            replica_set::definition(),
            stateful_set::definition(),
            daemon_set::definition(),
            job::definition(),
            cron_job::definition(),
            autoscaler::definition(),
            autoscaler::view(),
            ingress::definition(),
            network_policy::definition(),
            pod_disruption_budget::definition(),
            limit_range::definition(),
            resource_quota::definition(),
            priority_class::definition(),
            runtime_class::definition(),
            certificates::definition(),
            custom_resource_definition::definition(),
        ];
        all.extend(rbac::definitions());
        all.extend(storage::definitions());
        all.extend(csi::definitions());
        all.extend(networking::definitions());
        all.extend(revision::definitions());
        all.extend(admission_registration::definitions());
        all.extend(dynamic_resources::definitions());
        all.extend(flow_control::definitions());
        all.extend(various::definitions());
        all.into_iter().map(Arc::new).collect()
    });
    &BUILTIN
}

/// The built-in definition of a kind.
pub fn definition(group: &str, version: &str, kind: &str) -> Option<&'static Arc<Definition>> {
    builtin().iter().find(|definition| {
        definition.group == group && definition.version == version && definition.kind == kind
    })
}

/// A plain definition of a kind of the schema: all verbs, no subresources, name and age.
fn define(group: &'static str, version: &'static str, kind: &'static str) -> Definition {
    let row = wk_schema::kind_of(group, version, kind).expect("the schema has the built-in kinds");
    Definition {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        list_kind: format!("{kind}List").into(),
        plural: row.plural.into(),
        singular: kind.to_lowercase().into(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: row.scope == Scope::Namespaced,
        message: Some(row.message),
        verbs: Cow::Borrowed(VERBS),
        subresources: Vec::new(),
        columns: vec![
            Column::NAME,
            Column {
                name: Cow::Borrowed("Created At"),
                kind: Cow::Borrowed("date"),
                ..Column::AGE
            },
        ],
        selectable: Vec::new(),
        generation: false,
        stored_as: None,
        rules: Arc::new(Plain),
    }
}

impl Definition {
    fn short(mut self, names: &[&'static str]) -> Self {
        self.short_names = names.iter().copied().map(Cow::Borrowed).collect();
        self
    }

    fn in_all(mut self) -> Self {
        self.categories.push(Cow::Borrowed("all"));
        self
    }

    fn columns(mut self, columns: Vec<Column>) -> Self {
        self.columns = columns;
        self
    }

    /// The columns between those of the name and of the age.
    fn shows<const N: usize>(self, between: [Column; N]) -> Self {
        let columns = [Column::NAME].into_iter().chain(between).chain([Column::AGE]);
        self.columns(columns.collect())
    }

    fn selectable(mut self, fields: Vec<SelectableField>) -> Self {
        self.selectable = fields;
        self
    }

    fn rules(mut self, rules: impl KindRules + 'static) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    fn generation(mut self) -> Self {
        self.generation = true;
        self
    }

    fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = Cow::Borrowed(verbs);
        self
    }

    /// Adds a subresource whose bodies are of another kind.
    fn sub(
        mut self,
        name: &'static str,
        kind: (&'static str, &'static str, &'static str),
        verbs: &'static [&'static str],
    ) -> Self {
        let (group, version, kind) = kind;
        self.subresources.push(Subresource {
            name: name.into(),
            kind: GroupVersionKind::new(group, version, kind),
            verbs: Cow::Borrowed(verbs),
        });
        self
    }

    /// Adds a subresource through which a part of the object is written.
    fn part(mut self, name: &'static str, verbs: &'static [&'static str]) -> Self {
        let kind = self.gvk();
        self.subresources.push(Subresource {
            name: name.into(),
            kind,
            verbs: Cow::Borrowed(verbs),
        });
        self
    }

    fn status(self) -> Self {
        self.part("status", &["get", "patch", "update"])
    }

    fn scale(self) -> Self {
        self.sub("scale", ("autoscaling", "v1", "Scale"), &["get", "patch", "update"])
    }
}
