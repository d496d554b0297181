//! The `EndpointSlice` objects of a service: at most a hundred endpoints each, changed as little as
//! possible, because every change goes to every node.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::well_known::SERVICE_NAME_LABEL;

use super::{KIND, Observed, Port, hostname, labels, ports, reachable, spec, target};
use crate::endpoints::{MANAGED_BY_LABEL, MANAGER};
use crate::watched::{PodNetwork, PodView};

/// The most endpoints of one slice.
const MAX: usize = 100;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::endpoints) enum SliceStep {
    Create(EndpointSlice),
    Update(EndpointSlice),
    Delete(Arc<EndpointSlice>),
}

/// Plans how the slices of a service come to show its pods.
///
/// Pods that are reached through the same ports share slices. A service without pods keeps one
/// empty slice, so that it can be told from one that nobody has looked at.
/// Spec: <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>
pub(in crate::endpoints) fn plan_slices(
    observed: &Observed<'_>,
    existing: &[Arc<EndpointSlice>],
) -> Vec<SliceStep> {
    let spec = spec(observed.service);
    let families = spec.ip_families.clone().unwrap_or_else(|| vec!["IPv4".to_owned()]);
    let mut steps: Vec<SliceStep> = existing
        .iter()
        .filter(|slice| !families.contains(&slice.address_type))
        .map(|slice| SliceStep::Delete(Arc::clone(slice)))
        .collect();
    for family in &families {
        let of_family: Vec<_> =
            existing.iter().filter(|slice| slice.address_type == *family).cloned().collect();
        steps.extend(plan_family(observed, family, &of_family));
    }
    steps
}

fn plan_family(
    observed: &Observed<'_>,
    family: &str,
    existing: &[Arc<EndpointSlice>],
) -> Vec<SliceStep> {
    let service_spec = spec(observed.service);
    let mut wanted: BTreeMap<Vec<Port>, Vec<Endpoint>> = BTreeMap::new();
    for (pod, network) in reachable(observed) {
        if let Some(endpoint) = endpoint(observed, family, pod, network) {
            wanted.entry(ports(&service_spec, network)).or_default().push(endpoint);
        }
    }
    if wanted.is_empty() {
        return plan_empty(observed, family, existing);
    }
    let mut of_ports: BTreeMap<Vec<Port>, Vec<Arc<EndpointSlice>>> = BTreeMap::new();
    for slice in existing {
        of_ports.entry(read_ports(slice)).or_default().push(Arc::clone(slice));
    }
    let mut steps = Vec::new();
    for (ports, endpoints) in wanted {
        let slices = of_ports.remove(&ports).unwrap_or_default();
        let model = slice(observed, family, &ports, Vec::new());
        steps.extend(plan_ports(&model, endpoints, &slices, MAX));
    }
    let mut unused: Vec<_> = of_ports.into_values().flatten().collect();
    unused.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    steps.extend(unused.into_iter().map(SliceStep::Delete));
    steps
}

/// Keeps or makes one slice without endpoints.
fn plan_empty(
    observed: &Observed<'_>,
    family: &str,
    existing: &[Arc<EndpointSlice>],
) -> Vec<SliceStep> {
    let empty = slice(observed, family, &[], Vec::new());
    let is_empty = |slice: &Arc<EndpointSlice>| {
        slice.endpoints.as_ref().is_none_or(Vec::is_empty)
            && slice.ports.as_ref().is_none_or(Vec::is_empty)
            && slice.metadata.labels == empty.metadata.labels
    };
    let kept = existing.iter().position(is_empty);
    let others = existing.iter().enumerate().filter(|(place, _)| Some(*place) != kept);
    let mut steps: Vec<_> = others.map(|(_, slice)| SliceStep::Delete(Arc::clone(slice))).collect();
    if kept.is_none() {
        steps.insert(0, SliceStep::Create(empty));
    }
    steps
}

/// A slice under work, and whether it differs from what is there.
struct Draft {
    before: Arc<EndpointSlice>,
    endpoints: Vec<Endpoint>,
    is_changed: bool,
}

