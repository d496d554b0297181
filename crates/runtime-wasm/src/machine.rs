//! An engine with what belongs to it: the clock that interrupts its guests, and its linker.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::engine::{Level, Role, engine};
use crate::host::{self, Host};
use crate::ticker::Ticker;

/// Runs programs of one [`Level`].
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Host>,
    pub(crate) ticker: Ticker,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("ticker", &self.ticker).finish_non_exhaustive()
    }
}

impl Machine {
    /// Makes a machine for up to `instances` instances at once.
    ///
    /// # Errors
    /// If address space, threads or interfaces cannot be had; the text says which.
    pub(crate) fn new(level: Level, instances: u32) -> wasmtime::Result<Self> {
        let engine = engine(level, Role::Runner { instances })?;
        let linker = host::linker(&engine, level)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self { engine, linker, ticker })
    }
}
