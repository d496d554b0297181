//! The Docker runtime on a real engine, without a cluster: what every runtime owes, and what this
//! one has to get right by itself. Ignored by default for what it needs; `.ci/run` installs that and
//! runs it.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::broadcast;
use wk_process::TaskGroup;
use wk_runtime::{
    ContainerExit, ContainerId, ContainerSpec, ContainerStatus, ExecCommand, ExitReason, Image,
    ImageKind, InstancePolicy, Limits, LinuxSpec, LogLimits, PodRef, Runtime, RuntimeError,
    RuntimeEvent, Sandbox, Stdio, Streams, TerminalSize, conformance,
};
use wk_runtime_docker::{DockerConfig, DockerRuntime};
use wk_tests::{BusyboxImage, DockerEngine, PATIENCE, eventually};

/// A program that ends when it is asked to.
const ENDLESS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

/// An engine, an image for it, and a folder for logs.
struct Bench {
    engine: DockerEngine,
    image: BusyboxImage,
    folder: TempDir,
}

impl Bench {
    fn start() -> Self {
        let engine = DockerEngine::start();
        let image = BusyboxImage::make(&json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}));
        Self { engine, image, folder: tempfile::tempdir().unwrap() }
    }

    /// A runtime as a process would have it.
    fn runtime(&self) -> (DockerRuntime, TaskGroup) {
        let tasks = TaskGroup::new("test");
        let config = DockerConfig::for_folder(self.engine.socket(), self.folder.path());
        (DockerRuntime::start(config, tasks.clone()), tasks)
    }

    fn spec(&self, script: &str) -> ContainerSpec {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        ContainerSpec {
            pod: PodRef { namespace: "test".into(), name: "pod".into(), uid: "uid".into() },
            name: "main".to_owned(),
            attempt: 0,
            image: Image {
                reference: "busybox:1".to_owned(),
                digest: self.image.digest().to_owned(),
                kind: ImageKind::Linux { layout: self.image.layout().to_owned() },
                entrypoint: Vec::new(),
                cmd: Vec::new(),
                env: Vec::new(),
                working_dir: None,
            },
            command: words(&["/bin/sh", "-c"]),
            args: words(&[script]),
            env: vec![("PATH".to_owned(), "/bin".to_owned())],
            working_dir: None,
            mounts: Vec::new(),
            limits: Limits::default(),
            sandbox: Sandbox {
                pod_uid: "uid".into(),
                namespace: "test".into(),
                hostname: "pod".into(),
                ip: [127, 64, 0, 1].into(),
                loopback: [127, 96, 0, 1].into(),
                netns: None,
                host_network: false,
                host_aliases: BTreeMap::new(),
            },
            ports: Vec::new(),
            log_path: self.log("0.log"),
            log_limits: LogLimits::default(),
            termination_message_path: "/dev/termination-log".to_owned(),
            annotations: BTreeMap::new(),
            instances: InstancePolicy::PerRequest,
            stdio: Stdio::default(),
            linux: LinuxSpec::default(),
        }
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("it happens in time")
}

/// Waits until a container has ended and tells how.
async fn exit(events: &mut broadcast::Receiver<RuntimeEvent>, id: &ContainerId) -> ContainerExit {
    within(async {
        loop {
            if let RuntimeEvent::Exited { id: ended, exit } = events.recv().await.unwrap()
                && ended == *id
            {
                return exit;
            }
        }
    })
    .await
}

async fn resynced(events: &mut broadcast::Receiver<RuntimeEvent>) {
    within(async { while !matches!(events.recv().await, Ok(RuntimeEvent::Resynced)) {} }).await;
}

/// The text of a log without its times, and the times.
fn log(path: &Path) -> (Vec<String>, Vec<String>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(time, rest)| (rest.to_owned(), time.to_owned()))
        .unzip()
}

