//! The registry of the real binary, used by the clients that people have: docker, skopeo and oras.
//!
//! Each test starts `wk registry` on a free port of a loopback address, and ends what it started by
//! process id. Ignored by default for what they need; `.ci/run` installs that and runs them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

/// Until a daemon answers, and until one has ended.
const PATIENCE: Duration = Duration::from_mins(1);
/// A `.wasm` file needs no more than this.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The binary under test, beside this test's own: `WK_BINARY`, or what the same profile has built.
fn wk() -> PathBuf {
    if let Some(path) = std::env::var_os("WK_BINARY") {
        return path.into();
    }
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("wk");
    assert!(path.exists(), "`{}` is missing: build the package `wk` first", path.display());
    path
}

/// A process that is asked to end, and awaited, when the test is over.
struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    fn start(name: &'static str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name, child, log }
    }

    /// Waits until `is_ready`; panics with the log if the daemon ends or takes too long.
    async fn wait_until(&mut self, is_ready: impl AsyncFn() -> bool) {
        let name = self.name;
        let log = self.log.clone();
        let log = || fs::read_to_string(&log).unwrap_or_default();
        let ready = async {
            let mut ticks = interval(Duration::from_millis(20));
            loop {
                ticks.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("{name} ended: {status}\n{}", log());
                }
                if is_ready().await {
                    return;
                }
            }
        };
        assert!(timeout(PATIENCE, ready).await.is_ok(), "{name} is not ready:\n{}", log());
    }

    async fn stop(mut self) {
        let pid = self.child.id().expect("it was not awaited yet").to_string();
        run("kill", Command::new("kill").args(["-TERM", &pid])).await;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        assert!(ended.is_ok(), "{} does not stop:\n{}", self.name, log());
    }
}

/// Runs a command to its end and returns what it printed; panics if it fails.
async fn run(what: &str, command: &mut Command) -> String {
    let output = outcome(command).await;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{stdout}{stderr}", output.status);
    stdout.trim().to_owned()
}

async fn outcome(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// `wk registry` in a folder of its own.
struct Registry {
    folder: TempDir,
    address: SocketAddr,
    daemon: Daemon,
}

impl Registry {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let data = folder.path().join("data");
        let mut command = Command::new(wk());
        command.arg("registry").arg("--data-dir").arg(&data);
        command.args(["--listen", &address.to_string()]);
        let mut daemon = Daemon::start("wk-registry", folder.path(), &mut command);
        daemon.wait_until(async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
        Self { folder, address, daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An image's name at this registry.
    fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    async fn stop(self) {
        self.daemon.stop().await;
    }
}

/// A port that was free a moment ago, on an address that other tests do not use.
fn free_address() -> SocketAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 73, high, low.max(1)), 0)).unwrap();
    listener.local_addr().unwrap()
}

/// An OCI layout with one Linux image of two layers, tagged `v1`.
async fn image_layout(folder: &Path) {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::copy("/bin/busybox", tree.join("bin/busybox")).unwrap();
    fs::write(tree.join("hello"), "hello\n").unwrap();
    let mut layers = Vec::new();
    for part in ["bin", "hello"] {
        let archive = folder.join(format!("{part}.tar"));
        let mut tar = Command::new("tar");
        run("tar", tar.arg("-cf").arg(&archive).arg("-C").arg(&tree).arg(part)).await;
        layers.push(store_blob(folder, &archive).await);
    }
    let diff_ids: Vec<_> = layers.iter().map(|(digest, _)| digest.as_str()).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/busybox", "sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let (config, config_size) = store_blob(folder, &folder.join("config.json")).await;
    let layers: Vec<_> = layers
        .iter()
        .map(|(digest, size)| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": digest, "size": size,
            })
        })
        .collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type, "layers": layers,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config, "size": config_size,
        },
    });
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let (manifest, size) = store_blob(folder, &folder.join("manifest.json")).await;
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": media_type, "digest": manifest, "size": size,
        "annotations": {"org.opencontainers.image.ref.name": "v1"},
    }]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// Copies a file into a layout; returns its digest and size.
