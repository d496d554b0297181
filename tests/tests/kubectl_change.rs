//! Stock kubectl changes and deletes what is there.

use std::collections::BTreeSet;

use wk_tests::{Cluster, Kubectl, eventually};

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {schedulerName: nobody, containers: [{name: web, image: 'web:1', env: [{name: A, value: a}]}]}
";

#[test]
fn kubectl_patches_in_every_way() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("create -f -", DEPLOYMENT, &[]).ok();
        kubectl.prints(&[
            ("patch deploy web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"env\":[{\"name\":\"B\",\"value\":\"b\"}]}]}}}}'", "deployment.apps/web patched"),
            ("get deploy web -o jsonpath='{..env[*].name} {..image}'", "B A web:1"),
            ("patch deploy web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"env\":[{\"$patch\":\"delete\",\"name\":\"B\"}]}]}}}}'", "deployment.apps/web patched"),
            ("get deploy web -o jsonpath='{..env[*].name}'", "A"),
            ("patch deploy web -p '{\"spec\":{\"replicas\":0}}'", "deployment.apps/web patched (no change)"),
            ("patch deploy web --type=merge -p '{\"metadata\":{\"labels\":{\"a\":\"b\"}}}'", "deployment.apps/web patched"),
            ("patch deploy web --type=json -p '[{\"op\":\"test\",\"path\":\"/metadata/labels/a\",\"value\":\"b\"},{\"op\":\"remove\",\"path\":\"/metadata/labels/a\"}]'", "deployment.apps/web patched"),
            ("get deploy web --show-labels --no-headers", "web 0/0 0 0 * <none>"),
            ("patch deploy web --type=merge -p '{\"spec\":{\"paused\":true}}' --dry-run=server -o jsonpath='{.spec.paused}'", "true"),
            ("get deploy web -o jsonpath='{.spec.paused}'", ""),
            ("patch deploy web --subresource=status --type=merge -p '{\"status\":{\"collisionCount\":1},\"spec\":{\"paused\":true}}'", "deployment.apps/web patched"),
            ("get deploy web -o jsonpath='{.status.collisionCount}{.spec.paused}'", "1"),
            ("patch deploy web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":2}}'", "scale.autoscaling/web patched"),
            ("get deploy web -o jsonpath='{.spec.replicas}'", "2"),
            ("patch deploy web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":2}}'", "scale.autoscaling/web patched (no change)"),
        ]);
        kubectl.refuses(&[
            ("patch deploy web --type=json -p '[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":5}]'", "The request is invalid: the server rejected our request due to an error in our request"),
            ("patch deploy web --type=merge -p '{\"spec\":{\"replicas\":-1}}'", "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
            ("patch deploy web --type=merge -p '{\"spec\":{\"replicas\":\"x\"}}'", "The request is invalid: patch: Invalid value: ..."),
            ("patch deploy web -p '{\"spec\":{\"replicas\":\"x\"}}'", "The request is invalid: patch: Invalid value: \"map[spec:map[replicas:x]]\": unrecognized type: int32"),
            ("patch deploy absent -p '{}'", "Error from server (NotFound): deployments.apps \"absent\" not found"),
        ]);
    });
}

#[test]
fn kubectl_edits_with_the_users_editor() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("create -f -", DEPLOYMENT, &[]).ok();
        let edit = |line: &str, script: &str| {
            let editor = kubectl.editor(script);
            kubectl.run_with(line, "", &[("KUBE_EDITOR", &editor)])
        };
        assert_eq!(
            edit("edit deploy web", "sed -i 's/web:1/web:2/' \"$1\"").ok(),
            "deployment.apps/web edited\n"
        );
        kubectl.prints(&[("get deploy web -o jsonpath='{..image}'", "web:2")]);
        assert_eq!(edit("edit deploy web", "true").stderr, "Edit cancelled, no changes made.\n");
        // What is refused comes back with the reason in a comment, and can be put right.
        let script = "if grep -q 'must be greater' \"$1\"; then sed -i 's/replicas: -1/replicas: 0/' \"$1\"; \
                      sed -i 's/web:2/web:3/' \"$1\"; else sed -i 's/replicas: 0/replicas: -1/' \"$1\"; fi";
        assert_eq!(edit("edit deploy web", script).ok(), "deployment.apps/web edited\n");
        kubectl.prints(&[("get deploy web -o jsonpath='{..image}'", "web:3")]);
        kubectl.run("create ingress i --rule=a.example/=web:80").ok();
        let script =
            "sed -i 's/loadBalancer: {}/loadBalancer: {ingress: [{ip: 192.0.2.1}]}/' \"$1\"";
        edit("edit ingress i --subresource=status", script).ok();
        kubectl.prints(&[("get ingress i -o jsonpath='{..ip}'", "192.0.2.1")]);
    });
}

