//! `wkctl` prints what stock kubectl prints, word for word.

use wk_tests::{Cluster, SideBySide};

const OBJECTS: &str = include_str!("wkctl_as_kubectl/objects.yaml");

fn cluster() -> Cluster {
    let cluster = Cluster::start();
    std::fs::write(cluster.scratch().join("objects.yaml"), OBJECTS).expect("it can be written");
    cluster.kubectl(&["apply", "-f", "objects.yaml"]).ok();
    cluster
}

#[test]
fn objects_are_described_alike() {
    let cluster = cluster();
    SideBySide::of(&cluster).agree(&[
        "describe deploy/rich --show-events=false",
        "describe sts/st --show-events=false",
        "describe job/job --show-events=false",
        "describe cronjob/cron --show-events=false",
        "describe svc/web --show-events=false",
        "describe svc kubernetes",
        "describe pod/bare --show-events=false",
        "describe ns/default",
        "describe pvc/claim --show-events=false",
        "describe pv/volume --show-events=false",
        "describe sc/class",
        "describe limits/limits",
        "describe quota/quota",
        "describe netpol/policy",
        "describe netpol/range",
        "describe pod/vols --show-events=false",
        "describe ing/front --show-events=false",
        "describe ingressclass/front",
        "describe secret/secret",
        "describe cm/map",
        "describe sa/robot",
        "describe clusterrole/reader",
        "describe clusterrolebinding/reader",
        "describe pc/high",
        "describe pdb/budget",
        "describe hpa/load --show-events=false",
        "describe endpointslice/slice",
        "describe lease node-1 -n kube-node-lease",
        "describe po ba --show-events=false",
        "describe po ba",
        "describe controllerrevisions",
        "describe runtimeclass",
        "describe pod absent",
        "describe",
        "describe cronjob",
    ]);
}

#[test]
fn documents_are_printed_alike() {
    let cluster = cluster();
    SideBySide::of(&cluster).agree(&[
        "get deploy rich -o yaml",
        "get deploy rich -o json",
        "get cm -o yaml",
        "get svc -o yaml",
        "get netpol,ing -o yaml",
        "get deploy rich -o jsonpath='{..containers[*].name}'",
        "get deploy rich -o jsonpath-as-json='{..containers[*].name}'",
        "get deploy rich --subresource=scale",
        "get deploy,sts,svc",
        "get pv,pvc,sc",
        "get cm --show-labels --sort-by=.metadata.name",
        "get hpa,pdb",
        "get deploy,svc,cm --no-headers",
        "get deploy rich --output-watch-events",
        "events --types=Warning,Foo",
        "create -f objects.yaml --dry-run=client -o yaml",
        "create -f objects.yaml --dry-run=client -o name",
        "create -f objects.yaml -n default --dry-run=client -o json",
        "get",
        "rollout history deploy/rich",
        "rollout history deploy/rich --revision=1",
        "rollout history deploy/rich --revision=7",
        "rollout history",
        "explain pod.spec.containers.ports",
        "explain deploy",
        "explain cm --recursive",
        "explain pod --recursive",
        "explain pod.spec.nope",
        "explain pod.metadata.creationTimestamp",
        "explain svc.spec.ports.targetPort",
        "explain hpa --api-version=autoscaling/v1",
        "explain pod.spec --recursive --max-depth=1",
        "explain svc.spec.type",
        "explain",
        "api-versions",
        "api-resources",
        "api-resources --sort-by=kind",
        "api-resources --categories=all -o wide",
        "config view",
        "config view --minify -o jsonpath={.current-context}",
        "config get-contexts",
        "config get-contexts -o name",
        "config get-contexts absent",
        "config current-context",
        "config use-context absent",
        "config get-clusters",
        "config get-users",
        "auth whoami",
        "auth can-i get pods",
        "auth can-i get /healthz",
        "auth can-i --list",
        "auth can-i",
        "auth can-i get pods -q",
        "auth can-i drain nodes",
        "top pod absent",
    ]);
}

