//! Compiled programs: on disk by module and engine, in memory by module, shared by all pods.
//!
//! What lies in the cache is run as machine code, so a file counts only if its digest is the one
//! that was written down beside it; anything else is compiled again.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, ExternType, Module, Precompiled};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wk_runtime::{Image, ImageKind, RuntimeError};

use crate::compile::{CompileError, Compiler};
use crate::engine::fingerprint;
use crate::host::{self, CoreHost, Host};

/// Programs that no container uses but that stay loaded for the next one.
const UNUSED_PROGRAMS: usize = 32;
/// Length of a file's digest in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;

/// A program that is ready to be instantiated.
pub(crate) enum Program {
    /// A component that answers requests.
    Http(ProxyPre<Host>),
    /// A component that runs and ends.
    Command(CommandPre<Host>),
    /// A core module that runs and ends.
    Core(wasmtime::InstancePre<CoreHost>),
}

/// All programs of this node.
pub(crate) struct Programs {
    engine: Engine,
    fingerprint: String,
    folder: PathBuf,
    compiler: Compiler,
    linker: Linker<Host>,
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
    /// Opens the cache and makes the linkers.
    ///
    /// # Errors
    /// If the folder cannot be made or the linkers cannot be built; the text says which.
    pub(crate) fn open(
        engine: Engine,
        folder: PathBuf,
        compiler: Compiler,
    ) -> Result<Self, String> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| format!("cache `{}` cannot be made: {error}", folder.display()))?;
        let linker = host::linker(&engine).map_err(|error| format!("{error:#}"))?;
        let core_linker = host::core_linker(&engine).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            fingerprint: fingerprint(&engine),
            engine,
            folder,
            compiler,
            linker,
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
                doing: "loading a compiled program",
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
        self.folder.join(format!("{}.{}.cwasm", file_stem(digest), self.fingerprint))
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
        let kind = Engine::detect_precompiled_file(code).ok().flatten();
        match kind {
            Some(Precompiled::Component) => match deserialized_component(&self.engine, code) {
                Ok(component) => self.component(&component).map(Some),
                Err(error) => Ok(unusable(code, &error)),
            },
            Some(Precompiled::Module) => match deserialized_module(&self.engine, code) {
                Ok(module) => self.module(&module).map(Some),
                Err(error) => Ok(unusable(code, &error)),
            },
            None => Ok(None),
        }
    }

    fn component(&self, component: &Component) -> Result<Program, String> {
        let kind = component.component_type();
        let foreign: Vec<&str> = kind
            .imports(&self.engine)
            .map(|(name, _)| name)
            .filter(|name| !is_offered(name))
            .collect();
        if !foreign.is_empty() {
            return Err(format!("it imports `{}`, which nobody provides", foreign.join("`, `")));
        }
        let exports: Vec<&str> = kind.exports(&self.engine).map(|(name, _)| name).collect();
        let has = |interface: &str| exports.iter().any(|name| name.starts_with(interface));
        let linked = |component| -> Result<InstancePre<Host>, String> {
            let pre = self.linker.instantiate_pre(component);
            pre.map_err(|error| format!("an import cannot be satisfied: {error:#}"))
        };
        if has("wasi:http/incoming-handler@0.2.") {
            let pre = ProxyPre::new(linked(component)?).map_err(|error| format!("{error:#}"))?;
            return Ok(Program::Http(pre));
        }
        if has("wasi:cli/run@0.2.") {
            let pre = CommandPre::new(linked(component)?).map_err(|error| format!("{error:#}"))?;
            return Ok(Program::Command(pre));
        }
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join("`, `") };
        Err(format!(
            "it exports `{exports}`, but neither `wasi:http/incoming-handler` nor `wasi:cli/run` \
             of WASI 0.2: it is a library, not a program"
        ))
    }

    fn module(&self, module: &Module) -> Result<Program, String> {
        let foreign: Vec<String> = module
            .imports()
            .filter(|import| import.module() != "wasi_snapshot_preview1")
            .map(|import| format!("{}::{}", import.module(), import.name()))
            .collect();
        if !foreign.is_empty() {
            return Err(format!("it imports `{}`, which nobody provides", foreign.join("`, `")));
        }
        if !matches!(module.get_export("_start"), Some(ExternType::Func(_))) {
            return Err("it has no `_start` function: it is a library, not a program".to_owned());
        }
        let pre = self.core_linker.instantiate_pre(module);
        pre.map(Program::Core).map_err(|error| format!("an import cannot be satisfied: {error:#}"))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Whether an interface is one that the runtime offers to components.
fn is_offered(import: &str) -> bool {
    const OFFERED: [&str; 7] = ["io", "clocks", "random", "cli", "filesystem", "sockets", "http"];
    import.strip_prefix("wasi:").and_then(|rest| rest.split_once('/')).is_some_and(
        |(package, interface)| OFFERED.contains(&package) && interface.contains("@0.2."),
    )
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

/// Writes a file's digest down beside it and gives both their names; the digest goes first, so
/// that a file without one is never complete.
fn seal(from: &Path, to: &Path) -> io::Result<()> {
    let digest = file_digest(from)?;
    let temporary = from.with_extension("sum");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(digest.as_bytes())?;
    file.sync_data()?;
    fs::rename(&temporary, sum_of(to))?;
    fs::rename(from, to)
}

/// Whether a compiled file is there and is what was written.
fn verified(code: &Path) -> io::Result<bool> {
    let expected = match fs::read_to_string(sum_of(code)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let actual = match file_digest(code) {
        Ok(digest) => digest,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if expected == actual {
        return Ok(true);
    }
    warn!(file = %code.display(), "compiled file is damaged and is made again");
    Ok(false)
}

fn sum_of(code: &Path) -> PathBuf {
    code.with_extension("cwasm.sha256")
}

fn file_digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let mut text = String::with_capacity(DIGEST_DIGITS);
    for byte in hasher.finalize() {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    Ok(text)
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
        CompileError::NoRoom(reason) => RuntimeError::OutOfResource { resource: "disk", reason },
        CompileError::Failed(reason) => RuntimeError::Internal { doing: "compiling", reason },
    }
}

fn io_error(error: &io::Error, folder: &Path) -> RuntimeError {
    let reason = format!("cache `{}`: {error}", folder.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            RuntimeError::OutOfResource { resource: "disk", reason }
        }
        _ => RuntimeError::Internal { doing: "storing a compiled program", reason },
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
