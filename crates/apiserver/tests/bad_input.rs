//! What bad input gets: a `Status` with the code and the reason that Kubernetes has for it, and
//! never a 500, whatever is sent.

#![expect(clippy::unwrap_used, reason = "what helps tests panics as they do")]
#![expect(clippy::too_many_lines, reason = "tables are as long as they are")]

#[path = "api/cluster.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod cluster;

use std::fmt::Write as _;

use axum::body::Body;
use cluster::{Answer, Cluster, MAPS, PODS, map, pod};
use http::Request;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A cluster with a map `a` and a pod `a`.
async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    cluster.create(PODS, pod("a")).await;
    cluster
}

#[track_caller]
fn refused(case: &str, answer: &Answer, code: u16, reason: &str, text: &str) {
    let status = answer.json();
    assert_eq!(answer.code, code, "{case}: {status}");
    assert_eq!(status["kind"], "Status", "{case}");
    assert_eq!(status["apiVersion"], "v1", "{case}");
    assert_eq!(status["status"], "Failure", "{case}");
    assert_eq!(status["code"], code, "{case}");
    assert_eq!(status["reason"], reason, "{case}: {status}");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(text), "{case}: {message}");
}

fn config_map(inner: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"b"}},{inner}}}"#)
}

fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

/// A YAML document whose aliases stand for more than a thousand million items.
fn bomb() -> String {
    let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (last, next) in ["a", "b", "c", "d", "e", "f", "g", "h"]
        .iter()
        .zip(["b", "c", "d", "e", "f", "g", "h", "i"])
    {
        let list = vec![format!("*{last}"); 10].join(",");
        writeln!(text, "{next}: &{next} [{list}]").unwrap();
    }
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b}}\n{text}")
}

