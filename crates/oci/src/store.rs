//! The node's images: verified content on disk, and an index of it in memory.
//!
//! The folder is an OCI image layout (`oci-layout`, `index.json`, `blobs/`), so that other tools can
//! read it, with these beside it: `images/` holds one record for each reference, `rootfs/` unpacked
//! Wasm images, `partial/` and `scratch/` work in progress. `index.json` is derived from the records.

mod garbage;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::blobs::Blobs;
use crate::client::RegistryClient;
use crate::digest::Digest;
use crate::error::{OpenError, PullError};
use crate::files::{blocking, remove_file, sync_parent, write_durably};
use crate::flights::Flights;
use crate::image::{Flavor, Image, ImageConfig, ImageKind};
use crate::manifest::{Descriptor, OCI_INDEX, OCI_MANIFEST, Platform};
use crate::platform::node_platforms;
use crate::reference::ImageReference;
use crate::wasm::WasmInfo;

pub use self::garbage::{GarbagePolicy, GarbageReport};

/// What one image may cost, so that a hostile registry cannot exhaust the node.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a manifest or index.
    pub manifest_bytes: u64,
    /// Bytes of an image's configuration.
    pub config_bytes: u64,
    /// Bytes of manifest, configuration and layers together, as transferred.
    pub image_bytes: u64,
    /// Bytes of one WebAssembly file.
    pub module_bytes: u64,
    /// Number of layers.
    pub layers: usize,
    /// Bytes of a Wasm image's layers once unpacked.
    pub unpacked_bytes: u64,
    /// Files and folders of a Wasm image's layers.
    pub unpacked_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            config_bytes: 8 << 20,
            image_bytes: 64 << 30,
            module_bytes: 1 << 30,
            layers: 256,
            unpacked_bytes: 4 << 30,
            unpacked_entries: 200_000,
        }
    }
}

/// How a content store works.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bounds for every image.
    pub limits: Limits,
    /// What the node runs, best first: decides between the entries of an index.
    pub platforms: Vec<Platform>,
    /// Downloads at a time, over all pulls.
    pub parallel_downloads: usize,
}

impl Default for StoreConfig {
    /// Wasm before this machine's Linux, and four downloads at a time.
    fn default() -> Self {
        Self { limits: Limits::default(), platforms: node_platforms(), parallel_downloads: 4 }
    }
}

/// The content store of one node. Clones share it.
#[derive(Clone, Debug)]
pub struct ImageStore {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) config: StoreConfig,
    pub(crate) client: RegistryClient,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) unpacking: Flights<(), Result<(), PullError>>,
    index: RwLock<HashMap<ImageReference, Known>>,
    /// Images that no reference names any more, which containers may still use.
    replaced: parking_lot::Mutex<Vec<Arc<Image>>>,
    /// Held while records and `index.json` change together; only ever in blocking code.
    writing: parking_lot::Mutex<()>,
    /// Keeps other processes out for as long as the store is open.
    _lock: File,
}

#[derive(Clone, Debug)]
struct Known {
    image: Arc<Image>,
    last_used: SystemTime,
}

/// One reference's record on disk: the image without the paths, which follow from the digests.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    reference: ImageReference,
    manifest: Descriptor,
    index_digest: Option<Digest>,
    kind: ImageKind,
    module_digest: Option<Digest>,
    wasm: Option<WasmInfo>,
    config: ImageConfig,
    config_blob: Descriptor,
    layers: Vec<Descriptor>,
}

impl ImageStore {
    /// Opens the store in `folder`, which is made if need be, and loads its index. Blocking.
    ///
    /// What a crash left behind is put right: incomplete images are forgotten, partial downloads
    /// stay for the next pull.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has it open, [`OpenError::Io`] otherwise.
    pub fn open(
        folder: &Path,
        config: StoreConfig,
        client: RegistryClient,
    ) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io { path: folder.to_owned(), source: error };
        for name in ["images", "rootfs"] {
            fs::create_dir_all(folder.join(name)).map_err(io)?;
        }
        let lock = File::create(folder.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: folder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let scratch = folder.join("scratch");
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => fs::create_dir(&scratch).map_err(io)?,
        }
        let blobs = Blobs::open(folder, config.parallel_downloads).map_err(io)?;
        let layout = folder.join("oci-layout");
        if !layout.exists() {
            let text = br#"{"imageLayoutVersion":"1.0.0"}"#;
            write_durably(&scratch, &layout, text).map_err(io)?;
        }
        let shared = Shared {
            folder: folder.to_owned(),
            config,
            client,
            blobs: Arc::new(blobs),
            unpacking: Flights::new(),
            index: RwLock::new(HashMap::new()),
            replaced: parking_lot::Mutex::new(Vec::new()),
            writing: parking_lot::Mutex::new(()),
            _lock: lock,
        };
        shared.load().map_err(io)?;
        shared.write_index().map_err(io)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The image that is already here for `reference`, without asking any registry.
    ///
    /// Takes microseconds and touches no file. A tag means what it meant at the last pull.
    pub fn local(&self, reference: &ImageReference) -> Option<Arc<Image>> {
        let index = self.shared.index.read();
        if let Some(known) = index.get(reference) {
            return Some(Arc::clone(&known.image));
        }
        // The same content under another tag or repository is the same image.
        let digest = reference.digest()?;
        index
            .values()
            .find(|known| {
                let image = &known.image;
                // One that was pulled for its flavor is not what the index stands for.
                let is_flavored = image.reference.digest() == Some(&image.manifest_digest);
                image.manifest_digest == *digest
                    || (image.index_digest.as_ref() == Some(digest) && !is_flavored)
            })
            .map(|known| Arc::clone(&known.image))
    }

