//! `cargo xtask demo`: the main job, from sources to an answering pod, on the real programs.

use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;
use rustix::process::{Pid, Signal, kill_process};

use crate::examples::{self, Toolchain};
use crate::project::Project;
use crate::shell::{self, cargo};

const EXAMPLE: &str = "hello-http";
/// The registry that the example's manifest names.
const USUAL_REGISTRY: &str = "127.0.0.1:5000";
const PAGE_PORT: u16 = 8080;

/// Options of the demonstration, as `wk up` has them.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Folder for everything the cluster keeps [default: as `wk up` has it].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Further options of `wk up`, such as `--listen 127.0.0.1:0`.
    #[arg(last = true, value_name = "OPTION")]
    up: Vec<String>,
}

/// Runs the demonstration until the cluster is stopped.
pub(crate) fn run(project: &Project, args: &DemoArgs) -> anyhow::Result<()> {
    let root = project.root();
    build(root)?;
    examples::build(project, &[EXAMPLE.to_owned()], Toolchain::Auto, false)?;
    let mut cluster = Cluster::start(root, args)?;
    let outcome = cluster.show(root);
    if outcome.is_err() {
        cluster.interrupt();
    }
    let ended = cluster.child.wait().context("cannot wait for `wk up`")?;
    outcome?;
    ensure!(ended.success(), "`wk up` ended with {ended}");
    Ok(())
}

/// Cargo shows its own progress.
fn build(root: &Path) -> anyhow::Result<()> {
    let packages = ["--package", "wk", "--package", "wkctl"];
    shell::run(cargo().current_dir(root).args(["build", "--release"]).args(packages))
}

struct Cluster {
    child: Child,
    kubeconfig: PathBuf,
    registry: String,
    wkctl: PathBuf,
    progress: ProgressBar,
}

impl Cluster {
    /// Starts `wk up` and reads from its first lines how to reach it.
    fn start(root: &Path, args: &DemoArgs) -> anyhow::Result<Self> {
        let programs = root.join("target/release");
        let progress = ProgressBar::new_spinner();
        progress.enable_steady_tick(Duration::from_millis(100));
        progress.set_message("starting the cluster");
        let mut command = Command::new(programs.join("wk"));
        command.arg("up").args(&args.up).env_remove("RUST_BACKTRACE").stdout(Stdio::piped());
        if let Some(folder) = &args.data_dir {
            command.arg("--data-dir").arg(folder);
        }
        let mut child = command.spawn().context("cannot start `wk up`")?;
        survive_interrupts(&child)?;
        let mut lines =
            BufReader::new(child.stdout.take().context("no output of `wk up`")?).lines();
        let (mut registry, mut kubeconfig) = (None, None);
        for line in lines.by_ref() {
            let line = line.context("cannot read the output of `wk up`")?;
            if let Some((_, rest)) = line.split_once(", registry ") {
                registry = rest.split(',').next().map(str::to_owned);
            }
            if let Some(path) = line.trim().strip_prefix("export KUBECONFIG=") {
                kubeconfig = Some(PathBuf::from(path));
                break;
            }
        }
        let (Some(registry), Some(kubeconfig)) = (registry, kubeconfig) else {
            progress.finish_and_clear();
            let status = child.wait().context("cannot wait for `wk up`")?;
            bail!("the cluster did not start: `wk up` ended with {status}");
        };
        // The rest of the output must be read, or the cluster would wait for its reader.
        std::thread::spawn(move || lines.count());
        Ok(Self { child, kubeconfig, registry, wkctl: programs.join("wkctl"), progress })
    }

    /// Pushes the example, applies it, waits and prints what it answers.
    fn show(&self, root: &Path) -> anyhow::Result<()> {
        let file = root.join(format!("target/wasm-examples/{EXAMPLE}.wasm"));
        self.progress.set_message("pushing the example to the cluster's registry");
        let reference = format!("{}/examples/{EXAMPLE}:latest", self.registry);
        self.wkctl(&["push", &file.display().to_string(), &reference], "")?;

        self.progress.set_message("applying its pod.yaml");
        let path = root.join(format!("wasm-examples/{EXAMPLE}/pod.yaml"));
        let manifest = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?
            .replace(USUAL_REGISTRY, &self.registry);
        let applied = self.wkctl(&["apply", "-f", "-"], &manifest)?;

        self.progress.set_message("waiting until the pod is ready");
        let pod = format!("pod/{EXAMPLE}");
        self.wkctl(&["wait", "--for=condition=Ready", &pod, "--timeout=120s"], "")?;
        let ip = self.wkctl(&["get", &pod, "-o", "jsonpath={.status.podIP}"], "")?;
        let address =
            SocketAddr::new(ip.trim().parse().context("the pod has no address")?, PAGE_PORT);
        let page = page(address).with_context(|| format!("cannot fetch http://{address}/"))?;
        self.progress.finish_and_clear();

        let (bold, plain) =
            if io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let config = self.kubeconfig.display();
        let wkctl = self.wkctl.display();
        print(&format!(
            "{}\n{bold}http://{address}/ answers:{plain}\n\n{}\n\n\
             {bold}Go on, in another terminal:{plain}\n\n\
             \x20   {wkctl} --kubeconfig {config} get pods\n\
             \x20   kubectl --kubeconfig {config} get pods -A\n\
             \x20   curl http://{address}/\n\n\
             The cluster runs until Ctrl-C; a second start finds its objects again.",
            applied.trim(),
            page.trim(),
        ))
    }

    fn wkctl(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut child = Command::new(&self.wkctl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start `wkctl`")?;
        child.stdin.take().context("no input of `wkctl`")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "`wkctl {}` failed", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn interrupt(&self) {
        self.progress.finish_and_clear();
        interrupt(&self.child);
    }
}

/// Ctrl-C goes to the whole foreground group: the cluster ends by itself, and this program waits
/// for it. A signal to this program alone is passed on.
fn survive_interrupts(child: &Child) -> anyhow::Result<()> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    ctrlc::set_handler(move || {
        // It may have ended already.
        let _sent = id.map(|id| kill_process(id, Signal::INT));
    })
    .context("cannot catch Ctrl-C")
}

fn interrupt(child: &Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended already.
        let _sent = kill_process(id, Signal::INT);
    }
}

fn page(address: SocketAddr) -> anyhow::Result<String> {
    let deadline = Duration::from_secs(30);
    let mut stream = TcpStream::connect_timeout(&address, deadline)?;
    stream.set_read_timeout(Some(deadline))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "it answers `{status}`");
    Ok(unchunked(head, body))
}

/// The body without the marks of chunked transfer.
fn unchunked(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut text) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size @ 1..) = usize::from_str_radix(size.trim(), 16) else { break };
        text.push_str(after.get(..size).unwrap_or(after));
        rest = after.get(size + 2..).unwrap_or_default();
    }
    text
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("cannot print")
}
