//! Components of WASI 0.3 are held to the same rules as the others.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wk_runtime::{ExitReason, Limits, Runtime as _};

use crate::bench::{Bench, free_port, get, sandbox, until};
use crate::guests;

/// Grows its memory by 16 MiB.
const GROW: &str = "(drop (memory.grow (i32.const 256)))";

#[tokio::test]
async fn a_command_ends_with_its_result() {
    let bench = Bench::new();
    let exit = bench.run(&bench.spec(&guests::command_p3("(i32.const 0)"))).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed));
    let bench = Bench::new();
    let exit = bench.run(&bench.spec(&guests::command_p3("(i32.const 1)"))).await;
    assert_eq!((exit.code, exit.reason), (1, ExitReason::Error));
}

#[tokio::test]
async fn a_trap_is_told_in_the_termination_message() {
    let bench = Bench::new();
    let exit = bench.run(&bench.spec(&guests::command_p3("unreachable"))).await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Error));
    assert!(exit.message.contains("unreachable"), "{}", exit.message);
    assert!(exit.message.contains("wasm backtrace"), "{}", exit.message);
}

#[tokio::test]
async fn growth_past_the_memory_limit_is_oom() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::command_p3(&format!("{GROW} (i32.const 0)")));
    spec.limits = Limits { memory_bytes: Some(4 << 20), cpu_millis: None };
    let exit = bench.run(&spec).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
}

#[tokio::test]
async fn a_spinning_command_can_be_stopped() {
    let bench = Bench::new();
    let spec = bench.spec(&guests::command_p3("(loop $again (br $again)) unreachable"));
    let id = bench.start("spinning", &spec).await.unwrap();
    bench.runtime.stop(&id, std::time::Duration::ZERO).await.unwrap();
    let stats = bench.runtime.stats(&id).await.unwrap();
    assert_eq!(stats.memory_bytes, 0, "nothing of it is left");
}

#[tokio::test]
async fn a_server_that_traps_answers_and_goes_on() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http_p3("unreachable"));
    spec.ports = vec![free_port(sandbox().ip)];
    let id = bench.start("server", &spec).await.unwrap();
    let address = (sandbox().ip, spec.ports[0]).into();
    for _ in 0..2 {
        assert_eq!(get(address).await, 500);
    }
    assert!(bench.logged().contains("unreachable"), "{}", bench.logged());
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_program_is_an_answer() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http_p3(""));
    spec.ports = vec![free_port(sandbox().ip)];
    let id = bench.start("server", &spec).await.unwrap();
    assert_eq!(get((sandbox().ip, spec.ports[0]).into()).await, 500);
    until("it is logged", async || bench.logged().contains("LoopDetected")).await;
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn a_server_past_its_memory_limit_is_oom() {
    let bench = Bench::new();
    let mut spec = bench.spec(&guests::http_p3(GROW));
    spec.ports = vec![free_port(sandbox().ip)];
    spec.limits = Limits { memory_bytes: Some(4 << 20), cpu_millis: None };
    let mut events = bench.runtime.watch();
    bench.start("server", &spec).await.unwrap();
    let mut stream = TcpStream::connect((sandbox().ip, spec.ports[0])).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let wk_runtime::RuntimeEvent::Exited { exit, .. } = events.recv().await.unwrap() else {
        panic!("it has no engine");
    };
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
}

#[tokio::test]
async fn interfaces_that_nobody_provides_are_named() {
    let bench = Bench::new();
    for import in ["wasi:keyvalue/store@0.3.0", "wasi:http/client@0.3.0-rc-2026-01-01"] {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        let reason = bench.refusal(&bench.image(&text)).await;
        assert!(reason.contains(&format!("`{import}`, which nobody provides")), "{reason}");
    }
    let import = r#"(component (import "wasi:http/client@0.3.0" (instance
        (export "nonsense" (func))))"#;
    let text = guests::command_p3("(i32.const 0)").replace("(component", import);
    let reason = bench.refusal(&bench.image(&text)).await;
    assert!(reason.contains("nonsense"), "{reason}");
    let text = r#"(component (import "wasi:http/types@0.3.0" (instance)))"#;
    let reason = bench.refusal(&bench.image(text)).await;
    assert!(reason.contains("a library, not a program"), "{reason}");
}
