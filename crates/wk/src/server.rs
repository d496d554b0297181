//! `wk server`: a control plane; `wk apiserver`: the API server of one.

use wk_process::TaskGroup;

use crate::args::ServerArgs;
use crate::control_plane::{ControlPlane, Wanted};
use crate::data_dir::DataDir;
use crate::{registry, report, stop};

/// What runs in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// API server, scheduler and controllers.
    All,
    /// The API server alone.
    ApiServer,
}

pub(crate) async fn run(args: ServerArgs, parts: Parts) -> anyhow::Result<()> {
    let data = DataDir::open(args.data_dir)?;
    let listener = registry::listen(args.listen, "--listen").await?;
    let tasks = TaskGroup::new("wk server");
    let wanted = Wanted { data: &data, listener, sans: &args.tls_sans, ranges: &args.ranges };
    let control_plane = ControlPlane::start(&wanted, &tasks).await?;
    if parts == Parts::All {
        control_plane.start_components(&args.ranges, &tasks)?;
    }
    let address = control_plane.address;
    let serving = control_plane.serve(wanted, &tasks)?;
    report::line(&format!(
        "API server https://{address}\n\n    wk agent --server https://{address} --token-file {}\n",
        data.file("token").display()
    ));
    let outcome = stop::run_until_stopped(&tasks, |_signal| std::future::ready(())).await;
    serving.close().await;
    outcome
}
