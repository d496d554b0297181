//! Compilation, in a process of its own.
//!
//! A module is foreign input, and compiling it can take gigabytes and minutes. So it happens in a
//! child with a memory limit, a time limit and the lowest priority; the child writes the machine
//! code and nothing else.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;

use crate::engine::{Level, Role, engine};

/// The module is at fault; the reason is on standard error.
const EXIT_INVALID: u8 = 2;
/// The result could not be written for want of room.
const EXIT_NO_ROOM: u8 = 3;
/// The arguments, the engine or the files failed.
const EXIT_FAILED: u8 = 4;
/// How much less important than the node's work a compilation is.
const NICENESS: i32 = 10;
/// Longest part of the child's error that is shown.
const ERROR_BYTES: usize = 2048;
const SIGKILL: i32 = 9;
/// What the child says when its limit refuses memory: for data, and for its threads' stacks.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "ThreadPoolBuildError"];

/// What bounds one compilation.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    pub(crate) command: Vec<OsString>,
    pub(crate) memory_bytes: u64,
    pub(crate) time: Duration,
}

/// Why a module was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    /// The module is at fault.
    #[error("{0}")]
    Invalid(String),
    /// It took too much.
    #[error("{0}")]
    Limit(String),
    /// The disk is full.
    #[error("{0}")]
    NoRoom(String),
    /// The compiler could not do its work.
    #[error("{0}")]
    Failed(String),
}

impl Compiler {
    /// Compiles `module` into the file `output`, which must not exist.
    ///
    /// Cancel safe: the child is ended with the future, and `output` may then hold anything.
    ///
    /// # Errors
    /// [`CompileError`].
    pub(crate) async fn run(&self, module: &Path, output: &Path) -> Result<(), CompileError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(CompileError::Failed("no compiler is configured".to_owned()));
        };
        let child = tokio::process::Command::new(program)
            .args(arguments)
            .arg(module)
            .arg(output)
            .arg(self.memory_bytes.to_string())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = program.display();
                CompileError::Failed(format!("compiler `{program}` cannot be started: {error}"))
            })?;
        match tokio::time::timeout(self.time, child.wait_with_output()).await {
            Ok(Ok(output)) => self.judge(&output),
            Ok(Err(error)) => Err(CompileError::Failed(format!("compiler lost: {error}"))),
            Err(_elapsed) => {
                Err(CompileError::Limit(format!("it was not compiled within {:?}", self.time)))
            }
        }
    }

    fn judge(&self, output: &Output) -> Result<(), CompileError> {
        let text = String::from_utf8_lossy(&output.stderr);
        let text = shortened(text.trim(), ERROR_BYTES).to_owned();
        let mebibytes = self.memory_bytes >> 20;
        match (
            output.status.code().and_then(|code| u8::try_from(code).ok()),
            output.status.signal(),
        ) {
            (Some(0), _) => Ok(()),
            (Some(EXIT_INVALID), _) => Err(CompileError::Invalid(text)),
            (Some(EXIT_NO_ROOM), _) => Err(CompileError::NoRoom(text)),
            _ if OUT_OF_MEMORY.iter().any(|words| text.contains(words)) => {
                Err(CompileError::Limit(format!(
                    "compiling it needs more than the {mebibytes} MiB of memory allowed"
                )))
            }
            (_, Some(SIGKILL)) => Err(CompileError::Limit(
                "the compiler was killed, probably because the machine is out of memory".to_owned(),
            )),
            _ => {
                Err(CompileError::Failed(format!("compiler ended with {}: {text}", output.status)))
            }
        }
    }
}

