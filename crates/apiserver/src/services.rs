//! Addresses and node ports of services.
//!
//! What is taken is known from the services that there are; what a request takes meanwhile is held
//! by a [`Reserved`] until the service is stored or is not.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng as _;
use serde_json::{Value, json};
use wk_api::{ApiError, Fault, FieldPath, GroupKind};
use wk_process::BoxError;

use crate::cache::Shelf;
use crate::changes::ChangeKind;
use crate::config::ServiceCidr;

/// The ports that `NodePort` services are given, as in Kubernetes.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// Which addresses and ports are taken, and by whom.
#[derive(Debug)]
pub(crate) struct Services {
    cidr: ServiceCidr,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    addresses: BTreeMap<IpAddr, Arc<str>>,
    ports: BTreeMap<u16, Arc<str>>,
}

/// What was taken for a service that is not stored yet.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    services: Option<&'a Services>,
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl Reserved<'_> {
    /// Nothing was taken.
    pub(crate) fn nothing() -> Self {
        Self { services: None, addresses: Vec::new(), ports: Vec::new() }
    }

    /// The service is stored and keeps what was taken.
    pub(crate) fn keep(mut self) {
        self.services = None;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let Some(services) = self.services else { return };
        let mut taken = services.taken.lock();
        for address in &self.addresses {
            taken.addresses.remove(address);
        }
        for port in &self.ports {
            taken.ports.remove(port);
        }
    }
}