#[tokio::test]
#[ignore = "needs root, docker.io and busybox-static"]
async fn it_does_what_every_runtime_does() {
    let bench = Bench::start();
    let (runtime, tasks) = bench.runtime();
    let endless = bench.spec(ENDLESS);
    conformance::check(&runtime, &endless).await;
    let command = |argv: &[&str]| ExecCommand {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        tty: false,
    };
    let failing = command(&["sh", "-c", "exit 7"]);
    conformance::check_streams(&runtime, &endless, &command(&["cat"]), (&failing, 7)).await;
    runtime.remove_pod("uid").await.unwrap();
    assert!(bench.engine.ps(&["--quiet"]).is_empty(), "nothing is left");
    assert_eq!(tasks.shutdown(Duration::from_secs(10)).await, Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs root, docker.io and busybox-static"]
async fn programs_end_as_they_do_and_leave_their_words() {
    let bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let mut events = runtime.watch();
    let spec = bench.spec("");
    runtime.prepare(&spec.image).await.unwrap();
    let run = async |name: &str, change: &dyn Fn(&mut ContainerSpec)| {
        let id = ContainerId::new(name);
        let mut spec = bench.spec("");
        spec.log_path = bench.log(&format!("{name}.log"));
        change(&mut spec);
        runtime.start(&id, &spec).await.map(|()| id)
    };
    let script =
        |text: &'static str| move |spec: &mut ContainerSpec| spec.args = vec![text.to_owned()];

    let id = run("words", &script("echo one; echo two >&2; printf three; exit 3")).await.unwrap();
    let ended = exit(&mut events, &id).await;
    assert_eq!((ended.code, ended.reason), (3, ExitReason::Error));
    let (mut lines, _) = log(&bench.log("words.log"));
    lines.sort();
    // Of the last line the engine does not tell whether it has an end.
    let lines: Vec<String> = lines.iter().map(|line| line.replacen(" P ", " F ", 1)).collect();
    assert_eq!(lines, ["stderr F two", "stdout F one", "stdout F three"]);

    let id = run("memory", &|spec| {
        spec.args = vec!["x=$(yes | head -c 200000000); echo $x | wc".to_owned()];
        spec.limits.memory_bytes = Some(16 << 20);
    });
    let ended = exit(&mut events, &id.await.unwrap()).await;
    assert_eq!(ended.reason, ExitReason::OomKilled);

    let missing = run("missing", &|spec| spec.command = vec!["/no/such/program".to_owned()]).await;
    assert!(matches!(missing, Err(RuntimeError::StartFailed { .. })), "{missing:?}");
    let mount = run("mount", &|spec| {
        spec.mounts = vec![wk_runtime::Mount {
            host_path: "/no/such/folder".into(),
            container_path: "/data".into(),
            ..wk_runtime::Mount::default()
        }];
    });
    let mount = mount.await;
    assert!(matches!(mount, Err(RuntimeError::InvalidSpec { .. })), "{mount:?}");

    let id = run("deaf", &script("trap '' TERM; while :; do sleep 0.05; done")).await.unwrap();
    within(runtime.stop(&id, Duration::from_millis(300))).await.unwrap();
    let ended = exit(&mut events, &id).await;
    assert_eq!((ended.code, ended.reason), (137, ExitReason::Error));
}

#[tokio::test]
#[ignore = "needs root, docker.io and busybox-static"]
async fn another_process_goes_on_where_the_first_one_ended() {
    let bench = Bench::start();
    let count = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i%50)) = 0 ] && sleep 0.05; \
                 done; exit 5";
    let spec = bench.spec(count);
    let id = ContainerId::new("counting");
    let (mut runtime, mut tasks) = bench.runtime();
    runtime.prepare(&spec.image).await.unwrap();
    runtime.start(&id, &spec).await.unwrap();
    let other = ContainerId::new("other");
    let mut of_other = bench.spec(ENDLESS);
    of_other.pod.uid = "gone".to_owned();
    of_other.sandbox.pod_uid = "gone".to_owned();
    of_other.log_path = bench.log("other.log");
    runtime.start(&other, &of_other).await.unwrap();
    let images = bench.engine.docker(&["images", "--quiet"]).ok();
    let image = images.lines().next().unwrap();
    bench.engine.docker(&["create", "--name", "stranger", image, "sh"]).ok();

    // The log is cut off at any moment, again and again.
    let before = runtime.list().await.unwrap();
    let mut ended = None;
    while ended.is_none() {
        tasks.shutdown(Duration::from_secs(10)).await;
        drop(runtime);
        (runtime, tasks) = bench.runtime();
        let mut events = runtime.watch();
        resynced(&mut events).await;
        let all = runtime.list().await.unwrap();
        let state = all.iter().find(|one| one.id == id).unwrap();
        assert!(all.iter().any(|one| one.id == other && one.status == ContainerStatus::Running));
        for one in &before {
            let now = all.iter().find(|now| now.id == one.id).unwrap();
            assert_eq!(now.started_at, one.started_at, "nothing was started again");
        }
        if let ContainerStatus::Exited(exit) = &state.status {
            ended = Some(exit.clone());
        }
    }
    assert_eq!(ended.unwrap().code, 5);
    let (lines, times) = log(&spec.log_path);
    let expected: Vec<String> = (1..=3000).map(|number| format!("stdout F {number}")).collect();
    assert_eq!(lines, expected, "each line is there once");
    assert!(times.is_sorted(), "and has its own time");

    assert_eq!(runtime.pods().await.unwrap(), ["gone", "uid"]);
    runtime.remove_pod("gone").await.unwrap();
    let all = runtime.list().await.unwrap();
    assert_eq!(all.iter().map(|one| &one.id).collect::<Vec<_>>(), [&id], "the other pod is gone");
    runtime.remove_pod("uid").await.unwrap();
    assert_eq!(bench.engine.ps(&["--format", "{{.Names}}"]), ["stranger"], "and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, docker.io and busybox-static"]
