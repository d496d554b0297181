//! What is in an image: the module of an artifact, or the program of an unpacked image.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Found, Pull};
use crate::blobs::Pins;
use crate::digest::Digest;
use crate::error::PullError;
use crate::files::{blocking, sync_parent};
use crate::image::{ImageConfig, ImageKind};
use crate::manifest::{ImageConfigFile, Platform};
use crate::plan::{self, Form, has_wasm_extension};
use crate::reference::ImageReference;
use crate::unpack::{self, Layer, UnpackError, UnpackLimits};
use crate::wasm::{InspectError, WasmInfo};

/// What the content of an image turned out to be.
pub(super) struct Content {
    pub(super) kind: ImageKind,
    pub(super) config: ImageConfig,
    pub(super) module_digest: Option<Digest>,
    pub(super) wasm: Option<WasmInfo>,
    pub(super) rootfs: Option<PathBuf>,
    /// Keeps the module until the image is recorded.
    _pins: Option<Pins>,
}

impl Pull {
    /// A Wasm artifact: its layer is the module.
    pub(super) async fn artifact(&self, layer: &Digest) -> Result<Content, PullError> {
        let wasm = self.inspect(self.shared.blobs.path(layer)).await?;
        Ok(Content {
            kind: ImageKind::WasmArtifact,
            config: ImageConfig::default(),
            module_digest: Some(layer.clone()),
            wasm: Some(wasm),
            rootfs: None,
            _pins: None,
        })
    }

    /// An OCI or Docker image: unpacked if its program is Wasm, left as it is otherwise.
    pub(super) async fn image(&self, found: &Found) -> Result<Content, PullError> {
        let file = self.configuration(found).await?;
        let config = ImageConfig::from_file(&file);
        let kind = plan::image_kind(&file, &config);
        if kind == ImageKind::Linux {
            self.check_platform(&file)?;
            return Ok(Content {
                kind,
                config,
                module_digest: None,
                wasm: None,
                rootfs: None,
                _pins: None,
            });
        }
        let rootfs = self.unpacked(found, &file).await?;
        let module = self.find_module(rootfs.clone(), &config).await?;
        let wasm = self.inspect(module.clone()).await?;
        let blobs = Arc::clone(&self.shared.blobs);
        let pins =
            blocking(move || blobs.adopt(&module)).await.map_err(|error| self.storage(error))?;
        Ok(Content {
            kind,
            config,
            module_digest: pins.digests().first().cloned(),
            wasm: Some(wasm),
            rootfs: Some(rootfs),
            _pins: Some(pins),
        })
    }

    /// What the image is, as the registry tells it.
    pub(super) async fn kind(&self) -> Result<ImageKind, PullError> {
        let found = self.find_manifest().await?;
        match self.checked_form(&found)? {
            Form::Artifact(_) => Ok(ImageKind::WasmArtifact),
            Form::Image => {
                let blob = &found.manifest.config;
                let _pins = self.shared.blobs.pin(vec![blob.digest.clone()]);
                self.shared.blobs.fetch(&self.repository, blob, |_bytes| {}).await?;
                let file = self.configuration(&found).await?;
                Ok(plan::image_kind(&file, &ImageConfig::from_file(&file)))
            }
        }
    }

    /// The configuration, which has been fetched.
    async fn configuration(&self, found: &Found) -> Result<ImageConfigFile, PullError> {
        let path = self.shared.blobs.path(&found.manifest.config.digest);
        let json = blocking(move || fs::read(path)).await.map_err(|error| self.storage(error))?;
        serde_json::from_slice(&json).map_err(|error| {
            PullError::malformed(self.reference(), format!("its configuration: {error}"))
        })
    }

    /// A Linux image that says it is for another processor cannot run here.
    fn check_platform(&self, file: &ImageConfigFile) -> Result<(), PullError> {
        let wanted = &self.shared.config.platforms;
        let own = Platform { os: file.os.clone(), architecture: file.architecture.clone() };
        if own.architecture.is_empty() || wanted.contains(&own) {
            return Ok(());
        }
        Err(self.no_platform(std::iter::once(&own)))
    }

    /// The unpacked layers; made once, however many pulls want them.
    async fn unpacked(&self, found: &Found, file: &ImageConfigFile) -> Result<PathBuf, PullError> {
        let rootfs = self.shared.rootfs(&found.digest);
        let layers = &found.manifest.layers;
        let uncompressed = &file.rootfs.diff_ids;
        if !uncompressed.is_empty() && uncompressed.len() != layers.len() {
            let reason = format!("{} layers, but {} `diff_ids`", layers.len(), uncompressed.len());
            return Err(PullError::malformed(self.reference(), reason));
        }
        let layers: Vec<_> = layers
            .iter()
            .enumerate()
            .map(|(position, layer)| Layer {
                blob: self.shared.blobs.path(&layer.digest),
                uncompressed: uncompressed.get(position).cloned(),
            })
            .collect();
        let lead = || -> ((), BoxFuture<'static, Result<(), PullError>>) {
            let limits = &self.shared.config.limits;
            let limits =
                UnpackLimits { bytes: limits.unpacked_bytes, entries: limits.unpacked_entries };
            let (scratch, target) = (self.shared.scratch(), rootfs.clone());
            let reference = self.reference().clone();
            let work = move || {
                unpack_durably(&layers, limits, &scratch, &target)
                    .map_err(|error| unpack_error(&reference, error))
            };
            ((), blocking(work).boxed())
        };
        self.shared.unpacking.join(&found.digest, lead).run.await?;
        Ok(rootfs)
    }

