//! What holds for every kind: discovery, watches, lists, validation; namespaces and their quotas.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use wk_tests::PATIENCE;

use crate::asking::{self, ask};
use crate::suite::{MERGE, NAMESPACES, STRATEGIC, Suite};

const MAPS: &str = "/api/v1/namespaces/suite/configmaps";

fn map(name: &str, label: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"watch": label}}, "data": {"mutation": "0"}})
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}

#[tokio::test]
async fn groups_and_their_kinds_are_discovered() {
    let suite = Suite::start().await;
    let groups = suite.get("/apis").await;
    assert_eq!(groups["kind"], "APIGroupList");
    let groups = groups["groups"].as_array().unwrap();
    assert!(groups.len() > 15, "{groups:?}");
    for group in groups {
        let name = group["name"].as_str().unwrap();
        let own = suite.get(&format!("/apis/{name}")).await;
        let (preferred, versions) = (&own["preferredVersion"], own["versions"].as_array().unwrap());
        assert!(versions.contains(preferred), "{own}");
        assert_eq!(preferred, &group["preferredVersion"], "{name}");
        let path = format!("/apis/{}", preferred["groupVersion"].as_str().unwrap());
        let list = suite.get(&path).await;
        assert_eq!(list["kind"], "APIResourceList", "{path}");
        assert!(!list["resources"].as_array().unwrap().is_empty(), "{path}");
    }
    // The kinds whose operations the suite tries, each found by group, version and name.
    for (version, plural) in [
        ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies/status"),
        ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"),
        ("batch/v1", "cronjobs/status"),
        ("certificates.k8s.io/v1", "certificatesigningrequests/approval"),
        ("certificates.k8s.io/v1", "certificatesigningrequests/status"),
        ("discovery.k8s.io/v1", "endpointslices"),
        ("events.k8s.io/v1", "events"),
        ("flowcontrol.apiserver.k8s.io/v1", "flowschemas/status"),
        ("flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations/status"),
        ("networking.k8s.io/v1", "ingressclasses"),
        ("networking.k8s.io/v1", "ingresses/status"),
        ("networking.k8s.io/v1", "ipaddresses"),
        ("networking.k8s.io/v1", "servicecidrs/status"),
        ("node.k8s.io/v1", "runtimeclasses"),
        ("resource.k8s.io/v1", "deviceclasses"),
        ("resource.k8s.io/v1", "resourceclaims/status"),
        ("resource.k8s.io/v1", "resourceclaimtemplates"),
        ("resource.k8s.io/v1", "resourceslices"),
        ("storage.k8s.io/v1", "csistoragecapacities"),
        ("storage.k8s.io/v1", "volumeattachments/status"),
        ("storage.k8s.io/v1", "volumeattributesclasses"),
    ] {
        let list = suite.get(&format!("/apis/{version}")).await;
        let names: BTreeSet<&str> = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(plural), "{version} {plural}: {names:?}");
    }
    let version = suite.get("/version").await;
    let number = |field: &str| {
        let digits = version[field].as_str().unwrap().trim_end_matches('+').to_owned();
        digits.parse::<u32>().unwrap()
    };
    assert_eq!((number("major"), number("minor")), (1, 36));
}

#[tokio::test]
async fn watches_tell_what_the_suite_expects_of_them() {
    let suite = Suite::start().await;
    let selected = |labels: &str| format!("{MAPS}?watch=true&labelSelector=watch{labels}");
    let mut a = suite.watch(&selected("=a")).await;
    let mut b = suite.watch(&selected("=b")).await;
    let mut both = suite.watch(&selected("%20in%20(a,b)")).await;
    let made = suite.create(MAPS, map("a", "a")).await;
    let path = format!("{MAPS}/a");
    let mut versions = vec![version(&made).to_owned()];
    for mutation in ["1", "2"] {
        let patch = json!({"data": {"mutation": mutation}});
        versions.push(version(&suite.patch(&path, MERGE, patch).await).to_owned());
    }
    suite.delete(&path).await;
    suite.create(MAPS, map("b", "b")).await;
    suite.delete(&format!("{MAPS}/b")).await;
    for watch in [&mut a, &mut both] {
        for expected in ["ADDED a", "MODIFIED a", "MODIFIED a", "DELETED a"] {
            assert_eq!(watch.short().await, expected);
        }
    }
    for watch in [&mut b, &mut both] {
        assert_eq!(watch.short().await, "ADDED b");
        assert_eq!(watch.short().await, "DELETED b");
    }
    // From a version on, everything behind it; and again from where one was.
    let since = |version: &str| format!("{MAPS}?watch=true&resourceVersion={version}");
    let mut from = suite.watch(&since(&versions[0])).await;
    for expected in [versions[1].as_str(), versions[2].as_str()] {
        let event = from.next().await;
        assert_eq!(
            (event["type"].as_str(), version(&event["object"])),
            (Some("MODIFIED"), expected)
        );
    }
    drop(from);
    let mut again = suite.watch(&since(&versions[2])).await;
    for expected in ["DELETED a", "ADDED b", "DELETED b"] {
        assert_eq!(again.short().await, expected);
    }
    // What stops to be selected is gone, and comes back with its label.
    let mut fits = suite.watch(&selected("=fits")).await;
    let label = |label: &str| json!({"metadata": {"labels": {"watch": label}}});
    suite.create(MAPS, map("l", "fits")).await;
    let path = format!("{MAPS}/l");
    suite.patch(&path, MERGE, label("else")).await;
    suite.patch(&path, MERGE, json!({"data": {"mutation": "unseen"}})).await;
    suite.patch(&path, MERGE, label("fits")).await;
    suite.delete(&path).await;
    for expected in ["ADDED l", "DELETED l", "ADDED l", "DELETED l"] {
        assert_eq!(fits.short().await, expected);
    }
}

