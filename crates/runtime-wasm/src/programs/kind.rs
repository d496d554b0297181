//! What a compiled file holds, and whether it is a program that runs here.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre};
use wasmtime::{ExternType, Module};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p3::bindings::CommandPre as CommandPre3;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::host::{CoreHost, Host};
use crate::machine::Machine;

/// A program that is ready to be instantiated.
#[derive(Debug)]
pub(crate) struct Program {
    /// What it runs on.
    pub(crate) machine: Arc<Machine>,
    pub(crate) entry: Entry,
}

/// How a program is entered.
#[derive(Clone)]
pub(crate) enum Entry {
    /// It answers requests.
    Http(Handler),
    /// It runs and ends.
    Command(Command),
}

/// A component that answers requests.
#[derive(Clone)]
pub(crate) enum Handler {
    /// By `wasi:http/incoming-handler` of WASI 0.2.
    Two(ProxyPre<Host>),
    /// By `wasi:http/handler` of WASI 0.3.
    Three(ServicePre<Host>),
}

/// A program that runs and ends.
#[derive(Clone)]
pub(crate) enum Command {
    /// A component with `wasi:cli/run` of WASI 0.2.
    Two(CommandPre<Host>),
    /// A component with `wasi:cli/run` of WASI 0.3.
    Three(CommandPre3<Host>),
    /// A core module with `_start`.
    Core(wasmtime::InstancePre<CoreHost>),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http(Handler::Two(_)) => "Http(0.2)",
            Self::Http(Handler::Three(_)) => "Http(0.3)",
            Self::Command(Command::Two(_)) => "Command(0.2)",
            Self::Command(Command::Three(_)) => "Command(0.3)",
            Self::Command(Command::Core(_)) => "Command(core)",
        })
    }
}

/// Links a component; `Err` says why it is no program for this runtime.
pub(super) fn component(machine: &Arc<Machine>, component: &Component) -> Result<Program, String> {
    let kind = component.component_type();
    let foreign: Vec<&str> = kind
        .imports(&machine.engine)
        .map(|(name, _)| name)
        .filter(|name| !is_offered(name))
        .collect();
    if !foreign.is_empty() {
        return Err(format!("it imports `{}`, which nobody provides", foreign.join("`, `")));
    }
    let exports: Vec<&str> = kind.exports(&machine.engine).map(|(name, _)| name).collect();
    let has = |interface: &str| exports.iter().any(|name| name.starts_with(interface));
    let linked = || -> Result<InstancePre<Host>, String> {
        let pre = machine.linker.instantiate_pre(component);
        pre.map_err(|error| format!("an import cannot be satisfied: {error:#}"))
    };
    let reason = |error: wasmtime::Error| format!("{error:#}");
    let entry = if has("wasi:http/handler@0.3.") {
        Entry::Http(Handler::Three(ServicePre::new(linked()?).map_err(reason)?))
    } else if has("wasi:http/incoming-handler@0.2.") {
        Entry::Http(Handler::Two(ProxyPre::new(linked()?).map_err(reason)?))
    } else if has("wasi:cli/run@0.3.") {
        Entry::Command(Command::Three(CommandPre3::new(linked()?).map_err(reason)?))
    } else if has("wasi:cli/run@0.2.") {
        Entry::Command(Command::Two(CommandPre::new(linked()?).map_err(reason)?))
    } else {
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join("`, `") };
        return Err(format!(
            "it exports `{exports}`, but neither `wasi:http/incoming-handler`, `wasi:http/handler` \
             nor `wasi:cli/run` of WASI 0.2 or 0.3: it is a library, not a program"
        ));
    };
    Ok(Program { machine: Arc::clone(machine), entry })
}

/// Links a core module; `Err` says why it is no program for this runtime.
pub(super) fn module(
    machine: &Arc<Machine>,
    linker: &wasmtime::Linker<CoreHost>,
    module: &Module,
) -> Result<Program, String> {
    let foreign: Vec<String> = module
        .imports()
        .filter(|import| import.module() != "wasi_snapshot_preview1")
        .map(|import| format!("{}::{}", import.module(), import.name()))
        .collect();
    if !foreign.is_empty() {
        return Err(format!("it imports `{}`, which nobody provides", foreign.join("`, `")));
    }
    if !matches!(module.get_export("_start"), Some(ExternType::Func(_))) {
        return Err("it has no `_start` function: it is a library, not a program".to_owned());
    }
    let pre = linker.instantiate_pre(module);
    let pre = pre.map_err(|error| format!("an import cannot be satisfied: {error:#}"))?;
    Ok(Program { machine: Arc::clone(machine), entry: Entry::Command(Command::Core(pre)) })
}

/// Whether an interface is one that the runtime offers to components: release candidates of an
/// interface are not compatible with anything.
fn is_offered(import: &str) -> bool {
    const OFFERED: [&str; 7] = ["io", "clocks", "random", "cli", "filesystem", "sockets", "http"];
    let parts = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(package, interface)| {
        let version = interface.split_once('@').map_or("", |(_, version)| version);
        OFFERED.contains(&package)
            && (version.starts_with("0.2.") || version.starts_with("0.3."))
            && !version.contains('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_interfaces_of_two_levels_are_offered() {
        assert!(is_offered("wasi:http/types@0.2.3"));
        assert!(is_offered("wasi:http/client@0.3.2"));
        assert!(!is_offered("wasi:http/client@0.3.0-rc-2026-01-01"));
        assert!(!is_offered("wasi:keyvalue/store@0.3.0"));
        assert!(!is_offered("wasi:http/types@0.4.0"));
        assert!(!is_offered("acme:http/types@0.3.0"));
    }
}
