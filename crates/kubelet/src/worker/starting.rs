//! How a container starts: volumes, image, environment, runtime.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use tokio::time::Instant;
use tracing::{info, warn};
use wk_client::EventType;
use wk_network::SandboxRequest;
use wk_oci::{Credentials, ImageReference};
use wk_runtime::{ContainerSpec, InstancePolicy, Limits, RuntimeError, Sandbox};

use super::go_duration;
use crate::env::{self, Facts};
use crate::images::{self, PullPolicy};
use crate::objects::{Found, ObjectKind};
use crate::plan::{Role, longer_backoff, next_backoff};
use crate::report;
use crate::shared::Shared;
use crate::state::{
    Hold, Phase, PodEntry, PullBackoff, Termination, Volumes, WaitReason, all_containers,
    container_id,
};
use crate::{support, volumes};

/// How long a start waits that failed for want of something in the API; a change ends it at once.
const MISSING_RETRY: Duration = Duration::from_mins(1);
/// How long an error is shown at least before it becomes a back-off, as Kubernetes shows both.
const ERROR_SHOWN: Duration = Duration::from_secs(1);

/// Why a container did not start this time.
struct Fault {
    reason: WaitReason,
    message: String,
    /// When it is tried again; `None` follows the container's own back-off.
    retry: Option<Duration>,
    on_objects: bool,
    /// The program was refused, which counts as a run that failed.
    as_exit: bool,
}

impl Fault {
    fn new(reason: WaitReason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message, retry: None, on_objects: false, as_exit: false }
    }

    /// Something in the API is missing.
    fn missing(reason: WaitReason, message: impl Into<String>) -> Self {
        Self { retry: Some(MISSING_RETRY), on_objects: true, ..Self::new(reason, message) }
    }
}

/// Starts one container, or holds it back with the reason why it could not be started.
pub(super) async fn start(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Arc<Pod>,
    index: usize,
) {
    let Some(spec) = &pod.spec else { return };
    let Some((role, container)) = all_containers(spec).nth(index) else { return };
    let starting = Starting { shared, entry, pod, spec, role, container, index };
    let interrupted = async {
        // A pod that is to be deleted does not wait for its images.
        loop {
            entry.interrupt.notified().await;
            let pod = entry.pod();
            if entry.lock().is_stopping(&pod) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        started = starting.run() => {
            if let Err(fault) = started {
                starting.hold(fault);
            }
        }
        () = interrupted => {}
    }
}

/// Writes the volumes of a running pod again whose ConfigMaps or Secrets have changed.
pub(super) async fn refresh_volumes(shared: &Arc<Shared>, entry: &Arc<PodEntry>, pod: &Arc<Pod>) {
    let Some(spec) = &pod.spec else { return };
    {
        let inner = entry.lock();
        let began = inner.records.iter().any(|record| record.running_id().is_some());
        if inner.volumes != Volumes::Pending || !began || inner.is_stopping(pod) {
            return;
        }
    }
    let ip = entry.lock().ip;
    if let Err(fault) = prepare_volumes(shared, entry, pod, spec, ip).await {
        // What the running containers have stays as it was.
        let message = format!("volume `{}` could not be updated: {}", fault.volume, fault.message);
        warn!(pod = %entry.key.name, %message, "volumes not updated");
        entry.lock().volumes = Volumes::Ready;
        shared.event(&entry.key, None, EventType::Warning, "FailedMount", message);
    }
}

async fn prepare_volumes(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Arc<Pod>,
    spec: &PodSpec,
    pod_ip: Option<std::net::IpAddr>,
) -> Result<(), volumes::VolumeFault> {
    if spec.volumes.as_ref().is_none_or(Vec::is_empty) {
        entry.lock().volumes = Volumes::Ready;
        return Ok(());
    }
    let failed = |message| volumes::VolumeFault { volume: String::new(), message };
    let found = fetch(shared, entry, volumes::references(spec)).await.map_err(failed)?;
    // Whatever changes from here on makes them stale again.
    entry.lock().volumes = Volumes::Ready;
    let facts = facts(shared, pod, pod_ip);
    let outcome = match volumes::plan(spec, facts, &found) {
        Ok(tasks) => {
            let folder = shared.volumes_folder(&entry.key.uid);
            let work = tokio::task::spawn_blocking(move || volumes::carry_out(&folder, &tasks));
            work.await.unwrap_or_else(|error| Err(failed(error.to_string())))
        }
        Err(fault) => Err(fault),
    };
    if let Err(fault) = &outcome {
        entry.lock().volumes = Volumes::Failed(fault.message.as_str().into());
    }
    outcome
}

async fn fetch(
    shared: &Arc<Shared>,
    entry: &PodEntry,
    wanted: Vec<(ObjectKind, String)>,
) -> Result<Found, String> {
    if wanted.is_empty() {
        return Ok(Found::new());
    }
    let key = &entry.key;
    let mut used = entry.lock().objects.clone();
    let found = shared.objects.fetch(&key.namespace, wanted, &key.uid, &mut used).await;
    entry.lock().objects = used;
    found
}

fn facts<'a>(shared: &Shared, pod: &'a Pod, pod_ip: Option<std::net::IpAddr>) -> Facts<'a> {
    Facts { pod, pod_ip, node_ip: shared.config.node_ip, allocatable: shared.allocatable }
}