#[test]
fn kubectl_replaces_labels_annotates_and_sets() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.file("web.yaml", DEPLOYMENT);
        kubectl.file("two.yaml", &DEPLOYMENT.replace("web:1", "web:2"));
        kubectl.run("create -f {ns}-web.yaml").ok();
        kubectl.run("create service clusterip web --tcp=80").ok();
        kubectl.run("create rolebinding r --role=r --user=jane").ok();
        let uid = kubectl.object("deploy web")["metadata"]["uid"].clone();
        kubectl.prints(&[
            ("replace -f {ns}-two.yaml", "deployment.apps/web replaced"),
            ("get deploy web -o jsonpath='{..image}'", "web:2"),
            ("replace --force -f {ns}-web.yaml", "deployment.apps \"web\" deleted ...\ndeployment.apps/web replaced"),
            ("label svc web tier=a", "service/web labeled"),
            ("label svc web tier=b --overwrite", "service/web labeled"),
            ("label svc --all x=y", "service/web labeled"),
            ("label svc web tier-", "service/web unlabeled"),
            ("annotate svc web note='two words'", "service/web annotated"),
            ("annotate svc web --list", "note=two words"),
            ("annotate svc web note-", "service/web annotated"),
            ("set image deploy/web web=web:3", "deployment.apps/web image updated"),
            ("set env deploy/web A=b C=d", "deployment.apps/web env updated"),
            ("set env deploy/web --list", "# Deployment web, container web\nA=b\nC=d"),
            ("set env deploy/web C-", "deployment.apps/web env updated"),
            ("set resources deploy/web --limits=cpu=100m,memory=64Mi", "deployment.apps/web resource requirements updated"),
            ("set serviceaccount deploy/web robot", "deployment.apps/web serviceaccount updated"),
            ("set selector svc web a=b", "service/web selector updated"),
            ("set subject rolebinding r --group=team", "rolebinding.rbac.authorization.k8s.io/r subjects updated"),
            ("get deploy web -o jsonpath='{..image} {..env[*].name} {..limits.cpu} {..serviceAccountName}'", "web:3 A 100m robot"),
            ("get svc web -o jsonpath='{.spec.selector}'", "{\"a\":\"b\"}"),
            ("get rolebinding r -o jsonpath='{.subjects[*].name}'", "jane team"),
            ("rollout pause deploy/web", "deployment.apps/web paused"),
            ("rollout resume deploy/web", "deployment.apps/web resumed"),
            ("rollout restart deploy/web", "deployment.apps/web restarted"),
            ("set image deploy/web web=web:3", ""),
        ]);
        // A map without an order is printed.
        let labels = kubectl.run("label svc web --list").ok();
        assert_eq!(labels.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["app=web", "x=y"]));
        assert_ne!(
            kubectl.object("deploy web")["metadata"]["uid"],
            uid,
            "it was replaced by force"
        );
        kubectl.refuses(&[
            ("label svc web x=z", "error: 'x' already has a value (y), and --overwrite is false"),
            (
                "label svc web 'no good=x'",
                "The Service \"web\" is invalid: metadata.labels: Invalid value: \"no good\": ...",
            ),
            ("replace -f {ns}-absent.yaml", "error: the path \"{ns}-absent.yaml\" does not exist"),
        ]);
        let stale = DEPLOYMENT.replace("{name: web}", "{name: web, resourceVersion: '1'}");
        let refused = kubectl.run_with("replace -f -", &stale, &[]).refused();
        assert!(refused.contains("(Conflict)") && refused.contains("the object has been modified; please apply your changes to the latest version and try again"), "{refused}");
    });
}

