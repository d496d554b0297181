//! Compiled programs: on disk by module and engine, in memory by module, shared by all pods.
//!
//! What lies in the cache is run as machine code, so a file counts only if its digest is the one
//! that was written down beside it; anything else is compiled again.

mod files;
mod kind;

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tracing::{info, warn};
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};
use wk_runtime::{Image, ImageKind, RuntimeError};

use crate::compile::{CompileError, Compiler};
use crate::engine::fingerprint;
use crate::host::{self, CoreHost};
use crate::machine::Machine;

use self::files::{seal, verified};
pub(crate) use self::kind::{Command, Entry, Handler, Program};

/// Programs that no container uses but that stay loaded for the next one.
const UNUSED_PROGRAMS: usize = 32;

/// All programs of this node.
pub(crate) struct Programs {
    /// For modules and components of WASI 0.2.
    two: Arc<Machine>,
    /// For components of WASI 0.3.
    three: Arc<Machine>,
    fingerprint: String,
    folder: PathBuf,
    compiler: Compiler,
    core_linker: wasmtime::Linker<CoreHost>,
    loaded: Mutex<HashMap<String, Loaded>>,
    /// One lock for each module that is being prepared, so that nothing is compiled twice at once.
    in_progress: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    clock: AtomicU64,
    /// Compilations share the machine with everything else: one at a time is enough.
    compiling: tokio::sync::Semaphore,
}

struct Loaded {
    program: Arc<Program>,
    used: u64,
}