async fn an_engine_that_is_away_is_waited_for() {
    let mut bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let mut events = runtime.watch();
    resynced(&mut events).await;
    assert_eq!(runtime.fault(), None);
    let spec = bench.spec(ENDLESS);
    let id = ContainerId::new("before");
    runtime.prepare(&spec.image).await.unwrap();
    runtime.start(&id, &spec).await.unwrap();
    bench.engine.stop();
    let refused = runtime.start(&ContainerId::new("meanwhile"), &spec).await;
    assert!(matches!(refused, Err(RuntimeError::Unavailable { .. })), "{refused:?}");
    let fault = eventually("the runtime says so", || runtime.fault());
    assert!(fault.contains("container engine"), "{fault}");
    let mut events = runtime.watch();
    bench.engine.start_again();
    resynced(&mut events).await;
    assert_eq!(runtime.fault(), None);
    let all = runtime.list().await.unwrap();
    assert!(
        matches!(&all[..], [one] if one.id == id && one.status != ContainerStatus::Running),
        "its end is known: {all:?}"
    );
    let again = ContainerId::new("again");
    runtime.start(&again, &spec).await.unwrap();
    within(runtime.stop(&again, Duration::from_secs(5))).await.unwrap();
    assert_eq!(exit(&mut events, &again).await.code, 0);
    runtime.remove_pod("uid").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, docker.io and busybox-static"]
async fn an_image_is_loaded_once_and_goes_when_nobody_uses_it() {
    let bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let spec = bench.spec(ENDLESS);
    let (first, second) = tokio::join!(runtime.prepare(&spec.image), runtime.prepare(&spec.image));
    first.unwrap();
    second.unwrap();
    let images = || {
        let listed = bench.engine.docker(&["images", "--quiet", "--no-trunc"]).ok();
        listed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let loaded = images();
    assert_eq!(loaded.len(), 1, "it is there once");
    bench.engine.docker(&["tag", &loaded[0], "somebody/elses:1"]).ok();
    let id = ContainerId::new("user");
    runtime.start(&id, &spec).await.unwrap();
    assert_eq!(runtime.trim_cache(0).await.unwrap(), 0, "it is in use");
    runtime.remove_pod("uid").await.unwrap();
    assert_eq!(runtime.trim_cache(u64::MAX).await.unwrap(), 0, "there is room");
    assert!(runtime.trim_cache(0).await.unwrap() > 0);
    assert_eq!(images(), loaded, "somebody else has named it");
    let again = runtime.start(&id, &spec).await;
    assert!(matches!(again, Err(RuntimeError::ImageMissing { .. })), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, docker.io and busybox-static"]
async fn a_program_that_nobody_waits_for_is_ended() {
    let bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let spec = bench.spec(ENDLESS);
    let id = ContainerId::new("main");
    runtime.prepare(&spec.image).await.unwrap();
    runtime.start(&id, &spec).await.unwrap();
    let argv = ["sleep", "98765"].map(str::to_owned).to_vec();
    let command = ExecCommand { argv, tty: false };
    let processes = || {
        let name = bench.engine.ps(&["--format", "{{.Names}}", "--filter", "label=wk.dev/attempt"]);
        bench.engine.docker(&["top", &name[0]]).ok()
    };
    let mut exec = Box::pin(runtime.exec(&id, &command, Streams::none()));
    let runs = || processes().contains("98765");
    within(async {
        while !runs() {
            let polled = tokio::time::timeout(Duration::from_millis(50), &mut exec).await;
            assert!(polled.is_err(), "it goes on: {polled:?}");
        }
    })
    .await;
    drop(exec);
    eventually("it is ended", || (!processes().contains("98765")).then_some(()));
    runtime.remove_pod("uid").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, docker.io and busybox-static"]
async fn a_terminal_has_a_size_and_takes_input() {
    let bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let mut events = runtime.watch();
    let mut spec = bench.spec("read line; echo \"got $line\"; stty size; exit 4");
    spec.stdio = Stdio { stdin: true, stdin_once: true, tty: true };
    let id = ContainerId::new("main");
    runtime.prepare(&spec.image).await.unwrap();
    runtime.start(&id, &spec).await.unwrap();
    let (size, sizes) = tokio::sync::watch::channel(Some(TerminalSize { width: 77, height: 33 }));
    let (mut typed, stdin) = tokio::io::duplex(64);
    let (stdout, mut shown) = tokio::io::duplex(4096);
    let streams = Streams {
        stdin: Some(Box::new(stdin)),
        stdout: Some(Box::new(stdout)),
        stderr: None,
        size: sizes,
    };
    let session = async {
        // Control bytes and the keys that engines take for "detach" are nothing special.
        typed.write_all(b"a\x10\x11b\n").await.unwrap();
        let mut all = String::new();
        shown.read_to_string(&mut all).await.unwrap();
        all
    };
    let (attached, all) =
        within(async { tokio::join!(runtime.attach(&id, streams), session) }).await;
    attached.unwrap();
    drop(size);
    assert!(all.contains("got a") && all.contains("33 77"), "{all:?}");
    assert_eq!(exit(&mut events, &id).await.code, 4);
    let (lines, _) = log(&spec.log_path);
    assert!(lines.iter().any(|line| line.contains("33 77")), "the log has it too: {lines:?}");
    runtime.remove_pod("uid").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, docker.io and busybox-static"]
async fn the_network_of_a_pod_can_be_entered() {
    let bench = Bench::start();
    let (runtime, _tasks) = bench.runtime();
    let spec = bench.spec("exec nc -ll -p 7000 -e echo inside");
    runtime.prepare(&spec.image).await.unwrap();
    let open = async |spec: &ContainerSpec| {
        let opened = runtime.open_pod(&spec.pod, &spec.sandbox, &spec.linux.pod).await;
        opened.unwrap()
    };
    let first = open(&spec).await.unwrap();
    runtime.start(&ContainerId::new("main"), &spec).await.unwrap();
    assert_eq!(open(&spec).await.unwrap(), first, "its containers are in it");
    let namespace = first.open().unwrap();
    let mut socket = eventually("the program listens", || {
        namespace.within(|| std::net::TcpStream::connect("127.0.0.1:7000")).ok()
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut socket, &mut said).unwrap();
    assert_eq!(said, "inside\n");
    runtime.remove_pod("uid").await.unwrap();
    let second = open(&spec).await.unwrap();
    assert_ne!(second.inode, first.inode, "the first one is gone");
    first.open().unwrap_err();
    runtime.remove_pod("uid").await.unwrap();
    let mut host = bench.spec("true");
    host.sandbox.host_network = true;
    assert_eq!(open(&host).await, None, "the node's is nobody's own");
    runtime.remove_pod("uid").await.unwrap();
}
