//! The runtime with real guests, assembled from text.

#![expect(clippy::unwrap_used, reason = "a test ends with its first fault")]

mod bench;
mod guests;
mod p3;
mod remote;
mod streams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bench::{Bench, LoopbackNetwork, damage, free_port, get, sandbox, until};
use tokio::time::Instant;
use wk_runtime::{
    ContainerExit, ContainerStatus, ExitReason, InstancePolicy, Mount, Runtime as _, RuntimeError,
    conformance,
};

#[tokio::test]
async fn the_runtime_keeps_the_promises_of_its_trait() {
    let bench = Bench::new();
    conformance::check(&bench.runtime, &bench.spec(&guests::spinning())).await;
}

#[tokio::test]
async fn a_server_keeps_the_promises_too() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http(""));
    spec.ports = vec![free_port(spec.sandbox.ip)];
    conformance::check(&bench.runtime, &spec).await;
}

async fn exit_of(start: &str) -> ContainerExit {
    let bench = Bench::new();
    bench.run(&bench.spec(&guests::core("", start))).await
}

#[tokio::test]
async fn exit_codes_arrive() {
    let done = exit_of("").await;
    assert_eq!((done.code, done.reason), (0, ExitReason::Completed));
    let failed = exit_of("(call $exit (i32.const 3))").await;
    assert_eq!((failed.code, failed.reason), (3, ExitReason::Error));
    let zero = exit_of("(call $exit (i32.const 0)) unreachable").await;
    assert_eq!((zero.code, zero.reason), (0, ExitReason::Completed));
}

#[tokio::test]
async fn a_trap_tells_its_reason_and_where_it_happened() {
    let bench = Bench::new();
    let text = guests::core("(func $deep_inside unreachable)", "(call $deep_inside)");
    let exit = bench.run(&bench.spec(&text)).await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Error));
    assert!(exit.message.contains("unreachable"), "{}", exit.message);
    assert!(exit.message.contains("deep_inside"), "{}", exit.message);
    assert!(exit.message.len() <= 4096);
}

#[tokio::test]
async fn output_goes_to_the_log() {
    let bench = Bench::new();
    let write = "(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 128)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 128)))";
    bench.run(&bench.spec(&guests::core("", write))).await;
    let log = bench.logged();
    let lines: Vec<&str> = log.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, ["stdout F hello", "stderr F hello"]);
}

const GROW: &str =
    "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))";

#[tokio::test]
async fn growing_past_the_memory_limit_ends_a_command() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::core("", GROW));
    spec.limits.memory_bytes = Some(8 << 20);
    let exit = bench.run(&spec).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled), "{}", exit.message);
}

#[tokio::test]
async fn growing_past_the_memory_limit_ends_a_server() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http(GROW));
    let port = free_port(spec.sandbox.ip);
    spec.ports = vec![port];
    spec.limits.memory_bytes = Some(8 << 20);
    let mut events = bench.runtime.watch();
    bench.start("server", &spec).await.unwrap();
    // The connection may end before any answer.
    let address = SocketAddr::new(spec.sandbox.ip, port);
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let wk_runtime::RuntimeEvent::Exited { exit, .. } = events.recv().await.unwrap() else {
        panic!("it has no engine");
    };
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled), "{}", exit.message);
}

#[tokio::test]
async fn the_processor_limit_holds() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::spinning());
    spec.limits.cpu_millis = Some(200);
    let id = bench.start("spinner", &spec).await.unwrap();
    let started = Instant::now();
    until("a third of a second of processor time", async || {
        bench.runtime.stats(&id).await.unwrap().cpu >= Duration::from_millis(330)
    })
    .await;
    let (used, passed) = (bench.runtime.stats(&id).await.unwrap().cpu, started.elapsed());
    // One period's burst and one tick come on top of the rate; a busy machine only lowers it.
    let allowed = passed.mul_f64(0.2) + Duration::from_millis(40);
    assert!(used <= allowed, "used {used:?} in {passed:?}");
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn spinning_neighbours_do_no_harm() {
    let bench = Bench::new();
    for number in 0..4 {
        bench.start(&format!("s{number}"), &bench.spec(&guests::spinning())).await.unwrap();
    }
    let mut spec = bench.spec(&guests::http(""));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    bench.start("server", &spec).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(get(address).await, 200);
        times.push(started.elapsed());
    }
    times.sort();
    assert!(times[10] < Duration::from_millis(200), "{times:?}");
}

