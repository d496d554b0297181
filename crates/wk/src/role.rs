//! The scheduler and the controllers as processes of their own.

use anyhow::Context as _;
use wk_auth::BootstrapRole;
use wk_client::connect;
use wk_client::join::{Identity, join};
use wk_controllers::{Controllers, ControllersConfig};
use wk_process::TaskGroup;
use wk_scheduler::{Scheduler, SchedulerConfig};

use crate::args::{ControllerManagerArgs, JoinArgs, SchedulerArgs};
use crate::control_plane::controllers_config;
use crate::data_dir::DataDir;
use crate::{figures, registry, report, stop};

pub(crate) async fn scheduler(args: SchedulerArgs) -> anyhow::Result<()> {
    args.leader.check()?;
    let config = args.placement.read()?;
    let listener = match args.listen {
        Some(address) => Some(registry::listen(address, "--listen").await?),
        None => None,
    };
    let data = DataDir::open(Some(args.role.data_dir))?;
    let role = BootstrapRole::Scheduler;
    let (client, _identity) = joined(&args.role.join, &role, &[], &data).await?;
    let tasks = TaskGroup::new("wk scheduler");
    let leadership = args.leader.compete("kube-scheduler", &client, &tasks);
    let metrics = Scheduler::run(client, SchedulerConfig { leadership, ..config }, &tasks);
    if let Some(listener) = listener {
        let address = listener.local_addr().context("cannot tell the scheduler's address")?;
        figures::serve(listener, move || metrics.text(), &tasks);
        report::line(&format!("scheduler listens on {address}"));
    }
    report::line("scheduler runs");
    stop::run_until_stopped(&tasks, |_signal| std::future::ready(())).await
}

pub(crate) async fn controller_manager(args: ControllerManagerArgs) -> anyhow::Result<()> {
    args.leader.check()?;
    args.controllers.check()?;
    let authority = args.signing.authority()?;
    let data = DataDir::open(Some(args.role.data_dir))?;
    let role = BootstrapRole::ControllerManager;
    let (client, identity) = joined(&args.role.join, &role, &[], &data).await?;
    let tasks = TaskGroup::new("wk controller-manager");
    let config = controllers_config(&identity.ca_pem, &args.ranges)?;
    let leadership = args.leader.compete("kube-controller-manager", &client, &tasks);
    let config = args.controllers.apply(ControllersConfig { leadership, ..config }, authority);
    let signs = config.signer.is_some();
    Controllers::run(|_user| client.clone(), config, &tasks);
    report::line(if signs {
        "controllers run"
    } else {
        "controllers run; without --cluster-signing-cert-file and --cluster-signing-key-file they \
         sign no certificates"
    });
    stop::run_until_stopped(&tasks, |_signal| std::future::ready(())).await
}

/// Joins the cluster, or finds the identity of an earlier time, and connects.
pub(crate) async fn joined(
    args: &JoinArgs,
    role: &BootstrapRole,
    addresses: &[std::net::IpAddr],
    data: &DataDir,
) -> anyhow::Result<(kube::Client, Identity)> {
    let file = &args.token_file;
    let token = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the join token in `{}`", file.display()))?;
    let folder = data.folder("identity")?;
    let identity = join(&args.server, &token, role, addresses, &folder)
        .await
        .with_context(|| format!("cannot join `{}`", args.server))?;
    let client = connect::with_certificates(
        &identity.server,
        &identity.ca_pem,
        &identity.certificate_pem,
        &identity.key_pem,
    )
    .await?;
    Ok((client, identity))
}
