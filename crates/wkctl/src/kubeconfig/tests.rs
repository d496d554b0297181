//! Files as `wk up`, kubectl and people write them.

use super::*;
use crate::error::Hinted;

const ONE: &str = r#"
apiVersion: v1
kind: Config
current-context: wk
clusters:
- name: wk
  cluster: {server: "https://127.0.0.1:6443/", certificate-authority-data: Q0E=}
contexts:
- name: wk
  context: {cluster: wk, user: admin}
- name: other
  context: {cluster: wk, user: bot, namespace: team}
users:
- name: admin
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: bot
  user: {token: abc}
"#;

fn environment(folder: &Path) -> Environment {
    Environment { home: Some(folder.to_owned()), ..Environment::default() }
}

fn with(text: &str, args: &ClusterArgs) -> anyhow::Result<Access> {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    let args = ClusterArgs { kubeconfig: Some(path), ..args.clone() };
    access(&args, &environment(folder.path()))
}

#[test]
fn the_current_context_gives_cluster_and_user() {
    let access = with(ONE, &ClusterArgs::default()).unwrap();
    assert_eq!(access.server, "https://127.0.0.1:6443");
    assert_eq!(access.authority.as_deref(), Some(b"CA".as_slice()));
    assert_eq!(access.identity, Some((b"CERT".to_vec(), b"KEY".to_vec())));
    assert_eq!((access.namespace.as_str(), access.token), ("default", None));
}

#[test]
fn the_command_line_overrides_the_file() {
    let args = ClusterArgs {
        context: Some("other".to_owned()),
        server: Some("https://there:1".to_owned()),
        ..ClusterArgs::default()
    };
    let access = with(ONE, &args).unwrap();
    assert_eq!(access.server, "https://there:1");
    assert_eq!((access.namespace.as_str(), access.token.as_deref()), ("team", Some("abc")));
    let args = ClusterArgs { namespace: Some("mine".to_owned()), ..args };
    assert_eq!(with(ONE, &args).unwrap().namespace, "mine");
}

#[test]
fn names_that_do_not_exist_are_refused() {
    for (args, expected) in [
        (
            ClusterArgs { context: Some("no".to_owned()), ..ClusterArgs::default() },
            "context \"no\" does not exist",
        ),
        (
            ClusterArgs { user: Some("no".to_owned()), ..ClusterArgs::default() },
            "user \"no\" does not exist",
        ),
        (
            ClusterArgs { cluster: Some("no".to_owned()), ..ClusterArgs::default() },
            "cluster \"no\" does not exist",
        ),
    ] {
        let error = with(ONE, &args).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_data_folder_comes_before_the_home_and_kubeconfig_before_both() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |path: &str, server: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, ONE.replace("127.0.0.1:6443", server)).unwrap();
        path
    };
    let args = ClusterArgs::default();
    let mut environment = environment(folder.path());
    let error = access(&args, &environment).unwrap_err();
    assert!(error.downcast_ref::<Hinted>().unwrap().hint.contains("wk up"), "{error}");
    write(".kube/config", "home");
    assert_eq!(access(&args, &environment).unwrap().server, "https://home");
    write(".local/share/wk/kubeconfig", "data");
    assert_eq!(access(&args, &environment).unwrap().server, "https://data");
    let named = write("named", "named");
    let missing = folder.path().join("missing");
    environment.kubeconfig = Some(std::env::join_paths([missing, named]).unwrap());
    assert_eq!(access(&args, &environment).unwrap().server, "https://named");
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "PEM").unwrap();
    let text = ONE.replace("certificate-authority-data: Q0E=", "certificate-authority: ca.pem");
    let path = folder.path().join("config");
    std::fs::write(&path, text).unwrap();
    let args = ClusterArgs { kubeconfig: Some(path), ..ClusterArgs::default() };
    let access = access(&args, &environment(folder.path())).unwrap();
    assert_eq!(access.authority.as_deref(), Some(b"PEM".as_slice()));
}
