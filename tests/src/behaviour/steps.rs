//! What the steps of a case mean.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use kube::api::LogParams;
use serde::Deserialize;
use serde_json::Value;

use super::scene::eventually;
use super::{Scene, mismatch};
use crate::{Answer, http_get, words};

/// One step. The book of them is `tests/tests/behaviour/README.md`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Step {
    Run(Value),
    Create(Value),
    Refuse(Refuse),
    Patch(Change),
    Until(Value),
    Ever(Value),
    Events(Events),
    Logs(Logs),
    Exec(Order),
    Kubectl(Order),
    Page(Page),
    Host(Host),
    Delete(Delete),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    run: Option<Value>,
    create: Option<Value>,
    says: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    kind: String,
    name: String,
    part: Option<String>,
    to: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    #[serde(default = "pod")]
    of: String,
    #[serde(default)]
    are: Vec<Value>,
    #[serde(default)]
    none: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logs {
    #[serde(default = "pod")]
    of: String,
    #[serde(default = "main")]
    container: String,
    #[serde(default)]
    previous: bool,
    tail: Option<i64>,
    #[serde(default)]
    timestamps: bool,
    #[serde(rename = "limitBytes")]
    limit_bytes: Option<i64>,
    print: String,
}

/// What the stock client is to do, and what comes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default = "pod")]
    pod: String,
    container: Option<String>,
    /// What the guest is to do in a container.
    run: Option<Vec<String>>,
    /// Any other program in a container.
    command: Option<Vec<String>>,
    /// A whole line of the client.
    line: Option<String>,
    stdin: Option<String>,
    /// Its code; 0 unless told otherwise.
    #[serde(default = "success")]
    code: Value,
    prints: Option<String>,
    complains: Option<String>,
    /// Whether it is tried until it comes out as expected.
    #[serde(default)]
    retry: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default = "pod")]
    of: String,
    port: u16,
    path: String,
    #[serde(default = "fine")]
    status: u16,
    prints: Option<String>,
}

/// The node's side. Paths are in the folder of the case unless they are absolute.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Host {
    write: BTreeMap<PathBuf, String>,
    folders: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
    holds: BTreeMap<PathBuf, String>,
    modes: BTreeMap<PathBuf, String>,
    lacks: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    #[serde(default = "pod")]
    pod: String,
    grace: Option<u32>,
    /// What it was at any time until it was gone.
    was: Option<Value>,
}

fn pod() -> String {
    "pod".to_owned()
}

fn main() -> String {
    "main".to_owned()
}

fn fine() -> u16 {
    200
}

fn success() -> Value {
    0.into()
}

