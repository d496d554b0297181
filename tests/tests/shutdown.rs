//! Ctrl-C and SIGTERM: what is under way is finished, and nothing is forgotten.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use wk_tests::{Cluster, Options, eventually};

/// Starts a server that answers with what it is sent, and returns the address.
fn echo(cluster: &Cluster) -> SocketAddr {
    let image = cluster.push_example("testguest-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    let pod = cluster.ready_pod("web");
    SocketAddr::new(pod["status"]["podIP"].as_str().unwrap().parse().unwrap(), 8080)
}

/// A request whose body is not all there, so that it stays under way.
fn begun(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        "POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // It is told to go on by the program that reads the body: from then on it is under way.
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = vec![0; go_on.len()];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), go_on);
    stream.write_all(b"first").unwrap();
    stream
}

/// Waits until the server takes no new connection: it has been asked to end.
fn until_closed(address: SocketAddr) {
    eventually("the server takes no new requests", || TcpStream::connect(address).err());
}

#[test]
fn a_request_in_flight_is_answered_and_the_pod_runs_again_after_the_next_start() {
    let mut cluster = Cluster::start();
    let address = echo(&cluster);
    let before = cluster.object("pod", "web").unwrap()["metadata"]["uid"].clone();
    // One request before, so that what follows is not about a first instance.
    assert_eq!(cluster.page("web", 8080, "/").status, 200);

    let mut request = begun(address);
    cluster.daemon().terminate();
    until_closed(address);
    // The API still answers: programs that end may need it.
    assert!(cluster.object("pod", "web").is_some());
    request.write_all(b"-last").unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("first-last"), "{answer}");
    let ended = cluster.daemon().wait();
    assert!(ended.success(), "{}", cluster.daemon().output());

    cluster.start_again();
    eventually("the pod runs again", || {
        let pod = cluster.ready_pod("web");
        assert_eq!(pod["metadata"]["uid"], before, "it is the same pod");
        (pod["status"]["containerStatuses"][0]["restartCount"] == 1).then_some(())
    });
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let arguments = ["--shutdown-grace-period", "1h"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    let image = cluster.push_example("testguest-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  \
         terminationGracePeriodSeconds: 3600\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    let pod = cluster.ready_pod("web");
    let ip = pod["status"]["podIP"].as_str().unwrap().parse().unwrap();
    let address = SocketAddr::new(ip, 8080);
    let _unfinished = begun(address);
    cluster.daemon().interrupt();
    until_closed(address);
    assert!(cluster.daemon().is_running(), "it waits for the request");
    cluster.daemon().interrupt();
    let ended = cluster.daemon().wait();
    assert!(!ended.success());
    let output = cluster.daemon().output();
    assert!(output.contains("SIGINT for the second time"), "{output}");
    // Nothing is lost by that.
    cluster.start_again();
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
}
