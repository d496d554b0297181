//! `wk up`: a whole cluster in one process.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use wk_auth::User;
use wk_process::TaskGroup;

use crate::args::{LoggingArgs, UpArgs};
use crate::control_plane::{ControlPlane, Wanted};
use crate::data_dir::{DataDir, write_public};
use crate::report::{self, Progress};
use crate::{node, registry, stop};

pub(crate) async fn run(args: UpArgs, logging: &LoggingArgs) -> anyhow::Result<()> {
    args.node.check()?;
    args.controllers.check()?;
    let scheduler = args.placement.read()?;
    let progress = Progress::new();
    progress.step("opening the data folder");
    let data = DataDir::open(args.data_dir)?;
    let listener = registry::listen(args.listen, "--listen").await?;
    let registry_listener = registry::listen(args.registry_listen, "--registry-listen").await?;

    let tasks = TaskGroup::new("wk up");
    progress.step("starting the registry");
    let registry = registry::start(registry_listener, &data.folder("registry-data")?, &tasks)?;

    progress.step("starting the control plane");
    let wanted =
        Wanted { data: &data, listener, sans: &[], ranges: &args.ranges, objects: args.objects };
    let control_plane = ControlPlane::start(&wanted, &tasks).await?;
    control_plane.start_components(&args.ranges, &args.controllers, scheduler, &tasks)?;

    progress.step("starting the node");
    let name = node::name(args.node_name.as_deref());
    let started = node::start(
        &node::Wanted {
            name: &name,
            address: Ipv4Addr::LOCALHOST.into(),
            port: None,
            args: &args.node,
            containers_go_on: false,
            wasm_host: args.wasm_host,
            folder: &data.folder("node")?,
            logging,
        },
        control_plane.client(User::node(&name)),
        &tasks,
    )
    .await?;
    let kubelet = started.kubelet;
    control_plane.nodes.set_local(&name, Arc::clone(&kubelet), &tasks);

    // From here on `/readyz` can answer, so the files must be there.
    write_public(&data.file("registry"), &format!("{registry}\n"))?;
    let address = control_plane.address;
    let serving = control_plane.serve(wanted, &tasks)?;
    progress.done();
    let kubeconfig = data.file("kubeconfig");
    report::line(&format!(
        "wk is up: API server https://{address}, registry {registry}, node {name}\n\n\
         \x20   export KUBECONFIG={}\n    wkctl get pods -A\n\nCtrl-C stops it.",
        kubeconfig.display()
    ));
    let outcome = stop::run_until_stopped(&tasks, |signal| {
        report::line(&format!("{signal}: stopping; once more ends everything at once"));
        async move { kubelet.stop_containers(args.node.shutdown_grace_period).await }
    })
    .await;
    if let Some(host) = started.wasm_host
        && let Err(error) = host.end_host(Duration::ZERO).await
    {
        warn!(%error, "the Wasm host could not be ended");
    }
    serving.close().await;
    outcome
}
