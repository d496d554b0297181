//! `api-versions`: the versions of the groups that the server has.

use serde_json::Value;

use super::describe::items;
use crate::client::Call;
use crate::kinds::text;
use crate::session::Session;

/// Arguments of `api-versions`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiVersionsArgs {}

pub(crate) async fn run(session: &Session, _args: ApiVersionsArgs) -> anyhow::Result<()> {
    let client = session.client().await?;
    let core = client.object(Call::get("/api")).await?;
    let groups = client.object(Call::get("/apis")).await?;
    let mut all: Vec<&str> = items(&core, "/versions").filter_map(Value::as_str).collect();
    for group in items(&groups, "/groups") {
        all.extend(items(group, "/versions").map(|version| text(version, "/groupVersion")));
    }
    all.sort_unstable();
    for version in all {
        session.console.line(version)?;
    }
    Ok(())
}
