//! What commands ask and print.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::server::{Answer, Asked, Server, lines, not_found};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - {name: main, image: 'x:1'}
";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "uid": "1", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]}})
}

fn table(rows: &[(&str, &str)]) -> Value {
    json!({
        "kind": "Table", "metadata": {"resourceVersion": "5"},
        "columnDefinitions": [
            {"name": "Name", "format": "name", "priority": 0},
            {"name": "Status", "priority": 0}],
        "rows": rows.iter().map(|(name, status)| json!({
            "cells": [name, status],
            "object": {"metadata": {"name": name, "namespace": "default", "resourceVersion": "5"}},
        })).collect::<Vec<_>>()
    })
}

/// A server with one pod, which remembers what was applied.
fn with_pod(first: Value) -> Server {
    let current = parking_lot::Mutex::new(first);
    Server::start(move |asked| {
        let mut current = current.lock();
        match asked.method.as_str() {
            "POST" => *current = asked.body.clone(),
            "PATCH" => current["metadata"]["patched"] = true.into(),
            _ if current.is_null() => return not_found("pods", "web"),
            _ => {}
        }
        current.clone().into()
    })
}

#[test]
fn applying_a_new_object_takes_two_requests_on_one_connection() {
    let server = with_pod(Value::Null);
    server.file("pod.yaml", POD);
    server.run("apply -f pod.yaml").prints("pod/web created\n");
    assert_eq!(server.calls(), [format!("GET {PODS}/web"), format!("POST {PODS}")]);
    let asked = server.asked();
    assert_eq!(asked[0].connection, asked[1].connection);
    assert_eq!(asked[1].query, "fieldManager=kubectl-client-side-apply&fieldValidation=Strict");
    assert_eq!(asked[1].body["metadata"]["namespace"], "default");
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let last = asked[1].body["metadata"]["annotations"][annotation].as_str().unwrap();
    assert!(
        last.starts_with(
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":{}"
        )
    );

    server.run("apply -f pod.yaml").prints("pod/web unchanged\n");
    assert_eq!(server.calls().len(), 3, "what is up to date costs one GET");

    server.file("pod.yaml", &POD.replace("app: web", "app: other"));
    server.run("apply -f pod.yaml").prints("pod/web configured\n");
    let patch = server.asked().pop().unwrap();
    assert_eq!(patch.content_type, "application/strategic-merge-patch+json");
    assert_eq!(patch.body["metadata"]["labels"], json!({"app": "other"}));
    assert!(patch.body.get("spec").is_none(), "{patch:?}");
}

#[test]
fn applying_over_an_object_of_others_warns() {
    let server = with_pod(pod());
    server.file("pod.yaml", POD);
    let run = server.run("apply -f pod.yaml");
    run.prints("pod/web configured\n");
    assert!(
        run.err.starts_with("Warning: resource pods/web is missing the kubectl.kubernetes.io/")
    );
}

#[test]
fn dry_runs_send_nothing_or_say_so() {
    let server = with_pod(Value::Null);
    server.file("pod.yaml", POD);
    server.run("apply -f pod.yaml --dry-run=client").prints("pod/web created (dry run)\n");
    assert_eq!(server.calls(), [format!("GET {PODS}/web")]);
    server.run("create -f pod.yaml --dry-run=server").prints("pod/web created (server dry run)\n");
    assert!(server.asked().pop().unwrap().query.contains("dryRun=All"));
    let run = server.run("create cm a --from-literal=k=v --dry-run=client -o yaml");
    run.prints("apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  name: a\n");
}

#[test]
fn refusals_name_the_file_and_the_rest_is_applied() {
    let server = Server::start(|asked| {
        match (asked.method.as_str(), asked.body.pointer("/metadata/name")) {
            ("POST", Some(name)) if name == "bad" => json!({
            "kind": "Status", "code": 400, "reason": "BadRequest",
            "message": "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: \
                        unknown field \"spec.foo\""})
            .into(),
            ("POST", _) => asked.body.clone().into(),
            _ => not_found("pods", "web"),
        }
    });
    server.file("pods.yaml", &format!("{}---\n{POD}", POD.replace("name: web", "name: bad")));
    let run = server.run("apply -f pods.yaml");
    assert_eq!(run.out, "pod/web created\n");
    run.fails(
        "Error from server (BadRequest): error when creating \"pods.yaml\": Pod in version \"v1\" \
         cannot be handled as a Pod: strict decoding error: unknown field \"spec.foo\"\n",
    );
}

