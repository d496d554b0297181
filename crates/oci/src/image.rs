//! What the store knows of an image.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::manifest::{Descriptor, ImageConfigFile};
use crate::reference::ImageReference;
use crate::wasm::WasmInfo;

/// A complete, verified image in the content store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The reference it was pulled by.
    pub reference: ImageReference,
    /// The digest of the one image's manifest, chosen from an index if there was one.
    pub manifest_digest: Digest,
    /// The digest of the index, where the reference led to one.
    pub index_digest: Option<Digest>,
    /// What it is, and so which runtime can run it.
    pub kind: ImageKind,
    /// The verified WebAssembly file; `None` for Linux images. Never written to again.
    pub module: Option<PathBuf>,
    /// The digest of that file: the key for its compiled form.
    pub module_digest: Option<Digest>,
    /// The names in that file.
    pub wasm: Option<WasmInfo>,
    /// The unpacked file tree of an [`ImageKind::OciWasm`] image, shared by all its containers and so
    /// to be mounted read-only.
    pub rootfs: Option<PathBuf>,
    /// How the image wants to be started; empty for Wasm artifacts.
    pub config: ImageConfig,
    /// The configuration blob, in [`ImageStore::blob_path`](crate::ImageStore::blob_path).
    pub config_blob: Descriptor,
    /// The layers in order, in the content store.
    pub layers: Vec<Descriptor>,
    /// Manifest, configuration and layers together, as stored.
    pub size_bytes: u64,
}

/// The three forms of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageKind {
    /// A CNCF Wasm artifact: the one layer is the `.wasm` file.
    WasmArtifact,
    /// An OCI or Docker image whose entrypoint is a `.wasm` file inside its layers.
    OciWasm,
    /// An OCI or Docker image with Linux programs.
    Linux,
}

impl ImageKind {
    /// Whether the Wasm runtime runs it.
    pub fn is_wasm(self) -> bool {
        match self {
            Self::WasmArtifact | Self::OciWasm => true,
            Self::Linux => false,
        }
    }
}

/// Which of the images is meant where a reference leads to several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// The best one for the node: what its configuration names first.
    #[default]
    Best,
    /// The best one with a WebAssembly program.
    Wasm,
    /// The best one with Linux programs.
    Linux,
}

impl Flavor {
    /// Whether an image of this kind will do.
    pub fn fits(self, kind: ImageKind) -> bool {
        match self {
            Self::Best => true,
            Self::Wasm => kind.is_wasm(),
            Self::Linux => !kind.is_wasm(),
        }
    }
}

/// How an image wants to be started; a pod may override any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageConfig {
    /// The program and its fixed arguments.
    pub entrypoint: Vec<String>,
    /// Default arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// Names and values, in order.
    pub env: Vec<(String, String)>,
    /// Absolute; `None` means `/`.
    pub working_dir: Option<String>,
    /// `user`, `uid` or `uid:gid`.
    pub user: Option<String>,
    /// Ports the image says it listens on.
    pub exposed_ports: Vec<ExposedPort>,
    /// Free-form remarks.
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to stop, such as `SIGQUIT`.
    pub stop_signal: Option<String>,
}

/// One port of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExposedPort {
    /// The number.
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl ImageConfig {
    pub(crate) fn from_file(file: &ImageConfigFile) -> Self {
        let config = &file.config;
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let mut exposed_ports: Vec<_> =
            config.exposed_ports.keys().filter_map(|port| exposed_port(port)).collect();
        exposed_ports.sort();
        Self {
            entrypoint: config.entrypoint.clone(),
            cmd: config.cmd.clone(),
            env: config
                .env
                .iter()
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            working_dir: some(&config.working_dir),
            user: some(&config.user),
            exposed_ports,
            labels: config.labels.clone(),
            stop_signal: config.stop_signal.clone(),
        }
    }

    /// The program: the first word of entrypoint and command together.
    pub(crate) fn program(&self) -> Option<&str> {
        self.entrypoint.iter().chain(&self.cmd).next().map(String::as_str)
    }
}

/// `8080/tcp`, or `8080`. Ranges and what cannot be read are passed over: it is documentation.
fn exposed_port(text: &str) -> Option<ExposedPort> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some(ExposedPort { port: port.parse().ok()?, protocol: protocol.to_owned() })
}