async fn store_blob(layout: &Path, file: &Path) -> (String, u64) {
    let sum = run("sha256sum", Command::new("sha256sum").arg(file)).await;
    let hex = sum.split_whitespace().next().unwrap();
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::copy(file, blobs.join(hex)).unwrap();
    (format!("sha256:{hex}"), fs::metadata(file).unwrap().len())
}

/// A Docker daemon with nothing but a folder, and a client for it.
struct Docker {
    folder: TempDir,
    daemon: Daemon,
}

impl Docker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut command = Command::new("/usr/sbin/dockerd");
        command
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("--host")
            .arg(format!("unix://{}", at("socket").display()))
            .arg("--config-file")
            .arg(at("daemon.json"))
            // Nothing is run in it, so it needs no network and no layered file system.
            .args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--storage-driver=vfs"]);
        fs::write(at("daemon.json"), "{}").unwrap();
        let daemon = Daemon::start("dockerd", folder.path(), &mut command);
        let mut docker = Self { folder, daemon };
        let (socket, config) = (docker.socket(), docker.folder.path().join("client"));
        docker
            .daemon
            .wait_until(async || {
                outcome(&mut client(&socket, &config, &["info"])).await.status.success()
            })
            .await;
        docker
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = client(&self.socket(), &self.folder.path().join("client"), arguments);
        run(&format!("docker {}", arguments.join(" ")), &mut command).await
    }

    async fn stop(self) {
        self.daemon.stop().await;
    }
}

fn client(socket: &str, config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/docker");
    command.arg("--config").arg(config).args(["--host", socket]).args(arguments);
    command
}

#[tokio::test]
#[ignore = "needs root, docker.io and busybox-static"]
async fn docker_pushes_and_pulls() {
    let registry = Registry::start().await;
    let docker = Docker::start().await;
    let tree = registry.path("tree");
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::copy("/bin/busybox", tree.join("bin/busybox")).unwrap();
    let archive = registry.path("root.tar");
    let mut tar = Command::new("tar");
    run("tar", tar.arg("-cf").arg(&archive).arg("-C").arg(&tree).arg(".")).await;

    let image = registry.image("team/busybox:v1");
    let archive = archive.to_str().unwrap();
    let id = docker.run(&["import", "--change", "CMD [\"/bin/busybox\"]", archive, &image]).await;
    docker.run(&["push", &image]).await;
    let again = docker.run(&["push", &image]).await;
    assert!(again.contains("Layer already exists"), "{again}");
    let elsewhere = registry.image("other/busybox:v2");
    docker.run(&["tag", &image, &elsewhere]).await;
    let mounted = docker.run(&["push", &elsewhere]).await;
    assert!(mounted.contains("Mounted from team/busybox"), "{mounted}");

    docker.run(&["rmi", &image, &elsewhere]).await;
    assert_eq!(docker.run(&["images", "--quiet"]).await, "");
    docker.run(&["pull", &elsewhere]).await;
    docker.run(&["pull", "--all-tags", &registry.image("team/busybox")]).await;
    for name in [&image, &elsewhere] {
        let pulled = docker.run(&["inspect", "--format", "{{.Id}}", name]).await;
        assert_eq!(pulled, id, "the same image came back");
    }
    let digests = docker.run(&["inspect", "--format", "{{json .RepoDigests}}", &image]).await;
    let digests: Vec<String> = serde_json::from_str(&digests).unwrap();
    docker.run(&["rmi", &image, &elsewhere]).await;
    docker.run(&["pull", &digests[0]]).await;
    let missing = registry.image("team/busybox:v9");
    let mut command =
        client(&docker.socket(), &docker.folder.path().join("client"), &["pull", &missing]);
    let missing = outcome(&mut command).await;
    let message = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && message.contains("v9"), "{message}");
    docker.stop().await;
    registry.stop().await;
}

async fn skopeo(arguments: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    run(
        &format!("skopeo {}", arguments.join(" ")),
        command.arg("--insecure-policy").args(arguments),
    )
    .await
}

