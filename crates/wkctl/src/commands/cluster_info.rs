//! `cluster-info`: where the cluster is.

use crate::client::Call;
use crate::session::Session;

/// Arguments of `cluster-info`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterInfoArgs {}

pub(crate) async fn run(session: &Session, _args: ClusterInfoArgs) -> anyhow::Result<()> {
    let client = session.client().await?;
    client.object(Call::get("/version")).await?;
    session.console.line(format!("Kubernetes control plane is running at {}", client.server()))?;
    Ok(())
}
