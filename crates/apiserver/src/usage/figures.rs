//! Rates: what was used between two moments.

use std::collections::HashMap;

use super::text::{Counted, Sample};

/// What happened in less time than this, in seconds, says little about a rate.
const LEAST: f64 = 0.5;

/// What a node and its pods use.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// The end of the time measured, in seconds since 1970.
    pub(super) at: f64,
    pub(super) node: Option<Used>,
    /// By namespace and name: the pods all of whose containers are known.
    pub(super) pods: HashMap<(String, String), PodFigures>,
}

/// What a pod uses.
#[derive(Debug, PartialEq)]
pub(super) struct PodFigures {
    /// The time measured, in seconds.
    pub(super) window: f64,
    /// By container, ordered by name.
    pub(super) containers: Vec<(String, Used)>,
    /// What it is asked, if it serves requests.
    pub(super) traffic: Option<Traffic>,
}

/// Processor and memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Used {
    /// The time measured, in seconds.
    pub(super) window: f64,
    /// Cores, on average over the time measured.
    pub(super) cores: f64,
    /// Bytes at the end of it.
    pub(super) memory: f64,
}

/// Requests, on average over the time measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Traffic {
    /// Requests taken in a second.
    pub(super) per_second: f64,
    /// Requests in flight.
    pub(super) in_flight: f64,
}

/// What was used from one sample of a node to a later one.
pub(super) fn between(before: &Sample, now: &Sample) -> Figures {
    let passed = now.at - before.at;
    let node = before.node_cpu.zip(now.node_cpu).zip(now.node_memory);
    let node = node.filter(|((was, is), _)| passed >= LEAST && is >= was);
    let node =
        node.map(|((was, is), memory)| Used { window: passed, cores: (is - was) / passed, memory });
    let pods = now.pods.iter().filter_map(|(key, containers)| {
        let mut pod = PodFigures { window: 0.0, containers: Vec::new(), traffic: None };
        for (name, counted) in containers {
            let was = before.pods.get(key).and_then(|containers| containers.get(name));
            let (used, traffic) = container(before.at, was, now.at, counted)?;
            pod.window = pod.window.max(used.window);
            pod.containers.push((name.clone(), used));
            if let Some(own) = traffic {
                let sum = pod.traffic.get_or_insert_default();
                sum.per_second += own.per_second;
                sum.in_flight += own.in_flight;
            }
        }
        Some((key.clone(), pod))
    });
    Figures { at: now.at, node, pods: pods.collect() }
}

/// What a container used; one that was started in between is counted from its start.
fn container(
    before: f64,
    was: Option<&Counted>,
    now: f64,
    is: &Counted,
) -> Option<(Used, Option<Traffic>)> {
    let fresh = Counted {
        cpu: Some(0.0),
        requests: is.requests.map(|_| 0.0),
        request_seconds: is.request_seconds.map(|_| 0.0),
        ..Counted::default()
    };
    let (from, was) = match was {
        Some(was) if was.started == is.started && was.cpu <= is.cpu => (before, was),
        _ => (is.started.filter(|started| *started >= before)?, &fresh),
    };
    let window = now - from;
    if window < LEAST {
        return None;
    }
    let rate = |was: Option<f64>, is: Option<f64>| Some((is? - was?).max(0.0) / window);
    let traffic = rate(was.requests, is.requests).map(|per_second| Traffic {
        per_second,
        in_flight: rate(was.request_seconds, is.request_seconds).unwrap_or_default(),
    });
    Some((Used { window, cores: rate(was.cpu, is.cpu)?, memory: is.memory? }, traffic))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sample(at: f64, containers: &[(&str, Counted)]) -> Sample {
        let own: BTreeMap<String, Counted> =
            containers.iter().map(|(name, counted)| ((*name).to_owned(), *counted)).collect();
        Sample {
            at,
            node_cpu: Some(at / 2.0),
            node_memory: Some(9.0),
            pods: HashMap::from([(("n".to_owned(), "p".to_owned()), own)]),
        }
    }

    fn counted(started: f64, cpu: f64) -> Counted {
        Counted { cpu: Some(cpu), memory: Some(5.0), started: Some(started), ..Counted::default() }
    }

    #[track_caller]
    fn check(case: &str, before: &[(&str, Counted)], now: &[(&str, Counted)], cores: &[f64]) {
        let figures = between(&sample(100.0, before), &sample(110.0, now));
        let pod = figures.pods.get(&("n".to_owned(), "p".to_owned()));
        let shown: Vec<f64> =
            pod.iter().flat_map(|pod| &pod.containers).map(|(_, used)| used.cores).collect();
        assert_eq!(shown, cores, "{case}");
    }

    #[test]
    fn rates_are_what_was_used_in_between() {
        let old = counted(1.0, 4.0);
        check("steady", &[("c", old)], &[("c", counted(1.0, 9.0))], &[0.5]);
        check("started in between", &[], &[("c", counted(105.0, 1.0))], &[0.2]);
        check("another run", &[("c", old)], &[("c", counted(108.0, 1.0))], &[0.5]);
        check("just started", &[], &[("c", counted(109.9, 1.0))], &[]);
        check("never seen before though it is old", &[], &[("c", counted(1.0, 9.0))], &[]);
        check(
            "a pod of which one container is not known is not known",
            &[("a", old)],
            &[("a", counted(1.0, 9.0)), ("b", counted(1.0, 9.0))],
            &[],
        );
    }

    #[test]
    fn requests_of_all_containers_count_together() {
        let serving = |requests: f64, seconds: f64| Counted {
            requests: Some(requests),
            request_seconds: Some(seconds),
            ..counted(1.0, 1.0)
        };
        let before = sample(100.0, &[("a", serving(10.0, 1.0)), ("b", counted(1.0, 1.0))]);
        let now = sample(110.0, &[("a", serving(40.0, 21.0)), ("b", counted(1.0, 1.0))]);
        let figures = between(&before, &now);
        let pod = &figures.pods[&("n".to_owned(), "p".to_owned())];
        assert_eq!(pod.traffic, Some(Traffic { per_second: 3.0, in_flight: 2.0 }));
        assert_eq!(figures.node, Some(Used { window: 10.0, cores: 0.5, memory: 9.0 }));
    }
}
