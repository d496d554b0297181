//! A runtime behind its socket: what every runtime owes, and what becomes of calls and containers
//! when one of the two ends goes away.

#![expect(clippy::unwrap_used, reason = "a test ends with its first fault")]

mod bench;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use bench::{Bench, command, exit, resynced, spec, until, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use wk_runtime::{
    ContainerId, ContainerStatus, ExitReason, Runtime as _, RuntimeError, RuntimeEvent, Stdio,
    Streams, TerminalSize, conformance,
};

#[tokio::test]
async fn a_runtime_keeps_its_promises_through_the_socket() {
    let bench = Bench::start().await;
    conformance::check(&bench.remote, &spec()).await;
    let (cat, failing) = (command(&["cat"]), command(&["exit", "7"]));
    conformance::check_streams(&bench.remote, &spec(), &cat, (&failing, 7)).await;
    assert_eq!(bench.remote.name(), "fake");
    assert_eq!(bench.remote.version(), "fake://0");
    assert_eq!(bench.remote.fault(), None);
    assert!(bench.stop().await.is_empty());
}

#[tokio::test]
async fn calls_beside_each_other_do_not_wait_for_each_other() {
    let bench = Bench::start().await;
    let id = bench.run("main", &spec()).await;
    let sleep = command(&["sleep"]);
    let sleepers = (0..100).map(|_| Box::pin(bench.remote.exec(&id, &sleep, Streams::none())));
    let mut sleepers: Vec<_> = sleepers.collect();
    for sleeper in &mut sleepers {
        assert!(tokio::time::timeout(Duration::from_millis(1), sleeper).await.is_err());
    }
    let lists = (0..300).map(|_| bench.remote.list());
    for listed in futures_join(lists).await {
        assert_eq!(listed.unwrap().len(), 1);
    }
    bench.remote.remove(&id).await.unwrap();
    for sleeper in sleepers {
        assert_eq!(within(sleeper).await.unwrap(), 137, "they end with their container");
    }
}

/// All of them at once.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    // Each is begun before the first is waited for.
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn a_program_ends_with_the_call_that_runs_it() {
    let bench = Bench::start().await;
    let (began, begins) = oneshot::channel();
    let (gone, goes) = oneshot::channel::<()>();
    let signals = std::sync::Mutex::new(Some((began, gone)));
    bench.fake.set_program("held", move |_, streams| {
        let (began, gone) = signals.lock().unwrap().take().unwrap();
        Box::pin(async move {
            began.send(()).unwrap();
            let _held = (streams, gone);
            std::future::pending().await
        })
    });
    let id = bench.run("main", &spec()).await;
    let held = command(&["held"]);
    let mut call = Box::pin(bench.remote.exec(&id, &held, Streams::none()));
    tokio::select! {
        biased;
        ended = &mut call => panic!("it goes on: {ended:?}"),
        begun = within(begins) => begun.unwrap(),
    }
    drop(call);
    assert!(within(goes).await.is_err(), "it was dropped");
}

#[tokio::test]
async fn a_terminal_tells_its_size_and_output_that_nobody_reads_is_thrown_away() {
    let bench = Bench::start().await;
    let id = bench.run("main", &spec()).await;
    let (sizes, size) = tokio::sync::watch::channel(None);
    let (stdout, mut shown) = tokio::io::duplex(64);
    let streams = Streams { stdout: Some(Box::new(stdout)), size, ..Streams::none() };
    let mut asks = command(&["size"]);
    asks.tty = true;
    let talk = async {
        sizes.send(Some(TerminalSize { width: 80, height: 25 })).unwrap();
        let mut text = String::new();
        shown.read_to_string(&mut text).await.unwrap();
        text
    };
    let (code, text) =
        within(async { tokio::join!(bench.remote.exec(&id, &asks, streams), talk) }).await;
    assert_eq!((code.unwrap(), text.as_str()), (0, "80x25\n"));

    let (stdout, unread) = tokio::io::duplex(64);
    drop(unread);
    let streams = Streams { stdout: Some(Box::new(stdout)), ..Streams::none() };
    let echo = command(&["echo", &"word".repeat(100_000)]);
    // The program sees that its output has no reader, or writes all of it before that.
    within(bench.remote.exec(&id, &echo, streams)).await.unwrap();
}

#[tokio::test]
async fn somebody_attached_is_heard_and_hears() {
    let bench = Bench::start().await;
    let mut echoes = spec();
    echoes.stdio = Stdio { stdin: true, stdin_once: true, tty: false };
    let id = bench.run("main", &echoes).await;
    let (mut typed, stdin) = tokio::io::duplex(64);
    let (stdout, mut shown) = tokio::io::duplex(64);
    let streams =
        Streams { stdin: Some(Box::new(stdin)), stdout: Some(Box::new(stdout)), ..Streams::none() };
    let talk = async {
        typed.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        shown.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        // With the end of its input the program ends.
        drop(typed);
    };
    let (attached, ()) =
        within(async { tokio::join!(bench.remote.attach(&id, streams), talk) }).await;
    attached.unwrap();
    let state = bench.remote.list().await.unwrap().remove(0);
    assert!(matches!(state.status, ContainerStatus::Exited(exit) if exit.code == 0));
}

#[tokio::test]
async fn whoever_comes_next_finds_what_runs_and_how_the_rest_ended() {
    let bench = Bench::start().await;
    let (runs, ends) = (bench.run("runs", &spec()).await, bench.run("ends", &spec()).await);
    let before = bench.remote.list().await.unwrap();
    bench.leave().await;
    bench.fake.exit(&ends, 5);
    let (next, _tasks) = bench.come().await;
    let all = next.list().await.unwrap();
    for (id, code) in [(&runs, None), (&ends, Some(5))] {
        let (old, new) = (
            before.iter().find(|one| one.id == *id).unwrap(),
            all.iter().find(|one| one.id == *id).unwrap(),
        );
        assert_eq!(new.started_at, old.started_at, "it was not started again");
        let exit_code = match &new.status {
            ContainerStatus::Exited(exit) => Some(exit.code),
            ContainerStatus::Running => None,
        };
        assert_eq!(exit_code, code);
    }
    let mut events = next.watch();
    bench.fake.exit(&runs, 3);
    assert_eq!(exit(&mut events, &runs).await.code, 3);
}

#[tokio::test]
async fn the_calls_of_one_who_is_gone_are_over_before_the_next_one_looks() {
    let bench = Bench::start().await;
    let id = bench.run("main", &spec()).await;
    let sleep = command(&["sleep"]);
    let mut call = Box::pin(bench.remote.exec(&id, &sleep, Streams::none()));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut call).await.is_err());
    // The next one comes while the first one is still there.
    let _next = bench.come().await;
    let ended = within(call).await;
    assert!(matches!(ended, Err(RuntimeError::Unavailable { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_host_that_is_gone_is_replaced_and_its_containers_are_told_to_have_ended() {
    let bench = Bench::launching().await;
    let id = bench.run("main", &spec()).await;
    let ended = bench.run("ended", &spec()).await;
    let mut events = bench.remote.watch();
    bench.runtime().exit(&ended, 4);
    assert_eq!(exit(&mut events, &ended).await.code, 4);
    bench.kill_host().await;
    let lost = exit(&mut events, &id).await;
    assert_eq!((lost.code, lost.reason), (255, ExitReason::Unknown));
    assert_eq!(lost.message, "the fake host that ran it is gone");
    resynced(&mut events).await;
    assert_eq!(bench.remote.fault(), None);
    assert!(bench.remote.list().await.unwrap().is_empty());
    let again = bench.run("again", &spec()).await;
    assert_eq!(bench.remote.list().await.unwrap()[0].id, again);
    bench.runtime().exit(&again, 0);
    let next = within(events.recv()).await.unwrap();
    assert!(
        matches!(&next, RuntimeEvent::Exited { id, .. } if *id == again),
        "what had ended before is not told again: {next:?}"
    );
}

#[tokio::test]
async fn while_there_is_no_host_calls_fail_and_say_so() {
    let bench = Bench::start().await;
    let mut events = bench.remote.watch();
    bench.kill_host().await;
    until("the loss is noticed", || bench.remote.fault().is_some()).await;
    let refused = bench.remote.start(&ContainerId::new("x"), &spec()).await;
    let Err(RuntimeError::Unavailable { engine, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(engine, "the fake host");
    until("the reason is known", || {
        bench.remote.fault().is_some_and(|fault| fault.contains("cannot talk to the fake host"))
    })
    .await;
    bench.start_host(&Arc::new(wk_runtime::FakeRuntime::new()));
    resynced(&mut events).await;
    bench.run("x", &spec()).await;
}

#[tokio::test]
async fn a_host_that_ends_stops_its_containers_and_tells_how_they_ended() {
    let bench = Bench::start().await;
    let id = bench.run("main", &spec()).await;
    let mut events = bench.remote.watch();
    let host = bench.host();
    let ending = async {
        let grace = host.asked_to_end().await;
        host.drain(grace).await;
        let refused = bench.remote.start(&ContainerId::new("late"), &spec()).await;
        assert!(matches!(refused, Err(RuntimeError::Unavailable { .. })), "{refused:?}");
        bench.kill_host().await;
        grace
    };
    let asking = bench.remote.end_host(Duration::from_secs(3));
    let (grace, asked) = within(Box::pin(async { tokio::join!(ending, asking) })).await;
    asked.unwrap();
    assert_eq!(grace, Duration::from_secs(3));
    assert_eq!(exit(&mut events, &id).await.reason, ExitReason::Completed);
    bench.remote.end_host(Duration::ZERO).await.unwrap();
}
