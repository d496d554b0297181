//! Sockets of containers in pods that have a network namespace.

use std::io;

use tokio::runtime::Handle;
use wk_runtime::{OpenNamespace, RuntimeError, Sandbox};

/// The namespace that a container's sockets are to be made in; `None` is this process' own.
///
/// # Errors
/// [`RuntimeError::InvalidSpec`] if it may not be entered, [`RuntimeError::Internal`] if it is gone.
pub(crate) fn open(sandbox: &Sandbox) -> Result<Option<OpenNamespace>, RuntimeError> {
    let Some(named) = &sandbox.netns else { return Ok(None) };
    let failed = |error: io::Error| {
        let reason = format!("network namespace `{}`: {error}", named.path.display());
        if error.kind() == io::ErrorKind::PermissionDenied {
            RuntimeError::InvalidSpec { reason: format!("{reason}; it takes root to enter it") }
        } else {
            RuntimeError::Internal { doing: "entering the network of the pod".into(), reason }
        }
    };
    named.open().map(Some).map_err(failed)
}

/// Does what makes a socket where it belongs. Within a Tokio runtime, to which the socket then
/// belongs.
///
/// # Errors
/// If the namespace cannot be entered.
pub(crate) fn made_in<T: Send>(
    namespace: Option<&OpenNamespace>,
    make: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    let Some(namespace) = namespace else { return Ok(make()) };
    let runtime = Handle::current();
    namespace.within(|| {
        let _entered = runtime.enter();
        Ok(make())
    })
}
