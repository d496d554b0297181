//! The server: its parts, and how it starts.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::Request;
use wk_api::{GroupVersion, GroupVersionResource};
use wk_auth::{Authorizer, TokenSigner};
use wk_process::{BoxError, TaskGroup};
use wk_resources::Definition;
use wk_store::{Revision, StoreError};

use crate::admission::Admission;
use crate::cache::{Cache, FeedError};
use crate::catalog::{Catalog, Resource};
use crate::config::{BootstrapConfig, Config, Release, ServiceCidr};
use crate::dialer::NodeDialer;
use crate::housekeeping::Housekeeping;
use crate::impersonate::LastModes;
use crate::metrics::Metrics;
use crate::openapi::Documents;
use crate::services::Services;
use crate::storage::Storage;
use crate::{admission, events, handle, housekeeping, seed, usage};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store does not work.
    #[error("the API server cannot read its store")]
    Store(#[from] StoreError),
    /// What is in the store cannot be read.
    #[error("the API server cannot load what is stored")]
    Load(#[source] BoxError),
    /// The objects that are always there could not be made.
    #[error("the API server cannot make its own objects")]
    Seed(#[from] wk_api::ApiError),
    /// The kinds that the server itself is about are not among those served.
    #[error("the API server has no kind `{0}`")]
    Kind(&'static str),
}

/// The API server. It works until its task group is cancelled.
pub struct ApiServer {
    pub(crate) catalog: Catalog,
    pub(crate) namespaces: Arc<Resource>,
    pub(crate) storage: Storage,
    pub(crate) services: Arc<Services>,
    pub(crate) admission: Admission,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) tokens: Arc<TokenSigner>,
    pub(crate) dialer: Arc<dyn NodeDialer>,
    pub(crate) bootstrap: Option<BootstrapConfig>,
    pub(crate) release: Release,
    pub(crate) cidr: ServiceCidr,
    pub(crate) advertise: Option<SocketAddr>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) openapi: Documents,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) usage: usage::Nodes,
    pub(crate) impersonation: LastModes,
    pub(crate) tasks: TaskGroup,
}

/// Why a kind is not served.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// Another kind is served under its path.
    #[error("`{0}` is served already")]
    Taken(GroupVersionResource),
    /// It is a view of a kind that is not served.
    #[error("there is no kind `{2}` in `{0}/{1}`")]
    NoOriginal(&'static str, &'static str, &'static str),
    /// What is stored of it cannot be read.
    #[error("what is stored of the kind cannot be read")]
    Load(#[source] BoxError),
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").field("release", &self.release).finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Starts a server: fills its cache, makes what is always there, and keeps both up in tasks of
    /// the group.
    ///
    /// # Errors
    /// [`StartError`] by variant.
    pub async fn start(config: Config, tasks: &TaskGroup) -> Result<Arc<Self>, StartError> {
        let base = config.store.base().await?;
        let cache = Cache::new(Arc::clone(&config.store), base);
        let kinds = [wk_resources::builtin(), wk_resources::measured()].concat();
        let catalog = Catalog::new(&kinds, &cache);
        let namespaces = admission::namespaces(&catalog).ok_or(StartError::Kind("namespaces"))?;
        let cache = Arc::new(cache);
        let from = cache.load().await.map_err(|error| StartError::Load(error.into()))?;
        let server = Arc::new(Self {
            namespaces,
            storage: Storage { store: config.store, cache: Arc::clone(&cache) },
            services: Arc::new(Services::new(config.service_cidr)),
            admission: Admission::new(config.tolerations),
            authorizer: config.authorizer,
            tokens: config.tokens,
            dialer: config.dialer,
            bootstrap: config.bootstrap,
            release: config.release,
            cidr: config.service_cidr,
            advertise: config.advertise,
            metrics: Metrics::new(),
            openapi: Documents::default(),
            housekeeping: Housekeeping::default(),
            usage: usage::Nodes::default(),
            impersonation: LastModes::default(),
            tasks: tasks.clone(),
            catalog,
        });
        tasks.spawn("apiserver cache", feed(cache, from, tasks.clone()));
        if let Some(services) = server.catalog.get("", "v1", "services") {
            server.services.load(&services.shelf);
            let (own, shelf) = (Arc::clone(&server.services), Arc::clone(&services.shelf));
            let token = tasks.token();
            tasks.spawn("apiserver services", async move { own.follow(&shelf, token).await });
        }
        tasks.spawn("apiserver events", events::expire(Arc::clone(&server), config.event_ttl));
        tasks.spawn("apiserver housekeeping", housekeeping::run(Arc::clone(&server)));
        seed::seed(&server).await?;
        Ok(server)
    }

    /// Tells under `/metrics` from now on what a component in this process measures, too: `source`
    /// tells it in the format of `OpenMetrics` whenever somebody asks.
    pub fn measure(&self, source: impl Fn() -> String + Send + Sync + 'static) {
        self.metrics.add(Box::new(source));
    }

    /// Serves one kind more from now on, with the objects that are stored of it, in discovery and in
    /// the documents, too. Requests under way see the kinds as they were.
    ///
    /// # Errors
    /// [`KindError`] by variant; then nothing has changed.
    pub async fn add_kind(&self, definition: Definition) -> Result<(), KindError> {
        let definition = Arc::new(definition);
        let gvr = definition.gvr();
        if self.catalog.get(&gvr.group, &gvr.version, &gvr.resource).is_some() {
            return Err(KindError::Taken(gvr));
        }
        let shelf = match definition.stored_as {
            None => {
                let filled = self.storage.cache.filled_shelf(&definition).await;
                filled.map_err(|error| KindError::Load(error.into()))?
            }
            Some(place) => {
                let kinds = self.catalog.kinds();
                let original = kinds.find(place);
                let original = original.ok_or(KindError::NoOriginal(place.0, place.1, place.2))?;
                Arc::clone(&original.shelf)
            }
        };
        if !self.catalog.add(&definition, shelf) {
            return Err(KindError::Taken(gvr));
        }
        self.openapi.forget(&GroupVersion::new(gvr.group, gvr.version));
        Ok(())
    }

    /// The server as a service for callers in the same process. Who asks is the
    /// [`wk_auth::User`] in the request's extensions; without one it is nobody known.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }
}

async fn answer(
    State(server): State<Arc<ApiServer>>,
    request: Request<Body>,
) -> axum::response::Response {
    handle::handle(server, request).await
}

async fn feed(cache: Arc<Cache>, from: Revision, tasks: TaskGroup) -> Result<(), BoxError> {
    let fed: Result<(), FeedError> = cache.feed(from, tasks.token()).await;
    Ok(fed?)
}
