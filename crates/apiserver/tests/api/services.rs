//! What services are given: addresses and ports of the nodes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::Cluster;

const SERVICES: &str = "/api/v1/namespaces/default/services";

fn service(name: &str, spec: &Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
    });
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

async fn made(cluster: &Cluster, name: &str, spec: Value) -> Value {
    let (code, answer) = cluster.json("POST", SERVICES, &service(name, &spec)).await;
    assert_eq!(code, 201, "{answer}");
    answer
}

async fn refused(cluster: &Cluster, name: &str, spec: Value) -> String {
    let (code, answer) = cluster.json("POST", SERVICES, &service(name, &spec)).await;
    assert_eq!(code, 422, "{answer}");
    answer["details"]["causes"][0]["message"].as_str().unwrap().to_owned()
}

async fn merge(cluster: &Cluster, path: &str, patch: &Value) -> (u16, Value) {
    let media_type = "application/merge-patch+json";
    let answer = cluster.raw("PATCH", path, media_type, patch.to_string()).await;
    (answer.code, answer.json())
}

async fn patched(cluster: &Cluster, name: &str, patch: Value) -> Value {
    let path = format!("{SERVICES}/{name}");
    let (code, answer) = merge(cluster, &path, &patch).await;
    assert_eq!(code, 200, "{answer}");
    answer
}

fn is_node_port(value: &Value) -> bool {
    value.as_u64().is_some_and(|port| (30_000..=32_767).contains(&port))
}

#[tokio::test]
async fn load_balancers_that_keep_traffic_local_get_a_port_that_tells_of_health() {
    let cluster = Cluster::start().await;
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    let first = made(&cluster, "a", local.clone()).await;
    let port = &first["spec"]["healthCheckNodePort"];
    assert!(is_node_port(port), "{first}");
    assert_ne!(*port, first["spec"]["ports"][0]["nodePort"]);
    // A write that says nothing of it keeps it.
    let mut same = service("a", &local);
    same["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"].clone();
    let (code, kept) = cluster.json("PUT", &format!("{SERVICES}/a"), &same).await;
    assert_eq!((code, &kept["spec"]["healthCheckNodePort"]), (200, port));
    // Nobody else gets it, and nobody changes it.
    let mut taken = local.clone();
    taken["healthCheckNodePort"] = port.clone();
    let message = refused(&cluster, "b", taken).await;
    assert!(message.ends_with("provided port is already allocated"), "{message}");
    let patch = json!({"spec": {"healthCheckNodePort": 30_001}});
    let (code, answer) = merge(&cluster, &format!("{SERVICES}/a"), &patch).await;
    assert_eq!((code, answer["reason"].as_str()), (422, Some("Invalid")));
    // It goes back with the need for it.
    let open = patched(&cluster, "a", json!({"spec": {"externalTrafficPolicy": "Cluster"}})).await;
    assert_eq!(open["spec"].get("healthCheckNodePort"), None);
    let mut asked = local.clone();
    asked["healthCheckNodePort"] = port.clone();
    let second = made(&cluster, "b", asked).await;
    assert_eq!(second["spec"]["healthCheckNodePort"], *port);
    let again = patched(&cluster, "a", json!({"spec": {"externalTrafficPolicy": "Local"}})).await;
    assert!(is_node_port(&again["spec"]["healthCheckNodePort"]), "{again}");
}

#[tokio::test]
async fn ports_of_one_number_share_a_port_of_the_nodes() {
    let cluster = Cluster::start().await;
    let ports = json!([
        {"name": "u", "port": 53, "protocol": "UDP"},
        {"name": "t", "port": 53, "protocol": "TCP"},
        {"name": "w", "port": 80},
    ]);
    let made = made(&cluster, "dns", json!({"type": "NodePort", "ports": ports})).await;
    let given: Vec<&Value> = (0..3).map(|at| &made["spec"]["ports"][at]["nodePort"]).collect();
    assert_eq!(given[0], given[1]);
    assert_ne!(given[0], given[2]);
    assert!(given.into_iter().all(is_node_port), "{made}");
}

