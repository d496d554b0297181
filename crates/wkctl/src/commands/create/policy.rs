//! `create quota`, `poddisruptionbudget` and `priorityclass`.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use wk_api::Quantity;

use super::{CreateOptions, Made, named, pairs};

/// Arguments of `create quota`.
#[derive(Debug, clap::Args)]
pub(crate) struct QuotaArgs {
    name: String,
    /// What there may be at most, such as `cpu=4,pods=10`
    #[arg(long, value_name = "AMOUNTS", default_value = "", hide_default_value = true)]
    hard: String,
    /// Only what is in all of these scopes counts
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    #[command(flatten)]
    options: CreateOptions,
}

/// Arguments of `create poddisruptionbudget`.
#[derive(Debug, clap::Args)]
pub(crate) struct BudgetArgs {
    name: String,
    /// How many pods have to stay, a number or a percentage
    #[arg(long, value_name = "COUNT")]
    min_available: Option<String>,
    /// How many pods may be missing, a number or a percentage
    #[arg(long, value_name = "COUNT")]
    max_unavailable: Option<String>,
    /// Labels of the pods
    #[arg(long, value_name = "LABELS")]
    selector: Option<String>,
    #[command(flatten)]
    options: CreateOptions,
}

/// Arguments of `create priorityclass`.
#[derive(Debug, clap::Args)]
pub(crate) struct PriorityClassArgs {
    name: String,
    /// The priority
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    value: i32,
    /// Pods that say nothing are of this class
    #[arg(long)]
    global_default: bool,
    /// When to use it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// `PreemptLowerPriority` or `Never`
    #[arg(long, value_name = "POLICY", default_value = "PreemptLowerPriority")]
    preemption_policy: String,
    #[command(flatten)]
    options: CreateOptions,
}

impl QuotaArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        let mut spec = Map::new();
        let mut hard = Map::new();
        for part in self.hard.split(',').filter(|part| !part.is_empty()) {
            let (name, amount) = part.split_once('=').with_context(|| {
                format!("invalid argument syntax {part}, expected <resource>=<value>")
            })?;
            hard.insert(name.to_owned(), json!(Quantity::parse(amount)?.to_string()));
        }
        if !hard.is_empty() {
            spec.insert("hard".to_owned(), hard.into());
        }
        if !self.scopes.is_empty() {
            spec.insert("scopes".to_owned(), json!(self.scopes));
        }
        let mut object = named("ResourceQuota", &self.name);
        object["spec"] = spec.into();
        object["status"] = json!({});
        Ok(Made { object, options: self.options, failed: "failed to create quota: " })
    }
}

/// A number, or a text such as a percentage.
fn count(text: &str) -> Value {
    text.parse::<i32>().map_or_else(|_| json!(text), |number| json!(number))
}

impl BudgetArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        let Some(selector) = &self.selector else { bail!("a selector must be specified") };
        let mut spec = Map::new();
        spec.insert("selector".to_owned(), json!({"matchLabels": pairs(selector, "selector")?}));
        match (&self.min_available, &self.max_unavailable) {
            (None, None) => bail!("one of min-available or max-unavailable must be specified"),
            (Some(_), Some(_)) => {
                bail!("min-available and max-unavailable cannot be both specified")
            }
            (Some(least), None) => spec.insert("minAvailable".to_owned(), count(least)),
            (None, Some(most)) => spec.insert("maxUnavailable".to_owned(), count(most)),
        };
        let object = json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": self.name},
            "spec": spec,
            "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0,
                "expectedPods": 0},
        });
        let failed = "failed to create poddisruptionbudgets: ";
        Ok(Made { object, options: self.options, failed })
    }
}

impl PriorityClassArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        if !["PreemptLowerPriority", "Never"].contains(&self.preemption_policy.as_str()) {
            bail!(
                "preemption-policy must be PreemptLowerPriority or Never, not {}",
                self.preemption_policy
            );
        }
        let mut object = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": self.name},
            "value": self.value,
            "preemptionPolicy": self.preemption_policy,
        });
        if self.global_default {
            object["globalDefault"] = json!(true);
        }
        if let Some(description) = &self.description {
            object["description"] = json!(description);
        }
        Ok(Made { object, options: self.options, failed: "failed to create priorityclass: " })
    }
}