fn kind_of(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn addresses(service: &Value) -> Vec<IpAddr> {
    let spec = &service["spec"];
    let list = spec["clusterIPs"].as_array().into_iter().flatten();
    let texts = list.chain(std::iter::once(&spec["clusterIP"])).filter_map(Value::as_str);
    let mut found: Vec<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    found.sort();
    found.dedup();
    found
}

fn node_ports(service: &Value) -> Vec<u16> {
    let spec = &service["spec"];
    let ports = spec["ports"].as_array().into_iter().flatten().map(|port| &port["nodePort"]);
    let all = ports.chain(std::iter::once(&spec["healthCheckNodePort"]));
    all.filter_map(|port| u16::try_from(port.as_u64()?).ok()).collect()
}

/// How many places at the beginning of a range are left to those who choose for themselves: one of
/// so many, within bounds.
fn kept_places(size: u32, one_of: u32, most: u32) -> u32 {
    const LEAST: u32 = 16;
    if size <= LEAST { 0 } else { (size / one_of).clamp(LEAST, most) }
}

/// A free place in a range: at random first, so that one just freed is not given out again at once,
/// and then the next free one. Places that are kept come last.
fn choose(size: u32, kept: u32, is_free: impl Fn(u32) -> bool) -> Option<u32> {
    let search = |from: u32, to: u32| {
        let size = to.checked_sub(from).filter(|size| *size > 0)?;
        let start = rand::rng().random_range(0..size);
        (0..size).map(|step| from + (start + step) % size).find(|place| is_free(*place))
    };
    search(kept, size).or_else(|| search(0, kept))
}

/// An update that says nothing of what was allocated keeps it.
pub(crate) fn keep_allocated(new: &mut Value, old: &Value) {
    if kind_of(new) == "ExternalName" || kind_of(old) == "ExternalName" {
        return;
    }
    let unset = |value: &Value| value.as_str().is_none_or(str::is_empty);
    if unset(&new["spec"]["clusterIP"]) && !unset(&old["spec"]["clusterIP"]) {
        for field in ["clusterIP", "clusterIPs"] {
            new["spec"][field] = old["spec"][field].clone();
        }
    }
    if !matches!(kind_of(new), "NodePort" | "LoadBalancer") {
        return;
    }
    let old_ports = old["spec"]["ports"].as_array().cloned().unwrap_or_default();
    for port in new["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same = old_ports
            .iter()
            .find(|own| own["port"] == port["port"] && own["protocol"] == port["protocol"]);
        if let Some(own) = same
            && port["nodePort"].as_u64().unwrap_or(0) == 0
            && own["nodePort"].is_u64()
        {
            port["nodePort"] = own["nodePort"].clone();
        }
    }
}

impl Services {
    /// Nothing is taken yet.
    pub(crate) fn new(cidr: ServiceCidr) -> Self {
        Self { cidr, taken: Mutex::default() }
    }

    /// Gives a service the addresses and ports it needs.
    ///
    /// # Errors
    /// 422 if it asks for some that it cannot have, or none are left.
    pub(crate) fn reserve(&self, key: &str, service: &mut Value) -> Result<Reserved<'_>, ApiError> {
        let mut reserved =
            Reserved { services: Some(self), addresses: Vec::new(), ports: Vec::new() };
        let mut faults = Vec::new();
        {
            let owner: Arc<str> = key.into();
            let mut taken = self.taken.lock();
            self.reserve_address(&owner, service, &mut taken, &mut reserved, &mut faults);
            reserve_ports(&owner, service, &mut taken, &mut reserved, &mut faults);
        }
        if faults.is_empty() {
            return Ok(reserved);
        }
        let name = service["metadata"]["name"].as_str().unwrap_or_default();
        Err(ApiError::invalid(&GroupKind::new("", "Service"), name, &faults))
    }

    fn reserve_address(
        &self,
        owner: &Arc<str>,
        service: &mut Value,
        taken: &mut Taken,
        reserved: &mut Reserved<'_>,
        faults: &mut Vec<Fault>,
    ) {
        if kind_of(service) == "ExternalName" {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("spec.clusterIPs");
        let asked = service["spec"]["clusterIP"].as_str().unwrap_or_default().to_owned();
        if asked == "None" {
            service["spec"]["clusterIPs"] = json!(["None"]);
            return;
        }
        let wanted = addresses(service);
        if wanted.is_empty() && asked.is_empty() {
            let Some(address) = self.free(taken) else {
                let detail = format!("failed to allocate a serviceIP: range {} is full", self.cidr);
                faults.push(Fault::internal(&path, detail));
                return;
            };
            taken.addresses.insert(address.into(), Arc::clone(owner));
            reserved.addresses.push(address.into());
            let spec = &mut service["spec"];
            spec["clusterIP"] = address.to_string().into();
            spec["clusterIPs"] = json!([address.to_string()]);
            for (field, value) in
                [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))]
            {
                if spec[field].is_null() {
                    spec[field] = value;
                }
            }
            return;
        }
        for address in wanted {
            let refuse = |why: &str| {
                let shown = json!([address.to_string()]);
                Fault::invalid(&path, shown, format!("failed to allocate IP {address}: {why}"))
            };
            match taken.addresses.get(&address) {
                Some(own) if own == owner => {}
                Some(_) => faults.push(refuse("provided IP is already allocated")),
                None if !self.cidr.contains(address) => {
                    let why = format!(
                        "the provided IP ({address}) is not in the valid range. The range of valid \
                         IPs is {}",
                        self.cidr
                    );
                    faults.push(refuse(&why));
                }
                None => {
                    taken.addresses.insert(address, Arc::clone(owner));
                    reserved.addresses.push(address);
                }
            }
        }
        let spec = &mut service["spec"];
        if spec["clusterIPs"].is_null() {
            spec["clusterIPs"] = json!([asked]);
        }
        for (field, value) in
            [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))]
        {
            if spec[field].is_null() {
                spec[field] = value;
            }
        }
    }

    fn free(&self, taken: &Taken) -> Option<Ipv4Addr> {
        let size = self.cidr.size();
        let is_free = |place| {
            let address = self.cidr.nth(place);
            // The first one is kept for the service `kubernetes`.
            address != self.cidr.first() && !taken.addresses.contains_key(&IpAddr::V4(address))
        };
        choose(size, kept_places(size, 16, 256), is_free).map(|place| self.cidr.nth(place))
    }

    /// Knows what is taken from the services that there are, until cancelled.
    pub(crate) async fn follow(
        &self,
        shelf: &Shelf,
        token: tokio_util::sync::CancellationToken,
    ) -> Result<(), BoxError> {
        let mut bell = shelf.subscribe();
        let mut cursor = self.load(shelf);
        loop {
            bell.borrow_and_update();
            match shelf.changes(cursor, 256) {
                Err(_) => cursor = self.load(shelf),
                Ok(changes) if changes.is_empty() => {
                    tokio::select! {
                        biased;
                        () = token.cancelled() => return Ok(()),
                        rung = bell.changed() => rung?,
                    }
                }
                Ok(changes) => {
                    for change in changes {
                        cursor = change.revision;
                        let key = change.object.key();
                        let gone = (change.kind == ChangeKind::Deleted).then_some(&change.object);
                        let before = gone.or(change.previous.as_ref()).map(|old| old.value());
                        let now =
                            (change.kind != ChangeKind::Deleted).then(|| change.object.value());
                        self.exchange(key, before.as_ref(), now.as_ref());
                    }
                }
            }
        }
    }

    /// Takes note of all services; gives the revision that this is as of.
    pub(crate) fn load(&self, shelf: &Shelf) -> u64 {
        let snapshot = shelf.snapshot(&shelf.prefix, usize::MAX, 0, |_| true);
        {
            // Services that went while nobody looked have given back what they had.
            let mut taken = self.taken.lock();
            taken.addresses.retain(|_, owner| shelf.get(owner).is_some());
            taken.ports.retain(|_, owner| shelf.get(owner).is_some());
        }
        for object in &snapshot.objects {
            self.exchange(object.key(), None, Some(&object.value()));
        }
        snapshot.revision
    }

    /// Takes note of what became of one service: what it had and has no more is free for others.
    pub(crate) fn exchange(&self, key: &Arc<str>, before: Option<&Value>, now: Option<&Value>) {
        let (kept_addresses, kept_ports) =
            now.map_or_else(Default::default, |now| (addresses(now), node_ports(now)));
        let mut taken = self.taken.lock();
        if let Some(before) = before {
            for address in addresses(before) {
                if !kept_addresses.contains(&address) && taken.addresses.get(&address) == Some(key)
                {
                    taken.addresses.remove(&address);
                }
            }
            for port in node_ports(before) {
                if !kept_ports.contains(&port) && taken.ports.get(&port) == Some(key) {
                    taken.ports.remove(&port);
                }
            }
        }
        // News may be old: what somebody else has by now stays theirs.
        for address in kept_addresses {
            taken.addresses.entry(address).or_insert_with(|| Arc::clone(key));
        }
        for port in kept_ports {
            taken.ports.entry(port).or_insert_with(|| Arc::clone(key));
        }
    }
}

