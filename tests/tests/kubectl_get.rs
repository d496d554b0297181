//! Stock kubectl reads: every form of `get`, `describe` of every kind, `explain`, discovery.

use std::collections::BTreeSet;
use std::fs;

use wk_tests::{Cluster, Kubectl, client_file};

const OBJECTS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: b, labels: {tier: web, size: small}}
data: {key: '2'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {tier: data}}
data: {key: '1', other: '1'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, labels: {tier: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: web}}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: idle, labels: {app: web}}
spec: {schedulerName: nobody, containers: [{name: c, image: 'c:1'}]}
";

#[test]
fn kubectl_gets_in_every_form() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("create -f -", OBJECTS, &[]).ok();
        kubectl.prints(&[
            ("get pods", "NAME READY STATUS RESTARTS AGE\nidle 0/1 Pending 0 *"),
            (
                "get pods -o wide",
                "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES
                 idle 0/1 Pending 0 * <none> <none> <none> <none>",
            ),
            (
                "get cm -l tier=web --show-labels",
                "NAME DATA AGE LABELS\nb 1 * size=small,tier=web\nc 0 * tier=web",
            ),
            (
                "get cm -l 'tier in (web,data)' -L tier,size --no-headers",
                "a 2 * data\nb 1 * web small\nc 0 * web",
            ),
            ("get cm,svc -l tier=web -o name", "configmap/b\nconfigmap/c\nservice/web"),
            ("get cm/a svc/web -o name", "configmap/a\nservice/web"),
            ("get cm a -o jsonpath='{.data.key} {.metadata.namespace}'", "1 {ns}"),
            ("get cm -l tier -o jsonpath='{range .items[*]}{.metadata.name}={.data.key};{end}'", "a=1;b=2;c=;"),
            ("get cm a -o go-template='{{range $k, $v := .data}}{{$k}}{{$v}} {{end}}'", "key1 other1"),
            ("get cm -l tier -o custom-columns=NAME:.metadata.name,KEY:.data.key", "NAME KEY\na 1\nb 2\nc <none>"),
            ("get cm -l tier --sort-by=.data.key -o name", "configmap/c\nconfigmap/a\nconfigmap/b"),
            ("get cm -l tier --chunk-size=1 -o name", "configmap/a\nconfigmap/b\nconfigmap/c"),
            ("get cm --field-selector metadata.name=a -o name", "configmap/a"),
            ("get pods --field-selector status.phase!=Pending -o name", ""),
            ("get pods --field-selector spec.schedulerName=nobody,spec.nodeName= -o name", "pod/idle"),
            ("get cm absent --ignore-not-found", ""),
            ("get pods -A --field-selector metadata.namespace={ns} --no-headers", "{ns} idle 0/1 Pending 0 *"),
            ("get svc web", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE\nweb ClusterIP None <none> 80/TCP *"),
            ("get --raw /api/v1/namespaces/{ns}/configmaps/a/", "*"),
            ("get all", "NAME READY STATUS RESTARTS AGE\npod/idle 0/1 Pending 0 *\n\nNAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE\nservice/web ClusterIP None <none> 80/TCP *"),
        ]);
        kubectl.mentions(&[
            (
                "get cm a -o yaml",
                &["apiVersion: v1", "data:", "key: \"1\"", "kind: ConfigMap", "name: a"],
            ),
            (
                "get cm a -o yaml --show-managed-fields",
                &["managedFields:", "manager: kubectl-create", "operation: Update"],
            ),
            ("get cm -o json", &["\"kind\": \"List\","]),
            ("get namespaces", &["NAME STATUS AGE", "default Active *", "{ns} Active *"]),
            (
                "get nodes -o wide",
                &["NAME STATUS ROLES AGE VERSION INTERNAL-IP ...", "node-1 Ready ..."],
            ),
        ]);
        kubectl.refuses(&[
            ("get cm absent", "Error from server (NotFound): configmaps \"absent\" not found"),
            ("get nothings", "error: the server doesn't have a resource type \"nothings\""),
            (
                "get pods --field-selector foo=bar",
                "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label \
                 selector \"\", field selector \"foo=bar\": field label not supported: foo",
            ),
            (
                "get cm --field-selector data=1",
                "Error from server (BadRequest): Unable to find \"/v1, Resource=configmaps\" that match \
                 label selector \"\", field selector \"data=1\": \"data\" is not a known field selector: \
                 only \"metadata.name\", \"metadata.namespace\"",
            ),
            ("get --raw /api/v1/nothings", "Error from server (NotFound): the server could not find the requested resource"),
        ]);
    });
}

#[test]
fn kubectl_watches_until_its_time_is_over() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.run_with("create -f -", OBJECTS, &[]).ok();
        // The list comes first, and the rows of the watch in the same columns.
        let watched = kubectl.run("get cm a -w --request-timeout=1s");
        assert!(watched.stdout.starts_with("NAME   DATA   AGE\na      2"), "{watched:?}");
        let events = kubectl
            .run("get cm -l tier -o name --watch --output-watch-events --request-timeout=1s");
        assert!(events.stdout.contains("configmap/a"), "{events:?}");
        let only = kubectl.run("get cm a --watch-only -o name --request-timeout=1s");
        assert_eq!(only.stdout, "");
    });
}