#[tokio::test]
async fn bodies_that_cannot_be_taken() {
    let cluster = cluster().await;
    let bad = "BadRequest";
    let long = "x".repeat(300);
    let rows: Vec<(&str, &str, String, u16, &str, &str)> = vec![
        ("nothing", JSON, String::new(), 400, bad, ""),
        ("half an object", JSON, "{".to_owned(), 400, bad, "unexpected end of JSON input"),
        ("no JSON", JSON, "nonsense".to_owned(), 400, bad, "invalid character"),
        ("a list", JSON, "[]".to_owned(), 400, bad, ""),
        ("two objects", JSON, "{} {}".to_owned(), 400, bad, "after top-level value"),
        (
            "another kind",
            JSON,
            r#"{"apiVersion":"v1","kind":"Pod"}"#.to_owned(),
            400,
            bad,
            "Pod in version \"v1\" cannot be handled as a ConfigMap",
        ),
        (
            "another version",
            JSON,
            r#"{"apiVersion":"v2","kind":"ConfigMap"}"#.to_owned(),
            400,
            bad,
            "does not match the expected API version",
        ),
        (
            "a number for a kind",
            JSON,
            r#"{"kind":1}"#.to_owned(),
            400,
            bad,
            "couldn't get version/kind",
        ),
        (
            "a number for a text",
            JSON,
            config_map(r#""data":{"a":1}"#),
            400,
            bad,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "a text for a map",
            JSON,
            config_map(r#""data":"a""#),
            400,
            bad,
            "json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string",
        ),
        ("a text for a truth", JSON, config_map(r#""immutable":"true""#), 400, bad, "of type bool"),
        (
            "no base64",
            JSON,
            config_map(r#""binaryData":{"a":"*"}"#),
            400,
            bad,
            "illegal base64 data at input byte 0",
        ),
        (
            "a deep one",
            JSON,
            format!(r#"{{"metadata":{{"managedFields":[{{"fieldsV1":{}}}]}}}}"#, nested(5000)),
            400,
            bad,
            "exceeded max depth",
        ),
        (
            "a number beyond numbers",
            JSON,
            r#"{"metadata":{"name":"b","generation":1e999}}"#.to_owned(),
            400,
            bad,
            "",
        ),
        (
            "a bad time",
            JSON,
            r#"{"metadata":{"name":"b","creationTimestamp":"today"}}"#.to_owned(),
            400,
            bad,
            "parsing time",
        ),
        (
            "a bad name",
            JSON,
            map("B_", "1").to_string(),
            422,
            "Invalid",
            "metadata.name: Invalid value",
        ),
        (
            "a long name",
            JSON,
            map(&long, "1").to_string(),
            422,
            "Invalid",
            "must be no more than 253",
        ),
        (
            "no name",
            JSON,
            r#"{"metadata":{}}"#.to_owned(),
            422,
            "Invalid",
            "name or generateName is required",
        ),
        (
            "a bad label",
            JSON,
            r#"{"metadata":{"name":"b","labels":{"a b":"c d"}}}"#.to_owned(),
            422,
            "Invalid",
            "metadata.labels",
        ),
        (
            "another namespace",
            JSON,
            r#"{"metadata":{"name":"b","namespace":"other"}}"#.to_owned(),
            400,
            bad,
            "does not match the namespace",
        ),
        (
            "a revision",
            JSON,
            r#"{"metadata":{"name":"b","resourceVersion":"1"}}"#.to_owned(),
            400,
            bad,
            "resourceVersion should not be set",
        ),
        (
            "too large",
            JSON,
            config_map(&format!(r#""x":"{}""#, "x".repeat(3 << 20))),
            413,
            "RequestEntityTooLarge",
            "limit is 3145728",
        ),
        (
            "more than a map may hold",
            JSON,
            map("b", &"x".repeat(1 << 20 | 1)).to_string(),
            422,
            "Invalid",
            "may not be more than 1048576 bytes",
        ),
        ("no YAML", YAML, "a: [".to_owned(), 400, bad, "yaml"),
        (
            "YAML of another kind",
            YAML,
            "apiVersion: v1\nkind: Pod\n".to_owned(),
            400,
            bad,
            "cannot be handled as a ConfigMap",
        ),
        ("a tab in YAML", YAML, "a:\n\t- b".to_owned(), 400, bad, "yaml"),
        ("a text in YAML", YAML, "just text".to_owned(), 400, bad, ""),
        ("a YAML bomb", YAML, bomb(), 400, bad, "yaml"),
        ("deep YAML", YAML, format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)), 400, bad, ""),
        ("no protobuf", PROTOBUF, "{}".to_owned(), 400, bad, ""),
        ("half of protobuf", PROTOBUF, "k8s\0\n".to_owned(), 400, bad, ""),
        (
            "an unknown form",
            "text/plain",
            "a".to_owned(),
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format",
        ),
        (
            "a form with parameters",
            "application/xml; charset=utf-8",
            "a".to_owned(),
            415,
            "UnsupportedMediaType",
            "",
        ),
    ];
    for (case, media_type, body, code, reason, text) in rows {
        let answer = cluster.raw("POST", MAPS, media_type, body).await;
        refused(case, &answer, code, reason, text);
    }
    let broken =
        cluster.raw("POST", MAPS, JSON, &b"{\"metadata\":{\"name\":\"\xff\xfe\"}}"[..]).await;
    refused("broken UTF-8", &broken, 400, bad, "");
    let broken = cluster.raw("POST", MAPS, YAML, &b"metadata: {name: \"\xff\"}"[..]).await;
    refused("broken UTF-8 in YAML", &broken, 400, bad, "");
    let wrong = cluster
        .raw("POST", MAPS, PROTOBUF, &b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..])
        .await;
    refused("a varint without end", &wrong, 400, bad, "");
    assert_eq!(cluster.get(MAPS).await.1["items"].as_array().unwrap().len(), 1, "nothing was made");
}

#[tokio::test]
async fn numbers_and_types_of_a_pod() {
    let cluster = cluster().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut pod = pod("b");
        change(&mut pod);
        pod.to_string()
    };
    for (case, body, code, reason, text) in [
        (
            "a number too large",
            with(&|pod| pod["spec"]["priority"] = json!(4_294_967_296_u64)),
            400,
            "BadRequest",
            "of type int32",
        ),
        (
            "a fraction",
            with(&|pod| pod["spec"]["priority"] = json!(1.5)),
            400,
            "BadRequest",
            "number 1.5",
        ),
        (
            "a huge number",
            with(&|pod| pod["spec"]["terminationGracePeriodSeconds"] = json!(1e300)),
            400,
            "BadRequest",
            "of type int64",
        ),
        (
            "a bad quantity",
            with(&|pod| {
                pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "much"}});
            }),
            400,
            "BadRequest",
            "quantities must match the regular expression",
        ),
        (
            "a huge quantity",
            with(&|pod| {
                pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "-1"}});
            }),
            422,
            "Invalid",
            "must be greater than or equal to 0",
        ),
        (
            "a list for a map",
            with(&|pod| pod["spec"] = json!([])),
            400,
            "BadRequest",
            "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
        ),
        (
            "a port beyond ports",
            with(&|pod| pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 70000}])),
            422,
            "Invalid",
            "must be between 1 and 65535",
        ),
        (
            "no containers",
            with(&|pod| pod["spec"] = json!({})),
            422,
            "Invalid",
            "spec.containers: Required value",
        ),
    ] {
        let answer = cluster.raw("POST", PODS, JSON, body).await;
        refused(case, &answer, code, reason, text);
    }
    let mut many = pod("b");
    many["spec"] =
        json!({"containers": [{"name": "A", "image": ""}], "restartPolicy": "Sometimes"});
    let (code, status) = cluster.json("POST", PODS, &many).await;
    assert_eq!(code, 422);
    let causes = status["details"]["causes"].as_array().unwrap();
    let fields: Vec<&str> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    for field in ["spec.containers[0].name", "spec.containers[0].image", "spec.restartPolicy"] {
        assert!(fields.contains(&field), "{field} of {fields:?}");
    }
    assert_eq!(
        (&status["details"]["name"], &status["details"]["kind"]),
        (&json!("b"), &json!("Pod"))
    );
}