/// One container on its way.
struct Starting<'a> {
    shared: &'a Arc<Shared>,
    entry: &'a Arc<PodEntry>,
    pod: &'a Arc<Pod>,
    spec: &'a PodSpec,
    role: Role,
    container: &'a Container,
    index: usize,
}

impl Starting<'_> {
    async fn run(&self) -> Result<(), Fault> {
        if let Err(message) = support::check(self.spec, self.container) {
            return Err(Fault::new(WaitReason::CreateContainerConfigError, message));
        }
        let sandbox = self.sandbox().await?;
        self.volumes(&sandbox).await?;
        let image = self.image().await?;
        let linux = self.choose_runtime(&image)?;
        let name = self.container.image.as_deref().unwrap_or_default();
        let for_runtime = images::for_runtime(&image, name, self.shared.images.layout());
        let for_runtime = for_runtime.ok_or_else(|| {
            Fault::new(WaitReason::CreateContainerError, "the image holds no module")
        })?;
        let env = self.env(&image, &sandbox).await?;
        let runtime = self.shared.runtime(linux);
        runtime.prepare(&for_runtime).await.map_err(|error| runtime_fault(&error))?;
        let attempt = self.next_attempt();
        let spec = self.container_spec(for_runtime, env, sandbox, attempt)?;
        if let Some(folder) = spec.log_path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                let message =
                    format!("log folder `{}` could not be made: {error}", folder.display());
                Fault::new(WaitReason::CreateContainerError, message)
            })?;
        }
        let id = container_id(&self.entry.key.uid, &self.container.name, attempt);
        let previous = self.begin(&id, attempt, &image, linux);
        if let Err(error) = runtime.start(&id, &spec).await {
            self.take_back(&id, previous, &error);
            return Err(runtime_fault(&error));
        }
        self.started(&id);
        if let Some(old) = attempt.checked_sub(1) {
            self.forget_run(old, linux).await;
        }
        Ok(())
    }

    async fn sandbox(&self) -> Result<Sandbox, Fault> {
        let failed = |message: String| Fault::new(WaitReason::ContainerCreating, message);
        let Some(network) = self.shared.network.get() else {
            return Err(failed("the node has no pod network yet".to_owned()));
        };
        let meta = &self.pod.metadata;
        let aliases = self.spec.host_aliases.iter().flatten();
        let mut host_aliases = std::collections::BTreeMap::new();
        for alias in aliases {
            let Ok(ip) = alias.ip.parse::<std::net::IpAddr>() else { continue };
            for name in alias.hostnames.iter().flatten() {
                host_aliases.entry(name.clone()).or_insert_with(Vec::new).push(ip);
            }
        }
        let before = self.pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        let request = SandboxRequest {
            pod: self.entry.key.clone(),
            hostname: self
                .spec
                .hostname
                .clone()
                .unwrap_or_else(|| meta.name.clone().unwrap_or_default()),
            host_network: self.spec.host_network == Some(true),
            host_aliases,
            preferred: before.and_then(|ip| ip.parse().ok()),
        };
        match network.setup(&request).await {
            Ok(sandbox) => {
                self.entry.lock().ip = Some(sandbox.ip);
                Ok(sandbox)
            }
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                let key = &self.entry.key;
                let warning = EventType::Warning;
                self.shared.event(key, None, warning, "FailedCreatePodSandBox", message.clone());
                Err(failed(message))
            }
        }
    }

    async fn volumes(&self, sandbox: &Sandbox) -> Result<(), Fault> {
        if self.entry.lock().volumes == Volumes::Ready {
            return Ok(());
        }
        let ip = Some(sandbox.ip);
        let done = prepare_volumes(self.shared, self.entry, self.pod, self.spec, ip).await;
        done.map_err(|fault| {
            let message = format!(
                "MountVolume.SetUp failed for volume \"{}\" : {}",
                fault.volume, fault.message
            );
            let key = &self.entry.key;
            self.shared.event(key, None, EventType::Warning, "FailedMount", message.clone());
            Fault::missing(WaitReason::ContainerCreating, message)
        })
    }

    fn choose_runtime(&self, image: &wk_oci::Image) -> Result<bool, Fault> {
        let class = self.spec.runtime_class_name.as_deref();
        let has_linux = self.shared.runtimes.linux.is_some();
        support::needs_linux(class, image.kind.is_wasm(), has_linux)
            .map_err(|message| Fault::new(WaitReason::CreateContainerError, message))
    }

    /// The image, pulled if the policy wants that.
    async fn image(&self) -> Result<Arc<wk_oci::Image>, Fault> {
        let name = self.container.image.as_deref().unwrap_or_default();
        let reference: ImageReference = match name.parse() {
            Ok(reference) => reference,
            Err(error) => {
                let error = wk_client::error_chain(&error);
                let message = format!("Failed to apply default image tag \"{name}\": {error}");
                self.warn("InspectFailed", &message);
                return Err(Fault::new(WaitReason::InvalidImageName, message));
            }
        };
        let policy = PullPolicy::of(self.container.image_pull_policy.as_deref(), &reference);
        let local = self.shared.images.local(&reference);
        match (policy, local) {
            (PullPolicy::IfNotPresent | PullPolicy::Never, Some(image)) => {
                let message = format!("Container image \"{name}\" already present on machine");
                self.note("Pulled", &message);
                Ok(image)
            }
            (PullPolicy::Never, None) => {
                let message =
                    format!("Container image \"{name}\" is not present with pull policy of Never");
                self.warn("ErrImageNeverPull", &message);
                Err(Fault::new(WaitReason::ErrImageNeverPull, message))
            }
            (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, None) => {
                self.pull(name, &reference).await
            }
        }
    }

    async fn pull(
        &self,
        name: &str,
        reference: &ImageReference,
    ) -> Result<Arc<wk_oci::Image>, Fault> {
        let now = Timestamp::now();
        let waiting = {
            let inner = self.entry.lock();
            inner.records.get(self.index).and_then(|record| record.pull.clone())
        };
        if let Some(waiting) = waiting.as_deref().filter(|waiting| waiting.until > now) {
            self.event(EventType::Normal, "BackOff", &format!("Back-off pulling image \"{name}\""));
            self.warn("Failed", "Error: ImagePullBackOff");
            let message =
                format!("Back-off pulling image \"{name}\": ErrImagePull: {}", waiting.error);
            let rest = waiting.until.duration_since(now).unsigned_abs();
            let fault = Fault::new(WaitReason::ImagePullBackOff, message);
            return Err(Fault { retry: Some(rest), ..fault });
        }
        self.note("Pulling", &format!("Pulling image \"{name}\""));
        report::ask(self.shared, self.entry);
        let begun = Instant::now();
        let credentials = self.credentials().await;
        match self.shared.images.pull(reference, &credentials).await {
            Ok(image) => {
                let took = go_duration(begun.elapsed());
                self.note(
                    "Pulled",
                    &format!(
                        "Successfully pulled image \"{name}\" in {took} ({took} including \
                         waiting). Image size: {} bytes.",
                        image.size_bytes
                    ),
                );
                if let Some(record) = self.entry.lock().records.get_mut(self.index) {
                    record.pull = None;
                }
                Ok(image)
            }
            Err(error) => {
                let error = wk_client::error_chain(&error);
                let message = format!("Failed to pull image \"{name}\": {error}");
                self.warn("Failed", &message);
                self.warn("Failed", "Error: ErrImagePull");
                let delay = longer_backoff(waiting.map(|waiting| waiting.delay));
                let until = Timestamp::now() + delay;
                if let Some(record) = self.entry.lock().records.get_mut(self.index) {
                    let error = error.as_str().into();
                    record.pull = Some(Box::new(PullBackoff { until, delay, error }));
                }
                let fault = Fault::new(WaitReason::ErrImagePull, message);
                Err(Fault { retry: Some(ERROR_SHOWN), ..fault })
            }
        }
    }

    /// The logins of the pod's `imagePullSecrets`; what cannot be read is passed over with a word.
    async fn credentials(&self) -> Credentials {
        let names: Vec<String> = self
            .spec
            .image_pull_secrets
            .iter()
            .flatten()
            .map(|reference| reference.name.clone())
            .filter(|name| !name.is_empty())
            .collect();
        let mut all = Credentials::anonymous();
        let wanted = names.iter().map(|name| (ObjectKind::Secret, name.clone())).collect();
        let found = fetch(self.shared, self.entry, wanted).await.unwrap_or_default();
        for name in names {
            let data = found.get(&(ObjectKind::Secret, name.clone())).and_then(Option::as_deref);
            let keys = [".dockerconfigjson", ".dockercfg"];
            let json = data.and_then(|data| keys.iter().find_map(|key| data.values.get(*key)));
            if let Some(Ok(more)) = json.map(|json| Credentials::from_docker_config(json)) {
                all = all.and(more);
            } else {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({name}); attempting to pull the \
                     image may not succeed."
                );
                self.warn("FailedToRetrieveImagePullSecret", &message);
            }
        }
        all
    }

    async fn env(
        &self,
        image: &wk_oci::Image,
        sandbox: &Sandbox,
    ) -> Result<Vec<(String, String)>, Fault> {
        let config =
            |message: String| Fault::missing(WaitReason::CreateContainerConfigError, message);
        let wanted = env::references(self.container);
        let found = fetch(self.shared, self.entry, wanted).await.map_err(config)?;
        let mut first = image.config.env.clone();
        first.push(("HOSTNAME".to_owned(), sandbox.hostname.clone()));
        let facts = facts(self.shared, self.pod, Some(sandbox.ip));
        env::environment(self.container, facts, &found, &first).map_err(config)
    }

    /// The number of the run that begins now.
    fn next_attempt(&self) -> u32 {
        let inner = self.entry.lock();
        inner.records.get(self.index).map_or(0, |record| match record.phase {
            Phase::NotStarted => record.attempt,
            Phase::Running { .. } | Phase::Exited(_) => record.attempt + 1,
        })
    }

    fn container_spec(
        &self,
        image: wk_runtime::Image,
        env: Vec<(String, String)>,
        sandbox: Sandbox,
        attempt: u32,
    ) -> Result<ContainerSpec, Fault> {
        let (container, key) = (self.container, &self.entry.key);
        let folder = self.shared.volumes_folder(&key.uid);
        let mounts = volumes::mounts(&folder, self.spec, container, &env)
            .map_err(|message| Fault::missing(WaitReason::CreateContainerConfigError, message))?;
        let annotations = self.pod.metadata.annotations.clone().unwrap_or_default();
        let reused = annotations
            .get(wk_api::well_known::WASM_INSTANCE_ANNOTATION)
            .is_some_and(|policy| policy == "reuse");
        let ports = container.ports.iter().flatten();
        let tcp = ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
        Ok(ContainerSpec {
            pod: key.clone(),
            name: container.name.clone(),
            attempt,
            image,
            command: env::expand_all(container.command.as_deref(), &env),
            args: env::expand_all(container.args.as_deref(), &env),
            env,
            working_dir: container.working_dir.clone().filter(|folder| !folder.is_empty()),
            mounts,
            limits: limits(container),
            sandbox,
            ports: tcp.filter_map(|port| u16::try_from(port.container_port).ok()).collect(),
            log_path: self.shared.log_path(key, &container.name, attempt),
            termination_message_path: container
                .termination_message_path
                .clone()
                .unwrap_or_else(|| "/dev/termination-log".to_owned()),
            annotations,
            instances: if reused { InstancePolicy::Reused } else { InstancePolicy::PerRequest },
        })
    }

    /// Notes the run before it starts, so that an end that comes at once is not missed. Returns how
    /// the container was.
    fn begin(
        &self,
        id: &wk_runtime::ContainerId,
        attempt: u32,
        image: &wk_oci::Image,
        linux: bool,
    ) -> Option<crate::state::Record> {
        let mut inner = self.entry.lock();
        let record = inner.records.get_mut(self.index)?;
        let before = record.clone();
        let phase = Phase::Running { id: id.clone(), since: Timestamp::now() };
        if let Phase::Exited(end) = std::mem::replace(&mut record.phase, phase) {
            record.last = Some(end);
        }
        record.attempt = attempt;
        record.hold = None;
        record.unhealthy = None;
        record.linux = linux;
        record.image_id = images::image_id(image).into();
        record.started = self.container.startup_probe.is_none();
        record.ready = record.started && self.container.readiness_probe.is_none();
        Some(before)
    }

    /// The runtime refused: the run did not happen, or counts as one that failed.
    fn take_back(
        &self,
        id: &wk_runtime::ContainerId,
        before: Option<crate::state::Record>,
        error: &RuntimeError,
    ) {
        let mut inner = self.entry.lock();
        let Some(record) = inner.records.get_mut(self.index) else { return };
        if record.running_id() != Some(id) {
            return;
        }
        if !matches!(error, RuntimeError::StartFailed { .. }) {
            if let Some(before) = before {
                *record = before;
            }
            return;
        }
        let now = Timestamp::now();
        record.backoff = Some(next_backoff(record.backoff, Duration::ZERO));
        record.ready = false;
        record.started = false;
        record.phase = Phase::Exited(Box::new(Termination {
            container_id: format!("{}://{id}", self.shared.scheme(record.linux)).into(),
            exit_code: 128,
            reason: "StartError".into(),
            message: error.to_string().into(),
            started_at: Some(now),
            finished_at: now,
        }));
    }

    fn started(&self, id: &wk_runtime::ContainerId) {
        let name = &self.container.name;
        self.note("Created", &format!("Created container: {name}"));
        self.note("Started", &format!("Started container {name}"));
        let key = &self.entry.key;
        info!(pod = %key.name, namespace = %key.namespace, container = %name, %id, "started");
        self.shared.probes.watch(self.entry, self.container, id);
    }

    /// Drops what is kept of the run before the last; the log of the last one stays.
    async fn forget_run(&self, old: u32, linux: bool) {
        let key = &self.entry.key;
        let id = container_id(&key.uid, &self.container.name, old);
        if let Err(error) = self.shared.runtime(linux).remove(&id).await {
            warn!(container = %id, %error, "ended container could not be removed");
        }
        if let Some(older) = old.checked_sub(1) {
            let path = self.shared.log_path(key, &self.container.name, older);
            match tokio::fs::remove_file(&path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    warn!(path = %path.display(), %error, "old log could not be removed");
                }
                _ => {}
            }
        }
    }

    /// Notes why the container waits, and says so in an event where nothing else has.
    fn hold(&self, fault: Fault) {
        let now = Timestamp::now();
        match fault.reason {
            WaitReason::CreateContainerConfigError
            | WaitReason::CreateContainerError
            | WaitReason::RunContainerError => {
                self.warn("Failed", &format!("Error: {}", fault.message));
            }
            WaitReason::ErrImageNeverPull => self.warn("Failed", "Error: ErrImageNeverPull"),
            WaitReason::InvalidImageName => self.warn("Failed", "Error: InvalidImageName"),
            WaitReason::ContainerCreating
            | WaitReason::PodInitializing
            | WaitReason::CrashLoopBackOff
            | WaitReason::ErrImagePull
            | WaitReason::ImagePullBackOff => {}
        }
        {
            let mut inner = self.entry.lock();
            let Some(record) = inner.records.get_mut(self.index) else { return };
            let delay = if fault.as_exit {
                record.backoff.unwrap_or_default().max(ERROR_SHOWN)
            } else if let Some(delay) = fault.retry {
                delay
            } else {
                let delay = longer_backoff(record.backoff);
                record.backoff = Some(delay);
                delay
            };
            record.hold = Some(Box::new(Hold {
                reason: fault.reason,
                message: fault.message.into(),
                until: now + delay,
                on_objects: fault.on_objects,
            }));
        }
        report::ask(self.shared, self.entry);
    }

    fn note(&self, reason: &str, message: &str) {
        self.event(EventType::Normal, reason, message);
    }

    fn warn(&self, reason: &str, message: &str) {
        self.event(EventType::Warning, reason, message);
    }

    fn event(&self, kind: EventType, reason: &str, message: &str) {
        let container = Some((self.container.name.as_str(), self.role != Role::Main));
        self.shared.event(&self.entry.key, container, kind, reason, message);
    }
}

