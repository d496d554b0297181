//! Kustomizations and what stock kustomize makes of them.

use std::path::Path;

use tempfile::TempDir;

use crate::yaml;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: a:1\n    envFrom: [{configMapRef: {name: conf}}]\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn built(path: &Path) -> String {
    let objects = super::build(path).unwrap();
    objects.iter().map(yaml::text).collect::<Vec<_>>().join("---\n")
}

#[track_caller]
fn refused(kustomization: &str, expected: &str) {
    let folder = folder(&[("kustomization.yaml", kustomization), ("pod.yaml", POD)]);
    let error = format!("{:#}", super::build(folder.path()).unwrap_err());
    assert!(error.contains(expected), "{error}");
}

#[test]
fn generated_names_end_with_a_hash_of_what_is_in_them() {
    let folder = folder(&[(
        "kustomization.yaml",
        "configMapGenerator:\n- name: conf\n  literals: [a=b, 'c=\"d e\"', \"m=l1\\nl2\\n\"]\n\
         - name: empty\nsecretGenerator:\n- name: sec\n  literals: [a=b, long=0123456789012345678901\
         234567890123456789012345678901234567890123456789012345678901234567890123456789]\n",
    )]);
    let built = built(folder.path());
    for name in ["conf-hcfd7dbdc8", "empty-6ct58987ht", "sec-f8hd82chbg"] {
        assert!(built.contains(&format!("  name: {name}\n")), "{built}");
    }
}

#[test]
fn overlays_follow_the_names_that_their_bases_know() {
    let folder = folder(&[
        ("base/pod.yaml", POD),
        (
            "base/kustomization.yaml",
            "resources: [pod.yaml]\nnamePrefix: b-\nconfigMapGenerator:\n- name: conf\n  literals: \
             [a=1]\n",
        ),
        (
            "kustomization.yaml",
            "resources: [base]\nnamespace: web\nnameSuffix: -s\nconfigMapGenerator:\n- name: conf\n  \
             behavior: merge\n  literals: [b=2]\n  options: {disableNameSuffixHash: true}\n",
        ),
    ]);
    let built = built(folder.path());
    let name = built.lines().find_map(|line| line.strip_prefix("  name: b-conf-s-")).unwrap();
    assert_eq!(name.len(), 10, "{built}");
    assert!(built.contains(&format!("        name: b-conf-s-{name}\n")), "{built}");
    assert!(built.contains("  a: \"1\"\n  b: \"2\"\n"), "{built}");
    assert_eq!(built.matches("  namespace: web\n").count(), 2, "{built}");
}

#[test]
fn what_is_not_supported_is_named() {
    refused("resources: [pod.yaml]\nreplacements: []\n", "`replacements` of kustomization.yaml");
    refused("resources: [pod.yaml]\nnope: 1\n", "unknown field `nope`");
    refused("resources: [pod.yaml, pod.yaml]\n", "already registered id: Pod.v1.[noGrp]/p.[noNs]");
    refused("resources: [../pod.yaml]\n", "../pod.yaml");
    refused("resources: ['https://example.com/a.yaml']\n", "URLs are not fetched");
    refused("resources: [.]\n", "cycle detected");
    refused("resources: [pod.yaml]\nreplicas: [{name: p, count: 2}]\n", "does not match a config");
    refused("resources: [pod.yaml]\npatches: [{patch: '[]'}]\n", "must specify a target");
    refused("configMapGenerator: [{name: a, literals: [b]}]\n", "expected key=value");
}