#[tokio::test]
async fn fields_that_are_unknown_or_given_twice() {
    let cluster = cluster().await;
    let twice = config_map(r#""data":{"a":"1","a":"2"},"nothing":1,"data":{"b":"1"}"#);
    let strict = format!("{MAPS}?fieldValidation=Strict");
    let answer = cluster.raw("POST", &strict, JSON, twice.clone()).await;
    let text = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
                duplicate field \"data.a\", unknown field \"nothing\", duplicate field \"data\"";
    refused("strict", &answer, 400, "BadRequest", text);
    let yaml = "metadata: {name: b}\ndata: {a: x}\ndata: {b: z}\nnothing: 1\n";
    let answer = cluster.raw("POST", &strict, YAML, yaml).await;
    let text = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
                yaml: unmarshal errors:\n  line 3: key \"data\" already set in map, unknown field \
                \"nothing\"";
    refused("strict YAML", &answer, 400, "BadRequest", text);
    let applied = format!("{MAPS}/b?fieldManager=m&fieldValidation=Strict");
    let answer = cluster.raw("PATCH", &applied, APPLY, yaml).await;
    let text = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  \
                line 3: key \"data\" already set in map";
    refused("a strict apply", &answer, 400, "BadRequest", text);
    let merge = r#"{"nothing":1}"#;
    let answer =
        cluster.raw("PATCH", &format!("{MAPS}/a?fieldValidation=Strict"), MERGE, merge).await;
    refused("a strict patch", &answer, 422, "Invalid", "unknown field \"nothing\"");
    let dry = format!("{MAPS}?dryRun=All&fieldValidation=Warn");
    let answer = cluster.raw("POST", &dry, JSON, twice.clone()).await;
    assert_eq!((answer.code, answer.headers.get_all("warning").iter().count()), (201, 3));
    let quiet = format!("{MAPS}?dryRun=All&fieldValidation=Ignore");
    let answer = cluster.raw("POST", &quiet, JSON, twice).await;
    assert_eq!((answer.code, answer.headers.get_all("warning").iter().count()), (201, 0));
}

#[tokio::test]
async fn what_is_taken_may_be_warned_of() {
    let cluster = cluster().await;
    let warnings = |answer: &Answer| -> Vec<String> {
        let all = answer.headers.get_all("warning").iter();
        all.map(|text| text.to_str().unwrap().to_owned()).collect()
    };
    let label = r#"299 - "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead""#;
    let mut old = pod("warned");
    old["spec"]["nodeSelector"] = json!({"beta.kubernetes.io/os": "linux"});
    let answer = cluster.raw("POST", PODS, JSON, old.to_string()).await;
    assert_eq!((answer.code, warnings(&answer)), (201, vec![label.to_owned()]));
    // Nobody is told again who changes something else of a pod.
    let patch = r#"{"metadata":{"labels":{"a":"b"}}}"#;
    let answer = cluster.raw("PATCH", &format!("{PODS}/warned"), MERGE, patch).await;
    assert_eq!((answer.code, warnings(&answer)), (200, Vec::new()));
    let services = "/api/v1/namespaces/default/services";
    let service = r#"{"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}"#;
    let answer = cluster.raw("POST", services, JSON, service).await;
    assert_eq!((answer.code, warnings(&answer)), (201, Vec::new()));
    let patch = r#"{"spec":{"externalName":"a.b"}}"#;
    let answer = cluster.raw("PATCH", &format!("{services}/s"), MERGE, patch).await;
    let text = r#"299 - "spec.externalName is ignored when spec.type is not \"ExternalName\"""#;
    assert_eq!((answer.code, warnings(&answer)), (200, vec![text.to_owned()]));
}

#[tokio::test]
async fn some_kinds_are_replaced_only_by_revision() {
    let cluster = cluster().await;
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = r#"{"metadata":{"name":"a"},"spec":{"minAvailable":1}}"#;
    assert_eq!(cluster.raw("POST", budgets, JSON, budget).await.code, 201);
    let answer = cluster.raw("PUT", &format!("{budgets}/a"), JSON, budget).await;
    let text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
    refused("no revision", &answer, 422, "Invalid", text);
    let patch = r#"{"spec":{"minAvailable":2}}"#;
    assert_eq!(cluster.raw("PATCH", &format!("{budgets}/a"), MERGE, patch).await.code, 200);
}

#[tokio::test]
async fn patches_that_do_not_apply() {
    let cluster = cluster().await;
    let (bad, invalid) = ("BadRequest", "Invalid");
    let copies: Vec<Value> = (0..10_001)
        .map(|at| json!({"op": "copy", "from": "/data/key", "path": format!("/data/k{at}")}))
        .collect();
    let mut growing = vec![json!({"op": "add", "path": "/data/k0", "value": "x".repeat(1000)})];
    growing.extend(
        (0..5000).map(|at| json!({"op": "copy", "from": "/data", "path": format!("/data/c{at}")})),
    );
    let rows: Vec<(&str, &str, String, u16, &str, &str)> = vec![
        ("no list", JSON_PATCH, "{}".to_owned(), 400, bad, "error decoding patch"),
        (
            "no operation",
            JSON_PATCH,
            r#"[{"path":"/a"}]"#.to_owned(),
            400,
            bad,
            "error decoding patch",
        ),
        (
            "an unknown operation",
            JSON_PATCH,
            r#"[{"op":"fly","path":"/a"}]"#.to_owned(),
            400,
            bad,
            "",
        ),
        (
            "no such place",
            JSON_PATCH,
            r#"[{"op":"remove","path":"/nothing"}]"#.to_owned(),
            422,
            invalid,
            "the server rejected our request due to an error in our request",
        ),
        (
            "no pointer",
            JSON_PATCH,
            r#"[{"op":"add","path":"data","value":1}]"#.to_owned(),
            400,
            bad,
            "",
        ),
        (
            "a failed test",
            JSON_PATCH,
            r#"[{"op":"test","path":"/data/key","value":"2"}]"#.to_owned(),
            422,
            invalid,
            "the server rejected our request due to an error in our request",
        ),
        (
            "too many operations",
            JSON_PATCH,
            json!(copies).to_string(),
            413,
            "RequestEntityTooLarge",
            "The allowed maximum operations in a JSON patch is 10000, got 10001",
        ),
        (
            "copies that grow",
            JSON_PATCH,
            json!(growing).to_string(),
            413,
            "RequestEntityTooLarge",
            "exceeds the limit",
        ),
        ("half a patch", MERGE, "{".to_owned(), 400, bad, ""),
        ("a patch of a number", MERGE, "1".to_owned(), 400, bad, ""),
        (
            "another name",
            MERGE,
            r#"{"metadata":{"name":"b"}}"#.to_owned(),
            400,
            bad,
            "does not match the name on the URL",
        ),
        ("another kind", MERGE, r#"{"kind":"Pod"}"#.to_owned(), 400, bad, ""),
        (
            "an old revision",
            MERGE,
            r#"{"metadata":{"resourceVersion":"1"}}"#.to_owned(),
            409,
            "Conflict",
            "the object has been modified",
        ),
        (
            "another uid",
            MERGE,
            r#"{"metadata":{"uid":"x"}}"#.to_owned(),
            409,
            "Conflict",
            "Precondition failed: UID",
        ),
        (
            "a wrong type",
            MERGE,
            r#"{"data":{"a":1}}"#.to_owned(),
            422,
            invalid,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "an unknown directive",
            STRATEGIC,
            r#"{"$patch":"fly"}"#.to_owned(),
            400,
            bad,
            "unknown patch type",
        ),
        ("a list of a patch", STRATEGIC, "[]".to_owned(), 400, bad, ""),
        ("no manager", APPLY, map("a", "1").to_string(), 422, invalid, "fieldManager"),
        ("no patch", JSON, "{}".to_owned(), 415, "UnsupportedMediaType", ""),
        (
            "a deep patch",
            MERGE,
            nested(20_000),
            400,
            bad,
            "error decoding patch: exceeded max depth",
        ),
        ("a deep strategic patch", STRATEGIC, nested(20_000), 400, bad, "exceeded max depth"),
        (
            "deep lists of a patch",
            STRATEGIC,
            format!(r#"{{"data":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000)),
            400,
            bad,
            "exceeded max depth",
        ),
        (
            "a deep value of an operation",
            JSON_PATCH,
            format!(r#"[{{"op":"add","path":"/data/x","value":{}}}]"#, nested(20_000)),
            400,
            bad,
            "exceeded max depth",
        ),
        (
            "a long way to nothing",
            JSON_PATCH,
            format!(r#"[{{"op":"remove","path":"{}"}}]"#, "/a".repeat(100_000)),
            422,
            invalid,
            "the server rejected our request due to an error in our request",
        ),
        (
            "a place that no list has",
            JSON_PATCH,
            r#"[{"op":"add","path":"/metadata/finalizers/18446744073709551616","value":"a/b"}]"#
                .to_owned(),
            422,
            invalid,
            "",
        ),
        ("a number beyond all", MERGE, r#"{"data":{"a":1e400}}"#.to_owned(), 400, bad, ""),
        (
            "a number of a thousand digits",
            MERGE,
            format!(r#"{{"metadata":{{"generation":{}}}}}"#, "9".repeat(1000)),
            400,
            bad,
            "",
        ),
        (
            "a number that is no whole one",
            STRATEGIC,
            r#"{"metadata":{"deletionGracePeriodSeconds":1.5}}"#.to_owned(),
            422,
            invalid,
            "\"map[metadata:map[deletionGracePeriodSeconds:1.5]]\": cannot convert float64 to int64",
        ),
        (
            "a number beyond 64 bits",
            MERGE,
            r#"{"metadata":{"deletionGracePeriodSeconds":9223372036854775808}}"#.to_owned(),
            422,
            invalid,
            "cannot unmarshal number 9223372036854775808",
        ),
        (
            "a key twice",
            MERGE,
            r#"{"data":{"a":"1","a":2}}"#.to_owned(),
            422,
            invalid,
            " \"\" is invalid: patch: Invalid value: \"{",
        ),
    ];
    for (case, media_type, body, code, reason, text) in rows {
        let answer = cluster.raw("PATCH", &format!("{MAPS}/a"), media_type, body).await;
        refused(case, &answer, code, reason, text);
    }
    let path = format!("{MAPS}/a?fieldManager=m");
    for (case, body, code, reason, text) in [
        ("owners in an apply", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"managedFields":[{"manager":"x"}]}}"#.to_owned(), 400, bad, "metadata.managedFields must be nil"),
        ("an apply of nothing", "{}".to_owned(), 400, bad, ""),
        ("an apply of another kind", r#"{"apiVersion":"v1","kind":"Pod"}"#.to_owned(), 400, bad, ""),
        ("an apply of a bomb", bomb(), 400, bad, "yaml"),
        ("a deep apply", nested(20_000), 400, bad, "yaml"),
        ("an apply of deep lists", format!("data: {}{}", "[".repeat(20_000), "]".repeat(20_000)), 400, bad, "yaml"),
        ("an apply of a list", "[]".to_owned(), 400, bad, ""),
    ] {
        let answer = cluster.raw("PATCH", &path, APPLY, body).await;
        refused(case, &answer, code, reason, text);
    }
    let answer = cluster.raw("PATCH", &format!("{MAPS}/none"), MERGE, "{}").await;
    refused("nothing to patch", &answer, 404, "NotFound", "configmaps \"none\" not found");
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.1["data"], json!({"key": "1"}));
}

#[tokio::test]
async fn options_that_mean_nothing() {
    let cluster = cluster().await;
    let (bad, invalid) = ("BadRequest", "Invalid");
    for (method, query, code, reason, text) in [
        ("GET", "limit=many", 400, bad, "strconv.ParseInt: parsing \"many\": invalid syntax"),
        ("GET", "resourceVersion=now", 400, bad, "resourceVersion: Invalid value"),
        ("GET", "resourceVersion=-1", 400, bad, "resourceVersion: Invalid value"),
        (
            "GET",
            "resourceVersion=1&resourceVersionMatch=Sometimes",
            422,
            invalid,
            "resourceVersionMatch",
        ),
        (
            "GET",
            "resourceVersionMatch=Exact",
            422,
            invalid,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "GET",
            "resourceVersionMatch=Exact&resourceVersion=0",
            422,
            invalid,
            "is forbidden for resourceVersion \"0\"",
        ),
        ("GET", "sendInitialEvents=true", 422, invalid, "sendInitialEvents is forbidden for list"),
        (
            "GET",
            "watch=true&sendInitialEvents=true",
            422,
            invalid,
            "requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "GET",
            "watch=true&resourceVersionMatch=NotOlderThan",
            422,
            invalid,
            "resourceVersionMatch is forbidden for watch",
        ),
        ("GET", "continue=x", 400, bad, "continue key is not valid"),
        ("GET", "continue=e30", 400, bad, "continue key is not valid"),
        (
            "GET",
            "labelSelector=a%20in%20(",
            400,
            bad,
            "unable to parse requirement: found '', expected: ',', ')' or identifier",
        ),
        (
            "GET",
            "labelSelector=%3D%3D",
            400,
            bad,
            "found '==', expected: !, identifier, or 'end of string'",
        ),
        ("GET", "labelSelector=a%20b", 400, bad, "unable to parse requirement"),
        ("GET", "fieldSelector=nothing", 400, bad, "invalid selector"),
        ("GET", "fieldSelector=data.key%3D1", 400, bad, "is not a known field selector"),
        ("GET", "timeoutSeconds=x", 400, bad, "strconv.ParseInt"),
        ("POST", "dryRun=Some", 422, invalid, "dryRun: Unsupported value: \"Some\""),
        (
            "POST",
            "fieldValidation=Very",
            422,
            invalid,
            "fieldValidation: Unsupported value: \"Very\"",
        ),
        ("DELETE", "propagationPolicy=Sideways", 422, invalid, "propagationPolicy"),
        ("DELETE", "gracePeriodSeconds=soon", 400, bad, "strconv.ParseInt"),
        (
            "DELETE",
            "orphanDependents=true&propagationPolicy=Orphan",
            422,
            invalid,
            "cannot be both set",
        ),
    ] {
        let body = if method == "POST" { map("b", "1").to_string() } else { String::new() };
        let answer = cluster.raw(method, &format!("{MAPS}?{query}"), JSON, body).await;
        refused(&format!("{method} {query}"), &answer, code, reason, text);
    }
    assert_eq!(cluster.get(MAPS).await.1["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn paths_methods_and_forms_that_there_are_not() {
    let cluster = cluster().await;
    for (method, path, code, reason) in [
        ("GET", "/api/v1/nothings", 404, "NotFound"),
        ("GET", "/apis/apps/v9/deployments", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/a/nothing", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/configmaps/none", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/configmaps/..%2Fsecrets", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/configmaps/%00", 404, "NotFound"),
        ("POST", "/api/v1/configmaps", 405, "MethodNotAllowed"),
        ("PUT", MAPS, 405, "MethodNotAllowed"),
        ("PATCH", MAPS, 405, "MethodNotAllowed"),
        ("TRACE", MAPS, 405, "MethodNotAllowed"),
        ("POST", "/api/v1/namespaces/none/configmaps", 404, "NotFound"),
    ] {
        let answer = cluster.raw(method, path, JSON, map("b", "1").to_string()).await;
        refused(&format!("{method} {path}"), &answer, code, reason, "");
    }
    for accept in ["text/html", "application/json;as=Nothing;g=meta.k8s.io;v=v1", "image/*;q=0.5"] {
        let answer = cluster.accept(MAPS, accept).await;
        refused(
            accept,
            &answer,
            406,
            "NotAcceptable",
            "only the following media types are accepted",
        );
    }
}

/// Things that nobody would send on purpose.
fn odd_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "", "{", "[]", "1", "null", "\"x\"", "true", "\0", "{}", "[{}]", "{\"metadata\":null}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":null}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":{}}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":[]}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":\"x\",\"status\":1}",
        "{\"metadata\":{\"name\":\"x\",\"finalizers\":[\"\"],\"ownerReferences\":[{}]}}",
        "{\"metadata\":{\"name\":\"x\",\"managedFields\":[{\"fieldsV1\":{\"f:a\":1},\"operation\":\"Update\"}]}}",
        "{\"metadata\":{\"generateName\":\"\u{fffd}\u{10ffff}\"}}",
        "- a\n- b", "a: &a [*a]", "%YAML 1.2\n---\n{}", "{}: 1", "? [a]\n: b",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(b"\xff\xfe\x00".to_vec());
    bodies.push(b"k8s\0".to_vec());
    bodies.push(
        [b"k8s\0".as_slice(), &[0x0a, 0x04, 0x0a, 0x02, b'v', b'1', 0x12, 0x02, 0x0a, 0x7f]]
            .concat(),
    );
    bodies.push(nested(200).into_bytes());
    bodies
}

#[tokio::test]
async fn nothing_that_is_sent_to_any_kind_is_the_servers_fault() {
    let cluster = cluster().await;
    let mut paths = Vec::new();
    let (_, groups) = cluster.get("/apis").await;
    let groups = groups["groups"].as_array().unwrap().iter();
    let versions = groups.flat_map(|group| group["versions"].as_array().unwrap().clone());
    let mut roots: Vec<String> = versions
        .map(|version| format!("/apis/{}", version["groupVersion"].as_str().unwrap()))
        .collect();
    roots.push("/api/v1".to_owned());
    for root in roots {
        let (_, list) = cluster.get(&root).await;
        for resource in list["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            let place = if resource["namespaced"] == true { "/namespaces/default" } else { "" };
            let (plural, sub) = name.split_once('/').unwrap_or((name, ""));
            if matches!(sub, "exec" | "attach" | "portforward" | "proxy" | "log") {
                continue;
            }
            let sub = if sub.is_empty() { String::new() } else { format!("/{sub}") };
            paths.push((format!("{root}{place}/{plural}"), sub));
        }
    }
    assert!(paths.len() > 80, "{}", paths.len());
    let bodies = odd_bodies();
    for (collection, sub) in paths {
        for body in &bodies {
            for (method, media_type) in [
                ("POST", JSON),
                ("POST", YAML),
                ("POST", PROTOBUF),
                ("PUT", JSON),
                ("PUT", YAML),
                ("PATCH", JSON_PATCH),
                ("PATCH", MERGE),
                ("PATCH", STRATEGIC),
                ("PATCH", APPLY),
            ] {
                let path = match (method, sub.as_str()) {
                    ("POST", "") => format!("{collection}?fieldManager=m&dryRun=All"),
                    _ => format!("{collection}/a{sub}?fieldManager=m&dryRun=All"),
                };
                let request = Request::builder().method(method).uri(&path);
                let request = request.header("content-type", media_type);
                let answer = cluster.send(request.body(Body::from(body.clone())).unwrap()).await;
                let shown = String::from_utf8_lossy(body);
                let shown = shown.chars().take(60).collect::<String>();
                assert!(
                    answer.code < 500,
                    "{method} {path} {media_type} {shown}: {:?}",
                    answer.bytes
                );
                if answer.code >= 400 {
                    let status = answer.json();
                    assert_eq!(status["code"], answer.code, "{method} {path} {shown}");
                    assert!(
                        !status["message"].as_str().unwrap().is_empty(),
                        "{method} {path} {shown}"
                    );
                }
            }
        }
    }
}
