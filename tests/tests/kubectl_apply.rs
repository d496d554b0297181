//! Stock kubectl applies: on the client and on the server, with pruning, differences and layers.

use wk_tests::{Cluster, Kubectl};

const TWO: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: first, labels: {set: two}}
data: {a: '1', b: '1'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {set: two}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'web:1', ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}
        - {name: side, image: 'side:1'}
";

#[test]
fn kubectl_applies_what_a_manifest_says() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.file("two.yaml", TWO);
        kubectl.prints(&[
            ("apply -f {ns}-two.yaml --dry-run=server", "configmap/first created (server dry run)\ndeployment.apps/web created (server dry run)"),
            ("get cm,deploy -l set=two", ""),
            ("apply -f {ns}-two.yaml", "configmap/first created\ndeployment.apps/web created"),
            ("apply -f {ns}-two.yaml", "configmap/first unchanged\ndeployment.apps/web unchanged"),
            ("diff -f {ns}-two.yaml", ""),
        ]);
        // Others write too, and what they wrote stays; what leaves the manifest goes.
        kubectl.run("patch deploy web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"new\",\"image\":\"new:1\"}]}}}}'").ok();
        let changed = TWO
            .replace(", b: '1'", ", c: '1'")
            .replace("        - {name: side, image: 'side:1'}\n", "");
        kubectl.file("two.yaml", &changed);
        let difference = kubectl.run("diff -f {ns}-two.yaml");
        assert_eq!(difference.code, 1, "{difference:?}");
        for line in ["-  b: \"1\"", "+  c: \"1\"", "-      - image: side:1"] {
            assert!(difference.stdout.contains(line), "{line} in {}", difference.stdout);
        }
        kubectl.prints(&[
            ("apply -f {ns}-two.yaml --dry-run=server", "configmap/first configured (server dry run)\ndeployment.apps/web configured (server dry run)"),
            ("get cm first -o jsonpath='{.data}'", "{\"a\":\"1\",\"b\":\"1\"}"),
            ("apply -f {ns}-two.yaml", "configmap/first configured\ndeployment.apps/web configured"),
            ("get cm first -o jsonpath='{.data}'", "{\"a\":\"1\",\"c\":\"1\"}"),
            ("get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'", "new web"),
            ("get deploy web -o jsonpath='{.spec.template.spec.containers[?(@.name==\"web\")].ports[*].protocol}'", "TCP UDP"),
            ("diff -f {ns}-two.yaml", ""),
        ]);
        kubectl
            .mentions(&[("apply view-last-applied cm/first", &["data:", "a: \"1\"", "c: \"1\""])]);
        kubectl.prints(&[(
            "apply set-last-applied -f {ns}-two.yaml",
            "configmap/first configured\ndeployment.apps/web configured",
        )]);
        // Created otherwise: a warning, and then applied all the same.
        kubectl.run("create cm plain --from-literal=a=1").ok();
        let plain = kubectl.file(
            "plain.yaml",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {b: '2'}}",
        );
        let warned = kubectl.run(&format!("apply -f {plain}"));
        assert!(
            warned.stderr.contains(
                "is missing the kubectl.kubernetes.io/last-applied-configuration annotation"
            ),
            "{warned:?}"
        );
        kubectl.prints(&[("get cm plain -o jsonpath='{.data}'", "{\"a\":\"1\",\"b\":\"2\"}")]);
        // A selector cannot change: told, or deleted and created again.
        kubectl.file(
            "web.yaml",
            &TWO.split("---").nth(1).unwrap_or_default().replace("app: web", "app: other"),
        );
        let refused = kubectl.run("apply -f {ns}-web.yaml").refused();
        assert!(
            refused.contains("The Deployment \"web\" is invalid: spec.selector: Invalid value:")
                && refused.contains("field is immutable"),
            "{refused}"
        );
        // Mistakes are found before anything is written.
        for (manifest, expected) in [
            (
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, dota: {}}",
                "strict decoding error: unknown field \"dota\"",
            ),
            (
                "{apiVersion: example.dev/v1, kind: Nothing, metadata: {name: x}}",
                "no matches for kind \"Nothing\" in version \"example.dev/v1\"",
            ),
            (
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 1}}",
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ),
        ] {
            let answer = kubectl.run_with("apply -f -", manifest, &[]).refused();
            assert!(answer.contains(expected), "{manifest}: {answer}");
        }
        // To validate, kubectl would look for such a kind among the custom ones of a known group.
        let nothing = "{apiVersion: v1, kind: Nothing, metadata: {name: x}}";
        let answer = kubectl.run_with("apply --validate=false -f -", nothing, &[]).refused();
        assert!(answer.contains("no matches for kind \"Nothing\" in version \"v1\""), "{answer}");
    });
}