    /// The image that is already here for `reference` and has this flavor.
    ///
    /// Of an index several can be here, each of which was pulled for its own sake.
    pub fn local_as(&self, reference: &ImageReference, flavor: Flavor) -> Option<Arc<Image>> {
        if let Some(image) = self.local(reference).filter(|image| flavor.fits(image.kind)) {
            return Some(image);
        }
        let index = self.shared.index.read();
        let others = index.values().filter(|known| {
            let image = &known.image;
            let is_meant = match reference.digest() {
                Some(digest) => image.index_digest.as_ref() == Some(digest),
                None => image.index_digest.is_some() && image.reference.has_tag_of(reference),
            };
            is_meant && flavor.fits(image.kind)
        });
        let newest = others.max_by_key(|known| known.last_used);
        newest.map(|known| Arc::clone(&known.image))
    }

    /// Whether a pod that names `reference` could start without a pull.
    pub fn is_local(&self, reference: &ImageReference) -> bool {
        self.local(reference).is_some()
    }

    /// Any image with this manifest.
    pub fn by_digest(&self, manifest_digest: &Digest) -> Option<Arc<Image>> {
        let index = self.shared.index.read();
        let mut known = index.values();
        known
            .find(|known| known.image.manifest_digest == *manifest_digest)
            .map(|known| Arc::clone(&known.image))
    }

    /// All images, by reference.
    pub fn list(&self) -> Vec<Arc<Image>> {
        let index = self.shared.index.read();
        let mut images: Vec<_> = index.values().map(|known| Arc::clone(&known.image)).collect();
        images.sort_by(|a, b| a.reference.cmp(&b.reference));
        images
    }

    /// Where a blob of an image is, such as a layer of a Linux image.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.shared.blobs.path(digest)
    }

    /// The folder, which is an OCI image layout.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Notes that a container uses the image, which keeps it from garbage collection for longer.
    pub fn mark_used(&self, reference: &ImageReference, now: SystemTime) {
        if let Some(known) = self.shared.index.write().get_mut(reference) {
            known.last_used = known.last_used.max(now);
        }
    }

    /// Forgets a reference; `false` if it was not there. Its content goes with the next garbage
    /// collection, unless another reference needs it.
    ///
    /// # Errors
    /// If the record cannot be removed; the image is then still there.
    pub async fn remove(&self, reference: &ImageReference) -> io::Result<bool> {
        let (shared, reference) = (Arc::clone(&self.shared), reference.clone());
        blocking(move || shared.forget(&[reference]).map(|count| count > 0)).await
    }

    /// Frees space: forgets images as `policy` says, except those whose manifest is `in_use`, and
    /// removes content that no image and no pull in progress needs.
    ///
    /// # Errors
    /// If a file cannot be read or removed. What was done until then stays done; calling again is safe.
    pub async fn collect_garbage(
        &self,
        in_use: HashSet<Digest>,
        policy: GarbagePolicy,
    ) -> io::Result<GarbageReport> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.collect_garbage(&in_use, policy)).await
    }
}