#[tokio::test]
async fn watches_at_the_same_time_see_the_same_order() {
    let suite = Suite::start().await;
    let since = suite.get(MAPS).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let write = async {
        let mut versions = Vec::new();
        for index in 0..25 {
            let name = format!("m{index}");
            let path = format!("{MAPS}/{name}");
            versions.push(version(&suite.create(MAPS, map(&name, "x")).await).to_owned());
            let patch = json!({"data": {"mutation": "1"}});
            versions.push(version(&suite.patch(&path, MERGE, patch).await).to_owned());
        }
        versions
    };
    // Controllers make config maps, too.
    let path = format!("{MAPS}?watch=true&labelSelector=watch=x&resourceVersion={since}");
    let watches = join_all((0..10).map(|_| async {
        let mut watch = suite.watch(&path).await;
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.push(version(&watch.next().await["object"]).to_owned());
        }
        seen
    }));
    let (written, seen) = tokio::join!(write, watches);
    for seen in seen {
        assert_eq!(seen, written);
    }
    // Each version that was written is one from which the rest is told.
    let last = written.last().unwrap();
    for version in written.iter().step_by(7).take(6) {
        let path = format!("{MAPS}?watch=true&labelSelector=watch=x&resourceVersion={version}");
        let mut watch = suite.watch(&path).await;
        let first = watch.next().await;
        let at = written.iter().position(|own| own == version).unwrap();
        assert_eq!(self::version(&first["object"]), written[at + 1]);
    }
    assert!(written.contains(last));
}

