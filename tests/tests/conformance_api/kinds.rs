//! What holds for single kinds through their life.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};
use wk_tests::PATIENCE;

use crate::asking::{self, ask};
use crate::suite::{MERGE, STRATEGIC, Suite};

#[tokio::test]
async fn events_of_both_groups_live_and_go_in_collections() {
    let suite = Suite::start().await;
    let core = "/api/v1/namespaces/suite/events";
    let newer = "/apis/events.k8s.io/v1/namespaces/suite/events";
    let time = "2026-01-02T03:04:05.678901Z";
    let event = |name: &str| {
        json!({
            "metadata": {"name": name, "labels": {"testevent": "true"}},
            "eventTime": time, "reportingController": "test-controller",
            "reportingInstance": "test-node", "action": "Do", "reason": "Test", "type": "Normal",
            "regarding": {"namespace": "suite"}, "note": "This is event-test",
        })
    };
    let made = suite.create(newer, event("event-test")).await;
    assert_eq!(made["eventTime"], time);
    assert_eq!(suite.names("/apis/events.k8s.io/v1/events?labelSelector=testevent").await.len(), 1);
    let path = format!("{newer}/event-test");
    let series = json!({"count": 2, "lastObservedTime": "2014-01-01T01:01:01.000000Z"});
    let patched = suite.patch(&path, STRATEGIC, json!({"series": series})).await;
    assert_eq!(patched["series"], series);
    let mut updated = suite.get(&path).await;
    updated["series"] = json!({"count": 100, "lastObservedTime": "2014-01-01T01:01:01.000000Z"});
    assert_eq!(suite.put(&path, &updated).await["series"]["count"], 100);
    // It is the same event in the core group.
    let same = suite.get(&format!("{core}/event-test")).await;
    assert_eq!(
        (&same["message"], &same["series"]["count"]),
        (&json!("This is event-test"), &json!(100))
    );
    suite.delete(&path).await;
    suite.gone(&path).await;
    join_all((1..=3).map(|i| suite.create(newer, event(&format!("test-event-{i}"))))).await;
    assert_eq!(suite.names(&format!("{newer}?labelSelector=testevent=true")).await.len(), 3);
    let all = format!("{core}?labelSelector=testevent=true");
    ask("DELETE", &all).of(&suite.client).await.ok("collection");
    assert_eq!(suite.names(&all).await, Vec::<String>::new());

    // The life of an event of the core group.
    let event = json!({
        "metadata": {"name": "e", "labels": {"testevent-constant": "true"}},
        "message": "This is a test event", "reason": "Test", "type": "Normal", "count": 1,
        "involvedObject": {"namespace": "suite"},
    });
    suite.create(core, event).await;
    let path = format!("{core}/e");
    let message = "This is a test event - patched";
    let patched = suite.patch(&path, STRATEGIC, json!({"message": message})).await;
    assert_eq!(patched["message"], message);
    assert_eq!(suite.get(&path).await["message"], message);
    suite.delete(&path).await;
    assert_eq!(suite.names("/api/v1/events?labelSelector=testevent-constant").await, [""; 0]);
}

#[tokio::test]
async fn reviews_tell_who_may_what() {
    let suite = Suite::start().await;
    let who = suite.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).await;
    let user = &who["status"]["userInfo"];
    assert!(!user["username"].as_str().unwrap().is_empty(), "{who}");
    let attributes =
        json!({"verb": "list", "resource": "configmaps", "version": "v1", "namespace": "suite"});
    let asked = json!({"spec": {
        "resourceAttributes": attributes, "user": "nobody", "groups": ["nobodies"],
    }});
    let reviews = "/apis/authorization.k8s.io/v1";
    let answer = suite.create(&format!("{reviews}/subjectaccessreviews"), asked.clone()).await;
    assert_eq!(answer["status"]["allowed"], false, "{answer}");
    let path = format!("{reviews}/namespaces/suite/localsubjectaccessreviews");
    let answer = suite.create(&path, asked).await;
    assert_eq!(answer["status"]["allowed"], false, "{answer}");
    let own = json!({"spec": {"resourceAttributes": attributes}});
    let answer = suite.create(&format!("{reviews}/selfsubjectaccessreviews"), own).await;
    assert_eq!(answer["status"]["allowed"], true, "{answer}");
    let rules = json!({"spec": {"namespace": "suite"}});
    let answer = suite.create(&format!("{reviews}/selfsubjectrulesreviews"), rules).await;
    assert!(!answer["status"]["resourceRules"].as_array().unwrap().is_empty(), "{answer}");
}

