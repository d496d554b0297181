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

/// Everybody known may do everything but act as others, which `boss` may in some ways, and which the
/// service account `agent` may when it looks at pods.
struct Rules;

const OWN: &str = "authentication.k8s.io";

/// What `agent` may do as somebody else: the verb, the group, the resource and the name.
const AS_OTHERS: &[(&str, &str, &str, &str)] = &[
    ("impersonate-on:user-info:list", "", "pods", ""),
    ("impersonate:user-info", OWN, "users", "jane"),
    ("impersonate:user-info", OWN, "groups", "dev"),
    ("impersonate-on:serviceaccount:list", "", "pods", ""),
    ("impersonate:serviceaccount", OWN, "serviceaccounts", "builder"),
    ("impersonate-on:associated-node:list", "", "pods", ""),
    ("impersonate:associated-node", OWN, "nodes", "*"),
    ("impersonate-on:arbitrary-node:get", "", "pods", "p"),
    ("impersonate:arbitrary-node", OWN, "nodes", "n2"),
];

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
            (verb, user) if verb.starts_with("impersonate") => {
                let asked = (verb, asked.group, asked.resource, asked.name);
                user == AGENT && AS_OTHERS.contains(&asked)
            }
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
    let refused = asked(&cluster, &[("impersonate-user", "root")]).await.json();
    assert_eq!(
        refused["message"],
        "selfsubjectreviews.authentication.k8s.io is forbidden: User \"boss\" cannot \
         impersonate-on:user-info:create resource \"selfsubjectreviews\" in API group \
         \"authentication.k8s.io\" at the cluster scope: no"
    );
    // Who once acted as somebody without constraints is told of that way first.
    assert_eq!(asked(&cluster, &[jane]).await.code, 201);
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

const AGENT: &str = "system:serviceaccount:kube-system:agent";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// The agent on node `n1` asks for a path as somebody else.
async fn agent_asks(cluster: &Cluster, path: &str, as_whom: Headers<'_>) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in as_whom {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let mut agent = User::service_account("kube-system", "agent");
    let extra = [
        ("authentication.kubernetes.io/node-name", "n1"),
        ("authentication.kubernetes.io/pod-name", "agent-x"),
    ];
    agent.extra = extra.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
    request.extensions_mut().insert(agent);
    cluster.send_as_is(request).await
}

#[tokio::test]
async fn who_may_act_as_somebody_for_one_thing_may_do_only_that() {
    let cluster = cluster().await;
    let named = format!("{PODS}/p");
    let cannot = |verb: &str, what: &str, group: &str, place: &str| {
        format!("User {AGENT:?} cannot {verb} resource {what:?} in API group {group:?} {place}: no")
    };
    let here = "in the namespace \"default\"";
    let user = |name: &'static str| ("impersonate-user", name);
    let rows: &[(&str, Headers<'_>, u16, String)] = &[
        (PODS, &[user("jane")], 200, String::new()),
        (PODS, &[user("jane"), ("impersonate-group", "dev")], 200, String::new()),
        (PODS, &[user("system:serviceaccount:x:builder")], 200, String::new()),
        (PODS, &[user("system:node:n1")], 200, String::new()),
        (&named, &[user("system:node:n2")], 404, "pods \"p\" not found".to_owned()),
        (
            &named,
            &[user("jane")],
            403,
            format!(
                "pods \"p\" is forbidden: {}",
                cannot("impersonate-on:user-info:get", "pods", "", here)
            ),
        ),
        (
            PODS,
            &[user("joe")],
            403,
            format!(
                "users.authentication.k8s.io \"joe\" is forbidden: {}",
                cannot("impersonate:user-info", "users", OWN, "at the cluster scope")
            ),
        ),
        (
            "/version",
            &[user("joe")],
            403,
            format!(
                "forbidden: User {AGENT:?} cannot impersonate-on:user-info:get path \"/version\": no"
            ),
        ),
    ];
    for (path, headers, code, message) in rows {
        // Nobody remembers how the agent came to act as others before.
        let cluster = if *code == 403 { &self::cluster().await } else { &cluster };
        let answer = agent_asks(cluster, path, headers).await;
        let shown = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.code, &shown), (*code, message), "{path} {headers:?}");
    }
    // More than the name of a node or a service account cannot be asked for in these ways.
    let headers = [user("system:node:n1"), ("impersonate-group", "dev")];
    assert_eq!(agent_asks(&cluster, PODS, &headers).await.code, 403);
}
