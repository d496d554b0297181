//! The smallest useful web server: it answers every request with a page that says what was asked.
//!
//! There is no listener and no loop in here. The host owns the socket and calls [`Guest::handle`]
//! once for each request, so an idle pod costs next to nothing.

use std::io::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct HelloHttp;

wasip2::http::proxy::export!(HelloHttp);

impl Guest for HelloHttp {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_else(|| "/".to_owned());
        let page = format!("Hello from WebAssembly!\n{} {path}\n", method_name(&request.method()));
        answer(response, &page);
    }
}

fn answer(response: ResponseOutparam, page: &str) {
    let headers = Fields::new();
    headers
        .append("content-type", b"text/plain; charset=utf-8")
        .expect("a fresh set of headers takes any valid header");
    let answer = OutgoingResponse::new(headers);
    let body = answer.body().expect("the body is taken for the first time");
    ResponseOutparam::set(response, Ok(answer));

    let mut stream = body.write().expect("the stream is taken for the first time");
    // A client that has gone away is no fault of ours, and nobody is left to tell.
    let sent = stream.write_all(page.as_bytes());
    drop(stream);
    if sent.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
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
