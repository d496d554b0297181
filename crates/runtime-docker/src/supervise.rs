//! Staying in touch with the engine: what runs in it, what ends, and when it is away.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bollard::Docker;
use bollard::models::{ContainerStateStatusEnum, ContainerSummary, EventMessage};
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures::StreamExt as _;
use futures::future::join_all;
use tracing::{debug, info, warn};
use wk_runtime::{
    ContainerExit, ContainerId, ContainerStatus, ExitReason, RuntimeError, RuntimeEvent,
};

use crate::container::Container;
use crate::engine::{chain, is_absent};
use crate::inspect::{self, Inspected, Life};
use crate::labels;
use crate::log;
use crate::runtime::Shared;

/// How long to wait until an engine is tried again: at first, and at most.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Events from this much before the list are asked for, so that none falls in between.
const OVERLAP: Duration = Duration::from_secs(2);
/// What the engine says when a program beside the main one has ended.
const EXEC_DIE: &str = "exec_die";
/// How long the end of a container waits for the last of its output.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Follows the engine until cancelled.
pub(crate) async fn run(shared: Arc<Shared>) {
    let token = shared.tasks.token();
    let following = async {
        let mut delay = FIRST_RETRY;
        loop {
            match follow(&shared).await {
                // It was there: it may be back soon.
                Ok(reason) => {
                    warn!(reason, "container engine went away");
                    shared.engine.note_lost(reason);
                    delay = FIRST_RETRY;
                }
                Err(error) => {
                    if delay == FIRST_RETRY {
                        warn!(error = chain(&error), "container engine cannot be used");
                    } else {
                        debug!(error = chain(&error), "container engine cannot be used");
                    }
                    if !matches!(error, RuntimeError::Unavailable { .. }) {
                        shared.engine.note_lost(error.to_string());
                    }
                }
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_RETRY);
        }
    };
    let _ended: Option<std::convert::Infallible> = token.run_until_cancelled(following).await;
}

/// Finds out what runs and follows what happens, until the engine goes away, for the reason told.
async fn follow(shared: &Arc<Shared>) -> Result<String, RuntimeError> {
    let connected = shared.engine.connected().await?;
    let begun = SystemTime::now() - OVERLAP;
    let begun = begun.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    shared.sync().await?;
    shared.engine.note_in_touch();
    info!(version = %connected.facts.version, "in touch with the container engine");
    // Nobody listening is fine.
    let _receivers = shared.events.send(RuntimeEvent::Resynced);
    let mut filters = labels::filter(&shared.owner, None);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    let of_interest = ["die", "destroy", EXEC_DIE].map(str::to_owned);
    filters.insert("event".to_owned(), of_interest.to_vec());
    let options = EventsOptionsBuilder::new().since(&begun.to_string()).filters(&filters).build();
    let mut events = std::pin::pin!(connected.docker.events(Some(options)));
    loop {
        match events.next().await {
            Some(Ok(event)) => {
                if let Err(reason) = shared.happened(&connected.docker, &event).await {
                    // All is looked at again, so that no end is missed.
                    return Ok(reason);
                }
            }
            Some(Err(error)) => return Ok(chain(&error)),
            None => return Ok("it ended the stream of events".to_owned()),
        }
    }
}

async fn is_gone(docker: &Docker, engine_id: &str) -> bool {
    docker.inspect_container(engine_id, None).await.is_err_and(|error| is_absent(&error))
}

impl Shared {
    async fn happened(
        self: &Arc<Self>,
        docker: &Docker,
        event: &EventMessage,
    ) -> Result<(), String> {
        if event.action.as_deref() == Some(EXEC_DIE) {
            let attributes = event.actor.as_ref().and_then(|actor| actor.attributes.as_ref());
            if let Some(exec) = attributes.and_then(|attributes| attributes.get("execID")) {
                // Nobody waiting is fine.
                let _waiting = self.exec_ends.send(exec.clone());
            }
            return Ok(());
        }
        let Some(engine_id) = event.actor.as_ref().and_then(|actor| actor.id.as_deref()) else {
            return Ok(());
        };
        let attributes = event.actor.as_ref().and_then(|actor| actor.attributes.as_ref());
        if let Some(uid) = attributes.and_then(labels::sandbox_of) {
            self.sandbox_ended(uid, engine_id);
            return Ok(());
        }
        let known = self.containers.lock().values().find(|one| one.engine_id == engine_id).cloned();
        // One that is being started is looked at when it is.
        let Some(container) = known else { return Ok(()) };
        match docker.inspect_container(engine_id, None).await {
            Ok(answer) => {
                if let Some(Life::Started(found)) = inspect::read(&answer) {
                    self.note(&container, &found);
                }
            }
            Err(error) if is_absent(&error) => self.vanished(&container),
            Err(error) => return Err(chain(&error)),
        }
        Ok(())
    }