/// Plans how slices with the ports of `model` come to hold these endpoints, at most `max` each.
pub(super) fn plan_ports(
    model: &EndpointSlice,
    endpoints: Vec<Endpoint>,
    existing: &[Arc<EndpointSlice>],
    max: usize,
) -> Vec<SliceStep> {
    let differs = |meta: &ObjectMeta| {
        let annotations = &model.metadata.annotations;
        meta.labels != model.metadata.labels
            || annotations.is_some() && meta.annotations != *annotations
    };
    let mut left: BTreeMap<String, Endpoint> =
        endpoints.into_iter().map(|one| (identity(&one), one)).collect();
    // What is in a slice stays there.
    let mut drafts: Vec<Draft> = existing
        .iter()
        .map(|before| {
            let now = before.endpoints.iter().flatten();
            let endpoints: Vec<Endpoint> =
                now.filter_map(|one| left.remove(&identity(one))).collect();
            let is_changed = before.endpoints.as_deref().unwrap_or_default() != endpoints
                || differs(&before.metadata);
            Draft { before: Arc::clone(before), endpoints, is_changed }
        })
        .collect();
    // New ones go where something changes anyway, and else where the least room is left.
    drafts.sort_by_key(|draft| (!draft.is_changed, std::cmp::Reverse(draft.endpoints.len())));
    for draft in &mut drafts {
        while draft.endpoints.len() < max
            && let Some((_, endpoint)) = left.pop_first()
        {
            draft.endpoints.push(endpoint);
            draft.is_changed = true;
        }
    }
    let new: Vec<Endpoint> = left.into_values().collect();
    let new = new
        .chunks(max)
        .map(|part| EndpointSlice { endpoints: Some(part.to_vec()), ..model.clone() });
    let mut steps: Vec<SliceStep> = new.map(SliceStep::Create).collect();
    for draft in drafts {
        if draft.endpoints.is_empty() {
            steps.push(SliceStep::Delete(draft.before));
        } else if draft.is_changed {
            let mut slice = (*draft.before).clone();
            slice.metadata.labels.clone_from(&model.metadata.labels);
            if model.metadata.annotations.is_some() {
                slice.metadata.annotations.clone_from(&model.metadata.annotations);
            }
            slice.endpoints = Some(draft.endpoints);
            steps.push(SliceStep::Update(slice));
        }
    }
    steps
}

fn identity(endpoint: &Endpoint) -> String {
    let uid = endpoint.target_ref.as_ref().and_then(|target| target.uid.clone());
    uid.unwrap_or_else(|| endpoint.addresses.join(","))
}

fn endpoint(
    observed: &Observed<'_>,
    family: &str,
    pod: &PodView,
    network: &PodNetwork,
) -> Option<Endpoint> {
    let is_of_family = |ip: &&String| ip.contains(':') == (family == "IPv6");
    let address = network.ips.iter().find(is_of_family)?.clone();
    let publishes = spec(observed.service).publish_not_ready_addresses == Some(true);
    let (is_serving, is_terminating) = (pod.is_ready(), pod.is_terminating());
    Some(Endpoint {
        addresses: vec![address],
        conditions: Some(EndpointConditions {
            ready: Some(publishes || is_serving && !is_terminating),
            serving: Some(is_serving),
            terminating: Some(is_terminating),
        }),
        hostname: hostname(observed.service, network),
        node_name: pod.node.clone(),
        target_ref: Some(target(pod)),
        zone: pod.node.as_ref().and_then(|node| observed.zones.get(node)).cloned(),
        ..Endpoint::default()
    })
}

fn slice(
    observed: &Observed<'_>,
    family: &str,
    ports: &[Port],
    endpoints: Vec<Endpoint>,
) -> EndpointSlice {
    let service = observed.service;
    let name = service.metadata.name.clone().unwrap_or_default();
    let ours = [(SERVICE_NAME_LABEL, name.as_str()), (MANAGED_BY_LABEL, MANAGER)];
    EndpointSlice {
        address_type: family.to_owned(),
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels(service, &ours)),
            owner_references: Some(vec![KIND.controls(&service.metadata)]),
            ..ObjectMeta::default()
        },
        ports: Some(ports.iter().map(endpoint_port).collect()),
        endpoints: Some(endpoints),
    }
}

pub(super) fn endpoint_port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.number),
        app_protocol: port.app_protocol.clone(),
    }
}

pub(super) fn read_ports(slice: &EndpointSlice) -> Vec<Port> {
    let port = |port: &EndpointPort| Port {
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        number: port.port.unwrap_or(0),
        app_protocol: port.app_protocol.clone(),
    };
    let mut ports: Vec<Port> = slice.ports.iter().flatten().map(port).collect();
    ports.sort();
    ports
}
