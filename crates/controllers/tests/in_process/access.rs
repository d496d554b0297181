//! What a cluster has for those who ask for things: secrets with tokens, and roles made of others.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use wk_process::TaskGroup;

use super::{create, has, start, until};

fn secret(name: &str, account: &str) -> Value {
    json!({
        "metadata": {"name": name,
            "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    })
}

/// Whom a token stands for, as the server says.
async fn holder(client: &Client, token: &str) -> Option<String> {
    let spec = TokenReviewSpec { token: token.to_owned(), audiences: None };
    let review = TokenReview { spec, ..TokenReview::default() };
    let api = Api::<TokenReview>::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().user.and_then(|user| user.username)
}

fn text(secret: &Secret, key: &str) -> String {
    let value = secret.data.as_ref().and_then(|data| data.get(key)).cloned().unwrap_or_default();
    String::from_utf8(value.0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_gets_the_token_of_its_account_and_goes_with_it() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    create(Api::<Namespace>::all(client.clone()), json!({"metadata": {"name": "shop"}})).await;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "shop");
    create(accounts.clone(), json!({"metadata": {"name": "robot"}})).await;
    let secrets = Api::<Secret>::namespaced(client.clone(), "shop");
    create(secrets.clone(), secret("robot-token", "robot")).await;
    create(secrets.clone(), secret("nobody-token", "nobody")).await;
    until::<Secret>(&client, &group, |all| {
        let is_full = |one: &Secret| !text(one, "token").is_empty();
        has(all, "shop", "robot-token")
            && all
                .iter()
                .filter(|one| one.metadata.name.as_deref() == Some("robot-token"))
                .all(|one| is_full(one))
            && !has(all, "shop", "nobody-token")
    })
    .await;
    let filled = secrets.get("robot-token").await.unwrap();
    assert_eq!(
        (text(&filled, "ca.crt"), text(&filled, "namespace")),
        ("the CA".into(), "shop".into())
    );
    let uid = accounts.get("robot").await.unwrap().metadata.uid.unwrap();
    let annotations = filled.metadata.annotations.clone().unwrap();
    assert_eq!(annotations["kubernetes.io/service-account.uid"], uid);
    let token = text(&filled, "token");
    let robot = Some("system:serviceaccount:shop:robot".to_owned());
    assert_eq!(holder(&client, &token).await, robot);

    let wrong = Patch::Merge(json!({"data": {"ca.crt": null, "token": null}}));
    secrets.patch("robot-token", &PatchParams::default(), &wrong).await.unwrap();
    until::<Secret>(&client, &group, |all| {
        all.iter().any(|one| !text(one, "token").is_empty() && text(one, "ca.crt") == "the CA")
    })
    .await;

    accounts.delete("robot", &DeleteParams::default()).await.unwrap();
    until::<Secret>(&client, &group, |all| !has(all, "shop", "robot-token")).await;
    assert_eq!(holder(&client, &token).await, None, "it was good as long as the secret was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_made_of_others_follows_them() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let roles = Api::<ClusterRole>::all(client.clone());
    let part = |name: &str, resource: &str| {
        json!({"metadata": {"name": name, "labels": {"into": "sum"}},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]})
    };
    create(roles.clone(), part("test-b", "pods")).await;
    let selectors = json!([{"matchLabels": {"into": "sum"}}]);
    create(
        roles.clone(),
        json!({"metadata": {"name": "test-sum"}, "rules": [],
            "aggregationRule": {"clusterRoleSelectors": selectors}}),
    )
    .await;
    create(roles.clone(), part("test-a", "secrets")).await;
    let is = |all: &[std::sync::Arc<ClusterRole>], expected: &[&str]| {
        let sum = all.iter().find(|role| role.metadata.name.as_deref() == Some("test-sum"));
        let rules = sum.into_iter().flat_map(|role| role.rules.iter().flatten());
        let found: Vec<String> =
            rules.flat_map(|rule| rule.resources.clone().unwrap_or_default()).collect();
        found == expected
    };
    until::<ClusterRole>(&client, &group, |all| is(all, &["secrets", "pods"])).await;
    roles.delete("test-b", &DeleteParams::default()).await.unwrap();
    until::<ClusterRole>(&client, &group, |all| is(all, &["secrets"])).await;
}
