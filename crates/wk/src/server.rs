//! `wk server`: a control plane; `wk apiserver`: the API server of one.

use wk_process::TaskGroup;

use crate::args::ServerArgs;
use crate::control_plane::{ControlPlane, Wanted};
use crate::controller_args::ControllerArgs;
use crate::data_dir::DataDir;
use crate::scheduler_args::PlacementArgs;
use crate::{registry, report, stop};

/// Runs an API server, and the scheduler and the controllers beside it if these are told how.
pub(crate) async fn run(
    args: ServerArgs,
    components: Option<(ControllerArgs, PlacementArgs)>,
) -> anyhow::Result<()> {
    let components = match components {
        Some((controllers, placement)) => {
            controllers.check()?;
            Some((controllers, placement.read()?))
        }
        None => None,
    };
    let data = DataDir::open(args.data_dir)?;
    let listener = registry::listen(args.listen, "--listen").await?;
    let tasks = TaskGroup::new("wk server");
    let wanted = Wanted {
        data: &data,
        listener,
        sans: &args.tls_sans,
        ranges: &args.ranges,
        objects: args.objects,
    };
    let control_plane = ControlPlane::start(&wanted, &tasks).await?;
    if let Some((controllers, scheduler)) = components {
        control_plane.start_components(&args.ranges, &controllers, scheduler, &tasks)?;
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
