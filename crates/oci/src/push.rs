//! Pushes `.wasm` files as CNCF Wasm artifacts, and OCI layouts as they are.
//!
//! Spec: <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use oci_client::errors::OciDistributionError;
use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use serde_json::json;
use tokio_util::io::ReaderStream;
use tracing::debug;

use crate::client::{RegistryClient, Repository};
use crate::credentials::Credentials;
use crate::digest::{Algorithm, Digest, Digester};
use crate::error::PushError;
use crate::files::blocking;
use crate::manifest::{
    DOCKER_LIST, Descriptor, Document, Index, OCI_INDEX, OCI_MANIFEST, WASM_CONFIG, WASM_LAYER,
};
use crate::plan::has_wasm_extension;
use crate::pull::{Progress, ProgressFn};
use crate::reference::ImageReference;
use crate::wasm::{InspectError, WasmForm, WasmInfo};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const READ_BUFFER: usize = 256 << 10;
const PARALLEL_UPLOADS: usize = 4;
/// Nesting of indexes in a layout; real ones have one or two.
const MAX_DEPTH: usize = 8;
/// No manifest is longer, and no registry takes it.
const MAX_MANIFEST: u64 = 4 << 20;

/// What a push may add to the bare content.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Goes into the artifact's configuration.
    pub author: Option<String>,
    /// Repositories of the same registry that may hold the content already: it is then mounted
    /// instead of sent.
    pub mount_from: Vec<ImageReference>,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest under which it can be pulled, whatever happens to the tag.
    pub digest: Digest,
    /// Bytes of content, manifests apart.
    pub size_bytes: u64,
    /// Those of them that had to be sent.
    pub sent_bytes: u64,
}

/// Pushes `source`: a `.wasm` file, a folder with exactly one, or a folder with an OCI layout.
///
/// Content that the registry has is not sent again, so a second push takes a few round trips. The
/// same file always makes the same artifact. The tag changes last.
///
/// # Errors
/// See [`PushError`].
pub async fn push(
    client: &RegistryClient,
    source: &Path,
    reference: &ImageReference,
    credentials: &Credentials,
    options: &PushOptions,
    progress: Option<ProgressFn>,
) -> Result<Pushed, PushError> {
    let repository = client.repository(reference, credentials)?;
    let (source, author) = (source.to_owned(), options.author.clone());
    let tag = reference.tag().map(str::to_owned);
    let plan = blocking(move || plan(&source, author.as_deref(), tag.as_deref())).await?;
    if let Some(named) = reference.digest().filter(|digest| **digest != plan.root.digest) {
        debug!(%named, "the reference names another digest");
        let actual = plan.root.digest.clone();
        return Err(PushError::OtherDigest { reference: reference.clone(), actual });
    }
    let upload = Upload {
        repository,
        options,
        tally: Arc::new(Tally {
            total_bytes: plan.blobs.iter().map(|blob| blob.size).sum(),
            done: Mutex::new((0, 0)),
            progress,
        }),
    };
    upload.run(plan).await
}

/// Everything to send, worked out before the first byte goes.
struct Plan {
    blobs: Vec<Blob>,
    /// Those that others refer to come before them.
    children: Vec<Stored>,
    /// What the tag will name.
    root: Stored,
}

struct Blob {
    digest: Digest,
    size: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    File(PathBuf),
}

/// A manifest or index as it is stored.
struct Stored {
    digest: Digest,
    media_type: String,
    bytes: Bytes,
}

/// Works out what to send. Blocking.
fn plan(source: &Path, author: Option<&str>, tag: Option<&str>) -> Result<Plan, PushError> {
    let read = |source_error| PushError::Read { path: source.to_owned(), source: source_error };
    if !fs::metadata(source).map_err(read)?.is_dir() {
        return artifact(source, author);
    }
    if source.join("oci-layout").is_file() {
        return Layout {
            folder: source.to_owned(),
            blobs: Vec::new(),
            documents: Vec::new(),
            seen: HashSet::new(),
        }
        .plan(tag);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(source).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_file() && has_wasm_extension(&path.to_string_lossy()) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [file] => artifact(file, author),
        files => Err(PushError::Folder { path: source.to_owned(), count: files.len() }),
    }
}

