//! Workloads on a running cluster, with the stock client.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use serde_json::Value;
use wk_tests::{Cluster, eventually};

/// The objects of a kind, as many as a selector finds.
fn list(cluster: &Cluster, kind: &str, selector: &str) -> Vec<Value> {
    let answer = cluster.kubectl(&["get", kind, "-l", selector, "-o", "json"]).json();
    answer["items"].as_array().unwrap().clone()
}

fn ready_pods(cluster: &Cluster, selector: &str) -> Vec<Value> {
    let mut pods = list(cluster, "pods", selector);
    pods.retain(|pod| {
        let conditions = pod["status"]["conditions"].as_array();
        pod["metadata"]["deletionTimestamp"].is_null()
            && conditions
                .into_iter()
                .flatten()
                .any(|one| one["type"] == "Ready" && one["status"] == "True")
    });
    pods
}

fn deployment(cluster: &Cluster) -> String {
    let image = cluster.push_example("hello-http");
    cluster.kubectl(&["create", "deployment", "web", "--image", &image, "--port=8080"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    image
}

#[test]
fn kubectl_rolls_a_deployment_forth_and_back() {
    let cluster = Cluster::start();
    let first = deployment(&cluster);
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=3"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    assert_eq!(ready_pods(&cluster, "app=web").len(), 3);

    let second = cluster.push(&wk_tests::example("testguest-http"), "second");
    let set = format!("*={second}");
    cluster.kubectl(&["set", "image", "deployment/web", &set]).ok();
    let told = cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    assert!(told.contains("deployment \"web\" successfully rolled out"), "{told}");
    let images = |cluster: &Cluster| -> Vec<String> {
        let pods = ready_pods(cluster, "app=web");
        let image =
            |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
        pods.iter().map(image).collect()
    };
    assert!(images(&cluster).iter().all(|image| *image == second), "{:?}", images(&cluster));

    let history = cluster.kubectl(&["rollout", "history", "deployment/web"]).ok();
    let revisions: Vec<&str> =
        history.lines().skip(2).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(revisions, ["1", "2"], "{history}");
    cluster.kubectl(&["rollout", "undo", "deployment/web"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    assert!(images(&cluster).iter().all(|image| *image == first), "{:?}", images(&cluster));
    let history = cluster.kubectl(&["rollout", "history", "deployment/web"]).ok();
    assert!(history.contains("\n3 ") && !history.contains("\n1 "), "{history}");

    let names = |cluster: &Cluster| -> Vec<String> {
        let pods = ready_pods(cluster, "app=web");
        pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let before = names(&cluster);
    cluster.kubectl(&["rollout", "pause", "deployment/web"]).ok();
    cluster.kubectl(&["set", "env", "deployment/web", "A=1"]).ok();
    eventually("the pause is noted", || {
        let object = cluster.object("deployment", "web")?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let is_noted = conditions.iter().any(|one| one["reason"] == "DeploymentPaused");
        let is_seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        (is_noted && is_seen).then_some(())
    });
    assert_eq!(names(&cluster), before, "nothing moves while it is paused");
    cluster.kubectl(&["rollout", "resume", "deployment/web"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    let after = names(&cluster);
    assert!(after.iter().all(|name| !before.contains(name)), "{before:?} {after:?}");
    cluster.kubectl(&["rollout", "restart", "deployment/web"]).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).ok();
    assert!(names(&cluster).iter().all(|name| !after.contains(name)));
    let told = cluster.events("web", "ScalingReplicaSet");
    assert!(told.contains("Scaled up replica set web-"), "{told}");
    let described = cluster.kubectl(&["describe", "deployment", "web"]).ok();
    assert!(described.contains("NewReplicaSetAvailable"), "{described}");
}

#[test]
fn a_deployment_is_exposed_and_its_pods_are_replaced() {
    let cluster = Cluster::start();
    deployment(&cluster);
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=2"]).ok();
    cluster.kubectl(&["expose", "deployment", "web", "--port=80", "--target-port=8080"]).ok();
    let addresses = |ready: usize| {
        eventually("the service's endpoints are ready", || {
            let slices = list(&cluster, "endpointslices", "kubernetes.io/service-name=web");
            let mut addresses: Vec<String> = slices
                .iter()
                .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default())
                .filter(|one| one["conditions"]["ready"] == true)
                .map(|one| one["addresses"][0].as_str().unwrap().to_owned())
                .collect();
            addresses.sort();
            (addresses.len() == ready).then_some(addresses)
        })
    };
    for address in addresses(2) {
        let address = std::net::SocketAddr::new(address.parse().unwrap(), 8080);
        assert_eq!(wk_tests::http_get(address, "/").unwrap().status, 200);
    }
    let shown = cluster.kubectl(&["get", "endpoints", "web"]).ok();
    assert_eq!(shown.matches(":8080").count(), 2, "{shown}");
    let lost = ready_pods(&cluster, "app=web")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.kubectl(&["delete", "pod", &lost]).ok();
    addresses(2);
    assert!(ready_pods(&cluster, "app=web").iter().all(|pod| pod["metadata"]["name"] != lost));
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=0"]).ok();
    addresses(0);
}

#[test]
fn deleting_a_deployment_takes_or_leaves_what_it_owns() {
    let cluster = Cluster::start();
    deployment(&cluster);
    cluster.kubectl(&["delete", "deployment", "web", "--cascade=foreground"]).ok();
    assert_eq!(list(&cluster, "replicasets", "app=web"), Vec::<Value>::new());
    eventually("its pods are gone", || list(&cluster, "pods", "app=web").is_empty().then_some(()));

    deployment(&cluster);
    cluster.kubectl(&["delete", "deployment", "web", "--cascade=orphan"]).ok();
    let sets = list(&cluster, "replicasets", "app=web");
    assert_eq!(sets.len(), 1);
    assert!(sets[0]["metadata"]["ownerReferences"].is_null(), "{}", sets[0]);
    let set = sets[0]["metadata"]["name"].as_str().unwrap();
    cluster.kubectl(&["delete", "replicaset", set]).ok();
    eventually("its pods are gone", || list(&cluster, "pods", "app=web").is_empty().then_some(()));
}

#[test]
fn a_job_runs_to_its_end() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-cli");
    cluster.kubectl(&["create", "job", "once", "--image", &image]).ok();
    cluster.kubectl(&["wait", "--for=condition=Complete", "job/once", "--timeout=60s"]).ok();
    let job = cluster.object("job", "once").unwrap();
    assert_eq!(job["status"]["succeeded"], 1, "{job}");
    let log = cluster.kubectl(&["logs", "job/once"]).ok();
    assert!(log.contains("from WebAssembly"), "{log}");
    let told = cluster.events("once", "Completed");
    assert!(told.contains("Job completed"), "{told}");
    cluster.kubectl(&["delete", "job", "once"]).ok();
    eventually("its pods are gone", || {
        list(&cluster, "pods", "job-name=once").is_empty().then_some(())
    });
}

#[test]
fn every_index_of_a_job_knows_its_number() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: parts}}
spec:
  completions: 4
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - {{name: c, image: '{image}', args: [env, JOB_COMPLETION_INDEX]}}
"
    ));
    cluster.kubectl(&["wait", "--for=condition=Complete", "job/parts", "--timeout=60s"]).ok();
    let job = cluster.object("job", "parts").unwrap();
    assert_eq!(job["status"]["completedIndexes"], "0-3", "{job}");
    for pod in list(&cluster, "pods", "job-name=parts") {
        let index = pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"].clone();
        let log = cluster.kubectl(&["logs", pod["metadata"]["name"].as_str().unwrap()]).ok();
        assert!(log.contains(index.as_str().unwrap()), "{log}");
        assert!(pod["metadata"]["finalizers"].is_null(), "{pod}");
    }
}

