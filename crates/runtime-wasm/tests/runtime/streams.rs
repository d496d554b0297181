//! Programs run in containers, and connections to them.

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wk_runtime::{
    ContainerSpec, ExecCommand, Mount, Runtime as _, RuntimeError, Stdio, Streams, conformance,
};

use crate::bench::{Bench, until};
use crate::guests;

/// A container that spins, with `modules` in `/tools`.
pub(crate) fn spec_with_tools(bench: &Bench, modules: &[(&str, &str)]) -> ContainerSpec {
    let tools = bench.folder.path().join("tools");
    fs::create_dir_all(&tools).unwrap();
    for (name, text) in modules {
        fs::write(tools.join(name), wat::parse_str(text).unwrap()).unwrap();
    }
    let mut spec = bench.spec(&guests::spinning());
    spec.mounts = vec![Mount {
        host_path: tools,
        container_path: "/tools".to_owned(),
        read_only: true,
        ..Mount::default()
    }];
    spec
}

pub(crate) fn command(argv: &[&str], tty: bool) -> ExecCommand {
    ExecCommand { argv: argv.iter().map(|word| (*word).to_owned()).collect(), tty }
}

/// Runs a program with `input` and returns its code and output.
async fn run(
    bench: &Bench,
    id: &wk_runtime::ContainerId,
    command: &ExecCommand,
    input: &str,
) -> (i32, String) {
    let (mut feed, stdin) = tokio::io::duplex(1024);
    let (stdout, mut heard) = tokio::io::duplex(1024);
    let streams =
        Streams { stdin: Some(Box::new(stdin)), stdout: Some(Box::new(stdout)), ..Streams::none() };
    let talk = async {
        feed.write_all(input.as_bytes()).await.unwrap();
        drop(feed);
        let mut all = String::new();
        heard.read_to_string(&mut all).await.unwrap();
        all
    };
    let (code, all) = tokio::join!(bench.runtime.exec(id, command, streams), talk);
    (code.unwrap(), all)
}

#[tokio::test]
async fn the_runtime_conforms() {
    let bench = Bench::new();
    let failing =
        guests::core("", "(call $proc_exit (i32.const 3))").replace("$proc_exit", "$exit");
    let spec = spec_with_tools(&bench, &[("cat.wasm", guests::CAT), ("fail.wasm", &failing)]);
    let cat = command(&["/tools/cat.wasm"], false);
    let fail = command(&["/tools/fail.wasm"], false);
    conformance::check_streams(&bench.runtime, &spec, &cat, (&fail, 3)).await;
}

#[tokio::test]
async fn a_container_runs_its_own_command_by_name() {
    let bench = Bench::new();
    let mut spec = bench.spec(guests::CAT);
    spec.stdio = Stdio { stdin: true, ..Stdio::default() };
    let id = bench.start("cat", &spec).await.unwrap();
    assert_eq!(run(&bench, &id, &command(&["guest"], false), "hi").await, (0, "hi".to_owned()));
    assert_eq!(bench.logged(), "", "the log is the container's, not the other program's");
    let outcome = bench.runtime.exec(&id, &command(&["sh"], false), Streams::none()).await;
    assert!(matches!(outcome, Err(RuntimeError::ExecFailed { .. })), "{outcome:?}");
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn a_trap_is_told_to_whoever_ran_the_program() {
    let bench = Bench::new();
    let trap = guests::core("", "unreachable");
    let spec = spec_with_tools(&bench, &[("trap.wasm", &trap)]);
    let id = bench.start("host", &spec).await.unwrap();
    let (code, output) = run(&bench, &id, &command(&["/tools/trap.wasm"], true), "").await;
    assert_eq!(code, 134);
    assert!(output.contains("unreachable"), "{output}");
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn keys_on_a_terminal_become_lines_and_control() {
    let bench = Bench::new();
    let spec = spec_with_tools(&bench, &[("cat.wasm", guests::CAT)]);
    let id = bench.start("host", &spec).await.unwrap();
    let cat = command(&["/tools/cat.wasm"], true);
    // Echo and output share the screen, in an order that the program decides.
    let (code, screen) = run(&bench, &id, &cat, "hello\r\u{4}").await;
    assert_eq!((code, screen.as_str()), (0, "hello\r\nhello\r\n"));
    let (code, screen) = run(&bench, &id, &cat, "\u{3}").await;
    assert_eq!((code, screen.as_str()), (130, "^C\r\n"));
    bench.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn whoever_attaches_feeds_and_hears_the_program() {
    let bench = Bench::new();
    let mut spec = bench.spec(guests::CAT);
    spec.stdio = Stdio { stdin: true, stdin_once: true, tty: false };
    let id = bench.start("cat", &spec).await.unwrap();
    let (mut feed, stdin) = tokio::io::duplex(1024);
    let (stdout, mut heard) = tokio::io::duplex(1024);
    let streams =
        Streams { stdin: Some(Box::new(stdin)), stdout: Some(Box::new(stdout)), ..Streams::none() };
    let talk = async {
        feed.write_all(b"one\n").await.unwrap();
        let mut line = [0; 4];
        heard.read_exact(&mut line).await.unwrap();
        // The end of this input is the end of the program's.
        drop(feed);
        line
    };
    let (attached, line) = tokio::join!(bench.runtime.attach(&id, streams), talk);
    attached.unwrap();
    assert_eq!(&line, b"one\n");
    until("the log has it all the same", async || bench.logged().ends_with("stdout F one\n")).await;
    bench.runtime.remove(&id).await.unwrap();
}