#[test]
fn kubectl_scales_through_the_sub_resource() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("create -f -", DEPLOYMENT, &[]).ok();
        let rest = DEPLOYMENT.replace("name: web}", "name: other}");
        kubectl
            .run_with("create -f -", &rest.replace("kind: Deployment", "kind: ReplicaSet"), &[])
            .ok();
        kubectl
            .run_with("create -f -", &rest.replace("kind: Deployment", "kind: StatefulSet"), &[])
            .ok();
        // Pods of these would be of no use here.
        kubectl.run("patch deploy web --type=merge -p '{\"spec\":{\"paused\":true}}'").ok();
        kubectl.prints(&[
            ("scale deploy web --replicas=0", "deployment.apps/web scaled"),
            ("scale deploy web --replicas=0 --current-replicas=0", "deployment.apps/web scaled"),
            ("scale rs other --replicas=0 --dry-run=server", "replicaset.apps/other scaled (server dry run)"),
            ("scale sts/other deploy/web --replicas=0", "statefulset.apps/other scaled\ndeployment.apps/web scaled"),
            ("get deploy web --subresource=scale -o jsonpath='{.kind} {.apiVersion} {.status.selector}'", "Scale autoscaling/v1 app=web"),
            ("get deploy web --subresource=scale", "NAME DESIRED AVAILABLE AGE\nweb 0 0 *"),
            ("get deploy web --subresource=status -o name", "deployment.apps/web"),
        ]);
        let refused = kubectl.run("scale deploy web --replicas=1 --current-replicas=5").refused();
        assert!(refused.contains("Expected replicas to be 5, was 0"), "{refused}");
    });
}

#[test]
fn kubectl_deletes_in_every_way() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            kubectl.run(&format!("create cm {name} --from-literal=a=b")).ok();
        }
        kubectl.file("b.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}");
        kubectl.run("label cm c d set=one").ok();
        let nobody = "--overrides='{\"spec\":{\"schedulerName\":\"nobody\"}}'";
        for pod in ["p1", "p2", "p3"] {
            kubectl.run(&format!("run {pod} --image=i {nobody}")).ok();
        }
        kubectl.run_with("create -f -", DEPLOYMENT, &[]).ok();
        kubectl.prints(&[
            ("delete cm a --dry-run=server", "configmap \"a\" deleted ..."),
            ("get cm a -o name", "configmap/a"),
            ("delete cm/a", "configmap \"a\" deleted ..."),
            ("delete -f {ns}-b.yaml", "configmap \"b\" deleted ..."),
            ("delete -f {ns}-b.yaml --ignore-not-found", ""),
            ("delete cm -l set=one", "configmap \"c\" deleted ...\nconfigmap \"d\" deleted ..."),
            ("delete cm e --grace-period=0 --force", "configmap \"e\" force deleted ..."),
            ("delete cm f --now", "configmap \"f\" deleted ..."),
            ("delete cm g --wait=false -o name", "configmap/g"),
            ("delete pod p1", "pod \"p1\" deleted ..."),
            ("delete pod p2 --grace-period=0 --force", "pod \"p2\" force deleted ..."),
            ("delete pods --field-selector=metadata.name=p3", "pod \"p3\" deleted ..."),
            (
                "delete deploy web --cascade=orphan --wait=false --dry-run=server",
                "deployment.apps \"web\" deleted ...",
            ),
            ("delete deploy web --cascade=background", "deployment.apps \"web\" deleted ..."),
            ("get cm,pods,deploy -o name --field-selector=metadata.name!=kube-root-ca.crt", ""),
        ]);
        // These two wait for the garbage collector, which finds no dependents.
        for cascade in ["foreground", "orphan"] {
            kubectl.run_with("create -f -", DEPLOYMENT, &[]).ok();
            kubectl.prints(&[(
                &format!("delete deploy web --cascade={cascade} --timeout=60s"),
                "deployment.apps \"web\" deleted ...",
            )]);
        }
        // A finalizer holds an object until its owner lets go.
        kubectl.run_with("create -f -", "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.dev/hold]}}", &[]).ok();
        kubectl.run("delete cm held --wait=false").ok();
        assert!(kubectl.object("cm held")["metadata"]["deletionTimestamp"].is_string());
        kubectl.run("patch cm held --type=merge -p '{\"metadata\":{\"finalizers\":null}}'").ok();
        kubectl.refuses(&[
            ("get cm held", "Error from server (NotFound): configmaps \"held\" not found"),
            ("delete cm absent", "Error from server (NotFound): configmaps \"absent\" not found"),
        ]);
        kubectl.run("create sa robot").ok();
        kubectl.run("delete serviceaccounts --all --wait=false").ok();
        eventually("only the account that is made again is there", || {
            (kubectl.run("get sa -o name").stdout == "serviceaccount/default\n").then_some(())
        });
        kubectl.run("create namespace {ns}-gone").ok();
        kubectl.run("create cm inside -n {ns}-gone").ok();
        kubectl.prints(&[("delete namespace {ns}-gone", "namespace \"{ns}-gone\" deleted")]);
    });
}