#[tokio::test]
async fn services_are_found_told_of_and_go_in_collections() {
    let suite = Suite::start().await;
    let services = "/api/v1/namespaces/suite/services";
    let main = suite.get("/api/v1/namespaces/default/services/kubernetes").await;
    assert_eq!(main["spec"]["ports"][0]["port"], 443);
    let found = suite.names("/api/v1/services").await;
    assert!(found.contains(&"kubernetes".to_owned()), "{found:?}");
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let slices = format!("{slices}?labelSelector=kubernetes.io/service-name=kubernetes");
    let slice = suite.get(&slices).await["items"][0].clone();
    let endpoints = suite.get("/api/v1/namespaces/default/endpoints/kubernetes").await;
    assert_eq!(
        slice["endpoints"][0]["addresses"][0],
        endpoints["subsets"][0]["addresses"][0]["ip"]
    );

    let service = |name: &str| {
        json!({
            "metadata": {"name": name, "labels": {"e2e": "yes"}},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
        })
    };
    suite.create(services, service("status")).await;
    let path = format!("{services}/status/status");
    let point = json!({"ip": "203.0.113.1"});
    let patch = json!({
        "metadata": {"annotations": {"patchedstatus": "true"}},
        "status": {"loadBalancer": {"ingress": [point]}},
    });
    let patched = suite.patch(&path, MERGE, patch).await;
    assert_eq!(patched["status"]["loadBalancer"]["ingress"][0]["ip"], "203.0.113.1");
    assert_eq!(patched["metadata"]["annotations"]["patchedstatus"], "true");
    let mut updated = suite.get(&path).await;
    updated["status"]["conditions"] = json!([{
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test",
        "lastTransitionTime": null,
    }]);
    let updated = suite.put(&path, &updated).await;
    assert_eq!(updated["status"]["conditions"][0]["type"], "StatusUpdate", "{updated}");
    let path = format!("{services}/status");
    let patched =
        suite.patch(&path, STRATEGIC, json!({"metadata": {"labels": {"e2e": "p"}}})).await;
    assert_eq!(patched["metadata"]["labels"]["e2e"], "p");
    assert_eq!(patched["status"]["conditions"], updated["status"]["conditions"]);
    suite.delete(&path).await;
    join_all(["a", "b", "c"].map(|name| suite.create(services, service(name)))).await;
    let all = format!("{services}?labelSelector=e2e=yes");
    assert_eq!(suite.names(&all).await.len(), 3);
    ask("DELETE", &all).of(&suite.client).await.ok("collection");
    assert_eq!(suite.names(&all).await, Vec::<String>::new());

    // The ranges of their addresses.
    let range = suite.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes").await;
    assert_eq!(range["status"]["conditions"][0]["type"], "Ready", "{range}");
    let own = main["spec"]["clusterIP"].as_str().unwrap();
    let prefix = own.rsplit_once('.').unwrap().0;
    assert!(range["spec"]["cidrs"][0].as_str().unwrap().starts_with(prefix), "{range} {own}");
}

#[tokio::test]
async fn configuration_is_immutable_where_it_says_so_and_has_keys() {
    let suite = Suite::start().await;
    for (kind, value) in [("configmaps", "v"), ("secrets", "dg==")] {
        let path = format!("/api/v1/namespaces/suite/{kind}");
        let empty = json!({"metadata": {"name": "empty"}, "data": {"": value}});
        let refused = ask("POST", &path).json(&empty).of(&suite.client).await;
        refused.refused(kind, 422, "Invalid");
        let one = json!({"metadata": {"name": "one", "labels": {"l": "1"}}, "data": {"a": value}});
        suite.create(&path, one).await;
        let found = suite.names(&format!("/api/v1/{kind}?labelSelector=l=1")).await;
        assert_eq!(found, ["one"]);
        let own = format!("{path}/one");
        let patched = suite.patch(&own, STRATEGIC, json!({"data": {"b": value}})).await;
        assert_eq!(patched["data"], json!({"a": value, "b": value}));
        suite.patch(&own, MERGE, json!({"immutable": true})).await;
        for patch in [json!({"immutable": null}), json!({"data": {"c": value}})] {
            let answer = ask("PATCH", &own).bytes(MERGE, patch.to_string()).of(&suite.client).await;
            answer.refused(kind, 422, "Invalid");
        }
        suite.patch(&own, MERGE, json!({"metadata": {"labels": {"l": "2"}}})).await;
        let all = format!("{path}?labelSelector=l=2");
        ask("DELETE", &all).of(&suite.client).await.ok("collection");
        suite.gone(&own).await;
    }
}

