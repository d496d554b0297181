//! What the server counts.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::cache::Cache;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    verb: &'static str,
    resource: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    resource: String,
}

/// Tells what a component measures, as Prometheus reads it.
type Source = Box<dyn Fn() -> String + Send + Sync>;

/// What the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    /// What else this process measures.
    beside: Mutex<Vec<Source>>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<ResourceLabels, Histogram, fn() -> Histogram>,
    watches: Family<WatchLabels, Gauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Counts a watch as long as it lives.
#[derive(Debug)]
pub(crate) struct WatchGuard {
    gauge: Gauge,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn histogram() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0])
}

impl Metrics {
    /// Nothing is counted yet.
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::default();
        let requests = Family::default();
        let durations: Family<ResourceLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(histogram);
        let watches = Family::default();
        registry.register(
            "apiserver_request",
            "Requests answered, by verb, resource and status code",
            Family::clone(&requests),
        );
        registry.register(
            "apiserver_request_duration_seconds",
            "Time from a request's head to its answer's head",
            Family::clone(&durations),
        );
        registry.register(
            "apiserver_longrunning_requests",
            "Watches that are open",
            Family::clone(&watches),
        );
        Arc::new(Self { registry, beside: Mutex::default(), requests, durations, watches })
    }

    /// Counts an answered request.
    pub(crate) fn request(
        &self,
        verb: &'static str,
        resource: &str,
        status: StatusCode,
        took: Duration,
    ) {
        let resource = resource.to_owned();
        let labels = RequestLabels { verb, resource: resource.clone(), code: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        let labels = ResourceLabels { verb, resource };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a watch until the guard is dropped.
    pub(crate) fn watching(&self, resource: &str) -> WatchGuard {
        let labels = WatchLabels { resource: resource.to_owned() };
        let gauge = self.watches.get_or_create(&labels).clone();
        gauge.inc();
        WatchGuard { gauge }
    }

    /// Tells from now on what a component in this process measures, too.
    pub(crate) fn add(&self, source: Source) {
        self.beside.lock().push(source);
    }

    /// Everything as Prometheus reads it.
    pub(crate) fn text(&self, cache: &Cache) -> String {
        let mut text = String::new();
        // Sizes are read off the cache when somebody asks.
        let shelves = cache.shelves();
        let mut sizes: Vec<_> = shelves.iter().map(|(name, shelf)| (name, shelf.size())).collect();
        sizes.sort_unstable();
        for (metric, help, of) in [
            ("apiserver_storage_objects", "Objects stored", 0),
            ("apiserver_watch_cache_events", "Changes in the window of the watch cache", 1),
            ("apiserver_watch_cache_bytes", "Bytes kept alive by that window", 2),
        ] {
            let _ = writeln!(text, "# HELP {metric} {help}.\n# TYPE {metric} gauge");
            for (name, (objects, changes, bytes)) in &sizes {
                let value = [objects, changes, bytes][of];
                let _ = writeln!(text, "{metric}{{resource=\"{name}\"}} {value}");
            }
        }
        for source in self.beside.lock().iter() {
            // The end is marked once, behind everything.
            text.push_str(source().trim_end_matches("# EOF\n"));
        }
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