#[test]
fn warnings_are_passed_on_once() {
    let server = Server::start(|asked| Answer {
        warning: Some("unknown field \\\"spec.foo\\\""),
        ..match asked.method.as_str() {
            "POST" => asked.body.clone().into(),
            _ => not_found("pods", "web"),
        }
    });
    server.file("pod.yaml", POD);
    let run = server.run("apply -f pod.yaml --validate=warn");
    assert_eq!(run.err, "Warning: unknown field \"spec.foo\"\n");
    assert!(server.asked().pop().unwrap().query.contains("fieldValidation=Warn"));
}

#[test]
fn manifests_that_cannot_be_read_are_named() {
    let server = Server::start(|_| json!({}).into());
    server.file("bad.yaml", "a: [");
    server.file("kind.yaml", "apiVersion: v1");
    server.file("unknown.yaml", "{apiVersion: example.com/v1, kind: Foo, metadata: {name: a}}");
    for (file, expected) in [
        ("none.yaml", "error: the path \"none.yaml\" does not exist\n"),
        ("bad.yaml", "error: error parsing bad.yaml: error converting YAML to JSON: yaml: "),
        ("kind.yaml", "error: unable to decode \"kind.yaml\": Object 'Kind' is missing in "),
        (
            "unknown.yaml",
            "error: resource mapping not found for name: \"a\" namespace: \"\" from \
             \"unknown.yaml\": no matches for kind \"Foo\" in version \"example.com/v1\"\nhint: ",
        ),
    ] {
        let run = server.run(&format!("apply -f {file}"));
        assert!(run.err.starts_with(expected) && run.code == 1, "{run:?}");
    }
}

#[test]
fn rows_come_from_the_server() {
    let server = Server::start(|asked| match asked.path.as_str() {
        PODS if asked.query.contains("labelSelector=none") => table(&[]).into(),
        PODS if asked.query.contains("continue=next") => table(&[("b", "Pending")]).into(),
        PODS => {
            let mut table = table(&[("web", "Running")]);
            table["metadata"]["continue"] = "next".into();
            table.into()
        }
        "/api/v1/pods" | "/api/v1/namespaces/default/pods/web" => {
            table(&[("web", "Running")]).into()
        }
        "/api/v1/namespaces/default/services" => table(&[("svc", "x")]).into(),
        _ => not_found("pods", "x"),
    });
    server.run("get pods").prints("NAME   STATUS\nweb    Running\nb      Pending\n");
    assert!(server.asked()[0].accept.contains("as=Table"));
    server.run("get po -A").prints("NAMESPACE   NAME   STATUS\ndefault     web    Running\n");
    server.run("get po/web --no-headers").prints("web   Running\n");
    server.run("get pods,svc --chunk-size=0").prints(
        "NAME      STATUS\npod/web   Running\npod/b     Pending\n\nNAME          STATUS\n\
         service/svc   x\n",
    );
    let none = server.run("get pods -l none");
    none.prints("");
    assert_eq!(none.err, "No resources found in default namespace.\n");
    let some = server.run("get pod web x");
    assert_eq!(some.out, "NAME   STATUS\nweb    Running\n");
    some.fails("Error from server (NotFound): pods \"x\" not found\n");
    server.run("get pod x --ignore-not-found").prints("");
}

