//! The services of the cluster, as containers learn of them: by variables of their environment.
//!
//! Spec: <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::runtime::watcher;
use kube::{Api, Client};
use wk_api::well_known::DEFAULT_NAMESPACE;
use wk_client::Informer;
use wk_process::TaskGroup;

/// How long a first container waits for the services to be known.
const FIRST_LIST: Duration = Duration::from_secs(10);
/// The service that every container learns of.
const OF_THE_API: &str = "kubernetes";

/// What is kept of a service that has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    name: Box<str>,
    address: Box<str>,
    ports: Box<[Port]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Port {
    name: Box<str>,
    number: i32,
    protocol: Box<str>,
}

impl View {
    fn of(service: Service) -> Option<Self> {
        let spec = service.spec?;
        let address = spec.cluster_ip.filter(|ip| !ip.is_empty() && ip != "None")?;
        let port = |port: k8s_openapi::api::core::v1::ServicePort| Port {
            name: port.name.unwrap_or_default().into(),
            number: port.port,
            protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()).into(),
        };
        Some(Self {
            name: service.metadata.name?.into(),
            address: address.into(),
            ports: spec.ports.into_iter().flatten().map(port).collect(),
        })
    }

    fn variables(&self, all: &mut Vec<(String, String)>) {
        let Some(first) = self.ports.first() else { return };
        let name = variable_name(&self.name);
        let ip = if self.address.contains(':') {
            format!("[{}]", self.address)
        } else {
            self.address.to_string()
        };
        all.push((format!("{name}_SERVICE_HOST"), self.address.to_string()));
        all.push((format!("{name}_SERVICE_PORT"), first.number.to_string()));
        for port in self.ports.iter().filter(|port| !port.name.is_empty()) {
            let port_name = variable_name(&port.name);
            all.push((format!("{name}_SERVICE_PORT_{port_name}"), port.number.to_string()));
        }
        for (place, port) in self.ports.iter().enumerate() {
            let protocol = port.protocol.to_lowercase();
            let url = format!("{protocol}://{ip}:{}", port.number);
            if place == 0 {
                all.push((format!("{name}_PORT"), url.clone()));
            }
            let prefix = format!("{name}_PORT_{}_{}", port.number, port.protocol.to_uppercase());
            all.push((format!("{prefix}_PROTO"), protocol));
            all.push((format!("{prefix}_PORT"), port.number.to_string()));
            all.push((format!("{prefix}_ADDR"), self.address.to_string()));
            all.push((prefix, url));
        }
    }
}

fn variable_name(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// The services that have addresses, in one watch for all pods.
#[derive(Debug)]
pub(crate) struct Services(Informer<View>);

impl Services {
    /// Watches the services, in a task of `group`.
    pub(crate) fn watch(client: Client, group: &TaskGroup) -> Self {
        let api = Api::<Service>::all(client);
        Self(Informer::projected(api, watcher::Config::default(), group, View::of))
    }

    /// The variables for a container of this namespace: of the API's own service and, if it wants
    /// `links`, of those in its namespace. One that does not wait for them has those that are known.
    ///
    /// # Errors
    /// In Kubernetes' words, if the services cannot be known.
    pub(crate) async fn variables(
        &self,
        namespace: &str,
        links: bool,
        waits: bool,
    ) -> Result<Vec<(String, String)>, String> {
        if waits && tokio::time::timeout(FIRST_LIST, self.0.ready()).await.is_err() {
            return Err("services have not yet been read at least once, cannot construct envvars"
                .to_owned());
        }
        let mut all = Vec::new();
        let own = if links { self.0.in_namespace(namespace) } else { Vec::new() };
        // One of the same name in the pod's own namespace comes before the API's.
        if !own.iter().any(|service| &*service.name == OF_THE_API) {
            let key = wk_api::names::NamespacedName::new(DEFAULT_NAMESPACE, OF_THE_API);
            if let Some(service) = self.0.get(&key) {
                service.variables(&mut all);
            }
        }
        for service in own {
            service.variables(&mut all);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wk_api::names::NamespacedName;

    use super::*;

    fn services(all: &[(&str, &str, Value)]) -> Services {
        let view = |(namespace, name, spec): &(&str, &str, Value)| {
            let service = json!({"metadata": {"name": name}, "spec": spec});
            let view = View::of(serde_json::from_value(service).unwrap())?;
            Some((NamespacedName::new(*namespace, *name), view))
        };
        Services(Informer::of(all.iter().filter_map(view)))
    }

    #[tokio::test]
    async fn containers_learn_of_the_api_and_of_their_namespace() {
        let services = services(&[
            (
                "default",
                "kubernetes",
                json!({"clusterIP": "127.32.0.1", "ports": [
                    {"name": "https", "port": 443, "protocol": "TCP"},
                ]}),
            ),
            (
                "shop",
                "red-shop",
                json!({"clusterIP": "127.32.0.9", "ports": [
                    {"port": 80}, {"name": "dns-udp", "port": 53, "protocol": "UDP"},
                ]}),
            ),
            ("shop", "headless", json!({"clusterIP": "None", "ports": [{"port": 1}]})),
            ("shop", "portless", json!({"clusterIP": "127.32.0.10"})),
        ]);
        let shown = |all: Vec<(String, String)>| -> Vec<String> {
            all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let api = [
            "KUBERNETES_SERVICE_HOST=127.32.0.1",
            "KUBERNETES_SERVICE_PORT=443",
            "KUBERNETES_SERVICE_PORT_HTTPS=443",
            "KUBERNETES_PORT=tcp://127.32.0.1:443",
            "KUBERNETES_PORT_443_TCP_PROTO=tcp",
            "KUBERNETES_PORT_443_TCP_PORT=443",
            "KUBERNETES_PORT_443_TCP_ADDR=127.32.0.1",
            "KUBERNETES_PORT_443_TCP=tcp://127.32.0.1:443",
        ];
        assert_eq!(shown(services.variables("shop", false, true).await.unwrap()), api);
        let all = shown(services.variables("shop", true, true).await.unwrap());
        assert_eq!(all[..8], api);
        assert_eq!(
            all[8..13],
            [
                "RED_SHOP_SERVICE_HOST=127.32.0.9",
                "RED_SHOP_SERVICE_PORT=80",
                "RED_SHOP_SERVICE_PORT_DNS_UDP=53",
                "RED_SHOP_PORT=tcp://127.32.0.9:80",
                "RED_SHOP_PORT_80_TCP_PROTO=tcp",
            ]
        );
        assert_eq!(all.last().unwrap(), "RED_SHOP_PORT_53_UDP=udp://127.32.0.9:53");
        let default = shown(services.variables("default", true, true).await.unwrap());
        assert_eq!(default, api, "once");
    }
}
