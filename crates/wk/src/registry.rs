//! `wk registry`: the OCI registry alone; and how `wk up` starts the same one.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use wk_process::TaskGroup;
use wk_registry::Registry;

use crate::args::RegistryArgs;
use crate::{report, stop};

/// How often content that nothing refers to is looked for.
const CLEANING_INTERVAL: Duration = Duration::from_hours(1);

pub(crate) async fn run(args: RegistryArgs) -> anyhow::Result<()> {
    let tasks = TaskGroup::new("registry");
    let listener = listen(args.listen, "--listen").await?;
    // The registry locks its folder itself.
    let address = start(listener, &args.data_dir, &tasks)?;
    report::line(&format!("registry listens on {address}"));
    stop::run_until_stopped(&tasks, |_signal| std::future::ready(())).await
}

/// Opens a listener, or says which option chooses another address.
pub(crate) async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on `{address}`\n\
             hint: choose another address with `{option}`; port 0 takes any free port"
        )
    })
}

/// Serves the registry that is kept in `folder` and returns its address.
pub(crate) fn start(
    listener: TcpListener,
    folder: &Path,
    tasks: &TaskGroup,
) -> anyhow::Result<SocketAddr> {
    let address = listener.local_addr().context("cannot tell the registry's address")?;
    let registry = Registry::open(folder).context("cannot open the image registry")?;
    registry.serve(listener, tasks);
    registry.keep_clean(CLEANING_INTERVAL, tasks);
    Ok(address)
}