/// The artifact of one `.wasm` file.
fn artifact(file: &Path, author: Option<&str>) -> Result<Plan, PushError> {
    let read = |source| PushError::Read { path: file.to_owned(), source };
    let info = WasmInfo::of_file(file).map_err(|error| match error {
        InspectError::Read(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            read(source)
        }
        source => PushError::NotWasm { path: file.to_owned(), source },
    })?;
    let (digest, size) = digest_of_file(file).map_err(read)?;
    // The file's own time, so that pushing it twice makes the same artifact twice.
    let created = fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let mut config = json!({
        "architecture": "wasm",
        "os": match info.form {
            WasmForm::Module => "wasip1",
            WasmForm::Component => "wasip2",
        },
        "layerDigests": [digest],
    });
    if let Some(created) = created {
        config["created"] = created.into();
    }
    if let Some(author) = author {
        config["author"] = author.into();
    }
    if info.form == WasmForm::Component {
        config["component"] = json!({ "exports": info.exports, "imports": info.imports });
    }
    let config = Bytes::from(config.to_string());
    let config_digest = Digest::of(&config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": { "mediaType": WASM_CONFIG, "digest": config_digest, "size": config.len() },
        "layers": [{ "mediaType": WASM_LAYER, "digest": digest, "size": size }],
    });
    let bytes = Bytes::from(manifest.to_string());
    let root = Stored { digest: Digest::of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes };
    let config =
        Blob { digest: config_digest, size: config.len() as u64, content: Content::Memory(config) };
    let layer = Blob { digest, size, content: Content::File(file.to_owned()) };
    Ok(Plan { blobs: vec![config, layer], children: Vec::new(), root })
}

fn digest_of_file(path: &Path) -> std::io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut digester = Digester::new(Algorithm::Sha256);
    let mut buffer = vec![0; READ_BUFFER];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((digester.finish(), size));
        }
        digester.update(&buffer[..count]);
        size += count as u64;
    }
}

/// An OCI image layout while it is walked.
/// Spec: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
struct Layout {
    folder: PathBuf,
    blobs: Vec<Blob>,
    documents: Vec<Stored>,
    seen: HashSet<Digest>,
}

impl Layout {
    /// The one image, or of several the one whose name in the layout is the wanted tag.
    fn plan(mut self, tag: Option<&str>) -> Result<Plan, PushError> {
        let path = self.folder.join("index.json");
        let bytes = fs::read(&path).map_err(|source| PushError::Read { path, source })?;
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|error| self.fault(format!("index.json: {error}")))?;
        let named = index.manifests.iter().find(|entry| {
            tag.is_some() && entry.annotations.get(REF_NAME).map(String::as_str) == tag
        });
        let root = match (named, index.manifests.as_slice()) {
            (Some(entry), _) | (None, [entry]) => entry,
            (None, entries) => {
                let count = entries.len();
                let reason = format!("it holds {count} images, and none is named as the tag");
                return Err(self.fault(reason));
            }
        };
        self.walk(root, 0)?;
        let root = self.documents.pop().ok_or_else(|| self.fault("it is empty".to_owned()))?;
        Ok(Plan { blobs: self.blobs, children: self.documents, root })
    }

    fn walk(&mut self, entry: &Descriptor, depth: usize) -> Result<(), PushError> {
        if !self.seen.insert(entry.digest.clone()) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(self.fault("its indexes are nested too deeply".to_owned()));
        }
        if entry.size > MAX_MANIFEST {
            return Err(self.fault(format!("manifest `{}` is too long", entry.digest)));
        }
        let path = self.path(&entry.digest);
        let bytes = fs::read(&path).map_err(|source| PushError::Read { path, source })?;
        let mut digester = Digester::new(entry.digest.algorithm());
        digester.update(&bytes);
        if digester.finish() != entry.digest {
            return Err(self.fault(format!("digest mismatch in `{}`", entry.digest)));
        }
        let own_type = Some(entry.media_type.as_str()).filter(|own| !own.is_empty());
        let document = Document::parse(&bytes, own_type)
            .map_err(|fault| self.fault(format!("manifest `{}`: {fault:?}", entry.digest)))?;
        let default_type = match document {
            Document::Manifest(manifest) => {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    if self.seen.insert(blob.digest.clone()) {
                        let content = Content::File(self.path(&blob.digest));
                        let (digest, size) = (blob.digest.clone(), blob.size);
                        self.blobs.push(Blob { digest, size, content });
                    }
                }
                OCI_MANIFEST
            }
            Document::Index(index) => {
                for child in &index.manifests {
                    self.walk(child, depth + 1)?;
                }
                if entry.media_type == DOCKER_LIST { DOCKER_LIST } else { OCI_INDEX }
            }
        };
        let media_type = own_type.unwrap_or(default_type).to_owned();
        let digest = entry.digest.clone();
        self.documents.push(Stored { digest, media_type, bytes: bytes.into() });
        Ok(())
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    fn fault(&self, reason: String) -> PushError {
        PushError::Layout { path: self.folder.clone(), reason }
    }
}