#[test]
fn kubectl_prunes_what_left_a_set() {
    let cluster = Cluster::start();
    let both = "{apiVersion: v1, kind: ConfigMap, metadata: {name: p1, labels: {set: p}}}\n---\n\
                {apiVersion: v1, kind: ConfigMap, metadata: {name: p2, labels: {set: p}}}";
    let one = "{apiVersion: v1, kind: ConfigMap, metadata: {name: p1, labels: {set: p}}}";
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("apply -f -", both, &[]).ok();
        let pruned = kubectl
            .run_with("apply -f - --prune -l set=p --prune-allowlist=core/v1/ConfigMap", one, &[])
            .ok();
        assert_eq!(pruned, "configmap/p1 unchanged\nconfigmap/p2 pruned\n");
        kubectl.run_with("apply -f -", both, &[]).ok();
        let pruned = kubectl.run_with("apply -f - --prune -l set=p", one, &[]).ok();
        assert!(pruned.ends_with("configmap/p2 pruned\n"), "{pruned}");
        kubectl.run("delete cm p1").ok();

        let sets = &[("KUBECTL_APPLYSET", "true")];
        let apply = "apply -f - --prune --applyset=members";
        kubectl.run_with(apply, both, sets).ok();
        kubectl.prints(&[("get secret members -o jsonpath='{.metadata.annotations.applyset\\.kubernetes\\.io/contains-group-kinds}'", "ConfigMap")]);
        let pruned = kubectl.run_with(apply, one, sets).ok();
        assert_eq!(pruned, "configmap/p1 unchanged\nconfigmap/p2 pruned\n");
        kubectl.prints(&[("get cm -l set=p -o name", "configmap/p1")]);
    });
}

#[test]
fn kubectl_applies_on_the_server() {
    let cluster = Cluster::start();
    let manifest = |value: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: shared}}, data: {{a: '{value}', b: '1'}}}}"
        )
    };
    Kubectl::each(&cluster, |kubectl| {
        kubectl.file("m.yaml", &manifest("1"));
        kubectl.prints(&[
            (
                "apply --server-side -f {ns}-m.yaml --dry-run=server",
                "configmap/shared serverside-applied (server dry run)",
            ),
            ("get cm shared --ignore-not-found", ""),
            ("apply --server-side -f {ns}-m.yaml", "configmap/shared serverside-applied"),
            ("apply --server-side -f {ns}-m.yaml", "configmap/shared serverside-applied"),
            ("diff --server-side -f {ns}-m.yaml", ""),
        ]);
        kubectl.file("m.yaml", &manifest("2"));
        let difference = kubectl.run("diff --server-side -f {ns}-m.yaml");
        assert!(
            difference.code == 1 && difference.stdout.contains("+  a: \"2\""),
            "{difference:?}"
        );
        kubectl.refuses(&[(
            "apply --server-side -f {ns}-m.yaml --field-manager=other",
            "error: Apply failed with 1 conflict: conflict with \"kubectl\": .data.a\n...",
        )]);
        kubectl.prints(&[
            ("apply --server-side -f {ns}-m.yaml --field-manager=other --force-conflicts", "configmap/shared serverside-applied"),
            (
                "get cm shared -o jsonpath='{range .metadata.managedFields[*]}{.manager} {.operation} {.fieldsV1}{\"\\n\"}{end}'",
                "kubectl Apply {\"f:data\":{\"f:b\":{}}}\nother Apply {\"f:data\":{\"f:a\":{},\"f:b\":{}}}",
            ),
        ]);
        // Who leaves a field out gives it up; it goes when nobody holds it.
        kubectl.file(
            "m.yaml",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: shared}, data: {a: '2'}}",
        );
        kubectl.prints(&[
            (
                "apply --server-side -f {ns}-m.yaml --field-manager=other",
                "configmap/shared serverside-applied",
            ),
            ("get cm shared -o jsonpath='{.data}'", "{\"a\":\"2\",\"b\":\"1\"}"),
            ("apply --server-side -f {ns}-m.yaml", "configmap/shared serverside-applied"),
            ("get cm shared -o jsonpath='{.data}'", "{\"a\":\"2\"}"),
        ]);
        // What was applied on the client moves over, and loses what left the manifest.
        kubectl.file("two.yaml", TWO);
        kubectl.file(
            "less.yaml",
            &TWO.replace(", b: '1'", "").replace("        - {name: side, image: 'side:1'}\n", ""),
        );
        kubectl.prints(&[
            ("apply -f {ns}-two.yaml", "configmap/first created\ndeployment.apps/web created"),
            (
                "apply --server-side -f {ns}-two.yaml",
                "configmap/first serverside-applied\ndeployment.apps/web serverside-applied",
            ),
            (
                "apply --server-side -f {ns}-less.yaml",
                "configmap/first serverside-applied\ndeployment.apps/web serverside-applied",
            ),
            ("get cm first -o jsonpath='{.data}'", "{\"a\":\"1\"}"),
            ("get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'", "web"),
        ]);
    });
}

#[test]
fn kubectl_builds_and_applies_layers() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.file("layer/kustomization.yaml", "namePrefix: k-\nresources: [r.yaml]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n");
        kubectl.file(
            "layer/r.yaml",
            "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: b}}",
        );
        kubectl.mentions(&[(
            "kustomize {ns}-layer",
            &["kind: ConfigMap", "name: k-made-4h2mbtbbt6", "kind: Secret", "name: k-s"],
        )]);
        kubectl.prints(&[
            ("apply -k {ns}-layer", "configmap/k-made-4h2mbtbbt6 created\nsecret/k-s created"),
            ("diff -k {ns}-layer", ""),
            ("get -k {ns}-layer -o name", "configmap/k-made-4h2mbtbbt6\nsecret/k-s"),
            (
                "delete -k {ns}-layer",
                "configmap \"k-made-4h2mbtbbt6\" deleted ...\nsecret \"k-s\" deleted ...",
            ),
        ]);
    });
}
