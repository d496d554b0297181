//! What the server demands of objects beyond what their kind does.

use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster, PODS, pod};

const DEFAULT: &str = "/api/v1/namespaces/default";

impl Cluster {
    /// Posts an object that is refused; gives code and message.
    async fn refused(&self, path: &str, object: &Value) -> (u64, String) {
        let (code, answer) = self.json("POST", path, object).await;
        assert!(code >= 400, "{answer}");
        (u64::from(code), answer["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes a namespace with labels, and its service account.
    async fn namespace(&self, name: &str, labels: Value) {
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        self.create("/api/v1/namespaces", namespace).await;
        let account = json!({"metadata": {"name": "default"}});
        self.create(&format!("/api/v1/namespaces/{name}/serviceaccounts"), account).await;
    }

    async fn post(&self, path: &str, object: &Value) -> Answer {
        self.raw("POST", path, "application/json", object.to_string()).await
    }
}

fn warnings(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("warning").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn asking(name: &str, cpu: &str) -> Value {
    let mut pod = pod(name);
    pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": cpu}});
    pod
}

#[tokio::test]
async fn pods_run_as_an_account_that_is_there() {
    let cluster = Cluster::start().await;
    let mut stranger = pod("stranger");
    stranger["spec"]["serviceAccountName"] = "nobody".into();
    let (code, message) = cluster.refused(PODS, &stranger).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "pods \"stranger\" is forbidden: error looking up service account default/nobody: \
         serviceaccount \"nobody\" not found"
    );
    let account =
        json!({"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "registry"}]});
    cluster.create(&format!("{DEFAULT}/serviceaccounts"), account).await;
    let mut own = pod("own");
    own["spec"]["serviceAccountName"] = "robot".into();
    let own = cluster.create(PODS, own).await;
    assert_eq!(own["spec"]["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(own["spec"]["serviceAccount"], "robot");
    let plain = cluster.create(PODS, pod("plain")).await;
    assert_eq!(plain["spec"]["serviceAccountName"], "default");
}

#[tokio::test]
async fn a_pod_waits_for_the_account_of_a_new_namespace() {
    let cluster = Cluster::start().await;
    cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "new"}})).await;
    let accounts = "/api/v1/namespaces/new/serviceaccounts";
    let early = pod("early");
    let (created, _) = tokio::join!(
        cluster.json("POST", "/api/v1/namespaces/new/pods", &early),
        cluster.create(accounts, json!({"metadata": {"name": "default"}})),
    );
    assert_eq!(created.0, 201, "{}", created.1);
}

#[tokio::test]
async fn limit_ranges_complete_and_bound_containers() {
    let cluster = Cluster::start().await;
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [{
        "type": "Container",
        "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"},
    }]}});
    cluster.create(&format!("{DEFAULT}/limitranges"), range).await;
    let plain = cluster.create(PODS, pod("plain")).await;
    let resources = &plain["spec"]["containers"][0]["resources"];
    assert_eq!(resources, &json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "100m"}}));
    assert_eq!(
        plain["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container main; cpu limit for container main"
    );
    let mut greedy = pod("greedy");
    greedy["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "2"}});
    let (code, message) = cluster.refused(PODS, &greedy).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "pods \"greedy\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
}

async fn quota(cluster: &Cluster, name: &str, hard: Value) {
    let quota = json!({"metadata": {"name": name}, "spec": {"hard": hard}});
    cluster.create(&format!("{DEFAULT}/resourcequotas"), quota).await;
}

async fn used(cluster: &Cluster, name: &str) -> Value {
    cluster.get(&format!("{DEFAULT}/resourcequotas/{name}")).await.1["status"]["used"].clone()
}

#[tokio::test]
async fn a_quota_is_charged_and_refuses_what_it_has_not() {
    let cluster = Cluster::start().await;
    quota(&cluster, "team", json!({"pods": "2", "requests.cpu": "1"})).await;
    let (code, message) = cluster.refused(PODS, &pod("silent")).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "pods \"silent\" is forbidden: failed quota: team: must specify requests.cpu for: main"
    );
    cluster.create(PODS, asking("a", "600m")).await;
    assert_eq!(used(&cluster, "team").await, json!({"pods": "1", "requests.cpu": "600m"}));
    let (_, message) = cluster.refused(PODS, &asking("b", "500m")).await;
    assert_eq!(
        message,
        "pods \"b\" is forbidden: exceeded quota: team, requested: requests.cpu=500m, used: \
         requests.cpu=600m, limited: requests.cpu=1"
    );
    // A dry run is checked and costs nothing.
    let dry = format!("{PODS}?dryRun=All");
    assert_eq!(cluster.json("POST", &dry, &asking("b", "400m")).await.0, 201);
    assert_eq!(cluster.refused(&dry, &asking("b", "500m")).await.0, 403);
    assert_eq!(used(&cluster, "team").await["pods"], "1");
    // What is not stored in the end is given back.
    assert_eq!(cluster.refused(PODS, &asking("a", "100m")).await.0, 409);
    assert_eq!(used(&cluster, "team").await, json!({"pods": "1", "requests.cpu": "600m"}));
    cluster.create(PODS, asking("c", "400m")).await;
    // What was deleted is free at once, though nobody has counted again.
    cluster.delete(&format!("{PODS}/a"), &json!({"gracePeriodSeconds": 0})).await;
    cluster.create(PODS, asking("d", "600m")).await;
    assert_eq!(used(&cluster, "team").await, json!({"pods": "2", "requests.cpu": "1"}));
}

