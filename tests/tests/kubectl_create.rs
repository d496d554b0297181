//! Stock kubectl creates: every generator, `run`, `expose`, `autoscale`.

use std::process::Command;

use wk_tests::{Cluster, Kubectl};

#[test]
fn every_generator_of_kubectl_creates_its_kind() {
    let cluster = Cluster::start();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-subj", "/CN=tests", "-keyout", "key.pem", "-out", "cert.pem"]);
    let made = openssl.current_dir(cluster.scratch()).output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    Kubectl::each(&cluster, |kubectl| {
        kubectl.prints(&[
            ("create clusterrole {ns} --verb=get,list --resource=pods,deployments.apps", "clusterrole.rbac.authorization.k8s.io/{ns} created"),
            ("get clusterrole {ns} -o jsonpath='{.rules[*].apiGroups}'", "[\"\"] [\"apps\"]"),
            ("create clusterrole {ns}-path --verb=get --non-resource-url=/healthz", "clusterrole.rbac.authorization.k8s.io/{ns}-path created"),
            ("create clusterrolebinding {ns} --clusterrole={ns} --user=jane --group=team --serviceaccount={ns}:default", "clusterrolebinding.rbac.authorization.k8s.io/{ns} created"),
            ("get clusterrolebinding {ns} -o wide", "NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS\n{ns} ClusterRole/{ns} * jane team {ns}/default"),
            ("create configmap c --from-literal=a=b --from-file=cert.pem", "configmap/c created"),
            ("create cronjob j --image=i --schedule='*/5 * * * *' -- date", "cronjob.batch/j created"),
            ("create deployment d --image=i --replicas=0 --port=80", "deployment.apps/d created"),
            ("create ingress i --rule='a.example/b*=web:http,tls=s' --class=c", "ingress.networking.k8s.io/i created"),
            ("get ingress i", "NAME CLASS HOSTS ADDRESS PORTS AGE\ni c a.example 80, 443 *"),
            ("create job j1 --image=i -- date", "job.batch/j1 created"),
            ("create job j2 --from=cronjob/j", "job.batch/j2 created"),
            ("get job j2 -o jsonpath='{.metadata.ownerReferences[0].kind}'", "CronJob"),
            ("create namespace {ns}-other", "namespace/{ns}-other created"),
            ("create poddisruptionbudget b --selector=a=b --min-available=50%", "poddisruptionbudget.policy/b created"),
            ("create priorityclass {ns} --value=7 --description=seven", "priorityclass.scheduling.k8s.io/{ns} created"),
            ("create quota q --hard=cpu=1,pods=2 -n {ns}-other", "resourcequota/q created"),
            ("create role r --verb=get --resource=pods,pods/log --resource-name=a", "role.rbac.authorization.k8s.io/r created"),
            ("create rolebinding r --role=r --user=jane", "rolebinding.rbac.authorization.k8s.io/r created"),
            ("create secret generic s1 --from-literal=a=b", "secret/s1 created"),
            ("create secret docker-registry s2 --docker-server=h --docker-username=u --docker-password=p", "secret/s2 created"),
            ("create secret tls s3 --cert=cert.pem --key=key.pem", "secret/s3 created"),
            ("get secrets", "NAME TYPE DATA AGE\ns1 Opaque 1 *\ns2 kubernetes.io/dockerconfigjson 1 *\ns3 kubernetes.io/tls 2 *"),
            ("create service clusterip s1 --tcp=80:8080", "service/s1 created"),
            ("create service clusterip s2 --clusterip=None", "service/s2 created"),
            ("create service externalname s3 --external-name=a.example", "service/s3 created"),
            ("create service loadbalancer s4 --tcp=80", "service/s4 created"),
            ("create service nodeport s5 --tcp=80", "service/s5 created"),
            ("create serviceaccount a", "serviceaccount/a created"),
            ("create deployment d2 --image=i --dry-run=server -o name", "deployment.apps/d2"),
            ("create deployment d2 --image=i --dry-run=client -o jsonpath='{.spec.replicas}'", "1"),
        ]);
        let services = kubectl.run("get services").ok();
        for words in
            ["ExternalName <none> a.example <none>", "LoadBalancer", "<pending>", "NodePort"]
        {
            let joined = services.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(joined.contains(words), "{words} in {services}");
        }
        let token = kubectl.run("create token a --duration=1h --audience=tests").ok();
        assert_eq!(token.trim().split('.').count(), 3, "a signed token: {token}");
        kubectl.refuses(&[
            ("create configmap c", "error: failed to create configmap: configmaps \"c\" already exists"),
            ("create namespace {ns}", "Error from server (AlreadyExists): namespaces \"{ns}\" already exists"),
            ("create token nobody", "error: failed to create token: serviceaccounts \"nobody\" not found"),
            ("create cronjob bad --image=i --schedule=never", "error: failed to create cronjob: CronJob.batch \"bad\" is invalid: spec.schedule: Invalid value: \"never\": ..."),
        ]);
    });
}

#[test]
fn kubectl_runs_exposes_and_autoscales() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        // No scheduler takes these, so that nothing changes under the test.
        let nobody = "--overrides='{\"spec\":{\"schedulerName\":\"nobody\"}}'";
        kubectl
            .run(&format!("run web --image=i:1 --port=80 --env=A=b --labels=app=web {nobody}"))
            .ok();
        kubectl.run("create deployment d --image=i --replicas=0").ok();
        kubectl.prints(&[
            ("get pod web -o jsonpath='{.spec.containers[0].env[0].name} {.metadata.labels.app}'", "A web"),
            ("run dry --image=i:1 --dry-run=server -o jsonpath='{.spec.containers[0].imagePullPolicy}'", "IfNotPresent"),
            ("run dry --image=i --restart=Never --dry-run=server -o jsonpath='{.spec.restartPolicy} {.status.phase}'", "Never Pending"),
            ("expose pod web --target-port=8080", "service/web exposed"),
            ("expose deployment d --port=81 --name=d81 --type=NodePort", "service/d81 exposed"),
            ("expose service web --port=82 --name=web82", "service/web82 exposed"),
            ("get svc web -o jsonpath='{.spec.ports[0].port} {.spec.ports[0].targetPort} {.spec.selector}'", "80 8080 {\"app\":\"web\"}"),
            ("autoscale deployment d --min=1 --max=3", "horizontalpodautoscaler.autoscaling/d autoscaled"),
            ("get hpa.v1.autoscaling d -o jsonpath='{.spec.maxReplicas} {.spec.scaleTargetRef.kind}'", "3 Deployment"),
            ("get hpa.v2.autoscaling d -o jsonpath='{.spec.metrics[0].resource.target.averageUtilization}'", "80"),
        ]);
        kubectl.refuses(&[
            ("run web --image=i", "Error from server (AlreadyExists): pods \"web\" already exists"),
            (
                "autoscale deployment absent --max=3",
                "Error from server (NotFound): deployments.apps \"absent\" not found",
            ),
        ]);
    });
}
