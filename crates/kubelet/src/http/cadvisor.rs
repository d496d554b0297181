//! `/metrics/cadvisor`: what containers use, under the names that dashboards know from cAdvisor.
//!
//! What a runtime does not measure is absent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use wk_api::Quantity;

use super::metrics::text;
use crate::machine::Machine;
use crate::shared::Shared;
use crate::state::find_container;
use crate::usage::{self, ContainerUsage, PodUsage, Usage, nanos};

/// What a container was given, by the pod's uid and its own name.
type Given = HashMap<(String, String), Container>;

#[derive(Clone, Debug, Default)]
struct Container {
    image: String,
    memory_limit: Option<i64>,
    cpu_milli: Option<i64>,
}

/// Answers with what is used now.
pub(super) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    let usage = usage::measure(&shared).await;
    let given = given(&shared, &usage);
    let folder = shared.config.data_dir.clone();
    let machine = tokio::task::spawn_blocking(move || Machine::read(&folder)).await;
    text(shown(&usage, &given, machine.ok().as_ref()))
}

fn given(shared: &Shared, usage: &Usage) -> Given {
    let mut given = Given::new();
    for pod in &usage.pods {
        let Some(entry) = shared.entry(&pod.key.uid) else { continue };
        let object = entry.pod();
        for one in &pod.containers {
            let Some((_, container)) = find_container(&object, &one.name) else { continue };
            let limits = container.resources.as_ref().and_then(|all| all.limits.as_ref());
            let limit = |name: &str| Quantity::parse(&limits?.get(name)?.0).ok();
            let container = Container {
                image: container.image.clone().unwrap_or_default(),
                memory_limit: limit("memory").map(Quantity::value),
                cpu_milli: limit("cpu").map(Quantity::milli),
            };
            given.insert((pod.key.uid.clone(), one.name.clone()), container);
        }
        entry.lock().slim();
    }
    given
}

/// One figure of one container.
type Figure = fn(&ContainerUsage, &Container) -> Option<f64>;

const FIGURES: [(&str, &str, &str, Figure); 8] = [
    (
        "container_cpu_usage_seconds_total",
        "counter",
        "Processor time used, in seconds",
        |one, _| Some(float(nanos(&one.stats)) / 1e9),
    ),
    ("container_memory_usage_bytes", "gauge", "Memory in use, in bytes", |one, _| {
        Some(float(one.stats.memory_bytes))
    }),
    (
        "container_memory_working_set_bytes",
        "gauge",
        "Memory in use that cannot be had back, in bytes",
        |one, _| Some(float(one.stats.memory_bytes)),
    ),
    (
        "container_memory_max_usage_bytes",
        "gauge",
        "The most memory that was in use, in bytes",
        |one, _| Some(float(one.stats.memory_peak_bytes)),
    ),
    (
        "container_start_time_seconds",
        "gauge",
        "When the container was started, in seconds since 1970",
        |one, _| {
            let since = one.stats.started_at.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(float(since.as_secs()))
        },
    ),
    (
        "container_spec_memory_limit_bytes",
        "gauge",
        "The limit of memory, in bytes; 0 is none",
        |_, given| Some(signed(given.memory_limit.unwrap_or(0))),
    ),
    (
        "container_spec_cpu_period",
        "gauge",
        "The time for which the quota is given, in microseconds",
        |_, given| given.cpu_milli.map(|_| 100_000.0),
    ),
    (
        "container_spec_cpu_quota",
        "gauge",
        "Processor time that may be used in a period, in microseconds",
        |_, given| given.cpu_milli.map(|milli| signed(milli) * 100.0),
    ),
];

fn shown(usage: &Usage, given: &Given, machine: Option<&Machine>) -> String {
    let mut out = String::new();
    let at = usage.at.as_millisecond();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    };
    for (name, kind, help, figure) in FIGURES {
        head(&mut out, name, kind, help);
        for (pod, one) in
            usage.pods.iter().flat_map(|pod| pod.containers.iter().map(move |c| (pod, c)))
        {
            let unknown = Container::default();
            let given = given.get(&(pod.key.uid.clone(), one.name.clone())).unwrap_or(&unknown);
            if let Some(value) = figure(one, given) {
                let _ = writeln!(out, "{name}{} {value} {at}", labels(pod, one, given));
            }
        }
    }
    if let Some(machine) = machine {
        head(&mut out, "machine_cpu_cores", "gauge", "Processor cores of the machine");
        let _ = writeln!(out, "machine_cpu_cores {}", machine.cpus);
        head(&mut out, "machine_memory_bytes", "gauge", "Memory of the machine, in bytes");
        let _ = writeln!(out, "machine_memory_bytes {}", machine.memory_bytes);
    }
    out
}

fn labels(pod: &PodUsage, one: &ContainerUsage, given: &Container) -> String {
    let (uid, namespace, name) = (&pod.key.uid, &pod.key.namespace, &pod.key.name);
    let (container, id, image) = (&one.name, &one.id, &given.image);
    format!(
        "{{container=\"{container}\",id=\"/kubepods/pod{uid}/{id}\",image=\"{image}\",\
         name=\"{id}\",namespace=\"{namespace}\",pod=\"{name}\"}}"
    )
}

#[expect(clippy::cast_precision_loss, reason = "the text format knows only floats")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "the text format knows only floats")]
fn signed(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use jiff::Timestamp;
    use wk_runtime::{ContainerId, ContainerStats, PodRef};

    use super::*;
    use crate::usage::NodeUsage;

    #[test]
    fn containers_are_shown_with_what_they_were_given() {
        let stats = ContainerStats {
            started_at: UNIX_EPOCH + Duration::from_secs(9),
            cpu: Duration::from_millis(1500),
            memory_bytes: 10,
            memory_peak_bytes: 20,
            processes: 0,
            requests: None,
        };
        let one = ContainerUsage {
            name: "c".to_owned(),
            id: ContainerId::new("u_c_0"),
            stats,
            nano_cores: None,
        };
        let usage = Usage {
            at: Timestamp::from_second(100).unwrap(),
            node: NodeUsage::default(),
            nano_cores: None,
            pods: vec![PodUsage {
                key: PodRef { namespace: "n".into(), name: "p".into(), uid: "u".into() },
                started_at: Timestamp::UNIX_EPOCH,
                containers: vec![one],
            }],
            incomplete: false,
        };
        let container =
            Container { image: "web:1".into(), memory_limit: Some(64), cpu_milli: Some(250) };
        let given = Given::from([(("u".to_owned(), "c".to_owned()), container)]);
        let page = shown(&usage, &given, None);
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let labels = "{container=\"c\",id=\"/kubepods/podu/u_c_0\",image=\"web:1\",name=\"u_c_0\",\
                      namespace=\"n\",pod=\"p\"}";
        let expected = [
            "container_cpu_usage_seconds_total 1.5",
            "container_memory_usage_bytes 10",
            "container_memory_working_set_bytes 10",
            "container_memory_max_usage_bytes 20",
            "container_start_time_seconds 9",
            "container_spec_memory_limit_bytes 64",
            "container_spec_cpu_period 100000",
            "container_spec_cpu_quota 25000",
        ];
        let expected = expected.map(|line| {
            let (name, value) = line.split_once(' ').unwrap();
            format!("{name}{labels} {value} 100000")
        });
        assert_eq!(lines, expected);
    }
}
