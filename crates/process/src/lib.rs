//! What every daemon needs around its work: owned tasks, signals, logging.
//!
//! # Invariants
//! - Knows nothing of Kubernetes, stores or runtimes.
//! - No task outlives its [`TaskGroup`]'s shutdown unnoticed.

mod memory;
mod signals;
mod tasks;
mod telemetry;

pub use memory::{OpenFiles, raise_open_file_limit, release_free_memory, resident_bytes};
pub use signals::Terminations;
pub use tasks::{BoxError, TaskFailure, TaskGroup};
pub use telemetry::{LogFormat, init_logging};
