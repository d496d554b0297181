//! The shape of every message, as other versions have it.
//!
//! A change here is another protocol, unless it is a new field that the other side may ignore: then
//! [`PROTOCOL`](super::PROTOCOL) has to be raised, and these are the shapes of the new one.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use wk_runtime::{
    ContainerExit, ContainerStatus, ExitReason, ImageKind, InstancePolicy, Limits, LinuxSpec,
    LogLimits, Mount, RequestStats, Stdio,
};

use super::*;

#[track_caller]
fn check<T: Serialize + DeserializeOwned>(message: &T, expected: &str) {
    let json = serde_json::to_string(message).unwrap();
    assert_eq!(json, expected);
    let again: T = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), json, "it is understood");
}

fn owned<T: Clone>(value: T) -> Cow<'static, T> {
    Cow::Owned(value)
}

fn id() -> Cow<'static, ContainerId> {
    owned(ContainerId::new("u_main_0"))
}

fn pod() -> PodRef {
    PodRef { namespace: "default".into(), name: "web".into(), uid: "u".into() }
}

fn image() -> Image {
    Image {
        reference: "web:1".into(),
        digest: "sha256:1".into(),
        kind: ImageKind::Wasm {
            module: "/m".into(),
            module_digest: "sha256:2".into(),
            rootfs: None,
        },
        entrypoint: vec!["a".into()],
        cmd: vec![],
        env: vec![],
        working_dir: None,
    }
}

