//! Gives roles that are made of others (`aggregationRule`) the rules of those.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles>

mod plan;

use std::sync::Arc;

use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use tracing::info;
use wk_client::{Informer, Outcome, WorkQueue};

use crate::{Shell, unless_gone};
use plan::rules;

/// Under this name the rules belong to us.
const MANAGER: &str = "clusterrole-aggregation-controller";

pub(crate) fn run(client: Client, shell: &Shell) {
    let roles = Informer::projected(
        Api::<ClusterRole>::all(client.clone()),
        watcher::Config::default(),
        &shell.group,
        |mut role: ClusterRole| {
            role.metadata.managed_fields = None;
            Some(role)
        },
    );
    let queue = WorkQueue::<String>::default();
    let (from_role, seen) = (queue.clone(), roles.clone());
    roles.on_change(move |_| {
        // Which of them select the one that has changed, or did before, is not worth remembering.
        for role in seen.list().iter().filter(|role| role.aggregation_rule.is_some()) {
            from_role.add(role.metadata.name.clone().unwrap_or_default());
        }
    });
    shell.run("clusterrole-aggregation", &queue, 5, move |name| {
        let (client, roles) = (client.clone(), roles.clone());
        async move {
            roles.ready().await;
            reconcile(client, &roles, &name).await?;
            Ok(Outcome::Done)
        }
    });
}

async fn reconcile(
    client: Client,
    roles: &Informer<ClusterRole>,
    name: &str,
) -> Result<(), kube::Error> {
    let Some(role) = roles.get_cluster(name) else { return Ok(()) };
    let all: Vec<Arc<ClusterRole>> = roles.list();
    let Some(rules) = rules(&role, &all) else { return Ok(()) };
    if role.rules.as_deref().unwrap_or_default() == rules {
        return Ok(());
    }
    let wanted = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    });
    let params = PatchParams::apply(MANAGER).force();
    let api = Api::<ClusterRole>::all(client);
    unless_gone(api.patch(name, &params, &Patch::Apply(wanted)).await)?;
    info!(role = name, rules = rules.len(), "rules put together");
    Ok(())
}
