//! A health service that says what it is asked to say.

use std::convert::Infallible;

use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use tokio::net::TcpListener;
use wk_process::TaskGroup;

use super::*;

/// A server that answers by the name of the service that it is asked about.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    assert_eq!(request.uri().path(), METHOD);
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let service = String::from_utf8(body.get(7..).unwrap_or_default().to_vec()).unwrap();
    let status = |status: &str, message: &str| {
        HeaderMap::from_iter([
            (http::HeaderName::from_static("grpc-status"), status.parse().unwrap()),
            (http::HeaderName::from_static("grpc-message"), message.parse().unwrap()),
        ])
    };
    let (data, trailers) = match service.as_str() {
        "" => (vec![0, 0, 0, 0, 2, 8, 1], status("0", "")),
        "down" => (vec![0, 0, 0, 0, 2, 8, 2], status("0", "")),
        "silent" => (vec![0, 0, 0, 0, 0], status("0", "")),
        "old" => (vec![], status("12", "unknown service grpc.health.v1.Health")),
        "slow" => std::future::pending().await,
        _ => (vec![], status("5", "unknown service")),
    };
    let frames = [Ok(Frame::data(Bytes::from(data))), Ok(Frame::trailers(trailers))];
    let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
    let answer = Response::builder().header("content-type", "application/grpc");
    Ok(answer.body(body.boxed()).unwrap())
}

#[tokio::test]
async fn a_service_is_as_well_as_it_says() {
    let group = TaskGroup::new("test");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = group.clone();
    group.spawn("server", async move {
        while let Some(Ok((stream, _))) = tasks.token().run_until_cancelled(listener.accept()).await
        {
            let tasks = tasks.clone();
            tasks.clone().spawn_quiet("connection", async move {
                let serve = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                let _ended = tasks.token().run_until_cancelled(serve).await;
            });
        }
        Ok(())
    });
    let check = async |service: &str, millis: u64| {
        let health = Health { port: address.port(), service: service.to_owned() };
        health.check(address.ip(), Duration::from_millis(millis)).await
    };
    assert_eq!(check("", 10_000).await, Outcome::Success);
    for (service, millis, text) in [
        ("down", 10_000, "service unhealthy (responded with \"NOT_SERVING\")"),
        ("silent", 10_000, "service unhealthy (responded with \"UNKNOWN\")"),
        (
            "old",
            10_000,
            "error: this server does not implement the grpc health protocol \
             (grpc.health.v1.Health): unknown service grpc.health.v1.Health",
        ),
        (
            "nobody",
            10_000,
            "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
        ),
        ("slow", 100, "timeout: health rpc did not complete within 100ms"),
    ] {
        assert_eq!(check(service, millis).await, Outcome::Failure(text.to_owned()), "{service}");
    }
    assert!(group.shutdown(Duration::from_secs(5)).await.is_empty());
    let refused = check("", 10_000).await;
    let text = format!("error: failed to connect service at \"{address}\"");
    assert!(matches!(refused, Outcome::Failure(why) if why.starts_with(&text)));
}

#[test]
fn long_names_are_told_in_full() {
    let asked = question(&"x".repeat(300));
    assert_eq!(asked.len(), 5 + 3 + 300);
    assert_eq!(asked[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    assert_eq!(question("")[..], [0, 0, 0, 0, 0]);
}
