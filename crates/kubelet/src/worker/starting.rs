//! How a container starts: volumes, image, environment, runtime.

mod choice;
mod environment;
mod image;
mod on_disk;
mod run;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use wk_client::EventType;
use wk_network::SandboxRequest;
use wk_oci::Flavor;
use wk_runtime::{
    ContainerId, ContainerSpec, InstancePolicy, Limits, PodRef, RuntimeError, Sandbox,
};

use crate::env::{self, Facts};
use crate::images;
use crate::linux as linux_spec;
use crate::objects::{Found, ObjectKind};
use crate::plan::{Role, longer_backoff};
use crate::report;
use crate::shared::Shared;
use crate::state::{Hold, PodEntry, WaitReason, all_containers, container_id};
use crate::support::{self, Handler};
use crate::termination::Place;

use self::on_disk::OnDisk;
pub(crate) use self::run::forget_run;
pub(super) use self::volumes::refresh_volumes;

/// How long a start waits that failed for want of something in the API; a change ends it at once.
const MISSING_RETRY: Duration = Duration::from_mins(1);
/// How long a start waits for an engine that is away; its return ends the wait at once.
const ENGINE_RETRY: Duration = Duration::from_secs(10);
/// How long an error is shown at least before it becomes a back-off, as Kubernetes shows both.
pub(super) const ERROR_SHOWN: Duration = Duration::from_secs(1);

/// Why a container did not start this time.
struct Fault {
    reason: WaitReason,
    message: String,
    /// When it is tried again; `None` follows the container's own back-off.
    retry: Option<Duration>,
    on_objects: bool,
    /// The program was refused, which counts as a run that failed.
    as_exit: bool,
    /// The image was there and is not any more.
    image_gone: bool,
}

impl Fault {
    fn new(reason: WaitReason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message, retry: None, on_objects: false, as_exit: false, image_gone: false }
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
    let starting = Starting { shared, entry, pod, spec, role, container: &container, index };
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
        match self.once().await {
            // Whoever cleans up was faster than this start: the image is had again.
            Err(fault) if fault.image_gone => self.once().await,
            done => done,
        }
    }

    async fn once(&self) -> Result<(), Fault> {
        if let Err(message) = support::check(self.container) {
            return Err(Fault::new(WaitReason::CreateContainerConfigError, message));
        }
        let handler = self.handler().await?;
        let sandbox = self.sandbox().await?;
        self.volumes(&sandbox).await?;
        let image = self.image(handler.map_or(Flavor::Best, Handler::flavor)).await?;
        let linux = self.choose_runtime(handler, &image)?;
        self.entry.lock().engine_used |= linux;
        let sandbox = self.join(sandbox, handler, linux).await?;
        self.entry.lock().engine_used |= sandbox.netns.is_some();
        let name = self.container.image.as_deref().unwrap_or_default();
        let for_runtime = images::for_runtime(&image, name, self.shared.images.layout());
        let for_runtime = for_runtime.ok_or_else(|| {
            Fault::new(WaitReason::CreateContainerError, "the image holds no module")
        })?;
        let env = self.env(&image, &sandbox).await?;
        let runtime = self.shared.runtime(linux);
        runtime.prepare(&for_runtime).await.map_err(|error| self.runtime_fault(&error))?;
        let attempt = self.next_attempt();
        let of_linux = self.linux_spec(&image, &sandbox, linux)?;
        let on_disk = self.on_disk(&env, linux, attempt).await?;
        let (mut spec, message_place) =
            self.container_spec(for_runtime, env, sandbox, attempt, on_disk);
        spec.linux = of_linux;
        let id = container_id(&self.entry.key.uid, &self.container.name, attempt);
        let previous = self.begin(&id, attempt, &image, linux, message_place);
        if let Err(error) = runtime.start(&id, &spec).await {
            self.take_back(&id, previous, &error);
            return Err(self.runtime_fault(&error));
        }
        self.started(&id);
        self.post_start(&id, linux).await;
        self.let_go_of_run_before(attempt).await;
        Ok(())
    }

    async fn sandbox(&self) -> Result<Sandbox, Fault> {
        let request = sandbox_request(&self.entry.key, self.pod, self.spec);
        let made = match self.shared.network.get() {
            Some(network) => network.setup(&request).await.map_err(|error| error.to_string()),
            None => without_network(&request, self.shared.config.node_ip),
        };
        match made {
            Ok(sandbox) => {
                if self.entry.lock().ip.replace(sandbox.ip) != Some(sandbox.ip) {
                    self.shared.keep_address(&request, sandbox.ip);
                }
                Ok(sandbox)
            }
            Err(error) => Err(self.no_sandbox(&error)),
        }
    }

    /// What the container has as a Linux program, or a refusal of what it cannot have as a
    /// WebAssembly one.
    fn linux_spec(
        &self,
        image: &wk_oci::Image,
        sandbox: &Sandbox,
        linux: bool,
    ) -> Result<wk_runtime::LinuxSpec, Fault> {
        let refused = |message: String| Fault::new(WaitReason::CreateContainerConfigError, message);
        if !linux {
            linux_spec::check_wasm(self.spec, self.container).map_err(refused)?;
            return Ok(wk_runtime::LinuxSpec::default());
        }
        let target = self.target().map_err(refused)?;
        let profiles = self.shared.config.data_dir.join("seccomp");
        let given = linux_spec::Given {
            pod: self.pod,
            sandbox,
            image_user: image.config.user.as_deref(),
            target: target.as_ref(),
            defaults: &self.shared.config.linux,
            node_memory: self.shared.allocatable.memory_bytes,
            seccomp_profile: &|name| {
                let path = profiles.join(name);
                std::fs::read_to_string(&path).map_err(|error| {
                    format!("cannot load seccomp profile \"{}\": {error}", path.display())
                })
            },
        };
        linux_spec::spec(self.spec, self.container, given).map_err(refused)
    }

    /// The container whose processes an ephemeral one is to see.
    fn target(&self) -> Result<Option<ContainerId>, String> {
        let ephemeral = self.spec.ephemeral_containers.iter().flatten();
        let mut own = ephemeral.filter(|one| one.name == self.container.name);
        let target = own.next().and_then(|one| one.target_container_name.as_deref());
        let Some(target) = target.filter(|name| !name.is_empty()) else { return Ok(None) };
        let mut inner = self.entry.lock();
        let record = inner.record(target);
        match record.and_then(|record| Some((record.running_id()?.clone(), record.linux))) {
            Some((id, true)) => Ok(Some(id)),
            Some((_, false)) => Err(format!(
                "targetContainerName `{target}` is a WebAssembly program, which has no processes \
                 that could be looked into"
            )),
            None => Err(format!("unable to find target container {target}")),
        }
    }

    /// What to do about an error of a runtime. An engine that is away is waited for, and the pod
    /// says so.
    fn runtime_fault(&self, error: &RuntimeError) -> Fault {
        if !matches!(error, RuntimeError::Unavailable { .. }) {
            return runtime_fault(error);
        }
        Fault { retry: Some(ENGINE_RETRY), ..self.no_sandbox(&error.to_string()) }
    }

    fn container_spec(
        &self,
        image: wk_runtime::Image,
        env: Vec<(String, String)>,
        sandbox: Sandbox,
        attempt: u32,
        on_disk: OnDisk,
    ) -> (ContainerSpec, Place) {
        let (container, key) = (self.container, &self.entry.key);
        let annotations = self.pod.metadata.annotations.clone().unwrap_or_default();
        let reused = annotations
            .get(wk_api::well_known::WASM_INSTANCE_ANNOTATION)
            .is_some_and(|policy| policy == "reuse");
        let ports = container.ports.iter().flatten();
        let tcp = ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
        let spec = ContainerSpec {
            pod: key.clone(),
            name: container.name.clone(),
            attempt,
            image,
            command: env::expand_all(container.command.as_deref(), &env),
            args: env::expand_all(container.args.as_deref(), &env),
            env,
            working_dir: container.working_dir.clone().filter(|folder| !folder.is_empty()),
            mounts: on_disk.mounts,
            limits: limits(container),
            sandbox,
            ports: tcp.filter_map(|port| u16::try_from(port.container_port).ok()).collect(),
            log_path: on_disk.log_path,
            log_limits: self.shared.config.log_limits,
            termination_message_path: on_disk.message_path,
            annotations,
            instances: if reused { InstancePolicy::Reused } else { InstancePolicy::PerRequest },
            stdio: wk_runtime::Stdio {
                stdin: container.stdin.unwrap_or(false),
                stdin_once: container.stdin_once.unwrap_or(false),
                tty: container.tty.unwrap_or(false),
            },
            linux: wk_runtime::LinuxSpec::default(),
        };
        (spec, on_disk.message_place)
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
            | WaitReason::ImagePullBackOff
            | WaitReason::PostStartHookError => {}
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
        let container = Some((self.container.name.as_str(), self.role));
        self.shared.event(&self.entry.key, container, kind, reason, message);
    }
}

