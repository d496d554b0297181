//! Runs Linux programs in the containers of an engine: Docker's, or Podman through its compatible
//! socket.
//!
//! Images come from the node's own content store: they are loaded into the engine under a name that
//! no registry has, and the engine never pulls. The containers of a pod share the namespaces of a
//! *sandbox* container, which runs a program of two system calls that this crate writes itself.
//! The engine is the memory: containers carry labels by which a later process finds them, their logs
//! and their ends again.
//!
//! # Invariants
//! - Touches nothing in the engine but what carries the label of its own node.
//! - Nothing is downloaded, neither by this crate nor by the engine.
//! - A log has each line once, whatever happens to this process: it goes on where the file ends.
//! - An engine that is away makes calls fail with `Unavailable`, and nothing else.

mod archive;
mod config;
mod container;
mod create;
mod engine;
mod exec;
mod frames;
mod images;
mod inspect;
mod labels;
mod log;
mod pause;
mod raw;
mod runtime;
mod sandbox;
mod stats;
mod streams;
mod supervise;

pub use config::DockerConfig;
pub use runtime::DockerRuntime;
