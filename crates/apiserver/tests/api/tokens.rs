//! Tokens of service accounts.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster, PODS, pod};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn with_account() -> Cluster {
    let cluster = Cluster::start().await;
    // The namespace may have its own account already.
    for name in ["default", "builder"] {
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        let (code, made) = cluster.json("POST", ACCOUNTS, &account).await;
        assert!(code == 201 || code == 409, "{made}");
    }
    cluster
}

async fn asked(cluster: &Cluster, account: &str, spec: Value) -> (u16, Value) {
    let path = format!("{ACCOUNTS}/{account}/token");
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    cluster.json("POST", &path, &request).await
}

async fn token(cluster: &Cluster, account: &str, spec: Value) -> String {
    let (code, request) = asked(cluster, account, spec).await;
    assert_eq!(code, 201, "{request}");
    request["status"]["token"].as_str().unwrap().to_owned()
}

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// Asks who a token stands for.
async fn whoami(cluster: &Cluster, authorization: &str) -> Answer {
    let request = Request::post(WHOAMI)
        .header("authorization", authorization)
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    cluster.send_as_is(request).await
}

async fn reviewed(cluster: &Cluster, token: &str, audiences: Value) -> Value {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": audiences},
    });
    let (code, review) = cluster.json("POST", REVIEWS, &review).await;
    assert_eq!(code, 201, "{review}");
    review["status"].clone()
}

#[tokio::test]
async fn a_token_lets_its_account_in() {
    let cluster = with_account().await;
    let (code, request) = asked(&cluster, "builder", json!({"expirationSeconds": 600})).await;
    assert_eq!(code, 201, "{request}");
    let audience = &request["spec"]["audiences"][0];
    assert_eq!(request["metadata"]["name"], "builder");
    assert!(request["status"]["expirationTimestamp"].is_string());
    let token = request["status"]["token"].as_str().unwrap();
    let said = claims(token);
    assert_eq!(said["sub"], "system:serviceaccount:default:builder");
    assert_eq!((&said["iss"], &said["aud"][0]), (audience, audience));
    let number = |field: &str| said[field].as_i64().unwrap();
    assert_eq!((number("exp"), number("nbf")), (number("iat") + 600, number("iat")));
    let bound = &said["kubernetes.io"];
    assert_eq!(
        (&bound["namespace"], &bound["serviceaccount"]["name"]),
        (&json!("default"), &json!("builder"))
    );
    let answer = whoami(&cluster, &format!("Bearer {token}")).await;
    assert_eq!(answer.code, 201);
    let user = answer.json()["status"]["userInfo"].clone();
    assert_eq!(user["username"], "system:serviceaccount:default:builder");
    assert_eq!(user["uid"], bound["serviceaccount"]["uid"]);
    assert_eq!(
        user["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
    );
    let id = format!("JTI={}", said["jti"].as_str().unwrap());
    assert_eq!(user["extra"]["authentication.kubernetes.io/credential-id"][0], id.as_str());
}

#[tokio::test]
async fn what_is_no_token_of_this_server_is_unauthorized() {
    let cluster = with_account().await;
    let good = token(&cluster, "builder", json!({})).await;
    let elsewhere = token(&cluster, "builder", json!({"audiences": ["elsewhere"]})).await;
    for bad in ["x", "a.b.c", &format!("{good}x"), &good[1..], &elsewhere] {
        let answer = whoami(&cluster, &format!("Bearer {bad}")).await;
        let status = answer.json();
        assert_eq!((answer.code, &status["reason"]), (401, &json!("Unauthorized")), "{bad}");
        assert_eq!(status["message"], "Unauthorized");
    }
    // Without any, one is nobody known, and that is another answer.
    let nobody = whoami(&cluster, "Basic eDp5").await;
    assert_eq!(nobody.code, 403);
}

#[tokio::test]
async fn a_token_dies_with_what_it_is_bound_to() {
    let cluster = with_account().await;
    let mut worker = pod("worker");
    worker["spec"]["serviceAccountName"] = "builder".into();
    let worker = cluster.create(PODS, worker).await;
    let reference = json!({"kind": "Pod", "apiVersion": "v1", "name": "worker"});
    let bound = token(&cluster, "builder", json!({"boundObjectRef": reference})).await;
    assert_eq!(claims(&bound)["kubernetes.io"]["pod"]["uid"], worker["metadata"]["uid"]);
    let answer = whoami(&cluster, &format!("bearer {bound}")).await;
    let extra = &answer.json()["status"]["userInfo"]["extra"];
    assert_eq!(extra["authentication.kubernetes.io/pod-name"], json!(["worker"]));
    let free = token(&cluster, "builder", json!({})).await;
    assert_eq!(cluster.delete(&format!("{PODS}/worker"), &json!({})).await.0, 200);
    assert_eq!(whoami(&cluster, &format!("Bearer {bound}")).await.code, 401);
    assert_eq!(whoami(&cluster, &format!("Bearer {free}")).await.code, 201);
    assert_eq!(cluster.delete(&format!("{ACCOUNTS}/builder"), &json!({})).await.0, 200);
    assert_eq!(whoami(&cluster, &format!("Bearer {free}")).await.code, 401);
    let again =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}});
    cluster.create(ACCOUNTS, again).await;
    assert_eq!(whoami(&cluster, &format!("Bearer {free}")).await.code, 401, "another of its name");
}

