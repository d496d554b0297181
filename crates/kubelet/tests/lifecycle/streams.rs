//! Streams into containers over the kubelet's HTTP API, with a runtime whose programs are known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wk_runtime::ContainerId;
use wk_streams::{
    ClientUpgrade, ForwardClient, ForwardError, Outcome, RemoteClient, Size, StreamSet,
};

use crate::{Node, one_container, pod, ready};

const RUNNING: &str = "u-1_c_0";

/// The answer to an upgrade, and the connection if there is one.
struct Answer {
    code: StatusCode,
    headers: HeaderMap,
    text: String,
    io: Option<TokioIo<Upgraded>>,
}

async fn ask(node: &Node, path: &str, headers: HeaderMap) -> Answer {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let kubelet = Arc::clone(&node.kubelet);
    node.group.spawn_quiet("connection", async move {
        let _ended = kubelet.serve_connection(theirs).await;
    });
    let connecting = hyper::client::conn::http1::handshake(TokioIo::new(ours));
    let (mut sender, connection) = connecting.await.unwrap();
    node.group.spawn_quiet("client", async move {
        let _ended = connection.with_upgrades().await;
    });
    let mut request =
        Request::get(path).header(header::HOST, "kubelet").body(Body::empty()).unwrap();
    request.headers_mut().extend(headers);
    let response = sender.send_request(request).await.unwrap();
    let (code, headers) = (response.status(), response.headers().clone());
    if code == StatusCode::SWITCHING_PROTOCOLS {
        let io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        return Answer { code, headers, text: String::new(), io: Some(io) };
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { code, headers, text: String::from_utf8_lossy(&bytes).into_owned(), io: None }
}

/// What a program did with an input: output, errors, and how it ended.
async fn talk(
    node: &Node,
    path: &str,
    streams: StreamSet,
    input: &str,
) -> (String, String, Outcome) {
    let upgrade = ClientUpgrade::remote();
    let answer = ask(node, path, upgrade.headers()).await;
    assert_eq!(answer.code, StatusCode::SWITCHING_PROTOCOLS, "{}", answer.text);
    let protocol = upgrade.remote_protocol(&answer.headers).unwrap();
    let (mut client, driver) = RemoteClient::open(answer.io.unwrap(), protocol, streams).await;
    let sizes = client.take_sizes();
    let (mut stdout, mut stderr, mut status) = (String::new(), String::new(), Vec::new());
    let feed = async {
        if let Some(mut sizes) = sizes {
            sizes.tell(Size { width: 120, height: 40 }).await.unwrap();
        }
        if let Some(mut stdin) = client.stdin {
            stdin.write_all(input.as_bytes()).await.unwrap();
            stdin.shutdown().await.unwrap();
        }
    };
    let hear = async {
        if let Some(mut from) = client.stdout {
            from.read_to_string(&mut stdout).await.unwrap();
        }
    };
    let hear_errors = async {
        if let Some(mut from) = client.stderr {
            from.read_to_string(&mut stderr).await.unwrap();
        }
    };
    let ended = client.error.read_to_end(&mut status);
    let (driven, (), (), (), _) = tokio::join!(driver.run(), feed, hear, hear_errors, ended);
    driven.unwrap();
    (stdout, stderr, Outcome::from_status(&status))
}

async fn running() -> Node {
    let node = Node::start().await;
    let mut spec = one_container("here:1");
    spec["containers"][0]["stdin"] = json!(true);
    node.api.put("pods/web", pod(&spec));
    node.api.until("pods/web", ready).await;
    node
}

const OUTPUT: StreamSet = StreamSet { stdin: false, stdout: true, stderr: true, tty: false };

#[tokio::test]
async fn programs_are_run_fed_and_heard() {
    let node = running().await;
    let exec = |query: &str| format!("/exec/default/web/c?{query}");
    let said = talk(&node, &exec("output=1&error=1&command=echo&command=a%20b"), OUTPUT, "").await;
    assert_eq!(said, ("a b\n".to_owned(), String::new(), Outcome::Exit(0)));
    let said = talk(&node, &exec("output=1&error=1&command=warn&command=x"), OUTPUT, "").await;
    assert_eq!(said, (String::new(), "x\n".to_owned(), Outcome::Exit(0)));
    let said = talk(&node, &exec("output=1&error=1&command=exit&command=42"), OUTPUT, "").await;
    assert_eq!(said.2, Outcome::Exit(42));
    let fed = StreamSet { stdin: true, ..OUTPUT };
    let input = "x".repeat(100_000);
    let said = talk(&node, &exec("input=1&output=1&error=1&command=cat"), fed, &input).await;
    assert!(said.0 == input, "{} bytes came back", said.0.len());
    let terminal = StreamSet { stdin: true, stdout: true, stderr: false, tty: true };
    let said = talk(&node, &exec("input=1&output=1&tty=1&command=size"), terminal, "").await;
    assert_eq!((said.0.as_str(), said.2), ("120x40\n", Outcome::Exit(0)));
    let (_, _, outcome) = talk(&node, &exec("output=1&error=1&command=nope"), OUTPUT, "").await;
    let Outcome::Failed(message) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        message,
        "Internal error occurred: error executing command in container: cannot run `nope` in the \
         container: executable file not found in $PATH"
    );
    node.stop().await;
}

