//! Asks kubelets what is used, while somebody wants to know.
//!
//! Nothing is asked at rest. A rate needs two samples: who asks regularly gets what was used since
//! the time before; who asks for the first time waits for a second sample a moment later.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Limited};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::figures::{self, Figures};
use super::text::{self, Sample};
use crate::connect::relay;
use crate::server::ApiServer;

/// Figures up to this age are told again. It is less than the 15 s in which autoscalers come back, so
/// that each of their rounds has figures of its own.
const FRESH: Duration = Duration::from_secs(10);
/// What was used since longer ago than this says nothing about now.
const STALE: Duration = Duration::from_mins(1);
/// The time between the two samples that the first rates are made of.
const FIRST_WINDOW: Duration = Duration::from_secs(1);
/// How long a kubelet may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many kubelets are asked at a time.
const AT_ONCE: usize = 32;
/// The most bytes of an answer: some thousand containers.
const MOST_BYTES: usize = 16 << 20;

/// What is known of the nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// By name; the lock of each is held while its kubelet is asked, so that all who want to know
    /// at once ask once.
    histories: Mutex<HashMap<String, Arc<tokio::sync::Mutex<History>>>>,
    asking: Semaphore,
}

#[derive(Debug, Default)]
struct History {
    last: Option<(Instant, Sample)>,
    /// What was found out last, or that nothing could be.
    told: Option<(Instant, Option<Arc<Figures>>)>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { histories: Mutex::default(), asking: Semaphore::new(AT_ONCE) }
    }
}

impl Nodes {
    /// What the node uses now; `None` if its kubelet cannot be reached.
    pub(super) async fn figures(&self, server: &ApiServer, node: &str) -> Option<Arc<Figures>> {
        let history = Arc::clone(self.histories.lock().entry(node.to_owned()).or_default());
        let mut history = history.lock().await;
        if let Some((at, told)) = &history.told
            && at.elapsed() < FRESH
        {
            return told.clone();
        }
        loop {
            let asked = Instant::now();
            let sample = self.ask(server, node).await;
            let now = Instant::now();
            let sample = match sample {
                Ok(sample) => sample,
                Err(reason) => {
                    debug!(node, reason, "what the node uses cannot be found out");
                    *history = History { last: None, told: Some((now, None)) };
                    return None;
                }
            };
            let before = history.last.replace((asked, sample));
            let (Some((then, before)), Some((_, sample))) = (before, &history.last) else {
                sleep(FIRST_WINDOW).await;
                continue;
            };
            if asked.duration_since(then) >= STALE {
                sleep(FIRST_WINDOW).await;
                continue;
            }
            let told = Arc::new(figures::between(&before, sample));
            history.told = Some((now, Some(Arc::clone(&told))));
            return Some(told);
        }
    }

    /// Forgets all nodes but these.
    pub(super) fn keep(&self, known: &HashSet<String>) {
        self.histories.lock().retain(|node, _| known.contains(node));
    }

    async fn ask(&self, server: &ApiServer, node: &str) -> Result<Sample, String> {
        let _turn = self.asking.acquire().await.map_err(|closed| closed.to_string())?;
        let answer = timeout(DEADLINE, page(server, node)).await;
        let page = answer.map_err(|_late| "no answer in time".to_owned())??;
        text::read(&page).ok_or_else(|| "the answer holds no figures".to_owned())
    }
}

async fn page(server: &ApiServer, node: &str) -> Result<String, String> {
    let mut kubelet = relay::kubelet(server, node).await?;
    let request = Request::get("/metrics/resource").header(HOST, "kubelet").body(Body::empty());
    let request = request.map_err(|error| error.to_string())?;
    let response = kubelet.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the kubelet answered {}", response.status()));
    }
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    let bytes = body.map_err(|error| error.to_string())?.to_bytes();
    String::from_utf8(bytes.into()).map_err(|error| error.to_string())
}
