//! Conversations that go on for a while: terminals, attached clients, forwarded ports, followed logs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::json;
use wk_tests::behaviour::{Play, Scene};
use wk_tests::{eventually, http_get};

/// Small enough that logs are rotated while somebody looks.
pub(crate) const LOG_SIZE: &str = "--container-log-max-size=64Ki";
/// Lines that fill some files of this size.
const LINES: u64 = 4_000;

pub(crate) fn plays() -> Vec<Play> {
    vec![
        Play::new("who attaches talks to the program", |scene| Box::pin(attached(scene))),
        Play::new("a program may have a terminal", |scene| Box::pin(terminal(scene))),
        Play::new("a port is forwarded", |scene| Box::pin(forwarded(scene))),
        Play::new("a log is followed to its end", |scene| Box::pin(followed(scene))),
        Play::new("a log that is rotated is followed on", |scene| Box::pin(rotated(scene))),
    ]
}

async fn ready(scene: &Scene<'_>) {
    scene.until("pod", &json!({"conditions": {"Ready": "True"}})).await;
}

async fn attached(scene: &Scene<'_>) {
    let main = json!({"args": ["answer"], "stdin": true, "stdinOnce": true});
    scene.run(&json!({"restartPolicy": "Never", "main": main})).await;
    ready(scene).await;
    let answer = scene.kubectl(&["attach", "-i", "-q", "pod"], "one\ntwo\n").await;
    assert_eq!(answer.ok(), "got one\ngot two\n");
    // The end of its input is the end of the program.
    scene.until("pod", &json!({"phase": "Succeeded", "main": {"code": 0}})).await;
    scene.printed("pod", "got one\ngot two\n").await;
}

/// Runs the client at a terminal of the node, and types a line there until what is awaited is shown, and
/// then the end of input.
async fn at_terminal(
    scene: &Scene<'_>,
    words: &[&str],
    typed: &'static str,
    awaited: &'static str,
) -> (String, Option<i32>) {
    let client = scene.kubectl_command(words);
    let words = std::iter::once(client.get_program()).chain(client.get_args());
    let line: Vec<String> =
        words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"))).collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    command.env("HOME", scene.folder()).current_dir(scene.folder());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let talk = tokio::task::spawn_blocking(move || {
        let mut client = Client(command.spawn().expect("`script` can be started"));
        let mut keyboard = client.0.stdin.take().expect("its input is a pipe");
        let screen = Screen::of(client.0.stdout.take().expect("its output is a pipe"));
        // What is typed before the client looks is typed again.
        eventually(&format!("{awaited:?} is shown"), || {
            // It may have ended.
            let _typed = keyboard.write_all(typed.as_bytes());
            screen.shows(awaited).then_some(())
        });
        let _typed = keyboard.write_all(b"\x04");
        let ended = client.0.wait().expect("it can be waited for");
        (screen.end(), ended.code())
    });
    talk.await.expect("it ends")
}

/// What a terminal shows, read as it comes.
struct Screen {
    shown: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Screen {
    fn of(mut output: ChildStdout) -> Self {
        let shown = Arc::new(Mutex::new(String::new()));
        let all = Arc::clone(&shown);
        let reading = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut block) {
                let text = String::from_utf8_lossy(&block[..read]);
                all.lock().expect("nobody panics with it").push_str(&text);
            }
        });
        Self { shown, reading }
    }

    fn shows(&self, text: &str) -> bool {
        self.shown.lock().expect("nobody panics with it").contains(text)
    }

    /// All of it, once there is no more.
    fn end(self) -> String {
        self.reading.join().expect("it reads to the end");
        std::mem::take(&mut *self.shown.lock().expect("nobody panics with it"))
    }
}

