//! Programs that run and end: `wasi:cli/command` components and core modules.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::host::{CoreHost, Host, core_store, store};
use crate::meter::metered;
use crate::scope::Scope;
use crate::ticker::Ticker;
use crate::trap::Ending;

/// Runs a component until it ends by itself; dropping the future ends it at once.
pub(crate) async fn run_component(
    engine: &Engine,
    pre: &CommandPre<Host>,
    scope: &Arc<Scope>,
    ticker: &Ticker,
) -> Ending {
    let run = async {
        let mut store = store(engine, scope)?;
        let command = pre.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    match metered(&scope.meter, ticker, Box::pin(run)).await {
        Ok(Ok(())) => Ending::code(0),
        Ok(Err(())) => Ending::code(1),
        Err(error) => Ending::error(&error, &scope.meter),
    }
}

/// Runs a core module until it ends by itself; dropping the future ends it at once.
pub(crate) async fn run_core(
    engine: &Engine,
    pre: &wasmtime::InstancePre<CoreHost>,
    scope: &Arc<Scope>,
    ticker: &Ticker,
) -> Ending {
    let run = async {
        let mut store = core_store(engine, scope)?;
        let instance = pre.instantiate_async(&mut store).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call_async(&mut store, ()).await
    };
    match metered(&scope.meter, ticker, Box::pin(run)).await {
        Ok(()) => Ending::code(0),
        Err(error) => Ending::error(&error, &scope.meter),
    }
}
