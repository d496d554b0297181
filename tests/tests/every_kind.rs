//! Every kind that discovery names, through all of its life.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "every_kind/asking.rs"]
mod asking;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use asking::ask;
use futures::{FutureExt as _, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use wk_tests::{Cluster, PATIENCE, client_file};

const NAMESPACE: &str = "walk";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
/// What a kind answers that is stored and changed by its users.
const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
/// Kinds of whose metadata a write of the status changes nothing.
const STATUS_ALONE: [&str; 5] = [
    "flowschemas",
    "prioritylevelconfigurations",
    "resourceclaims",
    "validatingadmissionpolicies",
    "volumeattachments",
];
/// An object that there is not.
const OTHER: &str = "2f6b4b6e-0000-4000-8000-000000000000";

/// One kind, and an object of it.
struct Walk {
    client: Client,
    plural: String,
    collection: String,
    everywhere: String,
    named: String,
    selector: String,
    object: Value,
    has_status: bool,
    /// Whether a whole collection can be deleted.
    many: bool,
}

impl Walk {
    async fn all(self) {
        let what = &*self.plural;
        let list = ask("GET", &self.collection).of(&self.client).await.ok(what);
        let since = list["metadata"]["resourceVersion"].as_str().unwrap();
        let (everywhere, selector) = (&self.everywhere, &self.selector);
        let watch = format!("{everywhere}?watch=true&{selector}&resourceVersion={since}");
        let watch = self.client.send(ask("GET", &watch).request()).await.unwrap();
        assert_eq!(watch.status(), 200, "watch {what}");
        self.create().await;
        self.read().await;
        self.show().await;
        self.patch().await;
        self.update().await;
        if self.has_status {
            self.status().await;
        }
        self.delete().await;
        self.watched(watch.into_body(), since.parse().unwrap()).await;
    }

    async fn create(&self) {
        let (client, what) = (&self.client, format!("create {}", self.plural));
        let path = format!("{}?fieldManager=walker&fieldValidation=Strict", self.collection);
        let dry = format!("{path}&dryRun=All");
        ask("POST", &dry).json(&self.object).of(client).await.ok(&what);
        ask("GET", &self.named).of(client).await.refused(&what, 404, "NotFound");
        let answer = ask("POST", &path).json(&self.object).of(client).await;
        let created = answer.ok(&what);
        assert_eq!(answer.code, 201, "{what}");
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            assert!(created["metadata"][field].is_string(), "{what}: {created}");
        }
        for field in ["apiVersion", "kind"] {
            assert_eq!(created[field], self.object[field], "{what}");
        }
        assert_eq!(created["metadata"]["managedFields"][0]["manager"], "walker", "{what}");
        let again = ask("POST", &path).json(&self.object).of(client).await;
        again.refused(&what, 409, "AlreadyExists");

        // A field that there is not.
        let mut odd = self.object.clone();
        odd["nothing"] = json!(1);
        odd["metadata"]["name"] = match &*self.plural {
            "ipaddresses" => "192.0.2.78".into(),
            _ => format!("{}-odd", odd["metadata"]["name"].as_str().unwrap()).into(),
        };
        let strict = ask("POST", &dry).json(&odd).of(client).await;
        strict.refused(&what, 400, "BadRequest");
        let message = strict.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("strict decoding error: unknown field \"nothing\""), "{message}");
        for (how, warned) in [("Warn", true), ("Ignore", false)] {
            let path = dry.replace("Strict", how);
            let answer = ask("POST", &path).json(&odd).of(client).await;
            answer.ok(&what);
            let own = |text: &String| text == r#"299 - "unknown field \"nothing\"""#;
            assert_eq!(answer.warnings.iter().any(own), warned, "{what}: {:?}", answer.warnings);
        }
    }

    async fn read(&self) {
        let (client, what) = (&self.client, format!("read {}", self.plural));
        let name = &self.object["metadata"]["name"];
        let one = ask("GET", &self.named).of(client).await.ok(&what);
        assert_eq!(&one["metadata"]["name"], name);
        let list_kind = format!("{}List", self.object["kind"].as_str().unwrap());
        for place in [&self.collection, &self.everywhere] {
            let field = format!("fieldSelector=metadata.name={}", name.as_str().unwrap());
            for query in [&self.selector, &field, &format!("{field}&limit=1&{}", self.selector)] {
                let path = format!("{place}?{query}");
                let list = ask("GET", &path).of(client).await.ok(&what);
                assert_eq!(list["kind"], list_kind.as_str(), "{what}");
                assert_eq!(list["apiVersion"], self.object["apiVersion"], "{what}");
                let items = list["items"].as_array().unwrap();
                let names: Vec<_> = items.iter().map(|item| &item["metadata"]["name"]).collect();
                assert_eq!(names, [name], "{what} {path}");
            }
        }
        let none = format!("{}?labelSelector=walk=nothing", self.everywhere);
        assert_eq!(ask("GET", &none).of(client).await.ok(&what)["items"], json!([]), "{what}");
    }

    async fn show(&self) {
        let (client, what) = (&self.client, format!("show {}", self.plural));
        let selected = format!("{}?{}", self.collection, self.selector);
        let shown = |kind: &str| format!("application/json;as={kind};v=v1;g=meta.k8s.io");
        for (path, partial) in
            [(&self.named, "PartialObjectMetadata"), (&selected, "PartialObjectMetadataList")]
        {
            let table = ask("GET", path).accept(&shown("Table")).of(client).await.ok(&what);
            let width = table["columnDefinitions"].as_array().unwrap().len();
            let rows = table["rows"].as_array().unwrap();
            assert_eq!((&table["kind"], rows.len()), (&json!("Table"), 1), "{what}: {table}");
            assert_eq!(rows[0]["cells"].as_array().unwrap().len(), width, "{what}: {table}");
            let yaml = ask("GET", path).accept("application/yaml").of(client).await;
            let yaml: Value = serde_yaml::from_slice(&yaml.bytes).unwrap();
            assert_eq!(yaml["apiVersion"], self.object["apiVersion"], "{what}");
            let protobuf = ask("GET", path).accept(PROTOBUF).of(client).await;
            assert_eq!((protobuf.code, &protobuf.bytes[..4]), (200, &b"k8s\0"[..]), "{what}");
            let bare = ask("GET", path).accept(&shown(partial)).of(client).await.ok(&what);
            assert_eq!(bare["kind"], partial, "{what}");
            let one = bare.pointer("/items/0").unwrap_or(&bare);
            assert_eq!(one["metadata"]["name"], self.object["metadata"]["name"], "{what}");
            assert!(one.as_object().unwrap().keys().len() <= 3, "{what}: {bare}");
        }
        // What was given in protobuf is taken in protobuf, and changes nothing.
        loop {
            let before = ask("GET", &self.named).of(client).await.ok(&what);
            let protobuf = ask("GET", &self.named).accept(PROTOBUF).of(client).await;
            let put = ask("PUT", &self.named).bytes(PROTOBUF, protobuf.bytes).of(client).await;
            // Controllers write, too.
            if put.code == 409 {
                continue;
            }
            let after = put.ok(&what);
            if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"] {
                assert_eq!(before, after, "{what}");
                break;
            }
            let now = ask("GET", &self.named).of(client).await.ok(&what);
            assert_eq!(spoken(&before), spoken(&now), "{what}");
        }
        let odd = "application/json;as=Table;v=v9;g=meta.k8s.io";
        let odd = ask("GET", &self.named).accept(odd).of(client).await;
        odd.refused(&what, 406, "NotAcceptable");
    }

    async fn patch(&self) {
        let (client, what) = (&self.client, format!("patch {}", self.plural));
        let (version, kind) = (&self.object["apiVersion"], &self.object["kind"]);
        let note = |name: &str| json!({"metadata": {"annotations": {name: "yes"}}});
        let mut applied = note("applied");
        applied["apiVersion"] = version.clone();
        applied["kind"] = kind.clone();
        let json_patch =
            json!([{"op": "add", "path": "/metadata/annotations/json", "value": "yes"}]);
        for (manager, media, patch) in [
            ("merged", MERGE, &note("merged")),
            ("strategic", "application/strategic-merge-patch+json", &note("strategic")),
            ("json", "application/json-patch+json", &json_patch),
            ("applied", APPLY, &applied),
        ] {
            let path = format!("{}?fieldManager={manager}", self.named);
            let answer = ask("PATCH", &path).bytes(media, patch.to_string()).of(client).await;
            let patched = answer.ok(&format!("{what} {manager}"));
            assert_eq!(patched["metadata"]["annotations"][manager], "yes", "{what} {patched}");
            let managers = patched["metadata"]["managedFields"].as_array().unwrap();
            let ours = managers.iter().find(|one| one["manager"] == manager).unwrap();
            let operation = if media == APPLY { "Apply" } else { "Update" };
            assert_eq!(ours["operation"], operation, "{what}");
        }
        let nobody = ask("PATCH", &self.named).bytes(APPLY, applied.to_string()).of(client).await;
        nobody.refused(&what, 422, "Invalid");
        applied["metadata"]["annotations"]["applied"] = "no".into();
        let conflict = format!("{}?fieldManager=other", self.named);
        let conflict = ask("PATCH", &conflict).bytes(APPLY, applied.to_string()).of(client).await;
        conflict.refused(&what, 409, "Conflict");
        // What the manager does not name any more is gone.
        let nothing = json!({"apiVersion": version, "kind": kind}).to_string();
        let path = format!("{}?fieldManager=applied", self.named);
        let less = ask("PATCH", &path).bytes(APPLY, nothing).of(client).await.ok(&what);
        assert_eq!(less["metadata"]["annotations"].get("applied"), None, "{what}");
        let absent = format!("{}-absent", self.named);
        let absent = ask("PATCH", &absent).bytes(MERGE, "{}").of(client).await;
        absent.refused(&what, 404, "NotFound");
    }

    async fn update(&self) {
        let (client, what) = (&self.client, format!("update {}", self.plural));
        let old = self.put(&self.named, &what, |new| {
            new["metadata"]["labels"]["updated"] = "yes".into();
        });
        let (old, mut updated) = old.await;
        assert_eq!(updated["metadata"]["labels"]["updated"], "yes", "{what}");
        assert_ne!(updated["metadata"]["resourceVersion"], old["metadata"]["resourceVersion"]);
        assert_eq!(updated["metadata"]["generation"], old["metadata"]["generation"], "{what}");
        let stale = ask("PUT", &self.named).json(&old).of(client).await;
        stale.refused(&what, 409, "Conflict");
        updated["metadata"]["uid"] = OTHER.into();
        let other = ask("PUT", &self.named).json(&updated).of(client).await;
        assert_eq!(other.code, 409, "{what}: another object of that name");
    }

    /// Replaces what is there by what `change` makes of it; gives both.
    async fn put(&self, path: &str, what: &str, change: impl Fn(&mut Value)) -> (Value, Value) {
        loop {
            let old = ask("GET", path).of(&self.client).await.ok(what);
            let mut new = old.clone();
            change(&mut new);
            let put = ask("PUT", path).json(&new).of(&self.client).await;
            // Controllers write, too.
            if put.code != 409 {
                return (old, put.ok(what));
            }
        }
    }

    async fn status(&self) {
        let (client, what) = (&self.client, format!("status of {}", self.plural));
        // Nothing of the status is written elsewhere.
        let put = self.put(&self.named, &what, |new| {
            new["metadata"]["labels"]["without"] = "status".into();
            new["status"] = json!({});
        });
        let (before, after) = put.await;
        assert_eq!(after["metadata"]["labels"]["without"], "status", "{what}");
        assert_eq!(after["status"], before["status"], "{what}");
        let path = format!("{}/status", self.named);
        let one = ask("GET", &path).of(client).await.ok(&what);
        assert_eq!(one["kind"], self.object["kind"], "{what}");
        let patch = json!({"metadata": {"annotations": {"patchedstatus": "true"}}}).to_string();
        let patched = ask("PATCH", &path).bytes(MERGE, patch).of(client).await.ok(&what);
        let expected = (!STATUS_ALONE.contains(&&*self.plural)).then(|| json!("true"));
        let note =
            |object: &Value, name: &str| object["metadata"]["annotations"].get(name).cloned();
        assert_eq!(note(&patched, "patchedstatus"), expected, "{what}: {patched}");
        // Nothing but the status is written here.
        let wanted = status(&self.plural);
        let patch = json!({"spec": null, "status": wanted}).to_string();
        let patched = ask("PATCH", &path).bytes(MERGE, patch).of(client).await.ok(&what);
        assert_eq!(patched["spec"], one["spec"], "{what}");
        assert_eq!(patched["metadata"]["generation"], one["metadata"]["generation"], "{what}");
        assert!(holds(&patched["status"], &wanted), "{what}: {wanted} in {}", patched["status"]);
        assert!(!holds(&one["status"], &wanted), "{what}: {wanted} was there before");
        let put = self.put(&path, &what, |new| {
            new["metadata"]["annotations"]["putstatus"] = "true".into();
        });
        assert_eq!(note(&put.await.1, "putstatus"), expected, "{what}");
    }

    async fn delete(&self) {
        let (client, what) = (&self.client, format!("delete {}", self.plural));
        let dry = format!("{}?dryRun=All&gracePeriodSeconds=0", self.named);
        ask("DELETE", &dry).of(client).await.ok(&what);
        ask("GET", &self.named).of(client).await.ok(&what);
        let other = json!({"preconditions": {"uid": OTHER}});
        let other = ask("DELETE", &self.named).json(&other).of(client).await;
        other.refused(&what, 409, "Conflict");
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "gracePeriodSeconds": 0, "propagationPolicy": "Background",
        });
        let selected = format!("{}?{}", self.collection, self.selector);
        let path = if self.many { &selected } else { &self.named };
        ask("DELETE", path).json(&options).of(client).await.ok(&what);
        let gone = async {
            while ask("GET", &self.named).of(client).await.code != 404 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect(&what);
        ask("DELETE", &self.named).of(client).await.refused(&what, 404, "NotFound");
    }

    /// The watch has told it all: created, changed, and gone, each once and in order.
    async fn watched(&self, mut body: Body, mut revision: u64) {
        let what = format!("watch {}", self.plural);
        let mut bytes = Vec::new();
        let mut kinds: Vec<String> = Vec::new();
        while kinds.last().is_none_or(|kind| kind != "DELETED") {
            let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect(&what);
            bytes.extend(frame.expect(&what).unwrap().into_data().unwrap());
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                let metadata = &event["object"]["metadata"];
                assert_eq!(metadata["name"], self.object["metadata"]["name"], "{what}: {event}");
                let own: u64 = metadata["resourceVersion"].as_str().unwrap().parse().unwrap();
                assert!(own > revision, "{what}: {own} after {revision}");
                revision = own;
                kinds.push(event["type"].as_str().unwrap().to_owned());
            }
        }
        let last = kinds.len() - 1;
        assert_eq!(kinds[0], "ADDED", "{what}: {kinds:?}");
        assert!(kinds[1..last].iter().all(|kind| kind == "MODIFIED"), "{what}: {kinds:?}");
        assert!(last >= 5, "{what}: {kinds:?}");
    }
}

