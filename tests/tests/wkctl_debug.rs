//! `wkctl debug`, `proxy` and `run -i` on a running cluster, beside stock kubectl.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use wk_tests::{Answer, Cluster, SideBySide, eventually, wkctl_path};

/// Two pods, one of them that asks for more than usual, and the image that they run.
fn cluster() -> (Cluster, String) {
    let cluster = Cluster::start();
    let guest = cluster.push_example("testguest");
    let probe = json!({"exec": {"command": ["testguest", "print", "1"]}, "periodSeconds": 100});
    let container = json!({
        "name": "main", "image": guest, "command": ["testguest"], "args": ["sleep", "100000"],
        "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
    });
    let pod = |name: &str, user: Value| {
        json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"app": name}, "annotations": {"a": "b"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "securityContext": user,
                "initContainers": [{
                    "name": "init", "image": guest, "command": ["testguest"], "args": ["print", "1"],
                }],
                "containers": [container],
            },
        })
    };
    let all = json!({"kind": "List", "apiVersion": "v1", "items": [
        pod("web", json!({})),
        pod("held", json!({"runAsUser": 1000})),
    ]});
    cluster.apply(&all.to_string());
    for name in ["web", "held"] {
        cluster.ready_pod(name);
    }
    (cluster, guest)
}

/// An object as both clients should make it: without what differs from one to the next.
fn made(cluster: &Cluster, path: &[&str]) -> Value {
    let answer = cluster.kubectl(&[&["get", "-o", "json"], path].concat()).ok();
    let mut object: Value = serde_json::from_str(&answer).unwrap();
    let spec = object["spec"].clone();
    let metadata = json!({
        "labels": object["metadata"]["labels"].take(),
        "annotations": object["metadata"]["annotations"].take(),
    });
    let mut kept = json!({"metadata": metadata, "spec": spec});
    // Each pod has a volume with a token, whose name is made up.
    let text = kept.to_string();
    let volume = "kube-api-access-";
    let unnamed: String = text
        .split(volume)
        .enumerate()
        .map(|(at, part)| if at == 0 { part.to_owned() } else { volume.to_owned() + &part[5..] })
        .collect();
    kept = serde_json::from_str(&unnamed).unwrap();
    kept
}

#[test]
fn pods_are_looked_into_alike() {
    let (cluster, guest) = cluster();
    let image = format!("--image={guest}");
    let ephemeral = |pod: &str, name: &str| -> Value {
        let pod: Value =
            serde_json::from_str(&cluster.kubectl(&["get", "pod", pod, "-o", "json"]).ok())
                .unwrap();
        let all = pod["spec"]["ephemeralContainers"].as_array().unwrap();
        let mut one = all.iter().find(|one| one["name"] == name).unwrap().clone();
        one["name"].take();
        one
    };
    std::fs::write(
        cluster.scratch().join("custom.yaml"),
        "env: [{name: MORE, value: '1'}]\nsecurityContext: {runAsUser: 0}\n",
    )
    .unwrap();
    let flags: [&[&str]; 8] = [
        &[],
        &["--profile=legacy"],
        &["--profile=baseline", "--env=A=b=c"],
        &["--profile=restricted", "--arguments-only"],
        &["--profile=netadmin", "--image-pull-policy=Always"],
        &["--profile=sysadmin", "-q"],
        &["--custom=custom.yaml"],
        &["-i", "--attach=false"],
    ];
    for (at, flags) in flags.into_iter().enumerate() {
        for pod in ["web", "held"] {
            let said = ["theirs", "ours"].map(|side| {
                let name = format!("{side}-{at}");
                let debug = ["debug", pod, &image, "-c", &name];
                let command = ["--", "testguest", "print", "1"];
                let words = [&debug[..], flags, &command[..]].concat();
                let Answer { stdout, stderr, code, .. } =
                    if side == "ours" { cluster.wkctl(&words) } else { cluster.kubectl(&words) };
                (stdout.trim().to_owned(), stderr, code, ephemeral(pod, &name))
            });
            assert_eq!(said[0], said[1], "{flags:?}");
        }
    }
}

