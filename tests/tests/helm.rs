//! Helm, unmodified, with a chart that holds the kinds that most charts hold.

use std::process::Command;

use wk_tests::{Answer, Cluster, client_file, matches, tool};

/// One Helm, pointed at a cluster and a namespace of its own.
struct Helm<'a> {
    cluster: &'a Cluster,
    version: &'a str,
    namespace: &'a str,
}

impl Helm<'_> {
    fn run(&self, line: &str) -> Answer {
        let mut command = Command::new(tool(&format!("kubernetes-{}/helm", self.version)));
        let home = self.cluster.scratch().join(format!("helm-{}", self.version));
        command.env("HELM_CACHE_HOME", &home).env("HELM_CONFIG_HOME", &home);
        command.env("HELM_DATA_HOME", &home).current_dir(client_file(""));
        command.arg("--kubeconfig").arg(self.cluster.kubeconfig());
        command.args(["--namespace", self.namespace]).args(line.split_whitespace());
        Answer::of(command, "")
    }

    #[track_caller]
    fn prints(&self, line: &str, expected: &str) {
        let printed = self.run(line).ok();
        assert!(matches(expected, &printed), "helm {line}\nexpected: {expected}\ngot: {printed}");
    }

    fn kubectl(&self, line: &str) -> Answer {
        let mut arguments = vec!["--namespace", self.namespace];
        arguments.extend(line.split_whitespace());
        self.cluster.kubectl(&arguments)
    }

    #[track_caller]
    fn greeting(&self, release: &str) -> String {
        let path = "jsonpath={.data.greeting},{.data.revision},{.data.found}";
        self.kubectl(&format!("get configmap {release}-shop -o {path}")).ok()
    }
}

#[track_caller]
fn check(version: &str) {
    let cluster = Cluster::start();
    let helm = Helm { cluster: &cluster, version, namespace: "charts" };

    // Nothing is left of a rehearsal.
    let rehearsed =
        helm.run("install one chart --namespace default --dry-run=server --set greeting=try").ok();
    assert!(rehearsed.contains("greeting: \"try\"") && rehearsed.contains("found: default"));
    helm.prints("list --all-namespaces -q", "");
    assert!(helm.run("template one chart").ok().contains("found: nothing"), "it asks nobody");

    // Install, upgrade, roll back.
    let said = helm.run("install one chart --create-namespace").ok();
    assert!(said.contains("STATUS: deployed") && said.contains("Release one says hello."));
    assert_eq!(helm.greeting("one"), "hello,1,default");
    let settings =
        helm.kubectl("get configmap one-shop -o jsonpath={.data.kubernetes},{.data.policies}");
    assert_eq!(settings.ok(), "36,true");
    let all = "get deployment,service,ingress,serviceaccount,role,rolebinding,secret,pdb one-shop -o name";
    assert_eq!(helm.kubectl(all).ok().lines().count(), 8);
    let refused = helm.run("install one chart").refused();
    assert!(refused.contains("name that is still in use"), "{refused}");
    helm.run("upgrade one chart --set greeting=bye --set ingress.enabled=false").ok();
    assert_eq!(helm.greeting("one"), "bye,2,default");
    assert_eq!(helm.kubectl("get ingress -o name").ok(), "", "what left the chart is gone");
    let ports = helm.kubectl("get deployment one-shop -o jsonpath={..ports[*].protocol}");
    assert_eq!(ports.ok(), "TCP UDP", "two ports of one number stay two");
    helm.run("rollback one 1").ok();
    assert_eq!(helm.greeting("one"), "hello,1,default");
    assert_eq!(
        helm.kubectl("get ingress -o name").ok().trim(),
        "ingress.networking.k8s.io/one-shop"
    );
    helm.prints(
        "history one",
        "REVISION UPDATED STATUS CHART APP VERSION DESCRIPTION
         1 * * * * * superseded shop-1.2.3 4.5 Install complete
         2 * * * * * superseded shop-1.2.3 4.5 Upgrade complete
         3 * * * * * deployed shop-1.2.3 4.5 Rollback to 1",
    );
    helm.prints(
        "get values one --revision 2 -o json",
        r#"{"greeting":"bye","ingress":{"enabled":false}}"#,
    );
    assert!(helm.run("get manifest one").ok().contains("kind: RoleBinding"));
    helm.prints("get notes one", "NOTES:\nRelease one says hello.");
    let status = helm.run("status one -o json").json();
    assert_eq!(status["info"]["status"], "deployed");

    // What somebody else changed is put right by the next upgrade.
    helm.kubectl("label deployment one-shop helm.sh/chart=none --overwrite").ok();
    helm.kubectl("delete service one-shop").ok();
    // Helm 4 applies on the server, where taking a field back needs to be meant.
    let force = if version == "1.37" { "--force-conflicts" } else { "" };
    helm.run(&format!("upgrade one chart {force}")).ok();
    let label = "get deployment one-shop -o jsonpath={.metadata.labels.helm\\.sh/chart}";
    assert_eq!(helm.kubectl(label).ok(), "shop-1.2.3");
    helm.kubectl("get service one-shop").ok();

    // A second release, waited for, of what needs no controller.
    let wait = "upgrade --install two chart --wait --timeout 60s --set deployment.enabled=false";
    helm.run(wait).ok();
    helm.prints("list -q", "one\ntwo");
    helm.prints("list -q --filter ^tw", "two");

    // Uninstall.
    helm.run("uninstall one --keep-history").ok();
    helm.prints("list -q --deployed", "two");
    helm.prints("list -q --uninstalled", "one");
    helm.run("rollback one 3").ok();
    assert_eq!(helm.greeting("one"), "hello,1,default");
    helm.run("uninstall one --wait --timeout 60s").ok();
    helm.run("uninstall two").ok();
    let left = "get deployment,service,ingress,role,rolebinding,pdb,secret -o name";
    assert_eq!(helm.kubectl(left).ok(), "");
    assert!(helm.run("status one").refused().contains("not found"));
}

/// A chart that brings kinds of its own, which cannot be made.
#[track_caller]
fn check_own_kinds(version: &str) {
    let cluster = Cluster::start();
    let helm = Helm { cluster: &cluster, version, namespace: "default" };
    let chart = cluster.scratch().join("own");
    std::fs::create_dir_all(chart.join("crds")).expect("folders are made");
    let write = |name: &str, text: &str| {
        std::fs::write(chart.join(name), text).expect("files are written");
    };
    write("Chart.yaml", "{apiVersion: v2, name: own, version: 0.1.0}");
    write(
        "crds/widgets.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {name: widgets.example.com}\nspec: {group: example.com, scope: Cluster, names: \
         {kind: Widget, plural: widgets}, versions: [{name: v1, served: true, storage: true}]}\n",
    );
    let refused = helm.run(&format!("install own {}", chart.display())).refused();
    let why = "the server does not allow this method on the requested resource";
    assert!(refused.contains(why), "{refused}");
    helm.prints("list --all-namespaces -q", "");
    // Without them the rest is installed.
    let said = helm.run(&format!("install own {} --skip-crds", chart.display())).ok();
    assert!(said.contains("STATUS: deployed"), "{said}");
}

#[test]
fn a_chart_with_kinds_of_its_own_is_refused_with_the_reason() {
    check_own_kinds("1.37");
    check_own_kinds("1.32");
}

#[test]
fn helm_4_installs_upgrades_rolls_back_and_uninstalls() {
    check("1.37");
}

#[test]
fn helm_3_installs_upgrades_rolls_back_and_uninstalls() {
    check("1.32");
}
