//! The slices that show what people wrote as `Endpoints`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::well_known::SERVICE_NAME_LABEL;

use super::Port;
use super::slices::{SliceStep, endpoint_port, plan_ports, read_ports};
use crate::endpoints::MANAGED_BY_LABEL;
use crate::endpoints::mirror::MIRROR_MANAGER;
use crate::meta::OwnerKind;

pub(in crate::endpoints) const ENDPOINTS: OwnerKind =
    OwnerKind { api_version: "v1", kind: "Endpoints" };
/// As many addresses of a subset are shown, and as many are in one slice.
const MAX: usize = 1000;
/// Annotations that are about the object itself.
const OWN_ANNOTATIONS: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "endpoints.kubernetes.io/last-change-trigger-time",
];

/// What tells slices apart: the kind of their addresses, and their ports.
type Group = (&'static str, Vec<Port>);

/// Plans how slices come to show `endpoints`; without any they go.
pub(in crate::endpoints) fn plan_mirror(
    endpoints: Option<&Endpoints>,
    existing: &[Arc<EndpointSlice>],
) -> Vec<SliceStep> {
    let mut wanted: BTreeMap<Group, Vec<Endpoint>> = BTreeMap::new();
    for subset in endpoints.iter().flat_map(|all| all.subsets.iter().flatten()) {
        let ports = ports(subset);
        for (address, is_ready) in addresses(subset).take(MAX) {
            let group = (family(&address.ip), ports.clone());
            wanted.entry(group).or_default().push(endpoint(address, is_ready));
        }
    }
    let mut of_group: BTreeMap<(String, Vec<Port>), Vec<Arc<EndpointSlice>>> = BTreeMap::new();
    for slice in existing {
        let group = (slice.address_type.clone(), read_ports(slice));
        of_group.entry(group).or_default().push(Arc::clone(slice));
    }
    let mut steps = Vec::new();
    for ((family, ports), list) in wanted {
        let Some(endpoints) = endpoints else { break };
        let model = model(endpoints, family, &ports);
        let slices = of_group.remove(&(family.to_owned(), ports)).unwrap_or_default();
        steps.extend(plan_ports(&model, list, &slices, MAX));
    }
    let mut unused: Vec<_> = of_group.into_values().flatten().collect();
    unused.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    steps.extend(unused.into_iter().map(SliceStep::Delete));
    steps
}

/// What is told about addresses that are not shown; `None` if all are.
pub(in crate::endpoints) fn skipped(endpoints: &Endpoints) -> Option<String> {
    let subsets = endpoints.subsets.iter().flatten();
    let skipped: usize = subsets.map(|subset| addresses(subset).count().saturating_sub(MAX)).sum();
    (skipped > 0).then(|| {
        format!(
            "A max of {MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. \
             {skipped} addresses were skipped"
        )
    })
}

fn addresses(subset: &EndpointSubset) -> impl Iterator<Item = (&EndpointAddress, bool)> {
    let ready = subset.addresses.iter().flatten().map(|one| (one, true));
    ready.chain(subset.not_ready_addresses.iter().flatten().map(|one| (one, false)))
}

fn family(address: &str) -> &'static str {
    match address.parse() {
        Ok(IpAddr::V6(_)) => "IPv6",
        _ => "IPv4",
    }
}

fn ports(subset: &EndpointSubset) -> Vec<Port> {
    let ports = subset.ports.iter().flatten().map(|port| Port {
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        number: port.port,
        app_protocol: port.app_protocol.clone(),
    });
    let mut ports: Vec<Port> = ports.collect();
    ports.sort();
    ports
}

