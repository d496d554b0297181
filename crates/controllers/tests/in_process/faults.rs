//! A connection to the server on which answers get lost, and changes are told late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use http::{Method, Request, Response};
use http_body_util::StreamBody;
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use tower::{BoxError, ServiceExt as _};
use wk_auth::User;
use wk_client::connect::in_process;

/// The most changes that are on their way at a time.
const ON_THE_WAY: usize = 10_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The share of writes that are not carried out, and of those that are carried out and not
    /// answered.
    pub(crate) lost: f64,
    /// The longest time that a change takes until it is told; changes stay in order.
    pub(crate) late: Duration,
}

impl Faults {
    /// A client of `router` over such a connection.
    pub(crate) fn client(self, router: axum::Router) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            let router = router.clone();
            async move { self.carry(router, request).await }
        });
        in_process(service, User::authenticated("test", [User::MASTERS]))
    }

    async fn carry(
        self,
        router: axum::Router,
        request: Request<Body>,
    ) -> Result<Response<axum::body::Body>, BoxError> {
        let is_write = request.method() != Method::GET;
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
        if is_write && rand::random_bool(self.lost) {
            return Err("the connection was refused".into());
        }
        let response = router.oneshot(request).await?;
        if is_write && rand::random_bool(self.lost) {
            return Err("the connection was reset".into());
        }
        let (head, body) = response.into_parts();
        if !is_watch || self.late.is_zero() {
            return Ok(Response::from_parts(head, body));
        }
        let late = http_body_util::BodyStream::new(body)
            .map(move |frame| async move {
                tokio::time::sleep(self.late.mul_f64(rand::random())).await;
                frame
            })
            .buffered(ON_THE_WAY);
        Ok(Response::from_parts(head, axum::body::Body::new(StreamBody::new(late))))
    }
}

/// What was written, by verb and resource: `POST pods`.
pub(crate) type Writes = Arc<Mutex<BTreeMap<String, usize>>>;

/// A client that counts the writes it is used for, those included that are refused.
pub(crate) fn counting(router: axum::Router) -> (Client, Writes) {
    let writes = Writes::default();
    let counted = Arc::clone(&writes);
    let service = tower::service_fn(move |request: Request<Body>| {
        if request.method() != Method::GET {
            let resource = resource(request.uri().path());
            let what = format!("{} {resource}", request.method());
            *counted.lock().entry(what).or_default() += 1;
        }
        router.clone().oneshot(request)
    });
    (in_process(service, User::authenticated("test", [User::MASTERS])), writes)
}

/// The resource that a path is about, such as `replicasets` or `replicasets/status`.
fn resource(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    let rest =
        if rest.first() == Some(&"namespaces") && rest.len() > 2 { &rest[2..] } else { rest };
    let subresource = rest.get(2).map(|name| format!("/{name}")).unwrap_or_default();
    format!("{}{subresource}", rest.first().unwrap_or(&""))
}