#[test]
fn copies_and_pods_on_nodes_are_made_alike() {
    let (cluster, guest) = cluster();
    let image = format!("--image={guest}");
    let set = format!("--set-image=*={guest}");
    let flags: [&[&str]; 11] = [
        &[&image],
        &[&image, "--profile=legacy"],
        &[&image, "--profile=baseline", "--same-node"],
        &[&image, "--profile=restricted", "--share-processes=false"],
        &[&image, "--profile=netadmin", "--keep-labels", "--keep-annotations"],
        &[&image, "--profile=sysadmin", "--keep-liveness", "--keep-readiness", "--keep-startup"],
        &[&set],
        &[&set, "--keep-init-containers=false", "--share-processes"],
        &["-c", "main", "--env=A=b", "--", "testguest", "print", "2"],
        &[&image, "-c", "extra", "-i", "--attach=false", "--", "testguest", "print", "2"],
        &["-c", "main", "--arguments-only", "--", "print", "3"],
    ];
    for (at, flags) in flags.into_iter().enumerate() {
        let [theirs, ours] = ["theirs", "ours"].map(|side| {
            let name = format!("{side}-{at}");
            let to = format!("--copy-to={name}");
            let words = [&["debug", "web", &to], flags].concat();
            let client = if side == "ours" { Cluster::wkctl } else { Cluster::kubectl };
            client(&cluster, &words).ok();
            let mut object = made(&cluster, &["pod", &name]);
            // The debugger's own name is made up.
            let last = object["spec"]["containers"].as_array().unwrap().len() - 1;
            if object["spec"]["containers"][last]["name"].as_str().unwrap().starts_with("debugger-")
            {
                object["spec"]["containers"][last]["name"].take();
            }
            // Where the copy goes is the scheduler's choice, which may not be made yet.
            object["spec"]["nodeName"].take();
            object
        });
        assert_eq!(ours, theirs, "{flags:?}");
    }
    for profile in ["general", "legacy", "baseline", "restricted", "netadmin", "sysadmin"] {
        let [theirs, ours] = ["theirs", "ours"].map(|side| {
            let node = "node/node-1";
            let profile = format!("--profile={profile}");
            let words =
                ["debug", node, &image, &profile, "-c", "x", "--", "testguest", "print", "1"];
            let client = if side == "ours" { Cluster::wkctl } else { Cluster::kubectl };
            let said = client(&cluster, &words).ok();
            let name = said.split(' ').find(|word| word.starts_with("node-debugger-")).unwrap();
            made(&cluster, &["pod", name])
        });
        assert_eq!(ours, theirs, "{profile}");
    }
    let gone = ["debug", "held", "--copy-to=instead", &set, "--replace"];
    cluster.wkctl(&gone).ok();
    eventually("the copied pod is gone", || {
        (cluster.kubectl(&["get", "pod", "held"]).code == 1).then_some(())
    });
}

#[test]
fn complaints_about_debugging_are_alike() {
    let (cluster, _) = cluster();
    SideBySide::of(&cluster).agree(&[
        "debug",
        "debug web",
        "debug web --image=a --replace",
        "debug web --image=a --same-node",
        "debug web --image=a --set-image=a=b",
        "debug web --copy-to=y",
        "debug web --copy-to=y -- sh",
        "debug web --copy-to=y -c nope -- sh",
        "debug web --image=A",
        "debug --image=a",
        "debug web --image=a --image-pull-policy=foo",
        "debug web --copy-to=y --set-image=a=B",
        "debug web --copy-to=y --set-image=a",
        "debug web --copy-to=y --image=a --target=b",
        "debug web -t --image=a",
        "debug web --image=a --profile=foo",
        "debug web --image=a --env=A",
        "debug web --attach --copy-to=b --set-image=*=a",
        "debug absent --image=a",
        "debug cm/kube-root-ca.crt --image=a",
        "debug web --image=a --target=absent -c x",
        "run x --image=a -t",
        "run x --image=a --rm",
        "run x --image=a --expose",
        "run x --image=a -i --dry-run=client",
        "run x --image=a --port=80 --expose --dry-run=client -o yaml",
        "run x --image=a --privileged --dry-run=client -o yaml",
    ]);
}

#[test]
fn a_debugging_container_is_attended_until_it_ends() {
    let (cluster, guest) = cluster();
    let image = format!("--image={guest}");
    for program in [["sleep", "1"], ["print", "3"]] {
        let words = [&["debug", "web", &image, "--attach", "-q", "--", "testguest"], &program[..]];
        let answer = cluster.wkctl(&words.concat());
        // What has ended before it is attached to is told by its log.
        assert_eq!(answer.code, 0, "{answer:?}");
    }
}