    /// Compares what is known with what there is.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`].
    pub(crate) async fn sync(self: &Arc<Self>) -> Result<(), RuntimeError> {
        let known: HashMap<ContainerId, Arc<Container>> = self.containers.lock().clone();
        let connected = self.engine.connected().await?;
        let docker = connected.docker.clone();
        let listed = self.list_engine(&docker, None).await?;
        // After the list: whoever made what is in it either is among these or has started it.
        let starting: HashSet<ContainerId> = self.starting.lock().clone();
        let mut seen = HashSet::new();
        let mut looks = Vec::new();
        let mut sandboxes = HashSet::new();
        for summary in listed {
            let Some(labels) = &summary.labels else { continue };
            let Some(labelled) = labels::read(labels) else {
                if let Some(uid) = labels::sandbox_of(labels) {
                    sandboxes.extend(summary.id.clone());
                    self.look_at_sandbox(&docker, uid, &summary).await?;
                    let networks = summary.network_settings.and_then(|all| all.networks);
                    self.note_address(&connected, uid, networks);
                }
                continue;
            };
            seen.insert(labelled.id.clone());
            // A summary does not tell how a container ended, or when it was started.
            let told = known.get(&labelled.id).is_some_and(|one| one.has_ended());
            if !told && !starting.contains(&labelled.id) {
                looks.push(self.look(&docker, summary));
            }
        }
        let in_use: Vec<(String, String)> = self.sandboxes.lock().clone().into_iter().collect();
        for (uid, engine_id) in in_use.iter().filter(|(_, id)| !sandboxes.contains(id)) {
            // One that was made after the list is there.
            if is_gone(&docker, engine_id).await {
                self.sandbox_ended(uid, engine_id);
            }
        }
        for looked in join_all(looks).await {
            looked?;
        }
        for (id, container) in known {
            if !seen.contains(&id) {
                self.vanished(&container);
            }
        }
        Ok(())
    }

    /// Takes note of a sandbox that is in the engine, or of its end.
    async fn look_at_sandbox(
        &self,
        docker: &Docker,
        uid: &str,
        summary: &ContainerSummary,
    ) -> Result<(), RuntimeError> {
        let Some(engine_id) = &summary.id else { return Ok(()) };
        let answer = match docker.inspect_container(engine_id, None).await {
            Ok(answer) => answer,
            // It was removed meanwhile.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.engine.failed("inspecting a sandbox", &error)),
        };
        let state = answer.state.unwrap_or_default();
        // One that was never started is about to be.
        if state.status == Some(ContainerStateStatusEnum::CREATED) {
            return Ok(());
        }
        self.sandboxes.lock().entry(uid.to_owned()).or_insert_with(|| engine_id.clone());
        if state.running != Some(true) {
            self.sandbox_ended(uid, engine_id);
        }
        Ok(())
    }

    /// A sandbox has ended; that is news if it is in use and nobody is removing it.
    pub(crate) fn sandbox_ended(&self, uid: &str, engine_id: &str) {
        if self.sandboxes.lock().get(uid).is_none_or(|in_use| in_use != engine_id) {
            return;
        }
        warn!(uid, "the sandbox of a pod has ended");
        // Nobody listening is fine.
        let _receivers = self.events.send(RuntimeEvent::SandboxEnded { pod_uid: uid.to_owned() });
    }

    /// Everything of this node in the engine, or everything of one of its pods.
    pub(crate) async fn list_engine(
        &self,
        docker: &Docker,
        pod_uid: Option<&str>,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let filters = labels::filter(&self.owner, pod_uid);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = docker.list_containers(Some(options)).await;
        listed.map_err(|error| self.engine.failed("listing containers", &error))
    }

    async fn look(
        self: &Arc<Self>,
        docker: &Docker,
        summary: ContainerSummary,
    ) -> Result<(), RuntimeError> {
        let Some(engine_id) = summary.id else { return Ok(()) };
        let answer = match docker.inspect_container(&engine_id, None).await {
            Ok(answer) => answer,
            // It was removed meanwhile.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.engine.failed("inspecting a container", &error)),
        };
        match inspect::read(&answer) {
            None => Ok(()),
            // Whoever was to start it is gone.
            Some(Life::Created) => self.force_remove(docker, &engine_id).await,
            Some(Life::Started(found)) => {
                let container = self.adopt(engine_id, &found);
                self.note_now(&container, &found).await;
                Ok(())
            }
        }
    }

    /// Takes a container that was started into what is known, and writes its log from now on.
    pub(crate) fn adopt(self: &Arc<Self>, engine_id: String, found: &Inspected) -> Arc<Container> {
        let mut containers = self.containers.lock();
        if let Some(known) = containers.get(&found.labelled.id) {
            return Arc::clone(known);
        }
        let container = Arc::new(Container::new(engine_id, found));
        containers.insert(found.labelled.id.clone(), Arc::clone(&container));
        drop(containers);
        self.tasks
            .spawn_quiet("container log", log::write(Arc::clone(self), Arc::clone(&container)));
        container
    }

    /// Notes the end of a container, if it has ended; returns at once.
    pub(crate) fn note(self: &Arc<Self>, container: &Arc<Container>, found: &Inspected) {
        if found.state.status == ContainerStatus::Running || container.has_ended() {
            return;
        }
        let (shared, container, found) = (Arc::clone(self), Arc::clone(container), found.clone());
        self.tasks.spawn_quiet("container end", async move {
            shared.note_now(&container, &found).await;
        });
    }

    /// Notes the end of a container, if it has ended, once its log is complete.
    async fn note_now(&self, container: &Container, found: &Inspected) {
        let ContainerStatus::Exited(exit) = &found.state.status else { return };
        let token = self.tasks.token();
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            logged = tokio::time::timeout(LAST_WORDS, container.logged.cancelled()) => {
                if logged.is_err() {
                    warn!(container = %found.labelled.id, "the log is not complete yet");
                }
            }
        }
        container.finish(exit.clone(), &self.events);
    }

    /// Somebody else has removed it.
    fn vanished(&self, container: &Container) {
        let id = container.state().id;
        if self.containers.lock().remove(&id).is_none() {
            return;
        }
        container.gone.cancel();
        container.finish(
            ContainerExit {
                code: 137,
                reason: ExitReason::Error,
                message: "the container was removed from the engine by somebody else".to_owned(),
                finished_at: SystemTime::now(),
            },
            &self.events,
        );
    }
}
