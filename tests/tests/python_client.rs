//! Python clients, unmodified.

use std::path::Path;

use wk_tests::{Cluster, client_file, run_python};

#[track_caller]
fn check(program: &str, needs_manifest: bool) {
    let cluster = Cluster::start();
    let (kubeconfig, manifest) = (cluster.kubeconfig(), client_file("manifest.yaml"));
    let mut arguments = vec![kubeconfig.as_path(), Path::new("snakes")];
    if needs_manifest {
        arguments.push(&manifest);
    }
    assert_eq!(run_python(program, &arguments).ok(), "ok\n");
}

#[test]
fn the_python_clients_usual_calls_work() {
    check("kubernetes_client.py", false);
}

#[test]
fn kr8s_works() {
    check("kr8s_client.py", true);
}

#[test]
fn lightkube_works() {
    check("lightkube_client.py", true);
}