#[tokio::test]
async fn each_request_gets_a_fresh_instance() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http(""));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    let id = bench.start("server", &spec).await.unwrap();
    for _ in 0..3 {
        assert_eq!(get(address).await, 200);
    }
    until("three requests are counted and over", async || {
        let requests = bench.runtime.stats(&id).await.unwrap().requests.unwrap();
        (requests.total, requests.in_flight) == (3, 0)
    })
    .await;
    let stats = bench.runtime.stats(&id).await.unwrap();
    assert_eq!(stats.memory_bytes, 0, "nothing is left of the instances");
    assert!(stats.memory_peak_bytes >= 65_536);
    bench.runtime.stop(&id, Duration::from_secs(5)).await.unwrap();
    let states = bench.runtime.list().await.unwrap();
    let ContainerStatus::Exited(exit) = &states[0].status else { panic!("{states:?}") };
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed));
}

#[tokio::test]
async fn a_reused_instance_remembers() {
    let bench = Bench::with(
        tempfile::tempdir().unwrap(),
        env!("CARGO_BIN_EXE_wk-wasm-compile"),
        |config| config.idle_instance_time = Duration::from_millis(300),
    );
    let mut spec = bench.spec(&guests::http(""));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    spec.instances = InstancePolicy::Reused;
    let id = bench.start("server", &spec).await.unwrap();
    assert_eq!(get(address).await, 200);
    assert_eq!(get(address).await, 201);
    until("the idle instance is dropped", async || {
        bench.runtime.stats(&id).await.unwrap().memory_bytes == 0
    })
    .await;
    assert_eq!(get(address).await, 200);
}

#[tokio::test]
async fn a_trap_in_a_request_is_an_error_500_and_the_server_lives_on() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http("unreachable"));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    let id = bench.start("server", &spec).await.unwrap();
    assert_eq!(get(address).await, 500);
    assert_eq!(get(address).await, 500);
    assert!(bench.logged().contains("unreachable"), "{}", bench.logged());
    assert_eq!(bench.runtime.list().await.unwrap()[0].status, ContainerStatus::Running);
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_answers_is_ended() {
    let bench = Bench::with(
        tempfile::tempdir().unwrap(),
        env!("CARGO_BIN_EXE_wk-wasm-compile"),
        |config| config.request_timeout = Duration::from_millis(50),
    );
    let mut spec = bench.spec(&guests::http("(loop $again (br $again))"));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    bench.start("server", &spec).await.unwrap();
    assert_eq!(get(address).await, 504);
}

