//! Stock kubectl as somebody else, and what it makes of kinds that are not there.

use wk_tests::{Cluster, Kubectl};

#[test]
fn kubectl_acts_as_somebody_else() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.prints(&[
            ("auth whoami --as=jane -o jsonpath='{.status.userInfo.username}'", "jane"),
            (
                "auth whoami --as=jane --as-group=devs --as-group=ops --as-uid=7",
                "ATTRIBUTE VALUE\nUsername jane\nUID 7\nGroups [devs ops system:authenticated]",
            ),
            (
                "auth whoami --as=system:serviceaccount:{ns}:default",
                "ATTRIBUTE VALUE\nUsername system:serviceaccount:{ns}:default\n\
                 Groups [system:serviceaccounts system:serviceaccounts:{ns} system:authenticated]",
            ),
            ("auth can-i create pods --as=system:admin --as-group=system:masters", "yes"),
            (
                "create cm mine --as=system:admin --as-group=system:masters",
                "configmap/mine created",
            ),
            ("get cm mine -o name --as=system:admin --as-group=system:masters", "configmap/mine"),
        ]);
        kubectl.refuses(&[(
            "get pods --as=system:anonymous",
            "Error from server (Forbidden): pods is forbidden: User \"system:anonymous\" cannot list \
             resource \"pods\" in API group \"\" in the namespace \"{ns}\"",
        )]);
        let refused = kubectl.run("get pods --as-group=devs").refused();
        assert!(refused.contains("without impersonating a user"), "{refused}");
    });
}

#[test]
fn certificates_and_tokens_have_names_of_their_own() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        let review = kubectl.run("auth whoami -o json").json();
        let id = |review: &serde_json::Value| {
            let extra = &review["status"]["userInfo"]["extra"];
            extra["authentication.kubernetes.io/credential-id"][0].as_str().unwrap().to_owned()
        };
        let hash = id(&review);
        let hash = hash.strip_prefix("X509SHA256=").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        let token = kubectl.run("create token default").ok();
        // The certificate of the kubeconfig would be shown, too, and counts first.
        let bare = cluster.kubeconfig().with_file_name("token-only.kubeconfig");
        let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
        let kept = text.lines().filter(|line| !line.contains("client-"));
        let kept: Vec<&str> = kept.collect();
        std::fs::write(&bare, kept.join("\n")).unwrap();
        let line =
            format!("--kubeconfig={} --token={} auth whoami -o json", bare.display(), token.trim());
        let review = kubectl.run(&line).json();
        let name = format!("system:serviceaccount:{}:default", kubectl.namespace());
        assert_eq!(review["status"]["userInfo"]["username"], name.as_str());
        assert!(id(&review).starts_with("JTI="), "{review}");
    });
}

#[test]
fn there_are_no_custom_kinds_and_none_can_be_made() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        let absent =
            "Error from server (NotFound): the server could not find the requested resource";
        kubectl.prints(&[("get crd -o name", "")]);
        kubectl.refuses(&[
            (
                "get crd widgets.example.com",
                "Error from server (NotFound): customresourcedefinitions.apiextensions.k8s.io \
                 \"widgets.example.com\" not found",
            ),
            ("get --raw /apis/example.com", absent),
            (
                "get pods -l 'a in ('",
                "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match \
                 label selector \"a in (\", field selector \"\": unable to parse requirement: found \
                 '', expected: ',', ')' or identifier",
            ),
        ]);
        let refused = kubectl.run("delete crd widgets.example.com").refused();
        let why =
            "(MethodNotAllowed): the server does not allow this method on the requested resource";
        assert!(refused.contains(why), "{refused}");
        let widget = "apiVersion: apps/v1\nkind: Widget\nmetadata: {name: w}\n";
        let refused = kubectl.run_with("create -f -", widget, &[]).refused();
        let why = "no matches for kind \"Widget\" in version \"apps/v1\"";
        assert!(refused.contains(why), "{refused}");
    });
}

#[test]
fn reviews_are_answered_to_kubectl_create() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        let explained = kubectl.run("explain tokenreview").ok();
        assert!(explained.contains("<TokenReviewSpec> -required-"), "{explained}");
        assert!(!explained.contains("<ObjectMeta> -required-"), "{explained}");
        let reviews = [
            (
                "authentication.k8s.io",
                "TokenReview",
                "{token: abc}",
                "error",
                "invalid bearer token",
            ),
            (
                "authorization.k8s.io",
                "SelfSubjectAccessReview",
                "{resourceAttributes: {verb: get, resource: pods}}",
                "allowed",
                "true",
            ),
        ];
        for (group, kind, spec, field, expected) in reviews {
            let review = format!("{{apiVersion: {group}/v1, kind: {kind}, spec: {spec}}}");
            let line = format!("create -f - -o jsonpath={{.status.{field}}}");
            assert_eq!(kubectl.run_with(&line, &review, &[]).ok(), expected, "{kind}");
        }
    });
}

#[test]
fn component_statuses_are_shown_with_the_warning_that_they_are_deprecated() {
    let cluster = Cluster::start();
    Kubectl::each(&cluster, |kubectl| {
        kubectl.prints(&[
            ("get componentstatuses", "NAME STATUS MESSAGE ERROR\netcd-0 Healthy ok"),
            ("get cs etcd-0 -o name", "componentstatus/etcd-0"),
            ("get cs -o jsonpath='{.items[*].conditions[*].type}'", "Healthy"),
        ]);
        kubectl
            .mentions(&[("describe cs etcd-0", &["Name: etcd-0", "Conditions:", "Message: ok"])]);
        let warned = kubectl.run("get cs").stderr;
        assert_eq!(warned, "Warning: v1 ComponentStatus is deprecated in v1.19+\n");
        kubectl.refuses(&[(
            "get cs scheduler",
            "...\nError from server (NotFound): componentstatuses \"scheduler\" not found",
        )]);
    });
}