#[test]
fn generators_make_the_same_objects() {
    let cluster = cluster();
    let generators = [
        "deployment d --image=a/b:c@sha256:1 --image=x --port=80 -r 2",
        "job j --image=x",
        "cronjob c --image=x --schedule='* * * * *' --restart=Never",
        "service clusterip s --tcp=80:8080 --tcp=443",
        "service clusterip s --clusterip=None",
        "service nodeport s --tcp=80 --node-port=30000",
        "service loadbalancer s --tcp=80",
        "service externalname s --external-name=a.b",
        "configmap c --from-literal=a=b",
        "secret generic s --from-literal=a=b",
        "namespace n",
        "serviceaccount s",
        "role r --verb=get,list --resource=pods,deploy.apps,pods/log --resource-name=a",
        "clusterrole r --verb=get --non-resource-url=/a",
        "clusterrole r --aggregation-rule=a=b",
        "rolebinding r --role=x --user=u --group=g --serviceaccount=n:s",
        "clusterrolebinding r --clusterrole=x --serviceaccount=n:s",
        "quota q --hard=cpu=1,pods=2 --scopes=BestEffort",
        "poddisruptionbudget p --selector=a=b --min-available=50%",
        "priorityclass p --value=5 --global-default --description=x --preemption-policy=Never",
        "ingress i --rule='a.b/c*=s:80,tls=t' --rule=a.b/d=s:http --class=x --default-backend=s:80",
    ];
    let lines = generators.map(|generator| format!("create {generator} --dry-run=client -o yaml"));
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.extend([
        "run x --image=a --port=80 --env=A=b --dry-run=client -o yaml",
        "expose deploy/rich --port=80,443 --name=two --dry-run=client -o yaml",
        "expose deploy/rich --port=80 --type=NodePort --name=n --session-affinity=ClientIP \
         --external-ip=192.0.2.1 --labels=a=b --selector=x=y --protocol=UDP --dry-run=client -o yaml",
        "autoscale deploy/rich --max=5 --min=2 --cpu=500 --memory=60% --name=x --dry-run=client -o yaml",
        "create deployment d",
        "create deployment d --image=a --image=b -- sh",
        "create job j",
        "create service clusterip s",
        "create service clusterip web --tcp=80",
        "create service clusterip s --tcp=http:8080",
        "create service externalname s",
        "create role r --verb=get",
        "create pdb p --selector=a=b",
        "create pdb p",
        "create pdb budget --selector=a=b --min-available=1",
        "create ingress i",
        "create ingress i --rule=x",
        "create token absent",
        "create ns default",
        "create sa default",
        "create cm map",
        "create cm",
        "create secret generic secret",
        "create job j --from=cronjob/absent",
    ]);
    SideBySide::of(&cluster).agree(&lines);
}

#[test]
fn changes_are_reported_alike() {
    let cluster = cluster();
    let both = SideBySide::of(&cluster);
    both.agree(&[
        "scale deploy/rich --replicas=0",
        "scale deploy/rich",
        "scale deploy/rich --replicas=-1",
        "scale deploy/rich --replicas=2 --current-replicas=9",
        "scale deploy rich absent --replicas=0",
        "scale deploy/rich --replicas=0 --timeout=20s",
        "scale deploy/rich --replicas=3 --dry-run=server",
        "scale deploy/rich --replicas=3 --dry-run=client",
        "scale deploy/rich --replicas=0 -o name",
        "scale cm/map --replicas=3",
        "scale --replicas=3",
        "scale deploy --replicas=3",
        "scale deploy -l a=b --replicas=3",
        "autoscale deploy/rich",
        "autoscale deploy/rich --max=1 --min=4",
        "autoscale deploy/rich --max=0",
        "autoscale deploy/rich --max=5 --cpu=5x --dry-run=client --name=x",
        "autoscale cm/map --max=5",
        "autoscale deploy/absent --max=5",
        "expose deploy/rich --name=web --port=80",
        "expose svc/headless",
        "expose deploy/rich --port=80 --session-affinity=Foo --name=n",
        "expose cm/map --port=1",
        "expose",
        "set image deploy/rich main=z:1 --dry-run=server",
        "set image deploy/rich absent=x:1",
        "set image deploy/rich '*=x:1' --dry-run=server",
        "set image deploy/rich",
        "set image svc/web a=x:1",
        "set env deploy/rich --list",
        "set env deploy/rich A=c --overwrite=false",
        "set env deploy/rich -c absent Z=1",
        "set env deploy/rich 1A=1",
        "set env deploy/rich C- C=1",
        "set resources deploy/rich",
        "set resources deploy/rich --limits=cpu",
        "set resources deploy/rich -c=absent --limits=cpu=1",
        "set resources deploy/rich --limits=cpu=5 --dry-run=server",
        "set selector deploy rich a=b",
        "set selector svc web app=rich",
        "set serviceaccount deploy rich robot --dry-run=server",
        "set subject clusterrolebinding reader --user=jane",
        "set subject clusterrolebinding reader",
        "set subject deploy rich --user=a",
        "label svc web tier=a --overwrite --dry-run=server",
        "label svc web app=b",
        "label svc web absent-",
        "label svc web",
        "label svc web a=b a-",
        "label svc web a=b --resource-version=1",
        "label svc web 'a=b c'",
        "label svc --all z=z --dry-run=server",
        "label svc absent a=b",
        "label",
        "annotate svc web n=two",
        "annotate svc web n=x",
        "annotate svc web n-",
        "annotate svc web --list",
        "annotate svc web a=b a-",
    ]);
}