#[tokio::test]
async fn requests_for_certificates_are_approved_and_denied() {
    let suite = Suite::start().await;
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let text = std::fs::read_to_string(wk_tests::client_file("request.b64")).unwrap();
    let request = |name: &str| {
        json!({
            "metadata": {"name": name, "labels": {"e2e": "csr"}},
            "spec": {
                "request": text.trim(), "signerName": "example.com/e2e", "expirationSeconds": 3600,
                "usages": ["digital signature", "key encipherment", "server auth"],
            },
        })
    };
    join_all(["a", "b", "c"].map(|name| suite.create(requests, request(name)))).await;
    let all = format!("{requests}?labelSelector=e2e=csr");
    assert_eq!(suite.names(&all).await.len(), 3);
    let own = format!("{requests}/a");
    let patch = json!({"metadata": {"annotations": {"patched": "true"}}});
    let patched = suite.patch(&own, MERGE, patch).await;
    assert_eq!(patched["metadata"]["annotations"]["patched"], "true");
    let approval = format!("{own}/approval");
    let approve = json!({
        "metadata": {"annotations": {"patchedapproval": "true"}},
        "status": {"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "e2e"}]},
    });
    let patched = suite.patch(&approval, MERGE, approve).await;
    assert_eq!(patched["status"]["conditions"].as_array().unwrap().len(), 1, "{patched}");
    assert_eq!(patched["metadata"]["annotations"]["patchedapproval"], "true");
    let mut updated = suite.get(&approval).await;
    updated["status"]["conditions"].as_array_mut().unwrap().push(json!({
        "type": "Approved", "status": "True", "reason": "E2E", "message": "Set from an e2e test",
    }));
    let updated = suite.put(&approval, &updated).await;
    assert_eq!(updated["status"]["conditions"].as_array().unwrap().len(), 2, "{updated}");
    // A certificate comes with the status, and conditions that are no verdict.
    let status = format!("{own}/status");
    let wrong = json!({"status": {"certificate": "eA=="}}).to_string();
    let wrong = ask("PATCH", &status).bytes(MERGE, wrong).of(&suite.client).await;
    wrong.refused("certificate", 422, "Invalid");
    let mut updated = suite.get(&status).await;
    updated["status"]["conditions"].as_array_mut().unwrap().push(json!({
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from an e2e test",
    }));
    let updated = suite.put(&status, &updated).await;
    assert_eq!(updated["status"]["conditions"].as_array().unwrap().len(), 3, "{updated}");
    suite.delete(&own).await;
    suite.gone(&own).await;
    assert_eq!(suite.names(&all).await.len(), 2);
    ask("DELETE", &all).of(&suite.client).await.ok("collection");
    assert_eq!(suite.names(&all).await, Vec::<String>::new());
}

#[tokio::test]
async fn classes_of_priority_keep_their_value() {
    let suite = Suite::start().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str, value: i64| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": name}, "value": value,
        })
    };
    suite.create(classes, class("p1", 1)).await;
    suite.create(classes, class("p2", 2)).await;
    let own = format!("{classes}/p1");
    for (method, media_type, body) in [
        ("PATCH", MERGE, json!({"value": 15})),
        ("PATCH", STRATEGIC, json!({"value": 15})),
        (
            "PATCH",
            "application/json-patch+json",
            json!([{"op": "replace", "path": "/value", "value": 15}]),
        ),
        ("PUT", asking::JSON, class("p1", 15)),
    ] {
        let answer = ask(method, &own).bytes(media_type, body.to_string());
        let answer = answer.of(&suite.client).await;
        answer.refused(method, 422, "Invalid");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("value: Forbidden: may not be changed in an update."),
            "{message}"
        );
    }
    let patched = suite.patch(&own, MERGE, json!({"description": "changed"})).await;
    assert_eq!(patched["description"], "changed");
    let levels: BTreeMap<String, i64> = suite.get(classes).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| {
            let name = class["metadata"]["name"].as_str().unwrap().to_owned();
            (name, class["value"].as_i64().unwrap())
        })
        .collect();
    assert_eq!((levels["p1"], levels["p2"]), (1, 2));
    assert_eq!(levels["system-node-critical"], 2_000_001_000);
}

