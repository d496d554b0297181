//! The scheduler and the controllers as processes of their own.

use anyhow::Context as _;
use wk_auth::BootstrapRole;
use wk_client::connect;
use wk_client::join::{Identity, join};
use wk_controllers::Controllers;
use wk_process::TaskGroup;
use wk_scheduler::{Scheduler, SchedulerConfig};

use crate::args::{ControllerManagerArgs, JoinArgs, RoleArgs};
use crate::control_plane::controllers_config;
use crate::data_dir::DataDir;
use crate::{report, stop};

pub(crate) async fn scheduler(args: RoleArgs) -> anyhow::Result<()> {
    let data = DataDir::open(Some(args.data_dir))?;
    let (client, _identity) = joined(&args.join, &BootstrapRole::Scheduler, &[], &data).await?;
    let tasks = TaskGroup::new("wk scheduler");
    Scheduler::run(client, SchedulerConfig::alone(), &tasks);
    report::line("scheduler runs");
    stop::run_until_stopped(&tasks, |_signal| std::future::ready(())).await
}

pub(crate) async fn controller_manager(args: ControllerManagerArgs) -> anyhow::Result<()> {
    let data = DataDir::open(Some(args.role.data_dir))?;
    let role = BootstrapRole::ControllerManager;
    let (client, identity) = joined(&args.role.join, &role, &[], &data).await?;
    let tasks = TaskGroup::new("wk controller-manager");
    let config = controllers_config(&identity.ca_pem, &args.ranges)?;
    Controllers::run(|_user| client.clone(), config, &tasks);
    report::line("controllers run");
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