#[tokio::test]
async fn lists_come_in_chunks_of_one_version() {
    let suite = Suite::start().await;
    let path = "/api/v1/namespaces/suite/podtemplates";
    let template = |index: usize| {
        json!({
            "metadata": {"name": format!("template-{index:04}")},
            "template": {"spec": {"containers": [{"name": "test", "image": "test2"}]}},
        })
    };
    join_all((0..40).map(|index| suite.create(path, template(index)))).await;
    for limit in [7_usize, 13, 40, 64] {
        let (mut names, mut next, mut seen) = (Vec::new(), String::new(), None);
        loop {
            let list = suite.get(&format!("{path}?limit={limit}&continue={next}")).await;
            let items = list["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            names.extend(items.iter().map(|item| item["metadata"]["name"].clone()));
            let metadata = &list["metadata"];
            let version = metadata["resourceVersion"].clone();
            assert_eq!(*seen.get_or_insert(version.clone()), version);
            if let Some(rest) = metadata["remainingItemCount"].as_u64() {
                assert_eq!(rest, u64::try_from(40 - names.len()).unwrap());
            }
            next = metadata["continue"].as_str().unwrap_or_default().to_owned();
            if next.is_empty() {
                break;
            }
            if limit == 13 && names.len() == 13 {
                // What comes meanwhile is not in this list.
                suite.create(path, template(99)).await;
            }
        }
        ask("DELETE", &format!("{path}/template-0099")).of(&suite.client).await;
        let expected: Vec<Value> =
            (0..40).map(|i| template(i)["metadata"]["name"].clone()).collect();
        assert_eq!(names, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn reviews_have_no_table_and_typed_fields_are_validated() {
    let suite = Suite::start().await;
    let review = json!({"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}});
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let refused = ask("POST", path).accept(table).json(&review).of(&suite.client).await;
    refused.refused(path, 406, "NotAcceptable");

    let path = "/apis/apps/v1/namespaces/suite/deployments?fieldValidation=";
    let body = r#"{"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"app": "nginx"}},
        "spec": {"unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2",
            "paused": true, "paused": false,
            "selector": {"matchLabels": {"app": "nginx"}},
            "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": [
                {"name": "nginx", "image": "nginx:latest", "unknownNested": "val1",
                 "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}}}}"#;
    let told = [
        "unknown field \"spec.template.spec.containers[0].unknownNested\"",
        "unknown field \"spec.unknown1\"",
        "unknown field \"spec.unknownDupe\"",
        "duplicate field \"spec.paused\"",
        "duplicate field \"spec.template.spec.containers[0].imagePullPolicy\"",
    ];
    let send =
        |how: &str| ask("POST", &format!("{path}{how}&dryRun=All")).bytes(asking::JSON, body);
    let strict = send("Strict").of(&suite.client).await;
    strict.refused("Strict", 400, "BadRequest");
    let message = strict.json()["message"].as_str().unwrap().to_owned();
    // What is unknown and given twice is unknown, once.
    assert_eq!(message.matches("unknownDupe").count(), 1, "{message}");
    let start =
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: ";
    assert!(message.starts_with(start), "{message}");
    for one in told {
        assert!(message.contains(one), "{one} in {message}");
    }
    let warned = send("Warn").of(&suite.client).await;
    warned.ok("Warn");
    for one in told {
        let one = one.replace('"', "\\\"");
        assert!(
            warned.warnings.iter().any(|own| own.contains(&one)),
            "{one} {:?}",
            warned.warnings
        );
    }
    let ignored = send("Ignore").of(&suite.client).await;
    ignored.ok("Ignore");
    assert_eq!(ignored.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn namespaces_are_patched_updated_and_held_by_finalizers() {
    let suite = Suite::start().await;
    let path = format!("{NAMESPACES}/suite");
    let patched = suite.patch(&path, STRATEGIC, json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(patched["metadata"]["labels"]["a"], "b");
    // The status: got, patched, updated.
    let status = format!("{path}/status");
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "reason": "E2E", "message": "m"});
    let patch = json!({
        "metadata": {"annotations": {"e2e": "patch"}},
        "status": {"conditions": [condition("StatusPatch")]},
    });
    let patched = suite.patch(&status, MERGE, patch).await;
    assert_eq!(patched["status"]["conditions"][0]["reason"], "E2E");
    let mut updated = suite.get(&status).await;
    updated["status"]["conditions"].as_array_mut().unwrap().push(condition("StatusUpdate"));
    let updated = suite.put(&status, &updated).await;
    assert_eq!(updated["status"]["conditions"].as_array().unwrap().len(), 2, "{updated}");
    assert_eq!(updated["status"]["phase"], "Active");
    let mut changed = suite.get(&path).await;
    changed["metadata"]["labels"]["updated"] = "yes".into();
    assert_eq!(suite.put(&path, &changed).await["metadata"]["labels"]["updated"], "yes");
    // A finalizer of the specification is added and removed by the subresource alone.
    let finalize = format!("{path}/finalize");
    let mut held = suite.get(&path).await;
    held["spec"]["finalizers"] = json!(["kubernetes", "e2e.example.com/fakeFinalizer"]);
    let held = suite.put(&finalize, &held).await;
    assert_eq!(held["spec"]["finalizers"], json!(["kubernetes", "e2e.example.com/fakeFinalizer"]));
    let mut freed = suite.get(&path).await;
    freed["spec"]["finalizers"] = json!(["kubernetes"]);
    let freed = suite.put(&finalize, &freed).await;
    assert_eq!(freed["spec"]["finalizers"], json!(["kubernetes"]));
    // What is in a namespace goes with it, services and pods too.
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    suite.create(&format!("{path}/services"), service.clone()).await;
    suite.delete(&path).await;
    suite.gone(&path).await;
    suite.create(NAMESPACES, json!({"metadata": {"name": "suite"}})).await;
    assert_eq!(suite.names(&format!("{path}/services")).await, Vec::<String>::new());
}

#[tokio::test]
async fn quotas_are_kept_through_their_life() {
    let suite = Suite::start().await;
    let quotas = "/api/v1/namespaces/suite/resourcequotas";
    let path = format!("{quotas}/e2e");
    let hard = json!({"hard": {"cpu": "500m", "memory": "500Mi", "count/configmaps": "2"}});
    let made = suite.create(quotas, json!({"metadata": {"name": "e2e"}, "spec": hard})).await;
    assert_eq!(made["spec"], hard);
    let patched = suite.patch(&path, MERGE, json!({"metadata": {"labels": {"q": "1"}}})).await;
    assert_eq!(patched["metadata"]["labels"]["q"], "1");
    let found = suite.names("/api/v1/resourcequotas?labelSelector=q=1").await;
    assert_eq!(found, ["e2e"]);
    let mut updated = suite.get(&path).await;
    updated["spec"]["hard"] = json!({"cpu": "1", "memory": "1Gi"});
    loop {
        let answer = ask("PUT", &path).json(&updated).of(&suite.client).await;
        if answer.code != 409 {
            assert_eq!(answer.ok("update")["spec"]["hard"]["cpu"], "1");
            break;
        }
        updated["metadata"] = suite.get(&path).await["metadata"].clone();
    }
    // The status is written by patch and by update, and set right by the controller.
    let status = json!({"status": {"hard": {"cpu": "2", "memory": "2Gi"}}});
    let patched = suite.patch(&format!("{path}/status"), MERGE, status).await;
    assert_eq!(patched["status"]["hard"]["cpu"], "2", "{patched}");
    let right = async {
        while suite.get(&path).await["status"]["hard"]["cpu"] != "1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, right).await.expect("the quota is counted");
    ask("DELETE", &format!("{quotas}?labelSelector=q=1")).of(&suite.client).await.ok("collection");
    suite.gone(&path).await;
}