/// One push on its way.
struct Upload<'a> {
    repository: Repository,
    options: &'a PushOptions,
    tally: Arc<Tally>,
}

/// Counts what is at the registry already.
struct Tally {
    total_bytes: u64,
    /// Bytes that are there, and those of them that were sent.
    done: Mutex<(u64, u64)>,
    progress: Option<ProgressFn>,
}

impl Tally {
    fn advance(&self, there: u64, sent: u64) {
        let done_bytes = {
            let mut done = self.done.lock();
            done.0 += there;
            done.1 += sent;
            done.0
        };
        if let Some(progress) = &self.progress {
            progress(Progress { done_bytes, total_bytes: self.total_bytes });
        }
    }
}

impl Upload<'_> {
    async fn run(self, plan: Plan) -> Result<Pushed, PushError> {
        futures::stream::iter(plan.blobs)
            .map(|blob| self.blob(blob))
            .buffer_unordered(PARALLEL_UPLOADS)
            .try_collect::<Vec<()>>()
            .await?;
        for child in plan.children {
            self.document(&child, false).await?;
        }
        self.document(&plan.root, true).await?;
        let (_, sent_bytes) = *self.tally.done.lock();
        Ok(Pushed { digest: plan.root.digest, size_bytes: self.tally.total_bytes, sent_bytes })
    }

    async fn blob(&self, blob: Blob) -> Result<(), PushError> {
        let (client, target) = self.repository.uploads().await?;
        let what = || format!("blob `{}` of image `{}`", blob.digest, self.repository.reference());
        let digest = blob.digest.as_str();
        let there = client.blob_exists(&target, digest).await;
        if there.map_err(|error| self.repository.upload_error(what(), error))? {
            self.tally.advance(blob.size, 0);
            return Ok(());
        }
        for source in &self.options.mount_from {
            if source.registry() != self.repository.reference().registry() {
                continue;
            }
            let from = oci_client::Reference::with_tag(
                source.registry().to_owned(),
                source.repository().to_owned(),
                "latest".to_owned(),
            );
            // Whatever the answer, sending it is the way on.
            if client.mount_blob(&target, &from, digest).await.is_ok() {
                self.tally.advance(blob.size, 0);
                return Ok(());
            }
        }
        let tally = Arc::clone(&self.tally);
        let advance = move |count: usize| tally.advance(count as u64, count as u64);
        let sent = match blob.content.clone() {
            Content::Memory(bytes) => {
                advance(bytes.len());
                let stream = futures::stream::once(std::future::ready(Ok(bytes)));
                client.push_blob_stream(&target, stream, digest, Some(blob.size)).await
            }
            Content::File(path) => {
                let file = tokio::fs::File::open(&path)
                    .await
                    .map_err(|source| PushError::Read { path, source })?;
                let stream = ReaderStream::with_capacity(file, READ_BUFFER)
                    .inspect_ok(move |bytes| advance(bytes.len()))
                    .map_err(OciDistributionError::from);
                client.push_blob_stream(&target, stream, digest, Some(blob.size)).await
            }
        };
        sent.map_err(|error| self.repository.upload_error(what(), error))?;
        Ok(())
    }

    /// Sends a manifest or index: the root under the tag, all others under their digests.
    async fn document(&self, document: &Stored, is_root: bool) -> Result<(), PushError> {
        let (client, mut target) = self.repository.uploads().await?;
        if !is_root {
            target = target.clone_with_digest(document.digest.to_string());
        }
        let content_type = HeaderValue::from_str(&document.media_type)
            .unwrap_or(HeaderValue::from_static(OCI_MANIFEST));
        client.push_manifest_raw(&target, document.bytes.clone(), content_type).await.map_err(
            |error| {
                let what = format!("manifest of image `{}`", self.repository.reference());
                self.repository.upload_error(what, error)
            },
        )?;
        Ok(())
    }
}
