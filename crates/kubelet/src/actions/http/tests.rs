//! Servers that answer well, badly, slowly or elsewhere.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::json;
use tokio::net::TcpListener;
use wk_process::TaskGroup;

use super::*;

const SECOND: Duration = Duration::from_secs(10);

fn action(port: u16, more: &serde_json::Value) -> HttpGet {
    let mut action = json!({"port": port});
    for (field, value) in more.as_object().unwrap() {
        action[field] = value.clone();
    }
    let action: HTTPGetAction = serde_json::from_value(action).unwrap();
    HttpGet::of(&action, &Container::default()).unwrap()
}

/// Serves requests until the group ends: at `/fail` badly, at `/to?PLACE` with a redirect, and
/// elsewhere with the headers that it was sent.
async fn server(group: &TaskGroup) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = group.clone();
    group.spawn("server", async move {
        while let Some(Ok((stream, _))) = tasks.token().run_until_cancelled(listener.accept()).await
        {
            let tasks = tasks.clone();
            tasks.clone().spawn_quiet("connection", async move {
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                let _ended = tasks.token().run_until_cancelled(serve).await;
            });
        }
        Ok(())
    });
    address
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let answer = Response::builder();
    let answer = match request.uri().path() {
        "/fail" => answer.status(500),
        "/to" => answer.status(302).header("location", query),
        "/round" => answer.status(307).header("location", "/round"),
        "/slow" => std::future::pending().await,
        _ => answer,
    };
    let headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
        .collect();
    Ok(answer.body(Full::from(headers.join(" "))).unwrap())
}

#[tokio::test]
async fn a_server_is_judged_by_its_answer() {
    let group = TaskGroup::new("test");
    let address = server(&group).await;
    let (ip, port) = (address.ip(), address.port());
    let check = async |path: &str| action(port, &json!({"path": path})).check(ip, SECOND).await;
    assert_eq!(check("").await, Outcome::Success);
    assert_eq!(check("x").await, Outcome::Success, "a path without a slash gets one");
    let failed = "HTTP probe failed with statuscode: 500".to_owned();
    assert_eq!(check("/fail").await, Outcome::Failure(failed.clone()));
    assert_eq!(check("/to?/fail").await, Outcome::Failure(failed.clone()));
    assert_eq!(check(&format!("/to?http://{address}/fail")).await, Outcome::Failure(failed));
    let away = check("/to?http://example.com/fail").await;
    assert!(matches!(away, Outcome::Warning(text) if text.starts_with("Probe terminated")));
    let round = check("/round").await;
    assert!(
        matches!(round, Outcome::Failure(text) if text.ends_with("stopped after 10 redirects"))
    );
    let hasty = action(port, &json!({"path": "/slow"}));
    let slow = hasty.check(ip, Duration::from_millis(50)).await;
    let text = format!(
        "Get \"http://{address}/slow\": context deadline exceeded (Client.Timeout exceeded while \
         awaiting headers)"
    );
    assert_eq!(slow, Outcome::Failure(text));
    let text =
        format!("Get \"https://{address}/\": http: server gave HTTP response to HTTPS client");
    let secure = action(port, &json!({"scheme": "HTTPS"}));
    assert_eq!(secure.check(ip, SECOND).await, Outcome::Failure(text));
    assert_eq!(secure.call(ip, SECOND).await.unwrap().status, 200, "a hook goes on without TLS");
    assert!(group.shutdown(Duration::from_secs(5)).await.is_empty());
    let refused =
        format!("Get \"http://{address}/\": dial tcp {address}: connect: connection refused");
    assert_eq!(check("/").await, Outcome::Failure(refused));
}

#[tokio::test]
async fn headers_are_those_of_the_specification_over_the_usual_ones() {
    let group = TaskGroup::new("test");
    let address = server(&group).await;
    let sent = async |headers: serde_json::Value| {
        let action = action(address.port(), &json!({"httpHeaders": headers}));
        action.followed(address.ip(), Instant::now() + SECOND).await.unwrap().body
    };
    let usual = format!("host={address} user-agent=kube-probe/1.36 accept=*/*");
    assert_eq!(sent(json!([])).await, usual);
    let own = sent(json!([
        {"name": "Host", "value": "web.example"}, {"name": "User-Agent", "value": ""},
        {"name": "X-A", "value": "1"}, {"name": "X-A", "value": "2"},
    ]));
    assert_eq!(own.await, "accept=*/* host=web.example x-a=1 x-a=2");
    assert!(group.shutdown(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn any_certificate_will_do() {
    let group = TaskGroup::new("test");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    group.spawn("server", async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(own_certificate()));
        let (stream, _) = listener.accept().await?;
        let stream = acceptor.accept(stream).await?;
        let _ended = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .await;
        Ok(())
    });
    let check = action(address.port(), &json!({"scheme": "HTTPS"}));
    assert_eq!(check.check(address.ip(), SECOND).await, Outcome::Success);
    group.shutdown(Duration::from_secs(5)).await;
}

/// A server whose certificate nobody vouches for.
fn own_certificate() -> rustls::ServerConfig {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap()
}
