//! The cluster's runtime classes: which handler a pod's `runtimeClassName` means.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::node::v1::RuntimeClass;
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use wk_client::Informer;
use wk_process::TaskGroup;

use crate::saved::Saved;

/// How long a first pod with a class waits for the classes to be known.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// The handlers of all runtime classes, in one watch for all pods.
#[derive(Debug)]
pub(crate) struct RuntimeClasses {
    handlers: Informer<Box<str>>,
    /// Those that were kept for a start without the API server.
    kept: Mutex<HashSet<String>>,
}

impl RuntimeClasses {
    /// Watches the classes, in a task of `group`.
    pub(crate) fn watch(client: Client, group: &TaskGroup) -> Self {
        let api = Api::<RuntimeClass>::all(client);
        let handler = |class: RuntimeClass| Some(class.handler.into());
        let handlers = Informer::projected(api, watcher::Config::default(), group, handler);
        Self { handlers, kept: Mutex::default() }
    }

    /// The handler of a class; where the API server is away, the one that was told before.
    ///
    /// # Errors
    /// If there is no such class, or nobody can tell.
    pub(crate) async fn handler(&self, class: &str, saved: &Saved) -> Result<Box<str>, String> {
        if tokio::time::timeout(FIRST_LIST, self.handlers.ready()).await.is_err() {
            let (saved, name) = (saved.clone(), class.to_owned());
            let known = tokio::task::spawn_blocking(move || saved.handler(&name)).await;
            return known.ok().flatten().map(Box::from).ok_or_else(|| {
                format!("RuntimeClass \"{class}\" cannot be looked up: the API server is away")
            });
        }
        let Some(handler) = self.handlers.get_cluster(class) else {
            return Err(format!("RuntimeClass \"{class}\" not found"));
        };
        if self.kept.lock().insert(class.to_owned()) {
            saved.put_handler(class, &handler);
        }
        Ok((*handler).clone())
    }
}
