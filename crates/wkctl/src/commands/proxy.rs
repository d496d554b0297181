//! `proxy`: the API server on a local port, for programs that cannot log in to it.

mod filter;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use self::filter::{Filter, FilterArgs};
use crate::client::{Body, Client, Connection, clean, is_upgrade, whole};
use crate::duration;
use crate::session::Session;

const DEFAULT_PORT: u16 = 8001;

/// How long the head of a request may take.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// Arguments of `proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    /// Port to listen on; 0 for any
    #[arg(short, long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    address: String,
    /// Socket to listen on, instead of a port
    #[arg(short, long, value_name = "PATH")]
    unix_socket: Option<PathBuf>,
    /// Where the API is among the paths
    #[arg(long, value_name = "PREFIX", default_value = "/")]
    api_prefix: String,
    /// Put the path of the server's URL before every path
    #[arg(long)]
    append_server_path: bool,
    /// How often idle connections are probed, such as `30s`; 0 for the system's way
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    keepalive: String,
    #[command(flatten)]
    filter: FilterArgs,
}

/// What every request needs.
struct Proxy<'a> {
    session: &'a Session,
    client: &'a Client,
    filter: Option<Filter>,
    /// Ends with a slash.
    api_prefix: String,
    with_server_path: bool,
}

pub(crate) async fn run(session: &Session, args: ProxyArgs) -> anyhow::Result<()> {
    if args.port != DEFAULT_PORT && args.unix_socket.is_some() {
        bail!("cannot set --unix-socket and --port at the same time");
    }
    let console = &session.console;
    let client = session.client().await?;
    if !args.append_server_path && !client.server_path().is_empty() {
        console.warn(&format!(
            "Your kube context contains a server path {}, use --append-server-path to \
             automatically append the path to each request",
            client.server_path()
        ));
    }
    let filter = args.filter.compile()?;
    if filter.is_none() && args.unix_socket.is_none() {
        console.warn(
            "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious",
        );
    }
    let slash = if args.api_prefix.ends_with('/') { "" } else { "/" };
    let proxy = Proxy {
        session,
        client,
        filter,
        api_prefix: args.api_prefix + slash,
        with_server_path: args.append_server_path,
    };
    let started = |place: String| {
        console.line(format!("Starting to serve on {place}"))?;
        console.flush()
    };
    if let Some(path) = &args.unix_socket {
        let listener = listen_privately(path)?;
        started(path.display().to_string())?;
        return proxy.serve(async || Ok(listener.accept().await?.0)).await;
    }
    let keepalive = duration::parse(&args.keepalive)?;
    let listener = TcpListener::bind((args.address.as_str(), args.port))
        .await
        .with_context(|| format!("listen tcp {}:{}", args.address, args.port))?;
    started(listener.local_addr()?.to_string())?;
    let accept = async || {
        let (stream, _) = listener.accept().await?;
        if !keepalive.is_zero() {
            let often = TcpKeepalive::new().with_time(keepalive).with_interval(keepalive);
            SockRef::from(&stream).set_tcp_keepalive(&often)?;
        }
        Ok(stream)
    };
    proxy.serve(accept).await
}

/// Listens on a socket that only its owner can use. One that was left over makes room.
fn listen_privately(path: &Path) -> anyhow::Result<UnixListener> {
    let attempt = || format!("listen unix {}", path.display());
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path).with_context(attempt)?;
    }
    // Nobody else gets at it before its permissions are set.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = tempfile::Builder::new()
        .prefix(".wkctl-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(parent.unwrap_or(Path::new(".")))
        .with_context(attempt)?;
    let hidden = folder.path().join("socket");
    let listener = UnixListener::bind(&hidden).with_context(attempt)?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))
        .with_context(attempt)?;
    std::fs::rename(&hidden, path).with_context(attempt)?;
    Ok(listener)
}

impl Proxy<'_> {
    /// Serves connections until accepting fails.
    async fn serve<S>(&self, accept: impl AsyncFn() -> io::Result<S>) -> anyhow::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut connections = FuturesUnordered::new();
        loop {
            let accepted = pin!(accept());
            tokio::select! {
                accepted = accepted => {
                    let stream = accepted.context("cannot accept a connection")?;
                    connections.push(self.connection(stream));
                }
                Some(()) = connections.next(), if !connections.is_empty() => {}
            }
        }
    }

    /// Serves one connection; requests on it follow each other, and so do they on the server's.
    async fn connection<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let idle = RefCell::new(None);
        let upgraded = RefCell::new(None);
        let service = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(request, &idle, &upgraded).await)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        // A client that goes away is no fault.
        drop(served);
        let Some((near, far)) = upgraded.take() else { return };
        if let (Ok(near), Ok(far)) = tokio::join!(near, far) {
            let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
            _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        idle: &RefCell<Option<Connection>>,
        upgraded: &RefCell<Option<(OnUpgrade, OnUpgrade)>>,
    ) -> Response<Body> {
        let Some(path) = self.path(request.uri().path()) else {
            return plain(StatusCode::NOT_FOUND, "404 page not found\n");
        };
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        let accepts = |filter: &Filter| filter.accepts(request.method().as_str(), &path, &host);
        if !self.filter.as_ref().is_none_or(accepts) {
            return plain(StatusCode::FORBIDDEN, "Forbidden\n");
        }
        let query = request.uri().query().map_or(String::new(), |query| format!("?{query}"));
        let before = if self.with_server_path { self.client.server_path() } else { "" };
        let Ok(target) = format!("{before}{path}{query}").parse::<PathAndQuery>() else {
            return plain(StatusCode::BAD_REQUEST, "Bad Request\n");
        };
        let switches = is_upgrade(request.headers());
        let near = switches.then(|| hyper::upgrade::on(&mut request));
        let request = request.map(|body| body.map_err(io::Error::other).boxed_unsync());
        // A connection that changes its protocol is of no use to others.
        let mut connection = if switches { None } else { idle.take() };
        let answer = self.client.relay(request, &target, &mut connection).await;
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let text = format!("Error trying to reach service: '{error:#}'\n");
                self.session.console.note(text.trim_end());
                return plain(StatusCode::BAD_GATEWAY, &text);
            }
        };
        match near {
            Some(near) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                upgraded.replace(Some((near, hyper::upgrade::on(&mut answer))));
            }
            _ => {
                idle.replace(connection);
            }
        }
        clean(answer.headers_mut());
        answer.map(|body| body.map_err(io::Error::other).boxed_unsync())
    }

    /// The path of the API that a path of ours means, if it means one.
    fn path(&self, path: &str) -> Option<String> {
        // What is below `/api` of the server is there here as well.
        if self.api_prefix.starts_with("/api") {
            return path.starts_with(&self.api_prefix).then(|| path.to_owned());
        }
        Some(format!("/{}", path.strip_prefix(&self.api_prefix)?))
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    let mut response = Response::new(whole(text.to_owned().into()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
