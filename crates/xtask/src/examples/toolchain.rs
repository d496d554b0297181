//! Where the Rust compiler for Wasm comes from.
//!
//! Rustup's target if it is there, or can be fetched. Otherwise Debian's compiler for the web, with
//! the standard library built from Debian's sources: `rustc-web` has the code generator, and
//! `rustc` of the same source tree accepts `-Z build-std` when told to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::packages::{self, RUST};
use crate::shell::{cargo, has_program, read, say};

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Toolchain {
    /// Rustup's target where it can be had, else Debian's packages.
    Auto,
    /// Rustup's target only.
    Rustup,
    /// Debian's packages only.
    Debian,
}

/// What Rust compiles guests for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// Nothing but the instruction set.
    Unknown,
    /// WASI 0.1, with a C library.
    Wasip1,
}

impl Target {
    const ALL: [Self; 2] = [Self::Unknown, Self::Wasip1];

    /// As rustc calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "wasm32-unknown-unknown",
            Self::Wasip1 => "wasm32-wasip1",
        }
    }

    /// As cargo's environment variables call it.
    fn variable(self, what: &str) -> String {
        let name = self.name().to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{name}_{what}")
    }
}

/// A compiler that was found.
#[derive(Debug)]
pub(crate) enum Compiler {
    /// The one that compiles us, too, with the target's standard library.
    Rustup,
    /// Debian's.
    Debian(Debian),
}

/// Debian's compiler and what is needed around it.
#[derive(Debug)]
pub(crate) struct Debian {
    rustc: PathBuf,
    /// The linker: Rust's own, because Debian's is older than the compiler.
    linker: PathBuf,
    /// The folder of wasi-libc.
    libc: PathBuf,
}

/// A compiler for `target`.
///
/// # Errors
/// There is none: the error says what to install.
pub(crate) fn find(target: Target, wanted: Toolchain) -> Result<Compiler> {
    match wanted {
        Toolchain::Rustup | Toolchain::Auto if rustup_has(target) => Ok(Compiler::Rustup),
        Toolchain::Rustup => bail!("`rustup target add {}` does not work here", target.name()),
        Toolchain::Auto | Toolchain::Debian => Debian::find().map(Compiler::Debian),
    }
}

/// Whether guests can be compiled with rustup's targets; adds those that are missing if it can.
pub(crate) fn has_wasm_targets() -> bool {
    Target::ALL.into_iter().all(rustup_has)
}

/// Whether rustc has a standard library for `target`, after asking rustup for it if need be.
fn rustup_has(target: Target) -> bool {
    if rustc_has(target) {
        return true;
    }
    if !has_program("rustup") {
        return false;
    }
    say(&format!("rustup target add {}", target.name()));
    let mut add = Command::new("rustup");
    // Without a network the answer should be no, and soon.
    add.env("RUSTUP_MAX_RETRIES", "1").env("RUSTUP_DOWNLOAD_TIMEOUT", "20");
    read(add.args(["target", "add", target.name()])).is_ok() && rustc_has(target)
}

fn rustc_has(target: Target) -> bool {
    read(Command::new("rustc").args(["--print=target-libdir", "--target", target.name()]))
        .is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

impl Compiler {
    /// The command `cargo build` for `target`; the caller adds packages and folders.
    pub(crate) fn cargo_build(&self, target: Target) -> Result<Command> {
        let mut command = cargo();
        // Flags for the host's programs are not meant for guests.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.args(["build", "--release", "--target", target.name()]);
        if let Self::Debian(debian) = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", &debian.rustc)
                .env(target.variable("LINKER"), &debian.linker)
                .env(target.variable("RUSTFLAGS"), debian.flags(target)?);
        }
        Ok(command)
    }
}

impl Debian {
    fn find() -> Result<Self> {
        packages::require("compiling Rust for Wasm without rustup's targets", RUST)?;
        let linker = rust_lld()?;
        Ok(Self {
            rustc: file_of("rustc-web", "/bin/rustc")?,
            linker,
            libc: file_of("wasi-libc", "/crt1-command.o")?
                .parent()
                .context("a file has a folder")?
                .to_owned(),
        })
    }

    /// Debian's wasi-libc is of 2022: the program must ask for no newer instructions than it has.
    fn flags(&self, target: Target) -> Result<String> {
        let cpu = "-C target-cpu=mvp -C target-feature=+bulk-memory";
        let libc = self.libc.to_str().context("the folder of wasi-libc is no UTF-8")?;
        Ok(match target {
            Target::Unknown => cpu.to_owned(),
            Target::Wasip1 => format!(
                "{cpu} -C link-self-contained=no -L {libc} -C link-arg={libc}/crt1-command.o"
            ),
        })
    }
}

/// What programs of this machine are compiled for.
pub(crate) fn host() -> Result<String> {
    let version = read(Command::new("rustc").args(["--version", "--verbose"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc --version --verbose` names no host")
}

/// The linker that comes with every toolchain of rustup.
fn rust_lld() -> Result<PathBuf> {
    let sysroot = read(Command::new("rustc").arg("--print=sysroot"))?;
    let host = host()?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if !linker.is_file() {
        bail!("there is no `{}`; Rust by rustup has it", linker.display());
    }
    Ok(linker)
}

/// The file of an installed Debian package whose path ends in `end`.
fn file_of(package: &str, end: &str) -> Result<PathBuf> {
    let files = read(Command::new("dpkg-query").args(["--listfiles", package]))?;
    let file = files.lines().find(|line| line.ends_with(end));
    file.map(PathBuf::from).with_context(|| format!("package `{package}` has no `{end}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_needs_a_c_library_only_where_the_target_has_one() {
        let debian = Debian {
            rustc: PathBuf::from("/usr/bin/rustc"),
            linker: PathBuf::from("/lld"),
            libc: PathBuf::from("/libc"),
        };
        assert!(!debian.flags(Target::Unknown).unwrap().contains("/libc"));
        assert!(debian.flags(Target::Wasip1).unwrap().contains("-C link-arg=/libc/crt1-command.o"));
    }

    #[test]
    fn cargo_spells_targets_in_capitals() {
        assert_eq!(Target::Wasip1.variable("LINKER"), "CARGO_TARGET_WASM32_WASIP1_LINKER");
    }
}