/// The sandbox of a pod where pods have no network yet: those that use the node's need none.
fn without_network(request: &SandboxRequest, node_ip: std::net::IpAddr) -> Result<Sandbox, String> {
    if !request.host_network {
        return Err("the node has no pod network yet".to_owned());
    }
    Ok(Sandbox {
        pod_uid: request.pod.uid.clone(),
        namespace: request.pod.namespace.clone(),
        hostname: request.hostname.clone(),
        ip: node_ip,
        loopback: std::net::Ipv4Addr::LOCALHOST.into(),
        netns: None,
        host_network: true,
        host_aliases: request.host_aliases.clone(),
    })
}

/// What a pod asks of the network.
pub(crate) fn sandbox_request(key: &PodRef, pod: &Pod, spec: &PodSpec) -> SandboxRequest {
    let name = pod.metadata.name.clone();
    let mut host_aliases = std::collections::BTreeMap::new();
    for alias in spec.host_aliases.iter().flatten() {
        let Ok(ip) = alias.ip.parse::<std::net::IpAddr>() else { continue };
        for name in alias.hostnames.iter().flatten() {
            host_aliases.entry(name.clone()).or_insert_with(Vec::new).push(ip);
        }
    }
    let before = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    SandboxRequest {
        pod: key.clone(),
        hostname: spec.hostname.clone().or(name).unwrap_or_default(),
        host_network: spec.host_network == Some(true),
        host_aliases,
        preferred: before.and_then(|ip| ip.parse().ok()),
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
        RuntimeError::ImageMissing { .. } => {
            Fault { image_gone: true, ..Fault::new(WaitReason::CreateContainerError, message) }
        }
        RuntimeError::InvalidImage { .. }
        | RuntimeError::PrepareLimit { .. }
        | RuntimeError::OutOfResource { .. } => {
            Fault::new(WaitReason::CreateContainerError, message)
        }
        RuntimeError::NoSuchContainer { .. }
        | RuntimeError::NotRunning { .. }
        | RuntimeError::ExecFailed { .. }
        | RuntimeError::Unsupported { .. }
        | RuntimeError::Unavailable { .. }
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
