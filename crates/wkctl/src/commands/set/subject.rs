//! `set subject`: whom a role is bound to.

use anyhow::bail;
use serde_json::{Value, json};

use super::CommonArgs;
use crate::commands::create::subjects;
use crate::session::Session;

/// Arguments of `set subject`.
#[derive(Debug, clap::Args)]
pub(crate) struct BindArgs {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    subjects: subjects::SubjectArgs,
}

pub(super) async fn run(session: &Session, args: BindArgs) -> anyhow::Result<()> {
    let added = args.subjects.list()?;
    if added.is_empty() {
        bail!("you must specify at least one value of user, group or serviceaccount");
    }
    args.common
        .change(session, ("subjects updated", false), |found, object| {
            if !["RoleBinding", "ClusterRoleBinding"].contains(&found.resource.kind.as_str()) {
                bail!(
                    "{}/{} setting subjects is only supported for RoleBinding/ClusterRoleBinding",
                    found.resource.plural,
                    found.name
                );
            }
            let mut all: Vec<Value> =
                object.get("subjects").and_then(Value::as_array).cloned().unwrap_or_default();
            for one in &added {
                if !all.contains(one) {
                    all.push(one.clone());
                }
            }
            object["subjects"] = json!(all);
            Ok(())
        })
        .await
}
