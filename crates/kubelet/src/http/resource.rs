//! `/metrics/resource`: what the node, its pods and their containers use, for who scales and sorts.
//!
//! Names and units are Kubernetes'. What containers were asked over HTTP is there as well, where a
//! runtime sees it.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::response::Response;
use wk_runtime::{ContainerStats, PodRef, RequestStats};

use super::metrics::text;
use crate::shared::Shared;
use crate::usage::{self, ContainerUsage, PodUsage, Usage};

/// Answers with what is used now.
pub(super) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    text(shown(&usage::measure(&shared).await))
}

fn shown(usage: &Usage) -> String {
    let mut page = Page { out: String::new(), at: usage.at.as_millisecond() };
    let of_containers = |value: fn(&ContainerUsage) -> Option<f64>| {
        let all = usage.pods.iter().flat_map(|pod| pod.containers.iter().map(move |c| (pod, c)));
        all.filter_map(move |(pod, one)| Some((labels(Some(&one.name), &pod.key), value(one)?)))
    };
    let of_pods = |value: fn(&PodUsage) -> f64| {
        let running = usage.pods.iter().filter(|pod| !pod.containers.is_empty());
        running.map(move |pod| (labels(None, &pod.key), value(pod)))
    };
    let of_node = |value: Option<f64>| value.map(|value| (String::new(), value));
    page.timed(
        ("container_cpu_usage_seconds_total", "counter"),
        "Processor time that the container has used, in seconds of one core",
        of_containers(|container| Some(container.stats.cpu.as_secs_f64())),
    );
    page.timed(
        ("container_memory_working_set_bytes", "gauge"),
        "Memory that the container holds, in bytes",
        of_containers(|container| Some(float(container.stats.memory_bytes))),
    );
    page.untimed(
        ("container_start_time_seconds", "gauge"),
        "When the container was started, in seconds since 1970",
        of_containers(|container| Some(started(&container.stats))),
    );
    page.timed(
        ("container_http_requests_total", "counter"),
        "HTTP requests that the container has taken in",
        of_containers(|container| Some(float(requests(container)?.total))),
    );
    page.timed(
        ("container_http_requests_in_flight", "gauge"),
        "HTTP requests that the container works on",
        of_containers(|container| Some(float(requests(container)?.in_flight))),
    );
    page.timed(
        ("container_http_request_seconds_total", "counter"),
        "Time that HTTP requests to the container have been in flight, added up, in seconds",
        of_containers(|container| Some(requests(container)?.time.as_secs_f64())),
    );
    let node = &usage.node;
    page.timed(
        ("node_cpu_usage_seconds_total", "counter"),
        "Processor time that the node has used, in seconds of one core",
        of_node(node.cpu_nanos.map(seconds)),
    );
    page.timed(
        ("node_memory_working_set_bytes", "gauge"),
        "Memory that the node needs, in bytes",
        of_node(node.working_set_bytes.map(float)),
    );
    page.timed(
        ("node_swap_usage_bytes", "gauge"),
        "Swap that the node uses, in bytes",
        of_node(node.swap_bytes.map(float)),
    );
    page.timed(
        ("pod_cpu_usage_seconds_total", "counter"),
        "Processor time that the running containers of the pod have used, in seconds of one core",
        of_pods(|pod| seconds(pod.cpu_nanos())),
    );
    page.timed(
        ("pod_memory_working_set_bytes", "gauge"),
        "Memory that the pod holds, in bytes",
        of_pods(|pod| float(pod.memory_bytes())),
    );
    for name in ["resource_scrape_error", "scrape_error"] {
        page.untimed(
            (name, "gauge"),
            "1 if a running container could not be measured, 0 otherwise",
            [(String::new(), f64::from(u8::from(usage.incomplete)))],
        );
    }
    page.out
}

struct Page {
    out: String,
    /// The time of the figures, in milliseconds since 1970.
    at: i64,
}