fn runtime_fault(error: &RuntimeError) -> Fault {
    let message = wk_client::error_chain(error);
    match error {
        RuntimeError::StartFailed { .. } => {
            Fault { as_exit: true, ..Fault::new(WaitReason::RunContainerError, message) }
        }
        RuntimeError::InvalidSpec { .. } => {
            Fault::new(WaitReason::CreateContainerConfigError, message)
        }
        RuntimeError::ImageMissing { .. }
        | RuntimeError::InvalidImage { .. }
        | RuntimeError::PrepareLimit { .. }
        | RuntimeError::OutOfResource { .. } => {
            Fault::new(WaitReason::CreateContainerError, message)
        }
        RuntimeError::NoSuchContainer { .. }
        | RuntimeError::TimedOut { .. }
        | RuntimeError::Internal { .. } => Fault::new(WaitReason::RunContainerError, message),
    }
}

fn limits(container: &Container) -> Limits {
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let of = |name: &str| {
        let quantity = limits.and_then(|limits| limits.get(name))?;
        wk_api::Quantity::parse(&quantity.0).ok()
    };
    Limits {
        memory_bytes: of("memory").and_then(|memory| u64::try_from(memory.value()).ok()),
        cpu_millis: of("cpu").and_then(|cpu| u64::try_from(cpu.milli()).ok()),
    }
}