fn reserve_ports(
    owner: &Arc<str>,
    service: &mut Value,
    taken: &mut Taken,
    reserved: &mut Reserved<'_>,
    faults: &mut Vec<Fault>,
) {
    let kind = kind_of(service).to_owned();
    let spec = &mut service["spec"];
    let mut ports = Ports { owner, taken, reserved, faults };
    let root = FieldPath::Root;
    let path = root.child("spec");
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        // Whoever brings the traffic to the pods some other way needs none but those asked for.
        let only_asked =
            kind == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] == Value::Bool(false);
        ports.of_service(&mut spec["ports"], only_asked, &path);
    }
    if kind == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local" {
        let path = path.child("healthCheckNodePort");
        let asked = spec["healthCheckNodePort"].as_u64().unwrap_or(0);
        if asked == 0 {
            if let Some(free) = ports.next(&path, "a HealthCheck NodePort") {
                spec["healthCheckNodePort"] = free.into();
            }
        } else {
            ports.take(asked, &path);
        }
    }
}

/// Gives out ports of the nodes to one service.
struct Ports<'a, 'b> {
    owner: &'a Arc<str>,
    taken: &'a mut Taken,
    reserved: &'a mut Reserved<'b>,
    faults: &'a mut Vec<Fault>,
}

impl Ports<'_, '_> {
    fn of_service(&mut self, ports: &mut Value, only_asked: bool, path: &FieldPath<'_>) {
        let list = path.child("ports");
        let number = |port: &Value| port["port"].as_u64().unwrap_or(0);
        let asked = |port: &Value| port["nodePort"].as_u64().unwrap_or(0);
        let all = ports.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
        // Ports of one number and several protocols share the port of the nodes.
        let mut shared: BTreeMap<u64, u64> = BTreeMap::new();
        for port in all.iter().filter(|port| asked(port) != 0) {
            shared.entry(number(port)).or_insert_with(|| asked(port));
        }
        for (index, port) in all.iter_mut().enumerate() {
            let item = list.index(index);
            let path = item.child("nodePort");
            if asked(port) != 0 {
                self.take(asked(port), &path);
                continue;
            }
            if only_asked {
                continue;
            }
            if let Some(same) = shared.get(&number(port)) {
                port["nodePort"] = (*same).into();
            } else if let Some(free) = self.next(&path, "a nodePort") {
                port["nodePort"] = free.into();
                shared.insert(number(port), free.into());
            }
        }
    }

    fn next(&mut self, path: &FieldPath<'_>, what: &str) -> Option<u16> {
        let (first, last) = (*NODE_PORTS.start(), *NODE_PORTS.end());
        let size = u32::from(last - first) + 1;
        // All places are within the range, which is one of ports.
        let port = |place: u32| first + u16::try_from(place).unwrap_or(0);
        let is_free = |place| !self.taken.ports.contains_key(&port(place));
        let Some(place) = choose(size, kept_places(size, 32, 128), is_free) else {
            let detail = format!("failed to allocate {what}: range is full");
            self.faults.push(Fault::internal(path, detail));
            return None;
        };
        self.hold(port(place));
        Some(port(place))
    }

    fn take(&mut self, asked: u64, path: &FieldPath<'_>) {
        let number = u16::try_from(asked).unwrap_or(0);
        match self.taken.ports.get(&number) {
            Some(own) if own == self.owner => {}
            Some(_) => {
                let detail = "provided port is already allocated";
                self.faults.push(Fault::invalid(path, asked, detail));
            }
            None if !NODE_PORTS.contains(&number) => {
                let detail = "provided port is not in the valid range. The range of valid ports is \
                              30000-32767";
                self.faults.push(Fault::invalid(path, asked, detail));
            }
            None => self.hold(number),
        }
    }

    fn hold(&mut self, port: u16) {
        self.taken.ports.insert(port, Arc::clone(self.owner));
        self.reserved.ports.push(port);
    }
}
