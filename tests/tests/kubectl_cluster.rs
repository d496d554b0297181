//! Stock kubectl for those who run a cluster: nodes, access, certificates, waiting, events.

use std::fs;

use serde_json::json;
use wk_tests::{Cluster, Kubectl, client_file, eventually};

#[test]
fn kubectl_cordons_taints_and_drains() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run("run web --image=i --overrides='{\"spec\":{\"nodeName\":\"node-1\"}}'").ok();
        kubectl.prints(&[
            ("cordon node-1", "node/node-1 cordoned"),
            ("cordon node-1", "node/node-1 already cordoned"),
            (
                "get nodes",
                "NAME STATUS ROLES AGE VERSION\nnode-1 Ready,SchedulingDisabled <none> * *",
            ),
            ("uncordon node-1", "node/node-1 uncordoned"),
            ("cordon node-1 --dry-run=server", "node/node-1 cordoned (server dry run)"),
            ("taint node node-1 k=v:NoSchedule", "node/node-1 tainted"),
            ("taint node node-1 k=w:NoSchedule --overwrite", "node/node-1 modified"),
            (
                "get node node-1 -o jsonpath='{.spec.taints}'",
                "[{\"effect\":\"NoSchedule\",\"key\":\"k\",\"value\":\"w\"}]",
            ),
            ("taint node node-1 k-", "node/node-1 untainted"),
            ("label node node-1 node-role.kubernetes.io/{ns}=", "node/node-1 labeled"),
            ("get nodes", "NAME STATUS ROLES AGE VERSION\nnode-1 Ready {ns} * *"),
            ("label node node-1 node-role.kubernetes.io/{ns}-", "node/node-1 unlabeled"),
        ]);
        for (how, said) in [("server", "(server dry run)"), ("client", "(dry run)")] {
            let drain = format!("drain node-1 --force --ignore-daemonsets --dry-run={how}");
            let answer = kubectl.run(&drain);
            for part in ["node/node-1 cordoned", "evicting pod {ns}/web", "node/node-1 drained"] {
                let part = format!("{} {said}", part.replace("{ns}", kubectl.namespace()));
                assert!(answer.stdout.contains(&part), "{part}: {answer:?}");
            }
        }
        kubectl.refuses(&[("taint node node-1 k-", "error: taint \"k\" not found")]);
        // For good: the pod is evicted, which its eviction sub-resource allows.
        kubectl.run("drain node-1 --force --ignore-daemonsets --pod-selector=run=web").ok();
        kubectl.refuses(&[("get pod web", "Error from server (NotFound): pods \"web\" not found")]);
        kubectl.run("uncordon node-1").ok();
    });
}

#[test]
fn kubectl_asks_who_one_is_and_what_one_may() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.prints(&[
            ("auth can-i create pods", "yes"),
            ("auth can-i get pods --subresource=log", "yes"),
            ("auth can-i '*' '*' -A", "yes"),
            ("auth can-i get /healthz", "yes"),
            ("auth whoami", "ATTRIBUTE VALUE\nUsername admin\nGroups [system:masters system:authenticated]\n..."),
            ("auth whoami -o jsonpath='{.status.userInfo.username}'", "admin"),
        ]);
        kubectl.mentions(&[(
            "auth can-i --list",
            &["Resources Non-Resource URLs Resource Names Verbs", "*.* [] [] [*]", "[*] [] [*]"],
        )]);
        // The manifest has to name the namespace: kubectl takes none from its flags here.
        let role = kubectl.file("role.yaml", "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, namespace: '{ns}'}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}");
        kubectl.mentions(&[(
            &format!("auth reconcile -f {role}"),
            &["role.rbac.authorization.k8s.io/r reconciled"],
        )]);
    });
}

