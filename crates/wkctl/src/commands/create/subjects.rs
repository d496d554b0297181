//! Whom roles are bound to.

use anyhow::bail;
use serde_json::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Users, groups and service accounts.
#[derive(Debug, clap::Args)]
pub(crate) struct SubjectArgs {
    /// A user; `--user` means the same here
    #[arg(long = "subject-user", value_name = "NAME")]
    users: Vec<String>,
    /// A group
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// A service account
    #[arg(long = "serviceaccount", value_name = "NAMESPACE:NAME")]
    accounts: Vec<String>,
}

impl SubjectArgs {
    /// All of them, as bindings have them.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Value>> {
        let one =
            |kind: &str, name: &String| json!({"kind": kind, "apiGroup": GROUP, "name": name});
        let mut all: Vec<Value> = self.users.iter().map(|name| one("User", name)).collect();
        all.extend(self.groups.iter().map(|name| one("Group", name)));
        for account in &self.accounts {
            match account.split_once(':') {
                Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                    all.push(
                        json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}),
                    );
                }
                _ => bail!("serviceaccount must be <namespace>:<name>"),
            }
        }
        Ok(all)
    }
}
