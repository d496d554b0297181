//! The health service of gRPC, as probes ask it: one call over HTTP/2 in plain text.
//!
//! Spec: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::GRPCAction;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Outcome;

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// The most of an answer that is read; a sound one has two bytes.
const ANSWER_BYTES: usize = 4 << 10;
/// The status of a call to a method that the server does not have.
const UNIMPLEMENTED: u32 = 12;
/// The status of a call that took too long.
const DEADLINE_EXCEEDED: u32 = 4;
/// What a healthy service answers.
const SERVING: u64 = 1;

/// A question that can be asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    port: u16,
    service: String,
}

/// What came of a call.
#[derive(Debug, Default)]
struct Answered {
    status: u32,
    message: String,
    body: Vec<u8>,
}

impl Health {
    /// What a specification says.
    ///
    /// # Errors
    /// If the port is none.
    pub(crate) fn of(action: &GRPCAction) -> Result<Self, String> {
        let port = u16::try_from(action.port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("invalid port number: {}", action.port))?;
        Ok(Self { port, service: action.service.clone().unwrap_or_default() })
    }

    /// Whether the service says that it serves.
    pub(crate) async fn check(&self, ip: IpAddr, timeout: Duration) -> Outcome {
        let address = SocketAddr::new(ip, self.port);
        let deadline = Instant::now() + timeout;
        let shown = crate::worker::go_duration(timeout);
        let stream = match tokio::time::timeout_at(deadline, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Outcome::Failure(format!(
                    "error: failed to connect service at \"{address}\": {error}"
                ));
            }
            Err(_) => {
                return Outcome::Failure(format!(
                    "timeout: failed to connect service \"{address}\" within {shown}: context \
                     deadline exceeded"
                ));
            }
        };
        let late = || format!("timeout: health rpc did not complete within {shown}");
        let answered = match tokio::time::timeout_at(deadline, self.call(stream, address)).await {
            Err(_) => return Outcome::Failure(late()),
            Ok(Err(error)) => {
                return Outcome::Failure(format!(
                    "error: health rpc probe failed: rpc error: code = Unavailable desc = {error}"
                ));
            }
            Ok(Ok(answered)) => answered,
        };
        match answered.status {
            0 => {}
            UNIMPLEMENTED => {
                return Outcome::Failure(format!(
                    "error: this server does not implement the grpc health protocol \
                     (grpc.health.v1.Health): {}",
                    answered.message
                ));
            }
            DEADLINE_EXCEEDED => return Outcome::Failure(late()),
            code => {
                return Outcome::Failure(format!(
                    "error: health rpc probe failed: rpc error: code = {} desc = {}",
                    code_name(code),
                    answered.message
                ));
            }
        }
        match serving_status(&answered.body) {
            SERVING => Outcome::Success,
            other => Outcome::Failure(format!(
                "service unhealthy (responded with \"{}\")",
                serving_name(other)
            )),
        }
    }

    async fn call(&self, stream: TcpStream, address: SocketAddr) -> Result<Answered, String> {
        let text = |error: hyper::Error| wk_client::error_chain(&error);
        let io = TokioIo::new(stream);
        let executor = TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, io).await.map_err(text)?;
        let request = Request::post(format!("http://{address}{METHOD}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "kube-probe/1.36")
            .body(Full::new(question(&self.service)))
            .map_err(|error| error.to_string())?;
        let answered = async {
            let (head, mut body) = sender.send_request(request).await.map_err(text)?.into_parts();
            let mut answered = Answered::default();
            let mut told = answered.tell(&head.headers);
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(text)?;
                match frame.into_data() {
                    Ok(data) if answered.body.len() < ANSWER_BYTES => answered.body.extend(data),
                    Ok(_) => return Err("the answer is too long".to_owned()),
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        told |= answered.tell(&trailers);
                    }
                }
            }
            if told {
                return Ok(answered);
            }
            let status = head.status;
            Err(format!("unexpected HTTP status code received from server: {status}"))
        };
        tokio::select! {
            biased;
            answered = answered => answered,
            ended = connection => {
                Err(ended.err().map_or_else(|| "the connection was closed".to_owned(), text))
            }
        }
    }
}

impl Answered {
    /// Takes the status out of headers or trailers; false if it is not there.
    fn tell(&mut self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(status) = text("grpc-status").and_then(|status| status.parse().ok()) else {
            return false;
        };
        self.status = status;
        text("grpc-message").unwrap_or_default().clone_into(&mut self.message);
        true
    }
}

/// A message of one text, field 1, behind the five bytes that say how long it is.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0][..], &length, &message].concat().into()
}

/// Field 1 of an answer; 0, which is `UNKNOWN`, where it is not there.
fn serving_status(answer: &[u8]) -> u64 {
    let Some([0x08, rest @ ..]) = answer.get(5..) else { return 0 };
    let mut status = 0;
    for (place, byte) in rest.iter().take(9).enumerate() {
        status |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    status
}

fn serving_name(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        SERVING => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

fn code_name(code: u32) -> String {
    let names = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let name = usize::try_from(code).ok().and_then(|code| names.get(code));
    name.map_or_else(|| format!("Code({code})"), |name| (*name).to_owned())
}