#[test]
fn documents_are_printed_in_every_format() {
    let server = Server::start(|asked| match asked.path.as_str() {
        PODS => json!({"kind": "PodList", "metadata": {}, "items": [{"metadata": {"name": "web",
            "managedFields": []}}]})
        .into(),
        _ => pod().into(),
    });
    server.run("get pods -o name").prints("pod/web\n");
    server.run("get pod web -o jsonpath={.spec.containers[*].image}").prints("x:1");
    server.run("get pods -o custom-columns=N:.metadata.name --no-headers").prints("web\n");
    server.run("get pods -o yaml").prints(
        "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: web\n\
         kind: List\nmetadata:\n  resourceVersion: \"\"\n",
    );
    let json: Value = serde_json::from_str(&server.run("get pod web -o json").out).unwrap();
    assert_eq!(json, pod());
}

#[test]
fn a_type_that_the_server_lacks_is_named() {
    let server = Server::start(|_| {
        json!({"kind": "Status", "code": 404, "reason": "NotFound",
            "message": "the server could not find the requested resource"})
        .into()
    });
    server.run("get deployments").fails(
        "error: the server doesn't have a resource type \"deployments.apps\"\n\
         hint: `wkctl api-resources` lists what it has\n",
    );
}

/// Answers a list of one pod, then a watch with what happens to it.
fn changing(events: &'static [(&'static str, &'static str)]) -> Server {
    let lists = AtomicUsize::new(0);
    Server::start(move |asked: &Asked| {
        if asked.method == "DELETE" {
            return pod().into();
        }
        if asked.query.contains("watch=true") {
            let event = |(event, phase): &(&str, &str)| {
                let mut pod = pod();
                pod["status"]["phase"] = (*phase).into();
                pod["status"]["conditions"] = json!([{"type": "Ready",
                    "status": if *phase == "Running" { "True" } else { "False" }}]);
                json!({"type": event, "object": pod})
            };
            return lines(&events.iter().map(event).collect::<Vec<_>>());
        }
        lists.fetch_add(1, Ordering::Relaxed);
        json!({"metadata": {"resourceVersion": "7"}, "items": [pod()]}).into()
    })
}

#[test]
fn waiting_ends_with_the_condition() {
    let server = changing(&[("MODIFIED", "Pending"), ("MODIFIED", "Running")]);
    server.run("wait --for=condition=Ready pod/web").prints("pod/web condition met\n");
    let watch = server.asked().pop().unwrap();
    assert!(watch.query.contains("resourceVersion=7"), "{watch:?}");
    assert!(watch.query.contains("fieldSelector=metadata.name%3Dweb"), "{watch:?}");
    server
        .run("wait --for=jsonpath={.status.phase}=Running pod web")
        .prints("pod/web condition met\n");
    let run = server.run("wait --for=condition=Other pod/web --timeout=0");
    run.fails(
        "error: timed out waiting for the condition on pods/web\n\
         hint: `wkctl describe pod/web` may say why\n",
    );
}

#[test]
fn deleting_waits_until_the_object_is_gone() {
    let server = changing(&[("MODIFIED", "Running"), ("DELETED", "Running")]);
    server.run("delete pod web").prints("pod \"web\" deleted from default namespace\n");
    let calls = server.calls();
    assert_eq!(calls, [format!("DELETE {PODS}/web"), format!("GET {PODS}"), format!("GET {PODS}")]);
    assert_eq!(server.asked()[0].body["propagationPolicy"], "Background");
    server
        .run("delete pod web --wait=false --now")
        .prints("pod \"web\" deleted from default namespace\n");
    assert_eq!(server.asked().pop().unwrap().body["gracePeriodSeconds"], 1);
    let run = server.run("delete pod web --force");
    run.prints("pod \"web\" force deleted from default namespace\n");
    assert!(run.err.starts_with("Warning: Immediate deletion does not wait"), "{run:?}");
}

#[test]
fn deleting_what_does_not_exist_fails_unless_that_is_fine() {
    let server = Server::start(|_| not_found("pods", "web"));
    server.run("delete pod web").fails("Error from server (NotFound): pods \"web\" not found\n");
    server.run("delete pod web --ignore-not-found").prints("");
}

