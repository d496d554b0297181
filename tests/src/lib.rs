//! End-to-end tests over the real binaries: what they share.
//!
//! A test starts its own cluster in a temporary folder, on free ports and in a pod range that no
//! other test uses at the time, and everything it started ends with it.

mod agent;
mod api_client;
pub mod behaviour;
mod binaries;
pub mod chaos;
mod cluster;
mod command;
mod control_plane;
mod docker;
mod http;
mod linux_image;
mod pod_range;
mod process;
mod side_by_side;
mod stock;
mod table;
mod tools;
mod wasm_host;

pub use api_client::{ApiAccess, ApiConnection};
pub use binaries::{example, kubectl_path, wk_path, wkctl_path};
pub use cluster::{Cluster, Options};
pub use command::Answer;
pub use control_plane::ControlPlane;
pub use docker::{BusyboxImage, DockerEngine};
pub use http::{HttpAnswer, http_get};
pub use linux_image::LinuxImage;
pub use pod_range::PodRange;
pub use process::Daemon;
pub use side_by_side::SideBySide;
pub use stock::{Kubectl, words};
pub use table::matches;
pub use tools::{client_file, run_javascript, run_python, tool};
pub use wasm_host::WasmHost;

use std::time::{Duration, Instant};

/// For every node of a test that is not about it: the disk and memory of the machine that tests run
/// on are others' too, and a node takes no pods while they are nearly used up.
pub const NO_PRESSURE: &str = "--eviction-hard=";

/// How long any single condition may take to come true before a test gives up. Generous, because
/// test machines are busy; nothing waits this long where things work.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Asks `condition` again and again until it gives a value.
///
/// # Panics
/// If that takes longer than [`PATIENCE`]; the message says what was awaited.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "between two looks at another process")]
pub fn eventually<T>(awaited: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting until {awaited}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
