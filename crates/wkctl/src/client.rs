//! A thin client: HTTP/1.1 over TLS, one connection for all requests of the process.
//!
//! A command lives for some milliseconds, most of which would go into setting up a client that can do
//! more. A second connection is made only while the first one carries a stream.

mod relay;
mod tls;
mod upgrade;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::Stream;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT,
};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wk_process::TaskGroup;

use crate::console::Console;
use crate::error::{StatusError, hinted};
use crate::kubeconfig::Access;

pub(crate) use self::relay::{clean, is_upgrade};
pub(crate) use self::upgrade::Switched;

/// Objects as they are.
pub(crate) const JSON: &str = "application/json";
/// Objects as rows for people.
pub(crate) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;\
                                as=Table;v=v1beta1;g=meta.k8s.io,application/json";

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The body of a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) type Connection = SendRequest<Body>;

/// A body that is made while it is sent.
pub(crate) fn streamed(
    pieces: impl Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static,
) -> Body {
    StreamBody::new(pieces).boxed_unsync()
}

/// A body that is there at once.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A request, less what is the same for all.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) accept: &'static str,
    /// The content type and the body, if there is one.
    pub(crate) body: Option<(&'static str, Bytes)>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), accept: JSON, body: None }
    }

    pub(crate) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(crate) fn with(method: Method, path: String, body: &Value) -> Self {
        Self { method, path, accept: JSON, body: Some((JSON, body.to_string().into())) }
    }

    pub(crate) fn patch(path: String, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = Some((content_type, body.into()));
        Self { method: Method::PATCH, path, accept: JSON, body }
    }
}

/// The way to one API server.
pub(crate) struct Client {
    access: Access,
    host: String,
    port: u16,
    /// What stands before every path, such as `/proxy/cluster`.
    prefix: String,
    authority: HeaderValue,
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
    deadline: Option<Duration>,
    idle: Mutex<Option<Connection>>,
    tasks: TaskGroup,
    console: Arc<Console>,
    warned: Mutex<Vec<String>>,
}