#[test]
fn kubectl_describes_every_kind() {
    let cluster = Cluster::start();
    let manifest = fs::read_to_string(client_file("every_kind.yaml")).unwrap();
    let request = fs::read_to_string(client_file("request.b64")).unwrap();
    Kubectl::each(&cluster, |kubectl| {
        let address = format!("192.0.2.{}", kubectl.minor());
        let manifest = manifest
            .replace("NAMESPACE", "{ns}")
            .replace("REQUEST", request.trim())
            .replace("ADDRESS", &address);
        let manifest = kubectl.file("every.yaml", &manifest);
        let created = kubectl.run(&format!("create -f {manifest} -o name")).ok();
        let kinds = kubectl.run("api-resources --verbs=create,get -o name").ok();
        let described: BTreeSet<&str> = created
            .lines()
            .map(|line| {
                let (kind, name) = line.split_once('/').expect("kind/name");
                // The older client asks for these in a beta version, and those are not served.
                let gone = ["ipaddress.", "servicecidr.", "volumeattributesclass."];
                if kubectl.minor() < 33 && gone.iter().any(|gone| kind.starts_with(gone)) {
                    return kind;
                }
                let text = kubectl.run(&format!("describe {line}")).ok();
                let first = text.lines().next().unwrap_or_default();
                let said: Vec<&str> = first.split_whitespace().collect();
                assert_eq!(said, ["Name:", name], "{kind}: {text}");
                kind
            })
            .collect();
        assert_eq!(described.len(), kinds.lines().count(), "an example of each of: {kinds}");
        // What is described is also shown as a table, with a row for each object.
        for kind in kinds.lines() {
            let table = kubectl.run(&format!("get {kind}")).ok();
            let header = table.lines().next().unwrap_or_default();
            assert!(header.starts_with("NAME ") || header.starts_with("LAST SEEN "), "{table}");
        }
    });
}

#[test]
fn kubectl_shows_the_columns_of_each_kind() {
    let cluster = Cluster::start();
    let manifest = fs::read_to_string(client_file("every_kind.yaml")).unwrap();
    let request = fs::read_to_string(client_file("request.b64")).unwrap();
    Kubectl::each(&cluster, |kubectl| {
        let manifest = manifest
            .replace("NAMESPACE", "{ns}")
            .replace("REQUEST", request.trim())
            .replace("ADDRESS", &format!("192.0.2.{}", kubectl.minor()));
        let manifest = kubectl.file("every.yaml", &manifest);
        kubectl.run(&format!("create -f {manifest}")).ok();
        kubectl.prints(&[
            ("get podtemplates one", "NAME CONTAINERS IMAGES POD LABELS\none c c:1 app=one"),
            ("get controllerrevisions one", "NAME CONTROLLER REVISION AGE\none <none> 1 *"),
            ("get pvc one", "NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE\none Pending <unset> *"),
            ("get limits one", "NAME CREATED AT\none *"),
            ("get mutatingadmissionpolicy {ns}-one", "NAME MUTATIONS PARAMKIND AGE\n{ns}-one 1 <unset> *"),
            ("get mutatingadmissionpolicybinding {ns}-one", "NAME POLICYNAME PARAMREF AGE\n{ns}-one {ns}-one <unset> *"),
            ("get mutatingwebhookconfiguration {ns}-one", "NAME WEBHOOKS AGE\n{ns}-one 1 *"),
            ("get validatingadmissionpolicy {ns}-one", "NAME VALIDATIONS PARAMKIND AGE\n{ns}-one 1 <unset> *"),
            ("get validatingadmissionpolicybinding {ns}-one", "NAME POLICYNAME PARAMREF AGE\n{ns}-one {ns}-one <unset> *"),
            ("get validatingwebhookconfiguration {ns}-one", "NAME WEBHOOKS AGE\n{ns}-one 1 *"),
            ("get csr {ns}-one", "NAME AGE SIGNERNAME REQUESTOR REQUESTEDDURATION CONDITION\n{ns}-one * example.dev/nobody admin <none> Pending"),
            ("get flowschema {ns}-one", "NAME PRIORITYLEVEL MATCHINGPRECEDENCE DISTINGUISHERMETHOD AGE MISSINGPL\n{ns}-one {ns}-one 9000 <none> * ?"),
            ("get prioritylevelconfiguration {ns}-one", "NAME TYPE NOMINALCONCURRENCYSHARES QUEUES HANDSIZE QUEUELENGTHLIMIT AGE\n{ns}-one Limited 30 <none> <none> <none> *"),
            ("get ingressclass {ns}-one", "NAME CONTROLLER PARAMETERS AGE\n{ns}-one example.dev/nobody <none> *"),
            ("get servicecidr {ns}-one", "NAME CIDRS AGE\n{ns}-one 192.0.2.0/24 *"),
            ("get runtimeclass {ns}-one", "NAME HANDLER AGE\n{ns}-one wasm *"),
            ("get deviceclass {ns}-one", "NAME AGE\n{ns}-one *"),
            ("get resourceclaim one", "NAME STATE AGE\none pending *"),
            ("get resourceclaimtemplate one", "NAME AGE\none *"),
            ("get resourceslice {ns}-one", "NAME NODE DRIVER POOL AGE\n{ns}-one {ns}-one example.dev one *"),
            ("get volumeattachment {ns}-one", "NAME ATTACHER PV NODE ATTACHED AGE\n{ns}-one example.dev {ns}-one {ns}-one false *"),
            ("get volumeattributesclass {ns}-one", "NAME DRIVERNAME AGE\n{ns}-one example.dev *"),
            ("get hpa one", "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE\none Deployment/one cpu: <unknown>/80% 1 3 0 *"),
            ("get cronjob one", "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE\none 0 0 1 1 * <none> True 0 <none> *"),
            ("get pdb one", "NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE\none 1 N/A 0 *"),
            ("get netpol one", "NAME POD-SELECTOR AGE\none <none> *"),
            ("get ingress one", "NAME CLASS HOSTS ADDRESS PORTS AGE\none <none> * 80 *"),
            ("get sc {ns}-one", "NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE\n{ns}-one example.dev/nobody Delete Immediate false *"),
            ("get role,rolebinding one", "NAME CREATED AT\nrole.rbac.authorization.k8s.io/one *\n\nNAME ROLE AGE\nrolebinding.rbac.authorization.k8s.io/one Role/one *"),
        ]);
    });
}

