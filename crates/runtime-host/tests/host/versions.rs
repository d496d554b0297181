//! Hosts of other versions.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use wk_process::TaskGroup;
use wk_runtime::{ContainerId, FakeRuntime, Runtime as _};
use wk_runtime_host::{ConnectError, RemoteRuntime};

use crate::bench::{Place, VERSION, config, spec, within};

/// Starts a host of another version and a container in it, and comes to it. Returns the version of
/// the host that is there then.
async fn met(containers: usize) -> (String, usize) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let old = Arc::new(FakeRuntime::new());
    place.start_host(&old, "v0").unwrap();
    old.prepare(&spec().image).await.unwrap();
    for number in 0..containers {
        old.start(&ContainerId::new(format!("{number}")), &spec()).await.unwrap();
    }
    let tasks = TaskGroup::new("remote");
    let ends = {
        let place = Arc::clone(&place);
        async move {
            let grace = place.host().asked_to_end().await;
            place.host().drain(grace).await;
            place.kill_host().await;
        }
    };
    tasks.spawn_quiet("end of the old host", ends);
    let remote = RemoteRuntime::connect(config(&place, true), tasks.clone());
    let remote = within(remote).await.unwrap();
    (remote.host().version, remote.list().await.unwrap().len())
}

#[tokio::test]
async fn a_host_of_another_version_gives_way_unless_it_has_containers() {
    assert_eq!(met(0).await, (VERSION.to_owned(), 0));
    assert_eq!(met(2).await, ("v0".to_owned(), 2));
}

/// A frame as every version has it.
fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_le_bytes()[..], json.as_bytes()].concat()
}

fn read(stream: &mut impl std::io::Read) -> String {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut json = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut json).unwrap();
    String::from_utf8(json).unwrap()
}

/// A host from the future: what never changes is written out here.
fn future_host(listener: UnixListener, answers: &'static [&'static str]) {
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let greeting = r#"{"protocol":999,"version":"v9","pid":4711,"runtime":"fake","engine":"fake://9","open_files":null,"more":{}}"#;
            stream.write_all(&frame(greeting)).unwrap();
            assert_eq!(read(&mut stream), r#""Retire""#);
            stream.write_all(&frame(answer)).unwrap();
            let mut rest = Vec::new();
            if *answer != r#""Ending""# {
                stream.read_to_end(&mut rest).unwrap();
            }
            assert!(rest.is_empty());
        }
    });
}

#[tokio::test]
async fn a_host_of_another_protocol_that_is_in_use_is_left_alone_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let listener = UnixListener::bind(&place.socket).unwrap();
    future_host(listener, &[r#"{"InUse":{"containers":3}}"#]);
    let tasks = TaskGroup::new("remote");
    let refused = within(RemoteRuntime::connect(config(&place, true), tasks)).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Protocol { pid: 4711, containers: 3, .. }));
    let text = refused.to_string();
    assert!(text.contains("is of version v9") && text.contains("has 3 containers"), "{text}");
    assert!(text.contains("hint: ") && text.contains("kill 4711"), "{text}");
}

#[tokio::test]
async fn a_host_of_another_protocol_that_is_not_in_use_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let listener = UnixListener::bind(&place.socket).unwrap();
    future_host(listener, &[r#""Ending""#]);
    let tasks = TaskGroup::new("remote");
    let remote = within(RemoteRuntime::connect(config(&place, true), tasks)).await.unwrap();
    assert_eq!(remote.host().version, VERSION);
}

#[tokio::test]
async fn a_host_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    place.start_host(&Arc::new(FakeRuntime::new()), VERSION).unwrap();
    let mut config = config(&place, true);
    config.name = "wasm";
    let refused = within(RemoteRuntime::connect(config, TaskGroup::new("remote"))).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.ends_with("runs `fake` instead of `wasm` containers"), "{text}");
}