#[tokio::test]
async fn quotas_count_other_kinds_and_their_changes() {
    let cluster = Cluster::start().await;
    let hard = json!({
        "count/deployments.apps": "0", "configmaps": "0", "services.nodeports": "1",
        "requests.storage": "2Gi",
    });
    quota(&cluster, "many", hard).await;
    let (_, message) = cluster
        .refused(&format!("{DEFAULT}/configmaps"), &json!({"metadata": {"name": "m"}}))
        .await;
    assert_eq!(
        message,
        "configmaps \"m\" is forbidden: exceeded quota: many, requested: configmaps=1, used: \
         configmaps=0, limited: configmaps=0"
    );
    let service = |kind: &str, ports: &[i32]| {
        let named = ports.iter().map(|port| json!({"name": format!("p{port}"), "port": port}));
        let ports: Vec<Value> = named.collect();
        json!({"metadata": {"name": "s"}, "spec": {"type": kind, "ports": ports}})
    };
    let services = format!("{DEFAULT}/services");
    cluster.create(&services, service("ClusterIP", &[80, 81])).await;
    let patch = |kind: &str| json!({"spec": {"type": kind}}).to_string();
    let merge = "application/merge-patch+json";
    let path = format!("{services}/s");
    let answer = cluster.raw("PATCH", &path, merge, patch("NodePort")).await;
    assert_eq!(answer.code, 403);
    let message = answer.json()["message"].clone();
    assert!(
        message.as_str().unwrap().ends_with(
            "exceeded quota: many, requested: services.nodeports=2, used: services.nodeports=0, \
             limited: services.nodeports=1"
        ),
        "{message}"
    );
    let claim = json!({"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}},
    }});
    let (code, _) = cluster.refused(&format!("{DEFAULT}/persistentvolumeclaims"), &claim).await;
    assert_eq!(code, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_creates_never_overdraw_a_quota() {
    let cluster = Cluster::start().await;
    quota(&cluster, "pods", json!({"pods": "10"})).await;
    quota(&cluster, "cpu", json!({"requests.cpu": "800m"})).await;
    let bodies: Vec<Value> = (0..60).map(|n| asking(&format!("p{n}"), "100m")).collect();
    let creates = bodies.iter().map(|body| cluster.json("POST", PODS, body));
    // Deletions and recounts get in between.
    let meddle = async {
        for n in 0..20 {
            let path = format!("{DEFAULT}/resourcequotas/pods/status");
            let body = json!({"status": {"used": {"pods": "0"}}}).to_string();
            let _ = cluster.raw("PATCH", &path, "application/merge-patch+json", body).await;
            let now = json!({"gracePeriodSeconds": 0});
            cluster.delete(&format!("{PODS}/p{n}"), &now).await;
        }
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(creates), meddle);
    for (code, answer) in &answers {
        assert!(*code == 201 || *code == 403, "{answer}");
    }
    let (_, list) = cluster.get(PODS).await;
    let there = list["items"].as_array().unwrap().len();
    assert!(there <= 8, "{there} pods in a quota for 8");
    let more = bodies.iter().map(|body| cluster.json("POST", PODS, body));
    futures::future::join_all(more).await;
    let (_, list) = cluster.get(PODS).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 8, "all of it can be used");
    assert_eq!(used(&cluster, "cpu").await, json!({"requests.cpu": "800m"}));
    // What deletions left in the other one goes when somebody counts; less than there is it never
    // tells.
    let path = format!("{DEFAULT}/resourcequotas/pods/status");
    let body = json!({"status": {"used": {"pods": "0"}}}).to_string();
    cluster.raw("PATCH", &path, "application/merge-patch+json", body).await;
    assert_eq!(used(&cluster, "pods").await, json!({"pods": "8"}));
}

