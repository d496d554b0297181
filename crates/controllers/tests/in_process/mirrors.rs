//! Endpoints that people write are shown as slices.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use wk_process::TaskGroup;

use super::{create, start, until};

/// The addresses in slices of ours.
fn mirrored(all: &[Arc<EndpointSlice>]) -> Vec<String> {
    let is_ours = |slice: &&Arc<EndpointSlice>| {
        slice.metadata.labels.as_ref().is_some_and(|labels| {
            labels.get("endpointslice.kubernetes.io/managed-by").map(String::as_str)
                == Some("endpointslicemirroring-controller.k8s.io")
        })
    };
    let slices = all.iter().filter(is_ours);
    let endpoints = slices.flat_map(|slice| slice.endpoints.iter().flatten());
    endpoints.flat_map(|one| one.addresses.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_a_service_without_a_selector_are_shown_as_slices() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let services = Api::<Service>::namespaced(client.clone(), "default");
    let port = json!([{"port": 5432}]);
    create(services.clone(), json!({"metadata": {"name": "db"}, "spec": {"ports": port}})).await;
    let all = Api::<Endpoints>::namespaced(client.clone(), "default");
    let subset =
        |address: &str| json!([{"addresses": [{"ip": address}], "ports": [{"port": 5432}]}]);
    create(all.clone(), json!({"metadata": {"name": "db"}, "subsets": subset("192.0.2.1")})).await;
    // Nobody's: there is no such service.
    create(all.clone(), json!({"metadata": {"name": "x"}, "subsets": subset("192.0.2.9")})).await;
    until::<EndpointSlice>(&client, &group, |all| mirrored(all) == ["192.0.2.1"]).await;
    let other = Patch::Merge(json!({"subsets": subset("192.0.2.2")}));
    all.patch("db", &PatchParams::default(), &other).await.unwrap();
    until::<EndpointSlice>(&client, &group, |all| mirrored(all) == ["192.0.2.2"]).await;
    let skip = json!({"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}});
    all.patch("db", &PatchParams::default(), &Patch::Merge(skip)).await.unwrap();
    until::<EndpointSlice>(&client, &group, |all| mirrored(all).is_empty()).await;
    let again = json!({"metadata": {"labels": null}});
    all.patch("db", &PatchParams::default(), &Patch::Merge(again)).await.unwrap();
    until::<EndpointSlice>(&client, &group, |all| mirrored(all) == ["192.0.2.2"]).await;
    all.delete("db", &DeleteParams::default()).await.unwrap();
    until::<EndpointSlice>(&client, &group, |all| mirrored(all).is_empty()).await;
}