#[test]
fn kubectl_explains_kinds_and_fields() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.mentions(&[
            (
                "explain pods",
                &["KIND: Pod", "VERSION: v1", "apiVersion <string>", "spec <PodSpec>"],
            ),
            (
                "explain pod.spec.containers.ports.containerPort",
                &["FIELD: containerPort <integer> ..."],
            ),
            (
                "explain deployments --recursive",
                &[
                    "GROUP: apps",
                    "matchLabels <map[string]string>",
                    "securityContext <SecurityContext>",
                ],
            ),
            (
                "explain hpa --api-version=autoscaling/v1",
                &["VERSION: v1", "spec <HorizontalPodAutoscalerSpec> ..."],
            ),
            ("explain hpa.spec.metrics.type", &["GROUP: autoscaling", "VERSION: v2"]),
            (
                "explain nodemetrics",
                &["GROUP: metrics.k8s.io", "KIND: NodeMetrics", "usage <map[string]Quantity> ..."],
            ),
            ("explain podmetrics.containers.usage", &["KIND: PodMetrics", "FIELD: usage ..."]),
            (
                "explain pod.spec --output plaintext-openapiv2",
                &["KIND: Pod", "RESOURCE: spec <Object>", "containers <[]Object> -required-"],
            ),
        ]);
        kubectl.refuses(&[("explain pod.spec.nothing", "error: field \"nothing\" does not exist")]);
    });
}

#[test]
fn kubectl_finds_out_what_the_server_has() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.mentions(&[
            ("version", &["Server Version: *"]),
            ("api-versions", &["apps/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1", "v1"]),
            (
                "api-resources",
                &[
                    "NAME SHORTNAMES APIVERSION NAMESPACED KIND",
                    "pods po v1 true Pod",
                    "deployments deploy apps/v1 true Deployment",
                    "horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler",
                ],
            ),
            ("config view", &["kind: Config", "client-key-data: DATA+OMITTED"]),
        ]);
        let server = "config view --minify -o jsonpath='{.clusters[0].cluster.server}'";
        let server = kubectl.run(server).ok();
        let running = format!("Kubernetes control plane is running at {server}\n...");
        kubectl.prints(&[
            ("cluster-info", &running),
            ("config current-context", "wk"),
            (
                "api-resources --namespaced=false --api-group= -o name",
                "componentstatuses\nnamespaces\nnodes\npersistentvolumes",
            ),
            (
                "api-resources --categories=all --verbs=list -o name --api-group=apps",
                "daemonsets.apps\ndeployments.apps\nreplicasets.apps\nstatefulsets.apps",
            ),
            (
                "api-resources --api-group=policy --no-headers -o wide",
                "poddisruptionbudgets pdb policy/v1 true PodDisruptionBudget \
                 create,delete,deletecollection,get,list,patch,update,watch",
            ),
            ("get --raw /healthz", "ok"),
            ("get --raw /readyz", "ok"),
        ]);
        let dump = kubectl.run("cluster-info dump --namespaces {ns}").ok();
        assert!(dump.contains("\"kind\": \"NodeList\"") && dump.contains("\"kind\": \"PodList\""));
    });
}