/// An object without what every write and every controller changes. In protobuf a list without
/// items is none.
fn spoken(object: &Value) -> String {
    let mut object = object.clone();
    object["metadata"] = json!({});
    object["status"] = json!({});
    object.to_string().replace("[]", "null")
}

/// Whether all of `wanted` is in `found`.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|own| holds(own, value)))
        }
        (found, wanted) => found == wanted,
    }
}

/// Something to write into the status that is not there before.
fn status(plural: &str) -> Value {
    let time = "2026-01-02T03:04:05Z";
    let condition = json!([{
        "type": "Walked", "status": "True", "reason": "Test", "message": "walked",
        "lastTransitionTime": time,
    }]);
    match plural {
        "certificatesigningrequests" => json!({"conditions": [{
            "type": "Walked", "status": "True", "reason": "Test", "message": "walked",
            "lastTransitionTime": time, "lastUpdateTime": time,
        }]}),
        "jobs" => json!({"conditions": [{
            "type": "Walked", "status": "True", "lastProbeTime": time, "lastTransitionTime": time,
        }]}),
        "nodes" => json!({"volumesInUse": ["walked"]}),
        "resourceclaims" => json!({"allocation": {"nodeSelector": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
        ]}}}),
        "resourcequotas" => json!({"hard": {"count/walks.test": "3"}}),
        "flowschemas"
        | "namespaces"
        | "prioritylevelconfigurations"
        | "servicecidrs"
        | "services"
        | "validatingadmissionpolicies" => json!({"conditions": condition}),
        "cronjobs" => json!({"lastScheduleTime": "2026-01-02T03:04:05Z"}),
        "daemonsets" => json!({"numberMisscheduled": 7}),
        "ingresses" => json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}),
        "persistentvolumeclaims" => json!({"allocatedResources": {"storage": "1Gi"}}),
        "persistentvolumes" => json!({"phase": "Failed", "message": "walked"}),
        "poddisruptionbudgets" => json!({"disruptedPods": {"a": "2026-01-02T03:04:05Z"}}),
        "pods" => json!({"message": "walked", "phase": "Running"}),
        "statefulsets" => json!({"collisionCount": 1}),
        "volumeattachments" => json!({"attached": true, "attachmentMetadata": {"a": "b"}}),
        "deployments" | "horizontalpodautoscalers" | "replicasets" | "replicationcontrollers" => {
            json!({"observedGeneration": 77})
        }
        other => panic!("nothing to write into the status of {other}"),
    }
}

