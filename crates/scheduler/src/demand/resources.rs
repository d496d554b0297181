//! Amounts of resources, and what a pod asks for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, PodSpec, PodStatus, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use wk_api::quantity::Quantity;

/// What a container without a request is assumed to use, for spreading only.
const ASSUMED_MILLI_CPU: i64 = 100;
const ASSUMED_MEMORY: i64 = 200 << 20;

type List = BTreeMap<String, WireQuantity>;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// CPU in thousandths of a core.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local disk in bytes.
    pub ephemeral_storage: i64,
    /// All others, in their own units.
    pub extended: BTreeMap<Box<str>, i64>,
}

impl Resources {
    /// The amounts of a resource list; the number of pods is not one of them.
    pub fn from_list(list: Option<&List>) -> Self {
        let mut resources = Self::default();
        for (name, quantity) in list.into_iter().flatten() {
            // What the server has admitted can be parsed.
            let Ok(quantity) = Quantity::try_from(quantity) else { continue };
            match name.as_str() {
                "cpu" => resources.milli_cpu = quantity.milli(),
                "memory" => resources.memory = quantity.value(),
                "ephemeral-storage" => resources.ephemeral_storage = quantity.value(),
                "pods" => {}
                other => {
                    resources.extended.insert(other.into(), quantity.value());
                }
            }
        }
        resources
    }

    /// The amount of the resource of this name.
    pub fn amount(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.milli_cpu,
            "memory" => self.memory,
            "ephemeral-storage" => self.ephemeral_storage,
            other => self.extended.get(other).copied().unwrap_or(0),
        }
    }

    /// Whether all amounts are zero.
    pub fn is_zero(&self) -> bool {
        (self.milli_cpu, self.memory, self.ephemeral_storage) == (0, 0, 0)
            && self.extended.values().all(|amount| *amount == 0)
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, operation: fn(i64, i64) -> i64) {
        self.milli_cpu = operation(self.milli_cpu, other.milli_cpu);
        self.memory = operation(self.memory, other.memory);
        self.ephemeral_storage = operation(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.extended {
            if let Some(own) = self.extended.get_mut(name) {
                *own = operation(*own, *amount);
            } else {
                self.extended.insert(name.clone(), operation(0, *amount));
            }
        }
    }
}

/// What a pod is guaranteed: the larger of what the containers need together and what any init
/// container needs while it runs beside the sidecars started before it, plus the overhead. While a
/// container is being resized, the larger of what it has and what it shall have counts.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
pub(super) fn requests(spec: &PodSpec, status: &PodStatus) -> Resources {
    total(spec, |container| of_container(container, status))
}

/// CPU (thousandths) and memory (bytes) with assumptions in place of missing requests.
pub(super) fn assumed(spec: &PodSpec, status: &PodStatus) -> (i64, i64) {
    let total = total(spec, |container| {
        let mut own = of_container(container, status);
        let requests = container.resources.as_ref().and_then(|one| one.requests.as_ref());
        let lacks = |name: &str| requests.is_none_or(|list| !list.contains_key(name));
        if lacks("cpu") {
            own.milli_cpu = ASSUMED_MILLI_CPU;
        }
        if lacks("memory") {
            own.memory = ASSUMED_MEMORY;
        }
        own
    });
    (total.milli_cpu, total.memory)
}

fn total(spec: &PodSpec, requests: impl Fn(&Container) -> Resources) -> Resources {
    let mut total = Resources::default();
    for container in &spec.containers {
        total.add(&requests(container));
    }
    let (mut sidecars, mut peak) = (Resources::default(), Resources::default());
    for container in spec.init_containers.iter().flatten() {
        let own = requests(container);
        if is_sidecar(container) {
            sidecars.add(&own);
            total.add(&own);
            peak.raise_to(&sidecars);
        } else {
            let mut while_it_runs = sidecars.clone();
            while_it_runs.add(&own);
            peak.raise_to(&while_it_runs);
        }
    }
    total.raise_to(&peak);
    // Requests of the pod as a whole replace the sum, resource by resource.
    if let Some(list) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        let whole = Resources::from_list(Some(list));
        if list.contains_key("cpu") {
            total.milli_cpu = whole.milli_cpu;
        }
        if list.contains_key("memory") {
            total.memory = whole.memory;
        }
        for (name, amount) in whole.extended {
            if name.starts_with("hugepages-") {
                total.extended.insert(name, amount);
            }
        }
    }
    total.add(&Resources::from_list(spec.overhead.as_ref()));
    total
}

pub(super) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn of_container(container: &Container, status: &PodStatus) -> Resources {
    let wanted = requests_of(container.resources.as_ref());
    let statuses = status.container_statuses.iter().chain(&status.init_container_statuses);
    let Some(own) = statuses.flatten().find(|one| one.name == container.name) else {
        return wanted;
    };
    let ContainerStatus { resources, allocated_resources, .. } = own;
    let actual = requests_of(resources.as_ref());
    let is_infeasible = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "PodResizePending" && condition.reason.as_deref() == Some("Infeasible")
    });
    if is_infeasible && resources.is_some() {
        return actual;
    }
    let mut largest = wanted;
    largest.raise_to(&actual);
    largest.raise_to(&Resources::from_list(allocated_resources.as_ref()));
    largest
}

fn requests_of(requirements: Option<&ResourceRequirements>) -> Resources {
    Resources::from_list(requirements.and_then(|requirements| requirements.requests.as_ref()))
}