impl Shared {
    /// The image known under exactly this reference.
    pub(crate) fn known(&self, reference: &ImageReference) -> Option<Arc<Image>> {
        self.index.read().get(reference).map(|known| Arc::clone(&known.image))
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Where a Wasm image is unpacked.
    pub(crate) fn rootfs(&self, manifest: &Digest) -> PathBuf {
        self.folder.join("rootfs").join(manifest.file_name())
    }

    /// Makes a complete image known: its record is durable before it is found. Blocking.
    pub(crate) fn record(
        &self,
        image: Image,
        manifest: Descriptor,
        now: SystemTime,
    ) -> io::Result<Arc<Image>> {
        let record = Record {
            reference: image.reference.clone(),
            manifest,
            index_digest: image.index_digest.clone(),
            kind: image.kind,
            module_digest: image.module_digest.clone(),
            wasm: image.wasm.clone(),
            config: image.config.clone(),
            config_blob: image.config_blob.clone(),
            layers: image.layers.clone(),
        };
        let json = serde_json::to_vec(&record)?;
        let image = Arc::new(image);
        let _writing = self.writing.lock();
        write_durably(&self.scratch(), &self.record_path(&image.reference), &json)?;
        let known = Known { image: Arc::clone(&image), last_used: now };
        let before = self.index.write().insert(image.reference.clone(), known);
        self.replaced.lock().extend(before.map(|before| before.image));
        self.write_index()?;
        Ok(image)
    }

    fn record_path(&self, reference: &ImageReference) -> PathBuf {
        let name = Digest::of(reference.to_string().as_bytes());
        self.folder.join("images").join(format!("{}.json", name.hex()))
    }

    fn load(&self) -> io::Result<()> {
        let mut index = self.index.write();
        for entry in fs::read_dir(self.folder.join("images"))? {
            let path = entry?.path();
            let modified = fs::metadata(&path)?.modified()?;
            let record = fs::read(&path)
                .and_then(|json| serde_json::from_slice::<Record>(&json).map_err(io::Error::from));
            let image = match record {
                Ok(record) => self.image(record),
                Err(error) => {
                    warn!(path = %path.display(), %error, "image record cannot be read");
                    None
                }
            };
            if let Some(image) = image {
                let known = Known { image: Arc::new(image), last_used: modified };
                index.insert(known.image.reference.clone(), known);
            } else {
                warn!(path = %path.display(), "image is incomplete and has to be pulled again");
                remove_file(&path)?;
            }
        }
        info!(images = index.len(), folder = %self.folder.display(), "image store opened");
        Ok(())
    }

    /// The image of a record; `None` if any of its content is missing.
    fn image(&self, record: Record) -> Option<Image> {
        let needed = [&record.manifest, &record.config_blob].into_iter().chain(&record.layers);
        if !needed.clone().all(|blob| self.blobs.has(&blob.digest, blob.size)) {
            return None;
        }
        let mut counted = HashSet::new();
        let size_bytes =
            needed.filter(|blob| counted.insert(&blob.digest)).map(|blob| blob.size).sum();
        let module = record.module_digest.as_ref().map(|digest| self.blobs.path(digest));
        let rootfs = match record.kind {
            ImageKind::OciWasm => Some(self.rootfs(&record.manifest.digest)),
            ImageKind::WasmArtifact | ImageKind::Linux => None,
        };
        let exists = |path: &Option<PathBuf>| path.as_ref().is_none_or(|path| path.exists());
        if !exists(&module) || !exists(&rootfs) {
            return None;
        }
        Some(Image {
            reference: record.reference,
            manifest_digest: record.manifest.digest,
            index_digest: record.index_digest,
            kind: record.kind,
            module,
            module_digest: record.module_digest,
            wasm: record.wasm,
            rootfs,
            config: record.config,
            config_blob: record.config_blob,
            layers: record.layers,
            size_bytes,
        })
    }

    /// Writes the layout's index of all images. Derived, so neither synced nor needed at start.
    fn write_index(&self) -> io::Result<()> {
        let manifests: Vec<_> = self
            .index
            .read()
            .values()
            .map(|known| {
                let digest = &known.image.manifest_digest;
                let size = fs::metadata(self.blobs.path(digest)).map_or(0, |file| file.len());
                serde_json::json!({
                    "mediaType": OCI_MANIFEST,
                    "digest": digest,
                    "size": size,
                    "annotations": {
                        "org.opencontainers.image.ref.name": known.image.reference.to_string(),
                    },
                })
            })
            .collect();
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": manifests,
        });
        let file = tempfile::NamedTempFile::new_in(self.scratch())?;
        serde_json::to_writer(&file, &index)?;
        file.persist(self.folder.join("index.json")).map_err(|error| error.error)?;
        Ok(())
    }

    fn forget(&self, references: &[ImageReference]) -> io::Result<usize> {
        let _writing = self.writing.lock();
        let mut count = 0;
        for reference in references {
            if !self.index.read().contains_key(reference) {
                continue;
            }
            let path = self.record_path(reference);
            remove_file(&path)?;
            sync_parent(&path)?;
            let before = self.index.write().remove(reference);
            self.replaced.lock().extend(before.map(|before| before.image));
            count += 1;
        }
        if count > 0 {
            self.write_index()?;
        }
        Ok(count)
    }
}