/// The objects of the file, by `apiVersion` and kind.
fn objects() -> BTreeMap<(String, String), Value> {
    let text = std::fs::read_to_string(client_file("every_kind.yaml")).unwrap();
    let request = std::fs::read_to_string(client_file("request.b64")).unwrap();
    let text = text
        .replace("NAMESPACE", NAMESPACE)
        .replace("REQUEST", request.trim())
        .replace("ADDRESS", "192.0.2.77");
    let text_of = |value: &Value| value.as_str().unwrap().to_owned();
    let mut objects: BTreeMap<_, _> = text
        .split("\n---\n")
        .map(|document| serde_yaml::from_str::<Value>(document).unwrap())
        .map(|object| ((text_of(&object["apiVersion"]), text_of(&object["kind"])), object))
        .collect();
    // Two versions of a kind show the same objects.
    let kind = "HorizontalPodAutoscaler".to_owned();
    let newer = objects[&("autoscaling/v2".to_owned(), kind.clone())].clone();
    objects.insert(("autoscaling/v1".to_owned(), kind), newer);
    objects
}

async fn client(cluster: &Cluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let namespace = json!({"metadata": {"name": NAMESPACE}});
    ask("POST", "/api/v1/namespaces").json(&namespace).of(&client).await.ok("the namespace");
    client
}