#[test]
fn a_pod_is_run_and_talked_to_and_removed() {
    let (cluster, guest) = cluster();
    let image = format!("--image={guest}");
    let run = ["run", "once", &image, "-i", "--rm", "-q", "--restart=Never", "--command", "--"];
    for (program, input, code) in [("echo", "hello\n", 0), ("exit", "", 1)] {
        let command = match program {
            "exit" => vec!["testguest", "exit", "1"],
            other => vec!["testguest", other],
        };
        let [theirs, ours] = [Cluster::kubectl_with, Cluster::wkctl_with].map(|client| {
            let answer = client(&cluster, &[&run[..], &command].concat(), input);
            assert_eq!(cluster.kubectl(&["get", "pod", "once"]).code, 1, "it is removed");
            (answer.stdout, answer.stderr, answer.code)
        });
        // Whether the program runs for long enough to attach to it is chance.
        let end = |stderr: &str| stderr.lines().last().unwrap_or_default().to_owned();
        assert_eq!((&ours.0, end(&ours.1), ours.2), (&theirs.0, end(&theirs.1), theirs.2));
        assert_eq!((ours.0.as_str(), ours.2), (input, code));
    }
}

/// A proxy, ended with the value.
struct Proxy {
    child: Child,
    /// What it says where it serves.
    place: String,
}

impl Proxy {
    fn start(cluster: &Cluster, flags: &[&str]) -> Self {
        let mut command = Command::new(wkctl_path());
        command.arg("--kubeconfig").arg(cluster.kubeconfig()).arg("proxy").args(flags);
        let mut child =
            command.current_dir(cluster.scratch()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place = line.trim().strip_prefix("Starting to serve on ").unwrap().to_owned();
        Self { child, place }
    }

    /// The answer to a request, head and body.
    fn ask(&self, head: &str, path: &str) -> String {
        let address: SocketAddr = self.place.parse().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        asked(&mut stream, head, path)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn asked(stream: &mut (impl std::io::Read + std::io::Write), host: &str, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_api_is_served_on_a_local_port() {
    let (cluster, _) = cluster();
    let proxy = Proxy::start(&cluster, &["--port=0"]);
    let list = proxy.ask("localhost", "/api/v1/namespaces/default/pods");
    assert!(list.starts_with("HTTP/1.1 200") && list.contains("\"PodList\""), "{list}");
    let log = proxy.ask("127.0.0.1:1", "/api/v1/namespaces/default/pods/absent");
    assert!(log.starts_with("HTTP/1.1 404") && log.contains("pods \\\"absent\\\""), "{log}");
    for (host, path) in
        [("evil.example", "/api"), ("localhost", "/api/v1/namespaces/default/pods/web/exec")]
    {
        let answer = proxy.ask(host, path);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.ends_with("Forbidden\n"), "{answer}");
    }
    // Stock kubectl works through it, writes, watches and streams included.
    let through = Proxy::start(&cluster, &["--port=0", "--reject-paths=^$", "--api-prefix=/k"]);
    assert!(through.ask("localhost", "/api").starts_with("HTTP/1.1 404"));
    let server = format!("--server=http://{}/k", through.place);
    let kubectl = |words: &[&str]| {
        let mut command = Command::new(wk_tests::kubectl_path());
        command.arg(&server).args(words).env("HOME", cluster.scratch()).env_remove("KUBECONFIG");
        Answer::run(command)
    };
    kubectl(&["create", "configmap", "made", "--from-literal=a=b"]).ok();
    kubectl(&["wait", "--for=jsonpath={.data.a}=b", "configmap/made"]).ok();
    let printed = kubectl(&["exec", "web", "--", "testguest", "print", "2"]).ok();
    assert!(!printed.is_empty());
}

#[test]
fn the_api_is_served_on_a_socket_of_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let (cluster, _) = cluster();
    let path = cluster.scratch().join("api.socket");
    for _ in 0..2 {
        // One that was left over makes room for the next.
        let _proxy = Proxy::start(&cluster, &["--unix-socket=api.socket"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut stream = UnixStream::connect(&path).unwrap();
        let answer = asked(&mut stream, "localhost", "/version");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("gitVersion"), "{answer}");
    }
}
