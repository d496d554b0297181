//! Watches over WebSocket, on a real connection.

use axum::body::Body;
use axum::middleware::{self, Next};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use wk_auth::User;

use crate::cluster::{Cluster, MAPS, map};

/// Serves a cluster on a socket; everybody without a token is the administrator if `open`.
async fn served(cluster: &Cluster, open: bool) -> std::net::SocketAddr {
    let admin = move |mut request: Request<Body>, next: Next| async move {
        if open {
            request.extensions_mut().insert(User::authenticated("admin", [User::MASTERS]));
        }
        next.run(request).await
    };
    let router = cluster.server.router().layer(middleware::from_fn(admin));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, router);
    #[expect(clippy::disallowed_methods, reason = "the test's runtime ends it")]
    tokio::spawn(async move { server.await });
    address
}

async fn opened(
    address: std::net::SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (WebSocketStream<TcpStream>, Option<String>) {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (socket, response) = client_async(request, stream).await.unwrap();
    let protocol = response.headers().get("sec-websocket-protocol");
    (socket, protocol.map(|protocol| protocol.to_str().unwrap().to_owned()))
}

async fn event(socket: &mut WebSocketStream<TcpStream>) -> Value {
    let message = socket.next().await.unwrap().unwrap();
    assert!(message.is_text(), "{message:?}");
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn each_event_of_a_watch_is_a_frame() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        cluster.create(MAPS, map(name, "1")).await;
    }
    let address = served(&cluster, true).await;
    let (mut socket, _) = opened(address, &format!("{MAPS}?watch=true"), &[]).await;
    for name in ["a", "b"] {
        let event = event(&mut socket).await;
        assert_eq!(
            (&event["type"], &event["object"]["metadata"]["name"]),
            (&json!("ADDED"), &json!(name))
        );
    }
    socket.send(Message::text("nobody reads this")).await.unwrap();
    cluster.delete(&format!("{MAPS}/a"), &json!({})).await;
    assert_eq!(event(&mut socket).await["type"], "DELETED");
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn protobuf_comes_in_binary_frames_and_ends_in_time() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let address = served(&cluster, true).await;
    let path = format!("{MAPS}?watch=true&timeoutSeconds=1");
    let accept = [("accept", "application/vnd.kubernetes.protobuf")];
    let (mut socket, _) = opened(address, &path, &accept).await;
    let message = socket.next().await.unwrap().unwrap();
    assert!(matches!(&message, Message::Binary(bytes) if bytes.len() > 20), "{message:?}");
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn a_browser_shows_its_token_as_a_protocol() {
    let cluster = Cluster::start().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}});
    cluster.create(accounts, account).await;
    let path = format!("{accounts}/web/token");
    let (_, request) = cluster.json("POST", &path, &json!({"spec": {}})).await;
    let token = URL_SAFE_NO_PAD.encode(request["status"]["token"].as_str().unwrap());
    cluster.create(MAPS, map("a", "1")).await;
    let address = served(&cluster, false).await;
    let offered = format!("base64url.bearer.authorization.k8s.io.{token}, mine");
    let headers = [("sec-websocket-protocol", offered.as_str())];
    let (mut socket, protocol) = opened(address, &format!("{MAPS}?watch=true"), &headers).await;
    assert_eq!(protocol.as_deref(), Some("mine"));
    assert_eq!(event(&mut socket).await["type"], "ADDED");
}
