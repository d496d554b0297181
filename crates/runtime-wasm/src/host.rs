//! The data of one instance, and the linkers that connect guests to it.

use std::sync::Arc;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::engine::Level;
use crate::environment;
use crate::folders;
use crate::meter::Allotment;
use crate::outgoing::Outgoing;
use crate::scope::Scope;
use crate::sockets;

/// Handles (files, sockets, requests, streams, ...) that one instance may hold.
const HANDLES: usize = 16 << 10;
/// The same for a core module, whose handles are open files and folders: as many as Linux usually lets a
/// process have. One more is a trap.
const CORE_HANDLES: usize = 1 << 10;
/// Header bytes of one request or response, in memory.
const HEADER_BYTES: usize = 128 << 10;

/// What a component's instance is given.
pub(crate) struct Host {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    memory: Allotment,
    pub(crate) scope: Arc<Scope>,
}

/// What a core module's instance is given.
pub(crate) struct CoreHost {
    wasi: WasiP1Ctx,
    memory: Allotment,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A store for one instance of a component.
pub(crate) fn store(engine: &Engine, scope: &Arc<Scope>) -> Store<Host> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(HEADER_BYTES);
    let host = Host {
        wasi: scope.wasi(),
        table,
        http,
        outgoing: Outgoing::new(Arc::clone(scope)),
        memory: Allotment::new(Arc::clone(&scope.meter)),
        scope: Arc::clone(scope),
    };
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.memory);
    interruptible(&mut store);
    store
}

/// A store for a core module.
///
/// # Errors
/// If a folder of the container cannot be opened.
pub(crate) fn core_store(engine: &Engine, scope: &Arc<Scope>) -> wasmtime::Result<Store<CoreHost>> {
    let memory = Allotment::new(Arc::clone(&scope.meter));
    let mut wasi = scope.wasi_p1()?;
    wasi.ctx().table.set_max_capacity(CORE_HANDLES);
    let mut store = Store::new(engine, CoreHost { wasi, memory });
    store.limiter(|host| &mut host.memory);
    interruptible(&mut store);
    Ok(store)
}

/// Lets others run after each tick.
///
/// The executor's own yield is used, because it comes back only after everything that is ready,
/// sockets included, had its turn.
fn interruptible<T: 'static>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| {
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

/// Everything that components of one level may import.
///
/// # Errors
/// If an interface cannot be defined, which is a fault of ours.
pub(crate) fn linker(engine: &Engine, level: Level) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    sockets::add_to_linker(&mut linker)?;
    if level == Level::Three {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        sockets::p3::add_to_linker(&mut linker)?;
    }
    environment::add_to_linker(&mut linker, level)?;
    folders::add_to_linker(&mut linker, level)?;
    Ok(linker)
}

/// Everything that core modules may import.
///
/// # Errors
/// If a function cannot be defined, which is a fault of ours.
pub(crate) fn core_linker(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<CoreHost>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |host: &mut CoreHost| &mut host.wasi)?;
    Ok(linker)
}