fn endpoint(address: &EndpointAddress, is_ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(is_ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn model(endpoints: &Endpoints, family: &str, ports: &[Port]) -> EndpointSlice {
    let meta = &endpoints.metadata;
    let name = meta.name.clone().unwrap_or_default();
    let mut labels = meta.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME_LABEL.to_owned(), name.clone());
    labels.insert(MANAGED_BY_LABEL.to_owned(), MIRROR_MANAGER.to_owned());
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !OWN_ANNOTATIONS.contains(&key.as_str()));
    EndpointSlice {
        address_type: family.to_owned(),
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: meta.namespace.clone(),
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            owner_references: Some(vec![ENDPOINTS.controls(meta)]),
            ..ObjectMeta::default()
        },
        ports: Some(ports.iter().map(endpoint_port).collect()),
        endpoints: Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn endpoints(subsets: &Value) -> Endpoints {
        serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "shop", "uid": "e", "labels": {"a": "b"},
                "annotations": {"note": "x", OWN_ANNOTATIONS[0]: "{}"}},
            "subsets": subsets,
        }))
        .unwrap()
    }

    fn two_families() -> Endpoints {
        endpoints(&json!([{
            "addresses": [{"ip": "192.0.2.1", "hostname": "one"}, {"ip": "2001:db8::1"}],
            "notReadyAddresses": [{"ip": "192.0.2.2"}],
            "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
        }]))
    }

    fn created(steps: &[SliceStep]) -> Vec<EndpointSlice> {
        let create = |step: &SliceStep| match step {
            SliceStep::Create(slice) => Some(slice.clone()),
            _ => None,
        };
        steps.iter().filter_map(create).collect()
    }

    #[test]
    fn each_kind_of_address_has_slices_of_its_own() {
        let made = created(&plan_mirror(Some(&two_families()), &[]));
        let told: Vec<(&str, Vec<(String, bool)>)> = made
            .iter()
            .map(|slice| {
                let endpoints = slice.endpoints.iter().flatten().map(|one| {
                    (one.addresses[0].clone(), one.conditions.as_ref().unwrap().ready.unwrap())
                });
                (slice.address_type.as_str(), endpoints.collect())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("IPv4", vec![("192.0.2.1".to_owned(), true), ("192.0.2.2".to_owned(), false)]),
                ("IPv6", vec![("2001:db8::1".to_owned(), true)]),
            ]
        );
        let meta = serde_json::to_value(&made[0].metadata).unwrap();
        assert_eq!(meta["labels"][SERVICE_NAME_LABEL], "db");
        assert_eq!(meta["labels"][MANAGED_BY_LABEL], MIRROR_MANAGER);
        assert_eq!(
            (&meta["labels"]["a"], &meta["annotations"]),
            (&json!("b"), &json!({"note": "x"}))
        );
        assert_eq!(meta["ownerReferences"][0]["kind"], "Endpoints");
        assert_eq!(made[0].ports.as_ref().unwrap()[0].port, Some(5432));
    }

    #[test]
    fn what_is_right_stays_and_what_is_left_over_goes() {
        let all = two_families();
        let mut existing = created(&plan_mirror(Some(&all), &[]));
        for (number, slice) in existing.iter_mut().enumerate() {
            slice.metadata.name = Some(format!("db-{number}"));
        }
        let existing: Vec<_> = existing.into_iter().map(Arc::new).collect();
        assert_eq!(plan_mirror(Some(&all), &existing), []);
        let deleted = |steps: Vec<SliceStep>| {
            steps.iter().filter(|step| matches!(step, SliceStep::Delete(_))).count()
        };
        let fewer = endpoints(&json!([{"addresses": [{"ip": "192.0.2.1", "hostname": "one"}],
            "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]}]));
        let steps = plan_mirror(Some(&fewer), &existing);
        assert!(
            matches!(&steps[0], SliceStep::Update(slice) if slice.endpoints.as_ref().unwrap().len() == 1)
        );
        assert_eq!(deleted(steps), 1);
        assert_eq!(deleted(plan_mirror(None, &existing)), 2);
    }

    #[test]
    fn addresses_beyond_a_thousand_are_told_about() {
        let addresses: Vec<Value> = (0..1002)
            .map(|number| json!({"ip": format!("10.0.{}.{}", number / 250, number % 250)}))
            .collect();
        let many = endpoints(&json!([{"addresses": addresses, "ports": [{"port": 1}]}]));
        let made = created(&plan_mirror(Some(&many), &[]));
        assert_eq!(made[0].endpoints.as_ref().unwrap().len(), 1000);
        let text = "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. \
                    2 addresses were skipped";
        assert_eq!(skipped(&many).as_deref(), Some(text));
        assert_eq!(skipped(&two_families()), None);
    }
}
