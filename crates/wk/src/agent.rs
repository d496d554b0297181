//! `wk agent`: a node that joins a control plane.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use wk_auth::BootstrapRole;
use wk_process::TaskGroup;

use crate::args::{AgentArgs, LoggingArgs};
use crate::data_dir::DataDir;
use crate::{node, registry, report, role, stop, tls};

pub(crate) async fn run(args: AgentArgs, logging: &LoggingArgs) -> anyhow::Result<()> {
    args.node.check()?;
    let data = DataDir::open(args.data_dir)?;
    let name = node::name(args.node_name.as_deref());
    let wanted = SocketAddr::new(args.address, args.kubelet_port);
    let listener = registry::listen(wanted, "--kubelet-port").await?;
    let port = listener.local_addr().context("cannot tell the kubelet's address")?.port();

    let node_role = BootstrapRole::Node(name.clone());
    let (client, identity) = role::joined(&args.join, &node_role, &[args.address], &data).await?;
    let tasks = TaskGroup::new("wk agent");
    let started = node::start(
        &node::Wanted {
            name: &name,
            address: args.address,
            port: Some(port),
            args: &args.node,
            containers_go_on: true,
            wasm_host: args.wasm_host,
            folder: &data.folder("node")?,
            logging,
        },
        client,
        &tasks,
    )
    .await?;
    let kubelet = started.kubelet;
    let config =
        tls::kubelet_server(&identity.ca_pem, &identity.certificate_pem, &identity.key_pem)?;
    let serving = Arc::clone(&kubelet);
    tasks.spawn("kubelet listener", async move {
        serving.serve_tls(listener, config).await.map_err(Into::into)
    });
    report::line(&format!("node {name} joined {}", identity.server));
    stop::run_until_stopped(&tasks, |signal| {
        report::line(&format!("{signal}: stopping; once more ends everything at once"));
        async move { kubelet.stop_containers(args.node.shutdown_grace_period).await }
    })
    .await
}
