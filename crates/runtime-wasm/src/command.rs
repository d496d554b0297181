//! Programs that run and end: `wasi:cli/command` components and core modules.

use std::future::poll_fn;
use std::sync::Arc;

use crate::host::{core_store, store};
use crate::machine::Machine;
use crate::meter::metered;
use crate::programs::Command;
use crate::scope::Scope;
use crate::trap::Ending;

/// Runs a program until it ends by itself; dropping the future ends it at once.
pub(crate) async fn run(machine: &Machine, command: &Command, scope: &Arc<Scope>) -> Ending {
    let call = async {
        match command {
            Command::Two(pre) => {
                let mut store = store(&machine.engine, scope);
                let command = pre.instantiate_async(&mut store).await?;
                command.wasi_cli_run().call_run(&mut store).await
            }
            Command::Three(pre) => {
                let mut store = store(&machine.engine, scope);
                let command = pre.instantiate_async(&mut store).await?;
                let run = store.run_concurrent(async |guest| {
                    let outcome = command.wasi_cli_run().call_run(guest).await?;
                    // It may have returned and still be at work.
                    poll_fn(|cx| guest.poll_no_interesting_tasks(cx)).await;
                    Ok(outcome)
                });
                run.await?
            }
            Command::Core(pre) => {
                let mut store = core_store(&machine.engine, scope)?;
                let instance = pre.instantiate_async(&mut store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
                start.call_async(&mut store, ()).await.map(Ok)
            }
        }
    };
    match metered(&scope.meter, &machine.ticker, Box::pin(call).as_mut()).await {
        Ok(Ok(())) => Ending::code(0),
        Ok(Err(())) => Ending::code(1),
        Err(error) => Ending::error(&error, &scope.meter),
    }
}