#[tokio::test]
async fn load_balancers_that_need_no_ports_of_the_nodes_get_those_they_ask_for() {
    let cluster = Cluster::start().await;
    let ports = json!([{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30_007}]);
    let spec = json!({
        "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": ports,
    });
    let made = made(&cluster, "lb", spec).await;
    assert_eq!(made["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(made["spec"]["ports"][1]["nodePort"], 30_007);
    let message = refused(
        &cluster,
        "x",
        json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30_007}]}),
    );
    assert!(message.await.ends_with("provided port is already allocated"));
    let message =
        refused(&cluster, "x", json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]}));
    assert!(message.await.ends_with("The range of valid ports is 30000-32767"));
}

#[tokio::test]
async fn what_a_service_had_goes_back_when_it_becomes_another() {
    let cluster = Cluster::start().await;
    let node = made(&cluster, "a", json!({"type": "NodePort"})).await;
    let (ip, port) = (&node["spec"]["clusterIP"], &node["spec"]["ports"][0]["nodePort"]);
    let named = json!({"spec": {
        "type": "ExternalName", "externalName": "example.com", "clusterIP": null,
        "clusterIPs": null, "ports": null,
    }});
    let named = patched(&cluster, "a", named).await;
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        assert_eq!(named["spec"].get(field), None, "{named}");
    }
    let same = json!({
        "type": "NodePort", "clusterIP": ip, "ports": [{"port": 80, "nodePort": port}],
    });
    let other = made(&cluster, "b", same).await;
    assert_eq!((&other["spec"]["clusterIP"], &other["spec"]["ports"][0]["nodePort"]), (ip, port));
    // A trial takes nothing for good, and shows what there would be.
    let trial = format!("{SERVICES}?dryRun=All");
    let (code, tried) =
        cluster.json("POST", &trial, &service("c", &json!({"type": "NodePort"}))).await;
    assert_eq!(code, 201);
    assert!(is_node_port(&tried["spec"]["ports"][0]["nodePort"]), "{tried}");
    let same = json!({"clusterIP": tried["spec"]["clusterIP"]});
    assert_eq!(made(&cluster, "c", same).await["spec"]["clusterIP"], tried["spec"]["clusterIP"]);
}

#[tokio::test]
async fn services_have_one_family_of_addresses_here() {
    let cluster = Cluster::start().await;
    let plain = made(&cluster, "plain", json!({"ipFamilyPolicy": "PreferDualStack"})).await;
    assert_eq!(plain["spec"]["ipFamilies"], json!(["IPv4"]));
    assert_eq!(plain["spec"]["ipFamilyPolicy"], "PreferDualStack");
    let open = made(&cluster, "open", json!({"clusterIP": "None", "selector": null})).await;
    assert_eq!(open["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(open["spec"]["ipFamilyPolicy"], "RequireDualStack");
    let single = json!({"spec": {"ipFamilyPolicy": "SingleStack"}});
    let single = patched(&cluster, "open", single).await;
    assert_eq!(single["spec"]["ipFamilies"], json!(["IPv4"]));
    for (spec, message) in [
        (
            json!({"ipFamilyPolicy": "RequireDualStack"}),
            "Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack \
             services",
        ),
        (
            json!({"ipFamilies": ["IPv6"]}),
            "Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (
            json!({"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"}),
            "Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when \
             multiple IP families are specified",
        ),
    ] {
        assert_eq!(refused(&cluster, "x", spec).await, message);
    }
}

#[tokio::test]
async fn addresses_at_the_beginning_are_left_to_those_who_choose() {
    let cluster = Cluster::start().await;
    let mut given = BTreeSet::new();
    for index in 0..20 {
        let made = made(&cluster, &format!("s{index}"), json!({})).await;
        let address: std::net::Ipv4Addr =
            made["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
        assert!(u32::from(address) & 0xf_ffff > 256, "{address}");
        assert!(given.insert(address), "{address} was given twice");
    }
    let chosen = made(&cluster, "dns", json!({"clusterIP": "127.32.0.10"})).await;
    assert_eq!(chosen["spec"]["clusterIPs"], json!(["127.32.0.10"]));
}
