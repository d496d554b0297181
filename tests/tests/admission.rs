//! What the cluster demands of objects, as users of the stock client see it.

use wk_tests::{Cluster, eventually};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec:\n  containers:\n    \
                   - {name: main, image: '127.0.0.1:1/none:1', resources: RESOURCES}\n";

fn pod(name: &str, resources: &str) -> String {
    POD.replace("NAME", name).replace("RESOURCES", resources)
}

fn apply(cluster: &Cluster, manifest: &str) {
    cluster.kubectl_with(&["apply", "-f", "-"], manifest).ok();
}

#[test]
fn limit_ranges_give_containers_their_defaults() {
    let cluster = Cluster::start();
    apply(
        &cluster,
        "apiVersion: v1\nkind: LimitRange\nmetadata: {name: usual}\nspec:\n  limits:\n    - type: \
         Container\n      max: {memory: 128Mi}\n      defaultRequest: {memory: 16Mi}\n",
    );
    apply(&cluster, &pod("plain", "{}"));
    let resources = &cluster.object("pod", "plain").unwrap()["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"]["memory"], "16Mi");
    assert_eq!(resources["limits"]["memory"], "128Mi", "a limit where there is an upper bound");
    let greedy = pod("greedy", "{limits: {memory: 256Mi}}");
    let refused = cluster.kubectl_with(&["apply", "-f", "-"], &greedy).refused();
    let words = "pods \"greedy\" is forbidden: maximum memory usage per Container is 128Mi, but \
                 limit is 256Mi";
    assert!(refused.contains(words), "{refused}");
    let described = cluster.kubectl(&["describe", "limitrange", "usual"]).ok();
    assert!(described.contains("128Mi"), "{described}");
}

#[test]
fn quotas_refuse_what_is_too_much_and_get_back_what_is_deleted() {
    let cluster = Cluster::start();
    cluster.kubectl(&["create", "quota", "team", "--hard=pods=1,configmaps=2"]).ok();
    let used = |resource: &str| {
        let path = format!("jsonpath={{.status.used.{resource}}}");
        cluster.kubectl(&["get", "quota", "team", "-o", &path]).ok()
    };
    // The cluster's own CA is a ConfigMap of every namespace.
    eventually("the quota is counted", || (used("configmaps") == "1").then_some(()));
    apply(&cluster, &pod("first", "{}"));
    assert_eq!(used("pods"), "1");
    let second = pod("second", "{}");
    let refused = cluster.kubectl_with(&["apply", "-f", "-"], &second).refused();
    let words = "pods \"second\" is forbidden: exceeded quota: team, requested: pods=1, used: \
                 pods=1, limited: pods=1";
    assert!(refused.contains(words), "{refused}");
    cluster.kubectl(&["delete", "pod", "first", "--timeout=60s"]).ok();
    eventually("the deleted pod is given back", || (used("pods") == "0").then_some(()));
    apply(&cluster, &second);
    let shown = cluster.kubectl(&["get", "quota"]).ok();
    assert!(shown.contains("configmaps: 1/2, pods: 1/1"), "{shown}");
    cluster.kubectl(&["describe", "quota", "team"]).ok();
}

#[test]
fn pod_security_refuses_and_warns() {
    let cluster = Cluster::start();
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["create", "namespace", "strict"]).ok();
    cluster.kubectl(&["label", "namespace", "strict", label]).ok();
    let bare = pod("bare", "{}");
    let refused = cluster.kubectl_with(&["apply", "-n", "strict", "-f", "-"], &bare).refused();
    let words = "pods \"bare\" is forbidden: violates PodSecurity \"restricted:latest\": \
                 allowPrivilegeEscalation != false (container \"main\" must set \
                 securityContext.allowPrivilegeEscalation=false)";
    assert!(refused.contains(words), "{refused}");
    let created = cluster.kubectl(&["create", "deployment", "web", "-n", "strict", "--image=x"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    let words = "Warning: would violate PodSecurity \"restricted:latest\"";
    assert!(created.stderr.contains(words), "{}", created.stderr);
}

#[test]
fn a_budget_holds_back_a_drain() {
    let cluster = Cluster::start();
    let image = cluster.push_example("ticker");
    cluster.kubectl(&["run", "kept", "--image", &image, "--labels=app=kept"]).ok();
    cluster.ready_pod("kept");
    let budget = ["create", "pdb", "kept", "--selector=app=kept", "--min-available=1"];
    cluster.kubectl(&budget).ok();
    let eviction = r#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"kept"}}"#;
    let path = "/api/v1/namespaces/default/pods/kept/eviction";
    let evict = || cluster.kubectl_with(&["create", "--raw", path, "-f", "-"], eviction);
    // Until somebody has looked at the budget, and from then on too, the pod stays.
    let refused = evict().refused();
    assert!(refused.contains("Cannot evict pod as it would violate"), "{refused}");
    cluster.kubectl(&["delete", "pdb", "kept"]).ok();
    evict().ok();
    eventually("the pod is gone", || cluster.object("pod", "kept").is_none().then_some(()));
}

#[test]
fn a_claim_in_use_goes_when_nothing_uses_it() {
    let cluster = Cluster::start();
    apply(
        &cluster,
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: \
         [ReadWriteOnce]\n  resources: {requests: {storage: 1Mi}}\n",
    );
    let claim = cluster.object("pvc", "data").unwrap();
    assert_eq!(claim["metadata"]["finalizers"][0], "kubernetes.io/pvc-protection");
    cluster.kubectl(&["delete", "pvc", "data", "--timeout=60s"]).ok();
    assert!(cluster.object("pvc", "data").is_none());
}

#[test]
fn what_the_audited_level_forbids_is_told_in_the_log() {
    let mut cluster = Cluster::start();
    let label = "pod-security.kubernetes.io/audit=restricted";
    cluster.kubectl(&["label", "namespace", "default", label]).ok();
    apply(&cluster, &pod("plain", "{}"));
    eventually("the violation is told", || {
        let log = cluster.daemon().output();
        let line = log.lines().find(|line| line.contains("audit-violations"))?;
        for part in [
            "audit: request",
            "user=\"admin\"",
            "verb=\"create\"",
            "path=\"/api/v1/namespaces/default/pods\"",
            "code=201",
            "pod-security.kubernetes.io/enforce-policy",
            "privileged:latest",
            "would violate PodSecurity \\\"restricted:latest\\\": allowPrivilegeEscalation",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        Some(())
    });
}