#[tokio::test]
async fn priorities_come_from_classes() {
    let cluster = Cluster::start().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let (_, system) = cluster.get(&format!("{classes}/system-node-critical")).await;
    assert_eq!(system["value"], 2_000_001_000);
    let class = |name: &str, default: bool| json!({"metadata": {"name": name}, "value": 7, "globalDefault": default});
    let plain = cluster.create(PODS, pod("plain")).await;
    assert_eq!(plain["spec"]["priority"], 0);
    cluster.create(classes, class("usual", true)).await;
    let (code, message) = cluster.refused(classes, &class("other", true)).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already \
         marked as default. Only one default can exist"
    );
    let classy = cluster.create(PODS, pod("classy")).await;
    assert_eq!(classy["spec"]["priority"], 7);
    assert_eq!(classy["spec"]["priorityClassName"], "usual");
    let mut lost = pod("lost");
    lost["spec"]["priorityClassName"] = "none".into();
    let (code, message) = cluster.refused(PODS, &lost).await;
    assert_eq!(code, 403);
    assert_eq!(message, "pods \"lost\" is forbidden: no PriorityClass with name none was found");
}

#[tokio::test]
async fn runtime_classes_are_there_and_give_overhead() {
    let cluster = Cluster::start().await;
    let mut odd = pod("odd");
    odd["spec"]["runtimeClassName"] = "gone".into();
    let (code, message) = cluster.refused(PODS, &odd).await;
    assert_eq!(code, 403);
    assert_eq!(message, "pods \"odd\" is forbidden: pod rejected: RuntimeClass \"gone\" not found");
    odd["spec"]["runtimeClassName"] = "wasm".into();
    cluster.create(PODS, odd).await;
    let class = json!({
        "metadata": {"name": "heavy"}, "handler": "heavy",
        "overhead": {"podFixed": {"memory": "32Mi"}},
        "scheduling": {"nodeSelector": {"heavy": "yes"}},
    });
    cluster.create("/apis/node.k8s.io/v1/runtimeclasses", class).await;
    let mut heavy = pod("heavy");
    heavy["spec"]["runtimeClassName"] = "heavy".into();
    let heavy = cluster.create(PODS, heavy).await;
    assert_eq!(heavy["spec"]["overhead"], json!({"memory": "32Mi"}));
    assert_eq!(heavy["spec"]["nodeSelector"], json!({"heavy": "yes"}));
}

#[tokio::test]
async fn pod_security_refuses_pods_and_warns_of_workloads() {
    let cluster = Cluster::start().await;
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    cluster.namespace("strict", labels).await;
    let (code, message) = cluster.refused("/api/v1/namespaces/strict/pods", &pod("plain")).await;
    assert_eq!(code, 403);
    let violations = "allowPrivilegeEscalation != false (container \"main\" must set \
                      securityContext.allowPrivilegeEscalation=false), unrestricted capabilities \
                      (container \"main\" must set securityContext.capabilities.drop=[\"ALL\"]), \
                      runAsNonRoot != true (pod or container \"main\" must set \
                      securityContext.runAsNonRoot=true), seccompProfile (pod or container \
                      \"main\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" \
                      or \"Localhost\")";
    let refused = format!(
        "pods \"plain\" is forbidden: violates PodSecurity \"restricted:latest\": {violations}"
    );
    assert_eq!(message, refused);
    let deployment = json!({"metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": pod("x")["spec"]},
    }});
    let path = "/apis/apps/v1/namespaces/strict/deployments";
    let answer = cluster.post(path, &deployment).await;
    assert_eq!(answer.code, 201);
    let warned = "299 - \"would violate PodSecurity \\\"restricted:latest\\\": ";
    assert!(warnings(&answer)[0].starts_with(warned), "{:?}", warnings(&answer));

    let labels = json!({"pod-security.kubernetes.io/warn": "baseline"});
    cluster.namespace("warned", labels).await;
    let mut host = pod("host");
    host["spec"]["hostNetwork"] = true.into();
    let answer = cluster.post("/api/v1/namespaces/warned/pods", &host).await;
    assert_eq!(answer.code, 201);
    assert_eq!(
        warnings(&answer),
        ["299 - \"would violate PodSecurity \\\"baseline:latest\\\": host namespaces \
         (hostNetwork=true)\"",]
    );
    let raised =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}});
    let path = "/api/v1/namespaces/warned";
    let merge = "application/merge-patch+json";
    let answer = cluster.raw("PATCH", path, merge, raised.to_string()).await;
    assert_eq!(answer.code, 200);
    assert_eq!(
        warnings(&answer),
        [
            "299 - \"existing pods in namespace \\\"warned\\\" violate the new PodSecurity enforce \
         level \\\"baseline:latest\\\"\"",
            "299 - \"host: host namespaces\"",
        ]
    );
    let odd = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "odd"}}});
    let answer = cluster.raw("PATCH", path, merge, odd.to_string()).await;
    assert_eq!(answer.code, 422);
    assert_eq!(
        answer.json()["message"],
        "Namespace \"warned\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: \
         Invalid value: \"odd\": must be one of privileged, baseline, restricted"
    );
}

