//! What a container's specification has done after its start and before its end.
//!
//! Spec: <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/>

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use tracing::info;
use wk_client::EventType;
use wk_runtime::{ContainerId, PodRef, Runtime};

use crate::actions::{self, HttpGet};
use crate::plan::Role;
use crate::shared::Shared;

/// How long the server of a hook may take to answer.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// One hook of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Exec(Vec<String>),
    Http(HttpGet),
    Sleep(Duration),
    /// It says nothing that can be done, and why.
    Impossible(String),
}

/// The container that a hook is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) key: &'a PodRef,
    pub(super) container: &'a str,
    pub(super) role: Role,
    pub(super) id: &'a ContainerId,
    pub(super) linux: bool,
    pub(super) ip: Option<IpAddr>,
}

impl Hook {
    /// The hook after the container's start.
    pub(super) fn post_start(container: &Container) -> Option<Self> {
        let handler = container.lifecycle.as_ref()?.post_start.as_ref()?;
        Some(Self::of(handler, container))
    }

    /// The hook before the container's end.
    pub(super) fn pre_stop(container: &Container) -> Option<Self> {
        let handler = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
        Some(Self::of(handler, container))
    }

    fn of(handler: &LifecycleHandler, container: &Container) -> Self {
        if let Some(exec) = &handler.exec {
            return Self::Exec(exec.command.clone().unwrap_or_default());
        }
        if let Some(get) = &handler.http_get {
            return HttpGet::of(get, container).map_or_else(Self::Impossible, Self::Http);
        }
        if let Some(sleep) = &handler.sleep {
            let seconds = u64::try_from(sleep.seconds).unwrap_or(0);
            return Self::Sleep(Duration::from_secs(seconds));
        }
        Self::Impossible("invalid handler: it has no exec, httpGet or sleep".to_owned())
    }

    /// Does it; dropping the future ends it.
    ///
    /// # Errors
    /// What went wrong, in Kubernetes' words.
    pub(super) async fn run(&self, shared: &Shared, target: Target<'_>) -> Result<(), String> {
        let Target { key, container, id, .. } = target;
        let of = || {
            let PodRef { namespace, name, uid } = key;
            format!("for Container \"{container}\" in Pod \"{name}_{namespace}({uid})\"")
        };
        match self {
            Self::Exec(argv) => {
                let runtime: &dyn Runtime = &**shared.runtime(target.linux);
                let (why, output) = match actions::run(runtime, id, argv).await {
                    Ok(ran) if ran.code == 0 => return Ok(()),
                    Ok(ran) => {
                        let argv = argv.join(" ");
                        let why =
                            format!("command '{argv}' exited with {}: {}", ran.code, ran.output);
                        (why, ran.output)
                    }
                    Err(error) => (wk_client::error_chain(&error), String::new()),
                };
                let command = argv.join(" ");
                Err(format!(
                    "Exec lifecycle hook ([{command}]) {} failed - error: {why}, message: \
                     {output:?}",
                    of()
                ))
            }
            Self::Http(get) => {
                let ip = target.ip.ok_or("the pod has no address")?;
                let called = get.call(ip, HTTP_TIMEOUT).await;
                // Whatever it answers, it was told.
                called.map(|_answer| ()).map_err(|error| {
                    format!("HTTP lifecycle hook {} failed - error: {error}", of())
                })
            }
            Self::Sleep(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Self::Impossible(why) => Err(format!("Cannot run handler: {why}")),
        }
    }

    /// Does what comes before a container's end, for as long as `most`.
    pub(super) async fn run_before_end(&self, shared: &Shared, target: Target<'_>, most: Duration) {
        let (pod, container) = (&target.key.name, target.container);
        match tokio::time::timeout(most, self.run(shared, target)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                info!(%pod, container, error, "hook before the end failed");
                // What a server said may be a secret, so that the event is silent about it.
                let of = Some((container, target.role));
                let warning = EventType::Warning;
                shared.event(target.key, of, warning, "FailedPreStopHook", "PreStopHook failed");
            }
            Err(_) => info!(%pod, container, "hook before the end took all of its time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hook_does_one_thing() {
        let of = |handler: serde_json::Value| {
            let container = json!({"name": "c", "lifecycle": {"preStop": handler}});
            Hook::pre_stop(&serde_json::from_value(container).unwrap())
        };
        assert_eq!(of(json!({"sleep": {"seconds": 3}})), Some(Hook::Sleep(Duration::from_secs(3))));
        let exec = Hook::Exec(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(of(json!({"exec": {"command": ["a", "b"]}})), Some(exec));
        assert!(matches!(of(json!({"httpGet": {"port": 80}})), Some(Hook::Http(_))));
        assert!(matches!(of(json!({"httpGet": {"port": "x"}})), Some(Hook::Impossible(_))));
        assert!(matches!(of(json!({"tcpSocket": {"port": 1}})), Some(Hook::Impossible(_))));
        assert_eq!(Hook::post_start(&Container::default()), None);
    }
}