#[tokio::test]
async fn what_a_kubelet_asks_for_lives_longer_and_warns() {
    let cluster = with_account().await;
    cluster.create(PODS, pod("worker")).await;
    let reference = json!({"kind": "Pod", "apiVersion": "v1", "name": "worker"});
    let spec = json!({"boundObjectRef": reference, "expirationSeconds": 3607});
    let said = claims(&token(&cluster, "default", spec).await);
    let number = |field: &Value| field.as_i64().unwrap();
    let begun = number(&said["iat"]);
    assert_eq!(number(&said["exp"]), begun + 365 * 24 * 3600);
    assert_eq!(number(&said["kubernetes.io"]["warnafter"]), begun + 3607);
}

#[tokio::test]
async fn tokens_that_cannot_be_had_are_refused() {
    let cluster = with_account().await;
    cluster.create(PODS, pod("other")).await;
    let reference = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}});
    for (case, spec, code, reason) in [
        ("too short", json!({"expirationSeconds": 599}), 422, "Invalid"),
        ("too long", json!({"expirationSeconds": 4_294_967_297_i64}), 422, "Invalid"),
        ("no such pod", reference("Pod", "none", ""), 404, "NotFound"),
        ("a pod of another account", reference("Pod", "other", ""), 400, "BadRequest"),
        ("no such secret", reference("Secret", "none", ""), 404, "NotFound"),
        ("something else", reference("ConfigMap", "none", ""), 400, "BadRequest"),
    ] {
        let (found, status) = asked(&cluster, "builder", spec).await;
        assert_eq!((found, &status["reason"]), (code, &json!(reason)), "{case}: {status}");
    }
    let (code, _) = asked(&cluster, "default", reference("Pod", "other", "wrong")).await;
    assert_eq!(code, 409);
    assert_eq!(asked(&cluster, "none", json!({})).await.0, 404);
    let path = format!("{ACCOUNTS}/builder/token");
    assert_eq!(cluster.get(&path).await.0, 405);
    let named = json!({"metadata": {"name": "other"}});
    assert_eq!(cluster.json("POST", &path, &named).await.0, 422);
}

#[tokio::test]
async fn a_review_tells_whose_token_it_is_and_for_whom() {
    let cluster = with_account().await;
    let both = json!({"audiences": ["shop", "bank"]});
    let both = token(&cluster, "builder", both).await;
    let status = reviewed(&cluster, &both, json!(["bank", "mill"])).await;
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!(["bank"])));
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:builder");
    let status = reviewed(&cluster, &both, json!([])).await;
    assert!(status.get("authenticated").is_none(), "{status}");
    assert!(status["error"].as_str().unwrap().contains("invalid bearer token"));
    assert_eq!(reviewed(&cluster, "x", json!([])).await["error"], "invalid bearer token");
    let empty = json!({"spec": {}});
    assert_eq!(cluster.json("POST", REVIEWS, &empty).await.0, 400);
}

#[tokio::test]
async fn others_can_find_the_keys() {
    let cluster = with_account().await;
    let token = token(&cluster, "builder", json!({})).await;
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let (code, keys) = cluster.get("/openid/v1/jwks").await;
    assert_eq!(code, 200);
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let (_, found) = cluster.get("/.well-known/openid-configuration").await;
    assert_eq!(found["issuer"], claims(&token)["iss"]);
    assert_eq!(found["jwks_uri"], "https://127.0.0.1:6443/openid/v1/jwks");
    assert_eq!(found["id_token_signing_alg_values_supported"][0], header["alg"]);
}

#[tokio::test]
async fn rules_and_local_reviews_are_answered() {
    let cluster = with_account().await;
    let base = "/apis/authorization.k8s.io/v1";
    let rules = json!({"spec": {"namespace": "default"}});
    let path = format!("{base}/selfsubjectrulesreviews");
    let (code, review) = cluster.json("POST", &path, &rules).await;
    assert_eq!((code, &review["status"]["incomplete"]), (201, &json!(false)), "{review}");
    assert_eq!(review["status"]["resourceRules"][0]["verbs"], json!(["*"]));
    assert_eq!(cluster.json("POST", &path, &json!({"spec": {}})).await.0, 400);
    let path = format!("{base}/namespaces/default/localsubjectaccessreviews");
    let attributes = |namespace: &str| {
        json!({"spec": {
            "user": "somebody",
            "groups": ["system:authenticated"],
            "resourceAttributes": {"namespace": namespace, "verb": "get", "resource": "pods"},
        }})
    };
    let (code, review) = cluster.json("POST", &path, &attributes("default")).await;
    assert_eq!((code, &review["status"]["allowed"]), (201, &json!(true)), "{review}");
    assert_eq!(cluster.json("POST", &path, &attributes("other")).await.0, 422);
}
