//! One probe of one run of one container, with its results so far.
//!
//! Spec: <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/>

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use wk_client::EventType;
use wk_runtime::{ContainerId, Runtime};

use super::Kind;
use crate::actions::{self, Health, HttpGet, Outcome, TcpConnect};
use crate::plan::Role;
use crate::report;
use crate::shared::Shared;
use crate::state::{Ailment, Phase, PodEntry, find_container};
use crate::worker::go_duration;

/// How often a probe that cannot be run is tried each time.
const TRIES: u32 = 3;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    Exec(Vec<String>),
    Tcp(TcpConnect),
    Http(HttpGet),
    Grpc(Health),
    /// It says nothing that can be asked, and why.
    Impossible(String),
}

/// A probe on its way.
#[derive(Debug)]
pub(crate) struct Probing {
    entry: Arc<PodEntry>,
    id: ContainerId,
    container: Box<str>,
    role: Role,
    kind: Kind,
    check: Check,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    success_threshold: u32,
    failure_threshold: u32,
    successes: u32,
    failures: u32,
}

impl Probing {
    pub(super) fn new(
        entry: &Arc<PodEntry>,
        container: &Container,
        id: &ContainerId,
        kind: Kind,
        probe: &Probe,
    ) -> Self {
        let number = |value: Option<i32>, default: u32| {
            let value = value.and_then(|value| u32::try_from(value).ok());
            value.filter(|value| *value > 0).unwrap_or(default)
        };
        let seconds = |value, default| Duration::from_secs(number(value, default).into());
        let delay = seconds(probe.initial_delay_seconds, 0);
        // After a start of the kubelet, or a startup probe, part of the delay is over.
        let since = {
            let mut inner = entry.lock();
            match inner.record(&container.name).map(|record| &record.phase) {
                Some(Phase::Running { since, .. }) => *since,
                _ => Timestamp::now(),
            }
        };
        let over = Timestamp::now().duration_since(since);
        let over = Duration::try_from(over).unwrap_or_default();
        let role =
            find_container(&entry.pod(), &container.name).map_or(Role::Main, |(role, _)| role);
        Self {
            entry: Arc::clone(entry),
            id: id.clone(),
            container: container.name.as_str().into(),
            role,
            kind,
            check: Check::of(probe, container),
            delay: delay.saturating_sub(over),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            success_threshold: number(probe.success_threshold, 1),
            failure_threshold: number(probe.failure_threshold, 3),
            successes: 0,
            failures: 0,
        }
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn period(&self) -> Duration {
        self.period
    }

    /// Where to ask; `None` if nobody needs the answer any more.
    pub(super) fn address(&self, shared: &Shared) -> Option<IpAddr> {
        let ip = shared.reach(&self.entry);
        let pod = self.entry.pod();
        let ends = pod.metadata.deletion_timestamp.is_some();
        let mut inner = self.entry.lock();
        let record = inner.record(&self.container)?;
        let over = record.running_id() != Some(&self.id)
            || record.unhealthy.is_some()
            || (self.kind == Kind::Startup && record.started)
            // A pod that ends is not restarted, but its readiness still counts.
            || (ends && self.kind != Kind::Readiness);
        ip.filter(|_| !over)
    }

    /// Asks once, and again at once where that could not be done.
    pub(super) async fn check(&self, shared: &Shared, ip: IpAddr) -> Outcome {
        let linux = {
            let mut inner = self.entry.lock();
            inner.record(&self.container).is_some_and(|record| record.linux)
        };
        let runtime = shared.runtime(linux);
        let mut tries = 1;
        loop {
            let outcome = self.check.run(&**runtime, &self.id, ip, self.timeout).await;
            match outcome {
                Outcome::Unknown(_) if tries < TRIES && self.address(shared).is_some() => {
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Counts one result for the node's figures.
    pub(super) fn count(&self, shared: &Shared, outcome: &Outcome, took: Duration) {
        let (key, container) = (&self.entry.key, &self.container);
        shared.probe_figures.count(key, container, self.kind, outcome, took);
    }

    /// Takes one result; whether the probe goes on.
    pub(super) fn conclude(&mut self, shared: &Arc<Shared>, outcome: Outcome) -> bool {
        // What was found out about a container that has ended meanwhile means nothing.
        if self.address(shared).is_none() {
            return false;
        }
        let title = self.kind.title();
        match outcome {
            Outcome::Success => self.well(shared),
            Outcome::Warning(message) => {
                self.warn(shared, "ProbeWarning", format!("{title} probe warning: {message}"));
                self.well(shared)
            }
            Outcome::Failure(message) => {
                self.warn(shared, "Unhealthy", format!("{title} probe failed: {message}"));
                self.unwell(shared)
            }
            Outcome::Unknown(error) => {
                let text = format!("{title} probe errored and resulted in unknown state: {error}");
                self.warn(shared, "Unhealthy", text);
                // As in Kubernetes, what could not be found out counts for nothing.
                true
            }
        }
    }

    fn warn(&self, shared: &Shared, reason: &str, message: String) {
        let container = Some((&*self.container, self.role));
        shared.event(&self.entry.key, container, EventType::Warning, reason, message);
    }

    fn well(&mut self, shared: &Arc<Shared>) -> bool {
        self.successes += 1;
        self.failures = 0;
        self.successes < self.success_threshold || self.succeeded(shared)
    }

    fn unwell(&mut self, shared: &Arc<Shared>) -> bool {
        self.failures += 1;
        self.successes = 0;
        self.failures < self.failure_threshold || self.failed(shared)
    }

    fn succeeded(&self, shared: &Arc<Shared>) -> bool {
        let pod = self.entry.pod();
        let changed = {
            let mut inner = self.entry.lock();
            let Some(record) = inner.record(&self.container) else { return false };
            if record.running_id() != Some(&self.id) {
                return false;
            }
            match self.kind {
                Kind::Liveness => false,
                Kind::Readiness => !std::mem::replace(&mut record.ready, true),
                Kind::Startup => {
                    record.ready |= has_no_readiness_probe(&pod, &self.container);
                    !std::mem::replace(&mut record.started, true)
                }
            }
        };
        if changed {
            report::ask(shared, &self.entry);
            // A started sidecar lets the next container start.
            if self.kind == Kind::Startup {
                shared.wake(&self.entry);
                if let Some((_, container)) = find_container(&pod, &self.container) {
                    shared.probes.watch(&self.entry, &container, &self.id, true);
                }
            }
        }
        self.kind != Kind::Startup
    }

    fn failed(&self, shared: &Arc<Shared>) -> bool {
        {
            let mut inner = self.entry.lock();
            let Some(record) = inner.record(&self.container) else { return false };
            if record.running_id() != Some(&self.id) {
                return false;
            }
            if self.kind == Kind::Readiness {
                if !std::mem::replace(&mut record.ready, false) {
                    return true;
                }
            } else {
                record.unhealthy = Some(Ailment::Probe(self.kind));
            }
        }
        report::ask(shared, &self.entry);
        if self.kind == Kind::Readiness {
            return true;
        }
        shared.wake(&self.entry);
        false
    }
}

fn has_no_readiness_probe(pod: &Pod, name: &str) -> bool {
    find_container(pod, name).is_none_or(|(_, container)| container.readiness_probe.is_none())
}

impl Check {
    fn of(probe: &Probe, container: &Container) -> Self {
        let made = match (&probe.exec, &probe.http_get, &probe.tcp_socket, &probe.grpc) {
            (Some(exec), _, _, _) => Ok(Self::Exec(exec.command.clone().unwrap_or_default())),
            (None, Some(get), _, _) => HttpGet::of(get, container).map(Self::Http),
            (None, None, Some(tcp), _) => TcpConnect::of(tcp, container).map(Self::Tcp),
            (None, None, None, Some(grpc)) => Health::of(grpc).map(Self::Grpc),
            (None, None, None, None) => Err("missing probe handler".to_owned()),
        };
        made.unwrap_or_else(Self::Impossible)
    }

    async fn run(
        &self,
        runtime: &dyn Runtime,
        id: &ContainerId,
        ip: IpAddr,
        timeout: Duration,
    ) -> Outcome {
        match self {
            Self::Exec(argv) => {
                let ran = tokio::time::timeout(timeout, actions::run(runtime, id, argv)).await;
                match ran {
                    Ok(Ok(ran)) if ran.code == 0 => Outcome::Success,
                    Ok(Ok(ran)) => Outcome::Failure(ran.output),
                    Ok(Err(error)) => Outcome::Unknown(wk_client::error_chain(&error)),
                    Err(_) => Outcome::Failure(format!(
                        "command timed out: \"{}\" timed out after {}",
                        argv.join(" "),
                        go_duration(timeout)
                    )),
                }
            }
            Self::Tcp(tcp) => tcp.check(ip, timeout).await,
            Self::Http(get) => get.check(ip, timeout).await,
            Self::Grpc(health) => health.check(ip, timeout).await,
            Self::Impossible(why) => Outcome::Unknown(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(probe: &serde_json::Value) -> Check {
        let probe: Probe = serde_json::from_value(probe.clone()).unwrap();
        Check::of(&probe, &Container::default())
    }

    #[test]
    fn every_kind_of_probe_is_understood() {
        let argv = vec!["ls".to_owned()];
        assert_eq!(check(&json!({"exec": {"command": ["ls"]}})), Check::Exec(argv));
        assert!(matches!(check(&json!({"httpGet": {"port": 1}})), Check::Http(_)));
        assert!(matches!(check(&json!({"tcpSocket": {"port": 1}})), Check::Tcp(_)));
        assert!(matches!(check(&json!({"grpc": {"port": 1}})), Check::Grpc(_)));
        let Check::Impossible(why) = check(&json!({"tcpSocket": {"port": "web"}})) else {
            panic!("the container has no such port");
        };
        assert_eq!(why, "strconv.Atoi: parsing \"web\": invalid syntax");
    }
}
