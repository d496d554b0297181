//! Making a component of a core module.

use anyhow::{Context as _, Result};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

/// What stands between a module's WASI 0.1 imports and a component's WASI 0.2 imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// Nothing: the module imports no WASI 0.1.
    None,
    /// For a program with a main function.
    Command,
    /// For a program that is only called.
    Reactor,
}

/// A component that holds `module`, which says in a custom section what its interfaces are.
///
/// # Errors
/// `module` is not such a module, or imports what neither it nor the adapter explains.
pub(crate) fn component(module: &[u8], adapter: Adapter) -> Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("the module cannot be read")?;
    let adapter = match adapter {
        Adapter::None => None,
        Adapter::Command => Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        Adapter::Reactor => Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
    };
    if let Some(bytes) = adapter {
        encoder = encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, bytes)?;
    }
    encoder.encode().context("the module cannot be made a component")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_wasm() {
        assert!(component(b"#!/bin/sh", Adapter::None).is_err());
    }
}