#[tokio::test]
#[ignore = "needs skopeo and busybox-static"]
async fn skopeo_copies_lists_inspects_and_deletes() {
    let registry = Registry::start().await;
    let layout = registry.path("layout");
    fs::create_dir(&layout).unwrap();
    image_layout(&layout).await;
    let source = format!("oci:{}:v1", layout.display());
    let image = format!("docker://{}", registry.image("team/web:v1"));
    let push = ["copy", "--preserve-digests", "--dest-tls-verify=false", &source, &image];
    skopeo(&push).await;
    skopeo(&push).await;

    let copy = format!("docker://{}", registry.image("team/copy:v1"));
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo(&[&["copy", "--preserve-digests"], &plain[..], &[&image, &copy]].concat()).await;
    // Docker's own format makes new manifests and compressed layers.
    let docker = format!("docker://{}", registry.image("team/docker:v1"));
    let converted = ["--dest-tls-verify=false", "--format=v2s2", "--dest-compress"];
    skopeo(&[&["copy"], &converted[..], &[&source, &docker]].concat()).await;
    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &docker]).await;
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(raw["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");

    let back = registry.path("back");
    let target = format!("oci:{}:v1", back.display());
    skopeo(&["copy", "--preserve-digests", "--src-tls-verify=false", &copy, &target]).await;
    let manifest = |folder: &Path| {
        let index = fs::read(folder.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        index["manifests"][0]["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(manifest(&back), manifest(&layout), "the same manifest came back");

    let name = format!("docker://{}", registry.image("team/web"));
    let tags = skopeo(&["list-tags", "--tls-verify=false", &name]).await;
    let tags: Value = serde_json::from_str(&tags).unwrap();
    assert_eq!(tags["Tags"], serde_json::json!(["v1"]));
    skopeo(&["delete", "--tls-verify=false", &image]).await;
    let mut inspect = Command::new("skopeo");
    let gone = outcome(inspect.args(["inspect", "--tls-verify=false", &image])).await;
    assert!(!gone.status.success());
    skopeo(&["inspect", "--tls-verify=false", &copy]).await;
    registry.stop().await;
}

/// Pushes and pulls one file; fails with a traceback.
const ORAS_SCRIPT: &str = r#"
import os, sys
import oras.client

registry, folder = sys.argv[1:]
client = oras.client.OrasClient(hostname=registry, insecure=True)
os.chdir(folder)
name = f"{registry}/team/module:v1"
answer = client.push(target=name, files=["hello.wasm:application/wasm"],
                     manifest_annotations={"made": "by a test"})
assert answer.status_code == 201, answer.text
client.push(target=f"{registry}/team/module:v2", files=["hello.wasm:application/wasm"])
tags = client.get_tags(f"{registry}/team/module")
assert sorted(tags) == ["v1", "v2"], tags
manifest = client.get_manifest(name)
assert manifest["layers"][0]["mediaType"] == "application/wasm", manifest
os.mkdir("out")
files = client.pull(target=name, outdir="out")
with open(files[0], "rb") as pulled, open("hello.wasm", "rb") as pushed:
    assert pulled.read() == pushed.read()
client.delete_tags(f"{registry}/team/module", ["v2"])
tags = client.get_tags(f"{registry}/team/module")
assert tags == ["v1"], tags
"#;

#[tokio::test]
#[ignore = "needs python3-venv and the Python package index"]
async fn oras_pushes_pulls_and_lists() {
    let registry = Registry::start().await;
    let environment = registry.path("venv");
    run("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&environment)).await;
    let mut pip = Command::new(environment.join("bin/pip"));
    run(
        "pip install",
        pip.args(["install", "--quiet", "--disable-pip-version-check", "oras==0.2.*"]),
    )
    .await;
    fs::write(registry.path("hello.wasm"), EMPTY_MODULE).unwrap();
    let mut python = Command::new(environment.join("bin/python"));
    python.args(["-c", ORAS_SCRIPT, &registry.address.to_string()]).arg(registry.folder.path());
    run("the oras client", &mut python).await;
    registry.stop().await;
}
