//! The JavaScript client, unmodified.

use std::path::Path;

use wk_tests::{Cluster, client_file, run_javascript};

#[test]
fn the_javascript_clients_usual_calls_work() {
    let cluster = Cluster::start();
    let (kubeconfig, manifest) = (cluster.kubeconfig(), client_file("manifest.yaml"));
    let arguments = [kubeconfig.as_path(), Path::new("scripts"), &manifest];
    assert_eq!(run_javascript("client.js", &arguments).ok(), "ok\n");
}
