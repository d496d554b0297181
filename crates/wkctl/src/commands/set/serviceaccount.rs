//! `set serviceaccount`: whose rights pods have.

use serde_json::json;

use super::{CommonArgs, pod_spec};
use crate::session::Session;

/// Arguments of `set serviceaccount`: TYPE/NAME... ACCOUNT
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceAccountArgs {
    #[command(flatten)]
    common: CommonArgs,
}

pub(super) async fn run(session: &Session, mut args: ServiceAccountArgs) -> anyhow::Result<()> {
    let Some(account) = args.common.what.words.pop() else {
        anyhow::bail!("serviceaccount is required");
    };
    args.common
        .change(session, ("serviceaccount updated", true), |found, object| {
            let spec = pod_spec(found, object)?;
            spec["serviceAccountName"] = json!(account);
            // The older name of the same field follows.
            if spec.get("serviceAccount").is_some() {
                spec["serviceAccount"] = json!(account);
            }
            Ok(())
        })
        .await
}
