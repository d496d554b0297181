//! The friendly page of `hello-http`, by the asynchronous interfaces of WASI 0.3.
//!
//! The handler returns its answer as soon as the head is known; the body follows through a stream
//! that a task of the guest's own fills.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

struct HelloHttp;

wasip3::http::service::export!(HelloHttp);

impl Guest for HelloHttp {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_else(|| "/".to_owned());
        let method = request.get_method();
        Ok(answer(format!("Hello from WebAssembly!\n{} {path}\n", method_name(&method))))
    }
}

fn answer(page: String) -> Response {
    let headers = Fields::new();
    headers
        .append("content-type", b"text/plain; charset=utf-8")
        .expect("a fresh set of headers takes any valid header");
    let (mut body, contents) = wit_stream::new();
    // There are no trailers: what the future holds when it is dropped unwritten.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(contents), trailers);
    spawn_local(async move {
        // A client that has gone away is no fault of ours, and nobody is left to tell.
        let _unsent = body.write_all(page.into_bytes()).await;
    });
    response
}

fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}
