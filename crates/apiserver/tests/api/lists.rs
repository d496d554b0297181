//! Lists.

use serde_json::json;

use crate::cluster::{Cluster, MAPS, PODS, map, pod, revision};

#[tokio::test]
async fn pages_are_of_one_moment_whatever_is_written_meanwhile() {
    let cluster = Cluster::start().await;
    for at in 0..7 {
        cluster.create(MAPS, map(&format!("m{at}"), "1")).await;
    }
    let (_, first) = cluster.get(&format!("{MAPS}?limit=3")).await;
    assert_eq!(first["metadata"]["remainingItemCount"], 4);
    let mut names: Vec<String> = Vec::new();
    let mut page = first.clone();
    loop {
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["data"]["key"], "1", "as of the first page");
            names.push(item["metadata"]["name"].as_str().unwrap().to_owned());
        }
        assert_eq!(revision(&page), revision(&first));
        // Writes between the pages: one before, one behind, one new, one gone.
        cluster.json("PUT", &format!("{MAPS}/m0"), &map("m0", "2")).await;
        cluster.json("PUT", &format!("{MAPS}/m6"), &map("m6", "2")).await;
        cluster.json("POST", MAPS, &map("m55", "2")).await;
        cluster.delete(&format!("{MAPS}/m4"), &json!({})).await;
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        let (code, next) = cluster.get(&format!("{MAPS}?limit=3&continue={token}")).await;
        assert_eq!(code, 200, "{next}");
        page = next;
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
}

#[tokio::test]
async fn a_list_that_is_too_old_goes_on_in_the_present_if_the_client_wants() {
    let cluster = Cluster::start().await;
    for at in 0..6 {
        cluster.create(MAPS, map(&format!("m{at}"), "1")).await;
    }
    let (_, first) = cluster.get(&format!("{MAPS}?limit=2")).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    cluster.create(MAPS, map("m11", "2")).await;
    cluster.delete(&format!("{MAPS}/m4"), &json!({})).await;
    cluster.server.compact().await.unwrap();
    let (code, status) = cluster.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")), "{status}");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains("or use the continue token in this response"), "{message}");
    let token = status["metadata"]["continue"].as_str().unwrap();
    let (code, second) = cluster.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!(code, 200, "{second}");
    assert!(revision(&second) > revision(&first));
    let names = |list: &serde_json::Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&second), ["m11", "m2"]);
    // From here on it is consistent again.
    cluster.create(MAPS, map("m6", "2")).await;
    let token = second["metadata"]["continue"].as_str().unwrap();
    let (_, third) = cluster.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!(names(&third), ["m3", "m5"]);
    assert_eq!(
        (revision(&third), &third["metadata"]["continue"]),
        (revision(&second), &json!(null))
    );
    let exact = format!("{MAPS}?resourceVersionMatch=Exact&resourceVersion={}", revision(&first));
    let (code, status) = cluster.get(&exact).await;
    assert_eq!((code, status["metadata"].get("continue")), (410, None), "{status}");
    let message = "The resourceVersion for the provided list is too old.";
    assert_eq!(status["message"], message);
}

#[tokio::test]
async fn selectors_narrow_lists() {
    let cluster = Cluster::start().await;
    for name in ["a", "b", "c"] {
        cluster.create(PODS, pod(name)).await;
    }
    for (query, expected) in [
        ("labelSelector=app%3Da", "a"),
        ("labelSelector=app%20in%20(a,c)", "a c"),
        ("labelSelector=!app", ""),
        ("fieldSelector=metadata.name%3Db", "b"),
        ("fieldSelector=metadata.name!%3Db", "a c"),
        ("fieldSelector=status.phase%3DPending,metadata.namespace%3Ddefault", "a b c"),
        ("fieldSelector=spec.nodeName%3D", "a b c"),
        ("fieldSelector=spec.nodeName%3Dn", ""),
    ] {
        for path in [PODS, "/api/v1/pods"] {
            let (code, list) = cluster.get(&format!("{path}?{query}")).await;
            assert_eq!(code, 200, "{list}");
            let names: Vec<&str> = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["metadata"]["name"].as_str().unwrap())
                .collect();
            assert_eq!(names.join(" "), expected, "{query}");
        }
    }
    let (code, status) = cluster.get(&format!("{PODS}?fieldSelector=spec.colour%3Dblue")).await;
    assert_eq!((code, &status["reason"]), (400, &json!("BadRequest")));
}

#[tokio::test]
async fn revisions_of_lists_mean_what_they_say() {
    let cluster = Cluster::start().await;
    let a = cluster.create(MAPS, map("a", "1")).await;
    let (_, list) = cluster.get(MAPS).await;
    assert_eq!(revision(&list), revision(&a));
    cluster.create(MAPS, map("b", "1")).await;
    let exact = format!("{MAPS}?resourceVersionMatch=Exact&resourceVersion={}", revision(&a));
    let (code, list) = cluster.get(&exact).await;
    assert_eq!((code, list["items"].as_array().unwrap().len()), (200, 1));
    for query in ["resourceVersion=0", "resourceVersion=1", "resourceVersion=0&limit=500"] {
        let (_, list) = cluster.get(&format!("{MAPS}?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 2, "{query}");
    }
    for query in
        ["resourceVersion=x", "limit=x", "continue=x", "labelSelector=%3D%3D", "fieldSelector=x"]
    {
        assert_eq!(cluster.get(&format!("{MAPS}?{query}")).await.0, 400, "{query}");
    }
    let (code, _) = cluster.get(&format!("{MAPS}?resourceVersionMatch=Exact")).await;
    assert_eq!(code, 422);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_never_comes_is_not_waited_for_for_ever() {
    let cluster = Cluster::start().await;
    let (code, status) = cluster.get(&format!("{MAPS}?resourceVersion=999999")).await;
    assert_eq!((code, &status["reason"]), (504, &json!("Timeout")));
    assert_eq!(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn a_long_list_arrives_whole() {
    let cluster = Cluster::start().await;
    let value = "x".repeat(10_000);
    for at in 0..40 {
        cluster.create(MAPS, map(&format!("m{at}"), &value)).await;
    }
    let (_, list) = cluster.get(MAPS).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 40);
    let request = http::Request::get(MAPS)
        .header("accept-encoding", "gzip")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = cluster.send(request).await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.bytes[..]), &mut text)
        .unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), list);
}