impl Page {
    fn timed(
        &mut self,
        metric: (&str, &str),
        help: &str,
        series: impl IntoIterator<Item = (String, f64)>,
    ) {
        let at = self.at;
        self.series(metric, help, series, &format_args!(" {at}"));
    }

    fn untimed(
        &mut self,
        metric: (&str, &str),
        help: &str,
        series: impl IntoIterator<Item = (String, f64)>,
    ) {
        self.series(metric, help, series, &"");
    }

    fn series(
        &mut self,
        (name, kind): (&str, &str),
        help: &str,
        series: impl IntoIterator<Item = (String, f64)>,
        time: &dyn Display,
    ) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        for (labels, value) in series {
            let _ = writeln!(self.out, "{name}{labels} {value}{time}");
        }
    }
}

/// Names of Kubernetes objects need no escaping.
fn labels(container: Option<&str>, pod: &PodRef) -> String {
    let container = container.map(|name| format!("container=\"{name}\",")).unwrap_or_default();
    format!("{{{container}namespace=\"{}\",pod=\"{}\"}}", pod.namespace, pod.name)
}

fn requests(container: &ContainerUsage) -> Option<RequestStats> {
    container.stats.requests
}

fn started(stats: &ContainerStats) -> f64 {
    stats.started_at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn seconds(nanos: u64) -> f64 {
    float(nanos) / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "the text format knows only floats")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::usage::NodeUsage;

    #[test]
    fn figures_have_their_names_labels_and_times() {
        let stats = ContainerStats {
            started_at: UNIX_EPOCH + Duration::from_millis(1500),
            cpu: Duration::from_millis(250),
            memory_bytes: 65_536,
            memory_peak_bytes: 65_536,
            processes: 0,
            requests: None,
        };
        let requests = RequestStats { total: 4, in_flight: 1, time: Duration::from_secs(2) };
        let serving = ContainerStats { requests: Some(requests), ..stats };
        let container = |name: &str, stats| ContainerUsage {
            name: name.to_owned(),
            id: wk_runtime::ContainerId::new(name),
            stats,
            nano_cores: None,
        };
        let usage = Usage {
            at: Timestamp::from_second(100).unwrap(),
            node: NodeUsage { cpu_nanos: Some(3_000_000_000), ..NodeUsage::default() },
            nano_cores: None,
            pods: vec![PodUsage {
                key: PodRef { namespace: "n".into(), name: "p".into(), uid: "u".into() },
                started_at: Timestamp::UNIX_EPOCH,
                containers: vec![container("a", stats), container("b", serving)],
            }],
            incomplete: false,
        };
        let page = shown(&usage);
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let pod = r#"namespace="n",pod="p""#;
        let expected = [
            format!("container_cpu_usage_seconds_total{{container=\"a\",{pod}}} 0.25 100000"),
            format!("container_cpu_usage_seconds_total{{container=\"b\",{pod}}} 0.25 100000"),
            format!("container_memory_working_set_bytes{{container=\"a\",{pod}}} 65536 100000"),
            format!("container_memory_working_set_bytes{{container=\"b\",{pod}}} 65536 100000"),
            format!("container_start_time_seconds{{container=\"a\",{pod}}} 1.5"),
            format!("container_start_time_seconds{{container=\"b\",{pod}}} 1.5"),
            format!("container_http_requests_total{{container=\"b\",{pod}}} 4 100000"),
            format!("container_http_requests_in_flight{{container=\"b\",{pod}}} 1 100000"),
            format!("container_http_request_seconds_total{{container=\"b\",{pod}}} 2 100000"),
            "node_cpu_usage_seconds_total 3 100000".to_owned(),
            format!("pod_cpu_usage_seconds_total{{{pod}}} 0.5 100000"),
            format!("pod_memory_working_set_bytes{{{pod}}} 131072 100000"),
            "resource_scrape_error 0".to_owned(),
            "scrape_error 0".to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
