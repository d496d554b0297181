//! A GET over HTTP or HTTPS, as probes and hooks send it.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{Outcome, authority, connect, insecure, port_number};

/// The most of an answer's body that is read, as in Kubernetes.
const BODY_BYTES: usize = 10 << 10;
/// The most redirects that are followed.
const REDIRECTS: usize = 10;

/// A request that can be sent again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpGet {
    tls: bool,
    host: Option<String>,
    port: u16,
    path: String,
    headers: Vec<(String, String)>,
}

/// An answer, as far as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    location: Option<String>,
}

/// Why there was no answer.
#[derive(Debug)]
enum Fault {
    /// The server speaks plain HTTP where TLS is expected.
    PlainText,
    Text(String),
}

impl HttpGet {
    /// What a specification says, for one container.
    ///
    /// # Errors
    /// If the container has no such port.
    pub(crate) fn of(action: &HTTPGetAction, container: &Container) -> Result<Self, String> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = action.http_headers.iter().flatten();
        let path = action.path.as_deref().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            tls: action
                .scheme
                .as_deref()
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            host: action.host.clone().filter(|host| !host.is_empty()),
            port: port_number(&action.port, container)?,
            path: format!("{slash}{path}"),
            headers: headers.map(|one| header(&one.name, &one.value)).collect(),
        })
    }

    /// Whether the server is well: an answer below 400, within `timeout` for all of it.
    pub(crate) async fn check(&self, ip: IpAddr, timeout: Duration) -> Outcome {
        match self.followed(ip, Instant::now() + timeout).await {
            Err(text) => Outcome::Failure(text),
            Ok(answer) if answer.status.is_redirection() => Outcome::Warning(format!(
                "Probe terminated redirects, Response body: {}",
                answer.body
            )),
            Ok(answer) if (200..400).contains(&answer.status.as_u16()) => Outcome::Success,
            Ok(answer) => Outcome::Failure(format!(
                "HTTP probe failed with statuscode: {}",
                answer.status.as_u16()
            )),
        }
    }

    /// The answer of a hook's server; a server that does not speak TLS is asked without it.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn call(&self, ip: IpAddr, timeout: Duration) -> Result<Answer, String> {
        let deadline = Instant::now() + timeout;
        match self.send(ip, deadline, "kube-lifecycle").await {
            Ok(answer) => Ok(answer),
            Err(Fault::PlainText) if self.tls => {
                let plain = Self { tls: false, ..self.clone() };
                let answer = plain.send(ip, deadline, "kube-lifecycle").await;
                answer.map_err(|fault| plain.text(ip, fault))
            }
            Err(fault) => Err(self.text(ip, fault)),
        }
    }

    /// The answer after redirects to the same host.
    async fn followed(&self, ip: IpAddr, deadline: Instant) -> Result<Answer, String> {
        let mut request = self.clone();
        for _ in 0..=REDIRECTS {
            let answer = request.send(ip, deadline, "kube-probe").await;
            let answer = answer.map_err(|fault| request.text(ip, fault))?;
            let next = answer.location.as_deref().filter(|_| answer.status.is_redirection());
            match next.and_then(|location| request.redirected(ip, location)) {
                Some(next) => request = next,
                None => return Ok(answer),
            }
        }
        Err(request.text(ip, Fault::Text(format!("stopped after {REDIRECTS} redirects"))))
    }

    /// The request that a redirect leads to; `None` if it leads to another host.
    fn redirected(&self, ip: IpAddr, location: &str) -> Option<Self> {
        let uri: Uri = location.parse().ok()?;
        let mut next = self.clone();
        if let Some(host) = uri.host() {
            let own = self.host.clone().unwrap_or_else(|| ip.to_string());
            if host.trim_matches(['[', ']']) != own {
                return None;
            }
            next.tls = match uri.scheme_str() {
                Some("http") => false,
                Some("https") => true,
                _ => return None,
            };
            next.port = uri.port_u16().unwrap_or(if next.tls { 443 } else { 80 });
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        next.path = if path.starts_with('/') {
            path.to_owned()
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{path}")
        };
        Some(next)
    }

    fn url(&self, ip: IpAddr) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", authority(self.host.as_deref(), ip, self.port), self.path)
    }

    fn text(&self, ip: IpAddr, fault: Fault) -> String {
        let why = match fault {
            Fault::PlainText => "http: server gave HTTP response to HTTPS client".to_owned(),
            Fault::Text(text) => text,
        };
        format!("Get \"{}\": {why}", self.url(ip))
    }

    async fn send(&self, ip: IpAddr, deadline: Instant, agent: &str) -> Result<Answer, Fault> {
        let host = self.host.as_deref();
        let left = deadline.saturating_duration_since(Instant::now());
        let stream = connect(host, ip, self.port, left).await.map_err(Fault::Text)?;
        let answered = async {
            if self.tls {
                let stream = insecure::connect(stream, host, ip)
                    .await
                    .map_err(|error| handshake_fault(&error))?;
                self.exchange(stream, ip, agent).await
            } else {
                self.exchange(stream, ip, agent).await
            }
        };
        tokio::time::timeout_at(deadline, answered).await.unwrap_or_else(|_| {
            let text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
            Err(Fault::Text(text.to_owned()))
        })
    }

    async fn exchange<S>(&self, stream: S, ip: IpAddr, agent: &str) -> Result<Answer, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(|error| broken(&error))?;
        let mut request = http::Request::get(&self.path)
            .body(Empty::<Bytes>::new())
            .map_err(|error| Fault::Text(error.to_string()))?;
        *request.headers_mut() = self.all_headers(ip, agent)?;
        let answered = async {
            let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
            let (head, mut body) = answer.into_parts();
            let mut read = Vec::new();
            while read.len() < BODY_BYTES
                && let Some(frame) = body.frame().await
            {
                let frame = frame.map_err(|error| broken(&error))?;
                read.extend(frame.into_data().unwrap_or_default());
            }
            read.truncate(BODY_BYTES);
            let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            Ok(Answer {
                status: head.status,
                body: String::from_utf8_lossy(&read).into_owned(),
                location: location.map(str::to_owned),
            })
        };
        let mut answered = std::pin::pin!(answered);
        tokio::select! {
            biased;
            answer = &mut answered => answer,
            ended = connection => match ended {
                // A server that closes as it answers has answered.
                Ok(()) => answered.await,
                Err(error) => Err(broken(&error)),
            },
        }
    }

    fn all_headers(&self, ip: IpAddr, agent: &str) -> Result<HeaderMap, Fault> {
        let text = |error: &dyn std::fmt::Display| Fault::Text(error.to_string());
        let mut all = HeaderMap::new();
        let mut named = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: http::HeaderName = name.parse().map_err(|error| text(&error))?;
            let value: http::HeaderValue = value.parse().map_err(|error| text(&error))?;
            named.append(name, value);
        }
        let default = |all: &mut HeaderMap, name, value: &str| {
            if let Ok(value) = value.parse() {
                all.insert(name, value);
            }
        };
        default(&mut all, HOST, &authority(self.host.as_deref(), ip, self.port));
        default(&mut all, USER_AGENT, &format!("{agent}/1.36"));
        default(&mut all, ACCEPT, "*/*");
        for name in named.keys() {
            all.remove(name);
        }
        for (name, value) in &named {
            // An empty one takes the default away.
            if !(value.is_empty() && [USER_AGENT, ACCEPT].contains(name)) {
                all.append(name.clone(), value.clone());
            }
        }
        Ok(all)
    }
}

fn broken(error: &hyper::Error) -> Fault {
    if error.is_incomplete_message() || error.is_closed() {
        return Fault::Text("EOF".to_owned());
    }
    Fault::Text(wk_client::error_chain(error))
}

fn handshake_fault(error: &io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        // What is no TLS at all is most often an answer in plain text.
        Some(rustls::Error::InvalidMessage(_)) => Fault::PlainText,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Text("EOF".to_owned()),
        _ => Fault::Text(format!("remote error: {error}")),
    }
}

#[cfg(test)]
mod tests;