#[tokio::test]
async fn who_attaches_hears_the_main_program_until_it_ends() {
    let node = running().await;
    let fed = StreamSet { stdin: true, ..OUTPUT };
    let id = ContainerId::new(RUNNING);
    let path = "/attach/default/web/c?input=1&output=1&error=1";
    let speak = async {
        while node.runtime.attached(&id) == 0 {
            tokio::task::yield_now().await;
        }
        node.runtime.say(&id, "hello\n");
        node.runtime.warn(&id, "careful\n");
        node.runtime.exit(&id, 0);
    };
    let (said, ()) = tokio::join!(talk(&node, path, fed, ""), speak);
    assert_eq!(said, ("hello\n".to_owned(), "careful\n".to_owned(), Outcome::Exit(0)));
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_in_kubernetes_words() {
    let node = running().await;
    let upgrade = || ClientUpgrade::remote().headers();
    for (path, headers, code, text) in [
        ("/exec/default/web/c?command=a&output=1", HeaderMap::new(), 400, "unable to upgrade"),
        ("/exec/default/web/c?command=a", upgrade(), 400, "at least 1 of stdin, stdout, stderr"),
        ("/exec/default/web/x?command=a&output=1", upgrade(), 500, "container not found (\"x\")"),
        ("/exec/default/none/c?command=a&output=1", upgrade(), 404, "pod does not exist"),
        ("/attach/default/web/u-2/c?output=1", upgrade(), 404, "pod does not exist"),
        ("/portForward/default/web?port=0", upgrade(), 400, "must be > 0"),
        ("/portForward/default/web?ports=x", upgrade(), 400, "unable to parse \"x\" as a port"),
    ] {
        let answer = ask(&node, path, headers).await;
        assert_eq!(answer.code, code, "{path}: {}", answer.text);
        assert!(answer.text.contains(text), "{path}: {}", answer.text);
    }
    node.stop().await;
}

/// Answers every connection to a port of the pod with a word.
async fn serve(node: &Node, ip: IpAddr) -> u16 {
    let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let token = node.group.token();
    node.group.spawn_quiet("pod", async move {
        while let Some(Ok((mut stream, _))) = token.run_until_cancelled(listener.accept()).await {
            let _sent = stream.write_all(b"hello").await;
        }
    });
    port
}

async fn through(client: &ForwardClient, port: u16) -> Result<String, ForwardError> {
    let (mut near, mut far) = tokio::io::duplex(1024);
    near.shutdown().await.unwrap();
    let mut text = String::new();
    let forwarded = client.connect(port, 0)?;
    let (joined, read) = tokio::join!(
        async {
            let joined = forwarded.join(&mut far).await;
            drop(far);
            joined
        },
        near.read_to_string(&mut text)
    );
    joined?;
    read.unwrap();
    Ok(text)
}

#[tokio::test]
async fn ports_of_the_pod_are_reached_and_closed_ones_named() {
    let node = running().await;
    let ip: IpAddr = "127.64.16.1".parse().unwrap();
    let open = serve(&node, ip).await;
    // A server on the pod's own `localhost` is reached too.
    let private = serve(&node, "127.96.16.1".parse().unwrap()).await;
    let upgrade = ClientUpgrade::forward();
    let answer = ask(&node, "/portForward/default/web", upgrade.headers()).await;
    assert!(upgrade.forward_protocol(&answer.headers).is_some(), "{}", answer.text);
    let (client, driver) = ForwardClient::open(answer.io.unwrap()).await;
    let work = async {
        assert_eq!(through(&client, open).await.unwrap(), "hello");
        assert_eq!(through(&client, private).await.unwrap(), "hello");
        let closed = through(&client, 1).await.unwrap_err().to_string();
        assert_eq!(
            closed,
            "error forwarding port 1 to pod web, uid u-1: dial tcp 127.64.16.1:1: connect: \
             connection refused"
        );
    };
    tokio::select! {
        driven = driver.run() => panic!("the session ended: {driven:?}"),
        () = work => {}
    }
    node.stop().await;
}

#[tokio::test]
async fn the_api_server_gets_a_plain_connection() {
    let node = running().await;
    let port = serve(&node, "127.64.16.1".parse().unwrap()).await;
    let headers = || {
        HeaderMap::from_iter([
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("tcp")),
        ])
    };
    let answer = ask(&node, &format!("/portForward/default/web?port={port}"), headers()).await;
    let mut text = String::new();
    answer.io.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    let answer = ask(&node, "/portForward/default/web?port=1", headers()).await;
    assert_eq!(answer.code, StatusCode::BAD_GATEWAY, "{}", answer.text);
    node.stop().await;
}
