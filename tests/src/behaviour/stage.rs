//! A cluster of one runtime, and what is played on it.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, stream};
use kube::Client;
use serde_json::json;
use wk_client::connect;

use super::watched::Watched;
use super::{Case, Scene};
use crate::{Cluster, DockerEngine, LinuxImage, Options, PATIENCE, example};

/// Processes that a Linux container may have: few enough to be used up soon.
const MAX_PIDS: &str = "--pod-max-pids=64";

/// What runs the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The Wasm runtime in the process of `wk up`.
    Wasm,
    /// The same in a process of its own, `wk wasm-host`.
    WasmHost,
    /// A container engine.
    Docker,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Wasm, Self::WasmHost, Self::Docker];

    /// Its name in cases. Where a runtime is makes no difference there.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasm | Self::WasmHost => "wasm",
            Self::Docker => "docker",
        }
    }

    /// How many cases are played at a time: starting a Linux container is work.
    fn at_once(self) -> usize {
        match self {
            Self::Wasm | Self::WasmHost => 16,
            Self::Docker => 8,
        }
    }
}

/// A cluster whose pods one runtime runs, and the guest's image in its registry.
pub struct Stage {
    // In this order: the engine goes last.
    pub(super) cluster: Arc<Cluster>,
    engine: Option<DockerEngine>,
    pub(super) subject: Subject,
    pub(super) client: Client,
    pub(super) watched: Watched,
    /// The guest as an image.
    pub(super) image: String,
}

impl fmt::Debug for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stage").field("subject", &self.subject).finish_non_exhaustive()
    }
}

type Act = dyn for<'s> Fn(&'s Scene<'s>) -> Pin<Box<dyn Future<Output = ()> + 's>>;

/// Something to be played, by name.
pub struct Play {
    name: String,
    act: Box<Act>,
}

impl fmt::Debug for Play {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Play").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Play {
    /// One in code; it panics if something is not as it should be.
    pub fn new(
        name: &str,
        act: impl for<'s> Fn(&'s Scene<'s>) -> Pin<Box<dyn Future<Output = ()> + 's>> + 'static,
    ) -> Self {
        Self { name: name.to_owned(), act: Box::new(act) }
    }
}

impl From<Case> for Play {
    fn from(case: Case) -> Self {
        let Case { name, steps } = case;
        let steps: Arc<[serde_json::Value]> = steps.into();
        Self {
            name,
            act: Box::new(move |scene| {
                let steps = Arc::clone(&steps);
                Box::pin(async move {
                    for (number, step) in steps.iter().enumerate() {
                        scene.step(number + 1, step).await;
                    }
                })
            }),
        }
    }
}

impl Stage {
    /// Starts a cluster, and for [`Subject::Docker`] an engine, which needs root. It is the one place that
    /// knows how a subject comes to be.
    ///
    /// # Panics
    /// If something does not become ready.
    pub async fn start(subject: Subject) -> Self {
        Self::start_with(subject, &[]).await
    }

    /// The same with further arguments of `wk up`.
    ///
    /// # Panics
    /// If something does not become ready.
    pub async fn start_with(subject: Subject, arguments: &[&str]) -> Self {
        let engine = (subject == Subject::Docker).then(DockerEngine::start);
        let none = || "--container-engine=none".to_owned();
        let mut all = vec![engine.as_ref().map_or_else(none, DockerEngine::argument)];
        let own_process = (subject == Subject::WasmHost).then_some("--wasm-host=process");
        all.extend(own_process.map(str::to_owned));
        all.extend([MAX_PIDS].iter().chain(arguments).map(|one| (*one).to_owned()));
        let cluster = Cluster::start_with(Options { arguments: all, ..Options::default() });
        let image = match subject {
            Subject::Wasm | Subject::WasmHost => cluster.push_example("testguest"),
            Subject::Docker => {
                let config = json!({"Entrypoint": ["testguest"], "Env": ["PATH=/bin"]});
                let program = example("testguest").with_extension("");
                let image = LinuxImage::of_program("testguest", &program, &config);
                image.push(&cluster.registry(), "testguest")
            }
        };
        let client = connect::from_kubeconfig(&cluster.kubeconfig()).await;
        Self {
            cluster: Arc::new(cluster),
            engine,
            subject,
            client: client.expect("the kubeconfig is good"),
            watched: Watched::new(),
            image,
        }
    }

    /// What runs the pods.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The guest's image.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The engine, if it is one that runs the pods.
    pub fn engine(&self) -> Option<&DockerEngine> {
        self.engine.as_ref()
    }

    /// Plays all of these, many at a time, each in a namespace of its own. `WK_CASE` has only those
    /// played whose names contain it.
    ///
    /// # Panics
    /// If any fails, once all are over; the message has each by name.
    pub async fn play(&self, plays: Vec<Play>) {
        let wanted = std::env::var("WK_CASE").unwrap_or_default();
        let plays = plays.into_iter().filter(|play| play.name.contains(&wanted)).enumerate();
        let playing = stream::iter(plays)
            .map(|(number, play)| self.one(number, play))
            .buffer_unordered(self.subject.at_once())
            .filter_map(std::future::ready)
            .collect::<Vec<String>>();
        let failed = tokio::select! {
            failed = playing => failed,
            () = self.watched.watch(&self.client) => panic!("the watches ended"),
        };
        assert!(failed.is_empty(), "{} failed:\n\n{}", failed.len(), failed.join("\n\n"));
    }

    /// Plays one and tells why it failed, if it did.
    async fn one(&self, number: usize, play: Play) -> Option<String> {
        let namespace = format!("case-{number}");
        let played = async {
            let scene = Scene::open(self, namespace.clone()).await;
            (play.act)(&scene).await;
            scene.close().await;
        };
        let played = AssertUnwindSafe(played).catch_unwind();
        let fault = match tokio::time::timeout(2 * PATIENCE, played).await {
            Ok(Ok(())) => return None,
            Ok(Err(panic)) => message(&*panic).to_owned(),
            Err(_) => "it takes too long".to_owned(),
        };
        Some(format!("{} ({namespace}): {fault}", play.name))
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}
