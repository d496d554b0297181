//! The runtime behind the socket of a host.

use std::sync::Arc;

use tempfile::TempDir;
use wk_process::TaskGroup;
use wk_runtime::conformance;
use wk_runtime_host::{Host, HostConfig, HostSocket, RemoteConfig, RemoteRuntime};

use crate::bench::{Bench, free_port};
use crate::guests;
use crate::streams::{command, spec_with_tools};

/// The runtime of a bench as somebody in another process has it.
async fn remote(bench: Bench) -> (RemoteRuntime, TempDir) {
    let Bench { folder, runtime } = bench;
    let socket = folder.path().join("host.sock");
    let tasks = TaskGroup::new("test");
    let config = HostConfig { version: "test".to_owned(), open_files: None };
    Host::start(HostSocket::listen(&socket).unwrap(), Arc::new(runtime), config, &tasks);
    let config = RemoteConfig { socket, name: "wasm", version: "test".to_owned(), launch: None };
    (RemoteRuntime::connect(config, tasks).await.unwrap(), folder)
}

#[tokio::test]
async fn programs_and_servers_keep_the_promises_from_another_process_too() {
    let bench = Bench::new();
    let program = bench.spec(&guests::spinning());
    let mut server = bench.spec(&guests::http(""));
    server.ports = vec![free_port(server.sandbox.ip)];
    let (runtime, _folder) = remote(bench).await;
    conformance::check(&runtime, &program).await;
    conformance::check(&runtime, &server).await;
}

#[tokio::test]
async fn programs_are_talked_to_from_another_process() {
    let bench = Bench::new();
    let failing = guests::core("", "(call $exit (i32.const 3))");
    let spec = spec_with_tools(&bench, &[("cat.wasm", guests::CAT), ("fail.wasm", &failing)]);
    let (runtime, _folder) = remote(bench).await;
    let cat = command(&["/tools/cat.wasm"], false);
    let fail = command(&["/tools/fail.wasm"], false);
    conformance::check_streams(&runtime, &spec, &cat, (&fail, 3)).await;
}