impl Client {
    /// A client; nothing is connected yet. `deadline` is for a single request.
    pub(crate) fn new(
        access: Access,
        deadline: Option<Duration>,
        console: Arc<Console>,
    ) -> anyhow::Result<Self> {
        let wrong = || format!("`{}` in {} is not a URL", access.server, access.source);
        let url: http::Uri = access.server.parse().with_context(wrong)?;
        let (host, authority) = (url.host().with_context(wrong)?, url.authority());
        let secure = url.scheme_str() != Some("http");
        let authorization = access.token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        });
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            prefix: url.path().trim_end_matches('/').to_owned(),
            authority: HeaderValue::from_str(authority.map_or("", |part| part.as_str()))?,
            authorization: authorization.transpose().context("malformed token")?,
            tls: if secure { Some(tls::connector(&access)?) } else { None },
            deadline,
            idle: Mutex::default(),
            tasks: TaskGroup::new("connections"),
            console,
            warned: Mutex::default(),
            access,
        })
    }

    /// URL of the server.
    pub(crate) fn server(&self) -> &str {
        &self.access.server
    }

    /// Sends a request and reads the whole answer, which must be good.
    pub(crate) async fn bytes(&self, call: Call) -> anyhow::Result<Bytes> {
        let work = async {
            let (response, connection) = self.exchange(&call).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.with_context(|| self.broke_off())?.to_bytes();
            *self.idle.lock() = Some(connection);
            if head.status.is_success() {
                Ok(body)
            } else {
                Err(StatusError::new(head.status.as_u16(), &body).into())
            }
        };
        match self.deadline {
            None => work.await,
            Some(deadline) => tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
                Err(hinted(
                    format!("{} did not answer within {deadline:?}", self.server()),
                    "allow it more time with `--request-timeout`",
                ))
            }),
        }
    }

    /// Sends a request whose answer is an object.
    pub(crate) async fn object(&self, call: Call) -> anyhow::Result<Value> {
        let body = self.bytes(call).await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("the answer of {} is not JSON", self.server()))
    }

    /// Sends a request whose answer comes bit by bit.
    pub(crate) async fn stream(&self, call: Call) -> anyhow::Result<Incoming> {
        let (response, _) = self.exchange(&call).await?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let body = body.collect().await.with_context(|| self.broke_off())?.to_bytes();
        Err(StatusError::new(head.status.as_u16(), &body).into())
    }

    /// Puts a body of this length on a connection of its own, and reads the answer, which must be
    /// good. It may take any time.
    pub(crate) async fn upload(
        &self,
        path: &str,
        length: u64,
        body: Body,
    ) -> anyhow::Result<Bytes> {
        let call = Call {
            method: Method::PUT,
            path: path.to_owned(),
            accept: JSON,
            body: Some(("application/octet-stream", Bytes::new())),
        };
        let (mut head, _) = self.request(&call)?.into_parts();
        head.headers.insert(CONTENT_LENGTH, length.into());
        let mut connection = self.connect().await?;
        let request = Request::from_parts(head, body);
        let response = connection.send_request(request).await.with_context(|| self.broke_off())?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.with_context(|| self.broke_off())?.to_bytes();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(StatusError::new(head.status.as_u16(), &body).into())
    }

    fn broke_off(&self) -> String {
        format!("the connection to {} broke off", self.server())
    }

    /// One request on the idle connection or, if there is none or it has died, on a new one.
    async fn exchange(&self, call: &Call) -> anyhow::Result<(Response<Incoming>, Connection)> {
        let mut idle = self.idle.lock().take();
        if let Some(connection) = &mut idle
            && connection.ready().await.is_err()
        {
            idle = None;
        }
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = match connection.send_request(self.request(call)?).await {
            Ok(response) => response,
            // The server closed the connection before it saw the request.
            Err(error) if error.is_canceled() => {
                connection = self.connect().await?;
                let request = self.request(call)?;
                connection.send_request(request).await.with_context(|| self.broke_off())?
            }
            Err(error) => return Err(error).with_context(|| self.broke_off()),
        };
        self.pass_on_warnings(response.headers());
        Ok((response, connection))
    }

    fn request(&self, call: &Call) -> anyhow::Result<Request<Body>> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.prefix, call.path))
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("wkctl/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, call.accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(user) = &self.access.as_user {
            request = request.header("impersonate-user", user);
        }
        for group in &self.access.as_groups {
            request = request.header("impersonate-group", group);
        }
        let body = match &call.body {
            None => Bytes::new(),
            Some((content_type, body)) => {
                request = request.header(CONTENT_TYPE, *content_type);
                body.clone()
            }
        };
        request.body(whole(body)).with_context(|| format!("`{}` is not a path", call.path))
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        match tokio::time::timeout(CONNECT_DEADLINE, self.try_connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(self.unreachable(&format!("no answer within {CONNECT_DEADLINE:?}"))),
        }
    }

    async fn try_connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.handshake(stream).await,
            Some(tls) => {
                let name = self.access.tls_server_name.as_ref().unwrap_or(&self.host);
                let name = rustls::pki_types::ServerName::try_from(name.clone())?;
                self.handshake(tls.connect(name, stream).await?).await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> anyhow::Result<Connection>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ends is seen by whoever waits for an answer on it.
        self.tasks.spawn_quiet("connection", async { _ = connection.with_upgrades().await });
        Ok(sender)
    }

    fn explain(&self, error: &anyhow::Error) -> anyhow::Error {
        match error.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => hinted(
                format!(
                    "The connection to the server {}:{} was refused - did you specify the right \
                     host or port?",
                    self.host, self.port
                ),
                format!(
                    "the address is from {}; start the cluster with `wk up`, or name another one \
                     with `--kubeconfig`",
                    self.access.source
                ),
            ),
            _ => self.unreachable(&format!("{error:#}")),
        }
    }

    fn unreachable(&self, why: &str) -> anyhow::Error {
        hinted(
            format!("Unable to connect to the server {}: {why}", self.server()),
            format!(
                "the address and the certificates are from {}; check that they belong to the \
                 cluster that runs there",
                self.access.source
            ),
        )
    }

    /// Prints each warning of the server once.
    fn pass_on_warnings(&self, headers: &HeaderMap) {
        for value in headers.get_all(http::header::WARNING) {
            let Some(text) = value.to_str().ok().and_then(warning_text) else { continue };
            let mut warned = self.warned.lock();
            if !warned.contains(&text) {
                self.console.warn(&text);
                warned.push(text);
            }
        }
    }
}

/// The text of a header `299 - "text"`.
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_from_their_quotes() {
        for (header, expected) in [
            (r#"299 - "unknown field \"spec.x\"""#, Some(r#"unknown field "spec.x""#)),
            (r#"299 - "a""#, Some("a")),
            ("299 - a", None),
            (r#"299 - "a"#, None),
        ] {
            assert_eq!(warning_text(header).as_deref(), expected, "{header}");
        }
    }
}
