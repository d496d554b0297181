//! Where the pods of a service are reached, in both forms in which clients ask for it.

mod mirrored;
mod slices;
mod subsets;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::meta::OwnerKind;
use crate::watched::{PodNetwork, PodView};

pub(super) use mirrored::{ENDPOINTS, plan_mirror, skipped};
pub(super) use slices::{SliceStep, plan_slices};
pub(super) use subsets::plan_endpoints;

pub(super) const KIND: OwnerKind = OwnerKind { api_version: "v1", kind: "Service" };
/// The label of what stands for a service without an address of its own.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// What tells where the pods of a service are.
pub(super) struct Observed<'a> {
    pub(super) service: &'a Service,
    /// The pods that the service selects.
    pub(super) pods: &'a [Arc<PodView>],
    /// The zone of each node that has one.
    pub(super) zones: &'a BTreeMap<String, String>,
}

/// One port of one pod, as a service names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    name: String,
    protocol: String,
    number: i32,
    app_protocol: Option<String>,
}

fn spec(service: &Service) -> ServiceSpec {
    service.spec.clone().unwrap_or_default()
}

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some("None")
}

/// The ports of a pod that a service means, those that the pod does not have left out.
fn ports(spec: &ServiceSpec, network: &PodNetwork) -> Vec<Port> {
    let port = |port: &ServicePort| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        let number = match &port.target_port {
            None | Some(IntOrString::Int(0)) => port.port,
            Some(IntOrString::Int(number)) => *number,
            Some(IntOrString::String(name)) => {
                let is_it = |one: &&(String, String, i32)| one.0 == *name && one.1 == protocol;
                network.ports.iter().find(is_it)?.2
            }
        };
        let name = port.name.clone().unwrap_or_default();
        Some(Port { name, protocol, number, app_protocol: port.app_protocol.clone() })
    };
    let mut ports: Vec<Port> = spec.ports.iter().flatten().filter_map(port).collect();
    ports.sort();
    ports
}

/// The pods that can be reached, with how.
fn reachable<'a>(
    observed: &Observed<'a>,
) -> impl Iterator<Item = (&'a PodView, &'a PodNetwork)> + use<'a> {
    let pods = observed.pods.iter().filter(|pod| !pod.is_finished());
    pods.filter_map(|pod| Some((&**pod, pod.network.as_deref()?)))
}

/// The host name of a pod that wants to be known by it below the service's name.
fn hostname(service: &Service, network: &PodNetwork) -> Option<String> {
    let is_known = !network.hostname.is_empty()
        && service.metadata.name.as_deref() == Some(network.subdomain.as_str());
    is_known.then(|| network.hostname.clone())
}

fn target(pod: &PodView) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
        uid: Some(pod.uid().to_string()),
        ..ObjectReference::default()
    }
}

/// The service's labels, and what says whose work this is.
fn labels(service: &Service, ours: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS_LABEL);
    if is_headless(&spec(service)) {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels.extend(ours.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    labels
}

#[cfg(test)]
mod tests;