impl Programs {
    /// Opens the cache of what `two` (WASI 0.1 and 0.2) and `three` (0.3) run.
    ///
    /// # Errors
    /// If the folder cannot be made or the linker of modules cannot be built; the text says which.
    pub(crate) fn open(
        two: Machine,
        three: Machine,
        folder: PathBuf,
        compiler: Compiler,
    ) -> Result<Self, String> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| format!("cache `{}` cannot be made: {error}", folder.display()))?;
        files::remove_unfinished(&folder)
            .map_err(|error| format!("cache `{}` cannot be cleaned: {error}", folder.display()))?;
        let core_linker = host::core_linker(&two.engine).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            fingerprint: fingerprint([&two.engine, &three.engine]),
            two: Arc::new(two),
            three: Arc::new(three),
            folder,
            compiler,
            core_linker,
            loaded: Mutex::default(),
            in_progress: Mutex::default(),
            clock: AtomicU64::new(0),
            compiling: tokio::sync::Semaphore::new(1),
        })
    }

    /// Compiles and loads an image's module, or does nothing if that was done before.
    ///
    /// # Errors
    /// As [`wk_runtime::Runtime::prepare`].
    pub(crate) async fn prepare(self: &Arc<Self>, image: &Image) -> Result<(), RuntimeError> {
        let (module, digest) = module_of(image)?;
        if self.loaded(&digest).is_some() {
            return Ok(());
        }
        let gate = Arc::clone(self.in_progress.lock().entry(digest.clone()).or_default());
        let outcome = {
            let _alone = gate.lock().await;
            self.prepare_alone(image, &module, &digest).await
        };
        self.in_progress.lock().retain(|_, gate| Arc::strong_count(gate) > 1);
        outcome
    }

    async fn prepare_alone(
        self: &Arc<Self>,
        image: &Image,
        module: &Path,
        digest: &str,
    ) -> Result<(), RuntimeError> {
        if self.load(digest, image).await?.is_some() {
            return Ok(());
        }
        let _turn = self.compiling.acquire().await;
        let started = tokio::time::Instant::now();
        let temporary = self.folder.join(format!("{}.{}.tmp", file_stem(digest), self.tick()));
        let compiled = self.compiler.run(module, &temporary).await;
        let stored = match compiled {
            Ok(()) => {
                let (from, to) = (temporary.clone(), self.code(digest));
                blocking(move || seal(&from, &to))
                    .await
                    .map_err(|error| io_error(&error, &self.folder))
            }
            Err(error) => Err(compile_error(image, error)),
        };
        if stored.is_err() {
            // It may not even exist.
            let _removed = fs::remove_file(&temporary);
        }
        stored?;
        info!(image = image.reference, took = ?started.elapsed(), "compiled");
        match self.load(digest, image).await? {
            Some(_) => Ok(()),
            None => Err(RuntimeError::Internal {
                doing: "loading a compiled program".into(),
                reason: "the compiler's result does not fit this engine".to_owned(),
            }),
        }
    }

    /// The program of an image that was prepared, perhaps by an earlier process.
    ///
    /// # Errors
    /// [`RuntimeError::ImageMissing`] if it was not.
    pub(crate) async fn program(
        self: &Arc<Self>,
        image: &Image,
    ) -> Result<Arc<Program>, RuntimeError> {
        let (_, digest) = module_of(image)?;
        match self.loaded(&digest) {
            Some(program) => Ok(program),
            None => self
                .load(&digest, image)
                .await?
                .ok_or_else(|| RuntimeError::ImageMissing { digest: image.digest.clone() }),
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn loaded(&self, digest: &str) -> Option<Arc<Program>> {
        let mut loaded = self.loaded.lock();
        let entry = loaded.get_mut(digest)?;
        entry.used = self.tick();
        Some(Arc::clone(&entry.program))
    }

    /// Loads a compiled file; `None` if there is none that can be trusted.
    async fn load(
        self: &Arc<Self>,
        digest: &str,
        image: &Image,
    ) -> Result<Option<Arc<Program>>, RuntimeError> {
        if let Some(program) = self.loaded(digest) {
            return Ok(Some(program));
        }
        let (this, code) = (Arc::clone(self), self.code(digest));
        let program = match blocking(move || this.read(&code)).await {
            Ok(Some(program)) => program,
            Ok(None) => return Ok(None),
            Err(reason) => return Err(invalid(image, reason)),
        };
        let program = Arc::new(program);
        let mut loaded = self.loaded.lock();
        let entry = Loaded { program: Arc::clone(&program), used: self.tick() };
        loaded.insert(digest.to_owned(), entry);
        forget_unused(&mut loaded);
        Ok(Some(program))
    }

    fn code(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{}.{}.{}", file_stem(digest), self.fingerprint, files::CODE))
    }

    /// `Err` says what is wrong with the program itself.
    fn read(&self, code: &Path) -> Result<Option<Program>, String> {
        match verified(code) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                warn!(file = %code.display(), %error, "compiled file cannot be used");
                return Ok(None);
            }
        }
        files::touch(code);
        let kind = Engine::detect_precompiled_file(code).ok().flatten();
        match kind {
            Some(Precompiled::Component) => {
                // The file says for which engine it was compiled, and the other one refuses it.
                let loaded = [&self.two, &self.three]
                    .map(|machine| (machine, deserialized_component(&machine.engine, code)));
                let mut reason = None;
                for (machine, component) in loaded {
                    match component {
                        Ok(component) => return kind::component(machine, &component).map(Some),
                        Err(error) => reason = Some(error),
                    }
                }
                Ok(reason.and_then(|error| unusable(code, &error)))
            }
            Some(Precompiled::Module) => match deserialized_module(&self.two.engine, code) {
                Ok(module) => kind::module(&self.two, &self.core_linker, &module).map(Some),
                Err(error) => Ok(unusable(code, &error)),
            },
            None => Ok(None),
        }
    }

    /// Removes compiled files until at most `keep` bytes are left, least recently used first, but
    /// none of a program that a container uses. Returns the bytes removed.
    ///
    /// # Errors
    /// [`RuntimeError::Internal`] if the folder does not let it.
    pub(crate) async fn trim(self: &Arc<Self>, keep: u64) -> Result<u64, RuntimeError> {
        // Programs in memory that nobody uses are forgotten, so that no entry is in use for them.
        let in_use: HashSet<PathBuf> = {
            let mut loaded = self.loaded.lock();
            loaded.retain(|_, entry| Arc::strong_count(&entry.program) > 1);
            loaded.keys().map(|digest| self.code(digest)).collect()
        };
        let this = Arc::clone(self);
        let outcome = blocking(move || files::trim(&this.folder, &this.fingerprint, &in_use, keep));
        outcome.await.map_err(|error| RuntimeError::Internal {
            doing: "removing compiled programs".into(),
            reason: format!("cache `{}`: {error}", self.folder.display()),
        })
    }

    /// An image of a module that is not from a registry: a file of `path` is copied, so that what
    /// is compiled is what was looked at, and named by its digest.
    ///
    /// # Errors
    /// If the file cannot be read or the copy not be written.
    pub(crate) async fn adopt(self: &Arc<Self>, path: PathBuf) -> io::Result<Adopted> {
        let copy = self.folder.join(format!("{}.tmp", self.tick()));
        blocking(move || {
            let adopted = Adopted { module: copy };
            fs::copy(&path, &adopted.module)?;
            Ok(adopted)
        })
        .await
    }
}

