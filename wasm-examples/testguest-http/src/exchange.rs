//! Reading a request's body whole, and answering.

use std::io::{Read as _, Write as _};

use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// The whole body of `request`; what was read before a fault, if the client goes away.
pub(crate) fn body_of(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is taken for the first time");
    let mut stream = body.stream().expect("the stream is taken for the first time");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Answers with `status` (400 if it is not one) and `bytes`.
pub(crate) fn answer(response: ResponseOutparam, status: u16, bytes: &[u8]) {
    let answer = OutgoingResponse::new(Fields::new());
    if answer.set_status_code(status).is_err() {
        answer.set_status_code(400).expect("400 is a status code");
    }
    let body = answer.body().expect("the body is taken for the first time");
    ResponseOutparam::set(response, Ok(answer));

    let mut stream = body.write().expect("the stream is taken for the first time");
    let sent = stream.write_all(bytes);
    drop(stream);
    if sent.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}
