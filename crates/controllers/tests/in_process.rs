//! The controllers against an API server in this process.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "in_process/access.rs"]
mod access;
#[path = "in_process/certificates.rs"]
mod certificates;
#[path = "in_process/daemons.rs"]
mod daemons;
#[path = "in_process/disruptions.rs"]
mod disruptions;
#[path = "in_process/failing.rs"]
mod failing;
#[path = "in_process/faults.rs"]
mod faults;
#[path = "in_process/garbage.rs"]
mod garbage;
#[path = "in_process/mirrors.rs"]
mod mirrors;
#[path = "in_process/mix.rs"]
mod mix;
#[path = "in_process/policy.rs"]
mod policy;
#[path = "in_process/replicas.rs"]
mod replicas;
#[path = "in_process/scaling.rs"]
mod scaling;
#[path = "in_process/volumes.rs"]
mod volumes;
#[path = "in_process/workloads.rs"]
mod workloads;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wk_apiserver::{ApiServer, Config, NoNodes, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, TokenSigner, User};
use wk_client::Informer;
use wk_client::connect::in_process;
use wk_controllers::{Controllers, ControllersConfig};
use wk_process::TaskGroup;
use wk_store::MemoryStore;

const DEADLINE: Duration = Duration::from_secs(30);

/// An API server in this process, over an empty store in memory, and a client of it.
async fn server(group: &TaskGroup) -> (axum::Router, Client) {
    let config = Config {
        store: Arc::new(MemoryStore::new()),
        authorizer: Arc::new(AllowAuthenticated),
        tokens: Arc::new(TokenSigner::ephemeral("https://kubernetes.default.svc").unwrap()),
        dialer: Arc::new(NoNodes),
        bootstrap: None,
        service_cidr: ServiceCidr::new([127, 32, 0, 0].into(), 12).unwrap(),
        advertise: None,
        release: Release::default(),
        event_ttl: wk_apiserver::EVENT_TTL,
        tolerations: wk_apiserver::TolerationSeconds::default(),
    };
    let router = ApiServer::start(config, group).await.unwrap().router();
    let client = in_process(router.clone(), User::authenticated("test", [User::MASTERS]));
    (router, client)
}

/// A cache of whole objects of any kind.
fn informer<K>(client: &Client, group: &TaskGroup) -> Informer<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let api = Api::<K>::all(client.clone());
    let config = watcher::Config::default();
    Informer::projected_as(K::plural(&()).into_owned(), api, config, group, Some)
}

/// Waits until the objects of a kind are as `wanted` says.
async fn until<K>(client: &Client, group: &TaskGroup, wanted: impl Fn(&[Arc<K>]) -> bool)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let objects = informer::<K>(client, group);
    let mut changes = objects.subscribe();
    let seen = async {
        objects.ready().await;
        while !wanted(&objects.list()) {
            changes.next().await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
    assert!(in_time, "objects are {:#?}", objects.list());
}

async fn create<K>(api: Api<K>, object: Value)
where
    K: Clone + DeserializeOwned + Debug + serde::Serialize,
{
    let object: K = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

fn has<K: Resource>(objects: &[Arc<K>], namespace: &str, name: &str) -> bool {
    objects.iter().any(|object| {
        object.meta().namespace.as_deref() == Some(namespace)
            && object.meta().name.as_deref() == Some(name)
    })
}

async fn start(group: &TaskGroup) -> Client {
    let (_router, client) = server(group).await;
    let config = ControllersConfig::rootless("the CA".to_owned());
    Controllers::run(|_user| client.clone(), config, group);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn every_namespace_gets_its_account_and_ca_and_ends_when_deleted() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let namespaces = Api::<Namespace>::all(client.clone());
    create(namespaces.clone(), json!({"metadata": {"name": "shop"}})).await;
    until::<ServiceAccount>(&client, &group, |all| has(all, "shop", "default")).await;
    until::<ConfigMap>(&client, &group, |all| has(all, "shop", "kube-root-ca.crt")).await;

    let maps = Api::<ConfigMap>::namespaced(client.clone(), "shop");
    let wrong = Patch::Merge(json!({"data": {"ca.crt": "another", "more": "x"}}));
    maps.patch("kube-root-ca.crt", &PatchParams::default(), &wrong).await.unwrap();
    until::<ConfigMap>(&client, &group, |all| {
        let is_right = |map: &Arc<ConfigMap>| {
            let data = map.data.clone().unwrap_or_default();
            data.len() == 1 && data["ca.crt"] == "the CA"
        };
        has(all, "shop", "kube-root-ca.crt")
            && all
                .iter()
                .filter(|map| map.metadata.namespace.as_deref() == Some("shop"))
                .all(is_right)
    })
    .await;

    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    create(maps.clone(), held).await;
    namespaces.delete("shop", &DeleteParams::default()).await.unwrap();
    until::<Namespace>(&client, &group, |all| {
        all.iter().any(|namespace| {
            let status = namespace.status.clone().unwrap_or_default();
            status.conditions.unwrap_or_default().iter().any(|condition| {
                condition.type_ == "NamespaceFinalizersRemaining"
                    && condition.status == "True"
                    && condition.message.as_deref().is_some_and(|message| {
                        message.ends_with("example.com/hold in 1 resource instances")
                    })
            })
        })
    })
    .await;
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &free).await.unwrap();
    until::<Namespace>(&client, &group, |all| {
        !all.is_empty() && all.iter().all(|one| one.metadata.name.as_deref() != Some("shop"))
    })
    .await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_get_ranges_and_taints() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let nodes = Api::<Node>::all(client.clone());
    for name in ["a", "b"] {
        let status = json!({"conditions": [{"type": "Ready", "status": "False"}]});
        create(nodes.clone(), json!({"metadata": {"name": name}, "status": status})).await;
    }
    until::<Node>(&client, &group, |all| {
        let mut ranges: Vec<_> =
            all.iter().filter_map(|node| node.spec.clone()?.pod_cidr).collect();
        ranges.sort();
        let tainted = all.iter().filter(|node| {
            let taints = node.spec.clone().unwrap_or_default().taints.unwrap_or_default();
            taints.iter().any(|taint| taint.key == "node.kubernetes.io/not-ready")
        });
        let may_keep = all.iter().filter(|node| {
            let annotations = node.metadata.annotations.as_ref();
            annotations.and_then(|all| all.get("node.alpha.kubernetes.io/ttl")?.parse().ok())
                == Some(0)
        });
        ranges == ["127.64.0.0/20", "127.64.16.0/20"]
            && tainted.count() == 2
            && may_keep.count() == 2
    })
    .await;
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let params = PatchParams::default();
    nodes.patch_status("a", &params, &Patch::Strategic(ready)).await.unwrap();
    until::<Node>(&client, &group, |all| {
        all.iter()
            .any(|node| node.spec.clone().unwrap_or_default().taints.unwrap_or_default().is_empty())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_without_a_node_goes() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    create(pods.clone(), json!({"metadata": {"name": "p"}, "spec": spec})).await;
    pods.delete("p", &DeleteParams::default()).await.unwrap();
    until::<Pod>(&client, &group, <[_]>::is_empty).await;
}
