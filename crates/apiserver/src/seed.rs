//! The objects that the server itself makes when it starts.

use futures::future::try_join_all;
use serde_json::{Value, json};
use tracing::warn;
use wk_api::{ApiError, Reason, well_known};
use wk_auth::User;

use crate::admission;
use crate::options::WriteOptions;
use crate::server::ApiServer;
use crate::write;

/// Who owns the fields of these objects.
const MANAGER: Option<&str> = Some("apiserver");

/// Makes what is not there: the namespaces, and the service of the API with its endpoints.
pub(crate) async fn seed(server: &ApiServer) -> Result<(), ApiError> {
    for name in admission::NAMESPACES {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
        });
        ensure(server, "", "v1", "namespaces", "", namespace).await?;
    }
    rules_of_admission(server).await?;
    let port = server.advertise.map_or(443, |address| address.port());
    let address = server.cidr.first().to_string();
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "labels": labels},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    });
    let namespace = well_known::DEFAULT_NAMESPACE;
    // Nothing depends on these to start, so that a fault in them is no reason not to.
    report(ensure(server, "", "v1", "services", namespace, service).await, "service");
    report(range_of_services(server).await, "range of service addresses");
    let Some(advertise) = server.advertise else { return Ok(()) };
    let (ip, port) = (advertise.ip().to_string(), advertise.port());
    let endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{
            "addresses": [{"ip": ip}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        }],
    });
    report(renew(server, "", "v1", "endpoints", endpoints).await, "endpoints");
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "labels": {well_known::SERVICE_NAME_LABEL: "kubernetes"},
        },
        "addressType": if advertise.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [ip], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    });
    let slices = renew(server, "discovery.k8s.io", "v1", "endpointslices", slice).await;
    report(slices, "endpoint slice");
    Ok(())
}

/// Tells of the range that services get addresses from.
async fn range_of_services(server: &ApiServer) -> Result<(), ApiError> {
    let (group, version, plural) = ("networking.k8s.io", "v1", "servicecidrs");
    let name = "kubernetes";
    let range = json!({
        "apiVersion": format!("{group}/{version}"),
        "kind": "ServiceCIDR",
        "metadata": {
            "name": name,
            "finalizers": ["networking.k8s.io/service-cidr-finalizer"],
        },
        "spec": {"cidrs": [server.cidr.to_string()]},
    });
    ensure(server, group, version, plural, "", range).await?;
    let Some(resource) = server.catalog.get(group, version, plural) else { return Ok(()) };
    let change = write::Change {
        resource: &resource,
        namespace: "",
        name,
        part: wk_resources::Update::Status,
        dry_run: false,
        user: None,
        manager: MANAGER,
    };
    write::change(server, &change, |old| {
        let mut value = old.clone();
        let conditions = &old["status"]["conditions"];
        let is_ready = |condition: &Value| condition["type"] == "Ready";
        if !conditions.as_array().is_some_and(|all| all.iter().any(is_ready)) {
            value["status"]["conditions"] = json!([{
                "type": "Ready",
                "status": "True",
                "reason": "",
                "message": "Kubernetes default Service CIDR is ready",
                "lastTransitionTime": wk_api::rfc3339(jiff::Timestamp::now()),
            }]);
        }
        Ok(write::Changed { value, conditional: false })
    })
    .await
    .map(|_| ())
}

/// Makes what admission asks of every pod: a service account in the namespaces that are always
/// there, the system's priority classes, and a runtime class for each runtime.
async fn rules_of_admission(server: &ApiServer) -> Result<(), ApiError> {
    let accounts = admission::NAMESPACES.iter().map(|namespace| {
        let name = well_known::DEFAULT_SERVICE_ACCOUNT;
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        ensure(server, "", "v1", "serviceaccounts", namespace, account)
    });
    let priorities = admission::SYSTEM_CLASSES.iter().map(|class| {
        let class = admission::system_class(*class);
        ensure(server, "scheduling.k8s.io", "v1", "priorityclasses", "", class)
    });
    let runtimes = admission::RUNTIME_CLASSES.iter().map(|name| {
        let class = json!({
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": name},
            "handler": name,
        });
        ensure(server, "node.k8s.io", "v1", "runtimeclasses", "", class)
    });
    tokio::try_join!(try_join_all(accounts), try_join_all(priorities), try_join_all(runtimes))?;
    Ok(())
}

fn report(made: Result<(), ApiError>, what: &str) {
    if let Err(error) = made {
        warn!(%error, "the {what} of the API was not made");
    }
}

/// Creates an object unless one of its name is there.
async fn ensure(
    server: &ApiServer,
    group: &str,
    version: &str,
    plural: &str,
    namespace: &str,
    object: Value,
) -> Result<(), ApiError> {
    let Some(resource) = server.catalog.get(group, version, plural) else { return Ok(()) };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if resource.shelf.get(&resource.key(namespace, name)).is_some() {
        return Ok(());
    }
    let user = User::authenticated("system:apiserver", [User::MASTERS]);
    let options = WriteOptions::internal();
    let creation = write::Creation {
        resource: &resource,
        namespace,
        options: &options,
        user: &user,
        manager: MANAGER,
    };
    match write::create(server, &creation, object).await {
        Err(error) if error.reason == Reason::AlreadyExists => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Creates an object of the namespace `default`, or makes the one that is there equal to it.
async fn renew(
    server: &ApiServer,
    group: &str,
    version: &str,
    plural: &str,
    object: Value,
) -> Result<(), ApiError> {
    let namespace = well_known::DEFAULT_NAMESPACE;
    ensure(server, group, version, plural, namespace, object.clone()).await?;
    let Some(resource) = server.catalog.get(group, version, plural) else { return Ok(()) };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let change = write::Change {
        resource: &resource,
        namespace,
        name,
        part: wk_resources::Update::Whole,
        dry_run: false,
        user: None,
        manager: MANAGER,
    };
    write::change(server, &change, |_| {
        Ok(write::Changed { value: object.clone(), conditional: false })
    })
    .await
    .map(|_| ())
}
