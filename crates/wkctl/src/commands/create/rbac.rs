//! `create role`, `clusterrole`, `rolebinding` and `clusterrolebinding`.

use anyhow::bail;
use serde_json::{Value, json};

use super::subjects::SubjectArgs;
use super::{CreateOptions, Made, pairs};
use crate::session::Session;

const VERSION: &str = "rbac.authorization.k8s.io/v1";

/// What a rule is about.
#[derive(Debug, clap::Args)]
struct RuleArgs {
    /// What may be done
    #[arg(long = "verb", value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// To what it may be done, such as `pods` or `deployments.apps/scale`
    #[arg(long = "resource", value_name = "RESOURCE", value_delimiter = ',')]
    resources: Vec<String>,
    /// Only to the objects of these names
    #[arg(long = "resource-name", value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
}

/// Arguments of `create role`.
#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    name: String,
    #[command(flatten)]
    rule: RuleArgs,
    #[command(flatten)]
    options: CreateOptions,
}

/// Arguments of `create clusterrole`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterRoleArgs {
    name: String,
    #[command(flatten)]
    rule: RuleArgs,
    /// Paths outside of the resources, such as `/healthz`
    #[arg(long = "non-resource-url", value_name = "PATH", value_delimiter = ',')]
    paths: Vec<String>,
    /// Labels of cluster roles whose rules this one has
    #[arg(long, value_name = "LABELS")]
    aggregation_rule: Option<String>,
    #[command(flatten)]
    options: CreateOptions,
}

/// Arguments of `create rolebinding`.
#[derive(Debug, clap::Args)]
pub(crate) struct RoleBindingArgs {
    name: String,
    /// The role
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The cluster role
    #[arg(long, value_name = "NAME")]
    clusterrole: Option<String>,
    #[command(flatten)]
    subjects: SubjectArgs,
    #[command(flatten)]
    options: CreateOptions,
}

/// Arguments of `create clusterrolebinding`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterRoleBindingArgs {
    name: String,
    /// The cluster role
    #[arg(long, value_name = "NAME", required = true)]
    clusterrole: String,
    #[command(flatten)]
    subjects: SubjectArgs,
    #[command(flatten)]
    options: CreateOptions,
}

impl RuleArgs {
    fn unique(list: &[String]) -> Vec<&String> {
        let mut unique: Vec<&String> = Vec::new();
        for word in list {
            if !unique.contains(&word) {
                unique.push(word);
            }
        }
        unique
    }

    /// What may be done; everything if that is among it.
    fn verbs(&self) -> anyhow::Result<Value> {
        if self.verbs.is_empty() {
            bail!("at least one verb must be specified");
        }
        if self.verbs.iter().any(|verb| verb == "*") {
            return Ok(json!(["*"]));
        }
        Ok(json!(Self::unique(&self.verbs)))
    }

    /// A rule for each API group, in the order in which they are named.
    async fn rules(&self, session: &Session) -> anyhow::Result<Vec<Value>> {
        let verbs = self.verbs()?;
        if self.resources.is_empty() {
            bail!("at least one resource must be specified");
        }
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for word in Self::unique(&self.resources) {
            let (name, part) = match word.split_once('/') {
                Some((name, part)) => (name, format!("/{part}")),
                None => (word.as_str(), String::new()),
            };
            let (group, plural) = if name == "*" {
                ("*".to_owned(), "*".to_owned())
            } else {
                let resource = session.resource(name).await?;
                (resource.group, resource.plural)
            };
            let resource = format!("{plural}{part}");
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, resources)) => resources.push(resource),
                None => groups.push((group, vec![resource])),
            }
        }
        let names = Self::unique(&self.names);
        let rule = |(group, resources): (String, Vec<String>)| {
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        };
        Ok(groups.into_iter().map(rule).collect())
    }
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}})
}

impl RoleArgs {
    pub(super) async fn made(self, session: &Session) -> anyhow::Result<Made> {
        let mut object = object("Role", &self.name);
        object["rules"] = self.rule.rules(session).await?.into();
        Ok(Made { object, options: self.options, failed: "" })
    }
}

impl ClusterRoleArgs {
    pub(super) async fn made(self, session: &Session) -> anyhow::Result<Made> {
        let mut object = object("ClusterRole", &self.name);
        if let Some(labels) = &self.aggregation_rule {
            if !self.rule.verbs.is_empty()
                || !self.rule.resources.is_empty()
                || !self.paths.is_empty()
            {
                bail!(
                    "aggregation rule must be specified without --verb, --resource or --non-resource-url"
                );
            }
            let labels = pairs(labels, "aggregation rule")?;
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
            object["rules"] = Value::Null;
            return Ok(Made { object, options: self.options, failed: "" });
        }
        let verbs = self.rule.verbs()?;
        let mut rules = Vec::new();
        if self.paths.is_empty() || !self.rule.resources.is_empty() {
            rules = self.rule.rules(session).await?;
        }
        if !self.paths.is_empty() {
            rules.push(json!({"nonResourceURLs": self.paths, "verbs": verbs}));
        }
        object["rules"] = rules.into();
        Ok(Made { object, options: self.options, failed: "" })
    }
}

fn binding(
    kind: &str,
    name: &str,
    role: (&str, &str),
    subjects: &SubjectArgs,
) -> anyhow::Result<Value> {
    let mut binding = object(kind, name);
    binding["roleRef"] =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1});
    let subjects = subjects.list()?;
    if !subjects.is_empty() {
        binding["subjects"] = subjects.into();
    }
    Ok(binding)
}

impl RoleBindingArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        let role = match (&self.role, &self.clusterrole) {
            (Some(role), None) => ("Role", role.as_str()),
            (None, Some(role)) => ("ClusterRole", role.as_str()),
            _ => bail!("exactly one of clusterrole or role must be specified"),
        };
        let object = binding("RoleBinding", &self.name, role, &self.subjects)?;
        Ok(Made { object, options: self.options, failed: "failed to create rolebinding: " })
    }
}

impl ClusterRoleBindingArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        let role = ("ClusterRole", self.clusterrole.as_str());
        let object = binding("ClusterRoleBinding", &self.name, role, &self.subjects)?;
        let failed = "failed to create clusterrolebinding: ";
        Ok(Made { object, options: self.options, failed })
    }
}
