//! What bad input gets: one clear message, and nothing stored is lost or changed.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::process::Command;

use wk_tests::{Cluster, Daemon, Options, eventually, example, wk_path};

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: Never\n  \
         containers:\n  - name: main\n    image: {image}\n"
    )
}

#[test]
fn a_malformed_manifest_names_the_file_and_the_line() {
    let cluster = Cluster::start();
    let file = cluster.scratch().join("broken.yaml");
    fs::write(&file, "apiVersion: v1\nkind: Pod\nmetadata: {name: [\n").unwrap();
    let message = cluster.wkctl(&["apply", "-f", file.to_str().unwrap()]).refused();
    assert!(message.contains("broken.yaml") && message.contains("line"), "{message}");
    let message = cluster.wkctl_with(&["apply", "-f", "-"], "kind: Pod\n").refused();
    assert!(message.contains("apiVersion"), "{message}");
}

#[test]
fn all_faults_of_a_manifest_are_told_at_once() {
    let cluster = Cluster::start();
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec:\n  restartPolicy: Maybe\n  containers:\n  - {name: UPPER, image: x}\n";
    let message = cluster.wkctl_with(&["apply", "-f", "-"], manifest).refused();
    assert!(message.contains("spec.restartPolicy"), "{message}");
    assert!(message.contains("spec.containers[0].name"), "{message}");
    assert!(cluster.object("pod", "bad").is_none());
}

#[test]
fn an_unknown_field_is_refused_or_warned_about_as_asked() {
    let cluster = Cluster::start();
    let manifest = pod("odd", "example.invalid/x:1").replace("spec:\n", "spec:\n  colour: blue\n");
    let message =
        cluster.wkctl_with(&["apply", "--validate=strict", "-f", "-"], &manifest).refused();
    assert!(message.contains("unknown field \"spec.colour\""), "{message}");
    let warned = cluster.wkctl_with(&["apply", "--validate=warn", "-f", "-"], &manifest);
    assert!(warned.stderr.contains("unknown field \"spec.colour\""), "{}", warned.stderr);
    warned.ok();
    let message = cluster.kubectl_with(&["create", "-f", "-"], &manifest).refused();
    assert!(message.contains("unknown field \"spec.colour\""), "{message}");
}

#[test]
fn an_image_that_does_not_exist_is_told_in_status_and_events() {
    let cluster = Cluster::start();
    let image = format!("{}/nobody/nothing:1", cluster.registry());
    cluster.apply(&pod("absent", &image));
    let state = cluster.container_state("absent", "ImagePullBackOff");
    assert!(state["message"].as_str().unwrap().contains(&image), "{state}");
    eventually("an event tells that it was not found", || {
        let messages = cluster.events("absent", "Failed");
        (messages.contains(&image) && messages.contains("not found")).then_some(())
    });
}

#[test]
fn a_file_that_is_not_wasm_is_refused_at_push() {
    let cluster = Cluster::start();
    let file = cluster.scratch().join("notes.txt");
    fs::write(&file, "not a program").unwrap();
    let reference = format!("{}/tests/notes:1", cluster.registry());
    let message = cluster.wkctl(&["push", file.to_str().unwrap(), &reference]).refused();
    assert!(message.contains("notes.txt") && message.contains("not WebAssembly"), "{message}");
}