#[test]
fn a_job_that_fails_says_why() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: bad}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - {{name: c, image: '{image}', args: [exit, '3']}}
"
    ));
    cluster.kubectl(&["wait", "--for=condition=Failed", "job/bad", "--timeout=60s"]).ok();
    let job = cluster.object("job", "bad").unwrap();
    assert_eq!(job["status"]["failed"], 1, "{job}");
    let told = cluster.events("bad", "BackoffLimitExceeded");
    assert!(told.contains("Job has reached the specified backoff limit"), "{told}");
}

#[test]
fn a_cron_job_starts_jobs() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-cli");
    let schedule = "--schedule=@every 1s";
    cluster.kubectl(&["create", "cronjob", "often", "--image", &image, schedule]).ok();
    eventually("jobs of it have succeeded", || {
        let status = cluster.object("cronjob", "often")?["status"].clone();
        status["lastSuccessfulTime"].as_str().map(drop)
    });
    cluster.kubectl(&["create", "job", "now", "--from=cronjob/often"]).ok();
    cluster.kubectl(&["wait", "--for=condition=Complete", "job/now", "--timeout=60s"]).ok();
    cluster.kubectl(&["delete", "cronjob", "often"]).ok();
    eventually("its jobs are gone", || {
        let jobs = cluster.kubectl(&["get", "jobs", "-o", "name"]);
        (jobs.code == 0 && !jobs.stdout.contains("often")).then_some(())
    });
}