async fn terminal(scene: &Scene<'_>) {
    let main = json!({"args": ["terminal", ";", "answer"], "stdin": true, "tty": true});
    scene.run(&json!({"restartPolicy": "Never", "main": main})).await;
    ready(scene).await;
    scene.printed("pod", "input true, output true*").await;
    let exec = ["exec", "-it", "pod", "--", "testguest"];
    let talk = [&exec[..], &["terminal", ";", "answer", ";", "exit", "9"]].concat();
    let (shown, code) = at_terminal(scene, &talk, "hello\n", "got hello").await;
    assert!(shown.contains("input true, output true"), "{shown}");
    assert_eq!(code, Some(9), "{shown}");
    let attach = ["attach", "-it", "-q", "pod"];
    let (shown, _) = at_terminal(scene, &attach, "there\n", "got there").await;
    assert!(!shown.contains("got hello"), "another program was told that: {shown}");
    scene.until("pod", &json!({"phase": "Succeeded"})).await;
}

/// A client that goes on; ended with the case.
struct Client(Child);

impl Client {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("the client can be started"))
    }

    /// What it prints.
    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let output = self.0.stdout.take().expect("its output is a pipe");
        BufReader::new(output).lines().map(|line| line.expect("it prints text"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

async fn forwarded(scene: &Scene<'_>) {
    let main = json!({"args": ["http-serve", "8080"], "ports": [{"containerPort": 8080}]});
    scene.run(&json!({"main": main})).await;
    ready(scene).await;
    scene.printed("pod", "listening on port 8080\n").await;
    let mut client = Client::start(scene.kubectl_command(&["port-forward", "pod", ":8080"]));
    let asked = tokio::task::spawn_blocking(move || {
        // It ends when nobody reads what it prints.
        let mut lines = client.lines();
        let line = lines.next().expect("it says where it listens");
        let port = line.strip_prefix("Forwarding from 127.0.0.1:");
        let port = port.and_then(|rest| rest.strip_suffix(" -> 8080"));
        let port = port.and_then(|port| port.parse().ok()).expect(&line);
        for _ in 0..3 {
            let page = http_get(SocketAddr::from(([127, 0, 0, 1], port)), "/env?name=HOSTNAME");
            let page = page.expect("the pod answers");
            assert_eq!((page.status, page.body.as_str()), (200, "pod"));
        }
    });
    asked.await.expect("the port is forwarded");
}

async fn followed(scene: &Scene<'_>) {
    scene
        .run(&json!({
            "restartPolicy": "Never",
            "volumes": [{"name": "out", "hostPath": {"path": scene.folder()}}],
            "main": {
                "args": ["say", "begun", ";", "await", "/out/end", ";", "mutter", "over"],
                "volumeMounts": [{"name": "out", "mountPath": "/out"}],
            },
        }))
        .await;
    ready(scene).await;
    let end = async {
        scene.printed("pod", "begun\n").await;
        std::fs::write(scene.folder().join("end"), "").expect("a file");
    };
    let (answer, ()) = tokio::join!(scene.kubectl(&["logs", "--follow", "pod"], ""), end);
    let all = answer.ok();
    assert_eq!(all.trim_end(), "begun\nover");
}

async fn rotated(scene: &Scene<'_>) {
    scene.run(&json!({"main": {"args": ["count", "1"]}})).await;
    ready(scene).await;
    let mut client = Client::start(scene.kubectl_command(&["logs", "--follow", "pod"]));
    let followed = tokio::task::spawn_blocking(move || {
        let mut before: Option<u64> = None;
        for line in client.lines() {
            let number: u64 = line.parse().expect("a number");
            assert_eq!(number, before.map_or(number, |before| before + 1), "no line is missing");
            before = Some(number);
            if number >= LINES {
                return;
            }
        }
        panic!("the log ended after {before:?}");
    });
    followed.await.expect("every line is seen once");
    let folder = scene.log_folder("pod", "main");
    let files = std::fs::read_dir(&folder).expect("the log has a folder").count();
    assert!(files > 1, "the log was rotated");
}