/// The kinds that discovery says are stored and changed by their users.
async fn walks(client: &Client) -> Vec<Walk> {
    let objects = objects();
    let mut walks = Vec::new();
    for path in ["/api", "/apis"] {
        let groups = ask("GET", path).accept(DISCOVERY).of(client).await.ok(path);
        for group in groups["items"].as_array().unwrap() {
            for version in group["versions"].as_array().unwrap() {
                let name = version["version"].as_str().unwrap();
                let api = match group["metadata"]["name"].as_str() {
                    Some(group) => format!("{group}/{name}"),
                    None => name.to_owned(),
                };
                for resource in version["resources"].as_array().unwrap() {
                    let verbs = resource["verbs"].as_array().unwrap();
                    if VERBS.iter().all(|verb| verbs.iter().any(|own| own == verb)) {
                        let kind = resource["responseKind"]["kind"].as_str().unwrap().to_owned();
                        let object = objects.get(&(api.clone(), kind));
                        let object = object.unwrap_or_else(|| panic!("an example of {resource}"));
                        walks.push(walk(client, path, &api, resource, object.clone()));
                    }
                }
            }
        }
    }
    walks
}

fn walk(client: &Client, root: &str, api: &str, resource: &Value, mut object: Value) -> Walk {
    let plural = resource["resource"].as_str().unwrap().to_owned();
    let everywhere = format!("{root}/{api}/{plural}");
    let collection = if resource["scope"] == "Namespaced" {
        format!("{root}/{api}/namespaces/{NAMESPACE}/{plural}")
    } else {
        everywhere.clone()
    };
    let name = match &*plural {
        "ipaddresses" => "192.0.2.77".to_owned(),
        _ => format!("{plural}-{api}").replace(['.', '/'], "-"),
    };
    // The value of a label is no longer than this.
    let sign = name[..name.len().min(63)].trim_end_matches('-');
    object["apiVersion"] = api.into();
    object["metadata"]["name"] = name.as_str().into();
    object["metadata"]["labels"] = json!({"walk": sign});
    let subresources = resource["subresources"].as_array();
    Walk {
        client: client.clone(),
        named: format!("{collection}/{name}"),
        collection,
        everywhere,
        selector: format!("labelSelector=walk={sign}"),
        object,
        has_status: subresources.into_iter().flatten().any(|sub| sub["subresource"] == "status"),
        many: resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "deletecollection"),
        plural,
    }
}

#[tokio::test]
async fn every_kind_lives_through_all_verbs_and_forms() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let walks = walks(&client).await;
    assert!(walks.len() > 55, "{}", walks.len());
    // All of them go their way, whatever becomes of the others.
    let ends = stream::iter(walks).map(|walk| {
        let kind = walk.everywhere.clone();
        AssertUnwindSafe(walk.all()).catch_unwind().map(move |end| end.is_err().then_some(kind))
    });
    let failed: Vec<_> = ends.buffer_unordered(6).filter_map(std::future::ready).collect().await;
    assert!(failed.is_empty(), "{failed:?}");
}