#[tokio::test]
async fn what_a_request_in_flight_uses_is_measured_while_it_runs() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http("(loop $again (br $again))"));
    let address = SocketAddr::new(spec.sandbox.ip, free_port(spec.sandbox.ip));
    spec.ports = vec![address.port()];
    let id = bench.start("server", &spec).await.unwrap();
    let before = bench.runtime.stats(&id).await.unwrap();
    assert_eq!((before.cpu, before.memory_bytes), (Duration::ZERO, 0), "an idle server is nothing");
    let measured = until("the request is measured", async || {
        let stats = bench.runtime.stats(&id).await.unwrap();
        let requests = stats.requests.unwrap();
        (requests.total, requests.in_flight) == (1, 1)
            && stats.cpu >= Duration::from_millis(50)
            && requests.time >= stats.cpu
            && stats.memory_bytes >= 65_536
    });
    tokio::select! {
        () = measured => {}
        code = get(address) => panic!("a request without end was answered: {code}"),
    }
    let command = bench.start("command", &bench.spec(&guests::spinning())).await.unwrap();
    let stats = bench.runtime.stats(&command).await.unwrap();
    assert_eq!(stats.requests, None, "a command serves no requests");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http(""));
    let holder = std::net::TcpListener::bind((spec.sandbox.ip, 0)).unwrap();
    let address = holder.local_addr().unwrap();
    spec.ports = vec![address.port()];
    match bench.start("server", &spec).await {
        Err(RuntimeError::StartFailed { reason }) => {
            assert!(reason.contains(&address.port().to_string()), "{reason}");
            assert!(reason.contains("in use"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_import_that_nobody_provides_is_named() {
    let bench = Bench::new();
    let text = r#"(module (import "env" "mystery" (func)) (func (export "_start")))"#;
    let reason = bench.refusal(&bench.image(text)).await;
    assert!(reason.contains("env::mystery"), "{reason}");

    let text = r#"(component (import "acme:db/store@1.0.0" (instance)))"#;
    let reason = bench.refusal(&bench.image(text)).await;
    assert!(reason.contains("acme:db/store@1.0.0"), "{reason}");
}

#[tokio::test]
async fn compiled_code_is_removed_unless_a_container_uses_it() {
    let bench = Bench::new();
    let used = bench.start("used", &bench.spec(&guests::spinning())).await.unwrap();
    let kept = bench.compiled();
    for code in 1..4 {
        let other = guests::core("", &format!("(call $exit (i32.const {code}))"));
        bench.runtime.prepare(&bench.image(&other)).await.unwrap();
    }
    assert_eq!(bench.compiled().len(), 4);
    assert_eq!(bench.runtime.trim_cache(u64::MAX).await.unwrap(), 0, "there is room for all");
    assert!(bench.runtime.trim_cache(0).await.unwrap() > 0);
    assert_eq!(bench.compiled(), kept);
    let other = bench.image(&guests::core("", "(call $exit (i32.const 1))"));
    bench.runtime.prepare(&other).await.unwrap();
    bench.runtime.remove(&used).await.unwrap();
    bench.runtime.trim_cache(0).await.unwrap();
    assert_eq!(bench.compiled(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn what_is_no_program_is_refused_with_the_reason() {
    let bench = Bench::new();
    let reason = bench.refusal(&bench.image_of(b"\x7fELF...")).await;
    assert!(reason.contains("not WebAssembly"), "{reason}");
    assert!(reason.contains("Linux program"), "{reason}");
    let reason = bench.refusal(&bench.image_of(b"\0asm\x01\0\0\0\x01\x05garbage")).await;
    assert!(reason.contains("not valid"), "{reason}");
    let reason = bench.refusal(&bench.image("(module)")).await;
    assert!(reason.contains("_start"), "{reason}");
    let reason = bench.refusal(&bench.image("(component)")).await;
    assert!(reason.contains("library"), "{reason}");
}

#[tokio::test]
async fn compiling_is_bounded() {
    let bench = Bench::with(
        tempfile::tempdir().unwrap(),
        env!("CARGO_BIN_EXE_wk-wasm-compile"),
        |config| config.compile_memory_bytes = 24 << 20,
    );
    let many = "(func (result i32) (i32.add (i32.const 1) (i32.const 2)))".repeat(40_000);
    let outcome = bench.runtime.prepare(&bench.image(&guests::core(&many, ""))).await;
    assert!(matches!(outcome, Err(RuntimeError::PrepareLimit { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_compiled_program_outlives_the_runtime_but_damage_is_noticed() {
    let bench = Bench::new();
    let image = bench.image(&guests::spinning());
    bench.runtime.prepare(&image).await.unwrap();
    let compiled = bench.compiled();
    assert_eq!(compiled.len(), 1, "{compiled:?}");
    let Bench { folder, runtime } = bench;
    drop(runtime);

    // A compiler that does not exist proves that none is needed.
    let bench = Bench::with(folder, "/nonexistent", |_| ());
    bench.runtime.prepare(&image).await.unwrap();
    let Bench { folder, runtime } = bench;
    drop(runtime);

    damage(&compiled[0]);
    let bench = Bench::with(folder, "/nonexistent", |_| ());
    let outcome = bench.runtime.prepare(&image).await;
    assert!(matches!(outcome, Err(RuntimeError::Internal { .. })), "{outcome:?}");
    let Bench { folder, runtime } = bench;
    drop(runtime);

    let bench = Bench::with(folder, env!("CARGO_BIN_EXE_wk-wasm-compile"), |_| ());
    bench.runtime.prepare(&image).await.unwrap();
    assert_eq!(bench.compiled(), compiled);
}

#[tokio::test]
async fn preparing_at_once_compiles_once() {
    let bench = Bench::new();
    let image = bench.image(&guests::spinning());
    let all = (0..8).map(|_| bench.runtime.prepare(&image));
    for outcome in futures::future::join_all(all).await {
        outcome.unwrap();
    }
    assert_eq!(bench.compiled().len(), 1);
}

#[tokio::test]
async fn sockets_use_the_pods_addresses() {
    let network = Arc::new(LoopbackNetwork::default());
    let bench = Bench::on(
        tempfile::tempdir().unwrap(),
        env!("CARGO_BIN_EXE_wk-wasm-compile"),
        |_| (),
        Arc::<LoopbackNetwork>::clone(&network),
    );
    let spec = bench.spec(guests::LISTENING);
    let id = bench.start("listener", &spec).await.unwrap();
    until("the guest has asked for its address", async || network.last().is_some()).await;
    let real = network.last().unwrap();
    assert_eq!(real.ip(), spec.sandbox.ip);
    tokio::net::TcpStream::connect(real).await.unwrap();
    let state = &bench.runtime.list().await.unwrap()[0];
    assert_eq!(state.status, ContainerStatus::Running, "the guest saw the shown address");
    bench.runtime.stop(&id, Duration::from_secs(1)).await.unwrap();
    let ContainerStatus::Exited(exit) = &bench.runtime.list().await.unwrap()[0].status else {
        panic!("it must have ended")
    };
    assert_eq!((exit.code, exit.reason), (143, ExitReason::Error));
}

#[tokio::test]
async fn a_single_file_is_mounted_without_its_neighbours() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("volume");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config"), "x").unwrap();
    std::fs::write(folder.join("secret"), "y").unwrap();
    let mut spec = bench.spec(&guests::spinning());
    spec.mounts = vec![Mount {
        host_path: folder.join("config"),
        container_path: "/etc/app/config".to_owned(),
        read_only: true,
        ..Mount::default()
    }];
    let id = bench.start("files", &spec).await.unwrap();
    let shown = bench.folder.path().join("state/files/0");
    let names: Vec<_> =
        std::fs::read_dir(&shown).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["config"]);
    bench.runtime.remove(&id).await.unwrap();
    assert!(!shown.exists());
}

#[tokio::test]
async fn the_node_can_be_told_how_much_fits() {
    let bench = Bench::new();
    let capacity = bench.runtime.capacity();
    assert_eq!(capacity.instances, 256);
    assert!(capacity.pods() > 0);
    assert_eq!(sandbox().ip, sandbox().loopback);
}

#[test]
fn the_version_told_is_the_one_in_the_lock_file() {
    let lock = include_str!("../../../../Cargo.lock");
    let version = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let bench = {
        let threads = tokio::runtime::Runtime::new().unwrap();
        let _entered = threads.enter();
        Bench::new()
    };
    assert_eq!(bench.runtime.version(), format!("wasmtime://{version}"));
}
