//! Short names of the built-in resources, as Kubernetes defines them.

/// Plural, group and short names.
const SHORT: &[(&str, &str, &[&str])] = &[
    ("certificatesigningrequests", "certificates.k8s.io", &["csr"]),
    ("componentstatuses", "", &["cs"]),
    ("configmaps", "", &["cm"]),
    ("cronjobs", "batch", &["cj"]),
    ("customresourcedefinitions", "apiextensions.k8s.io", &["crd", "crds"]),
    ("daemonsets", "apps", &["ds"]),
    ("deployments", "apps", &["deploy"]),
    ("endpoints", "", &["ep"]),
    ("events", "", &["ev"]),
    ("events", "events.k8s.io", &["ev"]),
    ("horizontalpodautoscalers", "autoscaling", &["hpa"]),
    ("ingresses", "networking.k8s.io", &["ing"]),
    ("ipaddresses", "networking.k8s.io", &["ip"]),
    ("limitranges", "", &["limits"]),
    ("namespaces", "", &["ns"]),
    ("networkpolicies", "networking.k8s.io", &["netpol"]),
    ("nodes", "", &["no"]),
    ("persistentvolumeclaims", "", &["pvc"]),
    ("persistentvolumes", "", &["pv"]),
    ("poddisruptionbudgets", "policy", &["pdb"]),
    ("pods", "", &["po"]),
    ("priorityclasses", "scheduling.k8s.io", &["pc"]),
    ("replicasets", "apps", &["rs"]),
    ("replicationcontrollers", "", &["rc"]),
    ("resourcequotas", "", &["quota"]),
    ("serviceaccounts", "", &["sa"]),
    ("servicecidrs", "networking.k8s.io", &["svccidr"]),
    ("services", "", &["svc"]),
    ("statefulsets", "apps", &["sts"]),
    ("storageclasses", "storage.k8s.io", &["sc"]),
    ("volumeattributesclasses", "storage.k8s.io", &["vac"]),
];

pub(super) fn short(group: &str, plural: &str) -> Vec<String> {
    SHORT
        .iter()
        .filter(|(known, of, _)| *known == plural && *of == group)
        .flat_map(|(_, _, names)| names.iter().map(|name| (*name).to_owned()))
        .collect()
}

/// Which group is meant first where several have a resource of one name.
pub(super) fn group_rank(group: &str) -> usize {
    const FIRST: [&str; 5] = ["", "apps", "batch", "autoscaling", "networking.k8s.io"];
    FIRST.iter().position(|known| *known == group).unwrap_or(FIRST.len())
}