#[tokio::test]
async fn workloads_scale_and_tell_of_their_status() {
    let suite = Suite::start().await;
    let template = json!({
        "metadata": {"labels": {"app": "e2e"}},
        "spec": {"nodeSelector": {"nowhere": "yes"}, "containers": [{"name": "a", "image": "a:1"}]},
    });
    let selector = json!({"matchLabels": {"app": "e2e"}});
    for (group, plural, selector) in [
        ("/apis/apps/v1", "deployments", selector.clone()),
        ("/apis/apps/v1", "replicasets", selector.clone()),
        ("/apis/apps/v1", "statefulsets", selector.clone()),
        ("/api/v1", "replicationcontrollers", json!({"app": "e2e"})),
    ] {
        let path = format!("{group}/namespaces/suite/{plural}");
        let object = json!({
            "metadata": {"name": "w", "labels": {"app": "e2e"}},
            "spec": {"replicas": 1, "selector": selector, "template": template},
        });
        let made = suite.create(&path, object).await;
        assert_eq!(made["metadata"]["generation"], 1, "{plural}");
        let own = format!("{path}/w");
        // The scale: got, updated, patched.
        let scale = format!("{own}/scale");
        let mut scaled = suite.get(&scale).await;
        assert_eq!((&scaled["kind"], &scaled["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
        scaled["metadata"]["resourceVersion"] = Value::Null;
        scaled["spec"]["replicas"] = 2.into();
        assert_eq!(suite.put(&scale, &scaled).await["spec"]["replicas"], 2);
        assert_eq!(suite.get(&own).await["spec"]["replicas"], 2);
        let patched = suite.patch(&scale, MERGE, json!({"spec": {"replicas": 4}})).await;
        assert_eq!(patched["spec"]["replicas"], 4);
        assert_eq!(suite.get(&own).await["spec"]["replicas"], 4);
        // The status: got, patched; the rest stays as it is.
        let status = format!("{own}/status");
        let condition = json!({"type": "StatusPatched", "status": "True"});
        let patch = json!({"status": {"conditions": [condition]}, "spec": {"replicas": 9}});
        let patched = suite.patch(&status, MERGE, patch).await;
        let kinds: Vec<&Value> = patched["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|condition| &condition["type"])
            .collect();
        assert!(kinds.contains(&&json!("StatusPatched")), "{plural}: {patched}");
        assert_eq!(patched["spec"]["replicas"], 4, "{plural}");
        let all = format!("{path}?labelSelector=app=e2e");
        assert_eq!(suite.names(&all).await, ["w"]);
        ask("DELETE", &all).of(&suite.client).await.ok("collection");
        suite.gone(&own).await;
    }
}

#[tokio::test]
async fn accounts_and_leases_live() {
    let suite = Suite::start().await;
    let accounts = "/api/v1/namespaces/suite/serviceaccounts";
    let own = format!("{accounts}/e2e");
    suite.create(accounts, json!({"metadata": {"name": "e2e", "labels": {"e2e": "sa"}}})).await;
    let mut updated = suite.get(&own).await;
    updated["automountServiceAccountToken"] = false.into();
    assert_eq!(suite.put(&own, &updated).await["automountServiceAccountToken"], false);
    let found = suite.names("/api/v1/serviceaccounts?labelSelector=e2e=sa").await;
    assert_eq!(found, ["e2e"]);
    let token = json!({"spec": {"audiences": ["x"], "expirationSeconds": 900}});
    let token = suite.create(&format!("{own}/token"), token).await;
    let review = json!({"spec": {"token": token["status"]["token"], "audiences": ["x"]}});
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = suite.create(reviews, review).await;
    assert_eq!(review["status"]["user"]["username"], "system:serviceaccount:suite:e2e");
    ask("DELETE", &format!("{accounts}?labelSelector=e2e=sa")).of(&suite.client).await.ok("all");
    suite.gone(&own).await;
    // The root of trust comes back whenever it goes or is changed.
    let root = "/api/v1/namespaces/suite/configmaps/kube-root-ca.crt";
    let there = async {
        while ask("GET", root).of(&suite.client).await.code != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.expect("the root is there");
    let certificate = suite.get(root).await["data"].clone();
    suite.patch(root, MERGE, json!({"data": {"ca.crt": ""}})).await;
    let right = async {
        while suite.get(root).await["data"] != certificate {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, right).await.expect("the root is right again");

    let leases = "/apis/coordination.k8s.io/v1/namespaces/suite/leases";
    let own = format!("{leases}/l");
    let spec = json!({
        "holderIdentity": "holder", "leaseDurationSeconds": 30, "leaseTransitions": 0,
        "acquireTime": "2026-01-02T03:04:05.678901Z", "renewTime": "2026-01-02T03:04:10.000001Z",
    });
    let lease = json!({"metadata": {"name": "l", "labels": {"e2e": "lease"}}, "spec": spec});
    assert_eq!(suite.create(leases, lease).await["spec"], spec);
    let mut updated = suite.get(&own).await;
    updated["spec"]["holderIdentity"] = "other".into();
    updated["spec"]["leaseTransitions"] = 1.into();
    assert_eq!(suite.put(&own, &updated).await["spec"]["leaseTransitions"], 1);
    let patch = json!({"spec": {"leaseDurationSeconds": 60}});
    assert_eq!(suite.patch(&own, STRATEGIC, patch).await["spec"]["leaseDurationSeconds"], 60);
    let lease = |name: &str| json!({"metadata": {"name": name, "labels": {"e2e": "lease"}}});
    join_all(["m", "n"].map(|name| suite.create(leases, lease(name)))).await;
    let all = format!("{leases}?labelSelector=e2e=lease");
    assert_eq!(suite.names(&all).await.len(), 3);
    ask("DELETE", &all).of(&suite.client).await.ok("collection");
    assert_eq!(suite.names(&all).await, Vec::<String>::new());
}
