//! WebAssembly programs as containers, in this process: the [`wk_runtime::Runtime`] for core WASI
//! 0.1 modules, and for `wasi:cli/command` and `wasi:http` components of WASI 0.2 and 0.3.
//!
//! Preparing an image compiles its module in a bounded child process ([`compile_main`]) and keeps
//! the machine code in a cache; all pods share the loaded program. Guests run on threads of their
//! own, are interrupted at every tick, measured, and held to their container's limits.
//!
//! # What containers can rely on
//! - `stop` ends commands at once with code 143, since WASI has no signals: the grace period is for
//!   servers, which stop accepting and finish the requests in flight, and then end with code 0.
//! - Standard input is empty unless the pod asks for one; the working directory is told by `PWD` and WASI's `initial-cwd`, as
//!   WASI itself has none: relative paths are the guest library's affair.
//! - Growth past the memory limit ends the container with `OOMKilled`, requests in flight included.
//! - Outgoing `wasi:http` requests speak HTTP/1.1; `https` trusts what the machine trusts.
//! - `exec` runs the container's own command, by the name it has as its first argument, or a module
//!   by the absolute path of a file in the image or a volume.
//!
//! # Invariants
//! - Knows nothing of pods' specifications, registries or restart policies.
//! - No machine code is loaded unless its digest is the one written down when it was compiled.
//! - An idle server is one waiting task and its listeners; nothing runs periodically for it, and
//!   the epoch clock sleeps while no guest code runs.
//!
//! # For operators
//! `RUST_BACKTRACE` must not be set in the environment of the process: errors are made and dropped
//! on the usual path of a request, and collecting a backtrace for each doubles its cost.

mod command;
mod compile;
mod config;
mod console;
mod container;
mod engine;
mod environment;
mod exec;
mod files;
mod folders;
mod host;
mod listen;
mod log;
mod machine;
mod meter;
mod namespace;
mod outgoing;
mod programs;
mod runtime;
mod scope;
mod serve;
mod sockets;
mod terminal;
mod ticker;
mod tls;
mod traffic;
mod trap;
mod unlinked;

pub use compile::compile_main;
pub use config::{Capacity, WasmConfig};
pub use runtime::{OpenError, WasmRuntime};
