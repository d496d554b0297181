//! The Rust client, unmodified: typed calls, patches, watchers and reflectors.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
    ValidationDirective, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use wk_tests::Cluster;

const NAMESPACE: &str = "crabs";

async fn client(cluster: &Cluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let namespace = Namespace {
        metadata: kube::api::ObjectMeta { name: Some(NAMESPACE.to_owned()), ..Default::default() },
        ..Namespace::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    client
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([("of".to_owned(), "test".to_owned())])),
            ..Default::default()
        },
        data: Some(BTreeMap::from([("key".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}

fn value(map: &ConfigMap) -> Option<&str> {
    map.data.as_ref()?.get("key").map(String::as_str)
}

/// The code and reason of a refusal.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason),
        other => panic!("not refused by the server: {other:?}"),
    }
}

#[tokio::test]
async fn kube_rs_creates_reads_writes_and_deletes() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let post = PostParams::default();

    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    let mut one = maps.create(&post, &config_map("one", "1")).await.unwrap();
    one.data = config_map("one", "2").data;
    let replaced = maps.replace("one", &post, &one).await.unwrap();
    assert_eq!(value(&replaced), Some("2"));
    let stale = maps.replace("one", &post, &one).await;
    assert_eq!(refusal(stale), (409, "Conflict".to_owned()));
    let again = maps.create(&post, &config_map("one", "1")).await;
    assert_eq!(refusal(again), (409, "AlreadyExists".to_owned()));
    let invalid = maps.create(&post, &config_map("No Good", "1")).await;
    assert_eq!(refusal(invalid), (422, "Invalid".to_owned()));
    assert_eq!(refusal(maps.get("absent").await), (404, "NotFound".to_owned()));
    assert!(maps.get_opt("absent").await.unwrap().is_none());
    assert_eq!(maps.get_metadata("one").await.unwrap().name_any(), "one");
    let rehearsed = PostParams { dry_run: true, ..PostParams::default() };
    maps.create(&rehearsed, &config_map("rehearsed", "1")).await.unwrap();
    assert!(maps.get_opt("rehearsed").await.unwrap().is_none());

    // Pages.
    for name in ["two", "three"] {
        maps.create(&post, &config_map(name, "1")).await.unwrap();
    }
    let mut names = Vec::new();
    let mut page = ListParams::default().labels("of=test").limit(2);
    loop {
        let list = maps.list(&page).await.unwrap();
        names.extend(list.items.iter().map(kube::ResourceExt::name_any));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["one", "three", "two"]);
    let only =
        maps.list_metadata(&ListParams::default().fields("metadata.name=two")).await.unwrap();
    assert_eq!(only.items.len(), 1);

    // Any kind, found by discovery.
    let (resource, _) = kube::discovery::pinned_kind(
        &client,
        &kube::core::GroupVersionKind::gvk("", "v1", "ConfigMap"),
    )
    .await
    .unwrap();
    let dynamic: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
    assert_eq!(dynamic.get("one").await.unwrap().data["data"]["key"], "2");
    let by_type = ApiResource::erase::<Secret>(&());
    let secrets: Api<DynamicObject> = Api::all_with(client.clone(), &by_type);
    assert!(secrets.list(&ListParams::default()).await.unwrap().items.is_empty());

    let how = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    assert!(maps.delete("one", &how).await.unwrap().is_right());
    let many = ListParams::default().labels("of=test");
    maps.delete_collection(&DeleteParams::default(), &many).await.unwrap();
    assert!(maps.list(&many).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn kube_rs_patches_and_applies() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let wanted = |image: &str| {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": image}]},
                },
            },
        })
    };
    let ours = PatchParams::apply("crab");
    let applied = deployments.patch("web", &ours, &Patch::Apply(wanted("web:1"))).await.unwrap();
    assert_eq!(applied.metadata.generation, Some(1));
    let managers = applied.metadata.managed_fields.unwrap();
    assert_eq!(managers[0].manager.as_deref(), Some("crab"));
    let same = deployments.patch("web", &ours, &Patch::Apply(wanted("web:1"))).await.unwrap();
    assert_eq!(same.metadata.resource_version, applied.metadata.resource_version);

    let theirs = PatchParams::apply("fish");
    let conflict = deployments.patch("web", &theirs, &Patch::Apply(wanted("web:2"))).await;
    assert_eq!(refusal(conflict), (409, "Conflict".to_owned()));
    deployments.patch("web", &theirs.force(), &Patch::Apply(wanted("web:2"))).await.unwrap();

    let plain = PatchParams::default();
    let merge = json!({"metadata": {"labels": {"a": "b"}}});
    let patched = deployments.patch("web", &plain, &Patch::Merge(merge)).await.unwrap();
    assert_eq!(patched.labels()["a"], "b");
    let strategic = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "side", "image": "side:1"}],
    }}}});
    let patched = deployments.patch("web", &plain, &Patch::Strategic(strategic)).await.unwrap();
    let containers = patched.spec.unwrap().template.spec.unwrap().containers;
    let images: Vec<_> = containers.iter().filter_map(|c| c.image.as_deref()).collect();
    assert_eq!(images, ["side:1", "web:2"]);

    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let unknown = json!({"spec": {"nothing": 1}});
    let refused = deployments.patch("web", &strict, &Patch::Merge(unknown)).await;
    assert_eq!(refusal(refused), (422, "Invalid".to_owned()));

    // Status and scale are apart from the rest.
    let status = json!({"status": {"observedGeneration": 3}, "spec": {"paused": true}});
    let patched = deployments.patch_status("web", &plain, &Patch::Merge(status)).await.unwrap();
    assert_eq!(patched.status.unwrap().observed_generation, Some(3));
    assert_eq!(patched.spec.unwrap().paused, None);
    let scale = deployments.get_scale("web").await.unwrap();
    assert_eq!(scale.status.unwrap().selector.as_deref(), Some("app=web"));
    let scale = json!({"spec": {"replicas": 0}});
    deployments.patch_scale("web", &plain, &Patch::Merge(scale)).await.unwrap();
}

#[tokio::test]
async fn kube_rs_watches_and_reflects() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let post = PostParams::default();
    maps.create(&post, &config_map("early", "1")).await.unwrap();

    // A bare watch from a list's revision.
    let since = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    maps.create(&post, &config_map("late", "1")).await.unwrap();
    maps.delete("late", &DeleteParams::default()).await.unwrap();
    let ours = WatchParams::default().labels("of=test");
    let events = maps.watch(&ours, &since).await.unwrap();
    pin_mut!(events);
    assert!(matches!(events.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    assert!(matches!(events.try_next().await.unwrap(), Some(WatchEvent::Deleted(_))));

    // Reflectors, over a list and a watch, and over a streaming list.
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let (store, writer) = reflector::store();
        let stream = watcher(maps.clone(), config.labels("of=test"));
        let events = stream.default_backoff().reflect(writer).applied_objects();
        pin_mut!(events);
        let first = events.next().await.unwrap().unwrap();
        assert_eq!(first.name_any(), "early");
        let name = ObjectRef::new("early").within(NAMESPACE);
        let patch = Patch::Merge(json!({"data": {"key": "2"}}));
        maps.patch("early", &PatchParams::default(), &patch).await.unwrap();
        let changed = events.next().await.unwrap().unwrap();
        assert_eq!(value(&changed), Some("2"));
        assert_eq!(store.get(&name).as_deref().and_then(value), Some("2"));
        let patch = Patch::Merge(json!({"data": {"key": "1"}}));
        maps.patch("early", &PatchParams::default(), &patch).await.unwrap();
    }
}