impl Scene<'_> {
    /// Takes the step of this number.
    ///
    /// # Panics
    /// If something is not as expected.
    pub(super) async fn step(&self, number: usize, step: &Value) {
        let text = self.filled(&step.to_string());
        let parsed = serde_json::from_str(&text);
        let step: Step = parsed.unwrap_or_else(|error| panic!("step {number}, {text}: {error}"));
        self.take(number, step).await;
    }

    /// The text with what `${…}` stands for.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in [
            ("${namespace}", self.namespace().to_owned()),
            ("${image}", self.image().to_owned()),
            ("${registry}", self.stage.cluster.registry()),
            ("${folder}", self.folder().display().to_string()),
            ("${podFolder}", self.pod_folder("pod").display().to_string()),
        ] {
            text = text.replace(name, &value);
        }
        text
    }

    async fn take(&self, number: usize, step: Step) {
        match step {
            Step::Run(words) => self.run(&words).await,
            Step::Create(object) => {
                let created = self.create(object).await;
                created.unwrap_or_else(|error| panic!("step {number}: {error}"));
            }
            Step::Refuse(Refuse { run, create, says }) => {
                let object = run.map(|words| self.pod(&words)).or(create);
                let created = self.create(object.expect("something to refuse")).await;
                let error = created.err().unwrap_or_else(|| panic!("step {number}: not refused"));
                let fault = mismatch(&says.into(), &error.to_string().into());
                assert_eq!(fault, None, "step {number}");
            }
            Step::Patch(Change { kind, name, part, to }) => {
                self.patch(&kind, &name, part.as_deref(), &to).await;
            }
            Step::Until(expected) => {
                let (pod, expected) = of(expected);
                self.until(&pod, &expected).await;
            }
            Step::Ever(expected) => {
                let (pod, expected) = of(expected);
                self.ever(&pod, &expected).await;
            }
            Step::Events(Events { of, are, none }) => {
                self.told(&of, &are).await;
                let found = self
                    .events(&of)
                    .into_iter()
                    .find(|event| none.iter().any(|unwanted| mismatch(unwanted, event).is_none()));
                assert_eq!(found, None, "step {number}: there is no such event");
            }
            Step::Logs(logs) => self.look_into_log(logs).await,
            Step::Exec(order) | Step::Kubectl(order) => self.obey(number, &order).await,
            Step::Page(page) => self.page(page).await,
            Step::Host(host) => self.host(&host).await,
            Step::Delete(Delete { pod, grace, was }) => {
                let versions = self.delete(&pod, grace).await;
                if let Some(was) = was {
                    let found = versions.iter().any(|one| mismatch(&was, one).is_none());
                    let last = versions.last().map(|last| &last["pod"]["status"]);
                    assert!(found, "step {number}: it was never {was}, at last {last:?}");
                }
            }
        }
    }

    async fn look_into_log(&self, logs: Logs) {
        let params = LogParams {
            container: Some(logs.container),
            previous: logs.previous,
            tail_lines: logs.tail,
            timestamps: logs.timestamps,
            limit_bytes: logs.limit_bytes,
            ..LogParams::default()
        };
        self.printed_by(&logs.of, &params, &logs.print).await;
    }

    async fn obey(&self, number: usize, order: &Order) {
        let words = order.words();
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        let input = order.stdin.as_deref().unwrap_or_default();
        let attempt = async || {
            let answer = self.kubectl(&all, input).await;
            match order.fault(&answer) {
                None => Ok(()),
                Some(fault) => {
                    Err(format!("{all:?}: {fault}\n{}\n{}", answer.stdout, answer.stderr))
                }
            }
        };
        if order.retry {
            eventually(&format!("step {number} comes true"), attempt).await;
        } else if let Err(fault) = attempt().await {
            panic!("step {number}: {fault}");
        }
    }

    async fn page(&self, page: Page) {
        let Page { of, port, path, status, prints } = page;
        let view = self.until(&of, &serde_json::json!({"conditions": {"Ready": "True"}})).await;
        let ip = view["ip"].as_str().and_then(|ip| ip.parse().ok());
        let address = SocketAddr::new(ip.expect("a ready pod has an address"), port);
        eventually(&format!("{address}{path} answers {status}"), async || {
            let path = path.clone();
            let asked = tokio::task::spawn_blocking(move || http_get(address, &path));
            let answer = asked.await.expect("asking does not panic");
            let answer = answer.map_err(|error| error.to_string())?;
            let body =
                prints.clone().and_then(|it| mismatch(&it.into(), &answer.body.clone().into()));
            let code = (answer.status != status).then(|| answer.status.to_string());
            code.or(body).map_or(Ok(()), Err)
        })
        .await;
    }

    async fn host(&self, host: &Host) {
        let at = |path: &PathBuf| self.folder().join(path);
        for path in &host.folders {
            fs::create_dir_all(at(path)).expect("a folder");
        }
        for (path, text) in &host.write {
            fs::write(at(path), text).expect("a file");
        }
        for path in &host.sockets {
            // The file stays when nobody listens any more.
            drop(UnixListener::bind(at(path)).expect("a socket"));
        }
        for (path, target) in &host.links {
            std::os::unix::fs::symlink(target, at(path)).expect("a link");
        }
        for (path, expected) in &host.holds {
            eventually(&format!("`{}` holds {expected:?}", path.display()), async || {
                let text = fs::read_to_string(at(path)).map_err(|error| error.to_string())?;
                mismatch(&expected.as_str().into(), &text.into()).map_or(Ok(()), Err)
            })
            .await;
        }
        for (path, expected) in &host.modes {
            let mode = fs::metadata(at(path)).map(|found| found.permissions().mode() & 0o7777);
            let mode = mode.map(|mode| format!("{mode:04o}")).map_err(|error| error.to_string());
            assert_eq!(mode.as_ref(), Ok(expected), "{}", path.display());
        }
        for path in &host.lacks {
            eventually(&format!("there is no `{}`", path.display()), async || {
                if at(path).exists() { Err("there is".to_owned()) } else { Ok(()) }
            })
            .await;
        }
    }
}

impl Order {
    fn words(&self) -> Vec<String> {
        if let Some(line) = &self.line {
            return words(line);
        }
        let mut all = vec!["exec".to_owned(), self.pod.clone()];
        all.extend(self.container.iter().flat_map(|name| ["-c".to_owned(), name.clone()]));
        all.extend(self.stdin.iter().map(|_| "-i".to_owned()));
        all.push("--".to_owned());
        all.extend(self.run.iter().map(|_| "testguest".to_owned()));
        all.extend(self.run.iter().chain(&self.command).flatten().cloned());
        all
    }

    fn fault(&self, answer: &Answer) -> Option<String> {
        let of = |what: &str, expected: Option<Value>, actual: Value| {
            mismatch(&expected?, &actual).map(|fault| format!("{what}{fault}"))
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        of("code", Some(self.code.clone()), answer.code.into())
            .or_else(|| of("output", text(&self.prints), answer.stdout.clone().into()))
            .or_else(|| of("errors", text(&self.complains), answer.stderr.clone().into()))
    }
}

/// The pod that is meant, and what is expected of it.
fn of(mut expected: Value) -> (String, Value) {
    let name = expected.as_object_mut().and_then(|all| all.remove("name"));
    let name = name.as_ref().and_then(Value::as_str).unwrap_or("pod").to_owned();
    (name, expected)
}