#[test]
fn a_damaged_program_is_told_in_the_status() {
    let cluster = Cluster::start();
    let mut bytes = fs::read(example("hello-cli")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    let file = cluster.scratch().join("damaged.wasm");
    fs::write(&file, bytes).unwrap();
    let reference = format!("{}/tests/damaged:1", cluster.registry());
    let pushed = cluster.wkctl(&["push", file.to_str().unwrap(), &reference]);
    if pushed.code != 0 {
        assert!(pushed.stderr.contains("damaged.wasm"), "{}", pushed.stderr);
        return;
    }
    cluster.apply(&pod("damaged", &reference));
    let state = cluster.container_state("damaged", "CreateContainerError");
    assert!(state["message"].as_str().unwrap().contains("damaged"), "{state}");
}

#[test]
fn an_import_that_nobody_provides_is_named() {
    let cluster = Cluster::start();
    // (module (import "nobody" "provides" (func)) (func (export "_start")))
    let module: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x13\x01\x06nobody\x08provides\0\0\
        \x03\x02\x01\0\x07\x0a\x01\x06_start\0\x01\x0a\x04\x01\x02\0\x0b";
    let file = cluster.scratch().join("wants.wasm");
    fs::write(&file, module).unwrap();
    let reference = cluster.push(&file, "wants");
    cluster.apply(&pod("wants", &reference));
    let state = cluster.container_state("wants", "CreateContainerError");
    let message = state["message"].as_str().unwrap();
    assert!(message.contains("nobody") && message.contains("provides"), "{message}");
}

#[test]
fn a_port_in_use_is_named_with_the_way_on() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(wk_path());
    command.arg("up").arg("--data-dir").arg(folder.path().join("data"));
    command.args(["--listen", &address, "--registry-listen", "127.0.0.1:0"]);
    let mut daemon = Daemon::start(command, &log);
    assert!(!daemon.wait().success());
    let output = daemon.output();
    assert!(output.contains(&address) && output.contains("--listen"), "{output}");
}

#[test]
fn a_second_cluster_on_the_same_folder_is_refused() {
    let mut cluster = Cluster::start();
    cluster.kubectl(&["create", "configmap", "kept", "--from-literal=a=b"]).ok();
    let log = cluster.scratch().join("second.log");
    let mut command = Command::new(wk_path());
    command.arg("up").arg("--data-dir").arg(cluster.data_dir());
    command.args(["--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0"]);
    let mut second = Daemon::start(command, &log);
    assert!(!second.wait().success());
    let output = second.output();
    let first = cluster.daemon().id().to_string();
    assert!(output.contains("in use by another `wk`") && output.contains(&first), "{output}");
    assert!(cluster.object("configmap", "kept").is_some());
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let mount = SmallDisk::new(96);
    let cluster = Cluster::start_with(Options {
        data_dir: Some(mount.path().join("data")),
        ..Options::default()
    });
    cluster.kubectl(&["create", "configmap", "before", "--from-literal=a=b"]).ok();
    mount.fill();
    let text = "x".repeat(200_000);
    let refused = (0..2_000).find_map(|number| {
        let manifest = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big-{number}}}\ndata: {{text: {text}}}\n"
        );
        let answer = cluster.kubectl_with(&["create", "-f", "-"], &manifest);
        (answer.code != 0).then_some(answer.stderr)
    });
    let message = refused.expect("a full disk must refuse a write");
    assert!(message.contains("space") || message.contains("full"), "{message}");
    assert!(cluster.object("configmap", "before").is_some(), "reads go on");
    mount.free();
    eventually("writes work again", || {
        let answer = cluster.kubectl(&["create", "configmap", "after", "--from-literal=a=b"]);
        (answer.code == 0).then_some(())
    });
    assert!(cluster.object("configmap", "before").is_some());
}

/// A tmpfs of its own, unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "root is needed to mount a small disk");
        Self { folder }
    }

    fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let chunk = vec![0_u8; 64 << 10];
        let mut file = fs::File::create(self.path().join("ballast")).unwrap();
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because the cluster may still be ending.
        let _unmounted = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[test]
fn a_registry_that_sends_wrong_bytes_is_caught() {
    let cluster = Cluster::start();
    let reference = cluster.push_example("hello-cli");
    // The registry keeps its word; its disk does not.
    let original = fs::read(example("hello-cli")).unwrap();
    let blobs = cluster.data_dir().join("registry-data/blobs/sha256");
    let stored = files_below(&blobs).into_iter().find(|path| fs::read(path).unwrap() == original);
    let mut wrong = original;
    wrong[100] ^= 0xff;
    fs::write(stored.expect("the registry stores the program as it is"), wrong).unwrap();

    cluster.apply(&pod("wrong", &reference));
    eventually("an event tells of the wrong digest", || {
        cluster.events("wrong", "Failed").contains("digest").then_some(())
    });
    let state = cluster.container_state("wrong", "ImagePullBackOff");
    assert!(state["message"].as_str().unwrap().contains(&reference), "{state}");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path) } else { vec![path] }
        })
        .collect()
}