#[test]
fn logs_are_passed_on_as_they_are() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v1/namespaces/default/pods/web/log" => {
            Answer { status: 200, body: "one\ntwo".to_owned(), warning: None }
        }
        "/api/v1/namespaces/default/pods/web" => {
            let mut pod = pod();
            pod["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "side"}));
            pod.into()
        }
        _ => json!({"items": [pod()]}).into(),
    });
    let run = server.run("logs -f web --tail=5 --since=1m --timestamps");
    run.prints("one\ntwo");
    assert_eq!(run.err, "Defaulted container \"main\" out of: main, side\n");
    let query = "container=main&follow=true&timestamps=true&sinceSeconds=60&tailLines=5";
    assert_eq!(server.asked().pop().unwrap().query, query);
    server.run("logs web -c side --previous").prints("one\ntwo");
    assert_eq!(server.asked().pop().unwrap().query, "container=side&previous=true");
    server.run("logs -l app=web --prefix").prints("[pod/web/main] one\n[pod/web/main] two");
    server.run("logs web -c nope --all-containers=false -c nope2").fails(
        "error: the argument '--container <NAME>' cannot be used multiple times\n\n\
         Usage: wkctl logs [OPTIONS] [WHAT]...\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn small_creations_need_one_request() {
    let server = Server::start(|asked| asked.body.clone().into());
    server.run("create namespace team").prints("namespace/team created\n");
    server.run("create sa robot -n team").prints("serviceaccount/robot created\n");
    server.run("create secret generic s --from-literal=a=b").prints("secret/s created\n");
    server.run("run web --image=x:1 --restart=Never -- a b").prints("pod/web created\n");
    assert_eq!(
        server.calls(),
        [
            "POST /api/v1/namespaces",
            "POST /api/v1/namespaces/team/serviceaccounts",
            "POST /api/v1/namespaces/default/secrets",
            "POST /api/v1/namespaces/default/pods",
        ]
    );
    assert_eq!(server.asked()[2].body["data"]["a"], "Yg==");
    assert_eq!(server.asked()[3].body["spec"]["containers"][0]["args"], json!(["a", "b"]));
}

#[test]
fn labels_and_patches_change_objects() {
    let server = Server::start(|asked| {
        let mut pod = pod();
        pod["metadata"]["resourceVersion"] = asked.method.clone().into();
        pod.into()
    });
    server.run("label pod web tier=abc app-").prints("pod/web labeled\n");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.body["metadata"]["labels"], json!({"tier": "abc", "app": null}));
    server
        .run("label pod web app=x")
        .fails("error: 'app' already has a value (web), and --overwrite is false\n");
    server.run("annotate pod/web a=b").prints("pod/web annotated\n");
    server.run("patch pod web -p {\"spec\":{}} --type=merge").prints("pod/web patched\n");
    assert_eq!(server.asked().pop().unwrap().content_type, "application/merge-patch+json");
}

#[test]
fn editing_sends_what_was_changed() {
    let server = Server::start(|_| pod().into());
    let editor = server.file("editor.sh", "sed -i 's/app: web/app: edited/' \"$1\"\n");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_wkctl"))
        .args(["edit", "pod", "web"])
        .env("KUBECONFIG", server.folder.path().join("kubeconfig"))
        .env("KUBE_EDITOR", format!("sh {}", editor.display()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(run.stdout).unwrap(), "pod/web edited\n");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.body, json!({"metadata": {"labels": {"app": "edited"}}}));
}

#[test]
fn watches_print_rows_as_they_come() {
    let server = Server::start(|asked| {
        if asked.query.contains("resourceVersion=9") {
            return Answer { status: 500, body: String::new(), warning: None };
        }
        if asked.query.contains("watch=true") {
            let mut next = table(&[("web", "Running")]);
            next["columnDefinitions"] = json!([]);
            next["metadata"]["resourceVersion"] = "9".into();
            return lines(&[json!({"type": "MODIFIED", "object": next})]);
        }
        table(&[("web", "Pending")]).into()
    });
    let run = server.run("get pods -w");
    assert_eq!(run.out, "NAME   STATUS\nweb    Pending\nweb    Running\n");
    assert_eq!(run.code, 1, "the watch was resumed after the last change, and refused there");
}
