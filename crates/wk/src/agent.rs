//! `wk agent`: a node that joins a control plane.

use std::net::SocketAddr;

use anyhow::Context as _;
use wk_auth::BootstrapRole;
use wk_process::TaskGroup;

use crate::args::AgentArgs;
use crate::data_dir::DataDir;
use crate::{node, registry, report, role, stop, tls};

pub(crate) async fn run(args: AgentArgs) -> anyhow::Result<()> {
    let data = DataDir::open(args.data_dir)?;
    let name = node::name(args.node_name.as_deref());
    let wanted = SocketAddr::new(args.address, args.kubelet_port);
    let listener = registry::listen(wanted, "--kubelet-port").await?;
    let port = listener.local_addr().context("cannot tell the kubelet's address")?.port();

    let node_role = BootstrapRole::Node(name.clone());
    let (client, identity) = role::joined(&args.join, &node_role, &[args.address], &data).await?;
    let tasks = TaskGroup::new("wk agent");
    let kubelet = node::start(
        &node::Wanted {
            name: &name,
            address: args.address,
            port: Some(port),
            max_pods: args.max_pods,
            folder: &data.folder("node")?,
        },
        client,
        &tasks,
    )
    .await?;
    let config =
        tls::kubelet_server(&identity.ca_pem, &identity.certificate_pem, &identity.key_pem)?;
    tasks.spawn("kubelet listener", async move {
        kubelet.serve_tls(listener, config).await.map_err(Into::into)
    });
    report::line(&format!("node {name} joined {}", identity.server));
    stop::run_until_stopped(&tasks, |_signal| ()).await
}
