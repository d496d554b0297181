//! A [`Runtime`](wk_runtime::Runtime) in a process of its own, so that what it runs outlives whoever
//! asked for it: a kubelet that stops, crashes or is upgraded finds its containers again.
//!
//! [`Host`] gives any runtime to others through a Unix socket, and [`RemoteRuntime`] is that runtime
//! again at the other end. The socket is the multiplexer: each call under way has a connection to
//! itself, so that what is slow delays nothing else and what is dropped is noticed; idle connections
//! are kept for the next call. A program's standard streams are sockets of their own, handed over with
//! the call, so that the kernel bounds what is buffered and carries the end of each.
//!
//! # Sessions
//! Whoever comes follows the events first, and that connection is their session: with it end all of
//! their calls, as they would with a process that dies. A new session begins when the calls of the one
//! before it are over, so that nothing is started by somebody who is gone after the new one has looked
//! at what there is.
//!
//! # Versions
//! A host greets with its version and its [`PROTOCOL`], and knows a request to end if it has no
//! containers: both never change, so that any two versions can part in good order. A message of one
//! protocol may gain fields that the other side may ignore; anything else is another protocol. A host of
//! another protocol that has containers is left alone and told of, and whoever came goes away.
//!
//! # Invariants
//! - Knows nothing of WebAssembly, pods, or what a container is.
//! - Nobody but the user that the host runs as, and root, is listened to.
//! - A call that was dropped has had no effect, or the one that it would have had.

mod client;
mod frame;
mod launch;
mod server;
mod socket;
mod wire;

pub use client::{ConnectError, RemoteConfig, RemoteRuntime};
pub use launch::{HostProcess, Launch};
pub use server::{Host, HostConfig};
pub use socket::{HostLock, HostSocket, ListenError};
pub use wire::{Greeting, PROTOCOL};
