//! Reads the figures of a kubelet off its page of metrics.
//!
//! Spec: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::collections::{BTreeMap, HashMap};

/// What a node and its containers have used up to a moment.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Sample {
    /// The moment, by the node's clock, in seconds since 1970.
    pub(super) at: f64,
    /// Processor time of the node, in seconds.
    pub(super) node_cpu: Option<f64>,
    /// Memory that the node needs, in bytes.
    pub(super) node_memory: Option<f64>,
    /// The containers that run, by namespace and name of their pod and by their own name.
    pub(super) pods: HashMap<(String, String), BTreeMap<String, Counted>>,
}

/// What a container has used.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    /// Processor time in seconds.
    pub(super) cpu: Option<f64>,
    /// Memory that it holds, in bytes.
    pub(super) memory: Option<f64>,
    /// When it was started, in seconds since 1970.
    pub(super) started: Option<f64>,
    /// Requests taken in.
    pub(super) requests: Option<f64>,
    /// The time that requests have been in flight, added up, in seconds.
    pub(super) request_seconds: Option<f64>,
}

/// Reads a page; lines that mean nothing here are passed over. `None` without a time.
pub(super) fn read(page: &str) -> Option<Sample> {
    let mut sample = Sample::default();
    for line in page.lines().filter_map(Line::read) {
        if let Some(at) = line.at {
            sample.at = sample.at.max(at);
        }
        match line.name {
            "node_cpu_usage_seconds_total" => sample.node_cpu = Some(line.value),
            "node_memory_working_set_bytes" => sample.node_memory = Some(line.value),
            _ => {
                let Some(field) = field(line.name) else { continue };
                let label = |name| {
                    let mut labels = line.labels.iter();
                    labels.find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
                };
                let (Some(namespace), Some(pod), Some(container)) =
                    (label("namespace"), label("pod"), label("container"))
                else {
                    continue;
                };
                let pod = sample.pods.entry((namespace.to_owned(), pod.to_owned())).or_default();
                *field(pod.entry(container.to_owned()).or_default()) = Some(line.value);
            }
        }
    }
    (sample.at > 0.0).then_some(sample)
}

fn field(metric: &str) -> Option<fn(&mut Counted) -> &mut Option<f64>> {
    Some(match metric {
        "container_cpu_usage_seconds_total" => |counted| &mut counted.cpu,
        "container_memory_working_set_bytes" => |counted| &mut counted.memory,
        "container_start_time_seconds" => |counted| &mut counted.started,
        "container_http_requests_total" => |counted| &mut counted.requests,
        "container_http_request_seconds_total" => |counted| &mut counted.request_seconds,
        _ => return None,
    })
}

/// One value: `name{label="text",...} value time`.
struct Line<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
    /// In seconds since 1970.
    at: Option<f64>,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let mut words = rest.split_whitespace();
        let value = words.next()?.parse().ok().filter(|value: &f64| value.is_finite())?;
        let at = words.next().and_then(|word| word.parse::<f64>().ok());
        Some(Self { name, labels, value, at: at.map(|millis| millis / 1000.0) })
    }
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut all = Vec::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((all, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        all.push((name.trim(), value));
        text = &rest[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_the_rest_passed_over() {
        let page = "# HELP node_cpu_usage_seconds_total x\n\
                    node_cpu_usage_seconds_total 3.5 100500\n\
                    node_memory_working_set_bytes 7 100500\n\
                    container_cpu_usage_seconds_total{container=\"c\",namespace=\"n\",pod=\"p\"} 1.5 100000\n\
                    container_memory_working_set_bytes{ container=\"c\", namespace=\"n\", pod=\"p\", } 64\n\
                    container_memory_working_set_bytes{container=\"c\",pod=\"p\"} 65\n\
                    container_http_requests_total{container=\"c\",namespace=\"n\",pod=\"p\"} NaN\n\
                    something_else{text=\"a \\\"}\\n\"} 1\n\
                    broken{container=\"c\n\
                    broken\n";
        let sample = read(page).unwrap();
        assert_eq!((sample.at, sample.node_cpu, sample.node_memory), (100.5, Some(3.5), Some(7.0)));
        let counted = Counted { cpu: Some(1.5), memory: Some(64.0), ..Counted::default() };
        let pod = &sample.pods[&("n".to_owned(), "p".to_owned())];
        assert_eq!(pod["c"], counted);
        assert_eq!(read("nothing 1\n"), None, "figures without a time are worth nothing");
    }

    #[test]
    fn labels_are_taken_out_of_their_quotes() {
        let line = Line::read(r#"m{a="x \"y\" }",b="1"} 2 3000"#).unwrap();
        assert_eq!(line.labels, [("a", r#"x "y" }"#.to_owned()), ("b", "1".to_owned())]);
        assert_eq!((line.value, line.at), (2.0, Some(3.0)));
    }
}
