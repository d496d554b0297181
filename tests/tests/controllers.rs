//! Controllers whose work clients find done, on the real programs: secrets with tokens, roles made of
//! others, endpoints shown as slices.

use serde_json::{Value, json};
use wk_tests::{Cluster, eventually};

fn create(cluster: &Cluster, object: &Value) {
    cluster.kubectl_with(&["create", "-f", "-"], &object.to_string()).ok();
}

/// What one field of an object holds once it holds something.
#[track_caller]
fn field(cluster: &Cluster, kind: &str, name: &str, path: &str) -> String {
    eventually(&format!("{kind} `{name}` has `{path}`"), || {
        let output = format!("jsonpath={{{path}}}");
        let answer = cluster.kubectl(&["get", kind, name, "-o", &output]);
        (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
    })
}

/// Whom a token stands for; empty if it is good for nothing.
fn holder(cluster: &Cluster, token: &str) -> String {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token}});
    let arguments = ["create", "-f", "-", "-o", "jsonpath={.status.user.username}"];
    let answer = cluster.kubectl_with(&arguments, &review.to_string());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    answer.stdout
}

#[test]
fn a_secret_gets_a_token_that_is_good_until_its_account_is_gone() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "serviceaccount", "robot"]).ok();
    let annotations = json!({"kubernetes.io/service-account.name": "robot"});
    create(
        &cluster,
        &json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "robot-token", "annotations": annotations},
            "type": "kubernetes.io/service-account-token"}),
    );
    field(&cluster, "secret", "robot-token", ".data.token");
    let decode = "go-template={{.data.token | base64decode}}";
    let token = cluster.kubectl(&["get", "secret", "robot-token", "-o", decode]).ok();
    assert_eq!(holder(&cluster, &token), "system:serviceaccount:default:robot");
    let described = cluster.kubectl(&["describe", "secret", "robot-token"]).ok();
    for part in ["Type:  kubernetes.io/service-account-token", "namespace:  7 bytes", "ca.crt:"] {
        assert!(described.contains(part), "{part}: {described}");
    }
    cluster.kubectl(&["delete", "serviceaccount", "robot"]).ok();
    eventually("the secret goes with its account", || {
        (cluster.kubectl(&["get", "secret", "robot-token"]).code != 0).then_some(())
    });
    assert_eq!(holder(&cluster, &token), "");
}

#[test]
fn a_role_made_of_others_has_their_rules() {
    let cluster = Cluster::start();
    let selector = "rbac.example.com/aggregate-to-sum=true";
    cluster.kubectl(&["create", "clusterrole", "sum", "--aggregation-rule", selector]).ok();
    cluster.kubectl(&["create", "clusterrole", "part", "--verb=get", "--resource=pods"]).ok();
    cluster.kubectl(&["label", "clusterrole", "part", selector]).ok();
    assert_eq!(field(&cluster, "clusterrole", "sum", ".rules[*].resources[*]"), "pods");
}

#[test]
fn endpoints_written_by_hand_are_shown_as_slices() {
    let cluster = Cluster::start();
    create(
        &cluster,
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
            "spec": {"ports": [{"port": 5432}]}}),
    );
    create(
        &cluster,
        &json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db"},
            "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 5432}]}]}),
    );
    let of_db = "-l=kubernetes.io/service-name=db";
    let shown = eventually("a slice shows them", || {
        let output = "jsonpath={.items[*].endpoints[*].addresses[*]} {.items[*].ports[*].port}";
        let answer = cluster.kubectl(&["get", "endpointslices", of_db, "-o", output]);
        (answer.code == 0 && answer.stdout.trim() != "").then_some(answer.stdout)
    });
    assert_eq!(shown, "192.0.2.1 5432");
}
