//! The `Endpoints` object of a service, the older form.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Observed, Port, hostname, labels, ports, reachable, spec, target};

/// The most addresses of one object.
const MAX: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// The `Endpoints` to write; `None` if they are there already.
pub(in crate::endpoints) fn plan_endpoints(
    observed: &Observed<'_>,
    existing: Option<&Endpoints>,
) -> Option<Endpoints> {
    let service = observed.service;
    let (mut subsets, is_cut) = subsets(observed);
    for subset in &mut subsets {
        subset.addresses = subset.addresses.take().filter(|list| !list.is_empty());
        subset.not_ready_addresses =
            subset.not_ready_addresses.take().filter(|list| !list.is_empty());
    }
    let subsets = (!subsets.is_empty()).then_some(subsets);
    let labels = labels(service, &[("endpoints.kubernetes.io/managed-by", "endpoint-controller")]);
    let mut wanted = existing.cloned().unwrap_or_else(|| Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        subsets: None,
    });
    wanted.subsets = subsets;
    wanted.metadata.labels = Some(labels);
    let annotations = wanted.metadata.annotations.get_or_insert_default();
    if is_cut {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        annotations.remove(OVER_CAPACITY);
    }
    wanted.metadata.annotations =
        wanted.metadata.annotations.take().filter(|annotations| !annotations.is_empty());
    (existing != Some(&wanted)).then_some(wanted)
}

/// The addresses by their ports, and whether some were left out.
fn subsets(observed: &Observed<'_>) -> (Vec<EndpointSubset>, bool) {
    let spec = spec(observed.service);
    let publishes = spec.publish_not_ready_addresses == Some(true);
    let is_portless = spec.ports.as_ref().is_none_or(Vec::is_empty);
    let mut of_ports: BTreeMap<Vec<Port>, EndpointSubset> = BTreeMap::new();
    let mut count = 0;
    let mut is_cut = false;
    // Ready ones first, so that they are the last to be cut.
    let mut pods: Vec<_> = reachable(observed).collect();
    pods.sort_by_key(|(pod, network)| (!pod.is_ready(), network.ips.clone(), pod.uid().clone()));
    for (pod, network) in pods {
        if pod.is_terminating() && !publishes {
            continue;
        }
        let ports = ports(&spec, network);
        if ports.is_empty() && !is_portless {
            continue;
        }
        count += 1;
        if count > MAX {
            is_cut = true;
            break;
        }
        let subset = of_ports.entry(ports.clone()).or_insert_with(|| EndpointSubset {
            ports: (!ports.is_empty()).then(|| ports.iter().map(port).collect()),
            ..EndpointSubset::default()
        });
        let list = if publishes || pod.is_ready() {
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        list.get_or_insert_default().push(EndpointAddress {
            ip: network.ips.first().cloned().unwrap_or_default(),
            hostname: hostname(observed.service, network),
            node_name: pod.node.clone(),
            target_ref: Some(target(pod)),
        });
    }
    (of_ports.into_values().collect(), is_cut)
}

fn port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()).filter(|name| !name.is_empty()),
        port: port.number,
        protocol: Some(port.protocol.clone()),
        app_protocol: port.app_protocol.clone(),
    }
}