/// A private copy of a module, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Adopted {
    module: PathBuf,
}

impl Adopted {
    /// The module as an image, called `reference` in messages.
    ///
    /// # Errors
    /// If the copy cannot be read.
    pub(crate) async fn image(&self, reference: &str) -> io::Result<Image> {
        let module = self.module.clone();
        let digest = blocking(move || files::file_digest(&module)).await?;
        let digest = format!("sha256:{digest}");
        Ok(Image {
            reference: reference.to_owned(),
            digest: digest.clone(),
            kind: ImageKind::Wasm {
                module: self.module.clone(),
                module_digest: digest,
                rootfs: None,
            },
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            working_dir: None,
        })
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        // What is left is removed when the cache is opened next.
        let _removed = fs::remove_file(&self.module);
    }
}

fn unusable(code: &Path, error: &wasmtime::Error) -> Option<Program> {
    warn!(file = %code.display(), error = format!("{error:#}"), "compiled file cannot be loaded");
    None
}

#[expect(unsafe_code, reason = "machine code is mapped")]
fn deserialized_component(engine: &Engine, code: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by our own compiler into a folder that only this user can write
    // to, and its digest has just been checked.
    unsafe { Component::deserialize_file(engine, code) }
}

#[expect(unsafe_code, reason = "machine code is mapped")]
fn deserialized_module(engine: &Engine, code: &Path) -> wasmtime::Result<Module> {
    // SAFETY: as for components.
    unsafe { Module::deserialize_file(engine, code) }
}

/// Drops the programs that were not used for longest, as far as no container uses them.
fn forget_unused(loaded: &mut HashMap<String, Loaded>) {
    let unused = |entry: &Loaded| Arc::strong_count(&entry.program) == 1;
    let mut idle: Vec<(u64, String)> = loaded
        .iter()
        .filter(|(_, entry)| unused(entry))
        .map(|(digest, entry)| (entry.used, digest.clone()))
        .collect();
    idle.sort_unstable();
    let surplus = idle.len().saturating_sub(UNUSED_PROGRAMS);
    for (_, digest) in idle.into_iter().take(surplus) {
        loaded.remove(&digest);
    }
}

/// A digest as part of a file's name.
fn file_stem(digest: &str) -> String {
    digest.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn module_of(image: &Image) -> Result<(PathBuf, String), RuntimeError> {
    match &image.kind {
        ImageKind::Wasm { module, module_digest, .. } => {
            Ok((module.clone(), module_digest.clone()))
        }
        ImageKind::Linux { .. } => Err(invalid(
            image,
            "it is a Linux image, and this is the runtime for WebAssembly".to_owned(),
        )),
    }
}

fn invalid(image: &Image, reason: String) -> RuntimeError {
    RuntimeError::InvalidImage { reference: image.reference.clone(), reason }
}

fn compile_error(image: &Image, error: CompileError) -> RuntimeError {
    let reference = image.reference.clone();
    match error {
        CompileError::Invalid(reason) => RuntimeError::InvalidImage { reference, reason },
        CompileError::Limit(reason) => RuntimeError::PrepareLimit { reference, reason },
        CompileError::NoRoom(reason) => {
            RuntimeError::OutOfResource { resource: "disk".into(), reason }
        }
        CompileError::Failed(reason) => {
            RuntimeError::Internal { doing: "compiling".into(), reason }
        }
    }
}

fn io_error(error: &io::Error, folder: &Path) -> RuntimeError {
    let reason = format!("cache `{}`: {error}", folder.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            RuntimeError::OutOfResource { resource: "disk".into(), reason }
        }
        _ => RuntimeError::Internal { doing: "storing a compiled program".into(), reason },
    }
}

/// Runs file work on a thread where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is being shut down cancels blocking work.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