    /// The `.wasm` file that an unpacked image wants to run.
    async fn find_module(
        &self,
        rootfs: PathBuf,
        config: &ImageConfig,
    ) -> Result<PathBuf, PullError> {
        let program = config.program().map(str::to_owned);
        let folder = config.working_dir.clone().unwrap_or_default();
        let (limit, reference) = (self.shared.config.limits.module_bytes, self.reference().clone());
        blocking(move || {
            let not_wasm =
                |reason: String| PullError::NotWasm { reference: reference.clone(), reason };
            let inside =
                |path: &Path| unpack::resolve(&rootfs, path).ok().filter(|path| path.is_file());
            let named = program.as_ref().and_then(|program| {
                inside(&Path::new(&folder).join(program)).or_else(|| inside(Path::new(program)))
            });
            let path = match (named, &program) {
                (Some(path), _) => path,
                (None, Some(program)) if has_wasm_extension(program) => {
                    return Err(not_wasm(format!(
                        "its entrypoint `{program}` is not in its layers"
                    )));
                }
                (None, _) => {
                    let mut found = Vec::new();
                    find_wasm(&rootfs, &mut found)
                        .map_err(|error| PullError::storage(&reference, &rootfs, error))?;
                    match <[PathBuf; 1]>::try_from(found) {
                        Ok([path]) => path,
                        Err(found) => {
                            let count = found.len();
                            return Err(not_wasm(format!(
                                "it has no entrypoint, and {count} `.wasm` files instead of one"
                            )));
                        }
                    }
                }
            };
            let bytes = fs::metadata(&path)
                .map_err(|error| PullError::storage(&reference, &path, error))?
                .len();
            if bytes > limit {
                let what = format!("its module has {bytes} bytes");
                return Err(PullError::TooLarge { reference: reference.clone(), what, limit });
            }
            Ok(path)
        })
        .await
    }

    async fn inspect(&self, path: PathBuf) -> Result<WasmInfo, PullError> {
        let reference = self.reference().clone();
        blocking(move || {
            WasmInfo::of_file(&path).map_err(|error| match error {
                InspectError::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    PullError::NotWasm { reference, reason: "it is cut off".to_owned() }
                }
                InspectError::Read(error) => PullError::storage(&reference, &path, error),
                InspectError::NotWasm { looks_like } => {
                    PullError::NotWasm { reference, reason: looks_like.to_owned() }
                }
                InspectError::Damaged { fault } => PullError::NotWasm {
                    reference,
                    reason: format!("it starts as WebAssembly but is damaged: {fault}"),
                },
            })
        })
        .await
    }
}

fn unpack_durably(
    layers: &[Layer],
    limits: UnpackLimits,
    scratch: &Path,
    target: &Path,
) -> Result<(), UnpackError> {
    let failed = |error| UnpackError::Write { path: target.to_owned(), error };
    if target.exists() {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(scratch).map_err(failed)?;
    let root = folder.path().join("rootfs");
    fs::create_dir(&root).map_err(failed)?;
    unpack::unpack(layers, &root, limits)?;
    let handle = File::open(&root).map_err(failed)?;
    rustix::fs::syncfs(&handle).map_err(|error| failed(error.into()))?;
    fs::rename(&root, target).map_err(failed)?;
    sync_parent(target).map_err(failed)
}

fn unpack_error(reference: &ImageReference, error: UnpackError) -> PullError {
    let reference = reference.clone();
    match error {
        UnpackError::Unsafe(reason) => PullError::UnsafeLayer { reference, reason },
        UnpackError::TooLarge { what, limit } => PullError::TooLarge { reference, what, limit },
        UnpackError::Damaged(reason) => {
            PullError::Malformed { reference, reason: format!("a layer is damaged: {reason}") }
        }
        UnpackError::Mismatch { expected, actual } => {
            PullError::DigestMismatch { reference, expected, actual }
        }
        UnpackError::Write { path, error } => PullError::storage(&reference, &path, error),
    }
}

/// Collects the `.wasm` files of a tree; links are not followed.
fn find_wasm(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() {
            find_wasm(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path);
        }
    }
    Ok(())
}
