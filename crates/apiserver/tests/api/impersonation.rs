//! Acting as somebody else.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use wk_auth::{Attributes, Authorizer, Decision, User};

use crate::cluster::{Answer, Cluster};

const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Names and values of headers.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// Everybody known may do everything but act as others, which `boss` may in some ways.
struct Rules;

#[async_trait]
impl Authorizer for Rules {
    async fn authorize(&self, asked: &Attributes<'_>) -> Decision {
        let known = asked.user.is_in(User::AUTHENTICATED);
        let allowed = match (asked.verb, asked.user.name.as_str()) {
            ("impersonate", "boss") => match (asked.group, asked.resource, asked.subresource) {
                ("", "users", "") => asked.name != "root",
                ("", "groups", "") => asked.name != User::MASTERS,
                ("", "serviceaccounts", "") => asked.namespace == "default",
                ("authentication.k8s.io", "userextras", "example.com/project") => true,
                ("authentication.k8s.io", "uids", "") => asked.name == "7",
                _ => false,
            },
            ("impersonate", _) => false,
            _ => known,
        };
        if allowed { Decision::Allow } else { Decision::Deny("no".to_owned()) }
    }
}

async fn asked(cluster: &Cluster, as_whom: Headers<'_>) -> Answer {
    let mut request = Request::post(WHOAMI).header("content-type", "application/json");
    for (name, value) in as_whom {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from("{}")).unwrap();
    request.extensions_mut().insert(User::authenticated("boss", ["bosses"]));
    cluster.send_as_is(request).await
}

async fn cluster() -> Cluster {
    Cluster::authorized(Arc::new(Rules)).await
}

#[tokio::test]
async fn who_may_acts_as_somebody_else() {
    let cluster = cluster().await;
    let rows: &[(Headers<'_>, Value)] = &[
        (&[], json!({"username": "boss", "groups": ["bosses", "system:authenticated"]})),
        (
            &[("impersonate-user", "jane")],
            json!({"username": "jane", "groups": ["system:authenticated"]}),
        ),
        (
            &[
                ("Impersonate-User", "jane"),
                ("Impersonate-Group", "dev"),
                ("Impersonate-Group", "ops"),
            ],
            json!({"username": "jane", "groups": ["dev", "ops", "system:authenticated"]}),
        ),
        (
            &[("impersonate-user", "jane"), ("impersonate-group", "system:unauthenticated")],
            json!({"username": "jane", "groups": ["system:unauthenticated"]}),
        ),
        (
            &[("impersonate-user", "system:anonymous")],
            json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]}),
        ),
        (
            &[("impersonate-user", "system:serviceaccount:default:builder")],
            json!({
                "username": "system:serviceaccount:default:builder",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
            }),
        ),
        (
            &[
                ("impersonate-user", "jane"),
                ("impersonate-uid", "7"),
                ("impersonate-extra-example.com%2fproject", "a"),
                ("impersonate-extra-example.com%2fproject", "b"),
            ],
            json!({
                "username": "jane", "uid": "7", "groups": ["system:authenticated"],
                "extra": {"example.com/project": ["a", "b"]},
            }),
        ),
    ];
    for (headers, expected) in rows {
        let answer = asked(&cluster, headers).await;
        if expected["groups"] == json!(["system:unauthenticated"]) {
            // Nobody known may not even ask who one is, here.
            assert_eq!(answer.code, 403, "{headers:?}");
            continue;
        }
        assert_eq!(answer.code, 201, "{headers:?}: {}", answer.json());
        let mut found = answer.json()["status"]["userInfo"].take();
        if found["uid"] == "" {
            found.as_object_mut().unwrap().remove("uid");
        }
        if found["extra"] == json!({}) {
            found.as_object_mut().unwrap().remove("extra");
        }
        assert_eq!(&found, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_which_part_is_refused() {
    let cluster = cluster().await;
    let jane = ("impersonate-user", "jane");
    let rows: &[(Headers<'_>, u16, &str)] = &[
        (
            &[("impersonate-user", "root")],
            403,
            "users \"root\" is forbidden: User \"boss\" cannot impersonate resource \"users\" in \
             API group \"\" at the cluster scope: no",
        ),
        (
            &[jane, ("impersonate-group", "system:masters")],
            403,
            "groups \"system:masters\" is forbidden: User \"boss\" cannot impersonate resource \
             \"groups\" in API group \"\" at the cluster scope: no",
        ),
        (
            &[("impersonate-user", "system:serviceaccount:other:builder")],
            403,
            "serviceaccounts \"builder\" is forbidden: User \"boss\" cannot impersonate resource \
             \"serviceaccounts\" in API group \"\" in the namespace \"other\": no",
        ),
        (
            &[jane, ("impersonate-extra-scopes", "view")],
            403,
            "userextras.authentication.k8s.io \"view\" is forbidden: User \"boss\" cannot \
             impersonate resource \"userextras/scopes\" in API group \"authentication.k8s.io\" at \
             the cluster scope: no",
        ),
        (
            &[jane, ("impersonate-uid", "8")],
            403,
            "uids.authentication.k8s.io \"8\" is forbidden: User \"boss\" cannot impersonate \
             resource \"uids\" in API group \"authentication.k8s.io\" at the cluster scope: no",
        ),
        (
            &[("impersonate-group", "devs")],
            400,
            "requested [{Group  devs    }] without impersonating a user",
        ),
        (
            &[("impersonate-user", ""), ("impersonate-uid", "7")],
            400,
            "requested [{UID  7  authentication.k8s.io/v1  }] without impersonating a user",
        ),
    ];
    for (headers, code, message) in rows {
        let answer = asked(&cluster, headers).await;
        let status = answer.json();
        assert_eq!((answer.code, status["message"].as_str().unwrap()), (*code, *message));
    }
}

#[tokio::test]
async fn rights_are_those_of_whom_one_acts_as() {
    let cluster = cluster().await;
    let mut request = Request::get("/api/v1/namespaces/default/pods")
        .header("impersonate-user", "system:anonymous")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(User::authenticated("boss", ["bosses"]));
    let answer = cluster.send_as_is(request).await;
    assert_eq!(answer.code, 403);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("User \"system:anonymous\" cannot list resource"), "{message}");
}
