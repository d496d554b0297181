//! What verbs ask of a server, and what they refuse before they ask.

use serde_json::{Value, json};

use crate::server::{Server, not_found};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/web";

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "resourceVersion": "5"},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "x:1"}]}}}})
}

fn with_deployment() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/api/v1/nodes/n" => json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "n"}, "spec": {}})
        .into(),
        path if path.starts_with(DEPLOYMENT) => deployment().into(),
        _ => not_found("things", "x"),
    })
}

#[test]
fn what_is_missing_on_the_command_line_is_said_before_anything_is_asked() {
    let server = with_deployment();
    let example = "error: You must provide one or more resources by argument or filename.\n\
                   Example resource specifications include:\n   '-f rsrc.yaml'\n   \
                   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'\n";
    for (line, expected) in [
        ("rollout status", "error: required resource not specified\n"),
        ("scale deploy/web", "error: required flag(s) \"replicas\" not set\n"),
        ("scale --replicas=1", example),
        ("autoscale deploy/web", "error: required flag(s) \"max\" not set\n"),
        ("set image deploy/web", "error: at least one image update is required\n"),
        ("label svc web", "error: at least one label update is required\n"),
        ("taint node n", "error: at least one taint update is required\n"),
        (
            "create cm",
            "error: exactly one NAME is required, got 0\n\
             See 'wkctl create configmap -h' for help and examples\n",
        ),
        ("create deployment d", "error: required flag(s) \"image\" not set\n"),
        (
            "cordon",
            "error: USAGE: cordon NODE [flags]\nSee 'wkctl cordon -h' for help and examples\n",
        ),
        (
            "rollout fly",
            "error: unknown command \"fly\"\nSee 'wkctl rollout -h' for help and examples\n",
        ),
        ("wait pod/web", "error: unrecognized condition: []\n"),
        (
            "apply -f x --force-conflicts",
            "error: --force-conflicts only works with --server-side\n",
        ),
        (
            "certificate approve",
            "error: one or more CSRs must be specified as <name> or -f <filename>\n",
        ),
    ] {
        server.run(line).fails(expected);
    }
    assert_eq!(server.calls(), [""; 0]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let server = with_deployment();
    let run = server.run("apply -k no-such-folder");
    assert!(run.err.starts_with("error: `no-such-folder` cannot be used"), "{run:?}");
    let run = server.run("get deploy web -o go-template={{.kind}}");
    assert!(run.err.starts_with("error: the output format \"go-template\" is not"), "{run:?}");
    assert_eq!(server.calls(), [""; 0]);
}

#[test]
fn scaling_asks_for_the_scale_alone() {
    let server = with_deployment();
    server.run("scale deploy/web --replicas=3").prints("deployment.apps/web scaled\n");
    let asked = server.asked().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.path), ("PATCH", format!("{DEPLOYMENT}/scale")));
    assert_eq!(asked.body, json!({"spec": {"replicas": 3}}));
    let run = server.run("scale deploy/web --replicas=3 --current-replicas=1");
    run.fails("error: Expected replicas to be 1, was 2\n");
    // With a condition, the version that was looked at goes along.
    server
        .run("scale deploy/web --replicas=3 --current-replicas=2")
        .prints("deployment.apps/web scaled\n");
    let asked = server.asked().pop().unwrap();
    assert_eq!(
        (asked.method.as_str(), &asked.body["metadata"]["resourceVersion"]),
        ("PUT", &json!("5"))
    );
}

#[test]
fn changes_go_out_as_small_patches() {
    let server = with_deployment();
    server.run("set image deploy/web main=x:2").prints("deployment.apps/web image updated\n");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.content_type, "application/strategic-merge-patch+json");
    assert_eq!(asked.query, "fieldManager=kubectl-set");
    let containers = &asked.body["spec"]["template"]["spec"]["containers"];
    assert_eq!(*containers, json!([{"name": "main", "image": "x:2"}]));
    let before = server.calls().len();
    server.run("set image deploy/web main=x:1").prints("");
    assert_eq!(server.calls().len(), before + 1, "what is so already costs one GET");

    server.run("rollout pause deploy/web").prints("deployment.apps/web paused\n");
    assert_eq!(server.asked().pop().unwrap().body, json!({"spec": {"paused": true}}));
    server.run("cordon n").prints("node/n cordoned\n");
    assert_eq!(server.asked().pop().unwrap().body, json!({"spec": {"unschedulable": true}}));
    server.run("taint node n a=b:NoSchedule").prints("node/n tainted\n");
    let taint = json!([{"key": "a", "value": "b", "effect": "NoSchedule"}]);
    assert_eq!(server.asked().pop().unwrap().body["spec"]["taints"], taint);
}

#[test]
fn somebody_else_can_be_acted_for() {
    let server = Server::start(|asked| {
        json!({"kind": "SelfSubjectReview", "status": {"userInfo": {
            "username": "jane", "groups": ["a", "b"]}}, "spec": asked.body})
        .into()
    });
    server
        .run("auth whoami --as=jane --as-group=a --as-group=b")
        .prints("ATTRIBUTE   VALUE\nUsername    jane\nGroups      [a b]\n");
}

#[test]
fn what_is_not_allowed_is_said_by_the_exit_code() {
    let server = Server::start(|asked| {
        let verb = asked.body["spec"]["resourceAttributes"]["verb"].clone();
        json!({"status": {"allowed": verb == "get", "reason": "nobody said so"}}).into()
    });
    server.run("auth can-i get pods").prints("yes\n");
    let run = server.run("auth can-i delete pods");
    assert_eq!((run.out.as_str(), run.err.as_str(), run.code), ("no - nobody said so\n", "", 1));
    let attributes = &server.asked().pop().unwrap().body["spec"]["resourceAttributes"];
    assert_eq!(attributes["namespace"], "default");
}

#[test]
fn use_is_shown_beside_what_there_is() {
    let usage = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/apis/metrics.k8s.io/v1beta1/nodes" => json!({"items": [
            {"metadata": {"name": "n"}, "usage": usage("250m", "512Mi")}]})
        .into(),
        "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods" => json!({"items": [
            {"metadata": {"name": "b"}, "containers": [
                {"name": "x", "usage": usage("1m", "1Mi")},
                {"name": "y", "usage": usage("1500u", "2048Ki")}]},
            {"metadata": {"name": "a"}, "containers": [
                {"name": "x", "usage": usage("2m", "8Mi")}]}]})
        .into(),
        "/api/v1/nodes" => json!({"metadata": {}, "items": [
            {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "2", "memory": "1Gi"}}},
            {"metadata": {"name": "silent"}, "status": {}}]})
        .into(),
        _ => not_found("things", "x"),
    });
    let run = server.run("top node --no-headers");
    let lines: Vec<Vec<&str>> =
        run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["n", "250m", "12%", "512Mi", "50%"]);
    assert_eq!(lines[1][1], "<unknown>");
    let run = server.run("top pod --sum");
    let lines: Vec<Vec<&str>> =
        run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "CPU(cores)", "MEMORY(bytes)"]);
    assert_eq!(lines[1], ["a", "2m", "8Mi"]);
    assert_eq!(lines[2], ["b", "3m", "3Mi"]);
    assert_eq!(lines[4], ["5m", "11Mi"]);
    let run = server.run("top pod --containers --sort-by=memory --no-headers");
    assert!(run.out.starts_with("a     x     2m    8Mi   \nb     y     2m    2Mi"), "{run:?}");
}