/// The first `limit` bytes of a text, cut between characters.
pub(crate) fn shortened(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The compiler process: what a program does when the runtime calls it as
/// [`crate::WasmConfig::compiler`] says.
///
/// `args` are the arguments that the runtime appended: module, output file and memory limit in
/// bytes. Meant to be called first thing in `main`: it limits the whole process.
pub fn compile_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let (code, reason) = match compile(args) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(CompileError::Invalid(reason)) => (EXIT_INVALID, reason),
        Err(CompileError::NoRoom(reason)) => (EXIT_NO_ROOM, reason),
        Err(CompileError::Limit(reason) | CompileError::Failed(reason)) => (EXIT_FAILED, reason),
    };
    // Nobody is left to be told if the parent is gone.
    let _written = std::io::stderr().write_all(reason.as_bytes());
    ExitCode::from(code)
}

fn compile(args: impl Iterator<Item = OsString>) -> Result<(), CompileError> {
    let args: Vec<OsString> = args.collect();
    let [module, output, memory] = args.as_slice() else {
        return Err(CompileError::Failed("expected: MODULE OUTPUT MEMORY-BYTES".to_owned()));
    };
    let memory = memory.to_str().and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| {
        CompileError::Failed(format!("`{}` is no number of bytes", memory.display()))
    })?;
    let (module, output) = (PathBuf::from(module), PathBuf::from(output));
    limit_this_process(memory);

    let bytes = std::fs::read(&module).map_err(|error| {
        CompileError::Failed(format!("module `{}` cannot be read: {error}", module.display()))
    })?;
    if !bytes.starts_with(b"\0asm") {
        return Err(CompileError::Invalid(not_wasm(&bytes)));
    }
    let engine = engine(level(&bytes), Role::Compiler)
        .map_err(|error| CompileError::Failed(format!("engine cannot be made: {error:#}")))?;
    let code = machine_code(&engine, &bytes)?;
    write(&output, &code)
}

/// Bounds and lowers this process. Failing to is no reason not to compile: the parent's time limit
/// holds in any case.
fn limit_this_process(memory_bytes: u64) {
    let limit = Rlimit { current: Some(memory_bytes), maximum: Some(memory_bytes) };
    let _limited = setrlimit(Resource::Data, limit);
    let _no_core = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _niced = rustix::process::nice(NICENESS);
}

fn not_wasm(bytes: &[u8]) -> String {
    let looks_like = match bytes {
        [] => "it is empty",
        [0x7f, b'E', b'L', b'F', ..] => "it looks like a Linux program",
        [0x1f, 0x8b, ..] => "it looks like gzip data",
        [b'(', ..] => "it looks like the text format: assemble it first",
        _ => "its first bytes are not `\\0asm`",
    };
    format!("it is not WebAssembly: {looks_like}")
}

fn machine_code(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    let compiled = if Parser::is_component(bytes) {
        engine.precompile_component(bytes)
    } else {
        engine.precompile_module(bytes)
    };
    compiled.map_err(|error| CompileError::Invalid(format!("it is not valid: {error:#}")))
}

/// The engine that a program needs: a component says by the names of its imports and exports
/// whether it uses WASI 0.3.
fn level(bytes: &[u8]) -> Level {
    if !Parser::is_component(bytes) {
        return Level::Two;
    }
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        // What cannot be parsed is left to validation, which says why.
        let Ok(payload) = payload else { return Level::Two };
        let newer = match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                false
            }
            Payload::End(_) => {
                depth = depth.saturating_sub(1);
                false
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                section.into_iter().flatten().any(|import| is_newer_wasi(import.name.name))
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                section.into_iter().flatten().any(|export| is_newer_wasi(export.name.name))
            }
            _ => false,
        };
        if newer {
            return Level::Three;
        }
    }
    Level::Two
}

fn is_newer_wasi(name: &str) -> bool {
    name.starts_with("wasi:") && name.contains("@0.3.")
}

fn write(output: &Path, code: &[u8]) -> Result<(), CompileError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(output)
        .and_then(|mut file| file.write_all(code).and_then(|()| file.sync_data()));
    written.map_err(|error| {
        let text = format!("`{}` cannot be written: {error}", output.display());
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => CompileError::NoRoom(text),
            _ => CompileError::Failed(text),
        }
    })
}
