//! Quotas where several servers use one store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wk_apiserver::NoNodes;
use wk_store::{MemoryStore, Store};

use crate::cluster::{Cluster, PODS, pod};

/// Two servers over one store, and a quota of pods.
async fn two(pods: &str) -> (Cluster, Cluster) {
    let store: Arc<MemoryStore> = Arc::new(MemoryStore::new());
    let one = Cluster::with(Arc::clone(&store) as Arc<dyn Store>, Arc::new(NoNodes)).await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": pods}},
    });
    one.create("/api/v1/namespaces/default/resourcequotas", quota).await;
    let other = Cluster::with(store, Arc::new(NoNodes)).await;
    (one, other)
}

async fn pods(cluster: &Cluster) -> usize {
    cluster.get(PODS).await.1["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn two_servers_over_one_store_do_not_overdraw_a_quota() {
    let (one, other) = two("20").await;
    // The first write of its status is one server's; from then on both charge.
    one.create(PODS, pod("first")).await;
    let creates = (0..60).map(|index| {
        let server = if index % 2 == 0 { &one } else { &other };
        async move {
            let (code, answer) = server.json("POST", PODS, &pod(&format!("p{index}"))).await;
            // Who deletes makes room that the other server must not count too early.
            if code == 201 && index % 5 == 0 {
                server.delete(&format!("{PODS}/p{index}"), &json!({})).await;
            }
            assert!(code == 201 || code == 403 || code == 409, "{answer}");
            code
        }
    });
    let codes = futures::future::join_all(creates).await;
    let made = codes.iter().filter(|code| **code == 201).count();
    let there = pods(&one).await;
    assert!(there <= 20 && made >= there - 1, "{there} pods of {made} made");
    let (_, quota) = other.get("/api/v1/namespaces/default/resourcequotas/few").await;
    let used: usize = quota["status"]["used"]["pods"].as_str().unwrap().parse().unwrap();
    assert!(used >= there && used <= 20, "{used} used by {there}");
}

#[tokio::test(start_paused = true)]
async fn what_is_free_is_counted_once_no_other_server_can_have_it_under_way() {
    let (one, other) = two("1").await;
    let place = "/api/v1/namespaces/default/resourcequotas/few";
    one.create(PODS, pod("a")).await;
    assert_eq!(other.json("POST", PODS, &pod("b")).await.0, 403);
    one.delete(&format!("{PODS}/a"), &json!({"gracePeriodSeconds": 0})).await;
    assert_eq!(pods(&other).await, 0);
    let (code, refused) = other.json("POST", PODS, &pod("b")).await;
    assert_eq!(code, 403, "the other server might be about to store one: {refused}");
    let (_, mut lower) = other.get(place).await;
    lower["status"]["used"] = json!({"pods": "0"});
    let (code, refused) = other.json("PUT", &format!("{place}/status"), &lower).await;
    assert_eq!((code, &refused["reason"]), (409, &json!("Conflict")), "a controller tries again");
    // The server that charged knows that nothing is under way.
    assert_eq!(one.json("POST", PODS, &pod("c")).await.0, 201);
    one.delete(&format!("{PODS}/c"), &json!({"gracePeriodSeconds": 0})).await;
    assert_eq!(pods(&other).await, 0);
    assert_eq!(other.json("POST", PODS, &pod("b")).await.0, 403);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(other.json("POST", PODS, &pod("b")).await.0, 201);
}