fn sandbox() -> Sandbox {
    Sandbox {
        pod_uid: "u".into(),
        namespace: "default".into(),
        hostname: "web".into(),
        ip: [127, 64, 0, 1].into(),
        loopback: [127, 96, 0, 1].into(),
        netns: Some(NetworkNamespace { path: "/n".into(), inode: 7 }),
        host_network: false,
        host_aliases: [("db".to_owned(), vec![[10, 0, 0, 1].into()])].into(),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn what_never_changes_is_as_it_was() {
    let greeting = Greeting {
        protocol: 1,
        version: "0.1.0".into(),
        pid: 5,
        runtime: "wasm".into(),
        engine: "wasmtime://1".into(),
        open_files: Some(9),
    };
    check(
        &greeting,
        r#"{"protocol":1,"version":"0.1.0","pid":5,"runtime":"wasm","engine":"wasmtime://1","open_files":9}"#,
    );
    check(&Request::Retire, r#""Retire""#);
    check(
        &Request::End { grace: Duration::from_millis(1500) },
        r#"{"End":{"grace":{"secs":1,"nanos":500000000}}}"#,
    );
    check(&Parting::Ending, r#""Ending""#);
    check(&Parting::InUse { containers: 2 }, r#"{"InUse":{"containers":2}}"#);
}

#[test]
fn calls_are_as_they_were_in_protocol_1() {
    assert_eq!(PROTOCOL, 1);
    let streams = StreamSet { stdin: true, stdout: true, stderr: false };
    let command = owned(ExecCommand { argv: vec!["ls".into()], tty: true });
    let grace = Duration::from_secs(30);
    let image_json = r#"{"reference":"web:1","digest":"sha256:1","kind":{"Wasm":{"module":"/m","module_digest":"sha256:2","rootfs":null}},"entrypoint":["a"],"cmd":[],"env":[],"working_dir":null}"#;
    for (call, expected) in [
        (
            Call::Prepare { image: owned(image()) },
            &*format!(r#"{{"Prepare":{{"image":{image_json}}}}}"#),
        ),
        (
            Call::Stop { id: id(), grace },
            r#"{"Stop":{"id":"u_main_0","grace":{"secs":30,"nanos":0}}}"#,
        ),
        (Call::Remove { id: id() }, r#"{"Remove":{"id":"u_main_0"}}"#),
        (Call::List, r#""List""#),
        (Call::Pods, r#""Pods""#),
        (Call::RemovePod { uid: Cow::Borrowed("u") }, r#"{"RemovePod":{"uid":"u"}}"#),
        (Call::Stats { id: id() }, r#"{"Stats":{"id":"u_main_0"}}"#),
        (Call::TrimCache { keep_bytes: 1 }, r#"{"TrimCache":{"keep_bytes":1}}"#),
        (
            Call::Exec { id: id(), command, streams },
            r#"{"Exec":{"id":"u_main_0","command":{"argv":["ls"],"tty":true},"streams":{"stdin":true,"stdout":true,"stderr":false}}}"#,
        ),
        (
            Call::Attach { id: id(), streams },
            r#"{"Attach":{"id":"u_main_0","streams":{"stdin":true,"stdout":true,"stderr":false}}}"#,
        ),
    ] {
        let whole = Request::Call { session: Cow::Borrowed("s"), call };
        check(&whole, &format!(r#"{{"Call":{{"session":"s","call":{expected}}}}}"#));
    }
    check(&Request::Watch, r#""Watch""#);
    let size = TerminalSize { width: 80, height: 25 };
    check(&Request::Resize(size), r#"{"Resize":{"width":80,"height":25}}"#);
}

#[test]
fn containers_are_described_as_in_protocol_1() {
    let spec = ContainerSpec {
        pod: pod(),
        name: "main".into(),
        attempt: 3,
        image: image(),
        command: vec![],
        args: vec!["b".into()],
        env: vec![("A".into(), "1".into())],
        working_dir: Some("/w".into()),
        mounts: vec![Mount {
            host_path: "/h".into(),
            container_path: "/c".into(),
            read_only: true,
            ..Mount::default()
        }],
        limits: Limits { memory_bytes: Some(1), cpu_millis: None },
        sandbox: sandbox(),
        ports: vec![80],
        log_path: "/l".into(),
        log_limits: LogLimits { max_bytes: 10, max_files: 2 },
        termination_message_path: "/t".into(),
        annotations: [("k".to_owned(), "v".to_owned())].into(),
        instances: InstancePolicy::Reused,
        stdio: Stdio { stdin: true, stdin_once: false, tty: false },
        linux: LinuxSpec::default(),
    };
    let json = serde_json::to_string_pretty(&Call::Start { id: id(), spec: owned(spec) }).unwrap();
    assert_eq!(json.trim(), include_str!("start.json").trim());
    let linux = owned(LinuxPod::default());
    let open = Call::OpenPod { pod: owned(pod()), sandbox: owned(sandbox()), linux };
    let json = serde_json::to_string_pretty(&open).unwrap();
    assert_eq!(json.trim(), include_str!("open_pod.json").trim());
}

#[test]
fn answers_are_as_they_were_in_protocol_1() {
    let exit = ContainerExit {
        code: 255,
        reason: ExitReason::Unknown,
        message: String::new(),
        finished_at: at(2),
    };
    let state = ContainerState {
        id: id().into_owned(),
        pod: pod(),
        name: "main".into(),
        attempt: 0,
        image_digest: "sha256:1".into(),
        started_at: at(1),
        status: ContainerStatus::Exited(exit.clone()),
    };
    let stats = ContainerStats {
        started_at: at(1),
        cpu: Duration::from_secs(1),
        memory_bytes: 2,
        memory_peak_bytes: 3,
        processes: 0,
        requests: Some(RequestStats { total: 1, in_flight: 0, time: Duration::ZERO }),
    };
    let time = |seconds: u32| format!(r#"{{"secs_since_epoch":{seconds},"nanos_since_epoch":0}}"#);
    let (one, two) = (time(1), time(2));
    let exit_json =
        format!(r#"{{"code":255,"reason":"Unknown","message":"","finished_at":{two}}}"#);
    check(&Answer::Done, r#""Done""#);
    check(&Answer::Stale, r#""Stale""#);
    check(&Answer::Code(-1), r#"{"Code":-1}"#);
    check(&Answer::Bytes(1), r#"{"Bytes":1}"#);
    check(&Answer::Pods(vec!["u".into()]), r#"{"Pods":["u"]}"#);
    check(&Answer::Namespace(None), r#"{"Namespace":null}"#);
    check(
        &Answer::Containers(vec![state]),
        &format!(
            r#"{{"Containers":[{{"id":"u_main_0","pod":{{"namespace":"default","name":"web","uid":"u"}},"name":"main","attempt":0,"image_digest":"sha256:1","started_at":{one},"status":{{"Exited":{exit_json}}}}}]}}"#
        ),
    );
    check(
        &Answer::Stats(stats),
        &format!(
            r#"{{"Stats":{{"started_at":{one},"cpu":{{"secs":1,"nanos":0}},"memory_bytes":2,"memory_peak_bytes":3,"requests":{{"total":1,"in_flight":0,"time":{{"secs":0,"nanos":0}}}}}}}}"#
        ),
    );
    check(&News::Opened { session: "s".into() }, r#"{"Opened":{"session":"s"}}"#);
    check(&News::Event(RuntimeEvent::Resynced), r#"{"Event":"Resynced"}"#);
    check(
        &News::Event(RuntimeEvent::Exited { id: id().into_owned(), exit }),
        &format!(r#"{{"Event":{{"Exited":{{"id":"u_main_0","exit":{exit_json}}}}}}}"#),
    );
}

#[test]
fn errors_are_as_they_were_in_protocol_1() {
    let text = || "x".to_owned();
    for (error, expected) in [
        (RuntimeError::ImageMissing { digest: text() }, r#"{"ImageMissing":{"digest":"x"}}"#),
        (
            RuntimeError::InvalidImage { reference: text(), reason: text() },
            r#"{"InvalidImage":{"reference":"x","reason":"x"}}"#,
        ),
        (RuntimeError::InvalidSpec { reason: text() }, r#"{"InvalidSpec":{"reason":"x"}}"#),
        (RuntimeError::StartFailed { reason: text() }, r#"{"StartFailed":{"reason":"x"}}"#),
        (
            RuntimeError::PrepareLimit { reference: text(), reason: text() },
            r#"{"PrepareLimit":{"reference":"x","reason":"x"}}"#,
        ),
        (
            RuntimeError::OutOfResource { resource: "disk".into(), reason: text() },
            r#"{"OutOfResource":{"resource":"disk","reason":"x"}}"#,
        ),
        (
            RuntimeError::NoSuchContainer { id: id().into_owned() },
            r#"{"NoSuchContainer":{"id":"u_main_0"}}"#,
        ),
        (RuntimeError::NotRunning { id: id().into_owned() }, r#"{"NotRunning":{"id":"u_main_0"}}"#),
        (
            RuntimeError::ExecFailed { program: text(), reason: text() },
            r#"{"ExecFailed":{"program":"x","reason":"x"}}"#,
        ),
        (
            RuntimeError::Unsupported { runtime: "wasm".into(), what: "exec".into() },
            r#"{"Unsupported":{"runtime":"wasm","what":"exec"}}"#,
        ),
        (
            RuntimeError::Unavailable { engine: text(), reason: text() },
            r#"{"Unavailable":{"engine":"x","reason":"x"}}"#,
        ),
        (
            RuntimeError::TimedOut { after: Duration::from_secs(1) },
            r#"{"TimedOut":{"after":{"secs":1,"nanos":0}}}"#,
        ),
        (
            RuntimeError::Internal { doing: "a".into(), reason: text() },
            r#"{"Internal":{"doing":"a","reason":"x"}}"#,
        ),
    ] {
        let expected = format!(r#"{{"Failed":{expected}}}"#);
        check(&Answer::Failed(error), &expected);
    }
}