#[test]
fn nodes_and_lives_of_objects_are_treated_alike() {
    let cluster = cluster();
    let both = SideBySide::of(&cluster);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}\n";
    std::fs::write(cluster.scratch().join("c.yaml"), map).expect("it can be written");
    let map = map.replace("'1'", "'2'");
    std::fs::write(cluster.scratch().join("c2.yaml"), map).expect("it can be written");
    both.agree(&[
        "cordon absent",
        "cordon",
        "cordon -l a=b",
        "cordon node-1 --dry-run=client",
        "cordon node-1 --dry-run=server",
        "cordon node-1 -l a=b",
        "uncordon node-1",
        "drain node-1 --dry-run=client",
        "drain absent",
        "drain",
        "drain -l absent=absent",
        "taint node node-1 a=c:Foo",
        "taint node node-1 a",
        "taint node node-1 a=c:NoExecute-",
        "taint node node-1 a-",
        "taint pod x a=b:NoSchedule",
        "taint node absent a=b:NoSchedule",
        "taint node node-1 x=y:NoSchedule x=z:NoSchedule",
        "taint node node-1 x=y:NoSchedule x-",
        "taint node node-1 p=q:NoSchedule --dry-run=server",
        "certificate approve absent",
        "certificate approve",
        "apply -f c.yaml --dry-run=client",
        "apply -f c.yaml --dry-run=server",
        "replace -f c.yaml",
    ]);
    both.ours("apply -f c.yaml");
    both.agree(&[
        "apply -f c.yaml",
        "diff -f c.yaml",
        "diff -f c2.yaml",
        "diff",
        "apply -f c.yaml --server-side --field-manager=x",
        "apply -f c2.yaml --server-side --field-manager=y",
        "apply -f c.yaml --force-conflicts",
        "apply -f c.yaml --prune",
        "apply",
        "apply -f c.yaml --prune -l a=b",
        "apply -f c.yaml --dry-run=client --server-side",
        "replace -f c.yaml",
        "replace --force -f c.yaml",
        "replace -f c.yaml --dry-run=server",
        "replace -f absent.yaml",
        "replace",
        "delete cm absent",
        "delete svc --all --dry-run=server",
        "delete cm",
        "delete",
        "delete ns absent",
        "delete -f c.yaml --ignore-not-found --dry-run=server",
        "delete cm -l absent=absent",
        "delete cm x --cascade=foo",
        "delete cm x --now --grace-period=4",
        "wait --for=condition=Ready pod/absent",
        "wait --for=delete pod/absent",
        "wait pod",
        "wait --for=foo pod/x",
        "wait --for=jsonpath='{.spec.replicas}'=0 deploy/rich",
        "wait --for=condition=Absent deploy/rich --timeout=1s",
        "wait --for=create cm/c --for=jsonpath={.data.a}=1 cm/c",
        "rollout status",
        "rollout status cm/c",
        "rollout pause ds",
        "rollout pause pod/bare",
        "rollout restart pod/bare",
        "rollout resume deploy/rich",
        "rollout undo deploy/rich",
    ]);
}

#[test]
fn kustomizations_are_built_alike() {
    let cluster = cluster();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wkctl_as_kubectl/kustomize");
    let sides = SideBySide::of(&cluster);
    let built = ["base", "overlay", "twice", "kinds", "lists", "merges", "small"];
    let built = built.map(|name| format!("kustomize {folder}/{name}"));
    sides.agree(&built.each_ref().map(String::as_str));
    cluster.kubectl(&["apply", "-k", &format!("{folder}/small")]).ok();
    let used = [
        format!("apply -k {folder}/small"),
        format!("get -k {folder}/small -o name"),
        format!("diff -k {folder}/small"),
        format!("create -k {folder}/small --dry-run=client -o name"),
        format!("create -k {folder}/small"),
        format!("apply -k {folder}/small -f objects.yaml"),
        format!("delete -k {folder}/small --dry-run=client"),
        format!("kustomize {folder}"),
    ];
    sides.agree(&used.each_ref().map(String::as_str));
    sides.ours(&format!("delete -k {folder}/small"));
    sides.agree(&["get deploy,cm -l part=small"]);
}
