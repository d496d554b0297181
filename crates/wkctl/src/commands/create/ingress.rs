//! `create ingress NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]`

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::{CreateOptions, Made};

/// Arguments of `create ingress`.
#[derive(Debug, clap::Args)]
pub(crate) struct IngressArgs {
    name: String,
    /// Which service serves a path; a path that ends in `*` stands for all below it
    #[arg(long = "rule", value_name = "HOST/PATH=SERVICE:PORT[,tls[=SECRET]]")]
    rules: Vec<String>,
    /// Which service serves everything else
    #[arg(long, value_name = "SERVICE:PORT")]
    default_backend: Option<String>,
    /// Class of the ingress
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// An annotation
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    #[command(flatten)]
    options: CreateOptions,
}

/// A rule of the command line, taken apart.
struct Rule {
    host: String,
    path: Value,
    /// The secret of the host's certificate, or an empty text for the controller's own.
    tls: Option<String>,
}

fn backend(text: &str) -> Option<Value> {
    let (name, port) = text.split_once(':')?;
    if name.is_empty() || port.is_empty() {
        return None;
    }
    let port = port.parse::<u16>().map_or_else(|_| json!({"name": port}), |n| json!({"number": n}));
    Some(json!({"service": {"name": name, "port": port}}))
}

fn rule(text: &str) -> Option<Rule> {
    let (address, rest) = text.split_once('=')?;
    let (host, path) = address.split_at(address.find('/')?);
    let (service, tls) = match rest.split_once(',') {
        None => (rest, None),
        Some((service, "tls")) => (service, Some(String::new())),
        Some((service, tls)) => (service, Some(tls.strip_prefix("tls=")?.to_owned())),
    };
    let (path, kind) = match path.split_once('*') {
        Some((path, _)) => (path, "Prefix"),
        None => (path, "Exact"),
    };
    let path = json!({"path": path, "pathType": kind, "backend": backend(service)?});
    Some(Rule { host: host.to_owned(), path, tls })
}

impl IngressArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        if self.rules.is_empty() && self.default_backend.is_none() {
            bail!(
                "not enough information provided: every ingress has to either specify a \
                 default-backend (which catches all traffic) or a list of rules (which catch \
                 specific paths)"
            );
        }
        let mut spec = Map::new();
        spec.extend(self.class.as_ref().map(|class| ("ingressClassName".to_owned(), json!(class))));
        if let Some(text) = &self.default_backend {
            let backend = backend(text).with_context(|| {
                format!("invalid default-backend: {text}, expected <svc>:<port>")
            })?;
            spec.insert("defaultBackend".to_owned(), backend);
        }
        let mut rules: Vec<(String, Vec<Value>)> = Vec::new();
        let mut tls: Vec<(String, Vec<String>)> = Vec::new();
        for text in &self.rules {
            let rule = rule(text).with_context(|| {
                format!(
                    "rule {text} is invalid and should be in format \
                     host/path=svcname:svcport[,tls[=secret]]"
                )
            })?;
            if let Some(secret) = rule.tls {
                match tls.iter_mut().find(|(known, _)| *known == secret) {
                    Some((_, hosts)) if hosts.contains(&rule.host) => {}
                    Some((_, hosts)) => hosts.push(rule.host.clone()),
                    None => tls.push((secret, vec![rule.host.clone()])),
                }
            }
            match rules.iter_mut().find(|(known, _)| *known == rule.host) {
                Some((_, paths)) => paths.push(rule.path),
                None => rules.push((rule.host, vec![rule.path])),
            }
        }
        if !rules.is_empty() {
            let rule = |(host, paths): (String, Vec<Value>)| match host.as_str() {
                "" => json!({"http": {"paths": paths}}),
                host => json!({"host": host, "http": {"paths": paths}}),
            };
            spec.insert("rules".to_owned(), rules.into_iter().map(rule).collect());
        }
        if !tls.is_empty() {
            let one = |(secret, hosts): (String, Vec<String>)| {
                let hosts: Vec<String> =
                    hosts.into_iter().filter(|host| !host.is_empty()).collect();
                let mut one = Map::new();
                if !hosts.is_empty() {
                    one.insert("hosts".to_owned(), json!(hosts));
                }
                if !secret.is_empty() {
                    one.insert("secretName".to_owned(), json!(secret));
                }
                Value::Object(one)
            };
            spec.insert("tls".to_owned(), tls.into_iter().map(one).collect());
        }
        let mut object = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": self.name},
            "spec": spec,
            "status": {"loadBalancer": {}},
        });
        for annotation in &self.annotations {
            let (key, value) = annotation.split_once('=').with_context(|| {
                format!("annotation {annotation} is invalid and should be in format key=[value]")
            })?;
            object["metadata"]["annotations"][key] = json!(value);
        }
        Ok(Made { object, options: self.options, failed: "failed to create ingress: " })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_hosts_paths_and_services() {
        let parsed = rule("a.b/c*=svc:80,tls=sec").unwrap();
        assert_eq!((parsed.host.as_str(), parsed.tls.as_deref()), ("a.b", Some("sec")));
        assert_eq!(
            (&parsed.path["path"], &parsed.path["pathType"]),
            (&json!("/c"), &json!("Prefix"))
        );
        assert_eq!(parsed.path["backend"]["service"]["port"]["number"], 80);
        let parsed = rule("/d=svc:http").unwrap();
        assert_eq!((parsed.host.as_str(), parsed.tls), ("", None));
        assert_eq!(parsed.path["backend"]["service"]["port"]["name"], "http");
        for text in ["x", "a=b:1", "a/b=c", "a/b=c:1,x", "a/b=:1"] {
            assert!(rule(text).is_none(), "{text}");
        }
    }
}
