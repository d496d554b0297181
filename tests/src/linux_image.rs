//! Linux images that are made on the spot, since no public registry can be reached.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::Answer;

/// An image as an OCI layout, gone when it is dropped.
#[derive(Debug)]
pub struct LinuxImage {
    folder: TempDir,
    digest: String,
}

impl LinuxImage {
    /// An image of one layer, a tar archive; `config` is the `config` of its configuration.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn of_layer(layer: &[u8], config: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let layer_digest = put(folder.path(), layer);
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = json!({
            "architecture": arch, "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        })
        .to_string();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": put(folder.path(), config.as_bytes()), "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": layer_digest, "size": layer.len(),
            }],
        })
        .to_string();
        let digest = put(folder.path(), manifest.as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [{
            "mediaType": media_type, "digest": digest, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        }]});
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("the folder can be written");
        };
        write("index.json", index.to_string());
        write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#.to_owned());
        Self { folder, digest }
    }

    /// An image of one static program, `/bin/NAME`, with users and a place for files.
    ///
    /// # Panics
    /// If the program cannot be read, or the folder not be written.
    pub fn of_program(name: &str, program: &Path, config: &Value) -> Self {
        let bytes = fs::read(program).unwrap_or_else(|error| {
            panic!("`{}`: {error}; build it with `cargo xtask examples` first", program.display())
        });
        let layer = layer(&format!("bin/{name}"), &bytes).expect("it is made in memory");
        Self::of_layer(&layer, config)
    }

    /// The layout's folder.
    pub fn layout(&self) -> &Path {
        self.folder.path()
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Pushes it to `registry` as `tests/NAME:1` and returns the reference for pods.
    ///
    /// # Panics
    /// If `skopeo` fails.
    pub fn push(&self, registry: &str, name: &str) -> String {
        let reference = format!("{registry}/tests/{name}:1");
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "copy", "--preserve-digests"]);
        command.arg("--dest-tls-verify=false");
        command.arg(format!("oci:{}:v1", self.folder.path().display()));
        command.arg(format!("docker://{reference}"));
        Answer::run(command).ok();
        reference
    }
}

fn layer(name: &str, program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode, bytes) in [
        (name, 0o755, program),
        ("etc/passwd", 0o644, &b"root:x:0:0:root:/:/\nuser:x:1000:1000:user:/:/\n"[..]),
        ("etc/group", 0o644, &b"root:x:0:\nuser:x:1000:\n"[..]),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes)?;
    }
    for (name, mode) in [("tmp", 0o1777), ("work", 0o755)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        archive.append_data(&mut header, name, std::io::empty())?;
    }
    archive.into_inner()
}

/// Puts a blob into a layout and returns its digest.
fn put(layout: &Path, bytes: &[u8]) -> String {
    let hex = format!("{:x}", Sha256::digest(bytes));
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the folder can be written");
    fs::write(blobs.join(&hex), bytes).expect("the folder can be written");
    format!("sha256:{hex}")
}
