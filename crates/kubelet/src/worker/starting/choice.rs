//! Which runtime a container goes to, and what network it is in there.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tracing::debug;
use wk_client::EventType;
use wk_oci::{Flavor, ImageReference};
use wk_runtime::Sandbox;

use super::{ERROR_SHOWN, Fault, Starting};
use crate::images::PullPolicy;
use crate::linux as linux_spec;
use crate::namespace::SANDBOX_CHANGED;
use crate::plan::Role;
use crate::state::{WaitReason, all_containers};
use crate::support::{self, Handler, Network};

/// How long a registry may take to tell what an image is that is not needed yet.
const KIND: Duration = Duration::from_secs(5);

impl Starting<'_> {
    /// The runtime that the pod's class names; `None` leaves it to the images.
    pub(super) async fn handler(&self) -> Result<Option<Handler>, Fault> {
        let class = self.spec.runtime_class_name.as_deref().filter(|class| !class.is_empty());
        let Some(class) = class else { return Ok(None) };
        let handler = self.shared.runtime_classes.handler(class, &self.shared.saved).await;
        let has_linux = self.shared.runtimes.linux.is_some();
        handler
            .and_then(|handler| Handler::named(&handler, has_linux))
            .map(Some)
            .map_err(|message| self.no_sandbox(&message))
    }

    /// Whether the container goes to the runtime for Linux images.
    pub(super) fn choose_runtime(
        &self,
        handler: Option<Handler>,
        image: &wk_oci::Image,
    ) -> Result<bool, Fault> {
        let has_linux = self.shared.runtimes.linux.is_some();
        support::needs_linux(handler, image.kind.is_wasm(), has_linux)
            .map_err(|message| Fault::new(WaitReason::CreateContainerError, message))
    }

    /// The pod's sandbox as the runtime of the container is to see it: with the network namespace of
    /// its Linux containers, if it has both kinds.
    pub(super) async fn join(
        &self,
        sandbox: Sandbox,
        handler: Option<Handler>,
        linux: bool,
    ) -> Result<Sandbox, Fault> {
        let engine = self.shared.runtimes.linux.as_ref();
        // On the node's own network there is but one localhost.
        let Some(engine) = engine.filter(|_| handler.is_none() && !sandbox.host_network) else {
            return Ok(sandbox);
        };
        let others = self.kinds_of_others().await;
        match support::network(linux, self.role == Role::Ephemeral, &others) {
            Network::Own => return Ok(sandbox),
            Network::Shared => {}
            Network::Apart => {
                let message = "the pod's WebAssembly containers run without a network namespace \
                               that a Linux container could share: use a WebAssembly image, or a \
                               copy of the pod (`kubectl debug --copy-to`)";
                return Err(Fault::new(WaitReason::CreateContainerError, message));
            }
        }
        if !self.shared.config.linux.enters_namespaces {
            return Err(self.no_sandbox(
                "pods with both WebAssembly and Linux containers need a network namespace for \
                 both, which takes root: run `wk` as root, or use two pods",
            ));
        }
        let of_pod = linux_spec::of_pod(self.spec, &sandbox);
        let opened = engine.open_pod(&self.entry.key, &sandbox, &of_pod).await;
        let Some(namespace) = opened.map_err(|error| self.runtime_fault(&error))? else {
            return Err(self.no_sandbox("the container engine gives pods no network of their own"));
        };
        if !self.shared.enter(self.entry, namespace.inode) {
            let fault = Fault::new(WaitReason::ContainerCreating, SANDBOX_CHANGED);
            return Err(Fault { retry: Some(ERROR_SHOWN), ..fault });
        }
        Ok(if linux { sandbox } else { Sandbox { netns: Some(namespace), ..sandbox } })
    }

    /// For each of the pod's other containers that are not ephemeral whether its program is a Linux
    /// one, as far as that can be told.
    async fn kinds_of_others(&self) -> Vec<bool> {
        let mut known = Vec::new();
        let mut images = BTreeMap::new();
        {
            let inner = self.entry.lock();
            let all = all_containers(self.spec).zip(&inner.records).enumerate();
            for (index, ((role, container), record)) in all {
                if index == self.index || role == Role::Ephemeral {
                    continue;
                }
                if record.running_id().is_some() || record.exited().is_some() {
                    known.push(record.linux);
                } else if container.image != self.container.image {
                    let image = container.image.clone().unwrap_or_default();
                    images.insert(image, container.image_pull_policy.clone());
                }
            }
        }
        let asked = images.iter().map(|(image, policy)| self.kind(image, policy.as_deref()));
        known.extend(join_all(asked).await.into_iter().flatten());
        known
    }

    /// Whether an image holds Linux programs; `None` if that cannot be told now.
    async fn kind(&self, image: &str, policy: Option<&str>) -> Option<bool> {
        let images = &self.shared.images;
        let reference: ImageReference = image.parse().ok()?;
        if let Some(image) = images.local(&reference, Flavor::Best) {
            return Some(!image.kind.is_wasm());
        }
        if PullPolicy::of(policy, &reference) == PullPolicy::Never {
            return None;
        }
        let credentials = self.credentials().await;
        match tokio::time::timeout(KIND, images.kind(&reference, &credentials)).await {
            Ok(Ok(kind)) => Some(!kind.is_wasm()),
            // Its own start tells why. Should it turn out to be of the other kind, the pod begins
            // again.
            Ok(Err(error)) => {
                debug!(image, %error, "kind of image not known");
                None
            }
            Err(_elapsed) => None,
        }
    }

    /// The pod cannot have what its containers share: said of the pod, and tried again.
    pub(super) fn no_sandbox(&self, why: &str) -> Fault {
        let message = format!("Failed to create pod sandbox: {why}");
        let (key, warning) = (&self.entry.key, EventType::Warning);
        self.shared.event(key, None, warning, "FailedCreatePodSandBox", message.clone());
        Fault::new(WaitReason::ContainerCreating, message)
    }
}
