//! One instance of a request handler, and how a request goes through it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme as Scheme2};
use wasmtime_wasi_http::p3::Request as Request3;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView as _};

use crate::host::{Host, store};
use crate::machine::Machine;
use crate::programs::Handler;
use crate::scope::Scope;

/// What a guest answered: a response, or the code of an error of its own, for people.
pub(super) type Answer = Result<Response<WasiBody>, String>;

/// A live instance.
pub(super) struct Instance {
    store: Store<Host>,
    exports: Exports,
    _slot: OwnedSemaphorePermit,
}

enum Exports {
    Two(Proxy),
    Three(Service),
}

impl Instance {
    pub(super) async fn new(
        machine: &Machine,
        handler: &Handler,
        scope: &Arc<Scope>,
        slot: OwnedSemaphorePermit,
    ) -> wasmtime::Result<Self> {
        let mut store = store(&machine.engine, scope);
        let exports = match handler {
            Handler::Two(pre) => Exports::Two(pre.instantiate_async(&mut store).await?),
            Handler::Three(pre) => Exports::Three(pre.instantiate_async(&mut store).await?),
        };
        Ok(Self { store, exports, _slot: slot })
    }

    /// Runs one request. The answer goes out through `sender` as soon as its head is there; the
    /// call returns once the guest has nothing more to do.
    ///
    /// # Errors
    /// The guest's trap; the instance must not be used again.
    pub(super) async fn call(
        &mut self,
        request: Request<Incoming>,
        sender: oneshot::Sender<Answer>,
    ) -> wasmtime::Result<()> {
        self.store.set_epoch_deadline(1);
        match &self.exports {
            Exports::Two(proxy) => call_two(&mut self.store, proxy, request, sender).await,
            Exports::Three(service) => call_three(&mut self.store, service, request, sender).await,
        }
    }
}

async fn call_two(
    store: &mut Store<Host>,
    proxy: &Proxy,
    request: Request<Incoming>,
    sender: oneshot::Sender<Answer>,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme2::Http, request)?;
    let set = move |answer: Result<Response<WasiBody>, ErrorCode>| {
        // Nobody waits any more if the client has gone away.
        let _sent = sender.send(answer.map_err(|code| format!("{code:?}")));
    };
    let outparam = store.data_mut().http().new_response_outparam_from_callback(set)?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, outparam).await
}

async fn call_three(
    store: &mut Store<Host>,
    service: &Service,
    request: Request<Incoming>,
    sender: oneshot::Sender<Answer>,
) -> wasmtime::Result<()> {
    let request = absolute(request)?;
    let failed = Arc::new(AtomicBool::new(false));
    let (request, taken) = Request3::from_http(store.data_mut().http().hooks, request);
    let seen = Arc::clone(&failed);
    let outcome = store
        .run_concurrent(async move |guest| -> wasmtime::Result<()> {
            let answer = match service.handle(guest, request).await? {
                Ok(response) => {
                    let response = guest.with(|store| response.into_http(store, taken))?;
                    Ok(response.map(|inner| Whole { inner, failed: seen }.boxed_unsync()))
                }
                Err(code) => Err(format!("{code:?}")),
            };
            // Nobody waits any more if the client has gone away.
            let _sent = sender.send(answer);
            // The body is still to be written, and the guest may have more to do.
            poll_fn(|cx| guest.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await
        .and_then(|outcome| outcome);
    if outcome.is_err() {
        failed.store(true, Ordering::Release);
    }
    outcome
}

/// A request whose address says where it came to, as the interface wants it.
fn absolute(mut request: Request<Incoming>) -> wasmtime::Result<Request<Incoming>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if parts.authority.is_none() {
        let host = request.headers().get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
        parts.authority = Some(Authority::try_from(host)?);
    }
    parts.scheme = Some(Scheme::HTTP);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}

/// A body that ends with an error if its guest failed before it was whole: without that, a client
/// could not tell it from a shorter one.
struct Whole {
    inner: WasiBody,
    failed: Arc<AtomicBool>,
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(None) if self.failed.load(Ordering::Acquire) => {
                Poll::Ready(Some(Err(Error::HttpResponseIncomplete)))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && !self.failed.load(Ordering::Acquire)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
