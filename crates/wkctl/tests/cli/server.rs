//! A server that answers as the test says, and remembers what it was asked.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use wk_process::TaskGroup;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
    /// Which connection it came on.
    pub(crate) connection: usize,
}

/// An answer: status, body, and a warning.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) warning: Option<&'static str>,
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        let code = body.get("code").and_then(Value::as_u64).unwrap_or(200);
        let status = u16::try_from(code).unwrap();
        Self { status, body: body.to_string(), warning: None }
    }
}

/// Several documents, a line each, as a watch sends them.
pub(crate) fn lines(lines: &[Value]) -> Answer {
    let body = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    Answer { status: 200, body, warning: None }
}

/// The refusal of an object that does not exist.
pub(crate) fn not_found(resource: &str, name: &str) -> Answer {
    serde_json::json!({
        "kind": "Status", "code": 404, "reason": "NotFound",
        "message": format!("{resource} {name:?} not found"),
        "details": {"kind": resource, "name": name},
    })
    .into()
}

/// The server, and a folder with the kubeconfig for it.
pub(crate) struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    pub(crate) folder: TempDir,
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, "", answer)
    }

    /// With TLS, and what a kubeconfig needs for it.
    pub(crate) fn start_with(
        tls: Option<TlsAcceptor>,
        credentials: &str,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let tasks = TaskGroup::new("server");
        let service = Service { asked: Arc::clone(&asked), answer: Arc::new(answer) };
        let group = tasks.clone();
        runtime.block_on(async {
            tasks.spawn_quiet("listen", async move {
                for connection in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (service, tls) = (service.clone(), tls.clone());
                    group.spawn_quiet("serve", async move {
                        match tls {
                            None => service.serve(stream, connection).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    service.serve(stream, connection).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        let folder = TempDir::new().unwrap();
        let (cluster, user) = credentials.split_once('|').unwrap_or(("", ""));
        let config = format!(
            "{{current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}],\
             clusters: [{{name: k, cluster: {{server: \"{url}\", {cluster}}}}}],\
             users: [{{name: u, user: {{{user}}}}}]}}"
        );
        std::fs::write(folder.path().join("kubeconfig"), config).unwrap();
        Self { asked, folder, _runtime: runtime }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// `METHOD path` of each request.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// Writes a file beside the kubeconfig.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs `wkctl` in the folder.
    pub(crate) fn run(&self, line: &str) -> Run {
        run(self.folder.path(), &line.split_whitespace().collect::<Vec<_>>())
    }
}

/// Runs `wkctl` with nothing of the surroundings but a kubeconfig in `folder`.
pub(crate) fn run(folder: &Path, words: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_wkctl"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HOME", folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let Output { status, stdout, stderr } = output;
    Run { out: text(&stdout), err: text(&stderr), code: status.code().unwrap() }
}

/// What a run printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Run {
    #[track_caller]
    pub(crate) fn prints(&self, out: &str) {
        assert_eq!((self.out.as_str(), self.code), (out, 0), "{self:?}");
    }

    #[track_caller]
    pub(crate) fn fails(&self, err: &str) {
        assert_eq!((self.err.as_str(), self.code), (err, 1), "{self:?}");
    }
}

#[derive(Clone)]
struct Service {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<dyn Fn(&Asked) -> Answer + Send + Sync>,
}

impl Service {
    async fn serve<S>(&self, stream: S, connection: usize)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let service = service_fn(|request| self.answer(request, connection));
        // The client ends when it has what it wants.
        _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: usize,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| {
            head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let asked = Asked {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            accept: header("accept"),
            content_type: header("content-type"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            connection,
        };
        let answer = (self.answer)(&asked);
        self.asked.lock().push(asked);
        let mut response = Response::builder().status(answer.status);
        if let Some(warning) = answer.warning {
            response = response.header("warning", format!("299 - \"{warning}\""));
        }
        Ok(response.body(Full::new(answer.body.into())).unwrap())
    }
}