#[tokio::test]
async fn nodes_volumes_and_claims_are_completed() {
    let cluster = Cluster::start().await;
    let node = cluster.create("/api/v1/nodes", json!({"metadata": {"name": "n"}})).await;
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    assert_eq!(node["spec"]["taints"], json!([taint]));
    let class = json!({
        "metadata": {"name": "usual", "annotations": {
            "storageclass.kubernetes.io/is-default-class": "true",
        }},
        "provisioner": "example.com/disk",
    });
    cluster.create("/apis/storage.k8s.io/v1/storageclasses", class).await;
    let claim = json!({"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    let claims = format!("{DEFAULT}/persistentvolumeclaims");
    let claim = cluster.create(&claims, claim).await;
    assert_eq!(claim["spec"]["storageClassName"], "usual");
    assert_eq!(claim["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let bound = json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}});
    let merge = "application/merge-patch+json";
    let path = format!("{claims}/c");
    cluster.raw("PATCH", &format!("{path}/status"), merge, bound.to_string()).await;
    let grown = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    let answer = cluster.raw("PATCH", &path, merge, grown.to_string()).await;
    assert_eq!(answer.code, 403);
    assert_eq!(
        answer.json()["message"],
        "persistentvolumeclaims \"c\" is forbidden: only dynamically provisioned pvc can be \
         resized and the storageclass that provisions the pvc must support resize"
    );
}

async fn budget(cluster: &Cluster, name: &str, allowed: i64) {
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let object = json!({"metadata": {"name": name}, "spec": {
        "minAvailable": 1, "selector": {"matchLabels": {"app": "web"}},
    }});
    cluster.create(budgets, object).await;
    let status = json!({"status": {
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 2,
        "desiredHealthy": 2, "expectedPods": 2,
    }});
    let merge = "application/merge-patch+json";
    let path = format!("{budgets}/{name}/status");
    let answer = cluster.raw("PATCH", &path, merge, status.to_string()).await;
    assert_eq!(answer.code, 200, "{}", answer.json());
}

async fn running(cluster: &Cluster, name: &str) {
    let mut web = pod(name);
    web["metadata"]["labels"] = json!({"app": "web"});
    cluster.create(PODS, web).await;
    let ready = json!({"status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let merge = "application/merge-patch+json";
    let path = format!("{PODS}/{name}/status");
    let answer = cluster.raw("PATCH", &path, merge, ready.to_string()).await;
    assert_eq!(answer.code, 200, "{}", answer.json());
}

fn eviction(version: &str, name: &str) -> Value {
    json!({
        "apiVersion": version, "kind": "Eviction", "metadata": {"name": name},
        "deleteOptions": {"gracePeriodSeconds": 0},
    })
}

#[tokio::test]
async fn evictions_ask_the_disruption_budget() {
    let cluster = Cluster::start().await;
    running(&cluster, "a").await;
    running(&cluster, "b").await;
    budget(&cluster, "web", 1).await;
    let path = |name: &str| format!("{PODS}/{name}/eviction");
    let dry = format!("{}?dryRun=All", path("a"));
    let (code, _) = cluster.json("POST", &dry, &eviction("policy/v1", "a")).await;
    assert_eq!(code, 201);
    assert_eq!(cluster.get(&format!("{PODS}/a")).await.0, 200, "a dry run evicts nobody");
    let (code, answer) = cluster.json("POST", &path("a"), &eviction("policy/v1beta1", "a")).await;
    assert_eq!((code, &answer["status"]), (201, &json!("Success")), "{answer}");
    assert_eq!(cluster.get(&format!("{PODS}/a")).await.0, 404);
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let (_, budget_now) = cluster.get(&format!("{budgets}/web")).await;
    assert_eq!(budget_now["status"]["disruptionsAllowed"], 0);
    assert!(budget_now["status"]["disruptedPods"]["a"].is_string());

    let (code, answer) = cluster.json("POST", &path("b"), &eviction("policy/v1", "b")).await;
    assert_eq!(code, 429);
    assert_eq!(answer["reason"], "TooManyRequests");
    assert_eq!(
        answer["message"],
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    assert_eq!(
        answer["details"]["causes"],
        json!([{
            "reason": "DisruptionBudget",
            "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
        }])
    );
    let mut other = eviction("policy/v1", "b");
    other["deleteOptions"]["preconditions"] = json!({"uid": "another"});
    assert_eq!(cluster.json("POST", &path("b"), &other).await.0, 409);
    budget(&cluster, "second", 1).await;
    let (code, answer) = cluster.json("POST", &path("b"), &eviction("policy/v1", "b")).await;
    assert_eq!(code, 500);
    assert!(answer["message"].as_str().unwrap().contains("more than one PodDisruptionBudget"));
    let (code, _) = cluster.json("POST", &path("b"), &eviction("policy/v1", "c")).await;
    assert_eq!(code, 400);
}
