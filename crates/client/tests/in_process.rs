//! Caches and events against an API server in this process.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use wk_api::names::NamespacedName;
use wk_apiserver::{ApiServer, Config, NoNodes, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, TokenSigner, User};
use wk_client::connect::in_process;
use wk_client::{
    EventRecorder, EventType, Informer, LeaderElector, LeaseSettings, events::reference_to,
};
use wk_process::TaskGroup;
use wk_store::MemoryStore;

const DEADLINE: Duration = Duration::from_secs(20);

/// A client of an API server in this process, over an empty store in memory.
async fn cluster(group: &TaskGroup) -> Client {
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
    let server = ApiServer::start(config, group).await.unwrap();
    in_process(server.router(), User::authenticated("test", [User::MASTERS]))
}

fn map(name: &str, value: usize) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"v": value.to_string()}}))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_ends_up_with_what_the_server_has() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    for number in 0..50 {
        api.create(&PostParams::default(), &map(&format!("m{number}"), 0)).await.unwrap();
    }
    let config = watcher::Config::default();
    let informer = Informer::projected(Api::<ConfigMap>::all(client), config, &group, |map| {
        Some(map.data.unwrap_or_default().remove("v"))
    });
    let mut changes = informer.subscribe();
    informer.ready().await;
    assert!(informer.in_namespace("default").len() >= 50);
    for number in 0..50 {
        let name = format!("m{number}");
        if number % 2 == 0 {
            api.delete(&name, &DeleteParams::default()).await.unwrap();
        } else {
            let patch = json!({"data": {"v": number.to_string()}});
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        }
    }
    api.create(&PostParams::default(), &map("last", 7)).await.unwrap();
    let last = NamespacedName::new("default", "last");
    let seen = async { while !changes.next().await.contains(&last) {} };
    tokio::time::timeout(DEADLINE, seen).await.unwrap();
    for number in 0..50 {
        let key = NamespacedName::new("default", format!("m{number}"));
        let value = informer.get(&key).map(|value| value.as_ref().clone().unwrap());
        assert_eq!(value, (number % 2 == 1).then(|| number.to_string()), "{key}");
    }
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_events_are_one_with_a_count() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    let object = api.create(&PostParams::default(), &map("m", 0)).await.unwrap();
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let informer = Informer::projected_as(
        "events".to_owned(),
        events.clone(),
        watcher::Config::default(),
        &group,
        Some,
    );
    let mut changes = informer.subscribe();
    let recorder = EventRecorder::start(client, "tester", Some("node".to_owned()), &group);
    for _ in 0..100 {
        recorder.publish(reference_to(&object), EventType::Warning, "Broken", "it broke");
    }
    let counted = async {
        while !informer.list().iter().any(|event| event.count == Some(100)) {
            changes.next().await;
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.unwrap();
    let stored = events.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(stored.len(), 1);
    let source = stored[0].source.clone().unwrap();
    assert_eq!(source.component.as_deref(), Some("tester"));
    assert_eq!(source.host.as_deref(), Some("node"));
    assert_eq!(stored[0].involved_object.uid, object.metadata.uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_goes_to_the_next_when_its_holder_stops() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    let settings = |identity: &str| LeaseSettings {
        retry_period: Duration::from_millis(50),
        ..LeaseSettings::new("tester", identity)
    };
    let (first_group, second_group) = (group.child("first"), group.child("second"));
    let mut first = LeaderElector::start(client.clone(), settings("first"), &first_group);
    tokio::time::timeout(DEADLINE, first.acquired()).await.unwrap();
    let mut second = LeaderElector::start(client, settings("second"), &second_group);
    assert!(!second.is_held());
    assert!(first_group.shutdown(DEADLINE).await.is_empty());
    tokio::time::timeout(DEADLINE, second.acquired()).await.unwrap();
    assert!(!first.is_held());
}