#[test]
fn kubectl_approves_and_denies_certificates() {
    let cluster = Cluster::start();
    let request = fs::read_to_string(client_file("request.b64")).unwrap();
    Kubectl::each(&cluster, |kubectl| {
        for name in ["yes", "no"] {
            let manifest = format!(
                "{{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, \
                 metadata: {{name: {{ns}}-{name}}}, spec: {{request: {}, \
                 signerName: example.dev/nobody, usages: [client auth]}}}}",
                request.trim()
            );
            kubectl.run_with("create -f -", &manifest, &[]).ok();
        }
        kubectl.prints(&[
            ("get csr {ns}-yes --no-headers", "{ns}-yes * example.dev/nobody admin <none> Pending"),
            ("certificate approve {ns}-yes", "certificatesigningrequest.certificates.k8s.io/{ns}-yes approved"),
            ("certificate deny {ns}-no", "certificatesigningrequest.certificates.k8s.io/{ns}-no denied"),
            ("get csr {ns}-yes {ns}-no --no-headers", "{ns}-yes * example.dev/nobody admin <none> Approved\n{ns}-no * example.dev/nobody admin <none> Denied"),
            ("get csr {ns}-yes -o jsonpath='{.spec.groups}'", "[\"system:masters\",\"system:authenticated\"]"),
        ]);
        kubectl.mentions(&[(
            "describe csr {ns}-yes",
            &["Requesting User: admin", "Status: Approved", "Common Name: jane"],
        )]);
        let condition = &kubectl.object("csr {ns}-yes")["status"]["conditions"][0];
        assert!(condition["lastTransitionTime"].is_string(), "{condition}");
        kubectl.refuses(&[(
            "certificate deny {ns}-yes",
            "error: certificate signing request \"{ns}-yes\" is already Approved",
        )]);
        // That was kubectl's own judgement; this is the server's.
        let mut both = kubectl.object("csr {ns}-yes");
        both["status"]["conditions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "Denied", "status": "True", "reason": "Test"}));
        let url = "/apis/certificates.k8s.io/v1/certificatesigningrequests/{ns}-yes/approval";
        // A line before it keeps it from getting the separator of a YAML document.
        let both = format!("\n{both}");
        let refused = kubectl.run_with(&format!("replace --raw {url} -f -"), &both, &[]).refused();
        assert!(refused.contains("mutually exclusive"), "{refused}");
    });
}

#[test]
fn kubectl_waits() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run("create cm c --from-literal=a=b").ok();
        kubectl.prints(&[
            ("wait --for=condition=Ready node/node-1 --timeout=60s", "node/node-1 condition met"),
            (
                "wait --for=condition=Ready=true nodes --all --timeout=60s",
                "node/node-1 condition met",
            ),
            ("wait --for=jsonpath='{.data.a}'=b cm/c --timeout=60s", "configmap/c condition met"),
            ("wait --for=jsonpath='{.data.a}' cm/c --timeout=60s", "configmap/c condition met"),
            ("wait --for=create cm/c --timeout=60s", "configmap/c condition met"),
            ("wait --for=delete cm/absent --timeout=60s", ""),
        ]);
        kubectl.refuses(&[
            (
                "wait --for=condition=Nothing node/node-1 --timeout=100ms",
                "error: timed out waiting for the condition on nodes/node-1",
            ),
            (
                "wait --for=condition=Ready pod/absent --timeout=100ms",
                "Error from server (NotFound): pods \"absent\" not found",
            ),
        ]);
        std::thread::scope(|scope| {
            // Each begins before it comes true: they see the change and not the state.
            let appears = scope.spawn(|| kubectl.run("wait --for=create cm/late --timeout=60s"));
            let changes =
                scope.spawn(|| kubectl.run("wait --for=jsonpath='{.data.a}'=z cm/c --timeout=60s"));
            let goes = scope.spawn(|| kubectl.run("wait --for=delete cm/kept --timeout=60s"));
            kubectl.run("create cm late").ok();
            kubectl.run("patch cm c --type=merge -p '{\"data\":{\"a\":\"z\"}}'").ok();
            kubectl.run("create cm kept").ok();
            kubectl.run("delete cm kept").ok();
            for waiting in [appears, changes, goes] {
                waiting.join().expect("it does not panic").ok();
            }
        });
    });
}

#[test]
fn kubectl_shows_events() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run("run web --image=127.0.0.1:1/none:1").ok();
        eventually("the failed pull is told", || {
            let told = kubectl.run("events --for pod/web --types=Warning");
            told.stdout.contains("Failed to pull image").then_some(())
        });
        kubectl.mentions(&[
            (
                "events",
                &[
                    "LAST SEEN TYPE REASON OBJECT MESSAGE",
                    "* Normal Scheduled Pod/web Successfully assigned {ns}/web to node-1",
                ],
            ),
            (
                "events -A --for pod/web",
                &[
                    "NAMESPACE LAST SEEN TYPE REASON OBJECT MESSAGE",
                    "{ns} * Normal Scheduled Pod/web ...",
                ],
            ),
            (
                "get events --field-selector involvedObject.name=web,reason=Scheduled",
                &["* Normal Scheduled pod/web Successfully assigned {ns}/web to node-1"],
            ),
            (
                "get events.v1.events.k8s.io --field-selector regarding.name=web,reason=Scheduled",
                &["* Normal Scheduled pod/web ..."],
            ),
            ("describe pod web", &["Events:", "Normal Scheduled ..."]),
        ]);
        kubectl.run("delete pod web --grace-period=0 --force").ok();
    });
}

#[test]
fn kubectl_says_what_is_not_there_as_it_does_with_kubernetes() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.refuses(&[
            ("logs absent", "..."),
            ("exec absent -- ls", "Error from server (NotFound): pods \"absent\" not found"),
            (
                "rollout status deploy/absent",
                "Error from server (NotFound): deployments.apps \"absent\" not found",
            ),
        ]);
    });
}
